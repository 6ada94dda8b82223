"""Whole trainings of toy games (tests/games.py): stopped, killed, resumed, logged; and what a user can do wrong."""

import csv
import itertools
import os
import pathlib
import signal
import subprocess
import sys

import games
import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from common.training import checkpoints
from common.training.fit import fit, read_log
from common.training.game import Game

N, BATCH, STEPS = 64, 8, 7  # epochs of 3 steps, the last one short


def assert_same_state(game, other):
    """Bit for bit."""
    for (path, value), (_, expected) in zip(games.state(game), games.state(other), strict=True):
        np.testing.assert_array_equal(value, expected, err_msg=path)


class Stop(keras.callbacks.Callback):
    """Ends a training in the middle of an epoch, as Ctrl-C does."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch:
            raise KeyboardInterrupt


def train(name, work, jit="eager", callbacks=(), steps=STEPS, init=1, seed=3, **changes):
    """A toy game after `steps` steps in epochs of 3 and programs of 2."""
    game = games.make(name, seed=init)
    for attribute, value in changes.items():
        setattr(game, attribute, value)
    fit(game, steps=steps, batch=BATCH, seed=seed, work=work, epoch_steps=3, program_steps=2, jit=jit,
        callbacks=callbacks, progress=False)  # fmt: skip
    return game


def rows_of(work):
    with open(work / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", games.GAMES)
def test_a_stopped_and_resumed_fit_equals_the_uninterrupted_one_bit_for_bit(name, tmp_path):
    whole = train(name, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(name, tmp_path / "stopped", callbacks=[Stop(1)])
    resumed = train(name, tmp_path / "stopped", init=99)  # all that matters comes from the checkpoint
    assert_same_state(resumed, whole)
    assert int(resumed.steps_done.value) == STEPS
    assert len(games.optimizer_variables(resumed)) > len(whole.trainable_variables)  # Adam's slots were compared too
    log, expected = rows_of(tmp_path / "stopped"), rows_of(tmp_path / "whole")
    assert [row["epoch"] for row in log] == ["0", "1", "2"]
    for row, other in zip(log, expected, strict=True):
        assert {**row, "seconds": ""} == {**other, "seconds": ""}


@pytest.mark.parametrize("jit", ["on", "off"])
def test_compiled_trainings_are_bit_equal_too(jit, tmp_path):
    whole = train("vae", tmp_path / "whole", jit)
    with pytest.raises(KeyboardInterrupt):
        train("vae", tmp_path / "stopped", jit, callbacks=[Stop(1)])
    assert_same_state(train("vae", tmp_path / "stopped", jit, init=99), whole)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(tmp_path):
    first, again, other = (train("vae", tmp_path / str(k), seed=seed) for k, seed in enumerate((3, 3, 4)))
    assert_same_state(first, again)
    with pytest.raises(AssertionError):
        assert_same_state(first, other)


def test_kill_9_while_a_checkpoint_is_written_costs_one_epoch_and_no_bit(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, __file__, str(tmp_path / "killed")], env=environment, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "killed" / "writing.weights.h5").read_bytes() == b"half a file"
    assert [row["epoch"] for row in rows_of(tmp_path / "killed")] == ["0", "1"]  # epoch 1 was logged, never saved
    resumed = train("wgan_gp", tmp_path / "killed", init=99)
    assert_same_state(resumed, train("wgan_gp", tmp_path / "whole"))
    assert [row["epoch"] for row in rows_of(tmp_path / "killed")] == ["0", "1", "2"]


def train_until_killed(work):
    """What the subprocess of the test above runs: SIGKILL in the middle of the second epoch's checkpoint."""
    save, calls = checkpoints.save, itertools.count()

    def save_or_die(game, folder):
        if next(calls) == 1:
            (pathlib.Path(folder) / "writing.weights.h5").write_bytes(b"half a file")
            os.kill(os.getpid(), signal.SIGKILL)
        save(game, folder)

    checkpoints.save = save_or_die
    train("wgan_gp", work)


def test_a_finished_training_is_not_run_again(tmp_path):
    game = train("vae", tmp_path)
    before = (tmp_path / "log.csv").read_bytes()
    again = train("vae", tmp_path, init=99, objectives=None)  # would fail if a step ran
    assert_same_state(again, game)
    assert (tmp_path / "log.csv").read_bytes() == before


def test_the_log_holds_the_mean_over_the_programs_of_an_epoch(tmp_path):
    seen = []
    spy = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(float(logs["vae"])))
    train("vae", tmp_path, callbacks=[spy], steps=6)
    log = read_log(tmp_path / "log.csv")
    assert log["vae"] == pytest.approx([np.mean(seen[:2]), np.mean(seen[2:])], rel=1e-6)
    assert set(log) == {"vae", "kl", "seconds"}


def test_last_states_keeps_the_last_epochs_also_over_a_stop(tmp_path):
    kept = {}
    for folder in ("whole", "stopped"):
        if folder == "stopped":
            last = checkpoints.LastStates(tmp_path / folder, 2)
            with pytest.raises(KeyboardInterrupt):
                train("vae", tmp_path / folder, callbacks=[last, Stop(2)])
        last = checkpoints.LastStates(tmp_path / folder, 2)
        game = train("vae", tmp_path / folder, callbacks=[last])
        assert [path.name for path in last.paths()] == ["000001.weights.h5", "000002.weights.h5"]
        end = games.state(game)
        for path in last.paths():
            game.load_weights(path)
            kept[folder, path.name] = games.state(game)
        for (_, value), (_, expected) in zip(games.state(game), end, strict=True):
            np.testing.assert_array_equal(value, expected)  # the last kept state is the end
    for name in ("000001.weights.h5", "000002.weights.h5"):
        for (_, value), (_, expected) in zip(kept["whole", name], kept["stopped", name], strict=True):
            np.testing.assert_array_equal(value, expected)


def test_a_state_that_could_not_be_kept_runs_again(tmp_path):
    """A kill before the last states of an epoch are written must not count the epoch as done."""

    class Killed(checkpoints.LastStates):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt
            super().on_epoch_end(epoch, logs)

    with pytest.raises(KeyboardInterrupt):
        train("vae", tmp_path, callbacks=[Killed(tmp_path, 2)])
    last = checkpoints.LastStates(tmp_path, 2)
    train("vae", tmp_path, callbacks=[last])
    assert [path.name for path in last.paths()] == ["000001.weights.h5", "000002.weights.h5"]


def test_last_states_of_a_prolonged_training_are_its_own_last(tmp_path):
    """Two epochs, then four in the same folder: the states of the first end do not count; fewer are no more."""
    train("vae", tmp_path, steps=6, callbacks=[checkpoints.LastStates(tmp_path, 2)])
    last = checkpoints.LastStates(tmp_path, 2)
    train("vae", tmp_path, steps=12, callbacks=[last])
    assert [path.name for path in last.paths()] == ["000002.weights.h5", "000003.weights.h5"]
    assert len(checkpoints.LastStates(tmp_path, 4).paths()) == 4
    (tmp_path / "last/000001.weights.h5").unlink()
    with pytest.raises(UserError, match="lacks some of the last 3 states"):
        checkpoints.LastStates(tmp_path, 3).paths()
    with pytest.raises(UserError, match="no states in"):
        checkpoints.LastStates(tmp_path / "elsewhere", 1).paths()


# What goes wrong


def test_a_longer_training_is_not_taken_for_a_shorter_one(tmp_path):
    train("vae", tmp_path, steps=6)
    with pytest.raises(UserError, match="holds a training of 6 steps, longer than the 3 asked for"):
        train("vae", tmp_path, steps=3)


def test_a_full_disk_during_training_is_one_line_and_costs_no_checkpoint(tmp_path, monkeypatch):
    train("vae", tmp_path, steps=3)
    before = (tmp_path / checkpoints.NAME).read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save_weights", full)
    with pytest.raises(UserError, match="No space left on device.; the last whole checkpoint is kept"):
        train("vae", tmp_path, steps=9)
    monkeypatch.undo()
    assert (tmp_path / checkpoints.NAME).read_bytes() == before
    assert_same_state(train("vae", tmp_path, steps=9), train("vae", tmp_path / "whole", steps=9))


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_checkpoint(tmp_path):
    train("vae", tmp_path, steps=3)
    checkpoint = (tmp_path / checkpoints.NAME).read_bytes()

    def poisoned(batch, noise, turn):
        return {"vae": float("nan") * tf.reduce_sum([tf.reduce_sum(v) for v in games_variables])}

    game = games.make("vae")
    games_variables, game.objectives = game.trainable_variables, poisoned
    with pytest.raises(UserError, match=r"^vae became nan in one of the steps before 5; .*learning_rate") as error:
        fit(
            game,
            steps=9,
            batch=BATCH,
            seed=3,
            work=tmp_path,
            epoch_steps=3,
            program_steps=2,
            jit="eager",
            progress=False,
        )
    assert "\n" not in str(error.value)
    assert (tmp_path / checkpoints.NAME).read_bytes() == checkpoint
    assert [row["epoch"] for row in rows_of(tmp_path)] == ["0"]
    assert int(train("vae", tmp_path, steps=6).steps_done.value) == 6  # goes on from there


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    """The last step of an epoch can have a finite loss and an infinite gradient."""

    class Poisoned(games.VAE):
        def objectives(self, batch, noise, turn):
            values = super().objectives(batch, noise, turn)
            zero = 0.0 * tf.reduce_sum(tf.square(self.trainable_variables[0]))
            return values | {"vae": values["vae"] + tf.sqrt(zero)}

    one_by_one = {"batch": BATCH, "seed": 3, "work": tmp_path, "epoch_steps": 1, "jit": "eager", "progress": False}
    fit(games.make("vae"), steps=3, **one_by_one)
    checkpoint = (tmp_path / checkpoints.NAME).read_bytes()
    game = games.make("vae")
    game.__class__ = Poisoned
    with pytest.raises(UserError, match="^weights are not finite after step 4; the last checkpoint is kept"):
        fit(game, steps=4, **one_by_one)
    assert (tmp_path / checkpoints.NAME).read_bytes() == checkpoint


@pytest.mark.parametrize("batch", [0, N + 1])
def test_a_batch_that_does_not_fit_the_set_is_the_users_mistake(batch, tmp_path):
    with pytest.raises(UserError, match=f"batch size {batch} does not fit a training set of {N} images"):
        fit(games.make("vae"), steps=2, batch=batch, seed=1, work=tmp_path, progress=False)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_damaged_checkpoint_is_named_in_one_line(kept, tmp_path):
    train("cvae_gan", tmp_path, steps=1)
    path = tmp_path / checkpoints.NAME
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match="is damaged; delete it") as error:
        train("cvae_gan", tmp_path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert path.stat().st_size == int(kept * len(content))  # never deleted for the user


@pytest.mark.parametrize("place", [0.001, 0.2, 0.5, 0.8, 0.999])
def test_a_checkpoint_with_other_bytes_never_loads_as_other_weights(place, tmp_path):
    train("vae", tmp_path, steps=1)
    path = tmp_path / checkpoints.NAME
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged; delete it"):
        train("vae", tmp_path)


HALF_ROWS = ["9,0.4,2", "9", "9,0.4,2,1.5e\r\n", "words\r\n", "\0\0\r\n", "\r\n\r\n"]


@pytest.mark.parametrize("half", HALF_ROWS)
def test_a_row_that_a_full_disk_cut_short_is_dropped(half, tmp_path):
    """The log and the weights are those of a training that nothing disturbed."""
    whole = train("vae", tmp_path / "whole", steps=6)
    train("vae", tmp_path / "cut", steps=3)
    with open(tmp_path / "cut/log.csv", "a", newline="") as file:
        file.write(half)
    cut = train("vae", tmp_path / "cut", steps=6)
    for a, b in zip(whole.get_weights(), cut.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    logs = [read_log(tmp_path / f"{name}/log.csv") for name in ("whole", "cut")]
    assert logs[0]["vae"] == logs[1]["vae"]


@pytest.mark.parametrize("steps", [6, 9])
def test_a_log_that_lost_an_epoch_is_named_and_not_read(steps, tmp_path):
    """Of a finished training (6 steps) as of one that would go on: no metric comes from the wrong epoch."""
    train("vae", tmp_path, steps=6)
    log = tmp_path / "log.csv"
    for left in (log.read_text().splitlines(keepends=True)[:-1], []):
        log.write_text("".join(left))
        with pytest.raises(UserError, match="log.csv lacks some of the .* epochs trained; delete .* to train anew"):
            train("vae", tmp_path, steps=steps)
    log.unlink(missing_ok=True)
    with pytest.raises(UserError, match="lacks some"):
        train("vae", tmp_path, steps=steps)


@pytest.mark.parametrize("kind", ["fixed", "own_draw"])
def test_grey_images_are_no_bits(kind):
    with pytest.raises(UserError, match="grey values in 'the training images'"):
        Game(games.toy_images(4)[0], (), binarisation=kind)


@pytest.mark.parametrize("other", ["wgan_gp", "autoregressive"])
def test_a_checkpoint_of_another_architecture_is_refused_in_one_line(other, tmp_path):
    train("vae", tmp_path, steps=1)
    with pytest.raises(UserError, match="belongs to another architecture") as error:
        train(other, tmp_path)
    assert "\n" not in str(error.value)


if __name__ == "__main__":
    train_until_killed(sys.argv[1])
