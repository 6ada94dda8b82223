"""What the codes mu_z(x) of an encoder hold: the class, and how little else (section 2.4.1; claims 12-14, 37, 38)."""

import numpy as np
from sklearn import metrics as scores
from sklearn import neighbors

from common.evaluation import nats

NEIGHBOURS = (1, 5, 15)


def means(game, bits) -> np.ndarray:
    """Posterior means [N, latent], float64, of binary images uint8 [N, 28, 28, 1]."""
    return nats.over_batches(lambda image, numbers: {"mean": game.posterior(image)[0]}, nats.floats(bits), 250)["mean"]


def neighbour_errors(train, train_labels, test, test_labels) -> dict[int, float]:
    """{k: per cent of the test codes whose k nearest training codes vote for another class}."""
    found = {}
    for k in NEIGHBOURS:
        nearest = neighbors.KNeighborsClassifier(min(k, len(train))).fit(train, train_labels)
        found[k] = 100 * float(np.mean(nearest.predict(test) != test_labels))
    return found


def information(train, train_labels, test, test_labels, k=50) -> float:
    """Lower bound of I(class; z), nats: H(class) minus the cross-entropy of the neighbours' votes (one added to each).

    No classifier's cross-entropy is below H(class | z).
    """
    nearest = neighbors.KNeighborsClassifier(min(k, len(train))).fit(train, train_labels)
    classes = nearest.classes_
    votes = nearest.predict_proba(test) * nearest.n_neighbors + 1
    places = np.searchsorted(classes, test_labels).clip(max=len(classes) - 1)
    log_p = np.log(votes / votes.sum(1, keepdims=True))[np.arange(len(test)), places]
    shares = np.bincount(places, minlength=len(classes)) / len(places)
    entropy = -np.sum(shares * np.log(np.where(shares > 0, shares, 1)))
    return float(entropy + log_p.mean())


def silhouette(codes, labels, count=2_000) -> float:
    """Mean silhouette of the classes among the first `count` codes: 1 = apart, 0 = in one another, -1 = swapped."""
    return float(scores.silhouette_score(codes[:count], labels[:count]))


def active_units(codes, threshold=0.01) -> int:
    """Dimensions whose mean moves with the image: Var_x mu_j(x) > threshold (Burda et al. 2016)."""
    return int(np.sum(np.var(codes, axis=0) > threshold))


def moves(game, bits, labels, seed=1) -> dict[str, float]:
    """No. 37: how far mu_z moves under a shift by one pixel and under 2 % of flipped pixels, over the class spread.

    The spread is the root of the mean squared distance of the class means from their mean.
    """
    start = means(game, bits)
    centres = np.stack([start[labels == c].mean(0) for c in np.unique(labels)])
    spread = np.sqrt(np.mean(np.sum((centres - centres.mean(0)) ** 2, axis=1)))
    flips = np.random.default_rng(seed).random(bits.shape) < 0.02
    altered = {
        "shift": [shifted(bits, *by) for by in ((0, 1), (0, -1), (1, 0), (-1, 0))],
        "flips": [np.where(flips, 255 - bits, bits)],
    }
    return {
        f"move_{name}": np.mean([np.linalg.norm(means(game, each) - start, axis=1).mean() for each in images]) / spread
        for name, images in altered.items()
    }


def shifted(bits, down, right) -> np.ndarray:
    """The images moved by whole pixels; what comes in is background."""
    height, width = bits.shape[1:3]
    padded = np.pad(bits, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return padded[:, 1 - down : 1 - down + height, 1 - right : 1 - right + width]
