"""Where a real set is looked for, in this order; the first that is there wins, and what is missing is one clear line.

1. arrays that an earlier call read through TFDS (cache)     2. a set that TFDS has already built (data_dir, home)
3. local original files, which TFDS checks and reads         4. local packs, with a `stand_in` text if not complete
5. a download by TFDS, unless REPRO_OFFLINE is set
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from common.data import cache, packs, tfds_sets
from common.data.images import Images
from common.errors import UserError

NAMES = tuple(sorted({*tfds_sets.NAMES, *packs.PACKS}))


def load(name: str, data_dir: str | None = None) -> Images:
    """The real set `name` (one of NAMES). data_dir: default the environment variable REPRO_DATA. Raises UserError."""
    root, key = _root(data_dir), f"{name}-tfds"
    if name in tfds_sets.NAMES and (kept := cache.read(key)):
        return kept
    if whole := _whole(name, root):
        return cache.cached(key, whole)
    if files := packs.find(name, root):
        return packs.load(name, files)
    if name in tfds_sets.NAMES and not os.environ.get("REPRO_OFFLINE"):
        try:
            return cache.cached(key, lambda: tfds_sets.from_download(name))
        except tfds_sets.DownloadFailed as error:
            raise UserError(f"{_missing(name, root)}; the download failed ({error})") from error
    raise UserError(_missing(name, root))


def known(name: str, data_dir: str | None = None) -> dict[str, str]:
    """What a record of `load(name)` would say in its `data`, as far as that is known without making any images.

    The fingerprint of images that an earlier call kept; of a whole set that nobody has read yet, that it is no
    stand-in; {} where there is neither. Raises UserError for a data folder that is not there.
    """
    root, kept = _root(data_dir), None
    if name in tfds_sets.NAMES:
        kept = cache.read(f"{name}-tfds")
        if kept is None and _whole(name, root):
            return {"stand_in": ""}
    if kept is None and (files := packs.find(name, root)):
        kept = cache.read(packs.key(name, files))
    return {} if kept is None else {"fingerprint": kept.fingerprint}


def _whole(name: str, root: Path | None) -> Callable[[], Images] | None:
    """How to read the whole set from what lies here; None if it does not."""
    if name not in tfds_sets.NAMES:
        return None
    if built := tfds_sets.find_built(name, root):
        return lambda: tfds_sets.from_built(name, built)
    if originals := tfds_sets.find_originals(name, root):
        return lambda: tfds_sets.from_originals(name, originals)
    if name == "binarized_mnist" and (packed := tfds_sets.find_packed_binarized(root)):
        return lambda: tfds_sets.from_packed_binarized(packed)
    return None


def _root(data_dir: str | None) -> Path | None:
    data_dir = data_dir or os.environ.get("REPRO_DATA")
    if not data_dir:
        return None
    root = Path(os.path.expanduser(data_dir))  # leaves ~nobody as it is
    if not root.is_dir():
        raise UserError(f"no data folder '{root}'; correct --data_dir or REPRO_DATA")
    return root


def _missing(name: str, root: Path | None) -> str:
    wanted = []
    if name in tfds_sets.NAMES:
        wanted += ["a built TFDS set", " + ".join(tfds_sets.ORIGINALS[tfds_sets.builder_name(name)])]
    if name in packs.PACKS:
        wanted.append(" + ".join(packs.PACKS[name].files))
    where = f"in {root}" if root else "(no --data_dir, no REPRO_DATA)"
    return (
        f"data set '{name}' not found {where}: looked for {' or '.join(wanted)}; "
        f"put one there and name the folder with --data_dir or REPRO_DATA, or choose embedded data"
    )
