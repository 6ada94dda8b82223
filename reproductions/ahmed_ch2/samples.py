"""Draws from trained models and what they look like: Figures A.2 and A.3, and the text's words on global and local.

Images are uint8 of 0 and 255, [N, 28, 28, 1]: pixels are drawn, not their means.
"""

import numpy as np
import tensorflow as tf

from common.evaluation import nats
from common.evaluation.samples import class_entropy
from common.nets import raster
from reproductions.ahmed_ch2 import evaluation

SHOWN = 50  # how many images a record keeps
BATCH = 250


def draws(game, count, seed=1) -> np.ndarray:
    """`count` samples: z ~ N(0, I) where there is a latent, then pixel after pixel."""
    rng = np.random.default_rng([seed, 1])
    z = rng.normal(size=(count, game.latent)).astype(np.float32) if nats.has_latent(game) else None
    return pixels(game, z, rng.random((count, 28, 28, 1), np.float32))


def reconstructions(game, bits, seed=1) -> np.ndarray:
    """One draw of p(x'|z), z ~ q(z|x), for every image of `bits` (Figure A.3)."""
    rng = np.random.default_rng([seed, 2])
    found = nats.over_batches(
        lambda image, numbers: dict(zip(("mean", "log_sd"), game.posterior(image), strict=True)),
        nats.floats(bits),
    )
    z = found["mean"] + np.exp(found["log_sd"]) * rng.normal(size=found["mean"].shape)
    return pixels(game, z.astype(np.float32), rng.random(bits.shape, np.float32))


def pixels(game, z, uniforms) -> np.ndarray:
    """x_i = 1[u_i < p(x_i = 1 | x_<i, z)] in raster order, as 0 and 255; z float32 [N, latent] or None."""
    parts = []
    for first in range(0, len(uniforms), BATCH):
        part = slice(first, first + BATCH)
        parts.append(raster.sample(game, tf.constant(uniforms[part]), None if z is None else tf.constant(z[part])))
    return (np.concatenate(parts) > 0.5).astype(np.uint8) * np.uint8(255)


def spread(images, count) -> np.ndarray:
    """`count` of the images at equal distances: the fixed set's test images are sorted by class."""
    return images[evaluation.spread_out(count, len(images))]


# --- What samples look like -------------------------------------------------------------------------------------------


def quality(drawn, bits, judge) -> dict[str, float]:
    """How much samples look like digits as a whole, and how much their 5x5 patches look like those of digits.

    judge_confidence: mean probability of the likeliest class; class_entropy: of the mean probabilities, nats (2.303 if
    all ten are equally frequent). unseen_patches: share of the 5x5 patches that are not all background and occur
    nowhere in the training images; *_test: the same of as many test images. copies: share of samples that repeat
    a training image, bit for bit. Where training bits are drawn anew in every step, validation images stand for them.
    """
    real = spread(bits.test, len(drawn))
    train = bits.train if bits.kind != "dynamic" else bits.validation
    seen, metrics = seen_patches(train), {}
    for name, images in (("", drawn), ("_test", real)):
        probabilities = judge.probabilities(images.astype(np.float32) / 255)
        metrics[f"judge_confidence{name}"] = probabilities.max(axis=1).mean()
        metrics[f"class_entropy{name}"] = class_entropy(probabilities)
        metrics[f"unseen_patches{name}"] = unseen_share(images, seen)
    known = {image.tobytes() for image in np.packbits(train.reshape(len(train), -1), axis=1)}
    flat = np.packbits(drawn.reshape(len(drawn), -1), axis=1)
    metrics["copies"] = np.mean([image.tobytes() in known for image in flat])
    return metrics


def agreement(judge, originals, pairs) -> float:
    """Share of reconstructions in which the judge sees the class that it sees in the original."""
    seen = [judge.probabilities(images.astype(np.float32) / 255).argmax(axis=1) for images in (originals, pairs)]
    return float(np.mean(seen[0] == seen[1]))


def patch_codes(images, size=5) -> np.ndarray:
    """int32 [N, 28 - size + 1, 28 - size + 1]: every size x size patch of bits as one number, 0 = all background."""
    bits = (images[..., 0] > 0).astype(np.int32)
    side = bits.shape[1] - size + 1
    codes = np.zeros((len(bits), side, side), np.int32)
    for number, (row, column) in enumerate(np.ndindex(size, size)):
        codes += bits[:, row : row + side, column : column + side] << number
    return codes


def seen_patches(images, size=5) -> np.ndarray:
    """bool [2^(size^2)]: which patches occur in the images."""
    seen = np.zeros(2 ** (size * size), bool)
    for first in range(0, len(images), 1_000):
        seen[patch_codes(images[first : first + 1_000], size)] = True
    return seen


def unseen_share(images, seen) -> float:
    """Share of the patches that are not all background and not in `seen`."""
    codes = patch_codes(images)
    drawn = codes[codes > 0]
    return float(np.mean(~seen[drawn])) if len(drawn) else float("nan")
