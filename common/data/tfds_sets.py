"""Real sets through TensorFlow Datasets (TFDS): built sets, local originals with checked sums, downloads.

TFDS imports tensorflow, so it is imported only when a set is really read; `cache` then keeps the arrays.

Order. TFDS writes the examples of a split in the order of md5(split name + key), not of the original file. The texts
speak of "the first" images, and held-out runs must agree on rows, so `_original_order` sorts them back: the keys
of these builders are the running numbers 0, 1, 2, ... (CelebA: the file names). `ORDER_PROOF` checks the outcome.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from absl import logging
from PIL import Image

from common.data import cache
from common.data.images import Images
from common.data.packs import CELEBA_BOXES
from common.errors import UserError

# Sixteen hex digits of the sha256 of the test labels (or, without labels, the test pixels) in the original order.
ORDER_PROOF = {
    "mnist": "ddeff807876a9661",
    "binarized_mnist": "a5856e8b2c3c02ae",
    "fashion_mnist": "3d0e6c6ea990b53b",
    "kmnist": "77d83a49ca5434c5",
    "cifar10": "cec8a24a1e92aa2e",
}
# (training, test) images of each builder: a build that was cut short must not pass as the set itself.
SIZES = {
    "mnist": (60_000, 10_000),
    "binarized_mnist": (50_000, 10_000),
    "fashion_mnist": (60_000, 10_000),
    "kmnist": (60_000, 10_000),
    "cifar10": (50_000, 10_000),
    "svhn_cropped": (73_257, 26_032),
    "celeb_a": (162_770, 19_962),
}

_IDX = tuple(
    f"{part}-ubyte.gz" for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
)
_CELEBA = ("img_align_celeba.zip", "list_eval_partition.txt", "list_attr_celeba.txt", "list_landmarks_align_celeba.txt")

# The originals that TFDS accepts from a local folder; it checks their size and sha256.
ORIGINALS = {
    "mnist": _IDX,
    "fashion_mnist": _IDX,
    "kmnist": _IDX,
    "binarized_mnist": tuple(f"binarized_mnist_{split}.amat" for split in ("train", "valid", "test")),
    "cifar10": ("cifar-10-binary.tar.gz",),
    "svhn_cropped": ("train_32x32.mat", "test_32x32.mat", "extra_32x32.mat"),
    "celeb_a": (*_CELEBA, "identity_CelebA.txt"),
}
NAMES = (*ORIGINALS, "celeb_a_crop118")


class DownloadFailed(Exception):
    """TFDS could not download a set; the message is one line."""


def builder_name(name: str) -> str:
    """The TFDS builder behind a name: both crops of CelebA come from one."""
    return "celeb_a" if name in CELEBA_BOXES else name


def find_built(name: str, data_dir: Path | None) -> Path | None:
    """The folder of a set that TFDS has already built, newest version first; None if there is none."""
    for root in (data_dir, Path.home() / "tensorflow_datasets"):
        if root is not None:
            built = [path.parent for path in (root / builder_name(name)).glob("**/dataset_info.json")]
            if built:
                return max(built, key=lambda folder: [int(number) for number in re.findall(r"\d+", folder.name)])
    return None


def find_originals(name: str, data_dir: Path | None) -> Path | None:
    """The folder that holds all original files of the set: data_dir/NAME, or data_dir itself; None if none does."""
    if data_dir is None:
        return None
    for folder in (data_dir / builder_name(name), data_dir):
        if all((folder / file).is_file() for file in ORIGINALS[builder_name(name)]):
            return folder
    return None


def find_packed_binarized(data_dir: Path | None) -> Path | None:
    """binarized_mnist_packed.npz: the fixed binary digits, eight pixels a byte; None if it is not there."""
    folders = () if data_dir is None else (data_dir / "binarized_mnist", data_dir)
    return next((path for f in folders if (path := f / "binarized_mnist_packed.npz").is_file()), None)


def from_built(name: str, folder: Path) -> Images:
    """Read a set that TFDS has built. Raises UserError if it is damaged, cut short or another set."""
    what = f"a built TFDS set of {name}"
    with _quiet():
        import tensorflow_datasets as tfds

        with cache.reading(folder, what, Exception):  # TFDS passes on what its readers raise
            builder = tfds.builder_from_directory(folder)
            found = tuple(builder.info.splits[split].num_examples for split in ("train", "test"))
        _require_whole(name, found, folder)
        with cache.reading(folder, what, Exception):
            return _read(name, builder, f"TFDS {name}, built set")


def _require_whole(name: str, found: tuple[int, int], folder: Path) -> None:
    """Raises UserError unless `found`, the training and test images of a built set, are as many as `SIZES` says."""
    whole = SIZES[builder_name(name)]
    if found != whole:
        raise UserError(
            f"{folder} has {found[0]:,} training and {found[1]:,} test images, not the {whole[0]:,} and {whole[1]:,} "
            f"of {name}; remove this folder and build the set again"
        )


def from_originals(name: str, folder: Path, shown: Path | None = None) -> Images:
    """Let TFDS check the original files in `folder` (which may be read-only) and build the set in a temporary place.

    shown: the path to speak of, where `folder` is itself temporary. Raises UserError for a file with a wrong sha256.
    """
    say(f"building {name} from {shown or folder} (once; about a minute)")
    with tempfile.TemporaryDirectory(dir=cache.folder()) as work, _quiet():
        import tensorflow_datasets as tfds

        builder = tfds.builder(builder_name(name), data_dir=work)
        config = tfds.download.DownloadConfig(manual_dir=folder)
        try:
            builder.download_and_prepare(download_dir=Path(work) / "downloads", download_config=config)
        except tfds.download.download_manager.NonMatchingChecksumError as error:
            file = shown or folder / str(error).split(",")[0].split("/")[-1]
            raise UserError(f"{file} is not the original of {name} (wrong size or sha256); get it again") from error
        return _read(
            name, builder, f"TFDS {builder.name} {builder.version}, from local original files with checked sha256"
        )


def packed_bits(packed: Path, split: str) -> np.ndarray:
    """uint8 0 and 1 [N, 784] of one split of the packed fixed set. Raises UserError if the file is damaged."""
    with cache.reading(packed, "the packed fixed set"), np.load(packed) as pack:
        bits = np.unpackbits(pack[split], axis=1)
        if bits.shape[1:] != (784,):
            raise ValueError(f"{split} must be uint8 [N, 98], not {pack[split].shape}")
        return bits


def from_packed_binarized(packed: Path) -> Images:
    """Write the packed bits out as the three original texts (a line of 0s and 1s an image), which TFDS checks."""
    with tempfile.TemporaryDirectory(dir=cache.folder()) as work:
        for split in ("train", "valid", "test"):
            bits = packed_bits(packed, split)
            text = np.full((len(bits), 2 * 784), ord(" "), np.uint8)
            text[:, 0::2] = bits + ord("0")
            text[:, -1] = ord("\n")
            text.tofile(Path(work) / f"binarized_mnist_{split}.amat")
        return from_originals("binarized_mnist", Path(work), shown=packed)


def from_download(name: str) -> Images:
    """Let TFDS download and build the set in its own folder. Raises DownloadFailed."""
    say(f"no local {name}: downloading it with TFDS")
    with _quiet():
        import tensorflow_datasets as tfds

        builder = tfds.builder(builder_name(name))
        try:
            _reach(next(iter(builder.url_infos)))
            builder.download_and_prepare()
        except Exception as error:  # TFDS passes on whatever its many transports raise
            reason = (str(error).splitlines() or [""])[0]
            raise DownloadFailed(f"{type(error).__name__}: {reason[:200]}") from error
        return _read(name, builder, f"TFDS {builder.name} {builder.version}, downloaded")


def _reach(url: str) -> None:
    """Raise OSError within seconds where there is no network; TFDS itself would retry for minutes."""
    with contextlib.suppress(urllib.error.HTTPError):  # somebody answered; TFDS will say what is wrong
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=15).close()


def say(line: str) -> None:
    print(f"data: {line}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _quiet():
    """TFDS talks on stdout, which belongs to the command line's own results, and in absl's log."""
    before = logging.get_verbosity()
    with contextlib.redirect_stdout(io.StringIO()):
        import tensorflow_datasets as tfds

        tfds.disable_progress_bar()
        logging.set_verbosity(logging.WARNING)
        try:
            yield
        finally:
            logging.set_verbosity(before)


def _read(name: str, builder, source: str) -> Images:
    train, test = _split(name, builder, "train"), _split(name, builder, "test")
    factor_names = train.pop("factor_names", ())
    test.pop("factor_names", None)
    images = Images(
        name,
        **{("train_" + field).removesuffix("_pixels"): array for field, array in train.items()},
        **{("test_" + field).removesuffix("_pixels"): array for field, array in test.items()},
        factor_names=factor_names,
        source=source,
    )
    if ORDER_PROOF.get(name, proof := order_proof(images)) != proof:
        raise RuntimeError(f"{source}: the original order of the images could not be restored")
    return images


def order_proof(images: Images) -> str:
    """What `ORDER_PROOF` holds, for these images."""
    evidence = images.test if images.test_labels is None else images.test_labels.astype(np.uint8)
    return hashlib.sha256(np.ascontiguousarray(evidence)).hexdigest()[:16]


def _split(name: str, builder, split: str) -> dict:
    """pixels uint8 [N, H, W, C], labels [N] or factors [N, F] where there are any: one split in the original order."""
    import tensorflow_datasets as tfds

    # One shard after the other: interleaved reading would mix the shards.
    config = tfds.ReadConfig(interleave_cycle_length=1)
    examples = tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False, read_config=config))
    features, count = builder.info.features, builder.info.splits[split].num_examples
    shape = (64, 64, 3) if name in CELEBA_BOXES else features["image"].shape
    columns = {"pixels": np.empty((count, *shape), np.uint8)}
    if "label" in features:
        columns["labels"] = np.empty(count, np.int32)
    if "attributes" in features:
        columns["factor_names"] = tuple(features["attributes"])
        columns["factors"] = np.empty((count, len(columns["factor_names"])), np.int32)
    for row, example in zip(_original_order(name, split, count), examples, strict=True):
        columns["pixels"][row] = _pixels(name, example["image"])
        if "label" in features:
            columns["labels"][row] = example["label"]
        if "attributes" in features:
            columns["factors"][row] = [example["attributes"][key] for key in columns["factor_names"]]
    return columns


def _pixels(name: str, image: np.ndarray) -> np.ndarray:
    if name in CELEBA_BOXES:
        return np.asarray(Image.fromarray(image).crop(CELEBA_BOXES[name]).resize((64, 64), Image.Resampling.LANCZOS))
    return image * 255 if name == "binarized_mnist" else image


def _original_order(name: str, split: str, count: int) -> np.ndarray:
    """int64 [count]: the original row of each stored example, which TFDS sorts by md5(split + key)."""
    if name in CELEBA_BOXES:  # 1-162,770 training, 162,771-182,637 validation, 182,638-202,599 test
        first = {"train": 1, "test": 182638}[split]
        keys = [f"{first + row:06d}.jpg" for row in range(count)]
    else:
        keys = [str(row) for row in range(count)]
    return np.asarray(sorted(range(count), key=lambda row: hashlib.md5(f"{split}{keys[row]}".encode()).digest()))
