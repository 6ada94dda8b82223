"""Any folder of JPEG or PNG images as a data set: "folder:PATH", or "folder:PATH@SIDE" to resize."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from common.data.images import Images
from common.errors import UserError

_SUFFIXES = (".jpg", ".jpeg", ".png")


def load(name: str) -> Images:
    """All images under PATH, sorted by relative path; the last tenth of each class is the test set.

    Classes: the first-level subfolders, sorted, if every image lies in one; otherwise there are no labels.
    SIDE: cut the centre square, then resize to SIDE x SIDE (Lanczos). Without it all images must have one size.
    Grey if all files are grey, otherwise RGB (transparency is dropped). Hidden files are ignored.
    Raises UserError: no such folder, no or one image, several sizes, a file that is no JPEG or PNG image.
    """
    root, side = _parse(name)
    files = _list(root)
    pictures = [_open(file, side) for file in files]
    sizes = sorted({picture.size for picture in pictures})
    if len(sizes) > 1:
        found = ", ".join(f"{w}x{h}" for w, h in sizes[:3]) + (", ..." if len(sizes) > 3 else "")
        raise UserError(
            f"the images in {root} have several sizes ({found}); give one side to resize to: folder:{root}@64"
        )
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    pixels = np.stack([np.asarray(picture.convert(mode)) for picture in pictures])
    pixels = pixels.reshape(*pixels.shape[:3], -1)
    labels = _labels(root, files)
    test = _last_tenth(np.zeros(len(files), int) if labels is None else labels)
    return Images(
        name=name,
        train=pixels[~test],
        test=pixels[test],
        train_labels=None if labels is None else labels[~test],
        test_labels=None if labels is None else labels[test],
        source=f"{len(files)} images in {root}" + (f", centre square resized to {side}x{side}" if side else ""),
        stand_in="the user's own images",
    )


def _parse(name: str) -> tuple[Path, int | None]:
    path, at, side = name.removeprefix("folder:").rpartition("@")
    if not at or not side.isdecimal():
        path, side = name.removeprefix("folder:"), ""
    try:
        path.encode()
    except UnicodeEncodeError as error:  # no record could hold it
        raise UserError(f"the folder name {path!r} is not UTF-8; rename the folder") from error
    root = Path(os.path.expanduser(path))  # leaves ~nobody as it is
    if not path or not root.is_dir():
        raise UserError(f"no folder '{path}'; write folder:PATH or folder:PATH@SIDE with an existing folder of images")
    if side and not 1 <= int(side) <= 4096:
        raise UserError(f"cannot resize images to side {side}; choose 1 to 4096")
    return root, int(side) if side else None


def _list(root: Path) -> list[Path]:
    inside = (path for path in root.rglob("*") if path.is_file())
    visible = [p for p in inside if not any(part.startswith(".") for part in p.relative_to(root).parts)]
    files = sorted(visible, key=lambda path: path.relative_to(root).as_posix())
    for file in files:
        if file.suffix.lower() not in _SUFFIXES:
            raise UserError(f"{file} is not a JPEG or PNG image; move it out of the folder")
    if len(files) < 2:
        found = "no image" if not files else "only one image"
        raise UserError(
            f"{found} in {root}; a data set needs at least two JPEG or PNG files (one to train, one to test)"
        )
    return files


def _open(file: Path, side: int | None) -> Image.Image:
    """One decoded picture, mode L or RGB."""
    try:
        with Image.open(file) as picture:
            if picture.mode.startswith(("I", "F")):
                raise UserError(f"{file} has more than 8 bits a channel; convert it to 8 bits")
            picture = picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{file} cannot be read as an image; repair it or move it out of the folder") from error
    if side is None:
        return picture
    width, height = picture.size
    cut = min(width, height)
    left, top = (width - cut) // 2, (height - cut) // 2
    return picture.crop((left, top, left + cut, top + cut)).resize((side, side), Image.Resampling.LANCZOS)


def _labels(root: Path, files: list[Path]) -> np.ndarray | None:
    folders = [file.relative_to(root).parts[:-1] for file in files]
    classes = sorted({parts[0] for parts in folders if parts})
    if len(classes) < 2 or not all(folders):
        return None
    return np.array([classes.index(parts[0]) for parts in folders])


def _last_tenth(labels: np.ndarray) -> np.ndarray:
    """bool [N]: True for the last tenth (rounded down) of each class, or for the very last image if that is none."""
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        test[rows[len(rows) - len(rows) // 10 :]] = True
    test[-1] |= not test.any()
    return test
