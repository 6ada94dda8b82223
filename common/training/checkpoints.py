"""Checkpoints: Keras weight files, written whole or not at all, with the step number inside."""

import pathlib

import keras

from common.errors import UserError

NAME = "checkpoint.weights.h5"


def save(game, work):
    """Writes weights, optimiser state and step number of `game`; a kill at any moment leaves the last whole file."""
    path = pathlib.Path(work) / NAME
    temporary = path.with_name("writing.weights.h5")
    game.save_weights(temporary, overwrite=True)
    temporary.replace(path)


def restore(game, work):
    """Loads the checkpoint in folder `work` into `game` if there is one; returns the number of steps done.

    Raises UserError for a damaged file or one of another architecture.
    """
    path = pathlib.Path(work) / NAME
    if not path.exists():
        return 0
    try:
        game.load_weights(path)
    except OSError as error:
        raise UserError(
            f"checkpoint {path} is damaged; delete it to train from the start ({first_line(error)})"
        ) from error
    except (ValueError, KeyError) as error:
        raise UserError(
            f"checkpoint {path} belongs to another architecture; delete it or choose another --work_dir "
            f"({first_line(error)})"
        ) from error
    return int(game.steps_done.value)


def first_line(error):
    """The first line of an exception's text, for messages of one line."""
    return str(error).strip().split("\n", 1)[0][:200]


class LastStates(keras.callbacks.Callback):
    """Keeps the states of the last `count` epochs, for scores averaged over the end of a training."""

    def __init__(self, work, count):
        super().__init__()
        self.folder, self.count = pathlib.Path(work) / "last", count

    def on_epoch_end(self, epoch, logs=None):
        first = self.params["epochs"] - self.count
        if epoch >= first:
            self.folder.mkdir(exist_ok=True)
            temporary = self.folder / "writing.weights.h5"
            self.model.save_weights(temporary, overwrite=True)
            temporary.replace(self.folder / f"{epoch:06d}.weights.h5")

    def paths(self):
        """The kept weight files, oldest first."""
        return sorted(p for p in self.folder.glob("*.weights.h5") if p.name != "writing.weights.h5")
