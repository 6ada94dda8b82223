"""Records after an edit that changes no number: both codes are run, and only what comes out equal is stamped anew.

    python -m common.reporting.restamp REVISION --because "the judge's helper stands once" [--results DIR] [--dry_run]

Any edit of code that a run reaches makes its records stale, a helper's new name too. Hours of training need not be
repeated for that if the edit provably changes nothing. REVISION is a commit whose code made the records. A kind of run
is all that decides which lines run: script, model, variant; the key (0 layers build no gated block, only 2 latents have
a plane, so a number counts as itself up to 2); options that are names or switches, such as precision; and of every
other option whether it is zero or empty, such as no warm-up. For each kind one run at smoke scale is made with the code
of REVISION and one with the code of today. If steps, metrics and arrays are equal to the last bit, the kind's records
get today's fingerprint and a note that says all this; otherwise they stay stale and the exit code is 1. Times are not
compared; a ratio of times is, so records with one are made anew. Only records that were fresh at REVISION are touched.

Not seen: lines that only other numbers reach, such as more draws than smoke has. If they are edited, run again.
"""

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import tqdm

from common.errors import UserError
from common.reporting.fingerprint import ROOT, changed_modules, code_fingerprint
from common.reporting.records import Record, load, load_all

OF_BINARY_DATA = ("binarisation", "fixed")  # smoke scale's images are grey and keep their own binarisation


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 all stale records stamped anew, 1 some are not, 2 a mistake the user can mend."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m common.reporting.restamp", description=__doc__, formatter_class=layout)
    parser.add_argument("revision", help="a commit whose code made the records")
    parser.add_argument("--because", required=True, help="what was edited, and why no number depends on it")
    parser.add_argument("--results", default="results", type=Path, help="folder with records/ (default: results)")
    parser.add_argument("--dry_run", action="store_true", help="list the kinds of runs that would be compared")
    options = parser.parse_args(arguments)
    try:
        return restamp(options.revision, options.because, options.results, options.dry_run)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def restamp(revision: str, because: str, results_dir: Path, dry_run=False, root: Path = ROOT) -> int:
    """Compare and stamp; the exit code. Raises UserError for an unknown revision or a damaged record."""
    with tempfile.TemporaryDirectory() as folder:
        old, work = Path(folder) / "old", Path(folder)
        commit = check_out(revision, old, root)
        kinds, unknown = stale_kinds(load_all(results_dir), old, root)
        for record in unknown:
            print(f"{record.text}/{record.experiment}/{record.name}: stale at {commit} too; run its command again")
        different = len(unknown)
        for records in tqdm.tqdm(list(kinds.values()), unit="kind", disable=dry_run):
            name = f"{records[0].text}/{records[0].experiment}/{records[0].name}"
            if dry_run:
                print(f"{name} and {len(records) - 1} more")
                continue
            try:
                with ThreadPoolExecutor() as both:
                    pair = list(both.map(outcome, [records[0]] * 2, (old, root), [work] * 2))
            except UserError as error:  # one kind that does not run keeps no other from being compared
                different += len(records)
                print(f"{name} and {len(records) - 1} more: {error}")
                continue
            found = differences(*pair)
            if found:
                different += len(records)
                print(f"{name} and {len(records) - 1} more: not equal at smoke scale: {', '.join(found)}")
                continue
            for record in records:
                stamped(record, because, commit, root).save(results_dir)
    if not dry_run:
        total = sum(map(len, kinds.values())) + len(unknown)
        print(f"{total - different} records stamped anew, {different} left stale")
    return 1 if different else 0


def check_out(revision: str, folder: Path, root: Path) -> str:
    """The tree of `revision` in `folder`; its short hash. Raises UserError if there is no such commit."""
    git = ["git", "-C", str(root)]
    name = subprocess.run([*git, "rev-parse", "--short", f"{revision}^{{commit}}"], capture_output=True, text=True)
    if name.returncode:
        raise UserError(f"no commit '{revision}' in {root}; git log lists them")
    packed = subprocess.run([*git, "archive", revision], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as tree:
        tree.extractall(folder, filter="data")
    return name.stdout.strip()


def stale_kinds(records: list[Record], old: Path, root: Path) -> tuple[dict[tuple, list[Record]], list[Record]]:
    """({kind of run: its records that were fresh in `old` and are stale in `root`}, records stale in both)."""
    kinds, unknown = {}, []
    for record in records:
        script = Path("reproductions") / record.text / f"{record.experiment}.py"
        if not changed_modules(root / script, record.code, root):
            continue
        if changed_modules(old / script, record.code, old):
            unknown.append(record)
            continue
        kinds.setdefault(kind(record), []).append(record)
    return kinds, unknown


def kind(record: Record) -> tuple:
    """What decides which lines of the code run: equal for two records of one kind."""
    settings, words = record.settings, switches(record)
    key = {name: value if isinstance(value, str) else min(value, 3) for name, value in settings.get("key", {}).items()}
    zeros = sorted(name for name, value in settings["options"].items() if not value and value is not False)
    parts = (tuple(sorted(part.items())) for part in (key, words))
    return (record.text, record.experiment, settings["model"], settings["variant"], *parts, *zeros)


def switches(record: Record) -> dict:
    """The options that are names or switches. A run at smoke scale takes them from the record."""
    found = {name: value for name, value in record.settings["options"].items() if isinstance(value, bool | str)}
    return {name: value for name, value in found.items() if (name, value) != OF_BINARY_DATA}


def outcome(record: Record, tree: Path, work: Path) -> Record:
    """What `record`'s run gives at smoke scale with the code of `tree`; the numbers are smoke's own.

    But where one of them is zero (or a list empty) and the record's is not, or the other way round, other lines would
    run: then the run is made again with the record's. Raises UserError if a run fails.
    """
    found, wanted = smoke_run(record, {}, tree, work), record.settings["options"]
    own = {name: value for name, value in found.settings["options"].items() if name in wanted}
    other = {name: wanted[name] for name, value in own.items() if bool(value) != bool(wanted[name])}
    return smoke_run(record, other, tree, work) if other else found


def smoke_run(record: Record, numbers: dict, tree: Path, work: Path) -> Record:
    """The record of `record`'s run at smoke scale with the code of `tree`, but for its switches and `numbers`.

    Without XLA: two codes are compared, not two compilations, which take most of a smoke run of a large net.
    """
    settings, results = record.settings, Path(tempfile.mkdtemp(prefix="results-", dir=work))
    tuples = {name: tuple(value) for name, value in numbers.items() if isinstance(value, list)}  # as scripts have them
    changes = switches(record) | numbers | tuples
    command = [
        sys.executable, f"reproductions/{record.text}/{record.experiment}.py", "--scale=smoke",
        f"--model={settings['model']}", f"--variant={settings['variant']}", f"--seed={settings['seed']}",
        *(f"--{name}={value}" for name, value in settings.get("key", {}).items()),
        *(f"--set={name}={value}" for name, value in changes.items()),
        "--jit=off", f"--results_dir={results}", f"--work_dir={work}/work-{tree.name}",  # one judge for all kinds
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(tree)}
    ended = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{' '.join(command[1:])} failed with the code of {tree}: {last}")
    return load(next((results / "records").rglob("*.json")))


def differences(old: Record, new: Record) -> list[str]:
    """Names of the metrics, and of steps or arrays, in which the two differ by any bit; times left out."""
    names = sorted(name for name in {*old.metrics, *new.metrics} if "seconds" not in name)
    found = [name for name in names if repr(old.metrics.get(name)) != repr(new.metrics.get(name))]
    return found + ["steps"] * (old.steps != new.steps) + ["arrays"] * (old.sha256 != new.sha256)


def stamped(record: Record, because: str, commit: str, root: Path) -> Record:
    """The record with today's code and a note of why it stands."""
    code = code_fingerprint(root / "reproductions" / record.text / f"{record.experiment}.py", record.code["run"], root)
    note = (
        f"made by code {record.code['fingerprint']}, as at {commit}; since then {because}; at smoke scale both codes "
        "give the same metrics and arrays to the last bit"
    )
    before = record.notes.get("code", "")
    return replace(record, code=code, notes=record.notes | {"code": f"{before}; {note}" if before else note})


if __name__ == "__main__":
    sys.exit(main())
