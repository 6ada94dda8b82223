"""What a latent space holds: can the class be read off z, does z reach the picture, how even is a walk through it.

Latents are float [N, d], labels int [N], pictures float [..., H, W, C] in [0, 1].
"""

from typing import NamedTuple

import numpy as np
from sklearn import linear_model, model_selection, neighbors, pipeline, preprocessing

from common.errors import UserError


def neighbour_accuracy(z, labels, k: int = 5, folds: int = 5, seed: int = 1) -> float:
    """Share of z whose label is the most frequent of its k nearest neighbours (Euclidean), by cross-validation."""
    return _cross_validated(neighbors.KNeighborsClassifier(k), z, labels, folds, seed)


def linear_accuracy(z, labels, folds: int = 5, seed: int = 1) -> float:
    """Share of labels that a multinomial logistic regression on standardised z gets right, by cross-validation."""
    probe = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=500, tol=1e-3)
    )
    return _cross_validated(probe, z, labels, folds, seed)


def _cross_validated(classifier, z, labels, folds, seed) -> float:
    """Every z is judged by a classifier that has not seen it; classes rarer than `folds` are left out."""
    z, labels = np.asarray(z, np.float64), np.asarray(labels)
    if z.ndim != 2 or len(z) != len(labels):
        raise UserError(f"need latents [N, d] and labels [N]; got {list(z.shape)} and {list(labels.shape)}")
    values, counts = np.unique(labels, return_counts=True)
    kept = np.isin(labels, values[counts >= folds])
    if np.unique(labels[kept]).size < 2:  # one class only: every guess is right and says nothing
        return float("nan")
    split = model_selection.StratifiedKFold(folds, shuffle=True, random_state=seed)
    guessed = model_selection.cross_val_predict(classifier, z[kept], labels[kept], cv=split)
    return float(np.mean(guessed == labels[kept]))


def active_units(means, threshold: float = 0.01) -> int:
    """Latent dimensions whose posterior mean moves with the image: Var_x mu_j(x) > threshold (Burda et al. 2016).

    means: [N, d], the encoder's means of N images.
    """
    return int(np.sum(np.var(np.asarray(means, np.float64), axis=0) > threshold))


class VarianceShares(NamedTuple):
    """Parts of the pixel variance of G(z, c); the three shares sum to 1. total: mean over pixels, [0, 1] scale."""

    z: float
    label: float
    both: float
    total: float


def variance_shares(pictures) -> VarianceShares:
    """What moves the picture: two-way analysis of variance of G(z_i, c_j), [Z, C, H, W, channels], one cell each.

    With grand mean m, z: Var_i mean_j G - label: Var_j mean_i G - both (interaction): the rest of Var_ij G. NaN shares
    if all pictures are equal.
    """
    g = np.asarray(pictures, np.float64)
    if g.ndim < 3:
        raise UserError(f"need pictures [Z, C, ...], every latent with every label; got {list(g.shape)}")
    total = g.var(axis=(0, 1)).mean()
    by_z, by_label = g.mean(axis=1).var(axis=0).mean(), g.mean(axis=0).var(axis=0).mean()
    if total == 0:
        return VarianceShares(np.nan, np.nan, np.nan, 0.0)
    shares = by_z / total, by_label / total
    return VarianceShares(*map(float, shares), float(1 - sum(shares)), float(total))


def explained_by_z(pictures, data_variance: float) -> float:
    """Var_z[G(z, c)] / Var_data: the mean over labels and pixels of the variance along z, over the data's.

    pictures: [Z, C, ...]. data_variance: pixel variance within a class of the real images
    (`diversity.within_class_variance`). 1: z brings as much variety as a class has; 0: z is ignored.
    """
    return float(np.asarray(pictures, np.float64).var(axis=0).mean() / data_variance)


def steps(path) -> np.ndarray:
    """Euclidean lengths of the steps of walks [P, T, ...] (pictures or features): float64 [P, T - 1]."""
    path = np.asarray(path, np.float64)
    if path.ndim < 3 or path.shape[1] < 2:
        raise UserError(f"need walks [P, T, ...] of two pictures or more; got {list(path.shape)}")
    return np.sqrt(np.sum(np.diff(path, axis=1).reshape(*path.shape[:1], path.shape[1] - 1, -1) ** 2, axis=-1))


def step_evenness(path) -> np.ndarray:
    """Longest over mean step of each walk, [P]: 1 if all are equal, T - 1 if only one is not 0; NaN if all are 0."""
    lengths = steps(path)
    mean = lengths.mean(axis=1)
    return np.divide(lengths.max(axis=1), mean, out=np.full(len(mean), np.nan), where=mean > 0)


def path_length(path) -> np.ndarray:
    """Sum of the steps over the straight distance of the ends, [P]: 1 on a straight line; NaN if the ends are equal."""
    path = np.asarray(path, np.float64)
    straight = steps(path[:, [0, -1]])[:, 0]
    return np.divide(steps(path).sum(axis=1), straight, out=np.full(len(path), np.nan), where=straight > 0)


def label_changes(labels) -> np.ndarray:
    """How often the label changes along each walk: labels int [P, T] -> [P]."""
    return np.sum(np.diff(np.asarray(labels), axis=1) != 0, axis=1)


def monotone_share(values, slack: float = 0.01) -> float:
    """Share of walks [P, T] whose values never fall by more than `slack` from one step to the next."""
    return float(np.mean(np.all(np.diff(np.asarray(values, np.float64), axis=1) >= -slack, axis=1)))
