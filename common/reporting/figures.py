"""Figures: one style, the same bytes for the same drawing, readable on a page 800 pixels wide.

Colours are those of Okabe and Ito (2008), which people with the common colour blindnesses can tell apart.
A PNG carries its caption (chunk `Description`), so that pages need no second list.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no window, the same pixels on every desktop

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, PngImagePlugin

from common.errors import UserError
from common.reporting.files import write_atomic

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
STYLE = {
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.dpi": 100,
    "figure.figsize": (8.0, 4.5),
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "grid.alpha": 0.3,
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 200,
    "savefig.facecolor": "white",
    "svg.hashsalt": "fixed",
}


def style():
    """Context manager: `with style(): fig, axes = plt.subplots()`. Draws 8 inches = 800 pixels wide."""
    return plt.rc_context(STYLE)


def save_figure(fig, path: str | Path, caption: str = "") -> Path:
    """Save a Matplotlib figure as PNG (twice the page's pixels, for sharp screens), close it, return the path.

    Neither date nor program version goes into the file. Written atomically.
    """
    buffer = io.BytesIO()
    with style():
        fig.savefig(buffer, format="png")
    plt.close(fig)
    return _write_png(Image.open(buffer).convert("RGB"), path, caption)


def save_image(pixels, path: str | Path, caption: str = "", zoom: int = 1) -> Path:
    """Save pixels [H, W] or [H, W, 1 or 3] (uint8, or floats in [0, 1]) as PNG, each pixel `zoom` wide."""
    pixels = np.squeeze(_as_bytes(pixels[None])[0])
    return _write_png(Image.fromarray(np.repeat(np.repeat(pixels, zoom, axis=0), zoom, axis=1)), path, caption)


def _write_png(image, path, caption) -> Path:
    """Write a Pillow image, as small as PNG has it; its caption is the file's description."""
    info = PngImagePlugin.PngInfo()
    if caption:
        info.add_text("Description", caption)
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True, pnginfo=info)
    write_atomic(path, buffer.getvalue())
    return Path(path)


def image_grid(images: Sequence, columns: int, separator: int = 2) -> np.ndarray:
    """Images side by side, row by row, with white lines between them.

    Args:
      images: [N, H, W] or [N, H, W, C], uint8 or floats in [0, 1]; the last row is filled up with white.

    Returns:
      uint8 [rows (H + separator) - separator, columns (W + separator) - separator, C] (without C if it was not given).

    Raises:
      UserError: no images, or columns < 1.
    """
    images = _as_bytes(images)
    if columns < 1 or len(images) == 0:
        raise UserError(f"an image grid needs images and columns, not {len(images)} images in {columns} columns")
    height, width, *channels = images.shape[1:]
    rows = -(-len(images) // columns)
    shape = (rows * (height + separator) - separator, columns * (width + separator) - separator, *channels)
    grid = np.full(shape, 255, np.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + separator), (index % columns) * (width + separator)
        grid[top : top + height, left : left + width] = image
    return grid


def caption_of(path: str | Path) -> str:
    """The caption inside a PNG, else its file name as words."""
    with Image.open(path) as image:
        return image.info.get("Description") or Path(path).stem.replace("_", " ").replace("-", " ")


def _as_bytes(images) -> np.ndarray:
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    return np.rint(np.clip(np.nan_to_num(images.astype(np.float64)), 0, 1) * 255).astype(np.uint8)
