"""Files that are either whole or not there: atomic writes, small deterministic arrays, hashes, locks."""

import contextlib
import fcntl
import hashlib
import io
import os
import secrets
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from common.errors import DAMAGED_NPZ, UserError


def write_atomic(path: str | Path, content: bytes | str) -> None:
    """Write `content` (text as UTF-8) to `path` so that a reader, a crash or a full disk never meets half a file.

    The bytes go to a temporary file in the same folder, are flushed to the disk, then take the place of the old file.

    Raises:
      UserError: the disk is full or the folder cannot be written; the old file, if any, is untouched.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; nothing was changed. Free some space or pick a folder "
            "you may write to, then give the same command again."
        ) from error
    finally:  # gone already after a successful replace; left over after an error or an interrupt
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    _sync_folder(path.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut; some file systems cannot, which does no harm."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sha256(path: str | Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_scores(path: str | Path, **arrays) -> str:
    """Save named arrays as one small .npz, atomically, and return its SHA-256 (for `Record.sha256`).

    Kept as they are: float16, float32, uint8. float64 becomes float32 (24 bits of mantissa are more than any
    score's noise), bool becomes uint8, other integers become uint8 where all values fit and int32 otherwise.
    Entries are sorted and carry no time stamp: equal arrays give equal bytes.

    Raises:
      UserError: no array, an array of another kind (text, complex, objects), integers beyond int32, or a full disk.
    """
    if not arrays:
        raise UserError(f"{path}: no array to save")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(arrays):
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_LZMA  # a ninth smaller than deflate, and NumPy reads it
            entry.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, _compact(name, arrays[name]), version=(1, 0), allow_pickle=False)
            archive.writestr(entry, content.getvalue())
    data = buffer.getvalue()
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()


def _compact(name: str, values) -> np.ndarray:
    array = np.ascontiguousarray(values) if np.ndim(values) else np.asarray(values)
    if array.dtype in (np.float16, np.float32, np.uint8):
        return array
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype.kind not in "biu":
        raise UserError(f"array '{name}' has type {array.dtype}: save float16, float32, uint8 or integers")
    lowest, highest = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for kind in (np.uint8, np.int32):
        if lowest >= np.iinfo(kind).min and highest <= np.iinfo(kind).max:
            return array.astype(kind)
    raise UserError(f"array '{name}' holds integers from {lowest} to {highest}: they do not fit in 32 bits")


def load_scores(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays `save_scores` wrote, by name.

    Raises:
      UserError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in sorted(archive.files)}
    except DAMAGED_NPZ as error:
        raise UserError(f"cannot read {path}: {error}; give the record's command again with --rerun") from error


def writable(folder: Path):
    """Raises UserError, before any training, if records cannot be written into `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"cannot write in {folder}: {error.strerror}; choose another with --results_dir") from error


@contextlib.contextmanager
def locked(work: Path):
    """Holds folder `work` alone; raises UserError if it cannot be written or another process holds it."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        file = open(work / "lock", "w")  # noqa: SIM115 (held until the run ends)
    except OSError as error:
        raise UserError(
            f"cannot write in work folder {work}: {error.strerror}; choose another with --work_dir"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"another process works in {work}; wait for it or choose another --work_dir") from error
        yield
