"""What gradients do in a VAE: Sections 2.1, 2.2, 2.4.3 and 4.1, on networks small enough to check against exact values.

Everything is float64 unless said otherwise, nats, sums over dimensions.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from common.probability.distributions import bernoulli_log_prob, gaussian_kl, gaussian_log_prob, reparameterise

PIXELS, HIDDEN, LATENTS = 6, 5, 2


class SmallVAE:
    """6 pixels - 5 tanh units - 2 latents - 5 tanh units - 6 outputs, random weights from `seed`."""

    def __init__(self, seed: int, batch: int = 3):
        draw = np.random.default_rng(seed)
        self.x = tf.constant(draw.uniform(size=(batch, PIXELS)))
        shapes = ((PIXELS, HIDDEN), (HIDDEN, 2 * LATENTS), (LATENTS, HIDDEN), (HIDDEN, PIXELS))
        weights = [tf.Variable(0.7 * draw.normal(size=shape)) for shape in shapes]
        self.encoder, self.decoder = weights[:2], weights[2:]
        self.variables = weights

    def encode(self):
        """(mean, log_sd), each [batch, 2]."""
        hidden = tf.tanh(self.x @ self.encoder[0])
        return tf.split(hidden @ self.encoder[1], 2, axis=-1)

    def decode(self, z):
        """Outputs (logits or means) [..., 6]."""
        hidden = tf.tanh(tf.tensordot(z, self.decoder[0], 1))
        return tf.tensordot(hidden, self.decoder[1], 1)

    def reconstruction(self, z):
        """-log P(X | z) for Bernoulli outputs; z [k, batch, 2] -> [k, batch]."""
        return -bernoulli_log_prob(self.decode(z), self.x, batch_axes=2)


def flat(gradients, variables) -> np.ndarray:
    """Gradients as one vector; None (no path) counts as 0."""
    filled = [tf.zeros_like(v) if g is None else g for g, v in zip(gradients, variables, strict=True)]
    return np.concatenate([np.ravel(g) for g in filled])


def relative_difference(a, b) -> float:
    """max |a - b| / max |b|."""
    return float(np.max(np.abs(a - b)) / np.max(np.abs(b)))


def reparameterisation(seed: int, draws: int = 100_000) -> dict[str, float]:
    """Claim 6, Section 2.2 and Fig. 4: the two networks, with the sampling inside and with the noise as an input.

    forward_difference: |loss left - loss right| for equal noise. blocked_gradient: largest encoder gradient of the
    reconstruction term when z is a plain sample. z_score: largest |difference| between the reparameterised gradient and
    the score-function gradient E[loss * d log q / d(mean, log_sd)], in standard errors, over 4 numbers of one image.
    variance_ratio: variance of the second over the first, the median of the 4.
    """
    net = SmallVAE(seed)
    noise = tf.constant(np.random.default_rng(seed + 1).normal(size=(draws, len(net.x), LATENTS)))
    losses, gradients = {}, {}
    for name, cut in (("left", tf.stop_gradient), ("right", tf.identity)):
        with tf.GradientTape() as tape:
            losses[name] = tf.reduce_mean(net.reconstruction(cut(reparameterise(*net.encode(), noise[:100]))))
        gradients[name] = flat(tape.gradient(losses[name], net.encoder), net.encoder)

    mean, log_sd = net.encode()
    z = reparameterise(mean, log_sd, noise)
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = net.reconstruction(z)
    by_z = tape.gradient(loss, z)[:, 0]
    sd, eps, loss = tf.exp(log_sd)[0], noise[:, 0], loss[:, :1]
    pathwise = np.concatenate([by_z, by_z * sd * eps], axis=1)
    score = np.concatenate([loss * eps / sd, loss * (eps**2 - 1)], axis=1)
    error = np.sqrt((pathwise.var(0) + score.var(0)) / draws)
    return {
        "forward_difference": float(abs(losses["left"] - losses["right"])),
        "blocked_gradient": float(np.max(np.abs(gradients["left"]))),
        "open_gradient": float(np.max(np.abs(gradients["right"]))),
        "z_score": float(np.max(np.abs(pathwise.mean(0) - score.mean(0)) / error)),
        "variance_ratio": float(np.median(score.var(0) / pathwise.var(0))),
    }


def closed_form_kl(seed: int, draws: int = 200_000) -> dict[str, float]:
    """Claim 8, Eq. 7: KL = (tr S + m.m - k - log det S) / 2, against Monte Carlo and TensorFlow Probability.

    z_score: Monte Carlo against the closed form in standard errors (largest of 4 diagonal cases). tfp_difference: the
    same cases, and one full covariance, against tfp.distributions.kl_divergence, in nats.
    """
    draw, tfd = np.random.default_rng(seed), tfp.distributions
    mean, log_sd = draw.normal(size=(4, 5)), 0.5 * draw.normal(size=(4, 5))
    closed = gaussian_kl(tf.constant(mean), tf.constant(log_sd)).numpy()
    z = mean + np.exp(log_sd) * draw.normal(size=(draws, 4, 5))
    ratio = gaussian_log_prob(z, mean, log_sd, 2) - gaussian_log_prob(z, 0.0, tf.zeros_like(log_sd), 2)
    z_score = np.abs(np.mean(ratio, 0) - closed) / (np.std(ratio, 0) / np.sqrt(draws))
    diagonal = tfd.kl_divergence(
        tfd.MultivariateNormalDiag(mean, np.exp(log_sd)), tfd.MultivariateNormalDiag(np.zeros(5), np.ones(5))
    )
    factor = np.tril(draw.normal(size=(5, 5)), -1) + np.diag(np.exp(0.3 * draw.normal(size=5)))
    full = tfd.kl_divergence(
        tfd.MultivariateNormalTriL(mean[0], factor), tfd.MultivariateNormalTriL(np.zeros(5), np.eye(5))
    )
    covariance = factor @ factor.T
    eq7 = 0.5 * (np.trace(covariance) + mean[0] @ mean[0] - 5 - np.linalg.slogdet(covariance)[1])
    return {
        "z_score": float(z_score.max()),
        "tfp_difference": float(max(np.max(np.abs(diagonal - closed)), abs(full - eq7))),
    }


def sigma_as_weight(seed: int, sigmas=(0.05, 0.1, 0.2, 0.5, 1.0)) -> float:
    """Claim 10, Section 2.4.3: s^2 (-ELBO), Gaussian output of variance s^2, has the gradient of |X - f|^2/2 + s^2 KL.

    Returns the largest relative difference over sigmas. The dropped term (D/2) log(2 pi s^2) depends on s only.
    """
    net = SmallVAE(seed)
    noise = tf.constant(np.random.default_rng(seed).normal(size=(len(net.x), LATENTS)))
    worst = 0.0
    for s in sigmas:
        with tf.GradientTape(persistent=True) as tape:
            mean, log_sd = net.encode()
            output, kl = net.decode(reparameterise(mean, log_sd, noise)), gaussian_kl(mean, log_sd)
            bound = gaussian_log_prob(net.x, output, tf.math.log(tf.constant(s, tf.float64))) - kl
            scaled = tf.reduce_sum(-(s**2) * bound)
            weighted = tf.reduce_sum(tf.reduce_sum((net.x - output) ** 2, -1) / 2 + s**2 * kl)
        pair = (flat(tape.gradient(loss, net.variables), net.variables) for loss in (scaled, weighted))
        worst = max(worst, relative_difference(*pair))
    return worst


def replicated_pixels(seed: int, counts=(2, 3, 4)) -> float:
    """Claim 11, Section 2.4.3: X replicated r times has r times the gradient of cross-entropy + KL / r.

    Returns the largest relative difference over r. A binary output has no weight of its own: copies are beta = 1/r.
    """
    net = SmallVAE(seed)
    noise = tf.constant(np.random.default_rng(seed).normal(size=(len(net.x), LATENTS)))
    worst = 0.0
    for count in counts:
        with tf.GradientTape(persistent=True) as tape:
            mean, log_sd = net.encode()
            logits, kl = net.decode(reparameterise(mean, log_sd, noise)), gaussian_kl(mean, log_sd)
            tiled = -bernoulli_log_prob(tf.tile(logits, [1, count]), tf.tile(net.x, [1, count]))
            replicated = tf.reduce_sum(tiled + kl)
            weighted = tf.reduce_sum(-bernoulli_log_prob(logits, net.x) + kl / count)
        left, right = (flat(tape.gradient(loss, net.variables), net.variables) for loss in (replicated, weighted))
        worst = max(worst, relative_difference(left, count * right))
    return worst


def padded_latent(seed: int, latents: int = 30, padded: int = 10_000, batch: int = 16) -> float:
    """Claim 28, Section 4.1: a VAE with `latents` dimensions is also one with `padded`: Q = prior there, zero weights.

    Returns the largest |difference| of the one-sample ELBO per image in nats, 784 pixels, float32.
    """
    draw = np.random.default_rng(seed)
    x = draw.uniform(size=(batch, 784)).astype(np.float32)
    mean, log_sd = draw.normal(size=(2, batch, latents)).astype(np.float32) * 0.5
    first, second = 0.2 * draw.normal(size=(latents, 250)), 0.2 * draw.normal(size=(250, 784))
    noise = draw.normal(size=(batch, padded)).astype(np.float32)

    def elbo(mean, log_sd, kernel, noise):
        hidden = tf.nn.relu(reparameterise(mean, log_sd, noise) @ tf.cast(kernel, tf.float32))
        return bernoulli_log_prob(hidden @ tf.cast(second, tf.float32), x) - gaussian_kl(mean, log_sd)

    extra = padded - latents
    wide = [np.pad(each, ((0, 0), (0, extra))) for each in (mean, log_sd)]
    small = elbo(mean, log_sd, first, noise[:, :latents])
    large = elbo(*wide, np.pad(first, ((0, extra), (0, 0))), noise)
    return float(tf.reduce_max(tf.abs(small - large)))


def discrete_latent(seed: int, states: int = 8) -> dict[str, float]:
    """Claim 40, Section 2.2 and footnote 2: z in {1..8}, drawn by inverse cdf; X in {0, 1}^4, all 16 enumerated.

    sampled_gradient: gradient of the sampled loss by Q's logits (no path: 0). expected_gradient: largest derivative of
    the exact expectation, by central differences: not 0. unmoved_share: share of 10,000 noise values whose z does not
    move when a logit does by 1e-4. identity_difference: Eq. 5 with a sum in place of the integral, largest over X.
    """
    draw = np.random.default_rng(seed)
    decoder_logits, logits = draw.normal(size=(states, 4)), tf.Variable(draw.normal(size=states))
    images = np.array([[i >> bit & 1 for bit in range(4)] for i in range(16)], np.float64)
    log_likelihood = np.stack([bernoulli_log_prob(tf.constant(decoder_logits), image) for image in images])  # [16, 8]
    uniforms = tf.constant(draw.uniform(size=10_000))

    def states_drawn(logits):
        return tf.searchsorted(tf.cumsum(tf.nn.softmax(logits)), uniforms)

    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(tf.gather(log_likelihood[5], states_drawn(logits)))
    sampled = flat([tape.gradient(loss, logits)], [logits])

    step = 1e-4 * np.eye(states)
    expected = [
        tf.reduce_sum((tf.nn.softmax(logits + h) - tf.nn.softmax(logits - h)) * log_likelihood[5]) / 2e-4 for h in step
    ]
    unmoved = tf.reduce_mean(tf.cast(states_drawn(logits) == states_drawn(logits + step[0]), tf.float64))

    log_prior = tf.nn.log_softmax(draw.normal(size=states))
    log_q = tf.nn.log_softmax(logits)
    log_marginal = tf.reduce_logsumexp(log_prior + log_likelihood, axis=1)
    log_posterior = log_prior + log_likelihood - log_marginal[:, None]
    q = tf.exp(log_q)
    left = log_marginal - tf.reduce_sum(q * (log_q - log_posterior), axis=1)
    right = tf.reduce_sum(q * log_likelihood, axis=1) - tf.reduce_sum(q * (log_q - log_prior))
    return {
        "sampled_gradient": float(np.max(np.abs(sampled))),
        "expected_gradient": float(np.max(np.abs(expected))),
        "unmoved_share": float(unmoved),
        "identity_difference": float(tf.reduce_max(tf.abs(left - right))),
    }
