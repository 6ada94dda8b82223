"""What a pixel can see: supports of gradients (sections 1.6.3, 2.1 and 2.3), claims 17, 29, 30 and 43.

A pixel's support is the set of input pixels with a gradient that is not zero. Layers here are built in float64 with
random weights, so that a gradient passes through thirty of them without vanishing and no sum is zero by chance.
"""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from common.nets.causal import MaskedConv2D, MaskedStack
from common.nets.gated import GatedStack


@contextlib.contextmanager
def float64():
    """Layers built inside compute in float64."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def shaken(layer, seed=0, positive=False):
    """The layer with random weights; biases too, which start at zero and would hide what leaks through them.

    positive: for ReLU stacks, where a unit that is off would hide what it sees.
    """
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_variables:
        kernel = rng.normal(size=weight.shape)
        value = 0.5 + rng.random(weight.shape) if len(weight.shape) == 1 else np.abs(kernel) if positive else kernel
        weight.assign(value)
    return layer


def support(net, pixel, shape) -> np.ndarray:
    """bool [H, W]: input pixels that output `pixel` (row, column) of net([1, H, W, 1]) has a gradient by."""
    image = tf.constant(np.random.default_rng(1).random((1, *shape, 1)))
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = tf.reduce_sum(net(image)[0, pixel[0], pixel[1]])
    return tape.gradient(value, image).numpy()[0, :, :, 0] != 0


def earlier(pixel, shape) -> np.ndarray:
    """bool [H, W]: the pixels before `pixel` in raster order."""
    return (np.arange(shape[0] * shape[1]) < pixel[0] * shape[1] + pixel[1]).reshape(shape)


def full_context(side, depth) -> bool:
    """Whether the last pixel, and the first of the second row, see all that is before them in a gated stack."""
    with float64():
        net = shaken(GatedStack(depth, 2, 5))
    return all(
        np.array_equal(support(net, pixel, (side, side)), earlier(pixel, (side, side)))
        for pixel in ((side - 1, side - 1), (1, 0))
    )


def depths(sides=(28, 64)) -> dict[str, float]:
    """No. 17: a 7x7 block and L of 5x5 reach 3 + 2 L pixels, so full context takes L = (side - 4) / 2.

    depth_<side>: that number; depth_error: how many sides it is not the smallest depth with full context for.
    """
    found, wrong = {}, 0
    for side in sides:
        depth = -(-(side - 4) // 2)
        wrong += not (full_context(side, depth) and not full_context(side, depth - 1))
        found[f"depth_{side}"] = depth
    return found | {"depth_error": wrong}


def reach(blocks, size=5, width=41) -> int:
    """Columns to the left that the last pixel of a row sees, in an image of two rows."""
    with float64():
        net = shaken(GatedStack(blocks, 2, size))
    seen = np.flatnonzero(support(net, (1, width - 1), (2, width)).any(0))
    return int(width - 1 - seen.min())


def growth() -> dict[str, float]:
    """No. 43: the support grows by half a filter a layer, 3 + n (k // 2); only the first layer may have mask A."""
    off = [abs(reach(n, size) - (3 + n * (size // 2))) for size in (3, 5) for n in range(5)]
    shape, pixel = (9, 9), (4, 4)

    def seen(kinds):
        with float64():
            layers = [shaken(MaskedConv2D(2, 3, kind), number) for number, kind in enumerate(kinds)]
        return support(lambda x: keras.Sequential(layers)(x), pixel, shape)

    right, two_a, two_b = seen("ABB"), seen("AAB"), seen("BBB")
    return {
        "growth_error": max(off),
        "reach_first_layer": reach(0),
        "reach_one_layer": reach(1),
        "reach_two_layers": reach(2),
        "reach_four_layers": reach(4),
        "second_a_loses": np.sum(right & ~two_a),
        "first_b_leaks": np.sum(two_b & ~earlier(pixel, shape)),
        "right_leaks": np.sum(right & ~earlier(pixel, shape)),
    }


def single_stack_shape(pixel, shape, half_widths) -> np.ndarray:
    """bool [H, W]: what a single stack of masked filters of these half-widths sees of the pixels before `pixel`.

    Of the row dr above, to the right no further than the sum of the min(dr, layers) largest half-widths; to the left,
    and upwards, than the sum of all.
    """
    rows, columns = np.indices(shape)
    up, right = pixel[0] - rows, columns - pixel[1]
    best = np.concatenate([[0], np.cumsum(sorted(half_widths, reverse=True))])
    furthest = best[np.clip(up, 0, len(half_widths))]
    total = sum(half_widths)
    return earlier(pixel, shape) & (up <= total) & (right <= furthest) & (-right <= total)


def blind_spots() -> dict[str, float]:
    """No. 30: pixels within reach and before the pixel that it does not see, in the middle of 15 x 15.

    single_stack: 3x3, mask A then B, five layers: they reach 5 pixels. two_stacks: 7x7 and one 5x5, the same reach.
    formula_error: pixels at which the single stack's support differs from `single_stack_shape`, of 3x3 layers alone
    and of 7x7 and two 3x3.
    """
    shape, pixel, within = (15, 15), (9, 7), 5
    rows, columns = np.indices(shape)
    window = earlier(pixel, shape) & (np.maximum(abs(rows - pixel[0]), abs(columns - pixel[1])) <= within)
    with float64():
        single = shaken(MaskedStack(within - 1, 2, 3, first=3), positive=True)
        mixed = shaken(MaskedStack(2, 2, 3), positive=True)
        double = shaken(GatedStack(1, 2, 5))
    seen = support(single, pixel, shape)
    wrong = seen != single_stack_shape(pixel, shape, [1] * within)
    wrong_mixed = support(mixed, pixel, shape) != single_stack_shape(pixel, shape, [3, 1, 1])
    return {
        "single_stack_blind": np.sum(window & ~seen),
        "single_stack_leaks": np.sum(seen & ~earlier(pixel, shape)),
        "two_stacks_blind": np.sum(window & ~support(double, pixel, shape)),
        "formula_error": np.sum(wrong) + np.sum(wrong_mixed),
    }


def causality(game, batch=157, seed=0) -> dict[str, float]:
    """No. 29: every pixel of one random image is flipped; how many logits at or before it change, bit for bit.

    violations: those; seen: share of the logits after it that do change. batch: images at once; 157 divides 785.
    """
    rng = np.random.default_rng(seed)
    for variable in game.trainable_variables:
        if len(variable.shape) == 1:
            variable.assign(variable + 0.2 * rng.normal(size=variable.shape))
    image = (rng.random((28, 28, 1)) < 0.5).astype(np.float32)
    z = tf.constant(rng.normal(size=(1, game.latent)), tf.float32) if hasattr(game, "latent") else None
    logits = tf.function(
        lambda x: game.decoder_logits(x, None if z is None else tf.repeat(z, batch, 0)), autograph=False
    )
    flipped = np.repeat(image[None], 28 * 28, 0).reshape(784, 784)
    flipped[np.arange(784), np.arange(784)] = 1 - flipped[np.arange(784), np.arange(784)]
    images = np.concatenate([image.reshape(1, 784), flipped]).reshape(-1, 28, 28, 1)
    found = np.concatenate([logits(tf.constant(images[i : i + batch])).numpy() for i in range(0, len(images), batch)])
    found = found.reshape(785, 784)
    changed = found[1:] != found[0]  # [flipped pixel, logit]
    after = np.triu(np.ones((784, 784), bool), 1)
    return {"violations": float(changed[~after].sum()), "seen": float(changed[after].mean())}


def effect_of_z(game, seed=0) -> tuple[float, float]:
    """Largest change of the first pixel's logit, and of any other's, between two z for one image."""
    rng = np.random.default_rng(seed)
    image = np.repeat((rng.random((1, 28, 28, 1)) < 0.5).astype(np.float32), 2, 0)
    logits = game.decoder_logits(tf.constant(image), tf.constant(rng.normal(size=(2, game.latent)), tf.float32))
    change = np.abs(np.diff(logits.numpy().reshape(2, -1), axis=0))[0]
    return float(change[0]), float(change[1:].max())
