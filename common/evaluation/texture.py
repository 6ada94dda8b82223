"""Sharp, grey or speckled: three numbers for a set of light strokes on black, to be read together.

Sharpness alone misleads: speckle raises the Laplacian variance as an edge does (a half-trained GAN on MNIST can score
twice the real digits). So it is reported beside the share of grey pixels, which blur raises, and the light at the upper
and lower border, where digits have none and speckle has. Images are floats in [0, 1], [N, H, W] or [N, H, W, C].
"""

import numpy as np
from scipy import ndimage

from common.errors import UserError

CROSS = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])[None, :, :, None]  # [1, 3, 3, 1]


def edge_variance(images) -> np.ndarray:
    """Variance over all pixels of the four-neighbour Laplacian with black around the image, float64 [N].

        L_ij = x_{i+1,j} + x_{i-1,j} + x_{i,j+1} + x_{i,j-1} - 4 x_ij,    x = 0 outside

    Averaged over colours. Its mean over the MNIST test set is .1576. (`sharpness.laplacian_variance` leaves the border
    pixels out, so its numbers are larger by the ratio of the areas where the border is black.)
    """
    x = _images(images)
    return np.mean(np.var(ndimage.convolve(x, CROSS, mode="constant"), axis=(1, 2)), axis=-1)


def grey_fraction(images, low: float = 0.1, high: float = 0.9) -> float:
    """Share of the pixels above `low` that lie below `high`, all images together; NaN if no pixel is above `low`."""
    x = _images(images)
    lit = x > low
    return float(np.sum(lit & (x < high)) / lit.sum()) if lit.any() else float("nan")


def border_mean(images, rows: int = 3) -> float:
    """Mean intensity of the `rows` upper and the `rows` lower rows, in [0, 1]."""
    x = _images(images)
    return float(np.concatenate([x[:, :rows], x[:, -rows:]], axis=1).mean())


def _images(images) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.dtype.kind != "f" or len(images) == 0:
        raise UserError(
            f"need images [N, H, W] or [N, H, W, C] as floats in [0, 1]; got {images.dtype} {list(images.shape)}"
        )
    return images.astype(np.float64)
