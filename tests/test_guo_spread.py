"""Guo's room: intervals of the author's published numbers, against closed forms."""

import numpy as np
import pytest
from scipy import stats

from reproductions.guo import spread, values


def grid(shares, count, **means):
    """Metrics of a grid of `count` pictures, the last and the first one alike."""
    shares = np.array(shares) / np.sum(shares)
    found = {f"share_{digit}": share for digit, share in enumerate(shares)}
    found |= {"n_images": count, "label_entropy_nats": stats.entropy(shares), "classes": np.sum(shares >= 0.01)} | means
    return found | {f"{name}_q1": value for name, value in found.items()}


def test_entropy_of_many_pictures_has_the_delta_method_s_interval():
    """Var H = (sum p log^2 p - H^2) / n, and H of a sample is too small by (K - 1) / 2n (Miller 1955)."""
    count, p = 2_000, np.arange(1, 11) / 55
    m = grid(p, count)
    entropy, error = m["label_entropy_nats"], np.sqrt((p @ np.log(p) ** 2 - stats.entropy(p) ** 2) / count)
    low, high = spread.of_pictures(lambda m: m["label_entropy_nats"], m)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.05)
    assert (high + low) / 2 == pytest.approx(entropy + 9 / (2 * count), abs=0.2 * error)  # and H is skewed
    again = spread.of_pictures(lambda m: m["label_entropy_nats"], m)
    assert again == (low, high)  # the same draws every time


def test_shares_and_differences_of_them_have_the_binomial_s():
    a, b = grid([30, 70, *[0] * 8], 400), grid([50, 50, *[0] * 8], 100)
    low, high = spread.of_pictures(lambda m: m["share_0"], a)
    assert (low, high) == pytest.approx((0.3 - 1.96 * np.sqrt(0.21 / 400), 0.3 + 1.96 * np.sqrt(0.21 / 400)), abs=5e-3)
    half = 1.96 * np.sqrt(0.21 / 400 + 0.25 / 100)
    found = spread.of_pictures(values.difference("share_0"), a, b)
    assert found == pytest.approx((-0.2 - half, -0.2 + half), abs=0.012)
    assert spread.of_pictures(lambda m: m["classes"], a, counts=True) == (2, 2)


def test_a_mean_scatters_by_the_mix_of_digits_and_within_a_digit():
    """Of pictures of all digits: variance within a digit and between the digits' means, over n."""
    m = grid(np.ones(10), 100, edge_variance=0.16)
    means, deviations = values.of_each_digit("edge_variance"), values.of_each_digit("edge_variance_sd")
    half = 1.96 * np.sqrt((np.mean(deviations**2) + means.var()) / 100)
    found = spread.of_pictures(lambda m: m["edge_variance"], m)
    assert found == pytest.approx((0.16 - half, 0.16 + half), abs=0.06 * half)
    ones = grid([0, 1, *[0] * 8], 100, edge_variance=0.09)  # of one digit nothing lies between
    low, high = spread.of_pictures(lambda m: m["edge_variance"], ones)
    assert (high - low) / 2 == pytest.approx(1.96 * deviations[1] / 10, rel=0.05)


def test_parts_of_quality_are_counted_in_every_draw():
    better = {name: values.of_real(name, grid(np.ones(10), 100)) for name in values.real_digits()}
    good, bad = (grid(np.ones(10), 100, **{n: k * v for n, v in better.items()}) for k in (1, 0.2))
    assert spread.of_pictures(values.better_parts, good, bad, counts=True) == (3, 3)
    low, high = spread.of_pictures(values.better_parts, good, good, counts=True)
    assert low == 0 and high == 3  # two grids of the same net: any part may go either way


def test_intervals_over_epochs_are_the_textbooks():
    rng = np.random.default_rng(3)
    first, second, t = rng.normal(1, 0.5, 10), rng.normal(2, 0.1, 12), np.arange(40)
    errors = first.var(ddof=1) / 10, second.var(ddof=1) / 12
    free = sum(errors) ** 2 / (errors[0] ** 2 / 9 + errors[1] ** 2 / 11)  # Welch and Satterthwaite
    half = stats.t.ppf(0.975, free) * np.sqrt(sum(errors))
    middle = first.mean() - second.mean()
    assert spread.of_difference(first, second) == pytest.approx((middle - half, middle + half))
    half = stats.t.ppf(0.975, 9) * np.sqrt(errors[0])
    assert spread.of_mean(first) == pytest.approx((first.mean() - half, first.mean() + half))
    curve = 0.1 * t + rng.normal(size=40)
    slope, covariance = np.polyfit(t, curve, 1, cov=True)
    half = stats.t.ppf(0.975, 38) * np.sqrt(covariance[0, 0])
    assert spread.of_slope(curve) == pytest.approx((slope[0] - half, slope[0] + half))
    rho = stats.spearmanr(t, curve).statistic
    low, high = spread.of_rank_correlation(curve)
    assert low < rho < high and np.arctanh(high) - np.arctanh(low) == pytest.approx(
        2 * 1.96 * np.sqrt(1.06 / 37), rel=1e-4
    )
