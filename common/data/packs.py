"""Real sets, or parts of them, from compact npz packs in the data folder. Each says what it lacks in `stand_in`.

A JPEG pack holds all JPEG files end to end in `jpeg` (uint8) with `offsets` (int64 [N + 1]): file i is
jpeg[offsets[i]:offsets[i + 1]]. A pack lies in data_dir/FOLDER or in data_dir itself.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from common.data import cache
from common.data.images import Images
from common.errors import UserError

# CelebA's aligned images are 178x218. Boxes (left, top, right, bottom) in those pixels, resized to 64x64.
CELEBA_BOXES = {
    "celeb_a": (15, 35, 163, 183),  # the usual centre square of 148
    "celeb_a_crop118": (30, 50, 148, 168),  # tighter: as little background as possible
}


@dataclass(frozen=True)
class Pack:
    """folder: where to look under data_dir; files: glob patterns, all of which must match; read: files -> Images."""

    folder: str
    files: tuple[str, ...]
    read: Callable[[list[Path]], Images]


def find(name: str, data_dir: Path | None) -> list[Path] | None:
    """The pack's files, or None."""
    if data_dir is None or name not in PACKS:
        return None
    pack = PACKS[name]
    for folder in (data_dir / pack.folder, data_dir):
        found = [sorted(folder.glob(pattern)) for pattern in pack.files]
        if all(found):
            return [matches[0] for matches in found]
    return None


def load(name: str, files: list[Path]) -> Images:
    """Decode the pack once; the cache is bound to the pack's bytes. Raises UserError for a damaged pack."""
    return cache.cached(key(name, files), lambda: _read(name, files))


def key(name: str, files: list[Path]) -> str:
    """What the decoded pack is kept under."""
    digest = hashlib.sha256()
    for file in files:
        with cache.reading(file, f"the expected pack of {name}"), file.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return f"{name}-pack-{digest.hexdigest()[:12]}"


def _read(name: str, files: list[Path]) -> Images:
    errors = (*cache.DAMAGED, Image.DecompressionBombError)
    with cache.reading(files[0], f"the expected pack of {name}", errors):
        images = PACKS[name].read(files)
        if not len(images.train) and name != "kmnist":  # whose pack is the test files alone
            raise ValueError("there is no training image")
        return images


def _fashion_mnist(files: list[Path]) -> Images:
    with np.load(files[0]) as pack:
        train, test = (
            np.frombuffer(lzma.decompress(pack[key].tobytes()), np.uint8).reshape(-1, 28, 28, 1)
            for key in ("train_xz", "test_xz")
        )
        return Images(
            name="fashion_mnist",
            train=train,
            test=test,
            train_labels=pack["train_labels"][: len(train)],
            test_labels=pack["test_labels"],
            source="Fashion-MNIST, exact pixels in the original order",
            stand_in=f"only the first {len(train):,} of the 60,000 training images; the test images are complete",
        )


def _kmnist(files: list[Path]) -> Images:
    test, labels = (np.load(file)["arr_0"] for file in files)
    return Images(
        name="kmnist",
        train=np.empty((0, 28, 28, 1), np.uint8),
        test=test[..., None],
        train_labels=np.empty(0, np.int32),
        test_labels=labels,
        source="KMNIST, the distributed test files, exact; no training images",
    )


def _cifar10(files: list[Path]) -> Images:
    """The pack is range coded; the decoder that lies beside it writes a plain npz (under a minute, .8 GB)."""
    with tempfile.TemporaryDirectory(dir=cache.folder()) as work:
        plain = Path(work) / "plain.npz"
        print(f"data: decoding {files[0]} (once; under a minute)", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, files[1], plain], capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(f"{files[1]} could not decode {files[0]}: {last}")
        with np.load(plain) as pack:
            images, labels, lossy = pack["images"], pack["labels"], int((~pack["exact"]).sum())
    return Images(
        name="cifar10",
        train=images[:50000],
        test=images[50000:],
        train_labels=labels[:50000],
        test_labels=labels[50000:],
        source=f"CIFAR-10 in the original order, {60000 - lossy:,} of 60,000 images exact",
        stand_in=f"{lossy} of the 60,000 images are lossy copies" if lossy else "",
    )


def _celeb_a(name: str) -> Callable[[list[Path]], Images]:
    def read(files: list[Path]) -> Images:
        pack = np.load(files[0])
        box = tuple(edge // 2 for edge in CELEBA_BOXES[name])
        pixels = _jpegs(pack, lambda picture: picture.crop(box).resize((64, 64), Image.Resampling.LANCZOS))
        attributes = (pack["attributes"] > 0).astype(np.int32)
        test = _every_tenth(len(pixels))
        return Images(
            name=name,
            train=pixels[~test],
            test=pixels[test],
            train_factors=attributes[~test],
            test_factors=attributes[test],
            factor_names=tuple(str(attribute) for attribute in pack["attribute_names"]),
            source=f"CelebA's first {len(pixels):,} images, half size (89x109), box {box} resized to 64x64",
            stand_in=f"{len(pixels):,} of CelebA's 202,599 images at half size; every tenth is a test image",
        )

    return read


def _svhn(files: list[Path]) -> Images:
    pack = np.load(files[0])
    images, labels, test = pack["images"], pack["labels"], pack["is_test"] == 1
    return Images(
        name="svhn_cropped",
        train=images[~test],
        test=images[test],
        train_labels=labels[~test],
        test_labels=labels[test],
        source="SVHN digits cut anew from the full-number images, 32x32",
        stand_in=f"{len(images):,} crops of our own cut, not the 99,289 official ones",
    )


def _anime_faces(files: list[Path]) -> Images:
    pixels = _jpegs(np.load(files[0]))
    test = _every_tenth(len(pixels))
    return Images(
        name="anime_faces",
        train=pixels[~test],
        test=pixels[test],
        source="anime face crops, resized to 64x64 (JPEG, quality 90)",
        stand_in="a public crawl of anime faces in place of an unpublished one",
    )


def _tiny_imagenet(files: list[Path]) -> Images:
    pack = np.load(files[0])
    pixels, labels, test = _jpegs(pack), pack["labels"], _every_tenth(len(pack["labels"]))
    return Images(
        name="tiny_imagenet",
        train=pixels[~test],
        test=pixels[test],
        train_labels=labels[~test],
        test_labels=labels[test],
        source="Tiny ImageNet, training images _0 to _49 of each class, 64x64, as distributed (JPEG)",
        stand_in=f"{len(pixels):,} of the 100,000 training images of Tiny ImageNet; every tenth is a test image",
    )


def _jpegs(pack, shape: Callable[[Image.Image], Image.Image] = lambda picture: picture) -> np.ndarray:
    """uint8 [N, H, W, 3]: every file of a JPEG pack, decoded and passed through `shape`."""
    stream, offsets = pack["jpeg"], pack["offsets"]
    return np.stack(
        [
            np.asarray(shape(Image.open(io.BytesIO(stream[start:end].tobytes())).convert("RGB")))
            for start, end in zip(offsets[:-1], offsets[1:], strict=True)
        ]
    )


def _every_tenth(count: int) -> np.ndarray:
    return np.arange(count) % 10 == 9


PACKS = {
    "fashion_mnist": Pack("fashion_mnist", ("fashion_mnist_*_exact.npz",), _fashion_mnist),
    "kmnist": Pack("kmnist", ("kmnist-test-imgs.npz", "kmnist-test-labels.npz"), _kmnist),
    "cifar10": Pack("cifar10", ("cifar10_exact.npz", "decode.py"), _cifar10),
    "celeb_a": Pack("celeba", ("celeba_*_jpeg.npz",), _celeb_a("celeb_a")),
    "celeb_a_crop118": Pack("celeba", ("celeba_*_jpeg.npz",), _celeb_a("celeb_a_crop118")),
    "svhn_cropped": Pack("svhn", ("svhn_crops_*.npz",), _svhn),
    "anime_faces": Pack("anime_faces", ("anime_faces_*.npz",), _anime_faces),
    "tiny_imagenet": Pack("tiny_imagenet", ("tiny_imagenet_*_jpeg.npz",), _tiny_imagenet),
}
