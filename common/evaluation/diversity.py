"""How varied samples are: by class, within a class, and pair by pair; collapse shows here.

Classes are a judge's labels. `samples.class_entropy` and `samples.class_coverage` take its probabilities; here labels
are counted, each sample once. Images are floats [N, ...] in [0, 1], features float [N, D].
"""

import numpy as np
from sklearn import metrics

from common.errors import UserError

SEEN = 0.01  # a class counts as present from this share on


def class_shares(labels, classes: int = 10) -> np.ndarray:
    """Share of each class among labels, int [N]: float64 [classes], sum 1."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or len(labels) == 0 or labels.min() < 0 or labels.max() >= classes:
        raise UserError(f"need labels [N] from 0 to {classes - 1}; got {list(labels.shape)}")
    return np.bincount(labels, minlength=classes) / len(labels)


def label_entropy(labels, classes: int = 10) -> float:
    """H = -sum_c s_c log s_c over the class shares s, nats; log(classes) when all are equally frequent."""
    shares = class_shares(labels, classes)
    return float(np.sum(-shares * np.log(np.where(shares > 0, shares, 1.0))) + 0.0)  # + 0: no "-0" for one class


def label_coverage(labels, classes: int = 10, share: float = SEEN) -> int:
    """K: how many classes hold at least `share` of the labels."""
    return int(np.sum(class_shares(labels, classes) >= share))


def within_class_variance(images, labels) -> float:
    """Pixel variance among images of one class, mean over pixels, then over the classes that have two images or more.

    Variance with divisor n. MNIST test: .0531. A model with one template a class has 0. NaN if no class has two.
    """
    images, labels = np.asarray(images, np.float64), np.asarray(labels)
    classes = [c for c in np.unique(labels) if np.sum(labels == c) > 1]
    return float(np.mean([images[labels == c].var(axis=0).mean() for c in classes])) if classes else float("nan")


def mean_pairwise_distance(features) -> float:
    """Mean Euclidean distance over all pairs of different rows; needs two rows or more."""
    features = _flat(features)
    total = sum(block.sum() for block in metrics.pairwise_distances_chunked(features))
    return float(total / (len(features) * (len(features) - 1)))


def duplicated_pairs(images, rms: float = 0.02) -> int:
    """How many pairs of images differ by less than `rms`, the root of their mean squared pixel difference.

    Copies among a few thousand draws say that the generator's range is small (birthday test, Arora and Zhang 2017).
    """
    flat = _flat(images)
    radius = rms * np.sqrt(flat.shape[1])
    near = metrics.pairwise_distances_chunked(flat, reduce_func=lambda block, start: np.sum(block < radius, axis=1))
    return int((sum(int(counts.sum()) for counts in near) - len(flat)) // 2)  # without the diagonal, each pair once


def _flat(values) -> np.ndarray:
    values = np.asarray(values, np.float64)
    values = values.reshape(len(values), -1)
    if len(values) < 2:
        raise UserError("pairs need at least two images")
    return values
