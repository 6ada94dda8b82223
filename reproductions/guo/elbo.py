"""Sections 3.3 and 3.4: the bound of the VAE, its printed slips, and how much the CVAE-GAN's code weighs the KL.

    log p(x) = ELBO(q) + KL(q(z) || p(z|x)),     ELBO = E_q log p(x|z) - KL(q || p(z)),
    KL(N(m, S) || N(0, I)) = 1/2 (tr S + m'm - d - log det S)

Everything is exact, on Gaussian laws, except where Monte Carlo is named. Nats.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import integrate, stats

from common.probability.distributions import gaussian_kl

tfd = tfp.distributions
BATCH, PIXELS = 128, 784  # of the CVAE-GAN


def general_kl(mean_0, cov_0, mean_1, cov_1):
    """1/2 (tr(S_1^-1 S_0) + (m_1 - m_0)' S_1^-1 (m_1 - m_0) - d + log det S_1 / det S_0), as the report prints it."""
    inverse, shift = np.linalg.inv(cov_1), mean_1 - mean_0
    log_ratio = np.linalg.slogdet(cov_1)[1] - np.linalg.slogdet(cov_0)[1]
    return 0.5 * (np.trace(inverse @ cov_0) + shift @ inverse @ shift - len(shift) + log_ratio)


def closed_forms(seed, draws=200_000, size=4):
    """Claim 39: the report's closed form against draws from TensorFlow Probability, and its general formula."""
    draw = np.random.default_rng(seed)
    mean, variance = draw.normal(size=size), draw.uniform(0.2, 2.0, size)
    q = tfd.MultivariateNormalDiag(mean, np.sqrt(variance))
    prior = tfd.MultivariateNormalDiag(np.zeros(size), np.ones(size))
    z = q.sample(draws, seed=seed)
    closed = 0.5 * np.sum(mean**2 + variance - 1 - np.log(variance))
    sampled = float(tf.reduce_mean(q.log_prob(z) - prior.log_prob(z)))
    factors = [np.tril(draw.normal(size=(size, size)), -1) + np.diag(draw.uniform(0.5, 2, size)) for _ in range(2)]
    means = draw.normal(size=(2, size))
    covariances = [f @ f.T for f in factors]
    full = [tfd.MultivariateNormalTriL(m, f) for m, f in zip(means, factors, strict=True)]
    ours = float(gaussian_kl(mean[None], 0.5 * np.log(variance)[None])[0])
    return {
        "c39_kl_relative_error": sampled / closed - 1,
        "c39_code_error": ours - closed,
        "c39_general_error": general_kl(means[0], covariances[0], means[1], covariances[1])
        - float(tfd.kl_divergence(*full)),
        "e02_variance_error": float(tfd.kl_divergence(q, prior)) - 0.5 * np.sum(mean**2 + variance - 1)
        + 0.5 * np.sum(np.log(variance)),
        "e02_as_deviation": 0.5 * np.sum(mean**2 + np.sqrt(variance) - 1 - 0.5 * np.log(variance)) - closed,
    }  # fmt: skip


def bound(seed, size=3, latent=2, noise=0.7):
    """Claim 39: log p(x) - (ELBO + KL to the posterior) for x = W z + b + noise and five Gaussian q; ELBO - log p."""
    draw = np.random.default_rng(seed)
    w, b, x = draw.normal(size=(size, latent)), draw.normal(size=size), draw.normal(size=size)
    log_p = stats.multivariate_normal(b, w @ w.T + noise**2 * np.eye(size)).logpdf(x)
    posterior_cov = np.linalg.inv(np.eye(latent) + w.T @ w / noise**2)
    posterior_mean = posterior_cov @ w.T @ (x - b) / noise**2
    errors, excess = [], []
    for _ in range(5):
        mean, factor = draw.normal(size=latent), np.tril(draw.normal(size=(latent, latent))) + np.eye(latent)
        cov = factor @ factor.T
        off = x - b - w @ mean
        log_likelihood = -0.5 * (off @ off + np.trace(w @ cov @ w.T)) / noise**2
        log_likelihood -= 0.5 * size * np.log(2 * np.pi * noise**2)
        elbo = log_likelihood - general_kl(mean, cov, np.zeros(latent), np.eye(latent))
        errors.append(log_p - elbo - general_kl(mean, cov, posterior_mean, posterior_cov))
        excess.append(elbo - log_p)
    return {"c39_identity_error": np.abs(errors).max(), "c39_largest_excess": max(excess)}


def printed_slips(x=0.8, weight=2.0, sd=0.5, mean=0.3, spread=0.4):
    """What the printed lines of section 3.3 give where they differ from the right ones.

    posterior_mass: integral over z of p(x|z) p(z) / p(z), which divides by p(z) where p(x) is meant; right: 1.
    noise_mass: integral over z (not over eps) of p(eps(z)), eps = (z - mean) / spread; right: 1 after the factor
    1 / spread. decade: growth of KL(q(z|x, eps) || p) when its width shrinks tenfold, towards a point.
    beyond_reach: z = g(x + eps) moves two inputs no farther apart than N(x_1, 1) and N(x_2, 1) are in total variation;
    an encoder may move them anywhere: TV of N(0, 1) and N(5, 1) minus that of inputs .1 apart.
    """
    likelihood = stats.norm(0, sd)
    mass = integrate.quad(lambda z: likelihood.pdf(x - weight * z), -8, 8)[0]
    evidence = stats.norm(0, np.hypot(weight, sd)).pdf(x)
    right = integrate.quad(lambda z: likelihood.pdf(x - weight * z) * stats.norm.pdf(z) / evidence, -8, 8)[0]
    over_z = integrate.quad(lambda z: stats.norm.pdf((z - mean) / spread), -8, 8)[0]
    point = [0.5 * (w**2 + mean**2 - 1 - np.log(w**2)) for w in (1e-3, 1e-4)]
    total_variation = lambda shift: 2 * stats.norm.cdf(shift / 2) - 1  # noqa: E731
    return {
        "e02_posterior_mass": mass,
        "e02_posterior_mass_right": right,
        "e02_noise_mass": over_z,
        "e02_noise_mass_error": over_z / spread - 1,
        "e02_decade_nats": point[1] - point[0],
        "e02_beyond_reach": total_variation(5.0) - total_variation(0.1),
    }


def weight_of_kl(seed, latent=100):
    """Section 3.4 in code: mean squared error over B 784 pixels plus the KL summed over the batch, as a beta.

    The loss is a constant times the ELBO of a unit-variance Gaussian with KL weight beta: beta from the gradients.
    """
    draw = np.random.default_rng(seed)
    x, picture = tf.constant(draw.uniform(size=(BATCH, PIXELS))), tf.Variable(draw.uniform(size=(BATCH, PIXELS)))
    mean = tf.Variable(draw.normal(size=(BATCH, latent)))
    with tf.GradientTape(persistent=True) as tape:
        kl = gaussian_kl(mean, tf.zeros_like(mean))
        code = tf.reduce_mean((x - picture) ** 2) + tf.reduce_sum(kl)
        error = 0.5 * tf.reduce_mean(tf.reduce_sum((x - picture) ** 2, axis=1))
        average = tf.reduce_mean(kl)
    ratio = [np.median(tape.gradient(code, v) / tape.gradient(of, v)) for of, v in ((average, mean), (error, picture))]
    return {"c27_beta": float(ratio[0] / ratio[1])}
