"""What a user meets at the real command line: mistakes, damaged files, kills. Real processes of a real script.

Every mistake gives one line on stderr that begins with "error:", an exit code that is not 0, no traceback, and destroys
nothing. A run killed at a random moment and started again equals one that was never stopped, bit for bit.
"""

import ast
import fcntl
import json
import random
import re
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scripts import NOISE, ROOT, called, environment

from common import data, experiment
from common.reporting.names import record_name

SCRIPT = ROOT / "reproductions/ahmed_ch4/ood.py"
TINY = {
    "vae": ["epochs=3", "batch=50", "elbo_samples=1", "importance_samples=2", "binarisations=1"],
    "dcgan": ["iterations=40", "batch=8", "last_every=5", "last=2"],
    "trivial": ["components=5", "em_iterations=1"],
}


def command(model, folder, *flags):
    """The command line of one tiny run with everything below `folder`."""
    changes = [f"--set={change}" for change in TINY.get(model, ())]
    fixed = ["--scale=smoke", f"--model={model}", "--held_out=3", *changes]
    return [sys.executable, str(SCRIPT), *fixed, f"--work_dir={folder}/work", f"--results_dir={folder}/results", *flags]


def started(lines, folder):
    """Finished processes of the command lines [(model, its folder, more flags)], started from one process."""
    return called([("ahmed_ch4.ood", command(model, own, *more)[2:]) for model, own, more in lines], folder)


def error_line(done):
    """The one line of a failed process."""
    assert done.returncode not in (0, -9), done.stderr
    lines = [line for line in done.stderr.splitlines() if not NOISE.match(line)]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def find(folder, pattern):
    (path,) = folder.rglob(pattern)
    return path


# --- Mistakes that are told before anything is computed ---------------------------------------------------------------

MISTAKES = {
    "data set": (["--dataset=mnits"], "no data set 'mnits'; choose one of anime_faces"),
    "model": (["--model=vea"], "unknown model 'vea'; choose one of vae, pixelcnn, pixelvae, dcgan, trivial"),
    "variant": (["--variant=as_said"], "unknown variant 'as_said'; choose one of as_described"),
    "scale": (["--scale=large"], "should be one of <smoke|cpu|paper>"),
    "flag": (["--epochs=3"], "Unknown command line flag 'epochs'"),
    "word": (["vae"], "unexpected argument 'vae'"),
    "field in --set": (["--set=latnet=3"], "unknown field in --set: 'latnet'"),
    "type in --set": (["--set=latent=ten"], "--set latent=ten: int expected, as in latent=64"),
    "range in --set": (["--set=epochs=0"], "--set epochs=0: a finite number of at least 1 expected"),
    "large number in --set": (["--set=epochs=2147483648"], "a whole number of at most 2147483647 expected"),
    "form of --set": (["--set=latent"], "write it as name=value"),
    "held-out class": (["--held_out=10"], "--held_out=10: whole numbers from 0 to 9 expected"),
    "no held-out class": (["--held_out="], "whole numbers separated by commas expected"),
    "seed": (["--seed=-1"], "--seed=-1: whole numbers from 0 to 2147483647 expected"),
    "no model": (["--model="], "--model= names no model"),
    "colour": (["--dataset=rooms32"], "images of 32x32x3; this experiment takes grey 28x28 ones"),
    "absent data": (["--dataset=mnist"], "data set 'mnist' not found (no --data_dir, no REPRO_DATA)"),
    "data folder": (["--dataset=mnist", "--data_dir=/no/such"], "no data folder '/no/such'"),
    "empty folder": (["--dataset=folder:{folder}/empty"], "no image in"),
    "work folder": (["--work_dir={folder}/file/below"], "choose another with --work_dir"),
    "results folder": (["--results_dir={folder}/file/below"], "choose another with --results_dir"),
}


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory):
    """{mistake: finished process} of every row of MISTAKES."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "empty").mkdir()
    (folder / "file").write_text("in the way")
    lines = [("vae", folder, [flag.format(folder=folder) for flag in flags]) for flags, _ in MISTAKES.values()]
    found = dict(zip(MISTAKES, started(lines, folder), strict=True))
    assert not list(folder.rglob("smoke-*.json"))
    assert (folder / "file").read_text() == "in the way"
    return found


def imported(script):
    """Modules that a script imports at its top, in that order."""
    for node in ast.parse(script.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_script_starts_tensorflow_before_its_messages_are_kept_off():
    """Else a mistake is ten lines on stderr (`common.start`)."""
    scripts = [path for path in ROOT.glob("reproductions/*/*.py") if "experiment.main(main)" in path.read_text()]
    assert len(scripts) > 15
    for script in scripts:
        first = next(name for name in imported(script) if name.split(".")[0] in ("tensorflow", "keras", "common"))
        assert first in ("common.start", "common.experiment"), script


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(mistaken, mistake):
    done = mistaken[mistake]
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert MISTAKES[mistake][1] in done.stderr


# --- Runs -------------------------------------------------------------------------------------------------------------


def whole(model, folder):
    """A run that nothing disturbs."""
    (done,) = started([(model, folder, [])], folder)
    assert done.returncode == 0, done.stderr
    return folder


def killed(model, folder):
    """A run killed (-9) at a random moment of its training, then started again; (folder, when it was killed)."""
    rows, wait = random.randint(1, 2 if model == "vae" else 6), random.uniform(0, 0.5)
    process = subprocess.Popen(
        command(model, folder), env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and logged(folder) < rows:
        time.sleep(0.02)
    time.sleep(wait)
    process.kill()
    assert process.wait() == -9
    assert not list(folder.rglob("smoke-*.json"))
    return whole(model, folder), f"{wait:.3f} s after epoch {rows}"


def logged(folder):
    """Epochs in the run's log."""
    return sum(max(0, len(log.read_text().splitlines()) - 1) for log in folder.rglob("log.csv"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{name: folder} of runs that nothing disturbs and, as "diverging", the process of one whose loss explodes."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("vae", "dcgan", "diverging")}
    lines = [("vae", folders["vae"], []), ("dcgan", folders["dcgan"], [])]
    *good, diverging = started([*lines, ("vae", folders["diverging"], ["--set=learning_rate=1e30"])], folders["vae"])
    assert not any(done.returncode for done in good), [done.stderr for done in good]
    return folders | {"diverging": diverging}


def weights(path):
    """{name: array} of a checkpoint."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


@pytest.mark.parametrize("model", ["vae", "dcgan"])
def test_a_killed_run_started_again_equals_an_uninterrupted_one(runs, model, tmp_path):
    first, (second, when) = runs[model], killed(model, tmp_path)
    records = [json.loads(find(folder, "smoke-*.json").read_text()) for folder in (first, second)]
    assert records[0]["metrics"] == records[1]["metrics"], when
    assert records[0]["sha256"] == records[1]["sha256"], when
    states = [weights(find(folder, "checkpoint.weights.h5")) for folder in (first, second)]
    assert len(states[0]) > 20
    assert states[0].keys() == states[1].keys()
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name], err_msg=f"{name}, killed {when}")


def test_a_loss_that_is_not_finite_ends_the_run(runs):
    line = error_line(runs["diverging"])
    assert re.search(r"became (nan|inf|-inf) .* Try a smaller learning rate", line)


def test_images_exchanged_in_a_folder_are_noticed(tmp_path):
    """The folder's name is the same; its images, and so the record, are not. Two folders never share a record."""
    pictures = np.random.default_rng(1).integers(0, 256, (2, 5, 28, 28)).astype(np.uint8)
    for number, name in enumerate(("a b", "a_b")):
        for kind in "345":
            (tmp_path / name / kind).mkdir(parents=True)
            for place in range(20):
                image = Image.fromarray(np.roll(pictures[number, place % 5], place + int(kind), axis=1))
                image.save(tmp_path / name / kind / f"{place}.png")

    def run(*names):
        lines = [("trivial", tmp_path, ["--held_out=0", f"--dataset=folder:{tmp_path / name}@28"]) for name in names]
        done = started(lines, tmp_path)
        assert not any(process.returncode for process in done), [process.stderr for process in done]
        return [process.stdout for process in done]

    assert "made with other" not in "".join(run("a b", "a_b"))
    assert len(list(tmp_path.rglob("smoke-*.json"))) == 2
    first = {path: json.loads(path.read_text()) for path in tmp_path.rglob("smoke-*.json")}
    shutil.copy(tmp_path / "a_b/3/0.png", tmp_path / "a b/3/0.png")
    exchanged, again, other = run("a b", "a b", "a_b")
    assert "made with other images" in exchanged
    assert "already in" in again and "already in" in other
    changed = [path for path, old in first.items() if json.loads(path.read_text())["data"] != old["data"]]
    assert len(changed) == 1


def test_a_training_on_other_images_is_another_training():
    """The hash of the work folder holds the images: equal settings on other pixels never meet in one folder."""
    wanted = experiment.Settings("ahmed_ch4", "ood", "vae", "as_described", "smoke", "digits", 1, {}, {"latent": 2})
    code, of = {"modules": {}}, SimpleNamespace(models=str(SCRIPT.with_name("models.py")), evaluation=())
    digits = data.load("digits")
    others = digits.without_class(3)
    hashes = {experiment.trained_by(of, wanted, code, images) for images in (digits, others)}
    assert len(hashes) == 2


def test_names_of_runs_are_plain_short_and_apart():
    def name(dataset):
        return record_name("smoke", "vae", {"held_out": 3}, "as_described", dataset, 1)

    assert name("mnist") == "smoke-vae-held_out3-as_described-mnist-s1"
    named = [name(f"folder:/{path}@28") for path in ("a b", "a_b", "a/b", "x" * 300, "x" * 301)]
    assert len(set(named)) == 5 and all(re.fullmatch(r"[\w.=+-]{1,200}", each) for each in named)


@pytest.fixture(scope="module")
def again(runs, tmp_path_factory):
    """{what befell a finished run: (its folder, the process of the same command)}."""
    folders = {}
    for name in ("nothing", "a damaged record", "a damaged checkpoint", "another process"):
        folders[name] = tmp_path_factory.mktemp("again")
        shutil.copytree(runs["vae"], folders[name], dirs_exist_ok=True)
    for path, size in (
        (find(folders["a damaged record"], "smoke-*.json"), 1000),
        (find(folders["a damaged checkpoint"], "checkpoint.weights.h5"), 5000),
    ):
        path.write_bytes(path.read_bytes()[:size])
    for name in ("a damaged checkpoint", "another process"):  # else the record says that all is done
        shutil.rmtree(folders[name] / "results")
    with open(find(folders["another process"], "lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = started([("vae", folder, []) for folder in folders.values()], folders["nothing"])
    return {name: (folders[name], process) for name, process in zip(folders, done, strict=True)}


def test_a_finished_run_is_not_repeated(runs, again):
    folder, done = again["nothing"]
    assert (done.returncode, done.stderr) == (0, "")
    assert "already in" in done.stdout
    first, second = (find(each, "smoke-*.json").stat().st_mtime_ns for each in (runs["vae"], folder))
    assert first == second


def test_the_last_runs_mistake_is_told_before_the_first_trains(tmp_path):
    flags = ["--scale=smoke", "--model=vae,trivial", "--held_out=3", "--set=latent=2", f"--results_dir={tmp_path}"]
    (done,) = called([("ahmed_ch4.ood", flags)], tmp_path)
    assert "unknown field in --set: 'latent'; choose one of components" in error_line(done)
    assert "started" not in done.stdout and not list(tmp_path.rglob("smoke-*.json"))


def test_runs_are_asked_for_in_the_order_of_their_keys_models_and_seeds(monkeypatch):
    monkeypatch.setattr(experiment, "settings", lambda _, model, seed, **key: (*key.values(), model, seed))
    monkeypatch.setattr(experiment, "FLAGS", SimpleNamespace(seed=["7", "5"]))
    found = experiment.asked(None, ["b", "a"], x=[2, 1])
    assert found == [(x, model, seed) for x in (2, 1) for model in "ba" for seed in (7, 5)]


@pytest.mark.parametrize("error", [MemoryError("2 TB"), tf.errors.ResourceExhaustedError(None, None, "2 TB")])
def test_too_little_memory_is_one_line(monkeypatch, capsys, error):
    def run():
        raise error

    guarded = []
    monkeypatch.setattr(experiment.app, "run", lambda function, flags_parser: guarded.append(function))
    experiment.main(run)
    monkeypatch.setattr(experiment, "FLAGS", {})
    with pytest.raises(SystemExit) as ended:
        guarded[0](["script"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: not enough memory (2 TB); a smaller batch")


def test_a_start_that_is_stopped_is_one_line():
    code = "import common.start; raise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.stderr == "error: stopped while starting; nothing was changed\n" and done.returncode


def test_a_damaged_record_is_told_and_left_alone(again):
    folder, done = again["a damaged record"]
    path = find(folder, "smoke-*.json")
    line = error_line(done)
    assert f"{path} is damaged" in line
    assert "git checkout" in line
    assert path.stat().st_size == 1000


def test_a_damaged_checkpoint_is_told_and_left_alone(again):
    folder, done = again["a damaged checkpoint"]
    path = find(folder, "checkpoint.weights.h5")
    assert f"checkpoint {path} is damaged; delete it" in error_line(done)
    assert path.stat().st_size == 5000
    assert not list(folder.rglob("smoke-*.json"))


def test_a_second_process_on_a_work_folder_is_refused(again):
    folder, done = again["another process"]
    assert "another process works in" in error_line(done)
    assert not list(folder.rglob("smoke-*.json"))


FULL_DISK = """
set -e
mount -t tmpfs -o size=128k tmpfs "$1"
cp -r "$2"/. "$1"
cat /dev/zero >"$1/fill" 2>/dev/null || true
before=$(cat $(find "$1" -name 'smoke-*.json') | cksum)
shift 2
status=0
"$@" || status=$?
[[ $(cat $(find "$results" -name 'smoke-*.json') | cksum) == "$before" ]] || echo "the old record is gone"
exit $status
"""


def test_a_full_disk_leaves_the_old_record(tmp_path):
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here; the same is simulated in test_reporting_records.py")
    first, disk = tmp_path / "first", tmp_path / "disk"
    first.mkdir(), disk.mkdir()
    folder = whole("trivial", first)
    again = command("trivial", folder, f"--results_dir={disk}", "--rerun")
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", FULL_DISK, "bash", str(disk), str(folder / "results"), *again],
        env=environment(folder) | {"results": str(disk)}, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    line = error_line(done)
    assert "No space left on device" in line
    assert "the old record is gone" not in done.stdout
