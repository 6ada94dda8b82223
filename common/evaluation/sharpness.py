"""How sharp images are, one number per image. Only numpy is imported here.

Images are [N, H, W, C], [N, H, W] floats in [0, 1]; colours are averaged. Both measures grow with contrast and with
noise as well as with sharp edges: compare only against true images of the same kind (the texts' sharpness ratio is
prediction over truth).
"""

import numpy as np

from common.errors import UserError


def gradient_energy(images) -> np.ndarray:
    """Mean squared difference of neighbouring pixels, float64 [N]:

    G = mean over vertical pairs (x_{i+1,j} - x_{i,j})^2  +  mean over horizontal pairs (x_{i,j+1} - x_{i,j})^2.
    """
    images = _images(images)
    rows, columns = np.diff(images, axis=1), np.diff(images, axis=2)
    return np.mean(rows**2, axis=(1, 2, 3)) + np.mean(columns**2, axis=(1, 2, 3))


def laplacian_variance(images) -> np.ndarray:
    """Variance over inner pixels of the five-point Laplacian, float64 [N]:

        x_{i+1,j} + x_{i-1,j} + x_{i,j+1} + x_{i,j-1} - 4 x_{i,j}.

    A usual focus measure; unlike `gradient_energy` it ignores smooth ramps. Averaged over colours.
    """
    x = _images(images)
    laplacian = x[:, 2:, 1:-1] + x[:, :-2, 1:-1] + x[:, 1:-1, 2:] + x[:, 1:-1, :-2] - 4.0 * x[:, 1:-1, 1:-1]
    return np.mean(np.var(laplacian, axis=(1, 2)), axis=-1)


def _images(images) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or min(images.shape[1:3]) < 3:
        raise UserError(
            f"sharpness needs images [N, H, W] or [N, H, W, C] of at least 3x3 pixels; got {list(images.shape)}"
        )
    if images.dtype.kind == "u":
        raise UserError("sharpness takes floats in [0, 1]: divide uint8 pixels by 255")
    return images.astype(np.float64)
