"""Target laws P_gt of the appendix, in one dimension: density, distribution function, and the maps between X and z.

The appendix (App. A) builds a VAE by hand. It needs, for a law P_gt with density p and distribution function F,

    f(z) = F^-1(Phi(z))      the decoder's mean: sends N(0, 1) to P_gt exactly,
    g(X) = Phi^-1(F(X))      its inverse: the encoder's mean,
    g'(X) = p(X) / phi(g(X)),

with Phi and phi the standard normal distribution function and density. F is close to 0 or 1 in the tails, where 1 - F
would lose every digit; so both log F and log(1 - F) are kept, and g always inverts the smaller of the two.
All functions take and return float64 arrays of one shape.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import log_expit, log_ndtr, logsumexp, ndtr, ndtri_exp

LOG_2PI = np.log(2 * np.pi)


def log_phi(z):
    """Log density of N(0, 1)."""
    return -0.5 * (z * z + LOG_2PI)


class Law:
    """What the laws share: g and g' follow from the density and the distribution function."""

    def g(self, x):
        """g(X) = Phi^-1(F(X)), from the smaller tail."""
        log_below, log_above = self.log_cdf(x), self.log_survival(x)
        lower = log_below < log_above
        tail = ndtri_exp(np.where(lower, log_below, log_above))
        return np.where(lower, tail, -tail)

    def log_g_slope(self, x):
        """log g'(X) = log p(X) - log phi(g(X)); P_gt has full support, so it is finite."""
        return self.log_density(x) - log_phi(self.g(x))


@dataclass(frozen=True)
class NormalMixture(Law):
    """sum_k weights[k] N(means[k], sds[k]^2); one component gives a normal law."""

    name: str
    weights: tuple[float, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]

    def _each(self, x, extra_variance=0.0):
        """(X, means, sds, log weights) shaped so that components run along a new first axis."""
        x = np.asarray(x, np.float64)
        shape = (-1,) + (1,) * x.ndim
        sds = np.sqrt(np.square(self.sds) + extra_variance)
        return x, *(np.reshape(each, shape) for each in (self.means, sds, np.log(self.weights)))

    def _log_joint(self, x, extra_variance=0.0):
        """log(weights[k] N(X | means[k], sds[k]^2 + extra_variance)), [components, ...]."""
        x, means, sds, log_weights = self._each(x, extra_variance)
        return log_weights + log_phi((x - means) / sds) - np.log(sds)

    def log_density(self, x):
        return np.logaddexp.reduce(self._log_joint(x))

    def smoothed_log_density(self, x, s):
        """log P_s(X): P_gt convolved with N(0, s^2) only widens every component."""
        return np.logaddexp.reduce(self._log_joint(x, s * s))

    def score(self, x):
        """(log p)'(X)."""
        x, means, sds, _ = self._each(x)
        return np.sum(self._shares(x) * (means - x) / sds**2, axis=0)

    def relative_curvature(self, x):
        """p''(X) / p(X)."""
        x, means, sds, _ = self._each(x)
        return np.sum(self._shares(x) * (((means - x) / sds**2) ** 2 - 1 / sds**2), axis=0)

    def _shares(self, x):
        return np.exp(self._log_joint(x) - self.log_density(x))

    def log_cdf(self, x):
        x, means, sds, log_weights = self._each(x)
        return np.logaddexp.reduce(log_weights + log_ndtr((x - means) / sds))

    def log_survival(self, x):
        x, means, sds, log_weights = self._each(x)
        return np.logaddexp.reduce(log_weights + log_ndtr((means - x) / sds))

    @cached_property
    def _table(self):
        """(g(X), X) on an even grid of X that reaches 40 standard deviations beyond every component."""
        reach = 40 * max(self.sds)
        knots = np.linspace(min(self.means) - reach, max(self.means) + reach, 200_001)
        return self.g(knots), knots

    def f(self, z):
        """F^-1(Phi(z)) for |z| < 40: a table of g gives the start, two Newton steps on g(X) = z the last digits."""
        x = np.interp(z, *self._table)
        for _ in range(2):
            g = self.g(x)
            x = x - (g - z) * np.exp(log_phi(g) - self.log_density(x))
        return x


@dataclass(frozen=True)
class Logistic(Law):
    """The logistic law with location 0 and scale 1: F(X) = 1 / (1 + exp(-X))."""

    name: str = "logistic"

    def log_density(self, x):
        return log_expit(x) + log_expit(-x)

    def smoothed_log_density(self, x, s):
        """log E_eps p(X - s eps), eps ~ N(0, 1), by the trapezoid rule: p is smooth, so it converges exponentially."""
        eps, log_weight = normal_nodes()
        return logsumexp(self.log_density(np.asarray(x)[..., None] - s * eps) + log_weight, axis=-1)

    def score(self, x):
        return -np.tanh(x / 2)

    def relative_curvature(self, x):
        return np.tanh(x / 2) ** 2 - 0.5 / np.cosh(x / 2) ** 2

    def log_cdf(self, x):
        return log_expit(x)

    def log_survival(self, x):
        return log_expit(-x)

    def f(self, z):
        """log Phi(z) - log Phi(-z)."""
        return log_ndtr(z) - log_ndtr(-z)


@dataclass(frozen=True)
class Cauchy(Law):
    """The standard Cauchy law: bounded derivatives of p, which the text asks for, but an unbounded f'."""

    name: str = "cauchy"

    def log_density(self, x):
        return -np.log(np.pi) - np.log1p(np.square(x))

    def log_cdf(self, x):
        return np.log(np.arctan2(1.0, -np.asarray(x)) / np.pi)

    def log_survival(self, x):
        return np.log(np.arctan2(1.0, np.asarray(x)) / np.pi)

    def f(self, z):
        """tan(pi (Phi(z) - 1/2)), written with the smaller tail: the other form is 0/0 beyond |z| = 8."""
        return np.sign(z) / np.tan(np.pi * ndtr(-np.abs(z)))


def normal_nodes(reach: float = 9.0, count: int = 721):
    """Trapezoid nodes for an expectation under N(0, 1): (nodes [count], log weights [count]), weights summing to 1.

    On a smooth integrand this rule converges exponentially, like Gauss-Hermite, but it does not thin out in the middle,
    where the maps of well separated mixtures turn sharply.
    """
    nodes = np.linspace(-reach, reach, count)
    log_weight = log_phi(nodes)
    return nodes, log_weight - logsumexp(log_weight)


SMOOTH_LAWS = (
    NormalMixture("standard_normal", (1.0,), (0.0,), (1.0,)),
    NormalMixture("shifted_normal", (1.0,), (1.0,), (0.5,)),
    NormalMixture("soft_mixture", (0.5, 0.5), (-1.0, 1.0), (0.75, 0.75)),
    NormalMixture("hard_mixture", (0.5, 0.5), (-1.5, 1.5), (0.5, 0.5)),
    Logistic(),
)
CAUCHY = Cauchy()
