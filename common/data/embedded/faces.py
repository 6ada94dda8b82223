"""Drawn faces in colour with seven known factors."""

import numpy as np

from common.data.embedded.grid import coverage, factor_grid, hues, paint, sample_points, split_grid, to_bytes
from common.data.images import Images

NAMES = ("skin", "hair_colour", "background", "hair_length", "glasses", "smile", "pose")
SIZES = (4, 4, 3, 3, 2, 4, 10)
SKIN = np.array([(245, 214, 186), (222, 171, 127), (164, 113, 73), (99, 65, 43)], np.uint16)
HAIR = np.array([(38, 28, 24), (110, 66, 32), (222, 184, 96), (168, 60, 36)], np.uint16)
EYE, LIPS, FRAME = (np.array(c, np.uint16) for c in ((30, 40, 60), (170, 50, 60), (20, 20, 20)))


def faces(side: int = 64) -> Images:
    """The full grid of 11,520 RGB images, side x side.

    skin: 4 tones, light to dark. hair_colour: black, brown, blond, red. background: 3 hues. hair_length: 3, ending at
    brow, cheek, shoulder. glasses: 0 without, 1 with. smile: 4, mouth corners down to up. pose: 10, the face's middle
    (eyes, nose, mouth) turns from left to right.
    """
    skin, hair, back, eye, lips, frame = _layers(side)  # each [240, side, side]
    drawn = paint(eye, EYE) + paint(lips, LIPS) + paint(frame, FRAME)
    pixels = np.empty((4, 4, 3, len(skin), side, side, 3), np.uint8)
    for s in range(4):
        for h in range(4):
            head = drawn + paint(skin, SKIN[s]) + paint(hair, HAIR[h])
            for b, colour in enumerate(hues(3, saturation=0.4)):
                pixels[s, h, b] = to_bytes(head + paint(back, colour))
    return split_grid(
        f"faces{side}",
        pixels.reshape(-1, side, side, 3),
        factor_grid(SIZES),
        NAMES,
        source=f"procedural: drawn faces, {side}x{side} RGB, seven known factors",
        stand_in="drawn faces with known factors, not photographs",
    )


def _layers(side: int) -> tuple[np.ndarray, ...]:
    """Six uint16 [240, side, side], coverage x light in 256ths: skin, hair, background, eyes, lips, frame."""
    shapes = [
        _face(side, length, glasses, bend, turn)
        for length in (-0.12, 0.25, 0.75)
        for glasses in (False, True)
        for bend in (-0.12, -0.03, 0.07, 0.17)
        for turn in (np.arange(10) / 9 - 0.5) * 0.4
    ]
    return tuple(np.stack(layer) for layer in zip(*shapes, strict=True))


def _face(side: int, length: float, glasses: bool, bend: float, turn: float) -> list[np.ndarray]:
    """One head: painted back to front, later layers hide earlier ones."""
    x, y = sample_points(side, fine=2)
    head = (x / 0.55) ** 2 + ((y - 0.05) / 0.7) ** 2 < 1
    neck = (np.abs(x) < 0.22) & (y > 0.5)
    mane = ((x / 0.7) ** 2 + ((y + 0.15) / 0.72) ** 2 < 1) & (y < 0) | (np.abs(x) < 0.7) & (y >= 0)
    fringe = head & (y < -0.32 + 0.1 * (x - turn) ** 2)
    eyes = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
    rims = np.zeros_like(eyes)
    for centre in (turn - 0.22, turn + 0.22):
        ball = ((x - centre) / 0.09) ** 2 + ((y + 0.08) / 0.065) ** 2
        ring = ((x - centre) ** 2 + (y + 0.08) ** 2) / 0.17**2
        eyes |= ball < 1
        rims |= (ring < 1) & (ring > 0.6)
    rims |= (np.abs(y + 0.08) < 0.025) & (np.abs(x - turn) < 0.07)
    nose = (np.abs(x - turn * 1.15) < 0.03) & (np.abs(y - 0.14) < 0.09)
    mouth_x = (x - turn) / 0.24
    mouth = (np.abs(mouth_x) < 1) & (np.abs(y - (0.42 + bend * (0.5 - mouth_x**2))) < 0.05)

    light = 0.9 - 0.12 * x + 0 * y
    hair = (mane & (y < length) & ~head) | fringe
    skin = (head | neck) & ~fringe & ~(mane & (y < length) & ~head)
    if not glasses:
        rims &= False
    lips, eyes = mouth & ~rims, eyes & ~rims
    bare = skin & ~lips & ~eyes & ~rims
    shade = np.where(nose, 0.75, 1.0)
    back = ~(hair | skin | lips | eyes | rims)
    parts = (light * shade * bare, light * hair, (1 - 0.2 * (y + 1) / 2) * back, 1.0 * eyes, 1.0 * lips, 1.0 * rims)
    return [coverage(part, side) for part in parts]
