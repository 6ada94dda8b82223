"""Colour rooms with six known factors, after the pattern of 3D Shapes (Burgess and Kim 2018)."""

import numpy as np

from common.data.embedded.grid import coverage, factor_grid, hues, paint, sample_points, split_grid, to_bytes
from common.data.images import Images

NAMES = ("floor_hue", "wall_hue", "object_hue", "shape", "size", "view")
SIZES = (5, 5, 5, 3, 4, 10)
SHAPES = ("ball", "box", "cone")


def rooms(side: int = 64) -> Images:
    """The full grid of 15,000 RGB images, side x side (64 or 32).

    floor_hue, wall_hue, object_hue: 5 hues each, evenly round the circle. shape: ball, box, cone. size: 4, half
    width .20 to .38 of the picture's. view: 10 camera places from left to right: the corner of the room moves across
    the wall by 1.1 half widths, the object, being nearer, the other way by .5.
    The two walls differ in light, the floor darkens towards the back, the object towards its right.
    """
    floor, wall, thing = _shading(side)  # each [120, side, side]
    colours = hues(5)
    pixels = np.empty((5, 5, 5, len(floor), side, side, 3), np.uint8)
    for f in range(5):
        for w in range(5):
            empty_room = paint(floor, colours[f]) + paint(wall, colours[w])
            for o in range(5):
                pixels[f, w, o] = to_bytes(empty_room + paint(thing, colours[o]))
    return split_grid(
        f"rooms{side}",
        pixels.reshape(-1, side, side, 3),
        factor_grid(SIZES),
        NAMES,
        source=f"procedural: a room with an object, {side}x{side} RGB, six known factors",
        stand_in="procedural rooms with known factors, not photographs of bedrooms",
    )


def _shading(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """uint16 [120, side, side] three times: the share, in 256ths, of the floor's, walls' and object's colour."""
    layers = []
    for shape in range(3):
        for size in (0.20, 0.26, 0.32, 0.38):
            for view in np.arange(10) / 9 - 0.5:
                layers.append(_room(side, shape, size, corner=1.1 * view, centre=-0.5 * view))
    floor, wall, thing = (np.stack(layer) for layer in zip(*layers, strict=True))
    return floor, wall, thing


def _room(
    side: int, shape: int, size: float, corner: float, centre: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One view: (floor, wall, object), each coverage x light [side, side]."""
    x, y = sample_points(side, fine=4)
    edge = 0.05 + 0.25 * np.abs(x - corner)  # where wall meets floor: lowest behind, at the corner
    u, v = (x - centre) / size, (y - (0.62 - size)) / size  # the object stands on the floor line y = .62
    if shape == 0:
        inside = u**2 + v**2 < 1
    elif shape == 1:
        inside = np.maximum(np.abs(u) / 0.85, np.abs(v)) < 1
    else:
        inside = (np.abs(u) < (1 + v) / 2) & (v < 1)
    floor_light = 0.55 + 0.45 * np.clip((y - 0.05) / 0.95, 0, 1)
    wall_light = np.where(x < corner, 0.95, 0.7)
    thing_light = 0.85 - 0.25 * np.clip(u, -1, 1)
    below = y > edge
    return tuple(
        coverage(np.broadcast_to(light * part, below.shape), side)
        for light, part in ((floor_light, below & ~inside), (wall_light, ~below & ~inside), (thing_light, inside))
    )
