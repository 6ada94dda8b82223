"""One experiment from flags to record: the way of every run.

    flags -> Settings -> data.load(name) -> Game -> fit -> evaluation -> one Record

A script has an `Experiment`, a function of Settings, Images and a work folder that returns an `Outcome`, and a `main`.
"""

import dataclasses
import datetime
import errno
import hashlib
import itertools
import pathlib
import shlex
import sys
import time
from collections.abc import Callable, Mapping

from common import start  # noqa: F401 (before all that imports TensorFlow: it keeps start-up messages off stderr)

# isort: split
import keras
import tensorflow as tf
import tqdm
from absl import app, flags

from common import data, machine
from common.commandline import LARGEST, integers, one_of, parse_change
from common.errors import UserError
from common.reporting import files, names, records
from common.training import fit, strategy

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCALES = ("smoke", "cpu", "paper")
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)

flags.DEFINE_enum(
    "scale", "cpu", SCALES, "smoke: seconds, embedded data; cpu: hours on two cores; paper: the text's own."
)
flags.DEFINE_string("dataset", "", "Data set; default: the text's own, or an embedded one at smoke scale.")
flags.DEFINE_string(
    "variant", "as_described", "as_described: the text, gaps filled; as_code: the author's code; or others."
)
flags.DEFINE_list("seed", ["1"], "Seeds, one run each: --seed=1,2,3.")
flags.DEFINE_multi_string("set", [], "Change a setting: --set latent=10. May be repeated.")
flags.DEFINE_string("data_dir", None, "Folder with data sets; default: the environment variable REPRO_DATA.")
flags.DEFINE_string("work_dir", None, "Folder for checkpoints and logs; default: runs/<scale>.")
flags.DEFINE_string(
    "results_dir",
    None,
    "Folder for records; default: results/; runs/smoke/results/ at smoke scale; runs/changed/results/ with --set.",
)
flags.DEFINE_string("jit", "auto", "auto: XLA where it pays; on; off; eager: plain Python, for debugging.")
flags.DEFINE_string("strategy", "single", "single, mirrored (devices of one machine) or multi_worker (TF_CONFIG).")
flags.DEFINE_bool("rerun", False, "Evaluate again although a fresh record is there (a finished training is kept).")
FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What one script re-runs. Settings are deltas: options of the model, then of the scale, then of the variant.
    options: {model: {name: value}} at the text's own settings ("paper" scale).
    scales, variants: {scale or variant: {model: {name: value}}}; datasets: {scale: default data set}.
    models: the file whose code, with all it imports, decides what a training gives; editing the script evaluates again
    from the finished training. evaluation: options that a training does not depend on, or that only make it longer
    (not where a learning rate falls over its length); changing one keeps what is trained.
    """

    text: str
    name: str
    script: str
    options: Mapping
    scales: Mapping
    variants: Mapping
    datasets: Mapping
    models: str
    evaluation: tuple = ()


@dataclasses.dataclass(frozen=True)
class Settings:
    """One run. `key` tells runs of one script apart (held-out class, latent size); `changed` is what --set changed."""

    text: str
    experiment: str
    model: str
    variant: str
    scale: str
    dataset: str
    seed: int
    key: Mapping
    options: Mapping
    changed: tuple = ()
    jit: str = "auto"
    strategy: str = "single"

    def __getitem__(self, option):
        return self.options[option]

    def build(self, make_game: Callable):
        """The game that `make_game()` returns, its variables where --strategy wants them."""
        return strategy.build(make_game, self.strategy)

    @property
    def name(self):
        """The record's name: cpu-vae-held_out0-as_described-mnist-s1."""
        changed = [(k, self.options[k]) for k in self.changed]
        return names.record_name(self.scale, self.model, self.key, self.variant, self.dataset, self.seed, changed)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one run measured: metrics {name: number}, arrays for results/scores, how it was evaluated, steps trained."""

    metrics: Mapping
    arrays: Mapping = dataclasses.field(default_factory=dict)
    evaluator: str = ""
    steps: int = 0
    binarisation: str = "none"
    split: str = "official test set"
    notes: Mapping = dataclasses.field(default_factory=dict)


def settings(experiment: Experiment, model: str, seed: int, **key) -> Settings:
    """The settings of one run from the flags; raises UserError for what does not exist or has the wrong type."""
    scale, variant = FLAGS.scale, FLAGS.variant
    one_of("model", model, experiment.options)
    one_of("variant", variant, experiment.variants)
    own = [name for name, changes in experiment.variants.items() if model in changes or not changes]
    one_of(f"variant of {model}", variant, own)  # one that changes nothing in it would be filed under its name
    deltas = (experiment.options, experiment.scales.get(scale, {}), experiment.variants[variant])
    options = {}
    for delta in deltas:
        options |= delta.get(model, {})
    changes = dict(parse_change(text, options) for text in FLAGS.set)
    return Settings(
        experiment.text, experiment.name, model, variant, scale, FLAGS.dataset or experiment.datasets[scale], seed, key,
        options | changes, tuple(sorted(changes)), FLAGS.jit, FLAGS.strategy,
    )  # fmt: skip


def asked(experiment: Experiment, models, **keys) -> list[Settings]:
    """The settings of every run that the flags ask for, so that the last one's mistake is told before the first trains.

    keys: {"latent": [2, 8]}, the values of each key in the order that they run in, then models, then seeds.
    """
    return [
        settings(experiment, model, seed, **dict(zip(keys, values, strict=True)))
        for values in itertools.product(*keys.values())
        for model in models
        for seed in integers("seed", FLAGS.seed, 0, LARGEST)
    ]


def results_dir() -> pathlib.Path:
    """Where records go: --results_dir, else results/; what makes none of its rows (smoke scale, --set) below runs/."""
    if FLAGS.results_dir:
        return pathlib.Path(FLAGS.results_dir)
    if FLAGS.scale == "smoke":
        return ROOT / "runs/smoke/results"
    return ROOT / "runs/changed/results" if FLAGS.set else ROOT / "results"


def work_root() -> pathlib.Path:
    """Where checkpoints and logs of this scale lie."""
    return pathlib.Path(FLAGS.work_dir) if FLAGS.work_dir else ROOT / "runs" / FLAGS.scale


def judges_dir() -> pathlib.Path:
    """Where judges lie: one for all scales."""
    return (pathlib.Path(FLAGS.work_dir) if FLAGS.work_dir else ROOT / "runs") / "judges"


def execute(experiment: Experiment, run: Callable, wanted: Settings) -> records.Record:
    """The record of one run: the one that is there if it is fresh, else made by `run(settings, images, work)`.

    A training is kept in its work folder under the hash of the code, options and images that made it: the same command
    goes on where a killed one stopped, and changed code starts anew. Of several workers the first writes the record.
    """
    strategy.start(wanted.strategy)
    code = records.code_fingerprint(experiment.script, run.__name__)
    path = results_dir() / "records" / wanted.text / wanted.experiment / f"{wanted.name}.json"
    if path.exists() and not FLAGS.rerun:
        old = records.load(path)
        other = made_with_other(old, wanted)
        if not other:
            print(f"{wanted.name}: already in {path}", flush=True)
            return old
        print(f"{wanted.name}: made with other {other}", flush=True)
    files.writable(path.parent)
    images = data.load(wanted.dataset, FLAGS.data_dir)
    work = work_root() / wanted.text / wanted.experiment / wanted.name / trained_by(experiment, wanted, code, images)
    work = strategy.folder(work, wanted.strategy)
    with files.locked(work):
        print(f"{wanted.name}: started, work in {work}", flush=True)
        keras.utils.clear_session()  # names, and with them checkpoints, do not depend on what ran before
        keras.utils.set_random_seed(wanted.seed)
        before, started = fit.logged_seconds(work), time.monotonic()
        outcome = run(wanted, images, work)
        seconds = before + time.monotonic() - started
        record = _record(experiment, wanted, images, outcome, code, seconds)
        if strategy.is_chief(wanted.strategy):
            record.save(results_dir())
    shown = ", ".join(f"{k} {v:.4g}" for k, v in list(outcome.metrics.items())[:6])
    print(f"{wanted.name}: done in {seconds:.0f} s, {shown}", flush=True)
    return record


def made_with_other(old: records.Record, wanted: Settings) -> str:
    """What differs between the record that is there and the run: code, settings, images; "" if it is this run's."""
    stale = records.is_stale(old)
    if stale:
        return f"code ({', '.join(stale)})"
    if old.settings != as_json(wanted):
        return "settings"
    own = wanted.dataset.startswith("folder:")  # a folder's name says nothing about its images
    return "images" if own and data.load(wanted.dataset).fingerprint != old.data["fingerprint"] else ""


def trained_by(experiment: Experiment, wanted: Settings, code: dict, images: data.Images) -> str:
    """16 hex digits of what decides a training: of the run's `code`, what the models and the training import; the
    options that they depend on; the images.
    """
    imported = {m for f in (experiment.models, fit.__file__) for m in records.code_fingerprint(f)["modules"]}
    trained = sorted((module, digest) for module, digest in code["modules"].items() if module in imported)
    options = sorted((k, v) for k, v in wanted.options.items() if k not in experiment.evaluation)
    return hashlib.sha256(repr((trained, options, images.fingerprint)).encode()).hexdigest()[:16]


def as_json(wanted: Settings) -> dict:
    """The settings as they stand in a record."""
    fields = ("model", "variant", "scale", "dataset", "seed")
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in wanted.options.items()}
    return {f: getattr(wanted, f) for f in fields} | {"key": dict(wanted.key), "options": lists}


def _record(experiment, wanted, images, outcome, code, seconds):
    paths, hashes = {}, {}
    if outcome.arrays and strategy.is_chief(wanted.strategy):
        paths["scores"] = f"scores/{wanted.text}/{wanted.experiment}/{wanted.name}.npz"
        hashes["scores"] = records.save_scores(results_dir() / paths["scores"], **outcome.arrays)
    return records.Record(
        text=wanted.text,
        experiment=wanted.experiment,
        name=wanted.name,
        settings=as_json(wanted),
        metrics={name: float(value) for name, value in outcome.metrics.items()},
        data={
            "name": images.name,
            "fingerprint": images.fingerprint,
            "stand_in": images.stand_in,
            "binarisation": outcome.binarisation,
            "split": outcome.split,
        },
        evaluator=outcome.evaluator,
        files=paths,
        sha256=hashes,
        code=code,
        command=command(experiment, wanted),
        machine=machine.hardware() | {"jit": wanted.jit, "strategy": wanted.strategy},
        versions=machine.versions(),
        seconds=round(seconds, 1),
        steps=outcome.steps,
        finished=datetime.date.today().isoformat(),
        notes=dict(outcome.notes),
    )


def command(experiment: Experiment, wanted: Settings) -> str:
    """The line that repeats this one run."""
    script = pathlib.Path(experiment.script).resolve().relative_to(ROOT)
    parts = ["python", str(script), f"--scale={wanted.scale}", f"--dataset={wanted.dataset}", f"--model={wanted.model}"]
    parts += [f"--{k}={v}" for k, v in wanted.key.items()]
    if wanted.variant != "as_described":
        parts.append(f"--variant={wanted.variant}")
    parts += [f"--set={k}={wanted.options[k]}" for k in wanted.changed]
    return " ".join(shlex.quote(p) for p in [*parts, f"--seed={wanted.seed}"])


def main(function: Callable):
    """Runs a script's `main`; a UserError ends it with one line on stderr and exit code 2."""

    def guarded(arguments):
        try:
            if len(arguments) > 1:
                raise UserError(f"unexpected argument {arguments[1]!r}; flags are written as --name=value")
            if "model" in FLAGS and not FLAGS.model:
                raise UserError("--model= names no model; --help lists them")
            function()
        except UserError as error:
            fail(error)
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            fail(f"cannot write {error.filename or 'a file'}: {error.strerror}; make room, then give the same command")
        except (MemoryError, tf.errors.ResourceExhaustedError) as error:
            fail(
                f"not enough memory ({error}); a smaller batch, fewer draws or samples at once need less of it (--set)"
            )
        except KeyboardInterrupt:
            fail("stopped; the same command goes on from the last checkpoint", 130)

    def parse(arguments):
        try:
            return FLAGS(arguments)
        except flags.Error as error:
            fail(error)

    app.run(guarded, flags_parser=parse)


def fail(message, code=2):
    """Ends the process with one line on stderr, below any progress bar."""
    for bar in list(getattr(tqdm.tqdm, "_instances", ())):
        bar.close()
    sys.stderr.write(f"error: {' '.join(str(message).split())}\n")
    sys.exit(code)
