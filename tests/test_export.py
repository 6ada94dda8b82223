"""An exported training, run by numpy and jax alone in a process of its own, gives TensorFlow's losses and weights."""

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys

import games
import keras
import numpy as np
import pytest

from common.errors import UserError
from common.reporting import pages
from common.training import checkpoints, export
from common.training.fit import fit

jax = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("jax", "flatbuffers")),
    reason="exports need jax and flatbuffers: pip install -e .[export]",
)
STEPS, EPOCH, BATCH, SEED = 8, 4, 8, 3  # trained here with jit="on": other noise than without XLA
GAMES = ("vae", "dcgan", "wgan_gp")  # dense; convolutions and batch norm; a gradient of a gradient


def momentum():
    """Has slots, and no division that blows up rounding where a gradient is nearly zero."""
    return keras.optimizers.SGD(0.05, momentum=0.9)


def run(folder, *flags):
    """The runner as it is used: the shipped folder alone, and no way to this repository or to TensorFlow."""
    (folder / "tensorflow.py").write_text("raise ImportError('the runner must not need TensorFlow')")
    (folder / "keras.py").write_text("raise ImportError('the runner must not need Keras')")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"JAX_PLATFORMS": "cpu"}
    return subprocess.run(
        [sys.executable, "run_exported.py", ".", *flags], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip


@jax
@pytest.mark.parametrize("name", GAMES)
def test_jax_gives_tensorflows_losses_and_the_weights_come_back(name, tmp_path):
    game = games.make(name, momentum)
    export.export_program(game, tmp_path / "out", steps=STEPS, batch=BATCH, seed=SEED, epoch_steps=EPOCH, longest=2)
    fit(game, steps=STEPS, batch=BATCH, seed=SEED, work=tmp_path / "here", epoch_steps=2, program_steps=2, jit="on",
        progress=False)  # fmt: skip

    if name == "vae":
        first = run(tmp_path / "out", "--seconds=0")  # a slice too short for a program: nothing done, nothing lost
        assert first.returncode == 3 and "0 of 8 steps done" in first.stdout, first.stderr
    rest = run(tmp_path / "out")
    assert rest.returncode == 0 and "8 of 8 steps done" in rest.stdout, rest.stderr
    assert "ms a step" in rest.stdout

    with open(tmp_path / "here/log.csv", newline="") as file:
        expected = list(csv.DictReader(file))
    meta = json.loads((tmp_path / "out/meta.json").read_text())
    log = np.load(tmp_path / "out/state.npz")["log"]
    for column, loss in enumerate(meta["logs"]):
        np.testing.assert_allclose(log[:, column], [float(row[loss]) for row in expected], rtol=1e-5, atol=1e-5)

    back = games.make(name, momentum, seed=99)
    assert export.import_state(back, tmp_path / "out") == STEPS
    for (path, value), (_, wanted) in zip(games.state(back), games.state(game), strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-5, err_msg=path)


SCRIPT = """
import pathlib, sys
import games
from common.training import checkpoints
from common.training.fit import fit, read_log

work = pathlib.Path(sys.argv[1])
game = games.make("vae", seed=int(sys.argv[2]))
last = checkpoints.LastStates(work, 2)
fit(game, steps=10, batch=8, seed=3, work=work, epoch_steps=4, callbacks=[last], progress=False, jit="on")
import numpy as np
np.savez(work / "end.npz", *[value for _, value in games.state(game)])
for path in last.paths():
    game.load_weights(path)
    np.savez(path.with_suffix(".npz"), *[value for _, value in games.state(game)])
"""


@jax
def test_a_script_is_exported_at_its_training_and_goes_on_after_it(tmp_path, monkeypatch, capsys):
    """The command line: write, run elsewhere in two slices, read; the script ends as if it had trained here."""
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(SCRIPT)
    export.main(["write", str(out), str(script), str(tmp_path / "there"), "1"])
    assert "written" in capsys.readouterr().out
    assert not (tmp_path / "there").exists()  # the script ended at its training
    with pytest.raises(UserError, match="no trained state"):
        export.main(["read", str(out), str(script), str(tmp_path / "there"), "1"])
    assert run(out).returncode == 0
    with pytest.raises(UserError, match="other first weights"):
        export.main(["read", str(out), str(script), str(tmp_path / "there"), "99"])
    assert not (tmp_path / "there").exists()
    export.main(["read", str(out), str(script), str(tmp_path / "there"), "1"])
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path / "here"), "1"])
    exec(compile(SCRIPT, "script", "exec"), {})
    for name in ("end.npz", "last/000001.weights.npz", "last/000002.weights.npz"):
        there, here = np.load(tmp_path / "there" / name), np.load(tmp_path / "here" / name)
        for key in here.files:
            np.testing.assert_allclose(there[key], here[key], rtol=1e-4, atol=1e-4)
    seconds = sum(float(row["seconds"]) for row in csv.DictReader((tmp_path / "there/log.csv").open()))
    assert seconds == pytest.approx(np.load(out / "state.npz")["log"][:, -1].sum())  # trained by the runner, not here
    logs = [list(csv.DictReader((tmp_path / side / "log.csv").read_text().splitlines())) for side in ("there", "here")]
    assert [row["epoch"] for row in logs[0]] == [row["epoch"] for row in logs[1]] == ["0", "1", "2"]
    for there, here in zip(*logs, strict=True):
        assert float(there["vae"]) == pytest.approx(float(here["vae"]), rel=1e-4)


@jax
def test_a_state_of_another_model_is_refused(tmp_path):
    export.export_program(games.make("vae"), tmp_path, steps=2, batch=BATCH, seed=1, epoch_steps=2)
    (tmp_path / "state.npz").write_bytes((tmp_path / "start.npz").read_bytes())
    with pytest.raises(UserError, match="exported from another model"):
        export.import_state(games.make("wgan_gp"), tmp_path)


TRAINING = {"steps": 2, "batch": BATCH, "seed": 1, "epoch_steps": 2, "shuffle": True}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small export that nothing was run on; a test takes a copy."""
    folder = tmp_path_factory.mktemp("exported")
    export.export_program(games.make("vae", momentum), folder, **TRAINING)
    return folder


@pytest.fixture
def trained(exported, tmp_path):
    """A copy with a state as the runner leaves it at the end; its weights are the first ones plus 1."""
    folder = shutil.copytree(exported, tmp_path / "trained")
    meta, start = json.loads((folder / "meta.json").read_text()), dict(np.load(folder / "start.npz"))
    state = {name: value + 1 if name in meta["variables"] else value for name, value in start.items()}
    np.savez(folder / "state.npz", **state | {"steps_done": 2, "log": np.zeros((1, len(meta["logs"]) + 1))})
    return folder


def read(folder, game, **changes):
    def original(game, **_):
        return int(game.steps_done.value)

    return export.reading_fit(folder, original)(game, work=folder / "work", **TRAINING | changes)


class HalfKL(games.VAE):
    """Another program on the same variables and data."""

    def objectives(self, batch, noise, turn):
        found = super().objectives(batch, noise, turn)
        return found | {"vae": found["vae"] - 0.5 * found["kl"]}


def other_vae(kind=games.VAE, pixels_up=0, optimizer=momentum, seed=1):
    keras.utils.set_random_seed(seed)
    return kind(games.toy_images()[0] + np.uint8(pixels_up), optimizer)


@jax
def test_only_the_training_that_was_exported_is_read(trained):
    for changes, words in [
        ({"seed": 2}, "another seed: 1, not 2"),
        ({"batch": 16}, "another batch size: 8, not 16"),
        ({"shuffle": False}, "another shuffle: True, not False"),
        ({"steps": 4}, "another number of steps: 2, not 4"),
        ({"epoch_steps": 1}, "another steps an epoch: 2, not 1"),
    ]:
        with pytest.raises(UserError, match=words):
            read(trained, games.make("vae", momentum), **changes)
    for game, words in [
        (other_vae(pixels_up=1), "another training set"),
        (other_vae(seed=2), "other first weights"),
        (other_vae(optimizer=lambda: keras.optimizers.SGD(0.06, momentum=0.9)), "another learning rate"),
        (other_vae(optimizer=lambda: keras.optimizers.SGD(0.05, momentum=0.8)), "another program"),
        (other_vae(HalfKL), "another program"),
        (games.make("wgan_gp", momentum), "another batches a step|another model"),
    ]:
        with pytest.raises(UserError, match=words) as error:
            read(trained, game)
        assert "give the flags it was exported with" in str(error.value) and "\n" not in str(error.value)
    assert not (trained / "work").exists()
    assert read(trained, games.make("vae", momentum)) == 2  # layers have other names by now


@jax
def test_a_used_folder_takes_the_same_export_again_and_no_other(trained, exported):
    before = (trained / "state.npz").read_bytes()
    with pytest.raises(UserError, match="holds another export; choose an empty folder"):
        export.export_program(other_vae(seed=2), trained, **TRAINING)
    assert (trained / "start.npz").read_bytes() == (exported / "start.npz").read_bytes()
    export.export_program(other_vae(), trained, **TRAINING)
    assert (trained / "state.npz").read_bytes() == before
    assert export.import_state(other_vae(), trained) == 2  # the trained state is still its own


@jax
def test_a_state_of_another_export_is_never_loaded(trained):
    state = dict(np.load(trained / "state.npz"))
    for name in ("id", None):
        np.savez(trained / "state.npz", **{k: v for k, v in state.items() if k != "id"} | ({"id": "0"} if name else {}))
        with pytest.raises(UserError, match="belongs to another export than meta.json; delete state.npz"):
            export.import_state(other_vae(), trained)
    told = run(trained)
    assert told.returncode == 2 and "belongs to another export" in told.stderr and told.stderr.count("\n") == 1


@jax
def test_a_slice_that_ends_on_a_loss_that_is_not_finite_saves_nothing(tmp_path):
    """Losses are read now and then; the end of a slice reads those that wait before it saves."""
    export.export_program(games.make("vae", momentum), tmp_path, steps=4, batch=BATCH, seed=1, epoch_steps=2)
    start = dict(np.load(tmp_path / "start.npz"))
    np.savez(tmp_path / "start.npz", **{k: v * np.nan if v.dtype == np.float32 else v for k, v in start.items()})
    told = run(tmp_path, "--seconds=0.001")  # one program of two steps
    assert told.returncode == 1 and "a loss is not finite in one of the steps before 2" in told.stderr
    assert not (tmp_path / "state.npz").exists()


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_an_array(path):
    arrays = dict(np.load(path))
    np.savez(path, **{name: arrays[name] for name in sorted(arrays)[1:]})


DAMAGE = {
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(b"no such thing"),
    "lacking": without_an_array,
    "no fields": lambda path: path.write_text("{}"),
    "a list": lambda path: path.write_text("[]"),
}


@jax
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_folder_is_told_in_one_line_where_it_is_read(trained, how):
    for name in ("meta.json", "start.npz") if how in ("no fields", "a list") else ("start.npz", "state.npz"):
        kept = (trained / name).read_bytes()
        DAMAGE[how](trained / name)
        with pytest.raises(UserError, match="again") as error:
            read(trained, other_vae())
        assert str(trained) in str(error.value) and "\n" not in str(error.value)
        (trained / name).write_bytes(kept)


@jax
@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        ("meta.json", "no fields", "export again"),
        ("program.jaxexport", "cut", "export again"),
        ("constants.npz", "lacking", "export again"),
        ("state.npz", "cut", "delete it to train from the start"),
    ],
)
def test_a_damaged_folder_ends_the_runner_with_one_line_and_exit_code_2(trained, name, how, words):
    DAMAGE[how](trained / name)
    told = run(trained)
    assert told.returncode == 2 and told.stderr.startswith("error: ") and told.stderr.count("\n") == 1
    assert name in told.stderr and words in told.stderr


def test_a_folder_without_an_export_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError, match="holds no exported training") as error:
        export.import_state(None, tmp_path)
    assert "\n" not in str(error.value)


WATCHED = """
import pathlib, sys
import games
from common.training.fit import fit
from reproductions.guo.watch import AtEpochs, Course

work = pathlib.Path(sys.argv[1])
game = games.make("vae")
course, at = Course(work, moments=(1, 9)), AtEpochs(work, game.decoder, {1, 3})
fit(game, steps=9, batch=8, seed=3, work=work, epoch_steps=3, program_steps=1, callbacks=[course, at], progress=False,
    jit="on")
"""


@jax
def test_single_losses_and_networks_on_the_way_come_back_too(tmp_path, monkeypatch):
    """Callbacks that watch are called again when the training is read: the same rows, the same networks."""
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(WATCHED)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    export.main(["write", str(out), str(script), str(tmp_path / "there")])
    assert run(out).returncode == 0
    export.main(["read", str(out), str(script), str(tmp_path / "there")])
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path / "here")])
    exec(compile(WATCHED, "script", "exec"), {})
    there, here = ([*csv.DictReader((tmp_path / side / "steps.csv").open())] for side in ("there", "here"))
    assert [row["step"] for row in there] == [row["step"] for row in here] == ["2", "3", "5", "6", "8", "9"]
    for a, b in zip(there, here, strict=True):
        assert float(a["vae"]) == pytest.approx(float(b["vae"]), rel=1e-4)
    decoder, found = games.make("vae").decoder, {}
    for side in ("there", "here"):
        kept = sorted((tmp_path / side).glob("*_at/*.weights.h5"))
        assert [path.name[:6] for path in kept] == ["000001", "000003"]
        for path in kept:
            checkpoints.load_whole(decoder, path)
            found[side, path.name] = decoder.get_weights()
    for name in ("000001.weights.h5", "000003.weights.h5"):
        for a, b in zip(found["there", name], found["here", name], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert any((a != b).any() for a, b in zip(found["here", name], found["here", "000001.weights.h5"], strict=True))


@jax
def test_the_work_folder_of_an_exported_training_names_the_device_that_trained(trained):
    np.savez(trained / "state.npz", **np.load(trained / "state.npz"), device="NVIDIA H100")
    assert read(trained, games.make("vae", momentum)) == 2
    assert (trained / "work/trained_on").read_text(encoding="utf-8") == "NVIDIA H100"


def test_the_record_of_an_exported_training_names_the_device_that_trained(trained):
    state = dict(np.load(trained / "state.npz"))
    assert export.trained_on(trained) == "another machine"  # of a runner that did not say
    np.savez(trained / "state.npz", **state | {"device": "NVIDIA H100"})
    assert export.trained_on(trained) == "NVIDIA H100"
    assert pages.machine_text({"cpu": "Xeon", "trained_on": export.trained_on(trained)}) == (
        "Xeon, training on NVIDIA H100"
    )


def test_a_training_with_callbacks_of_its_own_cannot_be_exported(tmp_path):
    with pytest.raises(UserError, match="uses Callback, which an exported program cannot call"):
        export.writing_fit(tmp_path)(games.make("vae"), steps=2, batch=8, seed=1, work=tmp_path,
                                     callbacks=[keras.callbacks.Callback()])  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "write|read FOLDER SCRIPT"),
        (["wrote", "a", "b"], "write|read FOLDER SCRIPT"),
        (["write", "a", "no/such.py"], "no script no/such.py"),
    ],
)
def test_a_wrong_export_command_is_one_line_and_exit_code_2(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        export.main(arguments)
    told = capsys.readouterr().err
    assert ended.value.code == 2 and told.startswith("error: ") and words in told and told.count("\n") == 1
