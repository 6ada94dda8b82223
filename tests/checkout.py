"""Copies of this repository's code to run and to edit in."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def copy(folder):
    """The code of this repository alone: no runs, no results, no history."""
    for part in ("common", "reproductions"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def edit(path, old, new):
    """Replaces the first `old` in a file, which must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
