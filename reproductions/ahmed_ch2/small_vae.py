"""Sections 1.5.3 and 2.3.1 on small VAEs that train in seconds: draws in training, gradients, stacked latents.

Digits of 14 x 14 bits, dense networks 196-100-10 and back. Nats per image. Claims 31, 32 and 39.
"""

import keras
import numpy as np
import tensorflow as tf

from common.data.binarise import own_draw
from common.nets.stacks import dense_stack
from common.probability.distributions import bernoulli_log_prob, gaussian_kl, reparameterise
from common.training.fit import fit
from common.training.game import Game, Player

PIXELS, UNITS, LATENT, TOP = 14 * 14, 100, 10, 5


class SmallVAE(Game):
    """One or two latent levels; the bound's expectation from `draws` draws.

        one level:   E_q log p(x|z1) - KL(q(z1|x) || N(0, I))
        two levels:  E_q [log p(x|z1) - KL(q(z1|x) || p(z1|z2))] - KL(q(z2|x) || N(0, I)),   q(z1|x) q(z2|x)

    The decoder of pixels is the same in both.
    """

    def __init__(self, images, levels=1, draws=1):
        self.levels, self.samples = levels, draws
        encoder = dense_stack(PIXELS, [UNITS], 2 * LATENT + 2 * TOP * (levels - 1), name="encoder")
        decoder = dense_stack(LATENT, [UNITS], PIXELS, name="decoder")
        prior = dense_stack(TOP, [UNITS], 2 * LATENT, name="prior")
        networks = (encoder, decoder, prior)[: 1 + levels]
        super().__init__(images, [Player("vae", networks, keras.optimizers.Adam(1e-3, epsilon=1e-8))])
        self.encoder, self.decoder, self.prior = encoder, decoder, prior

    def posterior(self, x):
        """(mean, log sd) of z1 and, with two levels, of z2; x [B, 196]."""
        sizes = [LATENT, LATENT] + [TOP, TOP] * (self.levels - 1)
        return tf.split(self.encoder(x), sizes, axis=-1)

    def log_p(self, x, z):
        """log p(x|z1) [L, B] of z1 [L, B, 10]."""
        logits = tf.reshape(self.decoder(tf.reshape(z, [-1, LATENT])), [z.shape[0], -1, PIXELS])
        return bernoulli_log_prob(logits, x, batch_axes=2)

    def elbo(self, x, noise):
        """The bound [B] from noise [L, B, 15]; its last five columns are for z2."""
        mean, log_sd, *top = self.posterior(x)
        log_p = self.log_p(x, reparameterise(mean, log_sd, noise[..., :LATENT]))
        if self.levels == 1:
            return tf.reduce_mean(log_p, 0) - gaussian_kl(mean, log_sd)
        z2 = reparameterise(*top, noise[..., LATENT:])
        prior = tf.reshape(self.prior(tf.reshape(z2, [-1, TOP])), [z2.shape[0], -1, 2 * LATENT])
        kl = gaussian_kl(mean, log_sd, *tf.split(prior, 2, axis=-1), batch_axes=2)
        return tf.reduce_mean(log_p - kl, 0) - gaussian_kl(*top)

    def objectives(self, batch, noise, turn):
        x = tf.reshape(batch["image"], [-1, PIXELS])
        draws = noise.normal(x.shape[0], self.samples, LATENT + TOP)
        return {"vae": -tf.reduce_mean(self.elbo(x, tf.transpose(draws, [1, 0, 2])))}


def small_bits(images, seed) -> np.ndarray:
    """uint8 of 0 and 255, [N, 14, 14, 1], drawn once from the means of 2 x 2 pixels of [N, 28, 28, 1]."""
    means = images.reshape(len(images), 14, 2, 14, 2, 1).mean(axis=(2, 4))
    return own_draw(np.rint(means).astype(np.uint8), seed) * np.uint8(255)


def normal(seed, *shape):
    """N(0, 1) draws as a float32 tensor."""
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def gradient_variances(vae, x, seed, draws=500) -> float:
    """No. 32: variance of d/dmean E_q log p(x|z), score-function over reparameterised; mean over images.

    Score function: log p(x|z) d log q(z)/dmean = log p(x|z) noise / sd; reparameterised: d log p(x|z)/dz.
    """
    mean, log_sd = vae.posterior(x)
    noise = normal(seed, draws, len(x), LATENT)
    z = reparameterise(mean, log_sd, noise)
    with tf.GradientTape() as tape:
        tape.watch(z)
        log_p = vae.log_p(x, z)
        total = tf.reduce_sum(log_p)
    path = tape.gradient(total, z)
    score = log_p[..., None] * noise * tf.exp(-log_sd)
    sums = [tf.reduce_sum(tf.math.reduce_variance(g, 0), -1) for g in (score, path)]
    return float(tf.reduce_mean(sums[0] / sums[1]))


def metrics(images, steps, seed, work, jit="auto", test_images=2_000) -> dict[str, float]:
    """Trains three small VAEs from the same seed and measures nos. 31, 32 and 39 on test images."""
    train, test = small_bits(images.train, seed), small_bits(images.test[:test_images], seed)
    x = tf.constant(test.reshape(len(test), PIXELS).astype(np.float32) / 255)
    games, bounds = {}, {}
    for name, levels, draws in (("one", 1, 1), ("eight_draws", 1, 8), ("two_levels", 2, 1)):
        keras.utils.set_random_seed(seed)
        games[name] = SmallVAE(train, levels, draws)
        fit(games[name], steps=steps, batch=100, seed=seed, work=work / name, epoch_steps=steps, jit=jit)
        bounds[name] = -float(tf.reduce_mean(games[name].elbo(x, normal(seed, 32, len(x), LATENT + TOP))))
    return {
        "c31_bound_nats": bounds["one"],
        "c31_one_draw_loses_nats": bounds["one"] - bounds["eight_draws"],
        "c32_variance_ratio": gradient_variances(games["one"], x[:20], seed),
        "c39_two_levels_minus_one_nats": bounds["two_levels"] - bounds["one"],
    }
