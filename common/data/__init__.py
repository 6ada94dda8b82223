"""Where pixels come from: `load(name)` gives an `Images`, or one clear line on what is missing; nothing silent.

Embedded sets need nothing. Real sets come through TensorFlow Datasets or from local packs (`sources`).
"""

from __future__ import annotations

from common.data import embedded, folders, sources
from common.data.images import Images
from common.errors import UserError

__all__ = ["NAMES", "Images", "load"]

NAMES = tuple(sorted((*embedded.SETS, *sources.NAMES)))


def load(name: str, data_dir: str | None = None) -> Images:
    """Load a data set by name, or any folder of images as "folder:PATH" or "folder:PATH@SIDE".

    data_dir: where originals, packs or built TFDS sets lie; default: the environment variable REPRO_DATA.
    Raises UserError for an unknown name and for data that are not there.
    """
    if name.startswith("folder:"):
        return folders.load(name)
    if name in embedded.SETS:
        return embedded.SETS[name]()
    if name in sources.NAMES:
        return sources.load(name, data_dir)
    raise UserError(f"no data set '{name}'; choose one of {', '.join(NAMES)}, or folder:PATH for images of your own")
