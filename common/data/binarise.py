"""Four ways to feed grey pixels to a Bernoulli likelihood. Their nats are four different quantities: never compare.

- "none": the grey value pixel/255 is both input and target of the cross-entropy. Not a likelihood: on MNIST even a
  perfect model keeps a floor of about 45 nats. The VAE tutorial, and the VAEs and DRAW of the short overviews.
- "dynamic": x ~ Bernoulli(pixel/255), drawn anew each time an image is used. A likelihood; it trains on endless
  data and scores .5 to 2 nats better than the fixed set. The texts that need labels beside binary digits.
- "fixed": the 70,000 binary images that Larochelle published (data set "binarized_mnist"; 50,000 training images,
  no labels, not in MNIST's order). The tables of autoregressive models.
- "own_draw": drawn once from grey images by `own_draw`, the same bits for every model and machine. For paired
  comparisons on labelled images, and to stand for "fixed" where Larochelle's files are absent (about 1 nat apart).

Data are always uint8 0..255; the draw of "dynamic" happens inside the training step, with a seed per step.
"""

import hashlib

import numpy as np

KINDS = ("none", "dynamic", "fixed", "own_draw")


def own_draw(images: np.ndarray, seed: int) -> np.ndarray:
    """Draw every pixel once: x = 1[u < pixel/255], u uniform. uint8 [N, ...] 0..255 -> uint8 [N, ...] 0 or 1.

    An image's u come from SHAKE-128 of (seed, its own pixels). So its bits depend neither on its place, nor on the
    batch or the held-out class, nor on a library's version. u has 32 bits: P(x = 1) is within 2^-32 of pixel/255,
    and exactly 0 and 1 at pixels 0 and 255.
    """
    if images.dtype != np.uint8:
        raise TypeError(f"own_draw needs uint8 pixels 0..255, not {images.dtype}")
    flat = np.ascontiguousarray(images).reshape(len(images), -1)
    drawn = np.empty_like(flat)
    salt = f"own_draw {seed} ".encode()
    for row, bits in zip(flat, drawn, strict=True):
        noise = np.frombuffer(hashlib.shake_128(salt + row.tobytes()).digest(4 * row.size), "<u4")
        bits[:] = noise.astype(np.uint64) * 255 < row.astype(np.uint64) << 32
    return drawn.reshape(images.shape)
