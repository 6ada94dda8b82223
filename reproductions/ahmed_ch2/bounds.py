"""Sections 1.5.1 and 2.3.1: bounds where log p(x) is known, and a latent PixelCNN in one pass. Claims 33 and 40."""

import numpy as np
import tensorflow as tf
from scipy import stats

from common.nets.causal import MaskedConv2D
from common.nets.weight_norm import NormedDense
from common.probability.distributions import gaussian_kl, gaussian_log_prob
from common.probability.growth import grown_log_likelihood
from common.probability.likelihood import gaussian_log_weights
from reproductions.ahmed_ch2.supports import float64, shaken


def linear_gaussian(seed=0, images=500, data=6, latent=3, noise_sd=0.5):
    """(x [N, data], exact log p(x) [N], its ELBO [N], encode, log p(x|z)) of z ~ N(0, I), x ~ N(W z, sd^2 I).

    q is the best diagonal Gaussian, widened by half. float64.
    """
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(data, latent))
    covariance = w @ w.T + noise_sd**2 * np.eye(data)
    x = rng.multivariate_normal(np.zeros(data), covariance, size=images)
    posterior = np.linalg.inv(np.eye(latent) + w.T @ w / noise_sd**2)
    log_sd = -0.5 * np.log(np.diag(np.linalg.inv(posterior))) + np.log(1.5)
    log_p = stats.multivariate_normal(np.zeros(data), covariance).logpdf(x)
    q = np.diag(np.exp(2 * log_sd))
    gap = 0.5 * (np.trace(np.linalg.solve(posterior, q)) - latent + np.log(np.linalg.det(posterior) / np.linalg.det(q)))

    def encode(x):
        return x @ tf.constant(w @ posterior / noise_sd**2), tf.constant(log_sd) + tf.zeros_like(x[:, :latent])

    def log_p_given(x, z):
        return gaussian_log_prob(x, z @ w.T, tf.constant(np.log(noise_sd), tf.float64))

    return x, log_p, log_p - gap, encode, log_p_given  # the gap is KL(q || posterior), the same for every x


def smallest_step(*levels) -> tuple[float, float]:
    """(smallest mean step from one level to the next, its standard error over the data points), nats; levels [N]."""
    steps = min(np.diff(levels, axis=0), key=np.mean)
    return steps.mean(), steps.std(ddof=1) / np.sqrt(len(steps))


def order_of_bounds(seed=0, points=20_000) -> dict[str, float]:
    """No. 33: ELBO <= E L_10 <= E L_100 <= log p(x), means over data points of a linear-Gaussian model, nats.

    smallest_step: the smallest of the three steps. L_10 and L_100 are of draws, so a step has an error over the data
    points; with 500 of them it is as large as the last step. identity_error: L_N of an exact posterior minus log p(x),
    largest.
    """
    x, log_p, elbo, encode, log_p_given = linear_gaussian(seed, points)
    weights = gaussian_log_weights(encode, log_p_given)
    found = grown_log_likelihood(weights, 100, (1, 10), 50, seed, (x, np.arange(points)))
    step, error = smallest_step(elbo, found.fewer[10], found.final.estimate, log_p)
    one, exact, _, encode, log_p_given = linear_gaussian(seed, data=4, latent=1)

    def posterior(x):
        mean, log_sd = encode(x)
        return mean, log_sd - np.log(1.5)  # with one latent the best diagonal q is the posterior

    weights = gaussian_log_weights(posterior, log_p_given)
    same = grown_log_likelihood(weights, 20, (), 10, seed, (one, np.arange(len(one))))
    return {
        "smallest_step_nats": step,
        "smallest_step_se_nats": error,
        "elbo_gap_nats": (log_p - elbo).mean(),
        "final_gap_nats": (log_p - found.final.estimate).mean(),
        "identity_error_nats": np.abs(same.final.estimate - exact).max(),
    }


class LatentPixelCNN:
    """p(z1|z2) on a small grid: mean and log sd of every location from the locations before it and from z2.

    A 3x3 mask-A and a 3x3 mask-B convolution on z1, features of z2 added unmasked, 1x1 to 2 x channels. float64.
    """

    def __init__(self, channels=3, side=4, width=6, seed=0):
        rng = np.random.default_rng(seed)
        with float64():
            self.first, self.second = (MaskedConv2D(width, 3, kind) for kind in "AB")
            self.last = NormedDense(2 * channels)
        self.of_z2 = tf.constant(rng.normal(size=(5, side * side * width)))
        self.shape = (1, side, side, width)
        self(tf.zeros((1, side, side, channels), tf.float64), tf.zeros((1, 5), tf.float64))  # builds
        for number, layer in enumerate((self.first, self.second, self.last)):
            shaken(layer, seed + number)

    def __call__(self, z1, z2):
        features = tf.tanh(tf.reshape(z2 @ self.of_z2, self.shape))
        h = tf.tanh(self.second(tf.tanh(self.first(z1))) + features)
        return tf.split(self.last(h), 2, axis=-1)


def parallel_latents(seed=0, channels=3, side=4) -> dict[str, float]:
    """No. 40: KL terms of all locations from one pass on a draw of q(z1|x), against one location after the other.

    For each location everything from it on is replaced by noise before the prior is computed; its term

        KL( q(z1_i|x) || p(z1_i | z1_<i, z2) )

    must stay. parallel_error: largest difference, nats. wrong_order: the same with what comes before replaced.
    """
    rng = np.random.default_rng(seed)
    shape = (1, side, side, channels)
    mean, log_sd, noise, other = (tf.constant(rng.normal(size=shape)) for _ in range(4))
    z1, z2 = mean + tf.exp(0.3 * log_sd) * noise, tf.constant(rng.normal(size=(1, 5)))
    net = LatentPixelCNN(channels, side, seed=seed)

    def terms(known):
        prior_mean, prior_log_sd = net(known, z2)
        flat = [tf.reshape(part, [-1, channels]) for part in (mean, 0.3 * log_sd, prior_mean, prior_log_sd)]
        return gaussian_kl(*flat).numpy()

    at_once, place = terms(z1), np.arange(side * side).reshape(1, side, side, 1)
    alone = [terms(tf.where(place < i, z1, other))[i] for i in range(side * side)]
    reversed_ = [terms(tf.where(place >= i, z1, other))[i] for i in range(1, side * side)]
    return {
        "parallel_error": np.abs(at_once - alone).max(),
        "wrong_order": np.abs(at_once[1:] - reversed_).max(),
    }


def metrics(seed) -> dict[str, float]:
    """{"c33_...", "c40_..."}"""
    found = {"c33": order_of_bounds(seed), "c40": parallel_latents(seed)}
    return {f"{claim}_{name}": float(value) for claim, part in found.items() for name, value in part.items()}
