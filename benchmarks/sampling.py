"""Seconds to draw images from the causal nets: a full pass for every pixel against cached rows and columns.

    python benchmarks/sampling.py --images=100 --blocks=12

Both draw from the same uniforms and must give the same images. First calls (tracing) are not counted; the cached
sampler is timed three times, the naive one once. --passes=N times N full passes instead of all of them and scales,
which the table says. Prints one Markdown table row a net.
"""

import argparse
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import common.start  # noqa: F401, E402 (before TensorFlow)

# isort: split
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from common.nets import raster  # noqa: E402
from common.nets.causal import MaskedStack  # noqa: E402
from common.nets.gated import GatedStack  # noqa: E402

SIDE = 28


def nets(blocks, images):
    """{name: (net, z, features)} at the widths of Table 2.1."""
    z = tf.random.stateless_normal([images, 16], [1, 2])
    features = tf.random.stateless_normal([images, SIDE, SIDE, 32], [3, 4])
    return {
        "two stacks, 32 maps": (GatedStack(blocks, 32), None, None),
        "two stacks, 16 maps, z in the gates": (GatedStack(blocks, 16, latent=16), z, None),
        "two stacks, 32 maps, features of z": (GatedStack(blocks, 32, channels=33), None, features),
        "single stack, 32 maps, features of z": (MaskedStack(blocks, 32, features=32), None, features),
    }


def seconds(run):
    started = time.perf_counter()
    result = run().numpy()
    return time.perf_counter() - started, result


def compare(net, z, features, uniforms, passes):
    """(seconds of the naive sampler, of the cached one, pixels that differ or None)."""
    given = {"z": z, "features": features}
    cached = raster.cached(net)
    first = cached(uniforms, **given).numpy()
    fast = statistics.median(seconds(lambda: cached(uniforms, **given))[0] for _ in range(3))
    if passes:
        full = tf.function(lambda images: raster.full_pass(net, images, z, features))
        full(tf.constant(first))
        slow = statistics.fmean(seconds(lambda: full(tf.constant(first)))[0] for _ in range(passes)) * SIDE**2
        return slow, fast, None
    naive = raster.naive(net)
    naive.get_concrete_function(uniforms, **given)
    slow, images = seconds(lambda: naive(uniforms, **given))
    return slow, fast, int(np.sum(images != first))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--passes", type=int, default=0, help="full passes to time; 0: all 784, and compare the images")
    options = parser.parse_args()
    keras.utils.set_random_seed(1)
    uniforms = tf.random.stateless_uniform([options.images, SIDE, SIDE], [5, 6])
    scaled = f"; naive: {options.passes} full passes, scaled to {SIDE**2}" if options.passes else ""
    print(f"{options.images} images, a 7x7 and {options.blocks} 5x5 blocks, float32{scaled}\n")
    print("| net | naive s | cached s | times faster | pixels that differ |")
    print("|---|--:|--:|--:|--:|")
    for name, (net, z, features) in nets(options.blocks, options.images).items():
        slow, fast, differ = compare(net, z, features, uniforms, options.passes)
        shown = "not compared" if differ is None else differ
        print(f"| {name} | {slow:.1f} | {fast:.2f} | {slow / fast:.0f} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
