"""Rooms: folders with a `claims.csv`; each brings its claims, how to measure them, and its own tables.

    reproductions/<room>/claims.csv   what the text says (columns in `common.reporting.claims`)
    reproductions/<room>/claims.py    MEASURES: {claim_id: function of the text's records -> Measurement or None};
                                      one with a parameter `results_dir` gets that folder, too, to read scores there
                                      NOT_RUN:  {claim_id: reason}   (optional)
                                      as_at_paper_scale: record -> whether it is trained and measured as at paper scale
                                      (optional), so that it may stand beside records of that scale
    reproductions/<room>/tables.py    make(records, results_dir): writes into <results>/<room>/   (optional)

A room's name is its text's name in the records.
"""

import functools
import importlib
import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import UserError
from common.reporting.claims import Claim, Measurement, load_claims
from common.reporting.fingerprint import ROOT
from common.reporting.records import Record, is_stale, load_all
from common.reporting.verdicts import NOT_RUN, verdict

ROOMS = ROOT / "reproductions"
SCALES = ("paper", "cpu", "smoke")
# What a room's measure or table raises on a record that lacks what it reads, or holds a number it cannot take.
FAULTS = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class Room:
    """One text: where its files stand and what they hold."""

    name: str
    title: str
    claims: list[Claim]
    measures: dict[str, Callable] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    make_tables: Callable | None = None
    as_at_paper_scale: Callable | None = None


@dataclass(frozen=True)
class Row:
    """One claim with its measurement and verdict; `stale` names the modules that changed since."""

    claim: Claim
    measurement: Measurement | None
    verdict: str
    reason: str
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """A room together with its records and rows: all that a page needs."""

    room: Room
    records: list[Record]
    rows: list[Row]


def find_rooms(rooms_dir: str | Path = ROOMS) -> list[Room]:
    """Rooms below a folder, sorted by name.

    Raises:
      UserError: no room at all, a broken claims.csv or claims.py, or measures for claims that do not exist.
    """
    folders = sorted(path.parent for path in Path(rooms_dir).glob("*/claims.csv"))
    if not folders:
        raise UserError(f"no room below {rooms_dir}: a room is a folder with a claims.csv")
    return [_room(folder) for folder in folders]


def _room(folder: Path) -> Room:
    claims = load_claims(folder / "claims.csv")
    module, tables = _module(folder, "claims"), _module(folder, "tables")
    measures, not_run = getattr(module, "MEASURES", {}), getattr(module, "NOT_RUN", {})
    unknown = sorted((set(measures) | set(not_run)) - {claim.claim_id for claim in claims})
    if unknown:
        raise UserError(f"{folder / 'claims.py'} measures claims that claims.csv does not have: {', '.join(unknown)}")
    make, whole = getattr(tables, "make", None), getattr(module, "as_at_paper_scale", None)
    return Room(folder.name, _title(folder), claims, measures, not_run, make, whole)


def _title(folder: Path) -> str:
    """First heading of the room's README, else its name."""
    readme = folder / "README.md"
    lines = readme.read_text(encoding="utf-8").splitlines() if readme.is_file() else []
    return next((line[2:].strip() for line in lines if line.startswith("# ")), folder.name)


def _module(folder: Path, name: str):
    """`<rooms>.<room>.<name>` as a module, or None; rooms outside the repository are loaded by path."""
    path = folder / f"{name}.py"
    if not path.is_file():
        return None
    try:
        if folder.resolve().parent == ROOMS:
            return importlib.import_module(f"reproductions.{folder.name}.{name}")
        spec = importlib.util.spec_from_file_location(f"reproductions_elsewhere.{folder.name}.{name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except (ImportError, SyntaxError) as error:
        raise UserError(f"{path} cannot be imported: {error}") from error


def tell(room: Room, results_dir: str | Path, root: str | Path = ROOT) -> Told:
    """Measure and judge every claim of a room from the records below `results_dir`; those of --set do not count.

    Raises:
      UserError: a damaged record, or a claim whose measure fails or compares what cannot be compared.
    """
    records = [record for record in load_all(results_dir, room.name) if "--set=" not in record.command]
    stale = {kind: is_stale(record, root) for kind, record in {_code(record): record for record in records}.items()}
    return Told(room, records, [_row(room, claim, records, results_dir, stale) for claim in room.claims])


def _code(record: Record) -> tuple:
    """What decides whether a record is stale; hundreds of records share a few."""
    return (record.experiment, repr(record.code))


def _row(room: Room, claim: Claim, records: list[Record], results_dir: str | Path, stale_modules: dict) -> Row:
    measure = with_folder(room.measures.get(claim.claim_id), results_dir)
    try:
        found = best_measurement(measure, records, room.as_at_paper_scale)
        word, reason = verdict(claim, found, room.not_run.get(claim.claim_id, ""))
    except UserError as error:
        raise UserError(f"{room.name}, claim {claim.claim_id}: {error}") from error
    if word == NOT_RUN and not reason and claim.claim_id in room.measures:
        reason = "no records yet"
    stale = sorted({module for record in (found.records if found else ()) for module in stale_modules[_code(record)]})
    return Row(claim, found, word, reason, tuple(stale))


def with_folder(measure: Callable | None, results_dir: str | Path | None) -> Callable | None:
    """The measure, called with records alone: one that reads scores gets the results folder here."""
    if measure is not None and "results_dir" in inspect.signature(measure).parameters:
        return functools.partial(measure, results_dir=results_dir)
    return measure


def best_measurement(measure: Callable | None, records: list[Record], whole: Callable | None = None):
    """The measurement at the largest scale that has numbers: paper before cpu before smoke; else the first reason.

    A measure sees the records of one scale at a time, so that it cannot mix scales by accident; records without a
    scale are tried last. whole: a room's `as_at_paper_scale`; what it is true of stands among those of paper scale,
    too. Returns Measurement or None.
    """
    if measure is None:
        return None
    without = None
    for scale in (*SCALES, ""):
        chosen = [r for r in records if r.scale == scale or (scale == "paper" and whole is not None and whole(r))]
        try:
            found = measure(chosen) if chosen else None
        except FAULTS as error:
            raise UserError(f"its measure failed with {type(error).__name__}: {error}") from error
        if found is not None and (found.values or found.interval):
            return found
        without = without or found
    return without
