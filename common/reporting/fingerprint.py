"""Which code a number came from: a hash of the syntax tree of a script and of every repository module it imports.

Comments, docstrings, blank lines and line breaks do not count, for they cannot change a number; a constant does.
Modules that change no number (`EXCLUDED`) are left out: a better page makes no run stale.
"""

import ast
import hashlib
from functools import lru_cache
from pathlib import Path

from common.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("common", "reproductions")
# Modules that change no number: what tells results, and how steps are spread over devices, which the tests hold to the
# single device's weights.
EXCLUDED = ("common.reporting", "common.errors", "common.training.strategy", "common.training.export")


def code_fingerprint(entry_file: str | Path, root: str | Path = ROOT) -> dict:
    """{"fingerprint": 16 hex digits, "modules": {dotted name: 16 hex digits}} of a script and all it imports.

    Imports are read from the syntax tree (those inside functions too) and followed through `common` and
    `reproductions` under `root`; a package's `__init__` counts, since importing a submodule runs it.

    Raises:
      UserError: a file cannot be parsed, or the script lies outside `root`.
    """
    root, entry = Path(root).resolve(), Path(entry_file).resolve()
    if not entry.is_relative_to(root):
        raise UserError(f"{entry} lies outside the repository {root}: its code cannot be fingerprinted")
    modules, waiting = {}, [_dotted(entry, root)]
    while waiting:
        name = waiting.pop()
        if name in modules or _excluded(name):
            continue
        path = module_file(name, root)
        if path is not None:
            modules[name] = file_hash(path)
            waiting += [found for found in _imported(path, name) if module_file(found, root)]
            waiting += _parents(name)
    modules = dict(sorted(modules.items()))
    text = "\n".join(f"{name} {digest}" for name, digest in modules.items())
    return {"fingerprint": hashlib.sha256(text.encode()).hexdigest()[:16], "modules": modules}


def changed_modules(modules: dict[str, str], root: str | Path = ROOT) -> list[str]:
    """Names of the recorded modules whose code is no longer what it was (or is gone), sorted.

    New imports need no extra check: whoever imports them has changed.
    """
    root = Path(root).resolve()
    changed = []
    for name, digest in modules.items():
        path = module_file(name, root)
        if not _excluded(name) and (path is None or file_hash(path) != digest):
            changed.append(name)
    return sorted(changed)


def module_file(name: str, root: Path) -> Path | None:
    """File of a dotted module name under `root`, or None."""
    base = root.joinpath(*name.split("."))
    candidates = (base.with_name(base.name + ".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def file_hash(path: Path) -> str:
    """16 hex digits of the SHA-256 of a file's syntax tree without docstrings."""
    return _parse(path)[1]


def _parse(path: Path) -> tuple[ast.Module, str]:
    status = path.stat()
    return _parse_version(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=512)
def _parse_version(path: Path, _modified: int, _size: int) -> tuple[ast.Module, str]:
    """Tree and hash of one state of a file; many records ask for the same file."""
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{path} cannot be parsed as Python: {error}") from error
    return tree, hashlib.sha256(_canonical(tree).encode()).hexdigest()[:16]


def _canonical(node) -> str:
    """The tree as text, empty fields left out: `ast.dump` gains fields from one Python to the next, this does not."""
    if isinstance(node, ast.AST):
        fields = []
        for name, value in ast.iter_fields(node):
            if name == "body" and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                value = value[1:] if ast.get_docstring(node, clean=False) is not None else value
            if value is not None and value != []:
                fields.append(f"{name}={_canonical(value)}")
        return f"{type(node).__name__}({', '.join(fields)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_canonical, node))}]"
    return repr(node)


def _imported(path: Path, name: str) -> set[str]:
    """Dotted names of repository modules (or of things in them) that a file imports."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(_parse(path)[0]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {each for each in found if each.split(".")[0] in PACKAGES and not _excluded(each)}


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts)) if parts[0] in PACKAGES]


def _excluded(name: str) -> bool:
    return any(name == each or name.startswith(each + ".") for each in EXCLUDED)


def _dotted(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
