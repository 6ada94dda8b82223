"""Detection metrics: how well a score separates positives (out-of-distribution images) from negatives.

Conventions: a larger score means "more positive"; results are fractions in [0, 1] (tables turn them into per cent);
all sums are float64 and exact over all thresholds. Images with equal scores share one threshold (one point of the
curve): their order carries no information, and averaging over random orders would be another metric.

Three areas under the precision-recall curve are in use under one name (AUPR); they differ in what lies between two
thresholds. With TP, FP the counts at or above a threshold, P the number of positives, precision p = TP / (TP + FP),
recall r = TP / P:

- `average_precision`: steps, sum_i (r_i - r_{i-1}) p_i. scikit-learn's `average_precision_score` since 0.19.
  The headline.
- `aupr_trapezoid`: straight lines, sum_i (r_i - r_{i-1}) (p_i + p_{i-1}) / 2, from the point (r, p) = (0, 1).
  scikit-learn before 0.19.
- `aupr_davis_goadrich`: hyperbolas. A threshold between two others takes FP linear in TP, which is a curve in (r, p)
  (Davis and Goadrich 2006); Keras: `AUC(curve="PR", summation_method="interpolation")`, there on a grid of
  thresholds.

Every metric takes `weights`, [n] or [R, n]: how often each image counts. With [R, n] the metric returns [R]; that is
how the bootstrap computes thousands of resamples with one sort. Only numpy is imported here.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from common.errors import UserError

REPLICATES_AT_ONCE = 64  # bounds memory: 64 resamples of 10,000 images are 5 MB an array


class Interval(NamedTuple):
    """A measured value with a bootstrap percentile interval, in the unit of the metric."""

    estimate: float
    low: float
    high: float


def _checked(scores, positive) -> tuple[np.ndarray, np.ndarray]:
    scores, positive = np.asarray(scores, np.float64), np.asarray(positive)
    if scores.ndim != 1 or scores.shape != positive.shape:
        raise UserError(f"scores and positive must be two lists of one length, not {scores.shape} and {positive.shape}")
    if np.isnan(scores).any():
        raise UserError(f"{int(np.isnan(scores).sum())} of {scores.size} scores are NaN; detection needs numbers")
    if not np.isin(positive, (0, 1)).all():
        raise UserError("positive must be 0/1 or False/True, one entry per score")
    positive = positive.astype(bool)
    if not positive.any() or positive.all():
        missing = "negatives" if positive.any() else "positives"
        raise UserError(f"there are no {missing} among the {scores.size} scores; detection needs both kinds")
    return scores, positive


def _counts(scores, positive, weights) -> tuple[np.ndarray, np.ndarray]:
    """TP and FP at each distinct threshold, from the highest down: two arrays [..., K]; the last column is P, N."""
    scores, positive = _checked(scores, positive)
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), scores.size - 1)
    weights = np.ones(scores.size) if weights is None else np.asarray(weights, np.float64)
    weights = weights[..., order]
    hits = np.where(positive[order], weights, 0.0)
    return np.cumsum(hits, axis=-1)[..., ends], np.cumsum(weights - hits, axis=-1)[..., ends]


def _precision(tp, fp):
    """TP / (TP + FP); 1 where nothing counts yet (the starting point of the curve)."""
    total = tp + fp
    return np.divide(tp, total, out=np.ones_like(tp), where=total > 0)


def _steps(counts):
    """Increase from one threshold to the next, the first from zero."""
    return np.diff(counts, axis=-1, prepend=0.0)


def average_precision(scores, positive, weights=None):
    """AP = sum_i (r_i - r_{i-1}) p_i over the distinct thresholds. A fraction, or [R] for weights [R, n]."""
    tp, fp = _counts(scores, positive, weights)
    return np.sum(_steps(tp) * _precision(tp, fp), axis=-1) / tp[..., -1]


def aupr_trapezoid(scores, positive, weights=None):
    """Area under straight lines between the points of the curve, which starts at recall 0, precision 1. Optimistic."""
    tp, fp = _counts(scores, positive, weights)
    precision = _precision(tp, fp)
    before = np.concatenate([np.ones_like(precision[..., :1]), precision[..., :-1]], axis=-1)
    return np.sum(_steps(tp) * (precision + before), axis=-1) / (2.0 * tp[..., -1])


def aupr_davis_goadrich(scores, positive, weights=None):
    """Area under the hyperbolas between the points of the curve.

    Between thresholds a and b, with n = TP + FP and s = (TP_b - TP_a) / (n_b - n_a), TP is linear in n:  TP = TP_a +
    s (n - n_a), so

        integral of p dTP = s * integral of TP / n dn = s * [ (TP_b - TP_a) + (TP_a - s n_a) log(n_b / n_a) ],

    divided by P. From the origin (n_a = 0) precision is constant and the logarithm has the factor zero.
    """
    tp, fp = _counts(scores, positive, weights)
    total, gained, seen = tp + fp, _steps(tp), _steps(tp + fp)
    slope = np.divide(gained, seen, out=np.zeros_like(seen), where=seen > 0)
    tp_before, total_before = tp - gained, total - seen
    growth = np.divide(seen, total_before, out=np.zeros_like(seen), where=total_before > 0)
    area = slope * (gained + (tp_before - slope * total_before) * np.log1p(growth))
    return np.sum(area, axis=-1) / tp[..., -1]


def auroc(scores, positive, weights=None):
    """Probability that a random positive scores above a random negative, ties counted half."""
    tp, fp = _counts(scores, positive, weights)
    gained = _steps(tp)
    return np.sum(_steps(fp) * (tp - gained / 2), axis=-1) / (tp[..., -1] * fp[..., -1])


def prevalence(positive) -> float:
    """P / (P + N): the precision of the threshold that lets everything through, and nearly the AP of guessing."""
    return float(np.mean(np.asarray(positive, np.float64)))


def lowest_average_precision(positives: int, negatives: int) -> float:
    """AP when every positive ranks below every negative: (1/P) sum_{i=1..P} i / (N + i). No ranking has less."""
    _check_sizes(positives, negatives)
    i = np.arange(1, positives + 1)
    return float(np.mean(i / (negatives + i)))


def random_average_precision(positives: int, negatives: int) -> float:
    """Expected AP of a random order without ties: with n = P + N and H_n = 1 + 1/2 + ... + 1/n,

        E AP = (1/n) sum_{i=1..n} [ 1 + (i - 1) (P - 1)/(n - 1) ] / i = [ (P - 1) + N H_n / n ] / (n - 1),

    a little more than the prevalence P/n (given a positive at rank i, the other P - 1 lie anywhere).
    """
    _check_sizes(positives, negatives)
    n = positives + negatives
    return float((positives - 1 + negatives * np.mean(1.0 / np.arange(1, n + 1))) / (n - 1))


def _check_sizes(positives: int, negatives: int):
    if positives < 1 or negatives < 1:
        raise UserError(f"need at least one positive and one negative; got {positives} and {negatives}")


def _resamples(strata, replicates: int, seed: int):
    """Yield blocks [<= 64, n] of how often each image is drawn, with replacement within each stratum.

    A function of strata and seed only: two scores of the same images get the same resamples, which makes them paired.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == value) for value in np.unique(strata)]
    for start in range(0, replicates, REPLICATES_AT_ONCE):
        rows = min(REPLICATES_AT_ONCE, replicates - start)
        counts = np.empty((rows, strata.size))
        for images in members:
            size = images.size
            drawn = rng.integers(0, size, (rows, size)) + size * np.arange(rows)[:, None]
            counts[:, images] = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size)
        yield counts


def bootstrap_replicates(
    scores, positive, metric: Callable = average_precision, replicates: int = 2000, seed: int = 1, strata=None
) -> np.ndarray:
    """The metric on `replicates` resamples of the images, [replicates].

    scores, positive: [n]. strata: [n] labels within which images are redrawn; default: positives and negatives, each
    in its number. **Paired use**: with the same strata and seed, other scores of the same images meet the same
    resamples. So the mean over held-out classes has the replicates  mean_c bootstrap_replicates(scores_c, labels ==
    c, ..., strata=labels),  and the difference of two models the differences of theirs. Spread over training seeds
    is not in here: it is a matter of more runs.
    """
    scores, positive = _checked(scores, positive)
    if replicates < 2:
        raise UserError(f"a bootstrap needs at least 2 replicates; got {replicates}")
    strata = positive if strata is None else np.asarray(strata)
    if strata.shape != scores.shape:
        raise UserError(f"strata must have one entry per score; got {strata.shape} for {scores.shape}")
    return np.concatenate([metric(scores, positive, weights=counts) for counts in _resamples(strata, replicates, seed)])


def percentile_interval(estimate: float, replicates, level: float = 0.95) -> Interval:
    """The middle `level` of the replicates around an estimate."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(estimate), float(low), float(high))


def bootstrap_interval(
    scores, positive, metric: Callable = average_precision, replicates: int = 2000, seed: int = 1, level: float = 0.95
) -> Interval:
    """The metric with its stratified percentile bootstrap interval over test images. Units of the metric."""
    return percentile_interval(
        metric(scores, positive), bootstrap_replicates(scores, positive, metric, replicates, seed), level
    )


def paired_bootstrap_difference(
    scores_a,
    scores_b,
    positive,
    metric: Callable = average_precision,
    replicates: int = 2000,
    seed: int = 1,
    level=0.95,
) -> Interval:
    """metric(a) - metric(b) on the same images, with the interval of the paired bootstrap (same resamples for both)."""
    a, b = (bootstrap_replicates(scores, positive, metric, replicates, seed) for scores in (scores_a, scores_b))
    return percentile_interval(metric(scores_a, positive) - metric(scores_b, positive), a - b, level)
