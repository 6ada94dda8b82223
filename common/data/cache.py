"""Arrays that took long to make are kept as a plain npz under the cache folder; a damaged file is made anew."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from common.data.images import Images
from common.errors import DAMAGED_NPZ, UserError

_ARRAYS = ("train", "test", "train_labels", "test_labels", "train_factors", "test_factors")
_TEXTS = ("name", "source", "stand_in")
# What reading raises, and what arrays of other kinds than expected then raise.
DAMAGED = (*DAMAGED_NPZ, LookupError, SyntaxError, UserError)


def folder() -> Path:
    """The environment variable REPRO_CACHE; else runs/data under the repository (installed: the working folder)."""
    if os.environ.get("REPRO_CACHE"):
        return Path(os.environ["REPRO_CACHE"])
    root = Path(__file__).resolve().parents[2]
    return (root if (root / "setup.cfg").exists() else Path.cwd()) / "runs" / "data"


def cached(key: str, make: Callable[[], Images]) -> Images:
    """The images kept under `key`, else `make()`, which is then kept.

    Two processes that ask at once: one makes, the other waits for it. The file appears whole or not at all.
    """
    images = read(key)
    if images is not None:
        return images
    with held(folder() / f"{key}.lock", "set REPRO_CACHE to another folder"):
        images = read(key, warn=False)  # another process may have made it while this one waited
        if images is None:
            images = make()
            _write(key, images)
    return images


def read(key: str, warn: bool = True) -> Images | None:
    """The images kept under `key`; None if there are none or if the file is damaged (then with a warning)."""
    path = folder() / f"{key}.npz"
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            images = Images(
                **{field: kept[field] for field in _ARRAYS if field in kept},
                **{field: str(kept[field]) for field in _TEXTS},
                factor_names=tuple(str(factor) for factor in kept["factor_names"]),
            )
            if images.fingerprint == str(kept["fingerprint"]):
                return images
    except DAMAGED:
        pass
    if warn:
        warnings.warn(f"cached data {path} are damaged; they are made anew", stacklevel=2)
    return None


@contextlib.contextmanager
def reading(path: Path, what: str, errors=DAMAGED) -> Iterator[None]:
    """Turns what reading the data `path` raises into one line: they are damaged or not `what`."""
    try:
        yield
    except errors as error:
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        reason = (str(error).strip().splitlines() or ["no reason given"])[0][:200]
        raise UserError(f"{path} is damaged or not {what}; get it again ({kind}{reason})") from error


def _write(key: str, images: Images) -> None:
    content = {field: getattr(images, field) for field in (*_ARRAYS, *_TEXTS) if getattr(images, field) is not None}
    path = folder() / f"{key}.npz"
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(
                file, fingerprint=images.fingerprint, factor_names=np.array(images.factor_names, dtype=str), **content
            )
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"cannot write the data cache {path}: {error.strerror}; set REPRO_CACHE to another folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def held(path: Path, advice="choose another folder") -> Iterator[None]:
    """Hold the lock file `path` against other processes, which wait. Without file locks (Windows) nobody waits.

    Raises UserError with `advice` if the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "w")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise UserError(f"cannot write in {path.parent}: {error.strerror}; {advice}") from error
    with file:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
