"""What a map of a normal latent can and cannot change: footnote 1 and Fig. 2, Sections 2.4.1 and 2.4.3."""

import numpy as np
from scipy import optimize, stats
from scipy.special import logsumexp, ndtr

RING_MEAN, RING_SD = 1.12533, 0.065514  # of 1 + r/10 with r Rayleigh: 1 + sqrt(pi/2)/10 and sqrt(2 - pi/2)/10


def ring(z) -> np.ndarray:
    """Fig. 2: g(z) = z/10 + z/|z|, [N, 2] -> [N, 2]. The radius becomes 1 + |z|/10 and the angle stays."""
    return z / 10 + z / np.linalg.norm(z, axis=1, keepdims=True)


class PlaneMixture:
    """A mixture of two correlated normals in the plane, the law that footnote 1's construction is asked to hit."""

    weights = np.array([0.3, 0.7])
    means = np.array([[-1.0, 0.5], [1.5, -0.5]])
    covariances = np.array([[[0.5, 0.3], [0.3, 0.4]], [[0.8, -0.5], [-0.5, 0.6]]])

    def cdf(self, projected, direction):
        """Distribution function of direction . X, X ~ the mixture: again a mixture of normals, in one dimension."""
        mean = self.means @ direction
        sd = np.sqrt(np.einsum("i,kij,j->k", direction, self.covariances, direction))
        return ndtr((np.asarray(projected)[..., None] - mean) / sd) @ self.weights

    def from_normal(self, z):
        """Footnote 1: X_1 = F_1^-1(Phi(z_1)), then X_2 = F_{2|1}^-1(Phi(z_2) | X_1). z [N, 2] -> X [N, 2]."""
        variance = self.covariances[:, 0, 0]
        weights = np.broadcast_to(self.weights, (len(z), 2))
        first = mixture_quantile(ndtr(z[:, 0]), weights, self.means[:, 0], np.sqrt(variance))
        slope = self.covariances[:, 0, 1] / variance
        share = self.weights * stats.norm.pdf(first[:, None], self.means[:, 0], np.sqrt(variance))
        mean = self.means[:, 1] + slope * (first[:, None] - self.means[:, 0])
        sd = np.sqrt(self.covariances[:, 1, 1] - slope * self.covariances[:, 0, 1])
        second = mixture_quantile(ndtr(z[:, 1]), share / share.sum(1, keepdims=True), mean, sd)
        return np.stack([first, second], axis=1)


def mixture_quantile(probability, weights, means, sds):
    """x with sum_k weights[:, k] Phi((x - means[k]) / sds[k]) = probability, by bisection, [N]."""
    low, high = np.full_like(probability, -50.0), np.full_like(probability, 50.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = np.sum(weights * ndtr((middle[:, None] - means) / sds), axis=1) < probability
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def universality(seed: int, draws: int = 20_000) -> float:
    """Smallest Kolmogorov-Smirnov p-value over projections of footnote 1's draws on four directions of the plane."""
    mixture = PlaneMixture()
    x = mixture.from_normal(np.random.default_rng(seed).normal(size=(draws, 2)))
    directions = np.array([[1, 0], [0, 1], [1, 1], [1, -1]]) / np.sqrt([[1], [1], [2], [2]])
    return min(float(stats.kstest(x @ d, lambda t, d=d: mixture.cdf(t, d)).pvalue) for d in directions)


def diagonal_kl(mean, variance, prior_variance: float = 1.0) -> float:
    """KL(N(mean, diag(variance)) || N(0, prior_variance I)) in nats."""
    ratio = variance / prior_variance
    return float(0.5 * np.sum(ratio + mean**2 / prior_variance - 1 - np.log(ratio)))


def scaled_model(prior_variance: float, factor: float, mean, variance) -> tuple[float, float]:
    """Section 2.4.3: the same VAE with prior N(0, prior_variance I), f'(z') = f(z'/factor), Q' = Q stretched by factor.

    Returns (KL of Q' = N(factor mean, factor^2 diag(variance)) to the new prior in nats, standard deviation of the
    decoder's input z'/factor under the new prior). The model is unchanged if the first equals the old KL and the
    second is 1, that is if prior_variance = factor^2. The text pairs prior_variance = lambda with factor = lambda.
    """
    return diagonal_kl(factor * mean, factor**2 * variance, prior_variance), np.sqrt(prior_variance) / factor


class RotatedDecoder:
    """P(X | z) = N(X | f(R z), s^2 I) with f(z) = A z + tanh(B z) fixed and R a rotation of the plane.

    Section 2.4.1: many f give the same P(X). N(0, I) does not change under R, so neither does log P(X); a Q with a
    diagonal covariance does not follow every R, so the best ELBO does change.
    """

    linear = np.array([[1.2, 0.3], [0.0, 0.5], [0.4, -0.2]])
    curved = np.array([[0.8, -0.6], [1.0, 0.4], [-0.5, 0.9]])
    s = 0.5

    def __init__(self, angle: float):
        self.rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def log_likelihood(self, x, z):
        """log P(X | z), [..., 2] -> [...], nats."""
        turned = z @ self.rotation.T
        residual = (x - turned @ self.linear.T - np.tanh(turned @ self.curved.T)) / self.s
        return -0.5 * np.sum(residual**2 + np.log(2 * np.pi * self.s**2), axis=-1)

    def log_marginal(self, x) -> float:
        """log P(X): the integral over z on an even grid, which does not turn with R."""
        axis = np.linspace(-7, 7, 281)
        z = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
        log_joint = self.log_likelihood(x, z) - 0.5 * np.sum(z**2, -1) - np.log(2 * np.pi)
        return float(logsumexp(log_joint) + 2 * np.log(axis[1] - axis[0]))

    def best_elbo(self, x) -> float:
        """Largest ELBO over Q(z|X) = N(mean, diag(sd^2)), expectation by 24 x 24 Gauss-Hermite nodes, nats."""
        node, weight = np.polynomial.hermite_e.hermegauss(24)
        noise = np.stack(np.meshgrid(node, node, indexing="ij"), axis=-1)
        weight = np.outer(weight, weight) / np.sum(np.outer(weight, weight))

        def negative_elbo(parameters):
            mean, log_sd = parameters[:2], parameters[2:]
            fit = np.sum(weight * self.log_likelihood(x, mean + np.exp(log_sd) * noise))
            return diagonal_kl(mean, np.exp(2 * log_sd)) - fit

        starts = ([0, 0, -1, -1], [1, 1, -1, -1], [-1, 1, -1, -1], [1, -1, -1, -1], [-1, -1, -1, -1])
        return -min(optimize.minimize(negative_elbo, start).fun for start in starts)
