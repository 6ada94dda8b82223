"""What the DCGAN's last states say: its AUPR scatters within a training, so one state is not the whole of it.

Records hold the AUPR of the last ten states (lowest, highest, sd), of the last state's logit, and of the logit averaged
over those states: two scores, and the text does not say which is meant.
"""

import numpy as np

from reproductions.ahmed_ch4.intervals import hull
from reproductions.ahmed_ch4.selection import auprs

LOWEST, HIGHEST = "aupr_last_states_min", "aupr_last_states_max"


def has_states(rows) -> bool:
    return bool(rows) and LOWEST in rows[0].metrics


def last_states(records) -> tuple[float, float] | None:
    """Lowest and highest AUPR of the last states of DCGANs, and of the states that count; None for other models."""
    if not has_states(records):
        return None
    ends = [r.metrics[name] for r in records for name in ("aupr", LOWEST, HIGHEST)]
    return min(ends), max(ends)


def states_of_mean(rows) -> tuple[float, float] | None:
    """Mean over the digits ± twice the sd that it has over the last states of each cell, as independent."""
    if not has_states(rows):
        return None
    mean, sds = float(np.mean(auprs(rows))), [r.metrics["aupr_last_states_sd"] for r in rows]
    half = 2 * float(np.sqrt(np.sum(np.square(sds)))) / len(rows)
    return mean - half, mean + half


def states_of_median(rows) -> tuple[float, float] | None:
    """Median over the digits of the cells' lowest states, and of their highest."""
    if not has_states(rows):
        return None
    low, high = (float(np.median([r.metrics[name] for r in rows])) for name in (LOWEST, HIGHEST))
    return low, high


def averaged(rows) -> np.ndarray:
    """AUPR of the DCGAN by the logit averaged over the last states, per cent."""
    return np.array([r.metrics["aupr_logit_averaged"] for r in rows])


def by_both_scores(interval):
    """The outer ends of an interval of several columns, the last of them the DCGAN's by either of its scores."""

    def outer(columns, rows):
        other = [[*columns[:-1], averaged(rows[-1])]] if has_states(rows[-1]) else []
        return hull(*(interval(each, rows) for each in (columns, *other)))

    return outer


def by_both_logits(columns, rows) -> tuple[float, float]:
    """Mean AUPR of the DCGAN by the last state's logit, and by the logit averaged over the last states."""
    return float(np.mean(columns[0])), float(np.mean(averaged(rows[0])))


def both_scores(columns, rows) -> tuple[float, float]:
    """No. 17: the range of the two."""
    ends = [abs(mean - 10.0) for mean in by_both_logits(columns, rows)]
    return min(ends), max(ends)


def both_scores_shown(columns, rows) -> str:
    last, over_states = by_both_logits(columns, rows)
    return (
        f"mean AUPR by the last state's logit {last:.2f}, by the logit averaged over the last states {over_states:.2f}"
    )
