"""Detection metrics against scikit-learn, brute force, Keras and closed forms."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from sklearn import metrics as sk

from common.errors import UserError
from common.evaluation import detection as det

RNG = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def _same_draws_in_any_order():
    RNG.bit_generator.state = np.random.default_rng(1).bit_generator.state


METRICS = [det.average_precision, det.aupr_trapezoid, det.aupr_davis_goadrich, det.auroc]


def toy(n=300, share=0.3, levels=None, shift=1.0):
    positive = RNG.uniform(size=n) < share
    scores = RNG.normal(size=n) + shift * positive
    if levels:
        scores = np.round(scores * levels) / levels
    return scores, positive


labelled = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=25).filter(
    lambda rows: 0 < sum(p for _, p in rows) < len(rows)
)


@settings(max_examples=60, deadline=None)
@given(labelled)
def test_metrics_equal_scikit_learn_whatever_the_ties(rows):
    scores, positive = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows])
    np.testing.assert_allclose(det.average_precision(scores, positive), sk.average_precision_score(positive, scores))
    np.testing.assert_allclose(det.auroc(scores, positive), sk.roc_auc_score(positive, scores))
    precision, recall, _ = sk.precision_recall_curve(positive, scores)
    np.testing.assert_allclose(det.aupr_trapezoid(scores, positive), sk.auc(recall, precision))


def hyperbolas_by_quadrature(scores, positive):
    """Davis and Goadrich: between two thresholds, add FP in proportion to TP and integrate precision over recall."""
    points = [(0.0, 0.0)]
    for threshold in np.unique(scores)[::-1]:
        above = scores >= threshold
        points.append((float(np.sum(above & positive)), float(np.sum(above & ~positive))))
    area = 0.0
    for (tp_a, fp_a), (tp_b, fp_b) in itertools.pairwise(points):
        if tp_b > tp_a:
            slope = (fp_b - fp_a) / (tp_b - tp_a)
            area += integrate.quad(lambda t, a=tp_a, f=fp_a, s=slope: t / (t + f + s * (t - a)), tp_a, tp_b)[0]
    return area / positive.sum()


@pytest.mark.parametrize("levels", [None, 2, 1])
def test_davis_goadrich_equals_quadrature(levels):
    scores, positive = toy(80, levels=levels)
    expected = hyperbolas_by_quadrature(scores, positive)
    np.testing.assert_allclose(det.aupr_davis_goadrich(scores, positive), expected, rtol=1e-8)


def test_davis_goadrich_equals_keras_on_rank_transformed_scores():
    keras = pytest.importorskip("keras")
    scores, positive = toy(100, levels=4)
    levels = np.unique(scores)
    ranks = (np.searchsorted(levels, scores) + 0.5) / levels.size
    auc = keras.metrics.AUC(curve="PR", summation_method="interpolation", num_thresholds=2000)
    auc.update_state(positive, ranks)
    np.testing.assert_allclose(det.aupr_davis_goadrich(scores, positive), float(auc.result()), atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_weights_equal_repeated_rows_and_scikit_learn(metric):
    scores, positive = toy(60, levels=3)
    counts = RNG.integers(0, 4, (5, 60))
    counts[0, np.argsort(-scores)[:4]] = 0  # nothing counts at the highest thresholds
    repeated = [metric(np.repeat(scores, row), np.repeat(positive, row)) for row in counts]
    np.testing.assert_allclose(metric(scores, positive, weights=counts), repeated, rtol=1e-12)
    if metric is det.average_precision:
        learned = [sk.average_precision_score(positive, scores, sample_weight=row) for row in counts]
        np.testing.assert_allclose(repeated, learned, rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_depend_on_the_order_only_and_perfect_separation_gives_one(metric):
    scores, positive = toy(levels=4)
    np.testing.assert_allclose(metric(np.exp(3 * scores) - 7, positive), metric(scores, positive), rtol=1e-12)
    shuffled = RNG.permutation(scores.size)
    np.testing.assert_allclose(metric(scores[shuffled], positive[shuffled]), metric(scores, positive), rtol=1e-12)
    np.testing.assert_allclose(metric(positive.astype(float), positive), 1.0)
    infinite = np.where(scores == scores.max(), np.inf, scores)
    assert metric(infinite, positive) == metric(scores, positive)


def test_sign_larger_score_means_positive():
    # Out-of-distribution images are clearly less likely under the model: s = -log p must find them, log p must not.
    positive = np.arange(1000) < 100
    log_p = RNG.normal(size=1000) - 5.0 * positive
    assert det.average_precision(-log_p, positive) > 0.9
    assert det.average_precision(log_p, positive) < det.prevalence(positive) == 0.1


def test_floor_is_the_minimum_over_all_orders():
    orders = [
        det.average_precision(range(6), np.isin(range(6), chosen)) for chosen in itertools.combinations(range(6), 2)
    ]
    np.testing.assert_allclose(min(orders), det.lowest_average_precision(2, 4), rtol=1e-12)
    np.testing.assert_allclose(np.mean(orders), det.random_average_precision(2, 4), rtol=1e-12)


def test_floor_and_chance_of_the_mnist_and_cifar_splits():
    # Known values in per cent: digit 1 (1135 of 10,000) 5.91, ten balanced classes 5.18; continuous limit 1 +
    # (1-p)/p log(1-p).
    np.testing.assert_allclose(100 * det.lowest_average_precision(1135, 8865), 5.91, atol=0.005)
    np.testing.assert_allclose(100 * det.lowest_average_precision(1000, 9000), 5.18, atol=0.005)
    np.testing.assert_allclose(det.lowest_average_precision(10**6, 9 * 10**6), 1 + 9 * np.log(0.9), atol=1e-6)
    positive = np.arange(10000) < 1000
    np.testing.assert_allclose(100 * det.aupr_trapezoid(np.arange(10000), positive), 5.176, atol=0.005)
    simulated = [det.average_precision(RNG.uniform(size=10000), positive) for _ in range(200)]
    error = np.std(simulated, ddof=1) / np.sqrt(200)
    assert abs(np.mean(simulated) - det.random_average_precision(1000, 9000)) < 3 * error


def test_three_areas_agree_when_there_are_many_untied_scores():
    scores, positive = toy(40000, share=0.1)  # they differ by about one part in the number of positives
    areas = [metric(scores, positive) for metric in METRICS[:3]]
    assert np.ptp(areas) < 1e-3
    # One coarse score: straight lines between few points promise more than the hyperbola does.
    coarse = np.round(scores)
    assert det.aupr_trapezoid(coarse, positive) > det.aupr_davis_goadrich(coarse, positive) + 0.005


def test_bootstrap_interval_covers_the_known_auroc_of_two_gaussians():
    # N(1, 1) against N(0, 1): AUROC = Phi(1 / sqrt 2) = .7602. A 90 % interval must cover it in about 90 % of draws.
    covered = 0
    for _ in range(100):
        scores = np.concatenate([RNG.normal(1, 1, 60), RNG.normal(0, 1, 140)])
        interval = det.bootstrap_interval(scores, np.arange(200) < 60, det.auroc, replicates=200, seed=7, level=0.9)
        assert interval.low < interval.estimate < interval.high
        covered += interval.low < 0.76025 < interval.high
    assert 80 <= covered <= 98


def test_bootstrap_spread_equals_the_spread_over_fresh_test_sets():
    fresh = [det.average_precision(*split) for split in (two_gaussians() for _ in range(300))]
    replicates = det.bootstrap_replicates(*two_gaussians(), replicates=500)
    np.testing.assert_allclose(replicates.std(), np.std(fresh), rtol=0.25)


def two_gaussians():
    positive = np.arange(800) < 200
    return RNG.normal(size=800) + positive, positive


def test_resamples_keep_the_size_of_each_stratum_and_the_seed_decides():
    strata = np.array([0] * 5 + [1] * 3 + [2] * 4)
    counts = np.concatenate(list(det._resamples(strata, 130, seed=3)))
    assert counts.shape == (130, 12)
    for value, size in ((0, 5), (1, 3), (2, 4)):
        np.testing.assert_array_equal(counts[:, strata == value].sum(1), size)
    np.testing.assert_allclose(counts.mean(0), 1, atol=0.4)
    scores, positive = toy(50)
    first, again = (det.bootstrap_replicates(scores, positive, replicates=70, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, det.bootstrap_replicates(scores, positive, replicates=70, seed=6))


def test_paired_difference_of_equal_rankings_is_exactly_zero_and_is_narrower_than_unpaired():
    scores, positive = toy(400)
    same = det.paired_bootstrap_difference(scores, np.exp(scores), positive, replicates=100)
    assert same == (0.0, 0.0, 0.0)
    noisy = scores + 0.05 * RNG.normal(size=400)
    paired = det.paired_bootstrap_difference(scores, noisy, positive, replicates=400)
    one = det.bootstrap_interval(scores, positive, replicates=400)
    assert paired.high - paired.low < 0.5 * (one.high - one.low)


def test_paired_difference_separates_a_real_difference():
    positive = np.arange(1000) < 300
    noise = RNG.normal(size=1000)
    interval = det.paired_bootstrap_difference(noise + 2 * positive, noise + positive, positive, replicates=300)
    assert interval.low > 0
    assert det.paired_bootstrap_difference(noise, noise + positive, positive, replicates=300).high < 0


@pytest.mark.parametrize(
    ("scores", "positive", "message"),
    [
        ([1.0, np.nan, 2.0], [0, 1, 1], "1 of 3 scores are NaN"),
        ([1.0, 2.0], [0, 0], "no positives"),
        ([1.0, 2.0], [1, 1], "no negatives"),
        ([1.0, 2.0, 3.0], [1, 0], "one length"),
        ([1.0, 2.0], [2, 0], "0/1"),
        ([], [], "no positives"),
    ],
)
@pytest.mark.parametrize("metric", METRICS)
def test_mistakes_are_named(metric, scores, positive, message):
    with pytest.raises(UserError, match=message):
        metric(scores, positive)


def test_sizes_and_replicates_are_checked():
    with pytest.raises(UserError, match="at least one positive"):
        det.lowest_average_precision(0, 5)
    with pytest.raises(UserError, match="2 replicates"):
        det.bootstrap_replicates([1.0, 2.0], [0, 1], replicates=1)
    with pytest.raises(UserError, match="strata"):
        det.bootstrap_replicates([1.0, 2.0], [0, 1], strata=[1])


def test_importing_the_metrics_does_not_import_tensorflow():
    code = "import sys, common.evaluation.detection; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
