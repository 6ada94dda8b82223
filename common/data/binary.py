"""Binary images for models of bits, from any data set, and the validation images that go with them.

Which draw of the bits is used decides the number of nats (`binarise`), so it is named and nothing is converted in
silence: grey pixels where the fixed binary set is asked for are an error, and so is a dynamic draw of binary ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.data import cache, tfds_sets
from common.data.binarise import own_draw
from common.data.images import Images
from common.errors import UserError

VALIDATION_PROOF = "a5d1888f93755b50"  # of the fixed set's 10,000 validation images, as tfds_sets.ORDER_PROOF
WORDS = {
    "fixed": "fixed (Larochelle)",
    "own_draw": "one own draw of training and test images",
    "dynamic": "dynamic in training; one own draw of the test images",
}


@dataclass(frozen=True)
class BinaryImages:
    """What a model of bits is trained, chosen and tested on; uint8 [N, H, W, C].

    train: 0 and 255, or grey where the game draws anew in every step ("dynamic"). validation, test: 0 and 255.
    kind: one of WORDS, as games take it. description: for the record.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray | None
    test_labels: np.ndarray | None
    kind: str

    @property
    def description(self) -> str:
        return WORDS[self.kind]

    @property
    def split(self) -> str:
        """What is trained and tested on, for the record."""
        return f"test set, {len(self.test):,} images; {len(self.train):,} training images"


def is_binary(pixels: np.ndarray) -> bool:
    """Whether uint8 pixels are 0 and 255 only."""
    return bool(np.isin(pixels, (0, 255)).all())


def require_binary(pixels: np.ndarray, name: str) -> np.ndarray:
    """The pixels, uint8 of 0 and 255. Raises UserError for grey ones."""
    if not is_binary(pixels):
        raise UserError(
            f"grey values in '{name}' where binary ones are required (pixels 0 and 255 only): choose "
            "--dataset=binarized_mnist, or draw them: --variant=own_draw or --variant=dynamic"
        )
    return pixels


def binary_images(images: Images, kind: str, seed: int = 1, data_dir: str | None = None) -> BinaryImages:
    """Training, validation and test images for `kind`, one of WORDS.

    fixed: the set's own bits; grey pixels are an error. own_draw: drawn once, the same bits for every model and run of
    that seed. dynamic: grey training images, to be drawn anew in every step; validation and test drawn once.
    The fixed set brings its own validation images. Of other sets they are the last sixth of the training images (MNIST:
    50,000 and 10,000), which are then not trained on. Raises UserError.
    """
    if kind not in WORDS:
        raise UserError(f"unknown binarisation '{kind}'; choose one of {', '.join(WORDS)}")
    if kind == "fixed":
        train, test = (require_binary(part, images.name) for part in (images.train, images.test))
    elif is_binary(images.test):
        raise UserError(f"'{images.name}' is binary already: choose grey images for --variant={kind}: --dataset=mnist")
    else:
        train, test = images.train, drawn(images.test, seed)
    count, labels = len(train), images.train_labels
    if images.name == "binarized_mnist":
        validation = fixed_validation(data_dir)
    else:
        count -= count // 6
        validation = train[count:] if kind == "fixed" else drawn(train[count:], seed)
    train, labels = train[:count], None if labels is None else labels[:count]
    if kind == "own_draw":
        train = drawn(train, seed)
    return BinaryImages(train, validation, test, labels, images.test_labels, kind)


def drawn(grey: np.ndarray, seed: int) -> np.ndarray:
    """One own draw (`binarise.own_draw`), uint8 of 0 and 255."""
    return own_draw(grey, seed) * np.uint8(255)


def fixed_validation(data_dir: str | None = None) -> np.ndarray:
    """The 10,000 validation images of the fixed set, uint8 [N, 28, 28, 1] of 0 and 255, in the original order.

    From a built TFDS set, the original texts or the packed file, whatever is there. Raises UserError.
    """
    from common.data import sources

    kept = cache.read("binarized_mnist-validation")
    if kept is None:
        root = sources._root(data_dir)
        kept = cache.cached("binarized_mnist-validation", lambda: _as_images(_read_validation(root)))
    return kept.test


def _read_validation(root: Path | None) -> np.ndarray:
    if packed := tfds_sets.find_packed_binarized(root):
        return tfds_sets.packed_bits(packed, "valid")
    if originals := tfds_sets.find_originals("binarized_mnist", root):
        text = np.fromfile(originals / "binarized_mnist_valid.amat", np.uint8)  # a line of 0s and 1s an image
        return text[(text == ord("0")) | (text == ord("1"))] - np.uint8(ord("0"))
    if built := tfds_sets.find_built("binarized_mnist", root):
        import tensorflow_datasets as tfds

        return tfds_sets._split("binarized_mnist", tfds.builder_from_directory(built), "validation")["pixels"] // 255
    raise UserError(
        "the validation images of 'binarized_mnist' were not found: name the folder with the set by --data_dir or "
        "REPRO_DATA"
    )


def _as_images(bits: np.ndarray) -> Images:
    pixels = bits.reshape(-1, 28, 28, 1) * np.uint8(255)
    images = Images("binarized_mnist_validation", train=pixels[:0], test=pixels, source="fixed set, validation images")
    if tfds_sets.order_proof(images) != VALIDATION_PROOF:
        raise UserError("the validation images of 'binarized_mnist' are not the original ones; get the set again")
    return images
