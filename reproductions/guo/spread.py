"""How far the author's published numbers may be from what they stand for: a grid has some hundred pictures, and a mean
over epochs is one of a loss that scatters. Every function gives a 95 % interval (low, high).

Epochs are taken as draws of their own. They are not: neighbours are alike, so that these intervals are too narrow
rather than too wide, and a number that they do not separate from a bound is not separated.
"""

import numpy as np
from scipy import stats

from common.evaluation.diversity import SEEN
from common.reporting.verdicts import CONFIDENCE, t_interval
from reproductions.guo import values

DRAWS = 4_000
TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
LIKE = {  # the statistic of a grid: that of real digits whose scatter from picture to picture it gets
    "border_mean": "border_mean", "edge_variance": "edge_variance", "grey_fraction": "grey_fraction",
    "nearest_test": "nearest_test", "nearest_within": "nearest_test",
}  # fmt: skip


def of_pictures(value, *grids, counts=False) -> tuple[float, float]:
    """Of value(metrics of a grid, ...), each grid drawn again DRAWS times with one seed (parametric bootstrap).

    The interval is the basic one, 2 v - q for the quantiles q of the draws: an entropy of few pictures is too small,
    and those drawn from them are so once more. counts: the plain quantiles, for a number of classes or of parts.
    """
    rng = np.random.default_rng(1)
    found = np.broadcast_to(value(*(drawn_again(m, rng) for m in grids)), DRAWS)
    low, high = np.quantile(found, TAILS)
    ends = (low, high) if counts else (2 * value(*grids) - high, 2 * value(*grids) - low)
    return tuple(map(float, ends))


def drawn_again(m, rng) -> dict:
    """The metrics of a grid, those that its pictures decide as arrays [DRAWS] of other grids of as many.

    Digits by their shares; a mean over pictures moves with the mix of digits, and by the scatter of real digits of one
    kind: the pictures' own scatter was not kept.
    """
    found = dict(m)
    for end in ("", "_q1"):  # the last grid and the first
        count = int(m[f"n_images{end}"])
        before = np.array([m[f"share_{digit}{end}"] for digit in range(10)])
        before = before / before.sum()
        shares = rng.multinomial(count, before, size=DRAWS) / count
        found |= {f"share_{digit}{end}": shares[:, digit] for digit in range(10)}
        found[f"label_entropy_nats{end}"] = stats.entropy(shares, axis=1)
        found[f"classes{end}"] = np.sum(shares >= SEEN, axis=1)
        for name, like in LIKE.items():
            if name + end in m:
                means, deviations = values.of_each_digit(like), values.of_each_digit(f"{like}_sd")
                error = np.sqrt(before @ deviations**2 / count)
                found[name + end] = m[name + end] + (shares - before) @ means + error * rng.normal(size=DRAWS)
    return found


def of_mean(curve) -> tuple[float, float]:
    """Of the mean of some epochs: Student's."""
    low, high = t_interval(tuple(map(float, curve)))
    return float(low), float(high)


def of_difference(first, second) -> tuple[float, float]:
    """Of the mean of some epochs minus that of others: Welch's."""
    ends = stats.ttest_ind(first, second, equal_var=False).confidence_interval(CONFIDENCE)
    return float(ends.low), float(ends.high)


def of_slope(curve) -> tuple[float, float]:
    """Of the slope an epoch, by least squares."""
    line = stats.linregress(np.arange(len(curve)), curve)
    half = stats.t.ppf(TAILS[1], len(curve) - 2) * line.stderr
    return float(line.slope - half), float(line.slope + half)


def of_rank_correlation(curve) -> tuple[float, float]:
    """Of Spearman's correlation with the epoch: Fisher's, of variance 1.06 / (n - 3) (Fieller et al. 1957)."""
    rho = stats.spearmanr(np.arange(len(curve)), curve).statistic
    half = stats.norm.ppf(TAILS[1]) * np.sqrt(1.06 / (len(curve) - 3))
    return float(np.tanh(np.arctanh(rho) - half)), float(np.tanh(np.arctanh(rho) + half))
