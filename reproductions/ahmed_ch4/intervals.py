"""Intervals: of orders of models over the ten held-out digits, and of several at once; points.

Ten trainings on ten training sets stand behind a column, so Student's interval over the digits holds the spread of
trainings (all ten start from the same initial weights, so not all of it).
"""

import math

import numpy as np
from scipy.special import stdtrit

from common.reporting.verdicts import CONFIDENCE, pooled_variance, t_interval


def hull(*intervals, low=-math.inf, high=math.inf) -> tuple[float, float] | None:
    """The outer ends of those intervals that are there, within [low, high]; None if none is."""
    found = [each for each in intervals if each is not None]
    if not found:
        return None
    return float(max(low, min(a for a, _ in found))), float(min(high, max(b for _, b in found)))


def borrowed_interval(value, cells) -> tuple[float, float] | None:
    """Where one more training of a cell with one training lands: value ± t sd sqrt(2), by the sd and the degrees of
    freedom that other cells of the model have together; None if none of them [values of a cell] has several.
    """
    variance, freedom = pooled_variance(cells)
    if not freedom:
        return None
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(2 * variance)
    return value - half, value + half


def difference_interval(columns, _):
    """Student's interval of the mean difference over the ten digits, points."""
    return t_interval(tuple(columns[0] - columns[1]))


def median_interval(columns, _):
    """95 % interval of the difference of medians, digits drawn with replacement (2,000 times), points."""
    drawn = np.random.default_rng(1).integers(0, 10, (2_000, 10))
    differences = np.median(columns[0][drawn], axis=1) - np.median(columns[1][drawn], axis=1)
    return tuple(float(end) for end in np.quantile(differences, (0.025, 0.975)))


def steps(columns):
    """The ten paired differences of every column to the next."""
    return [tuple(a - b) for a, b in zip(columns, columns[1:], strict=False)]


def leads(columns):
    """The ten paired differences of the first column to every other."""
    return [tuple(columns[0] - other) for other in columns[1:]]


def smallest(differences):
    """The smallest mean of several paired differences, as one number of the columns."""
    return lambda *columns: min(map(np.mean, differences(columns)))


def deciding(intervals):
    """Of intervals that must all lie above 0: one that lies wholly below it, else the one of the lowest lower end."""
    return min([each for each in intervals if each[1] < 0] or intervals)


def weakest(differences):
    """Of several paired differences that must all be positive: the t interval over the digits that decides."""

    def interval(columns, _):
        found = [t_interval(each) for each in differences(columns)]
        return deciding(found)

    return interval


def median_lead(first, *others):
    """Median of the first column minus the highest median of the others."""
    return np.median(first) - max(map(np.median, others))


def median_lead_interval(columns, _):
    """Of the intervals of the first median minus another's, the one that decides."""
    found = [median_interval((columns[0], other), None) for other in columns[1:]]
    return deciding(found)


def median_step(*columns):
    """The smallest fall of the median from one column to the next."""
    return min(np.median(a) - np.median(b) for a, b in zip(columns, columns[1:], strict=False))


def median_step_interval(columns, _):
    """Of the intervals of a median minus the next one, the one that decides."""
    found = [median_interval(pair, None) for pair in zip(columns, columns[1:], strict=False)]
    return deciding(found)
