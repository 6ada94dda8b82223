"""Chapter 1, section 1.5: what is said of the estimators, on a small VAE that is trained in seconds. Nats per image."""

import keras
import numpy as np
import tensorflow as tf

from common.nets.stacks import dense_stack
from common.probability.distributions import (
    bernoulli_log_prob,
    gaussian_kl,
    gaussian_log_prob,
    reparameterise,
    standard_normal_log_prob,
)
from common.training.fit import fit
from common.training.game import Game, Player

LATENT, UNITS = 10, 100


class SmallVAE(Game):
    """784-100-10-100-784, one hidden layer each side; the ELBO's expectation from `samples` draws (section 1.5.3)."""

    def __init__(self, images, samples=1):
        self.samples, self.pixels = samples, int(np.prod(images.shape[1:]))
        encoder = dense_stack(self.pixels, [UNITS], 2 * LATENT, name="encoder")
        decoder = dense_stack(LATENT, [UNITS], self.pixels, name="decoder")
        player = Player("vae", (encoder, decoder), keras.optimizers.Adam(1e-3, epsilon=1e-8))
        super().__init__(images, [player], binarisation="dynamic")
        self.encoder, self.decoder = encoder, decoder

    def posterior(self, x):
        """(mean, log sd) of q(z|x), each [B, 10], of x [B, 784]."""
        return tf.split(self.encoder(x), 2, axis=-1)

    def elbo(self, x, mean, log_sd, noise):
        """mean_l log p(x|z_l) - KL(q || N(0, I)) [B]; x [B, 784], noise [L, B, 10]."""
        return tf.reduce_mean(self.log_p(x, reparameterise(mean, log_sd, noise)), 0) - gaussian_kl(mean, log_sd)

    def log_p(self, x, z):
        """log p(x|z) [L, B] of z [L, B, 10]."""
        logits = tf.reshape(self.decoder(tf.reshape(z, [-1, LATENT])), [z.shape[0], -1, self.pixels])
        return bernoulli_log_prob(logits, x, batch_axes=2)

    def objectives(self, batch, noise, turn):
        x = tf.reshape(batch["image"], [-1, self.pixels])
        draws = noise.normal(x.shape[0], self.samples, LATENT)
        return {"vae": -tf.reduce_mean(self.elbo(x, *self.posterior(x), tf.transpose(draws, [1, 0, 2])))}


def normal(rng, *shape):
    """N(0, 1) draws of a NumPy generator as a float32 tensor."""
    return tf.constant(rng.normal(size=shape).astype(np.float32))


def metrics(images, bits, steps, seed, work, jit="auto"):
    """{"c22_...": ...}: train two small VAEs (1 and 8 draws) and measure; bits: binary test images [N, H, W, 1]."""
    games = {}
    for samples in (1, 8):
        keras.utils.set_random_seed(seed)  # both start from the same weights and see the same batches
        games[samples] = SmallVAE(images.train, samples)
        fit(
            games[samples], steps=steps, batch=100, seed=seed, work=work / f"draws{samples}", epoch_steps=steps, jit=jit
        )
    vae, x = games[1], tf.constant(bits.reshape(len(bits), -1).astype(np.float32))
    found = {
        "c22_one_draw_loses": one_draw_loses(games, x, seed),
        "c24_vae_variance_ratio": gradient_variances(vae, x[:20], seed),
        "c48_vae_variance_ratio": prior_against_q(vae, x[:20], seed),
    }
    found |= {f"c49_{name}": value for name, value in refined(vae, x[:200], seed).items()}
    found |= {f"c53_{name}": value for name, value in two_sources(vae, x, seed).items()}
    return {name: float(value) for name, value in found.items()}


def one_draw_loses(games, x, seed, draws=32):
    """No. 22: test ELBO after training with 8 draws minus that with 1, equal updates, the same noise for both."""
    noise = normal(np.random.default_rng(seed), draws, len(x), LATENT)
    bound = {n: tf.reduce_mean(game.elbo(x, *game.posterior(x), noise)) for n, game in games.items()}
    return bound[8] - bound[1]


def gradient_variances(vae, x, seed, draws=500):
    """No. 24: variance of d/dmean E_q log p(x|z), score-function over reparameterised estimator; mean over images."""
    mean, log_sd = vae.posterior(x)
    noise = normal(np.random.default_rng(seed), draws, len(x), LATENT)
    z = reparameterise(mean, log_sd, noise)
    with tf.GradientTape() as tape:
        tape.watch(z)
        log_p = vae.log_p(x, z)
        total = tf.reduce_sum(log_p)
    path = tape.gradient(total, z)  # dz/dmean = 1
    score = log_p[..., None] * noise * tf.exp(-log_sd)
    sums = [tf.reduce_sum(tf.math.reduce_variance(g, 0), -1) for g in (score, path)]
    return tf.reduce_mean(sums[0] / sums[1])


def prior_against_q(vae, x, seed, draws=64, repeats=50):
    """No. 48: variance over repeats of log (1/n) sum w, draws of the prior over draws of q; median over images."""
    rng, estimates = np.random.default_rng(seed), {"prior": [], "q": []}
    mean, log_sd = vae.posterior(x)
    for _ in range(repeats):
        noise = normal(rng, draws, len(x), LATENT)
        z = reparameterise(mean, log_sd, noise)
        ratio = standard_normal_log_prob(z, batch_axes=2) - gaussian_log_prob(z, mean, log_sd, batch_axes=2)
        for name, log_w in (("prior", vae.log_p(x, noise)), ("q", vae.log_p(x, z) + ratio)):
            estimates[name].append(tf.reduce_logsumexp(log_w, 0))
    variances = {name: np.var(values, axis=0) for name, values in estimates.items()}
    return np.median(variances["prior"] / variances["q"])


def refined(vae, x, seed, steps=200, draws=64):
    """No. 49: bound with mean and log sd improved for each image by Adam, minus the encoder's bound; fresh noise.

    gain: mean over images; gain_z: that over its standard error; worse_share: share of images whose bound fell.
    """
    rng = np.random.default_rng(seed)
    start = vae.posterior(x)
    variables, optimizer = [tf.Variable(part) for part in start], keras.optimizers.Adam(0.02)

    @tf.function
    def improve(noise):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_sum(vae.elbo(x, *variables, noise))
        optimizer.apply(tape.gradient(loss, variables), variables)

    optimizer.build(variables)
    for _ in range(steps):
        improve(normal(rng, 4, len(x), LATENT))
    noise = normal(rng, draws, len(x), LATENT)
    gain = (vae.elbo(x, *variables, noise) - vae.elbo(x, *start, noise)).numpy()
    return {
        "gain": gain.mean(),
        "gain_z": gain.mean() / (gain.std() / np.sqrt(len(gain))),
        "worse_share": (gain < 0).mean(),
    }


def two_sources(vae, x, seed, batches=40, draws=20, batch=20):
    """No. 53: variance of the training gradient (by the decoder's output bias), split by the law of total variance.

    Var g = Var_batch E_z g + E_batch Var_z g. batch_share, draw_share: both parts over their sum, the first without
    the part that the finite number of draws adds to it.
    """
    rng = np.random.default_rng(seed)
    bias = vae.decoder.trainable_variables[-1]

    @tf.function
    def gradient(rows, noise):
        chosen = tf.gather(x, rows)
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(vae.elbo(chosen, *vae.posterior(chosen), noise))
        return tape.gradient(loss, bias)

    g = np.array(
        [
            [gradient(tf.constant(rows), normal(rng, 1, batch, LATENT)) for _ in range(draws)]
            for rows in (rng.choice(len(x), batch) for _ in range(batches))
        ]
    )
    within = g.var(1, ddof=1).mean(0).sum()
    between = g.mean(1).var(0, ddof=1).sum() - within / draws
    return {"batch_share": between / (between + within), "draw_share": within / (between + within)}
