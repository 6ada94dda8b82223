"""The DCGAN's column of Table 4.1 by both signs of the logit.

The text asks a score to be larger for what is less normal, so the discriminator's logit, large for what it takes for
real, is negated. With the other sign an area below guessing comes out above it, and the other way round.
"""

import numpy as np
from scipy import stats

from common.reporting.tables import Table
from reproductions.ahmed_ch4.claims_formulas import printed
from reproductions.ahmed_ch4.notes import origin
from reproductions.ahmed_ch4.selection import DIGITS, largest

SIGNS = {"-logit": "aupr", "+logit": "aupr_negated"}  # title: metric of a record


def signs(records, cells) -> Table:
    """AUPR of minus and of plus the last state's logit beside the printed column, per cent; seeds in order."""
    found = cells.get("dcgan", {})
    text = dict(zip(DIGITS, printed("t41", "dcgan", DIGITS), strict=True))
    seeds, rows, means = sorted(largest(records, "dcgan").items()), [], {title: [] for title in SIGNS}
    for digit in found:
        each = [[r.metrics[metric] for (_, d), r in seeds if d == digit] for metric in SIGNS.values()]
        rows.append([str(digit), text[digit], *(" ".join(f"{value:.1f}" for value in values) for values in each)])
        for title, values in zip(SIGNS, each, strict=True):
            means[title].append(float(np.mean(values)))
    notes = [*origin({"dcgan": found}), "Several numbers in a cell: one a seed, in order."] if found else []
    if len(rows) == len(DIGITS):
        notes += [near(title, column, list(text.values())) for title, column in means.items()]
    return Table("DCGAN: both signs of the logit, AUPR in per cent", ["held out", "printed", *SIGNS], rows, notes)


def near(title, column, text) -> str:
    """How a column of ten digits, means over the seeds, lies to the printed one."""
    rho = stats.spearmanr(column, text)
    return (
        f"{title} (mean over a digit's seeds) and the printed column: rank correlation {rho.statistic:.2f} (two-sided "
        f"p {rho.pvalue:.2f}), {np.mean(np.abs(np.subtract(column, text))):.1f} points apart on average."
    )
