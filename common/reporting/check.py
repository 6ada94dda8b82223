"""The checker: is what stands in a results folder still what the records say?"""

import hashlib
import tempfile
from collections import Counter
from pathlib import Path

from common.data import sources
from common.errors import UserError
from common.reporting.claims import comparable
from common.reporting.files import sha256
from common.reporting.fingerprint import ROOT
from common.reporting.pages import replace_overview, write_pages
from common.reporting.records import Record, load, record_files
from common.reporting.rooms import Room, Told, find_rooms, tell
from common.reporting.verdicts import NOT_RUN, WITHOUT_NUMBER

COMPARED = (".md", ".csv")  # byte for byte; drawings may differ in the last pixel between Matplotlib versions


def check(
    results_dir: str | Path, rooms_dir: str | Path, root: str | Path = ROOT, readme: str | Path | None = None
) -> tuple[list[str], list[str]]:
    """(failures, warnings), each a readable line.

    Failures: a record that does not load, a file that is missing or has another SHA-256, a claim with neither verdict
    nor reason, a measure that fails or mixes binarisation, split, evaluator or scale, a table that fails or regenerates
    differently, a table or drawing that no room writes any more, records of one data set with different pixels.
    Warnings: stale rows, records of no room, records of other images than lie here now, claims whose measurement names
    no records, changed drawings.
    """
    results_dir = Path(results_dir)
    failures, warnings, records = [], [], []
    for path in record_files(results_dir):
        try:
            record = load(path)
        except UserError as error:
            failures.append(str(error))
            continue
        records.append(record)
        failures += _misplaced(record, path, results_dir) + _changed_files(record, results_dir)
    failures += _other_pixels(records)
    try:
        rooms = find_rooms(rooms_dir)
    except UserError as error:
        return [*failures, str(error)], warnings
    homeless = Counter(record.text for record in records if record.text not in {room.name for room in rooms})
    warnings += [f"{count} records of '{text}', which has no room" for text, count in sorted(homeless.items())]
    blind = Counter(record.text for record in records if not record.code.get("fingerprint"))
    warnings += [
        f"{count} records of '{text}' without a code fingerprint may be stale" for text, count in blind.items()
    ]
    warnings += _replaced(records)
    if failures:
        return [*failures, "the tables were not compared: mend the records first"], warnings
    told = _tell_all(rooms, results_dir, root, failures)
    for each in told:
        failures += _unexplained(each)
        warnings += _stale(each) + _unnamed(each)
    if len(told) == len(rooms):
        differing, drawings = _regenerated(told, results_dir)
        failures += differing + (_readme(told, Path(readme)) if readme else [])
        warnings += drawings
    return failures, warnings


def _misplaced(record: Record, path: Path, results_dir: Path) -> list[str]:
    expected = record.path(results_dir)
    return [] if path == expected else [f"{path} belongs at {expected}: move it"]


def _other_pixels(records: list[Record]) -> list[str]:
    """A data set's name stands for its pixels: a loader that changes them must not go unseen."""
    seen = {}
    for record in records:
        name, pixels = record.data.get("name", ""), record.data.get("fingerprint", "")
        seen.setdefault(name, {}).setdefault(pixels, f"{record.text}/{record.experiment}/{record.name}")
    return [
        f"records of data set '{name}' have different pixels: {', '.join(map(str, found.values()))}; run those of the "
        "older loader again"
        for name, found in sorted(seen.items()) if len(found) > 1
    ]  # fmt: skip


def _replaced(records: list[Record]) -> list[str]:
    """Records whose data set's name stands for other images here now: a pack gave way to the whole set, or to more.

    A command takes such a record for its own, for it asks for no images before it runs. Only what is known without
    reading a set anew is compared; folders of images, the commands compare themselves.
    """
    lines = []
    for name in sorted({record.data.get("name", "") for record in records} & set(sources.NAMES)):
        try:
            here = sources.known(name)
        except UserError:  # no such data folder, or a pack that cannot be read: whoever runs it is told
            continue
        of_name = [record.data for record in records if record.data.get("name") == name]
        other = sum(any(data.get(field, now) != now for field, now in here.items()) for data in of_name)
        if other:
            lines.append(
                f"{other} record{'s' * (other > 1)} of data set '{name}' were made with other images than lie here "
                "now: give their commands again with --rerun"
            )
    return lines


def _changed_files(record: Record, results_dir: Path) -> list[str]:
    lines = []
    for label in sorted({*record.files, *record.sha256}):
        where = f"record {record.text}/{record.experiment}/{record.name}: file '{label}'"
        path = results_dir / record.files.get(label, "")
        if label not in record.files or label not in record.sha256:
            lines.append(f"{where} lacks its {'path' if label not in record.files else 'sha256'}")
        elif not path.is_file():
            lines.append(f"{where} is missing: {path}; give its command again with --rerun")
        elif sha256(path) != record.sha256[label]:
            lines.append(f"{where} has another SHA-256 than recorded: {path}")
    return lines


def _tell_all(rooms: list[Room], results_dir: Path, root: str | Path, failures: list[str]) -> list[Told]:
    told = []
    for room in rooms:
        try:
            told.append(tell(room, results_dir, root))
        except UserError as error:
            failures.append(str(error))
    return told


def _unexplained(told: Told) -> list[str]:
    lines = []
    for row in told.rows:
        where = f"{told.room.name}, claim {row.claim.claim_id}"
        if row.verdict == NOT_RUN and not row.reason:
            lines.append(f"{where}: no measurement and no reason; add it to MEASURES or NOT_RUN in claims.py")
        if row.measurement is not None:
            try:
                comparable(row.measurement.records, row.measurement.across)
            except UserError as error:
                lines.append(f"{where}: {error}")
    return lines


def _stale(told: Told) -> list[str]:
    """One line per set of changed modules, however many claims it touches."""
    groups = {}
    for row in told.rows:
        if row.stale:
            groups.setdefault(row.stale, []).append(row.claim.claim_id)
    return [
        f"{told.room.name}: stale: {', '.join(modules)} changed; claims {', '.join(claims)}"
        for modules, claims in groups.items()
    ]


def _unnamed(told: Told) -> list[str]:
    measured = [row for row in told.rows if row.measurement is not None and row.verdict not in WITHOUT_NUMBER]
    unnamed = [row.claim.claim_id for row in measured if not row.measurement.records]
    if not unnamed:
        return []
    return [f"{told.room.name}: measurements that name no records, so nothing was compared: {', '.join(unnamed)}"]


def _regenerated(told: list[Told], results_dir: Path) -> tuple[list[str], list[str]]:
    """Write all pages again where there are only records and scores, and compare; (failures, warnings)."""
    names = sorted(each.room.name for each in told)
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "results"
        fresh.mkdir()
        for path in sorted(results_dir.iterdir()) if results_dir.is_dir() else ():
            if path.is_dir() and path.name not in names:  # records and scores: read, never written
                (fresh / path.name).symlink_to(path.resolve(), target_is_directory=True)
        try:
            write_pages(told, fresh)
        except UserError as error:
            return [str(error)], []
        written = _files(fresh, names)
        changed = [name for name in written if _digest(fresh / name) != _digest(results_dir / name)]
    advice = "write it again, ./run_all.sh tables"
    failures = [f"{name} is not what the records give: {advice}" for name in changed if name.endswith(COMPARED)]
    left_over = [name for name in _files(results_dir, names) if name not in written]
    failures += [f"{results_dir / name} is written by nothing; delete it" for name in left_over]
    return failures, [f"{name} is drawn differently now" for name in changed if not name.endswith(COMPARED)]


def _files(results_dir: Path, texts: list[str]) -> list[str]:
    """The overview and all files of the texts' pages, tables and figures, sorted, relative to the results folder."""
    found = [results_dir / "README.md", *(path for text in texts for path in (results_dir / text).rglob("*"))]
    return sorted(path.relative_to(results_dir).as_posix() for path in found if path.is_file())


def _readme(told: list[Told], readme: Path) -> list[str]:
    try:
        text = readme.read_text(encoding="utf-8")
        fresh = replace_overview(text, told)
    except (OSError, UserError) as error:
        return [f"{readme}: {error}"]
    return (
        []
        if fresh == text
        else [f"the overview in {readme} is not what the records give: write it again, ./run_all.sh tables"]
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
