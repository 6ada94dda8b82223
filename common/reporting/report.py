"""The report: all claims, tables and figures in one HTML file that needs nothing else.

Style, script and figures are inside the file; it can be mailed, and opened without a network.
"""

import base64
import csv
from pathlib import Path

import jinja2

from common.reporting.figures import caption_of
from common.reporting.pages import (
    collapse,
    counts,
    figure_files,
    hardware,
    measured_text,
    printed_text,
    stale_text,
    table_files,
)
from common.reporting.rooms import Row, Told
from common.reporting.tables import duration
from common.reporting.verdicts import VERDICTS

TEMPLATES = Path(__file__).with_name("templates")


def report_html(told: list[Told], results_dir: str | Path) -> str:
    """The whole report as HTML text; equal records and files give equal text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template("report.html").render(
        css=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        script=(TEMPLATES / "report.js").read_text(encoding="utf-8"),
        verdicts=VERDICTS,
        counts=counts([row for each in told for row in each.rows]),
        texts=[_text(each, Path(results_dir) / each.room.name) for each in told],
    )


def _text(told: Told, folder: Path) -> dict:
    return {
        "name": told.room.name,
        "title": told.room.title,
        "counts": counts(told.rows),
        "run_time": duration(sum(record.seconds for record in told.records)) if told.records else "",
        "hardware": hardware(told.records),
        "runs": len(told.records),
        "rows": [_claim(row) for row in told.rows],
        "figures": [{"caption": caption_of(path), "data": _base64(path)} for path in figure_files(folder)],
        "tables": [_table(path) for path in table_files(folder)],
    }


def _claim(row: Row) -> dict:
    claim, found = row.claim, row.measurement
    return {
        "id": claim.claim_id,
        "where": claim.where,
        "what": claim.what,
        "printed": claim.printed,
        "unit": printed_text(row)[1],
        "printed_value": _sortable(claim.printed_value),
        "measured": measured_text(row),
        "measured_value": _sortable(found.mean if found and found.values else None),
        "n": found.runs if found else 0,
        "scale": found.scale if found else "",
        "verdict": row.verdict,
        "verdict_class": row.verdict.replace(" ", "-"),
        "verdict_rank": VERDICTS.index(row.verdict),
        "reason": row.reason,
        "stale": stale_text(row),
        "commands": collapse(found.commands) if found else (),
    }


def _sortable(value: float | None) -> str:
    return "" if value is None or value != value else repr(value)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _table(path: Path) -> dict:
    page = path.with_suffix(".md")
    title = page.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") if page.is_file() else path.stem
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return {"title": title, "columns": rows[0] if rows else [], "rows": rows[1:]}
