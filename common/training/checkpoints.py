"""Checkpoints: Keras weight files, written whole or not at all, with the step number inside and a checksum at the end.

HDF5 has no checksum of its own and reads no further than its data, so the SHA-256 of a file follows them: a damaged
file never loads as other weights.
"""

import hashlib
import os
import pathlib
import re

import keras

from common.errors import UserError

NAME, WRITING = "checkpoint.weights.h5", "writing.weights.h5"
SHA256 = 32  # bytes


def save(game, work):
    """Writes weights, optimiser state and step number of `game`; a kill at any moment leaves the last whole file."""
    save_whole(game, pathlib.Path(work) / NAME)


def save_whole(model, path):
    """Writes the weights of a model whole or not at all. Raises UserError if they cannot be written."""
    temporary = path.with_name(WRITING)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save_weights(temporary, overwrite=True)
        with open(temporary, "r+b") as file:
            checksum = hashlib.sha256(file.read()).digest()
            file.write(checksum)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({first_line(error)}); the last whole checkpoint is kept: make room and give the "
            "same command again"
        ) from error


def load_whole(model, path):
    """Loads weights that `save_whole` wrote. Raises UserError for a damaged file or one of another architecture."""
    content = pathlib.Path(path).read_bytes()
    if hashlib.sha256(content[:-SHA256]).digest() != content[-SHA256:]:
        raise UserError(f"checkpoint {path} is damaged; delete it to train from the start")
    try:
        model.load_weights(path)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise UserError(
            f"checkpoint {path} belongs to another architecture; delete it or choose another --work_dir "
            f"({first_line(error)})"
        ) from error


def restore(game, work):
    """Loads the checkpoint in folder `work` into `game` if there is one; returns the number of steps done.

    Raises UserError for a damaged file or one of another architecture.
    """
    path = pathlib.Path(work) / NAME
    if not path.exists():
        return 0
    load_whole(game, path)
    return int(game.steps_done.value)


def first_line(error):
    """What an exception says, in one line: HDF5 wraps the system's own words."""
    inner = re.search(r"error message = '([^']*)'", str(error))
    return inner[1] if inner else str(error).strip().split("\n", 1)[0][:200]


class LastStates(keras.callbacks.Callback):
    """Keeps the states of the last `count` epochs, for scores averaged over the end of a training."""

    def __init__(self, work, count):
        super().__init__()
        self.folder, self.count = pathlib.Path(work) / "last", count

    def on_epoch_end(self, epoch, logs=None):
        first = self.params["epochs"] - self.count
        if epoch >= first:
            save_whole(self.model, self.folder / f"{epoch:06d}.weights.h5")

    def paths(self):
        """The last `count` weight files, oldest first; of a shorter training all.

        Raises UserError if some of them are missing: a training that was prolonged or kept fewer states.
        """
        kept = sorted(p for p in self.folder.glob("*.weights.h5") if p.name != WRITING)[-self.count :]
        if not kept:
            raise UserError(f"no states in {self.folder}; delete {self.folder.parent} to train anew")
        epochs = [int(path.name.split(".")[0]) for path in kept]
        if epochs != list(range(max(0, epochs[-1] + 1 - self.count), epochs[-1] + 1)):
            raise UserError(
                f"{self.folder} lacks some of the last {self.count} states; delete {self.folder.parent} to train anew"
            )
        return kept
