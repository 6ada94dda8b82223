"""Claims and measurements: what a text says, and what the records say about it.

A room's `claims.csv` has one row per printed number or sentence:

    claim_id,where,what,unit,printed,kind,rule,tolerance,why_tolerance,settings

    kind       printed          rule                    tolerance
    level      a number         "" or a direction (*)   half-width that still counts as the same, with its reason
    order      anything         ">" or "<"              -      (sign of the difference the text prints)
    statement  anything         "> 0.6", "<= 5",        -
                                ">= 0.8 and <= 1.2"
    identity   anything         -                       largest |value| that rounding explains
    quoted     anything         -                       -      (a literature row: never run)

(*) A level measured on stand-in data cannot hold; its rule, if any, says which direction would still count.
"""

import csv
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.errors import UserError
from common.reporting.records import Record, lookup

KINDS = ("level", "order", "statement", "identity", "quoted")
COLUMNS = (
    "claim_id", "where", "what", "unit", "printed", "kind", "rule", "tolerance", "why_tolerance", "settings",
)  # fmt: skip
SAME_WITHIN_A_CLAIM = ("binarisation", "split", "evaluator", "scale")
_NUMBER = re.compile(r"[~≈<>=≤≥ ]*([-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?) ?%?", re.IGNORECASE)
_COMPARISON = re.compile(r"(>=|<=|==|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)", re.IGNORECASE)


@dataclass(frozen=True)
class Region:
    """The values a rule accepts: an interval, each end open or closed."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below

    def misses(self, interval: tuple[float, float]) -> bool:
        """True if no value of the closed `interval` is accepted."""
        low, high = interval
        under = high <= self.low if self.low_open else high < self.low
        over = low >= self.high if self.high_open else low > self.high
        return under or over


def parse_rule(rule: str) -> Region:
    """Region of a rule such as "> 0.6" or ">= 0.8 and <= 1.2".

    Raises:
      UserError: not comparisons with numbers, or no number can satisfy them.
    """
    region = Region()
    for part in rule.split(" and "):
        found = _COMPARISON.fullmatch(part.strip())
        if not found:
            raise UserError(f"rule '{rule}' is not understood: write '> 0.6', '<= 5' or '>= 0.8 and <= 1.2'")
        sign, value = found[1], float(found[2])
        if sign in (">", ">=", "=="):  # of two lower ends the higher counts, and at a tie the open one
            low, low_open = max((region.low, region.low_open), (value, sign == ">"))
            region = replace(region, low=low, low_open=low_open)
        if sign in ("<", "<=", "=="):
            high, closed = min((region.high, not region.high_open), (value, sign != "<"))
            region = replace(region, high=high, high_open=not closed)
    if region.low > region.high or (region.low == region.high and (region.low_open or region.high_open)):
        raise UserError(f"rule '{rule}' accepts no number")
    return region


@dataclass(frozen=True)
class Claim:
    """One printed number or sentence. `tolerance` has the unit of `printed`."""

    claim_id: str
    where: str
    what: str
    unit: str
    printed: str
    kind: str
    rule: str = ""
    tolerance: float = 0.0
    why_tolerance: str = ""
    settings: str = ""

    @property
    def printed_value(self) -> float | None:
        """The printed number without signs such as "~", "<=" or "%"; None if what is printed is no number."""
        found = _NUMBER.fullmatch(self.printed.strip())
        return float(found[1].replace(",", "")) if found else None

    def problem(self) -> str:
        """What is wrong with the row, or ""."""
        if self.kind not in KINDS:
            return f"kind '{self.kind}' is none of {', '.join(KINDS)}"
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            return f"tolerance {self.tolerance} is no size"
        if self.kind == "level" and self.printed_value is None:
            return f"a level needs a number in 'printed', not '{self.printed}'"
        if self.kind in ("level", "identity") and self.tolerance > 0 and not self.why_tolerance:
            return "a tolerance needs its reason in 'why_tolerance'"
        if self.kind == "order" and self.rule not in (">", "<"):
            return f"an order needs the rule '>' or '<', not '{self.rule}'"
        if self.kind == "statement" or (self.kind == "level" and self.rule):
            try:
                parse_rule(self.rule)
            except UserError as error:
                return str(error)
        return ""


def load_claims(path: str | Path) -> list[Claim]:
    """Claims of a `claims.csv`, in its order.

    Raises:
      UserError: the file cannot be read, lacks a column, repeats a claim_id, or a row breaks the table above.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path} lacks the columns {', '.join(missing)}")
            rows = list(reader)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    claims, seen = [], set()
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise UserError(f"{path} row {line} has too few or too many fields: quote those that hold a comma")
        values = {name: row[name].strip() for name in COLUMNS}
        try:
            claim = Claim(**values | {"tolerance": float(values["tolerance"] or 0)})
        except ValueError as error:
            raise UserError(f"{path} row {line}: tolerance '{values['tolerance']}' is no number") from error
        problem = "claim_id is not unique" if claim.claim_id in seen else claim.problem()
        if problem:
            raise UserError(f"{path} row {line}, claim {claim.claim_id or '(no id)'}: {problem}")
        seen.add(claim.claim_id)
        claims.append(claim)
    return claims


@dataclass(frozen=True)
class Measurement:
    """What the records say about one claim.

    Attributes:
      values: one per seed or run (for an order: the difference whose sign the text prints).
      text: shown beside or instead of the number.
      interval: 95 % interval of the difference or estimate (paired bootstrap), or None.
      unit: "" means the claim's unit.
      stand_in: "" or one sentence why the data are not the text's.   scale: smoke, cpu or paper.
      one_seed_reason: why one seed is enough here.   reason: why it fails, is short, or differs.
      commands: lines that repeat the runs.   binarisation: of the data.
      exact: deterministic, no spread between seeds.
      compares: a statement's number sets random trainings against each other, so one seed settles it no more than an
        order.   counted: how many runs a share counts, where that is one value of several runs.
      records: the records used; `across`: {field: why} for fields in which they differ on purpose.
    """

    values: tuple[float, ...] = ()
    text: str = ""
    interval: tuple[float, float] | None = None
    unit: str = ""
    stand_in: str = ""
    scale: str = ""
    one_seed_reason: str = ""
    reason: str = ""
    commands: tuple[str, ...] = ()
    binarisation: str = ""
    exact: bool = False
    compares: bool = False
    counted: int = 0
    records: tuple[Record, ...] = ()
    across: dict[str, str] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def runs(self) -> int:
        """How many seeds or runs the values stand for, as pages show it."""
        return self.counted or self.n

    @property
    def mean(self) -> float:
        """Mean over seeds; NaN without values."""
        return math.fsum(self.values) / self.n if self.n else math.nan

    @property
    def spread(self) -> float:
        """Sample standard deviation over seeds; 0 for fewer than two."""
        if self.n < 2:
            return 0.0
        mean = self.mean
        return math.sqrt(math.fsum((value - mean) ** 2 for value in self.values) / (self.n - 1))


def comparable(records: Sequence[Record], across: dict[str, str] | None = None) -> None:
    """Refuse records that differ in binarisation, split, evaluator or scale.

    Args:
      across: {field: why} for the fields that the claim itself varies (dynamic against fixed binarisation).

    Raises:
      UserError: naming the field, two values and a record for each.
    """
    for name in SAME_WITHIN_A_CLAIM:
        seen = {}
        for record in records:
            seen.setdefault(lookup(record, name, ""), record.name)
        if len(seen) > 1 and name not in (across or {}):
            (first, a), (second, b) = list(seen.items())[:2]
            raise UserError(
                f"records differ in {name}: '{first}' ({a}) against '{second}' ({b}); compare like with like, or say "
                f"why with across={{'{name}': ...}}"
            )


def measure(
    records: Sequence[Record], value: str | Callable[[Record], float] | Sequence[float], **fields
) -> Measurement | None:
    """A measurement from records: values, commands, stand-in, scale and binarisation filled in; None without records.

    Args:
      records: all records used, each once.
      value: a metric's name or a function of a record (one value per record), or the values themselves
        (per seed, when several records make one value).
      **fields: any other field of `Measurement`.

    Raises:
      UserError: records that are not `comparable`, or a metric they do not have.
    """
    records = tuple(records)
    if not records:
        return None
    comparable(records, fields.get("across"))
    if isinstance(value, str):
        missing = [record.name for record in records if value not in record.metrics]
        if missing:
            raise UserError(f"record {missing[0]} has no metric '{value}'; run its command again")
        values = [record.metrics[value] for record in records]
    else:
        values = [value(record) for record in records] if callable(value) else value
    found = {
        "values": tuple(float(each) for each in values),
        "stand_in": _joined(record.stand_in for record in records),
        "scale": _joined(record.scale for record in records),
        "binarisation": _joined(record.binarisation for record in records),
        "commands": tuple(dict.fromkeys(record.command for record in records if record.command)),
        "records": records,
    }
    return Measurement(**found | fields)


def _joined(parts) -> str:
    return "; ".join(sorted({part for part in parts if part}))
