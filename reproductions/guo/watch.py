"""What a training leaves behind besides its last state: the course of its losses, and generators on the way.

Both survive a kill: whatever belongs to an epoch is written before that epoch's checkpoint, and what was written after
the checkpoint that a run resumes from is dropped or written again.
"""

import pathlib

import keras
import numpy as np

from common.errors import UserError
from common.training.checkpoints import save_whole
from common.training.logs import append_rows, keep_rows, read_rows


class Course(keras.callbacks.Callback):
    """The author's quantities at the author's moments: losses of one batch before its update, in steps.csv.

    moments: steps of an epoch, from 0. In a shorter epoch its last step stands for those beyond. A training must run
    one step a call, else a row is the mean over the steps of a call.
    """

    only_watches = True  # a training without it is the same: an exported one may leave it out

    def __init__(self, work, moments):
        super().__init__()
        self.path, self.moments = pathlib.Path(work) / "steps.csv", moments

    def on_train_begin(self, logs=None):
        done = int(self.model.steps_done.value)  # steps after it run again
        keep_rows(self.path, lambda row: row.get("step", done + 1) <= done)
        self.wanted = {min(moment, self.params["steps"] - 1) for moment in self.moments}
        self.rows = []

    def on_train_batch_end(self, batch, logs=None):
        if batch in self.wanted:
            row = {name: float(value) for name, value in logs.items()}
            self.rows.append({"step": int(self.model.steps_done.value)} | row)
        if batch + 1 == self.params["steps"]:
            append_rows(self.path, self.rows)
            self.rows = []

    def curves(self, names):
        """{"step_at": int32 [n], "step_<name>": float32 [n]}; names {logged: in the record}."""
        rows = read_rows(self.path)
        logged = [name for name in (rows[0] if rows else {}) if name != "step"]
        found = {f"step_{names.get(name, name)}": np.float32([row[name] for row in rows]) for name in logged}
        return found | {"step_at": np.int32([row["step"] for row in rows])}


class AtEpochs(keras.callbacks.Callback):
    """Weights of one network of the game after chosen epochs (1 is the first), for samples drawn later."""

    only_watches = True

    def __init__(self, work, network, epochs):
        super().__init__()
        self.folder, self.network, self.epochs = pathlib.Path(work) / f"{network.name}_at", network, set(epochs)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.params["steps"] and self.epoch in self.epochs:
            save_whole(self.network, self.path(self.epoch))

    def path(self, epoch):
        return self.folder / f"{epoch:06d}.weights.h5"

    def kept(self, epochs):
        """Those of `epochs` whose weights are there; after an exported training none are."""
        return [epoch for epoch in epochs if self.path(epoch).exists()]

    def all_or_none(self, epochs):
        """`kept`, for what is numbered: raises UserError if only some are there."""
        kept = self.kept(epochs)
        if kept not in ([], epochs):
            raise UserError(f"{self.folder} lacks some of epochs {epochs}; delete {self.folder.parent} to train anew")
        return kept


class OnTest(keras.callbacks.Callback):
    """Numbers of the test images after every epoch, in test.csv, and the weights of the best epoch.

    measure: game -> {name: number}; the first is the loss that chooses the best epoch. As the author did, the test set
    chooses: what is best on it is an optimistic number.
    """

    def __init__(self, work, measure):
        super().__init__()
        self.path, self.measure = pathlib.Path(work) / "test.csv", measure
        self.best_path = pathlib.Path(work) / "best.weights.h5"

    def on_train_begin(self, logs=None):
        done = int(self.model.steps_done.value)  # steps after it run again
        keep_rows(self.path, lambda row: row.get("step", done + 1) <= done)

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 < self.params["steps"]:
            return
        row = {"step": int(self.model.steps_done.value)} | self.measure(self.model)
        loss = list(row)[1]
        if all(row[loss] < past[loss] for past in read_rows(self.path)):
            save_whole(self.model, self.best_path)
        append_rows(self.path, [row])

    def columns(self):
        """{name: float32 [epochs]}."""
        rows = read_rows(self.path)
        return {name: np.float32([row[name] for row in rows]) for name in rows[0] if name != "step"}


def quarters(epochs, drawn=()):
    """The epochs whose samples are drawn: `drawn`, or after each quarter of the training, as the report's 50, 100, 150
    and 200 of 200. Raises UserError for an epoch that the training does not reach.
    """
    for epoch in drawn:
        if not isinstance(epoch, int) or not 1 <= epoch <= epochs:
            raise UserError(f"epoch {epoch} to draw is never reached: the training has epochs 1 to {epochs}")
    return list(drawn) or [max(1, round(epochs * part / 4)) for part in (1, 2, 3, 4)]


def along(epochs, count=20):
    """Every epoch of short trainings; of longer ones some `count` epochs, closer at the start."""
    if epochs <= count:
        return list(range(1, epochs + 1))
    return sorted({int(e) for e in np.rint(np.geomspace(1, epochs, count))})
