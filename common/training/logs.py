"""Files of numbers that a training appends to, one row at a time; a kill or a full disk may cut the last row short."""

import contextlib
import csv

from common.errors import UserError


def read_rows(path) -> list[dict[str, float]]:
    """The whole rows of a file of numbers, {column: number}; [] without a file. What does not parse is left out."""
    return [row for _, row in _lines(path)]


def _lines(path) -> list[tuple[str, dict[str, float]]]:
    """(line, row) of every whole row."""
    if not path.exists():
        return []
    names, *lines = path.read_bytes().decode(errors="replace").split("\n")
    names, found = names.rstrip("\r").split(","), []
    for line in lines[:-1]:  # what follows the last line end was cut short
        words = line.rstrip("\r").split(",")
        with contextlib.suppress(ValueError):  # too few words, or no numbers
            found.append((line, dict(zip(names, map(float, words), strict=True))))
    return found


def append_rows(path, rows):
    """Writes rows {column: number}, of equal columns, at the end of the file, which starts with their names."""
    new = not path.exists() or not path.stat().st_size
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        if new:
            writer.writeheader()
        writer.writerows(rows)


def keep_rows(path, wanted):
    """Only the rows for which wanted(row) is true stay; a kill leaves the old file or the new one."""
    kept = [line for line, row in _lines(path) if wanted(row)]
    if not kept:
        path.unlink(missing_ok=True)
        return
    names = path.read_bytes().split(b"\n")[0].decode()
    temporary = path.with_name("writing.csv")
    temporary.write_text("".join(f"{line}\n" for line in (names, *kept)), newline="")
    temporary.replace(path)


def require_epochs(path, epochs):
    """Raises UserError unless `path` has one row for each of so many epochs, in order: no lost one shifts the rest."""
    found = [row.get("epoch") for row in read_rows(path)]
    if found != list(range(epochs)):
        raise UserError(f"{path} lacks some of the {epochs} epochs trained; delete {path.parent} to train anew")
