"""One run, one record: what was run, on which data and code, what came out, what it cost.

A record is one JSON file, `<results>/records/<text>/<experiment>/<name>.json`, with sorted keys and an indent so that
a changed number is one changed line. JSON has no NaN or infinity. A metric that is not finite is written as null
with a note `not_finite.<metric>` that says which one it was; loading turns it back. Anywhere else it is refused.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from common.errors import UserError
from common.reporting.files import load_scores, save_scores, sha256, write_atomic
from common.reporting.fingerprint import ROOT, changed_modules, code_fingerprint

__all__ = [
    "Record", "load", "load_all", "select", "is_stale", "code_fingerprint",
    "save_scores", "load_scores", "sha256", "write_atomic",
]  # fmt: skip

SCHEMA = 1
NOT_FINITE = "not_finite."
_WORDS = {str(value): value for value in (math.nan, math.inf, -math.inf)}
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]*")


@dataclass(frozen=True)
class Record:
    """The outcome of one run.

    Attributes:
      text, experiment, name: where the record stands; `name` is unique within the experiment.
      settings: model, variant, scale, dataset, seed; `key`: what else tells runs apart (held-out class, latent
        size); `options`: hyper-parameters.
      metrics: measured numbers by name; units are part of the name or of the claim that uses them.
      data: name, fingerprint, stand_in ("" = the text's own data), binarisation, split.
      evaluator: what measured (estimator and its size, judge and its accuracy).
      files, sha256: label -> path relative to the results folder, label -> hex hash of that file.
      code: `code_fingerprint` of the script's function that made it.   command: the line that repeats the run.
      machine, versions: hardware and packages.   seconds: wall time.   steps: training steps.
      finished: ISO date.   notes: anything a reader should know, by name.
    """

    text: str
    experiment: str
    name: str
    settings: dict
    metrics: dict[str, float]
    data: dict = field(default_factory=dict)
    evaluator: str = ""
    files: dict[str, str] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    code: dict = field(default_factory=dict)
    command: str = ""
    machine: dict = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    steps: int = 0
    finished: str = ""
    notes: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def seed(self):
        return self.settings.get("seed")

    @property
    def scale(self) -> str:
        return self.settings.get("scale", "")

    @property
    def stand_in(self) -> str:
        return self.data.get("stand_in", "")

    @property
    def binarisation(self) -> str:
        return self.data.get("binarisation", "")

    def path(self, results_dir: str | Path) -> Path:
        """Where this record lies below `results_dir`."""
        return Path(results_dir) / "records" / self.text / self.experiment / f"{self.name}.json"

    def save(self, results_dir: str | Path) -> Path:
        """Write the record atomically and return its path.

        Raises:
          UserError: a name that is no plain file name, a value JSON cannot hold, or a disk that cannot be written.
        """
        path = self.path(results_dir)
        for part in (self.text, self.experiment, self.name):
            if not _SAFE_NAME.fullmatch(part):
                raise UserError(f"'{part}' is no plain file name: use letters, digits and . _ + = -")
        write_atomic(path, self.to_json())
        return path

    def to_json(self) -> str:
        """The file's text; equal records give equal text, and every float reads back as the same float."""
        content = asdict(self)
        metrics, notes = {}, dict(self.notes)
        for name, value in self.metrics.items():
            value = float(value)
            metrics[name] = value if math.isfinite(value) else None
            if not math.isfinite(value):
                notes[NOT_FINITE + name] = str(value)
        content |= {"metrics": metrics, "notes": notes}
        try:
            return (
                json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False, default=_plain)
                + "\n"
            )
        except (TypeError, ValueError) as error:
            raise UserError(
                f"record {self.text}/{self.experiment}/{self.name} cannot be written as JSON: {error}"
            ) from error


def _plain(value):
    """NumPy scalars and paths as JSON values."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} {value!r} is no JSON value")


def load(path: str | Path) -> Record:
    """Read one record.

    Raises:
      UserError: the file is missing, damaged, of another schema, or its name does not agree with its content.
    """
    advice = "restore it (git checkout) or delete it and run its command again"
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite)
        _check_kinds(content)
        record = Record(**content)
        metrics, notes = dict(record.metrics), dict(record.notes)
        for name, value in metrics.items():
            metrics[name] = _WORDS[notes.pop(NOT_FINITE + name)] if value is None else float(value)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}: {error}); {advice}") from error
    if record.schema != SCHEMA:
        raise UserError(f"{path} has schema {record.schema}, this code reads {SCHEMA}; run its command again")
    if Path(path).stem != record.name:
        raise UserError(f"{path} holds the record '{record.name}'; {advice}")
    return replace(record, metrics=metrics, notes=notes)


_SCALARS = (str, int, float, bool, type(None))
# What a record's parts must be, where they are there; * stands for every name. Mappings come first.
_KINDS = {
    "settings metrics data files sha256 code machine versions notes": (dict,),
    "settings.key settings.options code.modules": (dict,),
    "text experiment name evaluator command finished": (str,),
    "settings.model settings.variant settings.scale settings.dataset": (str,),
    "data.* files.* sha256.* versions.* code.fingerprint code.run code.modules.*": (str,),
    "metrics.*": (int, float, type(None)),
    "seconds": (int, float),
    "steps schema settings.seed": (int,),
    "machine.memory_gb": (int, float, type(None)),
    "settings.key.* machine.* notes.*": _SCALARS,
}


def _check_kinds(content: dict):
    """Raises TypeError for the first part that is of another kind than `_KINDS` says; true and false are no numbers."""
    for places, kinds in _KINDS.items():
        for place in places.split():
            found = {"": content}
            for part in place.split("."):
                found = {f"{at}.{k}": v for at, inside in found.items() for k, v in inside.items() if part in ("*", k)}
            for at, value in found.items():
                if type(value) not in kinds:
                    raise TypeError(f"{at[1:]} is of type {type(value).__name__}")


def _once(pairs: list) -> dict:
    """A JSON object; of a name that stands twice nobody knows which value is meant."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name stands twice")
    return content


def _finite(text: str) -> float:
    """A JSON number; NaN, Infinity and 1e999 are none."""
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is no finite number")
    return value


def load_all(results_dir: str | Path, text: str | None = None) -> list[Record]:
    """All records of a results folder (or of one text), sorted by path.

    Raises:
      UserError: the first damaged file.
    """
    return [load(path) for path in record_files(results_dir, text)]


def record_files(results_dir: str | Path, text: str | None = None) -> list[Path]:
    """Paths of all record files, sorted; temporary files of a running write are left out."""
    folder = Path(results_dir) / "records"
    found = folder.glob(f"{text or '*'}/*/*.json")
    return sorted(path for path in found if not path.name.startswith("."))


def select(records: Iterable[Record], **match) -> list[Record]:
    """Records whose fields equal all of `match`, in the given order.

    A field is looked for among text, experiment, name and evaluator, then in settings, settings["key"],
    settings["options"] and data. A tuple or set matches any of its members; records without the field do not match.

        select(records, experiment="ood", model=("vae", "pixelcnn"), held_out=0)
    """
    return [record for record in records if all(_matches(record, name, want) for name, want in match.items())]


def of_one_set(records: Iterable[Record]) -> list[Record]:
    """Those on MNIST if there are any, else those of the first data set by name: never two sets together."""
    records = list(records)
    names = sorted({r.data.get("name", "") for r in records}, key=lambda name: (name != "mnist", name))
    return [r for r in records if r.data.get("name", "") == names[0]] if names else []


_MISSING = object()


def _matches(record: Record, name: str, want) -> bool:
    value = lookup(record, name, _MISSING)
    if isinstance(want, tuple | set | frozenset):
        return any(value == each for each in want)
    return value == want


def lookup(record: Record, name: str, default=None):
    """The value of a field by the rule of `select`."""
    if name in ("text", "experiment", "name", "evaluator"):
        return getattr(record, name)
    settings = record.settings
    for place in (settings, settings.get("key", {}), settings.get("options", {}), record.data):
        if name in place:
            return place[name]
    return default


def is_stale(record: Record, root: str | Path = ROOT) -> list[str]:
    """Modules that changed since the record was made; empty when its code is still what the repository holds.

    A record of experiment E of text T was made by reproductions/T/E.py.
    """
    script = Path(root) / "reproductions" / record.text / f"{record.experiment}.py"
    return changed_modules(script, record.code, root)
