"""Scores that need no network: what a deep model of normality must beat (chapter 5 asks whether density is enough).

Every score is larger where an image is less normal. Two know nothing of the training set beyond "digits are thin and
smooth" (ink, edges), one is a compressor, two are the simplest densities of binary images.
"""

import zlib
from typing import NamedTuple

import numpy as np

from common.data.binarise import own_draw
from common.errors import UserError

LOWEST = 1e-3  # pixel probabilities stay in [LOWEST, 1 - LOWEST]
PSEUDO_COUNT = 0.5  # this many imagined on-pixels and off-pixels in every component
ROWS = 10_000  # images at once in a matrix product: bounds memory


def scores(train_grey, test_grey, components, em_iterations, seed):
    """{"ink", "total_variation", "zlib", "bernoulli", "mixture"}: float64 [N], of test images uint8 [N, H, W, C].

    ink: number of on-pixels; bernoulli, mixture: negative log-likelihood in nats; these three see the images
    binarised by `own_draw`, with the bits that the VAE of this seed is scored on. total_variation: in grey levels;
    zlib: bytes at the best compression; both of the grey image.
    """
    train, test = (own_draw(grey, seed).reshape(len(grey), -1).astype(np.float32) for grey in (train_grey, test_grey))
    bernoulli = fit_mixture(train, 1, 1, seed)
    mixture = fit_mixture(train, components, em_iterations, seed)
    return {
        "ink": test.sum(1, dtype=np.float64),
        "total_variation": total_variation(test_grey),
        "zlib": np.array([len(zlib.compress(image.tobytes(), 9)) for image in test_grey], np.float64),
        "bernoulli": -bernoulli.log_prob(test),
        "mixture": -mixture.log_prob(test),
    }


def total_variation(grey):
    """sum |x_{i+1,j} - x_{i,j}| + |x_{i,j+1} - x_{i,j}| of images uint8 [N, H, W, C]: float64 [N], grey levels."""
    grey = grey.astype(np.int32)
    return sum(np.abs(np.diff(grey, axis=axis)).sum((1, 2, 3)) for axis in (1, 2)).astype(np.float64)


class Mixture(NamedTuple):
    """p(x) = sum_k w_k prod_d p_kd^{x_d} (1 - p_kd)^{1 - x_d}; weights [K], probabilities [K, D]."""

    weights: np.ndarray
    probabilities: np.ndarray

    def posterior(self, bits):
        """(log p(x_n) in nats float64 [N], p(k | x_n) float64 [N, K]) of float32 bits [N, D].

        sum_d x_d logit p_kd is one matrix product in float32 (error near 1e-4 nats).
        """
        p = self.probabilities
        logits = (np.log(p) - np.log1p(-p)).astype(np.float32)
        joint = (bits @ logits.T).astype(np.float64) + np.log(self.weights) + np.log1p(-p).sum(1)
        largest = joint.max(1, keepdims=True)
        relative = np.exp(joint - largest)
        total = relative.sum(1, keepdims=True)
        return (largest + np.log(total))[:, 0], relative / total

    def log_prob(self, bits):
        """log p(x_n) of float32 bits [N, D]: float64 [N], nats."""
        return np.concatenate([self.posterior(part)[0] for part in _parts(bits)])


def fit_mixture(bits, components, iterations, seed, trace=None):
    """Mixture of `components` Bernoullis fitted to float32 bits [N, D] by `iterations` steps of EM.

    Starts from .25 + .5 x, x random training images, and equal weights. Each step maximises, under the bounds LOWEST,

        sum_n log p(x_n) + PSEUDO_COUNT sum_kd [log p_kd + log(1 - p_kd)],

    which therefore never falls; its value before each step is appended to the list `trace` if one is given.
    With one component and one step it is the exact fit of independent pixels.
    """
    if components > len(bits):
        raise UserError(f"components={components}: a mixture of {len(bits)} images takes 1 to {len(bits)}")
    chosen = np.random.default_rng(seed).choice(len(bits), components, replace=False)
    model = Mixture(np.full(components, 1.0 / components), 0.25 + 0.5 * bits[chosen].astype(np.float64))
    for _ in range(iterations):
        counts, on, log_likelihood = np.zeros(components), np.zeros_like(model.probabilities), 0.0
        for part in _parts(bits):
            log_p, share = model.posterior(part)
            counts += share.sum(0)
            on += (part.T @ share.astype(np.float32)).T  # this order of the factors is six times faster in BLAS
            log_likelihood += log_p.sum()
        if trace is not None:
            p = model.probabilities
            trace.append(log_likelihood + PSEUDO_COUNT * (np.log(p) + np.log1p(-p)).sum())
        p = (on + PSEUDO_COUNT) / (counts[:, None] + 2 * PSEUDO_COUNT)
        model = Mixture(np.maximum(counts, 1e-300) / len(bits), np.clip(p, LOWEST, 1 - LOWEST))
    return model


def _parts(bits):
    return (bits[first : first + ROWS] for first in range(0, len(bits), ROWS))
