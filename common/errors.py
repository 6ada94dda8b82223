"""The one exception for mistakes a user can mend, and what reading a damaged file of arrays raises."""

import lzma
import zipfile
import zlib

# What NumPy and what it reads with raise over damaged or foreign npz files.
DAMAGED_NPZ = (
    OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip


class UserError(Exception):
    """One clear line: what is wrong and what to do. The command line prints it and exits with code 2."""
