"""Pixel distances: why a good sampler still misses a given image (Section 2, Fig. 3), and what one column tells (5).

Images are float32 [N, H, W] in [0, 1]; distances are squared Euclidean over all pixels (the text's "distance squared").
"""

import numpy as np
from scipy import ndimage


def as_pixels(images) -> np.ndarray:
    """uint8 [N, H, W, 1] -> float32 [N, H, W] in [0, 1]."""
    return images[..., 0].astype(np.float32) / 255


def half_pixel_shift(images) -> np.ndarray:
    """Shift down and right by half a pixel, bilinear, black outside: each pixel is the mean of itself and its upper,
    left and upper left neighbours. [N, H, W] -> [N, H, W]."""
    padded = np.pad(images, ((0, 0), (1, 0), (1, 0)))
    return (padded[:, 1:, 1:] + padded[:, :-1, 1:] + padded[:, 1:, :-1] + padded[:, :-1, :-1]) / 4


def full_pixel_shift(images) -> np.ndarray:
    """Shift down and right by one pixel, black outside."""
    return np.pad(images, ((0, 0), (1, 0), (1, 0)))[:, :-1, :-1]


def squared_distance(a, b) -> np.ndarray:
    """sum over pixels of (a - b)^2, [N, H, W] x 2 -> [N]."""
    return np.sum(np.square(a - b), axis=(1, 2))


def distance_readings(images) -> dict[str, np.ndarray]:
    """Five readings of the squared distance that Fig. 3 prints without saying how it is scaled, each [N].

    Raw sum; mean over pixels; relative to |X|^2; per image row (divided by H); and the root mean square of a shift by
    a full pixel, which is no squared distance but has the printed size.
    """
    raw = squared_distance(images, half_pixel_shift(images))
    height, width = images.shape[1:]
    return {
        "raw": raw,
        "pixel_mean": raw / (height * width),
        "relative": raw / np.sum(np.square(images), axis=(1, 2)),
        "per_row": raw / height,
        "full_pixel_rms": np.sqrt(squared_distance(images, full_pixel_shift(images)) / (height * width)),
    }


def patch_ink(images, size: int) -> np.ndarray:
    """Sum of squared pixels in every size x size patch, [N, H - size + 1, W - size + 1]: what blanking it costs."""
    total = np.pad(np.cumsum(np.cumsum(np.square(images, dtype=np.float64), 1), 2), ((0, 0), (1, 0), (1, 0)))
    return total[:, size:, size:] - total[:, :-size, size:] - total[:, size:, :-size] + total[:, :-size, :-size]


def largest_break(images, size: int) -> np.ndarray:
    """Largest squared distance that blanking one size x size patch can make, [N]: a gap in the stroke."""
    return patch_ink(images, size).max(axis=(1, 2))


def figure_3(images, printed_shift: float = 0.2693, printed_defect: float = 0.0387) -> dict:
    """The three images of Fig. 3, rebuilt: {"index", "images" [3, H, W], "shift", "defect"}.

    The text gives neither the digit nor the defect. Read as relative to |X|^2 its numbers are possible, so: the image
    whose half-pixel shift comes nearest to the printed .2693, and of the blanked squares that cut its stroke (if any
    does) the one nearest to the printed .0387.
    """
    relative = distance_readings(images)["relative"]
    index = int(np.argmin(np.abs(relative - printed_shift)))
    digit = images[index]
    norm = np.sum(np.square(digit))
    candidates = []
    for size in range(2, 9):
        off = np.abs(patch_ink(digit[None], size)[0] / norm - printed_defect)
        candidates += [(off[row, column], size, row, column) for row, column in np.ndindex(off.shape)]
    candidates.sort()
    cuts = (patch for patch in candidates[:200] if pieces(blanked(digit, *patch[1:])) > pieces(digit))
    defect = blanked(digit, *next(cuts, candidates[0])[1:])
    return {
        "index": index,
        "images": np.stack([digit, defect, half_pixel_shift(digit[None])[0]]),
        "shift": float(relative[index]),
        "defect": float(np.sum(np.square(digit - defect)) / norm),
    }


def blanked(image, size: int, row: int, column: int) -> np.ndarray:
    """The image with one size x size patch black, [H, W]."""
    changed = image.copy()
    changed[row : row + size, column : column + size] = 0
    return changed


def pieces(image) -> int:
    """Number of connected strokes (pixels above .25, diagonal neighbours count)."""
    return ndimage.label(image > 0.25, structure=np.ones((3, 3)))[1]


def nearest_squared_distances(queries, base, counts, query_labels=None, base_labels=None):
    """Squared distance from each query to the nearest of the first n base images, for every n in `counts`.

    queries [Q, H, W], base [N, H, W]; counts ascending. Returns (float32 [len(counts), Q], float32 [Q]): the second is
    the nearest base image of another class, over the largest count (infinite without labels).
    |q - b|^2 - |q|^2 = [-2 q, 1] . [b, |b|^2] is one matrix product per 1000 base images; |q|^2 is added at the end.
    """
    queries, base = (each.reshape(len(each), -1) for each in (queries, base))
    query_norm = np.sum(np.square(queries), 1)
    queries = np.column_stack([-2 * queries, np.ones_like(query_norm)])
    nearest = np.full(len(queries), np.inf, np.float32)
    nearest_other, found, start = nearest, [], 0
    for count in counts:
        for stop in (*range(start + 1000, count, 1000), count):
            block = base[start:stop]
            distance = queries @ np.column_stack([block, np.sum(np.square(block), 1)]).T
            nearest = np.minimum(nearest, distance.min(1))
            if query_labels is not None:
                distance[query_labels[:, None] == base_labels[start:stop]] = np.inf
                nearest_other = np.minimum(nearest_other, distance.min(1))
            start = stop
        found.append(np.maximum(nearest + query_norm, 0))
    return np.stack(found), np.maximum(nearest_other + query_norm, 0)


def uniqueness(rows) -> dict[str, float]:
    """How far rows [N, K] (uint8) identify their image: share that occurs once, distinct rows, all-zero rows."""
    _, counts = np.unique(rows, axis=0, return_counts=True)
    return {
        "unique_share": float(np.sum(counts == 1) / len(rows)),
        "distinct": float(len(counts)),
        "all_zero": float(np.sum(~rows.any(axis=1))),
    }


def centre_column(images) -> np.ndarray:
    """The column left of the centre (0-based column 13 of 28), uint8 [N, H, W, 1] -> [N, H]."""
    return images[:, :, images.shape[2] // 2 - 1, 0]
