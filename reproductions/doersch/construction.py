"""The appendix as arithmetic: how far the hand-built one-dimensional VAE is from perfect, as a function of sigma.

For a target law P_gt (`laws.py`) and an output noise s (the text's sigma), App. A takes

    P_s(X | z) = N(f(z), s^2),    P(z) = N(0, 1),    Q_s(z | X) = N(g(X), (g'(X) s)^2).

The model's marginal is then P_s = P_gt convolved with N(0, s^2), exactly. Everything is an expectation over X ~ P_gt,
in nats:

    D1(s)  = E KL(Q_s(z | X) || P_s(z | X)) = E[log P_s(X) - ELBO(X)]        the encoder's error
    D2(s)  = KL(P_gt || P_s)                = E[log p(X) - log P_s(X)]       the model's error
    gap(s) = D1 + D2                        = E[log p(X) - ELBO(X)]

The text proves D1 -> 0. Expanding f around g(X) to second order gives the rate: D1 / s^2 -> c with

    c = E[15 a^2 + 6 a b + b^2] / 2,    a = f''(g) g'^2 / 2 = -(b + (log p)'(X)) / 2,    b = g(X) g'(X),

where a is the curvature of the map and b the pull of the prior; and D2 / s^4 -> E[(p''/p)^2] / 8.
Expectations over X are sums over an even grid of X weighted by p(X). (A grid even in z is too coarse where f is steep:
between the modes of a well separated mixture it cannot resolve D2 below about 1e-6.)
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from reproductions.doersch.laws import CAUCHY, LOG_2PI, Law, log_phi, normal_nodes

SIGMAS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


@dataclass(frozen=True)
class Points:
    """A grid of X with z = g(X) and weights that make sum(weight * h(X)) the expectation of h under P_gt."""

    x: np.ndarray
    z: np.ndarray
    slope: np.ndarray  # g'(X)
    weight: np.ndarray


def points(law: Law, count: int = 401, reach: float = 8.0) -> Points:
    """Quadrature points for expectations over X ~ P_gt, from f(-reach) to f(reach)."""
    x = np.linspace(*law.f(np.array([-reach, reach])), count)
    z = law.g(x)
    log_density = law.log_density(x)
    return Points(x, z, np.exp(log_density - log_phi(z)), np.exp(log_density - logsumexp(log_density)))


def normal_kl(mean, sd):
    """Eq. 7 in one dimension: KL(N(mean, sd^2) || N(0, 1)) = (sd^2 + mean^2 - 1)/2 - log sd, nats."""
    return 0.5 * (sd**2 + mean**2 - 1) - np.log(sd)


def elbo(decode, x, q_mean, q_sd, s):
    """Right-hand side of Eq. 5 for P(X|z) = N(decode(z), s^2): E_Q log P(X|z) - KL(Q || N(0, 1)), nats, one per x."""
    eps, log_weight = normal_nodes()
    residual = (x[:, None] - decode(q_mean[:, None] + q_sd[:, None] * eps)) / s
    reconstruction = -0.5 * (residual**2 @ np.exp(log_weight) + LOG_2PI) - np.log(s)
    return reconstruction - normal_kl(q_mean, q_sd)


def divergences(law: Law, s: float, at: Points | None = None) -> tuple[float, float]:
    """(D1, D2) in nats at output noise s. D1 is E KL(Q_s || P_s(z|X)), D2 is KL(P_gt || P_s)."""
    at = at or points(law)
    log_marginal = law.smoothed_log_density(at.x, s)
    d1 = at.weight @ (log_marginal - elbo(law.f, at.x, at.z, at.slope * s, s))
    d2 = at.weight @ (law.log_density(at.x) - log_marginal)
    return float(d1), float(d2)


def rate_constants(law: Law, at: Points | None = None) -> dict[str, float]:
    """c of D1 ~ c s^2 with its curvature, prior and cross parts, and c4 of D2 ~ c4 s^4 (module docstring)."""
    at = at or points(law)
    b = at.z * at.slope
    a = -(b + law.score(at.x)) / 2
    parts = {
        "curvature": at.weight @ (15 * a**2) / 2,
        "prior": at.weight @ b**2 / 2,
        "cross": at.weight @ (6 * a * b) / 2,
    }
    c = sum(parts.values())
    return {"c": c, **parts, "c4": at.weight @ law.relative_curvature(at.x) ** 2 / 8}


def log_log_slope(s, values) -> float:
    """Least-squares slope of log(values) against log(s): the exponent of a power law."""
    return float(np.polyfit(np.log(s), np.log(values), 1)[0])


def reconstruction_gradient_rms(law: Law, s: float, offset: float = 0.0, at: Points | None = None) -> float:
    """Root mean square over X and z ~ Q_s of the gradient of (X - h)^2 / (2 s^2) with respect to h = f(z) + offset.

    At the construction (offset 0) X - f(z) is about s eps, so this is about 1/s; away from it, about offset / s^2.
    """
    at = at or points(law)
    eps, log_weight = normal_nodes()
    outputs = law.f(at.z[:, None] + at.slope[:, None] * s * eps) + offset
    return float(np.sqrt(at.weight @ (((outputs - at.x[:, None]) / s**2) ** 2 @ np.exp(log_weight))))


def prefactors(law: Law, x: float, s: float) -> tuple[float, float]:
    """Limits of Eq. 21's constant: (C / (s f'(g)), C f'(g) / s), with C = s P(z = g(X)) / P_s(X) and f'(g) = 1 / g'(X).

    The posterior near g is phi(g) N(X | f(z), s^2) / P_s(X), so the first is what must multiply the normal density and
    tends to 1. The second is what the text prints; it tends to f'(g)^2.
    """
    x = np.array([x])
    slope = np.exp(-law.log_g_slope(x))
    c_over_s = np.exp(log_phi(law.g(x)) - law.smoothed_log_density(x, s))
    return float((c_over_s / slope)[0]), float((c_over_s * slope)[0])


def posterior_kl(law: Law, x: float, s: float, scale: float = 1.0, shift: float = 0.0, count: int = 4001) -> float:
    """KL(Q_s(z|X) || P_s(z|X)) at one X by quadrature in the coordinate r = (z - shift) / scale, nats.

    Eq. 17: the value does not depend on scale and shift, because both densities gain the same factor `scale`.
    """
    x = np.array([x])
    mean, sd = law.g(x)[0], np.exp(law.log_g_slope(x))[0] * s
    r = np.linspace((mean - 9 * sd - shift) / scale, (mean + 9 * sd - shift) / scale, count)
    z = scale * r + shift
    log_q = log_phi((z - mean) / sd) - np.log(sd) + np.log(scale)
    log_joint = log_phi(z) + log_phi((x - law.f(z)) / s) - np.log(s)
    log_posterior = log_joint - law.smoothed_log_density(x, s) + np.log(scale)
    return float(np.sum(np.exp(log_q) * (log_q - log_posterior)) * (r[1] - r[0]))


def better_than_construction(s: float) -> float:
    """Gap of f(z) = sqrt(1 - s^2) z, Q = N(sqrt(1 - s^2) X, s^2) for P_gt = N(0, 1): exactly 0 for every s < 1, nats.

    The construction's own gap is s^2 / 2 there: at a fixed sigma it is not the best model, which the text does not say.
    """
    shrink = np.sqrt(1 - s * s)
    x, log_weight = normal_nodes()
    bound = elbo(lambda z: shrink * z, x, shrink * x, np.full_like(x, s), s)
    return float(np.exp(log_weight) @ (log_phi(x) - bound))


def cauchy_threshold() -> float:
    """Largest s with a finite ELBO at X = 0 for the Cauchy law: 1 / (sqrt(2) g'(0)).

    f(z) grows like z exp(z^2 / 2), so E_Q f(z)^2 is the integral of z^2 exp(z^2 - z^2 / (2 (g'(0) s)^2)), which is
    finite if and only if 2 (g'(0) s)^2 < 1.
    """
    return float(np.exp(-CAUCHY.log_g_slope(np.zeros(1)))[0] / np.sqrt(2))


def cauchy_truncated_error(s: float, reach: float) -> float:
    """log of E_Q[f(z)^2 ; |z| < reach] at X = 0 for the Cauchy law: settles as reach grows below the threshold only."""
    z = np.linspace(0.0, reach, 20_001)[1:]
    q_sd = np.exp(CAUCHY.log_g_slope(np.zeros(1)))[0] * s
    log_term = 2 * np.log(CAUCHY.f(z)) + log_phi(z / q_sd) - np.log(q_sd)
    return float(logsumexp(log_term) + np.log(2 * (z[1] - z[0])))
