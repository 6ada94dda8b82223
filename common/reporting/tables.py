"""Tables as CSV and Markdown, the same bytes for the same rows."""

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import UserError
from common.reporting.claims import Measurement
from common.reporting.files import write_atomic


@dataclass(frozen=True)
class Table:
    """A titled table. Cells are text, numbers or None (empty); `notes` are sentences below it."""

    title: str
    columns: list[str]
    rows: list[list]
    notes: list[str] = field(default_factory=list)

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.columns):
                raise UserError(f"table '{self.title}': row {row} has {len(row)} cells for {len(self.columns)} columns")

    def csv(self) -> str:
        """The rows with full numbers (10 significant digits), for machines."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_full(cell) for cell in row] for row in self.rows)
        return text.getvalue()

    def markdown(self, heading: str = "#") -> str:
        """Heading, table with numbers right-aligned and rounded to 4 significant digits, notes."""
        numeric = [any(_is_number(row[i]) for row in self.rows) for i in range(len(self.columns))]
        lines = [f"{heading} {self.title}", ""] if self.title else []
        lines.append(_line(self.columns))
        lines.append("|" + "|".join("--:" if right else "---" for right in numeric) + "|")
        lines += [_line([short(cell) if _is_number(cell) else cell for cell in row]) for row in self.rows]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"

    def write(self, stem: str | Path) -> None:
        """Write `<stem>.csv` and `<stem>.md` atomically."""
        write_atomic(f"{stem}.csv", self.csv())
        write_atomic(f"{stem}.md", self.markdown())


def short(value: float, digits: int = 4) -> str:
    """A number with so many significant digits, plain where it can be: 33.85, 0.0003123, 1.2e-07, 2844844."""
    value = float(value)
    if not math.isfinite(value):
        return str(value)
    if value == round(value) and abs(value) < 1e9:
        return str(round(value))
    size = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return f"{value:.{digits}g}" if size < -5 or size >= 9 else f"{value:.{max(digits - 1 - size, 0)}f}"


def with_spread(mean: float, spread: float) -> str:
    """ "33.85 ± 0.52": the spread with two significant digits, the mean to the same place."""
    if not (math.isfinite(spread) and math.isfinite(mean)) or spread <= 1e-12 * abs(mean):  # equal but for rounding
        return short(mean)
    places = 1 - int(f"{spread:.1e}".partition("e")[2])  # of the rounded spread: 0.0999… counts as 0.10
    if places > 8 or abs(mean) >= 1e9:
        return f"{mean:.4g} ± {spread:.2g}"
    places = max(places, 0)
    return f"{mean:.{places}f} ± {spread:.{places}f}"


def where_trained(records) -> dict[str, str]:
    """{"a CPU": "seeds 2, 3 on a CPU", ...}: the seeds of each machine that trained."""
    seeds = {}
    for record in records:
        seeds.setdefault(record.machine.get("trained_on") or "a CPU", set()).add(record.seed)
    return {at: f"seed{'s' * (len(s) > 1)} {', '.join(map(str, sorted(s)))} on {at}" for at, s in seeds.items()}


def over_seeds(records, metric: str) -> str | None:
    """A metric's mean over the records of some seeds with its spread; None where none has it. NaN is "not measured"."""
    values = [r.metrics[metric] for r in records if metric in r.metrics]
    found = Measurement(tuple(value for value in values if not math.isnan(value)))
    return with_spread(found.mean, found.spread) if found.values else None


def duration(seconds: float) -> str:
    """Wall time for people: 41 s, 12 min, 3.4 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def escape(text) -> str:
    """Text that stays inside a Markdown table cell and starts no HTML."""
    text = "" if text is None else str(text)
    for mark, safe in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("\r", ""), ("\n", " ")):
        text = text.replace(mark, safe)
    return text


def _line(cells) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"


def _is_number(cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _full(cell):
    return f"{cell:.10g}" if isinstance(cell, float) else "" if cell is None else cell
