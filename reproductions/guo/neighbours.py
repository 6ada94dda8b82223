"""Which digits nearest neighbours see in the pictures kept of our CVAE-GANs.

The digits of the author's grids are named so, ours by a judge, which is kinder to eroded strokes. His grids came with
no word on how many neighbours, so that one and NEIGHBOURS are asked here, among MNIST's test digits.
"""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from common.reporting.records import load_all
from reproductions.guo import chosen

NEIGHBOURS = 5
CHECKED = 10  # of real digits every tenth is named, by the others


def named(pictures, known, digits, neighbours: int) -> np.ndarray:
    """The digit most frequent among the nearest of `known` (Euclidean over the pixels), uint8 [N]."""
    nearest = KNeighborsClassifier(neighbours, algorithm="brute").fit(_rows(known), digits)
    return nearest.predict(_rows(pictures)).astype(np.uint8)


def kept(record, results_dir):
    """(uint8 pictures of the end of a training, the digits asked for), or None if the record kept none."""
    arrays = chosen.scores(record, results_dir)
    last = f"grid_q{len(arrays['grid_epochs'])}"
    return (arrays[last], arrays["grid_labels"][: len(arrays[last])]) if last in arrays else None


def of_all(results_dir, scale, images):
    """(metrics, arrays, notes) of every CVAE-GAN of this scale trained on these images, by the record's name.

    Metrics: share that shows the digit asked for; `real_digits`: of test digits among the other ones. Arrays: the digit
    named by NEIGHBOURS, and by one (name_one). Notes: the checksum of the pictures.
    """
    known, digits = images.test, images.test_labels
    few = np.arange(len(known)) % CHECKED == 0
    metrics = {"real_digits": np.mean(named(known[few], known[~few], digits[~few], NEIGHBOURS) == digits[few])}
    arrays, notes = {}, {}
    for record in load_all(results_dir, "guo"):
        if (record.experiment, record.scale, record.data["name"]) != ("cvae_gan", scale, images.name):
            continue
        if found := kept(record, results_dir):
            pictures, asked = found
            arrays[record.name] = named(pictures, known, digits, NEIGHBOURS)
            arrays[f"{record.name}_one"] = named(pictures, known, digits, 1)
            metrics[record.name] = np.mean(arrays[record.name] == asked)
            notes[record.name] = record.sha256["scores"]
    return metrics, arrays, notes


def _rows(pictures):
    return np.reshape(pictures, (len(pictures), -1)).astype(np.float32)
