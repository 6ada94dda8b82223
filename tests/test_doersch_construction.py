"""The appendix of Doersch's tutorial: laws, the two divergences, their rates, and the exact cases."""

import numpy as np
import pytest
from scipy import integrate, stats

from reproductions.doersch import construction, laws

NORMAL, SHIFTED, SOFT, HARD, LOGISTIC = laws.SMOOTH_LAWS
POINTS = {law.name: construction.points(law) for law in laws.SMOOTH_LAWS}
BY_NAME = {law.name: law for law in (*laws.SMOOTH_LAWS, laws.CAUCHY)}
parametrise_smooth = pytest.mark.parametrize("law", laws.SMOOTH_LAWS, ids=lambda law: law.name)

# c with its curvature, prior and cross parts, computed independently with Gauss-Hermite nodes (2 % asked of each).
RATE_PARTS = {
    "standard_normal": (0.5, 0, 0.5, 0),
    "shifted_normal": (2.0, 0, 2.0, 0),
    "soft_mixture": (0.5821, 0.2996, 0.5987, -0.3162),
    "hard_mixture": (4.79, 4.29, 1.33, -0.83),
    "logistic": (0.20449, 0.01925, 0.11413, 0.07110),
}
# s: (D1, D2), from the same independent computation.
DIVERGENCES = {
    "standard_normal": {1.0: (0.40343, 0.0966), 0.1: (0.0049753, 2.467e-5), 0.01: (5.000e-5, 2.50e-9)},
    "shifted_normal": {1.0: (1.5953, 0.4047), 0.1: (0.01962, 3.796e-4), 0.01: (2.000e-4, 4.00e-8)},
    "soft_mixture": {1.0: (0.3201, 0.0891), 0.1: (0.005764, 4.23e-5), 0.01: (5.82e-5, 4.35e-9)},
    "hard_mixture": {1.0: (1.2405, 0.357), 0.1: (0.0897, 3.74e-4), 0.01: (4.81e-4, 3.9e-8)},
    "logistic": {1.0: (0.18795, 0.01705), 0.1: (0.0020424, 2.489e-6), 0.01: (2.045e-5, 2.50e-10)},
}


@pytest.mark.parametrize("law", BY_NAME.values(), ids=BY_NAME)
def test_g_inverts_f_far_into_both_tails(law):
    z = np.linspace(-12, 12, 97)
    np.testing.assert_allclose(law.g(law.f(z)), z, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("law", BY_NAME.values(), ids=BY_NAME)
def test_cdf_is_the_integral_of_the_density(law):
    for x in (-2.0, 0.3, 1.7):
        below, _ = integrate.quad(lambda t: np.exp(law.log_density(t)), -np.inf, x)
        assert np.exp(law.log_cdf(x)) == pytest.approx(below, abs=1e-8)
        assert np.exp(law.log_survival(x)) == pytest.approx(1 - below, abs=1e-8)


@parametrise_smooth
def test_score_and_curvature_are_the_derivatives_of_the_density(law):
    x, h = np.linspace(-3, 3, 25), 1e-4
    low, mid, high = (np.exp(law.log_density(x + d)) for d in (-h, 0, h))
    np.testing.assert_allclose(law.score(x), (high - low) / (2 * h) / mid, atol=1e-5)
    np.testing.assert_allclose(law.relative_curvature(x), (high - 2 * mid + low) / h**2 / mid, atol=1e-4)


@parametrise_smooth
def test_slope_is_the_derivative_of_g(law):
    x, h = np.linspace(-2, 2, 17), 1e-5
    np.testing.assert_allclose(np.exp(law.log_g_slope(x)), (law.g(x + h) - law.g(x - h)) / (2 * h), rtol=1e-6)


@parametrise_smooth
def test_smoothed_density_is_the_convolution(law):
    s, x = 0.3, 0.8
    value, _ = integrate.quad(lambda t: np.exp(law.log_density(t)) * stats.norm.pdf(x, t, s), x - 4, x + 4)
    assert np.exp(law.smoothed_log_density(np.array([x]), s))[0] == pytest.approx(value, rel=1e-8)


@parametrise_smooth
def test_rate_constant_and_its_parts(law):
    measured = construction.rate_constants(law, POINTS[law.name])
    c, curvature, prior, cross = RATE_PARTS[law.name]
    assert measured["c"] == pytest.approx(c, rel=0.02)
    assert measured["curvature"] == pytest.approx(curvature, rel=0.02, abs=1e-12)
    assert measured["prior"] == pytest.approx(prior, rel=0.02)
    assert measured["cross"] == pytest.approx(cross, rel=0.02, abs=1e-12)


@parametrise_smooth
def test_divergences_match_the_independent_table(law):
    for s, (d1, d2) in DIVERGENCES[law.name].items():
        measured = construction.divergences(law, s, POINTS[law.name])
        assert measured == pytest.approx((d1, d2), rel=0.02)


@parametrise_smooth
def test_divergences_approach_the_predicted_powers(law):
    constants = construction.rate_constants(law, POINTS[law.name])
    sigmas = (0.05, 0.02, 0.01)
    pairs = [construction.divergences(law, s, POINTS[law.name]) for s in sigmas]
    d1, d2 = zip(*pairs, strict=True)
    assert construction.log_log_slope(sigmas, d1) == pytest.approx(2.0, abs=0.1)
    assert construction.log_log_slope(sigmas, d2) == pytest.approx(4.0, abs=0.2)
    assert d1[-1] / 0.01**2 == pytest.approx(constants["c"], rel=0.01)
    assert d2[-1] / 0.01**4 == pytest.approx(constants["c4"], rel=0.01)


@pytest.mark.parametrize("s", construction.SIGMAS)
def test_gap_of_a_normal_law_is_exactly_half_the_variance_ratio(s):
    for law in (NORMAL, SHIFTED):
        gap = sum(construction.divergences(law, s, POINTS[law.name]))
        assert gap == pytest.approx(s**2 / (2 * law.sds[0] ** 2), abs=1e-6)


def test_normal_law_matches_closed_forms():
    """For N(0, 1): D2 = log(1 + s^2)/2 - s^2 / (2 (1 + s^2)), and D1 is the rest of s^2 / 2."""
    s = 0.5
    d2 = 0.5 * (np.log1p(s * s) - s * s / (1 + s * s))
    assert construction.divergences(NORMAL, s) == pytest.approx((s * s / 2 - d2, d2), rel=1e-9)


def test_error_of_the_hard_mixture_is_not_monotone():
    at = POINTS["hard_mixture"]
    assert construction.divergences(HARD, 0.5, at)[0] > construction.divergences(HARD, 1.0, at)[0]


@pytest.mark.parametrize("s", (0.9, 0.5, 0.1))
def test_a_better_model_than_the_construction_exists(s):
    assert construction.better_than_construction(s) == pytest.approx(0, abs=1e-13)
    assert sum(construction.divergences(NORMAL, s)) == pytest.approx(s * s / 2, abs=1e-9)


def test_elbo_is_a_lower_bound_on_the_smoothed_law():
    at = POINTS["soft_mixture"]
    bound = construction.elbo(SOFT.f, at.x, at.z, at.slope * 0.3, 0.3)
    assert np.all(bound <= SOFT.smoothed_log_density(at.x, 0.3) + 1e-12)


@parametrise_smooth
def test_kl_does_not_change_under_an_affine_map_of_the_latent(law):
    """Eq. 17."""
    plain = construction.posterior_kl(law, x=0.5, s=0.1)
    slope = np.exp(-law.log_g_slope(np.array([0.5])))[0]
    mapped = construction.posterior_kl(law, 0.5, 0.1, scale=0.1 / slope, shift=law.g(np.array([0.5]))[0], count=5001)
    assert mapped == pytest.approx(plain, abs=1e-10)
    assert plain > 0


def test_prefactor_of_equation_21():
    right, printed = construction.prefactors(SHIFTED, x=0.5, s=0.01)
    assert right == pytest.approx(1.0, abs=1e-4)
    assert printed == pytest.approx(0.25, abs=1e-4)


@parametrise_smooth
def test_reconstruction_gradient_grows_as_sigma_shrinks(law):
    sigmas = (0.05, 0.02, 0.01)
    at = POINTS[law.name]
    for offset, exponent in ((0.0, -1.0), (0.5, -2.0)):
        sizes = [construction.reconstruction_gradient_rms(law, s, offset, at) for s in sigmas]
        assert construction.log_log_slope(sigmas, sizes) == pytest.approx(exponent, abs=0.1)


def test_cauchy_bound_is_infinite_above_the_threshold():
    threshold = construction.cauchy_threshold()
    assert threshold == pytest.approx(0.88623, abs=1e-5)
    growth = {
        factor: construction.cauchy_truncated_error(factor * threshold, 30)
        - construction.cauchy_truncated_error(factor * threshold, 20)
        for factor in (0.98, 1.02)
    }
    assert abs(growth[0.98]) < 1e-3
    assert growth[1.02] > 1
