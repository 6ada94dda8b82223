"""Section 3's reason for conditional VAEs, in one dimension: a target with two modes and one output for each input.

Y = +1 with probability P(X), else -1, plus noise of standard deviation .1; X ~ U(0, 1) and P(X) = .3 + .4 X. So
E[Y | X] = 2 P(X) - 1 lies between -.4 and .4, where Y never is.

    regressor  minimises E (Y - f(X))^2 and can only answer E[Y | X]
    CVAE       maximises E_Q log N(Y | f(X, z), s^2) - KL(Q(z | X, Y) || N(0, 1)) and can answer both modes
"""

import keras
import numpy as np
import tensorflow as tf

from common.probability.distributions import gaussian_kl, gaussian_log_prob, reparameterise

NOISE_SD, BATCH = 0.1, 256


def mode_probability(x):
    """P(Y near +1 | X)."""
    return 0.3 + 0.4 * x


def net(outputs: int):
    """Two hidden layers of 64 tanh units."""
    hidden = [keras.layers.Dense(64, activation="tanh") for _ in range(2)]
    return keras.Sequential([*hidden, keras.layers.Dense(outputs)])


def draw_pairs(seed):
    """A batch (X, Y), each [256, 1], from a stateless seed."""
    parts = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    x = tf.random.stateless_uniform([BATCH, 1], parts[0])
    side = tf.where(tf.random.stateless_uniform([BATCH, 1], parts[1]) < mode_probability(x), 1.0, -1.0)
    return x, side + NOISE_SD * tf.random.stateless_normal([BATCH, 1], parts[2])


def train(loss, variables, seed: int, steps: int):
    """Adam on loss(x, y, noise [256, 1]); the learning rate falls to 0, so that the last steps average the noise."""
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps))
    optimizer.build(variables)

    @tf.function
    def program():
        for number in tf.range(steps):
            pair_seed, noise_seed = tf.unstack(tf.random.experimental.stateless_split(tf.stack([seed, number]), 2))
            x, y = draw_pairs(pair_seed)
            with tf.GradientTape() as tape:
                value = loss(x, y, tf.random.stateless_normal([BATCH, 1], noise_seed))
            optimizer.apply(tape.gradient(value, variables), variables)

    program()


def two_modes(seed: int, steps: int = 4000) -> dict[str, float]:
    """Claim 44: what a regressor and a CVAE answer on the two-mode target.

    regressor_error: largest |prediction - E[Y | X]| for X in [.1, .9], relative to the distance 2 between the modes.
    regressor_near_modes, cvae_near_modes: share of answers within .3 (three noise standard deviations) of a mode.
    cvae_share_error: largest |share of CVAE answers near +1 - P(X)|.
    """
    keras.utils.set_random_seed(seed)
    regressor, encoder, decoder = net(1), net(2), net(1)
    for network, inputs in ((regressor, 1), (encoder, 2), (decoder, 2)):
        network.build((None, inputs))

    def squared_error(x, y, noise):
        return tf.reduce_mean((y - regressor(x)) ** 2)

    def negative_bound(x, y, noise):
        mean, log_sd = tf.split(encoder(tf.concat([x, y], 1)), 2, axis=1)
        output = decoder(tf.concat([x, reparameterise(mean, log_sd, noise)], 1))
        fit = gaussian_log_prob(y, output, tf.math.log(NOISE_SD))
        return tf.reduce_mean(gaussian_kl(mean, log_sd) - fit)

    train(squared_error, regressor.trainable_variables, seed, steps)
    train(negative_bound, encoder.trainable_variables + decoder.trainable_variables, seed + 1, steps)

    x = np.linspace(0.1, 0.9, 9, dtype=np.float32)
    answer = regressor(x[:, None]).numpy()[:, 0]
    z = np.random.default_rng(seed).normal(size=(9, 2000)).astype(np.float32)
    inputs = np.stack([np.broadcast_to(x[:, None], z.shape), z], axis=-1).reshape(-1, 2)
    samples = decoder(inputs).numpy().reshape(z.shape)
    return {
        "regressor_error": float(np.max(np.abs(answer - (2 * mode_probability(x) - 1)))) / 2,
        "regressor_near_modes": float(np.mean(np.abs(np.abs(answer) - 1) < 0.3)),
        "cvae_near_modes": float(np.mean(np.abs(np.abs(samples) - 1) < 0.3)),
        "cvae_share_error": float(np.max(np.abs(np.mean(samples > 0, 1) - mode_probability(x)))),
    }
