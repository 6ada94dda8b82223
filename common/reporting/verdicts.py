"""From claim and measurement to verdict: pure functions, one per kind of claim.

    level      printed within mean ± max(tolerance, 2 spread)            -> holds; within the measurement's interval,
               or where one more training would land, only               -> not separated; else fails
    order      95 % interval of the difference on the printed side of 0  -> holds; on the other side -> fails;
               around 0, or one seed without a reason                    -> not separated
    statement  rule true for every seed and the whole interval           -> holds; for none -> fails;
               mixed, an interval across the threshold, or one seed
               of a number that compares random trainings                -> not separated
    identity   every |value| <= tolerance                                -> identity, else fails

Data that are not the text's (stand-ins) and runs of seconds (scale smoke) never give "holds" for what the text says
about its own data: the best they give is "holds in direction only". An exact measurement needs no long run, so smoke
does not bind it; and smoke binds no statement on the text's own data.

Without a number a claim is "undecided" if runs are there that do not decide it (too short, too few seeds, other sizes:
the reason has what they gave), else "not run".
"""

import math

import numpy as np
from scipy.special import stdtrit

from common.errors import UserError
from common.reporting.claims import Claim, Measurement, parse_rule

HOLDS, DIRECTION, NOT_SEPARATED = "holds", "holds in direction only", "not separated"
FAILS, IDENTITY, UNDECIDED, QUOTED, NOT_RUN = "fails", "identity", "undecided", "quoted", "not run"
VERDICTS = (HOLDS, DIRECTION, NOT_SEPARATED, FAILS, IDENTITY, UNDECIDED, QUOTED, NOT_RUN)
WITHOUT_NUMBER = (UNDECIDED, QUOTED, NOT_RUN)
CONFIDENCE = 0.95
ONE_SEED = "one seed: no order between random trainings"


def verdict(claim: Claim, measurement: Measurement | None, not_run: str = "") -> tuple[str, str]:
    """(verdict, reason) of a claim. `not_run` is the reason shown when there is no measurement.

    Raises:
      UserError: the measurement has another unit than the claim.
    """
    why = measurement.reason if measurement else ""
    if claim.kind == "quoted":
        return QUOTED, not_run or why or "a literature row: the text quotes it, so it is not run"
    if measurement is None or not (measurement.values or measurement.interval):
        return (UNDECIDED, why) if why and not not_run else (NOT_RUN, not_run)
    if measurement.unit and claim.unit and measurement.unit != claim.unit:
        raise UserError(f"claim {claim.claim_id} is printed in {claim.unit} but measured in {measurement.unit}")
    word, why = _RULES[claim.kind](claim, measurement)
    return word, "; ".join(part for part in (why, measurement.reason, *measurement.across.values()) if part)


def t_interval(values: tuple[float, ...], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Student's t interval of the mean, mean ± t_{n-1} sd / sqrt(n), for two or more values."""
    found = Measurement(values)
    half = stdtrit(found.n - 1, (1 + confidence) / 2) * found.spread / math.sqrt(found.n)
    return found.mean - half, found.mean + half


def prediction_interval(values: tuple[float, ...], confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Where one more training lands: mean ± t_{n-1} sd sqrt(1 + 1/n) of n values; None for fewer than two.

    A printed number is one training, too: inside this interval it is no other result than ours. With three trainings
    one more lands outside mean ± 2 sd in about one case of five, so that rule alone would reject too often.
    """
    if len(values) < 2:
        return None
    low, high = t_interval(tuple(values), confidence)  # mean ± t sd / sqrt(n)
    middle, half = (low + high) / 2, (high - low) / 2 * math.sqrt(len(values) + 1)
    return middle - half, middle + half


def pooled_variance(groups) -> tuple[float, int]:
    """(variance, degrees of freedom) of one training, from the repeated trainings of several settings; 0 of freedom if
    no setting [values] has two.
    """
    several = [values for values in groups if len(values) > 1]
    degrees = sum(len(values) - 1 for values in several)
    return sum((len(values) - 1) * float(np.var(values, ddof=1)) for values in several) / max(degrees, 1), degrees


def _level(claim: Claim, found: Measurement) -> tuple[str, str]:
    """Printed number against mean ± max(tolerance, 2 spread); beyond it, against the interval."""
    if found.stand_in or _short(found):
        return _direction_of_level(claim, found)
    if not _finite(found):
        return FAILS, _not_finite(found)
    allowed = max(claim.tolerance, 2 * found.spread)
    off = abs(found.mean - claim.printed_value)
    # Decimal numbers such as 0.1 are not exact in binary; the last bits must neither decide nor show.
    rounding = 1e-9 * max(abs(claim.printed_value), abs(found.mean))
    off = 0.0 if off <= rounding else off
    source = "tolerance" if allowed == claim.tolerance else "twice the spread over seeds"
    compared = f"off by {off:.3g}, allowed {allowed:.3g} ({source})"
    if off <= allowed + rounding:
        return HOLDS, compared
    interval = found.interval or (None if found.exact else prediction_interval(found.values))
    if interval and interval[0] <= claim.printed_value <= interval[1]:
        where = "" if found.interval else ", where one more training would land"
        return NOT_SEPARATED, f"{compared}, but within [{interval[0]:.3g}, {interval[1]:.3g}]{where}"
    return FAILS, compared


def _direction_of_level(claim: Claim, found: Measurement) -> tuple[str, str]:
    """A level away from the text's data: only the direction in its rule can count."""
    why = _limits(found)
    if not claim.rule:
        return NOT_SEPARATED, f"{why}: a level cannot be compared, and the claim states no direction"
    word, compared = _statement_on_own_data(claim, found)
    return (DIRECTION if word == HOLDS else word), f"{why}; direction: {compared}"


def _order(claim: Claim, found: Measurement) -> tuple[str, str]:
    """Sign of a difference."""
    word, compared = _order_on_own_data(claim, found)
    limits = _limits(found) if found.stand_in or _short(found) else ""
    if word == HOLDS and limits:
        word = DIRECTION
    return word, "; ".join(part for part in (compared, limits) if part)


def _order_on_own_data(claim: Claim, found: Measurement) -> tuple[str, str]:
    sign = 1 if claim.rule == ">" else -1
    if not _finite(found):
        return NOT_SEPARATED, _not_finite(found)
    if _one_seed(found):
        return NOT_SEPARATED, ONE_SEED
    if found.interval is None and found.n < 2 and not found.exact:
        return NOT_SEPARATED, "one seed and no interval"
    if found.interval is not None:
        low, high = found.interval
    else:
        low, high = (min(found.values), max(found.values)) if found.exact else t_interval(found.values)
    how = "interval" if found.interval is not None else "exact values" if found.exact else "t interval over seeds"
    compared = f"{how} of the difference [{low:.3g}, {high:.3g}]"
    ends = sign * low, sign * high
    word = HOLDS if min(ends) > 0 else FAILS if max(ends) < 0 else NOT_SEPARATED
    compared += " contains 0" * (word == NOT_SEPARATED)
    if found.n < 2 and found.one_seed_reason:
        compared += f"; one seed: {found.one_seed_reason}"
    return word, compared


def _statement(claim: Claim, found: Measurement) -> tuple[str, str]:
    """A rule on every seed's value and the interval."""
    word, compared = _statement_on_own_data(claim, found)
    if word == HOLDS and found.stand_in:
        word = DIRECTION
    return word, f"{compared}; {_limits(found)}" if found.stand_in else compared


def _statement_on_own_data(claim: Claim, found: Measurement) -> tuple[str, str]:
    region = parse_rule(claim.rule)
    passed = sum(value in region for value in found.values)
    inside = found.interval is None or all(end in region for end in found.interval)
    outside = found.interval is None or region.misses(found.interval)
    compared = f"{passed} of {found.n} value{'s' * (found.n != 1)} {claim.rule}"
    if found.counted:
        compared = f"{'' if passed else 'not '}{claim.rule} over {found.counted} seeds"
    if found.interval is not None:
        compared += f", interval [{found.interval[0]:.3g}, {found.interval[1]:.3g}]"
    if not _finite(found):
        compared += f", {_not_finite(found)}"
    if found.compares and _one_seed(found):
        return NOT_SEPARATED, f"{compared}; {ONE_SEED}"
    if passed == found.n and inside:
        return HOLDS, compared
    if passed == 0 and outside:
        return FAILS, compared
    return NOT_SEPARATED, compared


def _identity(claim: Claim, found: Measurement) -> tuple[str, str]:
    """Algebra, up to rounding."""
    ends = (*found.values, *(found.interval or ()))
    largest = max((abs(value) if not math.isnan(value) else math.inf) for value in ends)
    compared = f"largest difference {largest:.2g}, allowed {claim.tolerance:.2g}"
    return (IDENTITY if largest <= claim.tolerance else FAILS), compared


_RULES = {"level": _level, "order": _order, "statement": _statement, "identity": _identity}


def _one_seed(found: Measurement) -> bool:
    """Whether a number rests on one seed of random trainings, without a reason why that is enough."""
    return found.n < 2 and not (found.exact or found.one_seed_reason)


def _short(found: Measurement) -> bool:
    """A run of seconds says nothing about a trained model; an exact measurement needs no training."""
    return "smoke" in found.scale.split("; ") and not found.exact


def _limits(found: Measurement) -> str:
    parts = [f"stand-in data ({found.stand_in})"] if found.stand_in else []
    return ", ".join(parts + (["smoke scale"] if _short(found) else []))


def _finite(found: Measurement) -> bool:
    return all(math.isfinite(value) for value in (*found.values, *(found.interval or ())))


def _not_finite(found: Measurement) -> str:
    bad = sum(not math.isfinite(value) for value in found.values)
    return f"{bad} of {found.n} values not finite" if bad else "interval not finite"
