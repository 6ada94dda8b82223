"""The author's own numbers: what the notebooks printed, and what can be measured on the published pictures.

`author_logs/` holds, as plain csv:

    gan, dcgan, faces, vae, cvae_gan   one row a printed line: epoch and step (both from 0), then the losses; in_report
                                       is 1 if the report prints the line, too; vae: step "end" is the test set after
                                       the epoch
    grids                              statistics of the sample grids and of MNIST; n_images: how many; digits are
                                       named by nearest neighbours among MNIST's, not by our judge
    grid_labels                        the digits asked of the CVAE-GAN, 96 a grid, in the grid's order

The row mnist_test is the whole test set of 10,000, mnist_96 a sample of it as large as a grid. FILES is a hash of all
of them: records know code, not data, so an edit of a number here must become one of code, which makes records stale.

A line is the loss of one batch before its update, so single lines scatter; compare ranges and trends.
"""

import csv
import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from common.errors import UserError

FOLDER = Path(__file__).with_name("author_logs")
FILES = "7cebd5038aaf090f"  # `digest` of the folder
RUNS = ("gan", "dcgan", "faces", "vae", "cvae_gan")
EPOCHS = {"gan": 200, "dcgan": 100, "faces": 50, "vae": 200, "cvae_gan": 200}
# Steps of an epoch, from 0, whose batch the author's lines are of, before its update.
MOMENTS = {
    "gan": (599,), "dcgan": (400,), "faces": tuple(range(0, 216, 50)), "vae": tuple(range(0, 469, 100)),
    "cvae_gan": tuple(range(0, 469, 100)),
}  # fmt: skip
STEPS_AN_EPOCH = {"gan": 600, "dcgan": 469, "faces": 216, "vae": 469, "cvae_gan": 469}


@lru_cache
def lines(run: str) -> dict[str, np.ndarray]:
    """{column: values} of the lines one run printed during training: epoch, step int [n], losses float64 [n]."""
    rows = [row for row in _rows(run) if row["step"] != "end"]
    names = [name for name in rows[0] if name not in ("epoch", "step", "in_report") and rows[0][name]]
    counts = {name: np.array([int(row[name]) for row in rows]) for name in ("epoch", "step")}
    return counts | {name: np.array([float(row[name]) for row in rows]) for name in names}


@lru_cache
def test_lines() -> dict[str, np.ndarray]:
    """{test_loss, test_reconstruction, test_kl: float64 [200]} of the VAE after each epoch, nats an image."""
    rows = [row for row in _rows("vae") if row["step"] == "end"]
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name.startswith("test_")}


def by_epoch(run: str, name: str) -> np.ndarray:
    """Mean of what the run printed of `name` in each epoch, float64 [epochs]."""
    if run == "vae" and name.startswith("test_"):
        return test_lines()[name]
    found = lines(run)
    sums = np.bincount(found["epoch"], found[name])
    return sums / np.bincount(found["epoch"])


def last(run: str, name: str, epochs: int = 10) -> float:
    """Mean over the lines of the last `epochs` epochs."""
    return float(by_epoch(run, name)[-epochs:].mean())


@lru_cache
def grids() -> dict[tuple[str, int], dict[str, float]]:
    """{(run, epoch from 1): {statistic: value}}; MNIST's own are ("mnist_test", 0) and ("mnist_96", 0)."""
    found = {}
    for row in _rows("grids"):
        key = row.pop("images"), int(row.pop("epoch") or 0)
        found[key] = {name: float(value) for name, value in row.items() if value}
    return found


def grid(run: str, epoch: int) -> dict[str, float]:
    """Statistics of one published grid."""
    return grids()[run, epoch]


def grid_labels(epoch: int) -> np.ndarray:
    """The 96 digits asked for in the CVAE-GAN grid after `epoch` (50, 100, 150 or 200)."""
    (found,) = (row["labels"] for row in _rows("grid_labels") if int(row["epoch"]) == epoch)
    return np.array([int(digit) for digit in found])


@lru_cache
def digest(folder: Path) -> str:
    """16 hex digits of the names and texts of all csv files, whatever their line ends."""
    found = [f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in sorted(folder.glob("*.csv"))]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]


def _rows(name: str) -> list[dict[str, str]]:
    if digest(FOLDER) != FILES:
        raise UserError(f"{FOLDER} is not what author.FILES says; if that is meant, set it to '{digest(FOLDER)}'")
    with open(FOLDER / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
