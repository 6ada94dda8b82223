"""Training: Keras's own `fit` over programs of many steps, resumed where a killed run stopped."""

import math
import pathlib
import time
import warnings

import keras
import numpy as np
import tensorflow as tf
from tqdm.keras import TqdmCallback

from common.data import feeds
from common.errors import UserError
from common.training import checkpoints
from common.training.logs import append_rows, keep_rows, read_rows, require_epochs

ADVICE = (
    "the last checkpoint is kept. Try a smaller learning rate (--set learning_rate=...) or --jit=eager to look inside"
)


class _Save(keras.callbacks.Callback):
    """Saves every `every` epochs and at the end; weights that are not finite end the run and are not saved.

    Comes last among the callbacks: an epoch counts as done when all that it should leave behind is there.
    """

    def __init__(self, work, every):
        super().__init__()
        self.work, self.every = work, every

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
                raise UserError(f"weights are not finite after step {int(self.model.steps_done.value)}; {ADVICE}")
            checkpoints.save(self.model, self.work)


class _Log(keras.callbacks.Callback):
    """Averages what is logged over an epoch's programs; a value that is not finite ends the run before it is saved.

    A program gives the mean over its steps, and all programs of an epoch count alike: where the last one is shorter,
    its steps weigh more.

    Comes first among the callbacks: those after it see the averages, and an epoch is logged before it is saved.
    """

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_begin(self, epoch, logs=None):
        self.sums, self.programs, self.started = {}, 0, time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.programs += 1
        for name, value in logs.items():
            value = float(value)
            if not math.isfinite(value):
                step = int(self.model.steps_done.value)
                raise UserError(f"{name} became {value} in one of the steps before {step}; {ADVICE}")
            self.sums[name] = self.sums.get(name, 0.0) + value

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: total / self.programs for name, total in self.sums.items()})
        logs["seconds"] = time.monotonic() - self.started
        append_rows(self.path, [{"epoch": epoch} | {name: float(logs[name]) for name in sorted(logs)}])


def fit(game, *, steps, batch, seed, work, epoch_steps=None, program_steps=20, shuffle=True, jit="auto", save_every=1,
        callbacks=(), progress=True):  # fmt: skip
    """Trains `game` for `steps` steps of `batch` images and returns its log {name: [value an epoch]}.

    An epoch is `epoch_steps` steps (default: one pass over the images): logs are averaged over it and the checkpoint in
    folder `work` is written at its end. `program_steps` steps run in one call. Started again on the same folder, the
    run goes on from the checkpoint and ends bit-equal to one that was never stopped.
    Raises UserError if the batch is larger than the set, a loss is not finite, the checkpoint or the log does not fit
    or is of a longer training, or nothing can be written.
    """
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    game.prepare_to_run(jit)
    n = len(game.images)
    if not 1 <= batch <= n:
        raise UserError(f"batch size {batch} does not fit a training set of {n} images; choose 1 to {n}")
    epoch_steps = epoch_steps or max(1, n // (batch * game.draws))
    epochs = -(-steps // epoch_steps)
    done = checkpoints.restore(game, work)
    if done > steps:
        raise UserError(
            f"{work} holds a training of {done} steps, longer than the {steps} asked for; choose another --work_dir"
        )
    log, logged = work / "log.csv", epochs if done == steps else done // epoch_steps
    keep_rows(log, lambda row: row.get("epoch", logged) < logged)  # what was logged after the checkpoint runs again
    require_epochs(log, logged)
    if done < steps:
        feed = tf.data.Dataset.from_generator(
            lambda: feeds.programs(n, batch, seed, done, steps, epoch_steps, program_steps, game.draws, shuffle),
            output_signature=(
                tf.TensorSpec([None, game.draws, batch], tf.int32),
                tf.TensorSpec([None, 2], tf.int32),
            ),
        )
        history = [_Log(log), *callbacks, _Save(work, save_every)]
        if progress:
            history.append(TqdmCallback(verbose=0, initial=logged, desc=work.name, mininterval=5))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Your input ran out of data")  # the last epoch may be short
            game.fit(
                feed.prefetch(2),
                epochs=epochs,
                initial_epoch=logged,
                steps_per_epoch=feeds.programs_per_epoch(epoch_steps, program_steps),
                shuffle=False,  # the feed is in order already
                callbacks=history,
                verbose=0,
            )
    return read_log(log)


def read_log(log):
    """{name: [value an epoch]} of a log.csv."""
    rows = read_rows(pathlib.Path(log))
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else {}) if name != "epoch"}


def logged_seconds(work):
    """Seconds of training already logged anywhere below folder `work`."""
    return sum(sum(read_log(log).get("seconds", [])) for log in pathlib.Path(work).glob("**/log.csv"))
