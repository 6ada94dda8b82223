"""What the procedural sets share: factor grids, their split, and hues."""

import numpy as np

from common.data.images import Images


def factor_grid(sizes: tuple[int, ...]) -> np.ndarray:
    """int32 [prod(sizes), F]: every combination of factor indices, the last factor running fastest."""
    return np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1).astype(np.int32)


def held_out(factors: np.ndarray) -> np.ndarray:
    """bool [N]: the test rows of a full grid, those whose indices sum to a multiple of ten.

    Each grid here has a factor of ten values. So for every combination of the others exactly one of its values is
    held out: a tenth of the grid, no value of any factor ever missing from training, train and test disjoint.
    """
    return factors.sum(axis=1) % 10 == 0


def split_grid(name: str, pixels: np.ndarray, factors: np.ndarray, names: tuple[str, ...], source: str, stand_in: str):
    """The full grid as an `Images`: nine tenths for training, one tenth held out, both in grid order."""
    test = held_out(factors)
    return Images(
        name=name,
        train=pixels[~test],
        test=pixels[test],
        train_factors=factors[~test],
        test_factors=factors[test],
        factor_names=names,
        source=source,
        stand_in=stand_in,
    )


def sample_points(side: int, fine: int) -> tuple[np.ndarray, np.ndarray]:
    """x [1, S], y [S, 1] with S = side * fine: sample points in [-1, 1], x to the right, y downwards."""
    line = (np.arange(side * fine) + 0.5) * 2 / (side * fine) - 1
    return line[None, :], line[:, None]


def coverage(inside: np.ndarray, side: int) -> np.ndarray:
    """uint16 [side, side], 0..256: the mean of each pixel's samples in 256ths; inside [S, S] in [0, 1].

    Whole numbers from here on: what follows is exact, so the bytes are the same on every machine.
    """
    fine = len(inside) // side
    blocks = inside.reshape(side, fine, side, fine)
    return np.rint(256 * blocks.mean(axis=(1, 3), dtype=np.float64)).astype(np.uint16)


def paint(share: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """uint16 [..., 3]: 256 times what a layer adds to each pixel; share from `coverage`, colour uint16 [3] <= 245.

    The shares of a picture's layers sum to 256, give or take a rounding each, so the sum stays within 16 bits.
    """
    return share[..., None] * colour


def to_bytes(painted: np.ndarray) -> np.ndarray:
    """uint8: the sum of painted layers, rounded."""
    return (painted + np.uint16(128) >> 8).astype(np.uint8)


def hues(count: int, saturation: float = 0.75, value: float = 0.9) -> np.ndarray:
    """uint16 [count, 3] in 0..255: colours spaced evenly round the hue circle, starting with red."""
    turn = np.arange(count)[:, None] * 6 / count + np.array([5, 3, 1])
    ramp = np.clip(np.minimum(turn % 6, 4 - turn % 6), 0, 1)
    return np.rint(255 * value * (1 - saturation * ramp)).astype(np.uint16)
