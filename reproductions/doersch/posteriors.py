"""Section 2.4.1: the posterior of a given f need not be normal, but training by the bound prefers an f for which it is.

In one dimension everything is exact. X follows two normal modes; z ~ N(0, 1); P(X|z) = N(f(z), s^2); f is a small
network, trained twice from the same initial weights:

    by the bound      E_Q log P(X|z) - KL(Q(z|X) || N(0, 1)) with a normal Q(z|X) from an encoder,
    by log P(X)       = log sum_i w_i P(X|z_i) on a grid of z, with no Q at all.

Then, for each f, P(z|X) stands on the grid, and the normal Q* nearest to it, min KL(Q* || P(z|X)), is searched for.
"""

import keras
import numpy as np
import tensorflow as tf
from scipy import optimize
from scipy.special import logsumexp

from common.probability.distributions import gaussian_kl, gaussian_log_prob, reparameterise
from common.probability.draws import fold_in, normal, uniform

OUTPUT_SD, MODE, MODE_SD, BATCH = 0.3, 1.5, 0.5, 256
GRID = np.linspace(-5, 5, 401)
LOG_PRIOR = -0.5 * GRID**2 - logsumexp(-0.5 * GRID**2)  # log of the grid's weights: N(0, 1), normalised on it


def two_modes(seed):
    """A batch of X [256, 1]: N(+-1.5, .5^2), each side with probability 1/2."""
    side = tf.where(uniform([BATCH, 1], fold_in(seed, 1)) < 0.5, -MODE, MODE)
    return side + MODE_SD * normal([BATCH, 1], fold_in(seed, 2))


def net(outputs: int, seed: int):
    """Two hidden layers of 64 tanh units, one input."""
    start = [keras.initializers.GlorotUniform(seed=3 * seed + layer) for layer in range(3)]
    hidden = [keras.layers.Dense(64, "tanh", kernel_initializer=each) for each in start[:2]]
    return keras.Sequential([keras.Input((1,)), *hidden, keras.layers.Dense(outputs, kernel_initializer=start[2])])


def log_p_of_grid(decoder, x):
    """log P(X) [B] of x [B, 1]: log sum_i w_i N(x | f(z_i), s^2) over the grid."""
    means = decoder(tf.constant(GRID[:, None], tf.float32))
    logs = gaussian_log_prob(x[:, None], means[None], tf.math.log(OUTPUT_SD), batch_axes=2)
    return tf.reduce_logsumexp(logs + tf.constant(LOG_PRIOR, tf.float32), axis=1)


def train(loss, variables, seed: int, steps: int):
    """Adam on loss(x, seed); the learning rate falls to 0."""
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps))
    optimizer.build(variables)

    @tf.function
    def program():
        for number in tf.range(steps):
            now = tf.stack([seed, number])
            with tf.GradientTape() as tape:
                value = loss(two_modes(now), fold_in(now, 3))
            optimizer.apply(tape.gradient(value, variables), variables)

    program()


def best_normal_kl(log_posterior) -> float:
    """min over mean and sd of KL(N(mean, sd^2) || P) in nats; log_posterior [401]: log weights of P on the grid.

    Q lives on the grid, too, with at least one grid step as sd; the search starts at every mode of P and at its mean.
    """
    weights = np.exp(log_posterior)
    step, mean = GRID[1] - GRID[0], weights @ GRID
    spread = np.sqrt(weights @ (GRID - mean) ** 2)

    def divergence(parameters):
        log_q = -0.5 * ((GRID - parameters[0]) / (step + np.exp(parameters[1]))) ** 2
        log_q -= logsumexp(log_q)
        return np.exp(log_q) @ (log_q - log_posterior)

    inner = log_posterior[1:-1]
    modes = GRID[1:-1][(inner > log_posterior[:-2]) & (inner > log_posterior[2:]) & (inner > inner.max() - 10)]
    starts = [(mean, spread)] + [(mode, width) for mode in modes for width in (spread, OUTPUT_SD / 3)]
    found = [optimize.minimize(divergence, (m, np.log(w)), method="Nelder-Mead").fun for m, w in starts]
    return max(0.0, min(found))


def posterior_shapes(seed: int, steps: int = 4000, scored: int = 200) -> dict[str, float]:
    """Claim 16: mean best KL(Q* || P(z|X)) of the decoder trained by the bound and of the one by log P(X), nats.

    Also the mean log P(X) of both, and the share of X whose posterior has two modes.
    """
    by_bound, by_likelihood, encoder = net(1, seed), net(1, seed), net(2, seed + 100)

    def negative_bound(x, fresh):
        mean, log_sd = tf.split(encoder(x), 2, axis=1)
        output = by_bound(reparameterise(mean, log_sd, normal([BATCH, 1], fresh)))
        return tf.reduce_mean(gaussian_kl(mean, log_sd) - gaussian_log_prob(x, output, tf.math.log(OUTPUT_SD)))

    train(negative_bound, by_bound.trainable_variables + encoder.trainable_variables, seed, steps)
    train(lambda x, _: -tf.reduce_mean(log_p_of_grid(by_likelihood, x)), by_likelihood.trainable_variables, seed, steps)
    random = np.random.default_rng(seed)
    x = MODE * random.choice([-1, 1], scored) + MODE_SD * random.normal(size=scored)
    metrics = {}
    for name, decoder in (("bound", by_bound), ("likelihood", by_likelihood)):
        means = decoder(GRID[:, None].astype(np.float32)).numpy()[:, 0].astype(np.float64)
        joint = LOG_PRIOR - 0.5 * ((x[:, None] - means) / OUTPUT_SD) ** 2
        log_p = logsumexp(joint, axis=1)
        posteriors = joint - log_p[:, None]
        peaks = (np.diff(np.sign(np.diff(posteriors, axis=1)), axis=1) < 0) & (
            posteriors[:, 1:-1] > posteriors.max(1, keepdims=True) - 3
        )
        metrics |= {
            f"best_kl_{name}": float(np.mean([best_normal_kl(each) for each in posteriors])),
            f"log_p_{name}": np.mean(log_p) - np.log(OUTPUT_SD) - 0.5 * np.log(2 * np.pi),
            f"two_modes_{name}": np.mean(peaks.sum(1) > 1),
        }
    return metrics
