"""Verdicts: every branch of the rules, and properties that no rule may break."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from common.errors import UserError
from common.reporting.claims import COLUMNS, Claim, Measurement, comparable, load_claims, measure, parse_rule
from common.reporting.records import Record
from common.reporting.verdicts import (
    DIRECTION,
    FAILS,
    HOLDS,
    IDENTITY,
    NOT_RUN,
    NOT_SEPARATED,
    QUOTED,
    UNDECIDED,
    prediction_interval,
    t_interval,
    verdict,
)

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
samples = st.lists(numbers, min_size=1, max_size=6).map(tuple)


def claim(kind, printed="10", rule="", tolerance=0.0, **fields) -> Claim:
    made = Claim("c1", "Table 1", "a quantity", "nats", printed, kind, rule, tolerance, "stated", **fields)
    assert made.problem() == ""
    return made


def word(a_claim, *values, **fields) -> str:
    return verdict(a_claim, Measurement(values=values, **fields))[0]


LEVEL = claim("level", tolerance=1.0)
ORDER = claim("order", rule=">")
STATEMENT = claim("statement", rule="> 0.6")


@pytest.mark.parametrize(
    ("a_claim", "values", "fields", "expected"),
    [
        # level: tolerance decides, or twice the spread when that is wider
        (LEVEL, (10.9,), {}, HOLDS),
        (LEVEL, (11.1,), {}, FAILS),
        (LEVEL, (11, 13), {}, HOLDS),  # mean 12, spread 1.41: off by 2, allowed 2.83
        (LEVEL, (11.9, 12, 12.1), {}, FAILS),  # one more training lands within 12 ± .5
        (LEVEL, (11.5, 12, 12.5), {}, NOT_SEPARATED),  # and here within 12 ± 2.48
        (LEVEL, (11.5, 12, 12.5), {"exact": True}, FAILS),  # no training, so no other one
        (LEVEL, (11.5, 12, 12.5), {"interval": (11, 13)}, FAILS),  # the measurement's own interval goes before
        (LEVEL, (12, 14), {}, NOT_SEPARATED),  # off by 3, allowed 2.83: the larger of the two, not their sum
        (LEVEL, (10, math.nan), {}, FAILS),
        # level outside the tolerance: the measurement's own interval does not decide against a number in it
        (LEVEL, (12,), {"interval": (9.5, 12.5)}, NOT_SEPARATED),
        (LEVEL, (12,), {"interval": (10, 12.5)}, NOT_SEPARATED),
        (LEVEL, (8,), {"interval": (7, 10)}, NOT_SEPARATED),
        (LEVEL, (12,), {"interval": (10.1, 12.5)}, FAILS),
        (LEVEL, (8,), {"interval": (7, 9.9)}, FAILS),
        (LEVEL, (10.9,), {"interval": (10.8, 11)}, HOLDS),  # within the tolerance, whatever the interval
        (LEVEL, (12,), {"interval": (9.5, math.inf)}, FAILS),
        (claim("level", printed="0.3", tolerance=0.0), (0.1 + 0.2,), {}, HOLDS),  # rounding does not decide
        (claim("level", printed="~1,000 %"), (1000,), {}, HOLDS),
        # level on stand-in data or at smoke scale: never "holds"
        (LEVEL, (10,), {"stand_in": "half size"}, NOT_SEPARATED),
        (LEVEL, (10,), {"scale": "smoke"}, NOT_SEPARATED),
        (LEVEL, (10,), {"scale": "smoke", "exact": True}, HOLDS),
        (claim("level", rule="> 8"), (10,), {"stand_in": "half size"}, DIRECTION),
        (claim("level", rule="> 8"), (10,), {"scale": "smoke"}, DIRECTION),
        (claim("level", rule="> 8"), (7, 9), {"stand_in": "half size"}, NOT_SEPARATED),
        (claim("level", rule="> 8"), (7, 6), {"stand_in": "half size"}, FAILS),
        # order
        (ORDER, (1.0, 1.1, 0.9), {}, HOLDS),
        (ORDER, (-1.0, -1.1, -0.9), {}, FAILS),
        (ORDER, (1.0, -0.5, 0.2), {}, NOT_SEPARATED),
        (ORDER, (1.0, 1.1), {"interval": (0.2, 2)}, HOLDS),
        (ORDER, (1.0, 1.1), {"interval": (-0.2, 2)}, NOT_SEPARATED),
        (ORDER, (1.0, 1.1), {"interval": (0.0, 2)}, NOT_SEPARATED),
        (ORDER, (-1.0, -1.1), {"interval": (-2, -0.1)}, FAILS),
        (ORDER, (1.0,), {"interval": (0.5, 2)}, NOT_SEPARATED),  # one seed
        (ORDER, (1.0,), {"interval": (0.5, 2), "one_seed_reason": "no training"}, HOLDS),
        (ORDER, (1.0,), {"one_seed_reason": "no training"}, NOT_SEPARATED),  # and no interval
        (ORDER, (1.0,), {"exact": True}, HOLDS),
        (ORDER, (0.0,), {"exact": True}, NOT_SEPARATED),
        (ORDER, (1.0, -1.0), {"exact": True}, NOT_SEPARATED),
        (ORDER, (1.0, math.nan, 2.0), {}, NOT_SEPARATED),
        (ORDER, (1.0, 1.1, 0.9), {"stand_in": "half size"}, DIRECTION),
        (ORDER, (1.0, 1.1, 0.9), {"scale": "smoke"}, DIRECTION),
        (ORDER, (-1.0, -1.1, -0.9), {"stand_in": "half size"}, FAILS),
        (ORDER, (0.0, 0.0), {}, NOT_SEPARATED),
        # statement
        (STATEMENT, (0.7, 0.8), {}, HOLDS),
        (STATEMENT, (0.5, 0.6), {}, FAILS),
        (STATEMENT, (0.5, 0.7), {}, NOT_SEPARATED),
        (STATEMENT, (0.7, math.nan), {}, NOT_SEPARATED),
        (STATEMENT, (math.nan,), {}, FAILS),
        (STATEMENT, (0.7,), {"interval": (0.55, 0.8)}, NOT_SEPARATED),
        (STATEMENT, (0.7,), {"interval": (0.61, 0.8)}, HOLDS),
        (STATEMENT, (0.5,), {"interval": (0.4, 0.6)}, FAILS),  # "> 0.6" does not accept 0.6
        (STATEMENT, (0.5,), {"interval": (0.4, 0.7)}, NOT_SEPARATED),
        # statement on a number that compares random trainings: one seed settles it neither way
        (STATEMENT, (0.7,), {"compares": True}, NOT_SEPARATED),
        (STATEMENT, (0.5,), {"compares": True}, NOT_SEPARATED),
        (STATEMENT, (0.7, 0.8), {"compares": True}, HOLDS),
        (STATEMENT, (0.7,), {"compares": True, "exact": True}, HOLDS),
        (STATEMENT, (0.7,), {"compares": True, "one_seed_reason": "no training"}, HOLDS),
        (STATEMENT, (0.7,), {"compares": True, "stand_in": "half size"}, NOT_SEPARATED),
        # a share that counts runs: its interval decides
        (STATEMENT, (1.0,), {"counted": 3, "interval": (0.29, 1)}, NOT_SEPARATED),
        (STATEMENT, (1.0,), {"counted": 8, "interval": (0.63, 1)}, HOLDS),
        (claim("statement", rule="< 0.6"), (0.7,), {"interval": (0.6, 0.8)}, FAILS),
        (claim("statement", rule="<= 0.6"), (0.7,), {"interval": (0.6, 0.8)}, NOT_SEPARATED),
        (STATEMENT, (0.7,), {"stand_in": "half size"}, DIRECTION),
        (claim("statement", rule=">= 0.8 and <= 1.2"), (0.8, 1.2), {}, HOLDS),
        (claim("statement", rule=">= 0.8 and <= 1.2"), (0.7, 1.3), {}, FAILS),
        (claim("statement", rule=">= 0.8 and <= 1.2"), (1.0,), {"interval": (0.7, 1.3)}, NOT_SEPARATED),
        (claim("statement", rule="== 0"), (0.0, 0.0), {}, HOLDS),
        # identity
        (claim("identity", tolerance=1e-5), (1e-6, -1e-5), {}, IDENTITY),
        (claim("identity", tolerance=1e-5), (1e-6, -2e-5), {}, FAILS),
        (claim("identity", tolerance=1e-5), (math.nan,), {}, FAILS),
        # nothing measured
        (claim("quoted", printed="<=80.97"), (), {}, QUOTED),
        (LEVEL, (), {}, NOT_RUN),
        (LEVEL, (), {"reason": "too short"}, UNDECIDED),
        (ORDER, (), {"reason": "too short"}, UNDECIDED),
        (LEVEL, (), {"text": "12 after 3,000 iterations"}, NOT_RUN),  # without a reason nothing was said
    ],
)
def test_every_branch(a_claim, values, fields, expected):
    found, reason = verdict(a_claim, Measurement(values=values, **fields))
    assert found == expected, reason


def test_reasons_are_said():
    assert verdict(LEVEL, None, "needs 200,000 faces") == (NOT_RUN, "needs 200,000 faces")
    assert verdict(LEVEL, None) == (NOT_RUN, "")
    assert verdict(LEVEL, Measurement(reason="measured 12; too short")) == (UNDECIDED, "measured 12; too short")
    assert verdict(LEVEL, Measurement(reason="too short"), "needs 200,000 faces") == (NOT_RUN, "needs 200,000 faces")
    compared = "off by 2, allowed 1 (tolerance)"
    assert verdict(LEVEL, Measurement((12.0,), interval=(9.5, 13)))[1] == f"{compared}, but within [9.5, 13]"
    assert verdict(LEVEL, Measurement((12.0,), interval=(11, 13)))[1] == compared
    reason = verdict(LEVEL, Measurement((12.5,), reason="one tenth of the steps"))[1]
    assert reason == "off by 2.5, allowed 1 (tolerance); one tenth of the steps"
    assert "half size" in verdict(ORDER, Measurement((1.0, 1.1), stand_in="half size"))[1]
    ends = {(1, 2): "[1, 2]; one seed: no training", (-1, 2): "[-1, 2] contains 0; one seed: no training"}
    for interval, said in ends.items():
        assert verdict(ORDER, Measurement((1.0,), interval=interval, one_seed_reason="no training"))[1].endswith(said)
    assert "on purpose" in verdict(LEVEL, Measurement((10.0,), across={"evaluator": "on purpose"}))[1]


def test_units_must_agree():
    with pytest.raises(UserError, match="printed in nats but measured in bits"):
        verdict(LEVEL, Measurement((10.0,), unit="bits"))


def test_prediction_interval_covers_one_more_draw():
    """19 of 20 times, which the interval of the mean does not."""
    draws = np.random.default_rng(0).normal(3, 2, (4_000, 4))
    ends = np.array([prediction_interval(tuple(each[:3])) for each in draws])
    inside = np.mean((ends[:, 0] <= draws[:, 3]) & (draws[:, 3] <= ends[:, 1]))
    assert inside == pytest.approx(0.95, abs=0.015)
    assert prediction_interval((1.0,)) is None


@given(samples, numbers, st.floats(0, 1e3), st.floats(0, 1e3))
def test_a_wider_tolerance_never_breaks_a_level(values, printed, tolerance, more):
    narrow, wide = (claim("level", repr(printed), tolerance=t) for t in (tolerance, tolerance + more))
    if word(narrow, *values) == HOLDS:
        assert word(wide, *values) == HOLDS


@given(
    samples, st.booleans(), st.booleans(), st.none() | st.tuples(numbers, numbers), st.sampled_from(["", "one draw"])
)
def test_turning_the_difference_turns_the_verdict(values, exact, printed_more, interval, one_seed):
    interval = tuple(sorted(interval)) if interval else None
    turned = (-interval[1], -interval[0]) if interval else None
    a_claim = claim("order", rule=">" if printed_more else "<")
    one = word(a_claim, *values, interval=interval, exact=exact, one_seed_reason=one_seed)
    other = word(a_claim, *(-v for v in values), interval=turned, exact=exact, one_seed_reason=one_seed)
    assert other == {HOLDS: FAILS, FAILS: HOLDS, NOT_SEPARATED: NOT_SEPARATED}[one]


@given(samples, st.sampled_from(["level", "order", "statement"]), numbers, st.booleans(), st.booleans())
def test_a_stand_in_never_holds(values, kind, threshold, exact, direction):
    rule = {"order": ">", "statement": f"> {threshold!r}", "level": f"> {threshold!r}" if direction else ""}[kind]
    a_claim = claim(kind, printed=repr(values[0]), rule=rule, tolerance=1e9)
    assert word(a_claim, *values, stand_in="other faces", exact=exact) != HOLDS
    if kind != "statement":
        assert word(a_claim, *values, scale="smoke") != HOLDS


@given(samples, numbers)
def test_a_statement_and_its_opposite_never_both_hold(values, threshold):
    words = {word(claim("statement", rule=f"{sign} {threshold!r}"), *values) for sign in (">", "<=")}
    assert words in ({HOLDS, FAILS}, {NOT_SEPARATED})


@given(st.lists(numbers, min_size=1, max_size=1).map(tuple), st.none() | st.tuples(numbers, numbers))
def test_one_seed_never_orders_random_trainings(values, interval):
    assert word(ORDER, *values, interval=tuple(sorted(interval)) if interval else None) == NOT_SEPARATED


def test_a_share_says_over_how_many_seeds_it_counts():
    found = Measurement((1 / 3,), counted=3, interval=(0, 0.9))
    assert verdict(STATEMENT, found)[1] == "not > 0.6 over 3 seeds, interval [0, 0.9]"
    assert (found.n, found.runs, Measurement((1.0, 2.0)).runs) == (1, 3, 2)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8).map(tuple))
def test_t_interval_agrees_with_scipy(values):
    spread = Measurement(values).spread
    assume(spread > 1e-6)
    expected = stats.t.interval(0.95, len(values) - 1, stats.tmean(values), stats.sem(values))
    assert t_interval(values) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(numbers, numbers, numbers)
def test_rules_agree_with_python(low, high, value):
    assume(low < high)
    for opening, closing in ((">", "<"), (">=", "<="), (">", "<="), (">=", "<")):
        expected = eval(f"{value!r} {opening} {low!r} and {value!r} {closing} {high!r}")
        assert (value in parse_rule(f"{opening} {low!r} and {closing} {high!r}")) == expected
        assert (value in parse_rule(f"{closing} {high!r} and {opening} {low!r} and {opening} {low - 1!r}")) == expected


@pytest.mark.parametrize("rule", ["", "about 5", "> x", ">5 or <3", "> 5 and < 5", "> 5 and < 3", "5"])
def test_rules_that_mean_nothing_are_refused(rule):
    with pytest.raises(UserError):
        parse_rule(rule)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("a,T1,x,nats,1.0,levle,,,,", "kind"),
        ("a,T1,x,nats,many,level,,1,rounding,", "number"),
        ("a,T1,x,nats,1,level,,1,,", "why_tolerance"),
        ("a,T1,x,nats,1,level,,-1,why,", "tolerance"),
        ("a,T1,x,nats,1,level,,wide,why,", "tolerance"),
        ("a,T1,x,nats,1,order,> 3,,,", "order"),
        ("a,T1,x,nats,1,statement,,,,", "rule"),
        ("a,T1,x,nats,1,statement", "fields"),
        ("a,T1,x,nats,1,quoted,,,,\na,T1,x,nats,1,quoted,,,,", "unique"),
    ],
)
def test_broken_claims_are_named(tmp_path, row, complaint):
    path = tmp_path / "claims.csv"
    path.write_text(",".join(COLUMNS) + "\n" + row + "\n")
    with pytest.raises(UserError, match=complaint) as error:
        load_claims(path)
    assert "claims.csv row" in str(error.value)


def record(name, **fields) -> Record:
    data = {"binarisation": "dynamic", "split": "test", "stand_in": ""} | fields.pop("data", {})
    return Record("toy", "ood", name, {"scale": fields.pop("scale", "cpu")}, {"nll": 1.0}, data, **fields)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("binarisation", {"data": {"binarisation": "fixed"}}),
        ("split", {"data": {"split": "train"}}),
        ("evaluator", {"evaluator": "IWAE-5000"}),
        ("scale", {"scale": "smoke"}),
    ],
)
def test_unlike_records_are_not_compared(field, change):
    pair = [record("a"), record("b", **change)]
    with pytest.raises(UserError, match=field):
        comparable(pair)
    with pytest.raises(UserError, match=field):
        measure(pair, "nll")
    comparable([pair[0], pair[0]])
    assert measure(pair, "nll", across={field: "the claim is about it"}).values == (1.0, 1.0)


def test_measure_fills_in_what_the_records_say():
    pair = [record("a", command="run 1", data={"stand_in": "half size"}), record("b", command="run 2")]
    found = measure(pair, lambda one: 2 * one.metrics["nll"], reason="short")
    assert (found.values, found.commands, found.scale) == ((2.0, 2.0), ("run 1", "run 2"), "cpu")
    assert (found.stand_in, found.binarisation, found.reason) == ("half size", "dynamic", "short")
    assert measure(pair, [5]).values == (5.0,)
    assert measure([], "nll") is None
    with pytest.raises(UserError, match="no metric 'aupr'"):
        measure(pair, "aupr")
