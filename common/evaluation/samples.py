"""How good and how varied samples are: distances between two sets of images or of their features.

Features come from a judge (`judge.Judge.features`); numbers from different judges are not comparable. Only numpy and
scipy are imported here. All functions take float arrays [N, D]; images are flattened by the caller or by
`nearest_squared_distance`.
"""

import numpy as np
from scipy import linalg

from common.errors import UserError

BLOCK = 2**24  # distances at once, which bounds memory: 128 MB


def frechet_distance(features_a, features_b) -> float:
    """Squared Fréchet (Wasserstein-2) distance of the Gaussians fitted to two sets (Heusel et al. 2017, Eq. 6):

        |m_a - m_b|^2 + tr( C_a + C_b - 2 (C_a^{1/2} C_b C_a^{1/2})^{1/2} )

    with covariances divided by N - 1. The trace of the root is the sum of the singular values of C_b^{1/2}
    C_a^{1/2}, which stays real and needs no inverse where a covariance is singular. Biased upwards by a term of
    order 1/N: compare only at equal N. Raises UserError for fewer than two rows or for NaN.
    """
    a, b = (_features(f, least=2) for f in (features_a, features_b))
    roots = [_root(np.cov(f, rowvar=False).reshape(f.shape[1], -1)) for f in (a, b)]
    overlap = linalg.svdvals(roots[0] @ roots[1]).sum()
    shift = np.sum((a.mean(0) - b.mean(0)) ** 2)
    return float(max(0.0, shift + sum(np.sum(root**2) for root in roots) - 2.0 * overlap))


def _root(covariance):
    """Symmetric square root; eigenvalues that rounding made negative count as zero."""
    values, vectors = linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def precision_recall(features_real, features_fake, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al. 2019, Eqs. 1-2), fractions in [0, 1].

    The manifold of a set is the union of balls around its points, each reaching to the point's k-th nearest
    neighbour in the set. precision: share of fakes inside the manifold of the reals (quality); recall: share of
    reals inside that of the fakes (variety). Both depend on k and on the set sizes: use equal sizes. Raises
    UserError unless each set has more than k rows.
    """
    real, fake = (_features(f, least=k + 1) for f in (features_real, features_fake))
    if k < 1:
        raise UserError(f"precision and recall need k >= 1 neighbours; got {k}")
    return _share_inside(fake, real, k), _share_inside(real, fake, k)


def _share_inside(points, manifold, k: int) -> float:
    # The nearest of the k + 1 smallest distances is the point itself.
    radii = np.concatenate([np.partition(block, k, axis=1)[:, k] for block in _squared_distances(manifold, manifold)])
    return float(
        np.mean(np.concatenate([(block <= radii).any(axis=1) for block in _squared_distances(points, manifold)]))
    )


def nearest_squared_distance(images, training, exclude_self: bool = False) -> np.ndarray:
    """Squared Euclidean distance, summed over pixels, of each image to the nearest training image: float64 [N].

    images [N, ...], training [M, ...] of equal shape, in one scale ([0, 1] mostly). Exact: all N x M pairs, as
    blocks of a matrix product; the winner is computed again by difference, so that a copy has distance 0.
    exclude_self: images is training, skip the diagonal.
    """
    images, training = (_features(np.reshape(x, (len(x), -1)), least=1) for x in (images, training))
    if exclude_self and (len(images) != len(training) or len(images) < 2):
        raise UserError("exclude_self compares a set of at least two images with itself; got two sets of other sizes")
    nearest = []
    first = 0
    for block in _squared_distances(images, training):
        if exclude_self:
            block[np.arange(len(block)), first + np.arange(len(block))] = np.inf
        nearest.append(block.argmin(axis=1))
        first += len(block)
    return np.sum((images - training[np.concatenate(nearest)]) ** 2, axis=1)


def _squared_distances(a, b):
    """Yield blocks [rows, len(b)], rows in order, of |a_i - b_j|^2 = |a_i|^2 - 2 a_i.b_j + |b_j|^2, never negative."""
    norms = np.sum(b * b, axis=1)
    at_once = max(1, BLOCK // len(b))
    for start in range(0, len(a), at_once):
        rows = a[start : start + at_once]
        block = rows @ b.T
        block *= -2.0
        block += norms
        block += np.sum(rows * rows, axis=1)[:, None]
        yield np.maximum(block, 0.0, out=block)


def _features(features, least: int) -> np.ndarray:
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < least:
        raise UserError(f"need features [N, D] with N >= {least}; got {list(features.shape)}")
    if not np.isfinite(features).all():
        raise UserError("features hold NaN or infinite values; did the generator diverge?")
    return features


def class_entropy(probabilities) -> float:
    """Entropy of the mean class probabilities, H( (1/N) sum_n p_n ), in nats.

    log(classes) when all classes are equally frequent. probabilities: [N, classes] of a judge.
    """
    mean = _features(probabilities, least=1).mean(axis=0)
    return float(-np.sum(mean * np.log(np.where(mean > 0, mean, 1.0))))


def class_coverage(probabilities, share: float = 0.01) -> int:
    """How many classes hold at least `share` of the samples, each counted to its most probable class."""
    probabilities = _features(probabilities, least=1)
    counts = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return int(np.sum(counts >= share * len(probabilities)))
