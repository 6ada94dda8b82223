"""scikit-learn's handwritten digits, enlarged to MNIST's size."""

import numpy as np

from common.data.images import Images

SIDE = 28
TEST = 297


def digits() -> Images:
    """1,797 handwritten digits, 8x8 with 17 grey levels, enlarged to 28x28: 1,500 training, 297 test, classes 0-9.

    The last 297 are the test images, as the set was collected writer by writer: no training writer is meant to be
    in the tail. Each image is enlarged by separable cubic convolution (Keys 1981, a = -1/2), in integers scaled by
    2^12, so that the bytes do not depend on a library's version or on the machine's rounding.
    """
    from sklearn.datasets import load_digits

    small = load_digits()
    weights = _cubic_weights(8, SIDE)
    wide = np.einsum("ij,njk,lk->nil", weights, small.images.astype(np.int64), weights)
    grey = np.clip((wide * 255 + (1 << 27)) // (16 << 24), 0, 255).astype(np.uint8)[..., None]
    return Images(
        name="digits",
        train=grey[:-TEST],
        test=grey[-TEST:],
        train_labels=small.target[:-TEST],
        test_labels=small.target[-TEST:],
        source="scikit-learn load_digits (UCI optical recognition of handwritten digits, test part), 8x8 -> 28x28",
        stand_in="scikit-learn's 8x8 digits upscaled to 28x28, not MNIST",
    )


def _cubic_weights(small: int, large: int) -> np.ndarray:
    """int64 [large, small]: row i holds the weights, times 2^12, of the small pixels that make large pixel i.

    Pixel centres: large pixel i lies at (i + 1/2) small/large - 1/2 in small pixels. Outside is ink-free (0).
    """
    centre = (np.arange(large) + 0.5) * small / large - 0.5
    t = np.abs(centre[:, None] - np.arange(small)[None])
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    kernel = np.where(t <= 1, near, np.where(t < 2, far, 0.0))
    return np.rint(kernel * 4096).astype(np.int64)
