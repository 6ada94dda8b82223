"""White shapes on black with five known factors, after the pattern of dSprites (Matthey et al. 2017)."""

import numpy as np

from common.data.embedded.grid import coverage, factor_grid, sample_points, split_grid
from common.data.images import Images

NAMES = ("shape", "scale", "orientation", "x", "y")
SIZES = (3, 6, 10, 16, 16)
SHAPES = ("square", "ellipse", "heart")


def sprites(side: int = 64) -> Images:
    """The full grid of 46,080 images: 64x64 binary (pixels 0 and 255), or 32x32 with grey edges.

    shape: square, ellipse, heart. scale: 6 sizes, 1/2 to 1 in steps of 1/10. orientation: 10 angles, 0 to 81
    degrees in steps of 9 (a quarter turn, so that no two angles of the square are the same image). x, y: 16 places,
    -15 to 15 pixels from the centre in steps of 2 (32x32: -7 to 8 in steps of 1); no shape is cut by the border.
    dSprites has 40 angles over a full turn and 32 x 32 places, 737,280 images.
    """
    still = _centred(side)  # [180, side, side]
    step = side // 32
    offsets = np.arange(16) * step - 15 * step // 2
    margin = side // 2
    padded = np.pad(still, ((0, 0), (margin, margin), (margin, margin)))
    pixels = np.empty((len(still), 16, 16, side, side, 1), np.uint8)
    for column, dx in enumerate(offsets):
        for row, dy in enumerate(offsets):
            top, left = margin - dy, margin - dx
            pixels[:, column, row, :, :, 0] = padded[:, top : top + side, left : left + side]
    return split_grid(
        "sprites" if side == 64 else f"sprites{side}",
        pixels.reshape(-1, side, side, 1),
        factor_grid(SIZES),
        NAMES,
        source=f"procedural: {', '.join(SHAPES)} with known scale, orientation and place, {side}x{side}",
        stand_in="procedural sprites with known factors, not dSprites",
    )


def _centred(side: int) -> np.ndarray:
    """uint8 [180, side, side]: every shape, scale and orientation at the centre.

    At side 64 a pixel is lit if more than half of it is covered. At side 32 small turned squares would then coincide,
    so there a pixel's grey is its coverage.
    """
    x, y = sample_points(side, fine=4)
    images = []
    for shape in range(3):
        for scale in np.arange(5, 11) / 10:
            for angle in np.arange(10) * np.pi / 20:
                u = (x * np.cos(angle) + y * np.sin(angle)) / (0.46 * scale)
                v = (y * np.cos(angle) - x * np.sin(angle)) / (0.46 * scale)
                images.append(coverage(_inside(shape, u, v), side))
    shares = np.stack(images)
    lit = 256 * (shares > 128) if side == 64 else shares
    return np.minimum(lit, 255).astype(np.uint8)


def _inside(shape: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points lie in the shape; every shape fits the unit disc, v points down."""
    if shape == 0:
        return np.maximum(np.abs(u), np.abs(v)) < 0.7
    if shape == 1:
        return u**2 + (v / 0.55) ** 2 < 0.97
    a, b = 1.28 * u, -1.28 * v + 0.12  # the sextic heart (a^2 + b^2 - 1)^3 < a^2 b^3
    return (a**2 + b**2 - 1) ** 3 < a**2 * b**3
