"""Which code a number came from: a hash of the syntax trees of all definitions that a run can reach.

A run starts at one function of a script (`run_vae` of ood.py). From there every name is followed: through the script,
through the imports, into `common` and `reproductions`, function by function. What another model of the same script
does, or a new function in a shared module, makes no record stale. Statements at the top of a module that are no
definitions run at its import and always count, but for flags: what they ask for stands in the record's settings.

Comments, docstrings, blank lines and line breaks do not count, for they cannot change a number; a constant does.
Modules that change no number (`EXCLUDED`) are left out: a better page makes no run stale.
"""

import ast
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from common.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("common", "reproductions")
# Modules that change no number: what tells results, what describes the machine, how TensorFlow is started, how steps
# are spread over devices (the tests hold it to the single device's weights), and where pixels come from (a record has
# their own fingerprint).
EXCLUDED = (
    "common.reporting", "common.errors", "common.machine", "common.start", "common.training.strategy",
    "common.training.export", "common.data.sources", "common.data.embedded", "common.data.packs", "common.data.folders",
    "common.data.tfds_sets", "common.data.cache",
)  # fmt: skip
FRAME = ("common.experiment", "execute")  # what calls every run
ALL = "*"


def code_fingerprint(entry_file: str | Path, run: str = ALL, root: str | Path = ROOT) -> dict:
    """{"fingerprint": 16 hex digits, "run": run, "modules": {dotted name: 16 hex digits}} of one function of a script.

    run: ALL takes the whole file. Imports are read from the syntax tree, those inside functions too; a package's
    `__init__` counts, since importing a submodule runs it.

    Raises:
      UserError: a file cannot be parsed, the script lies outside `root`, or it has no function `run`.
    """
    root, entry = Path(root).resolve(), Path(entry_file).resolve()
    if not entry.is_relative_to(root):
        raise UserError(f"{entry} lies outside the repository {root}: its code cannot be fingerprinted")
    start = _dotted(entry, root)
    if run != ALL and run not in module(entry, start).definitions:
        raise UserError(f"{entry} has no function '{run}'")
    reached = _reach([(start, run)] + ([FRAME] if run != ALL else []), root)
    code = {name: module(module_file(name, root), name).code(names) for name, names in reached.items()}
    modules = {name: _digest(text) for name, text in code.items() if text}  # nothing of it reached: nothing recorded
    text = "\n".join(f"{name} {digest}" for name, digest in modules.items())
    return {"fingerprint": _digest(text), "run": run, "modules": modules}


def changed_modules(entry_file: str | Path, code: dict, root: str | Path = ROOT) -> list[str]:
    """Names of the modules whose code is no longer what `code` (a `code_fingerprint`) recorded, sorted.

    Raises:
      UserError: a file cannot be parsed.
    """
    recorded = code.get("modules", {})
    if not recorded:
        return []
    entry, root, run = Path(entry_file), Path(root).resolve(), code.get("run", ALL)
    if not entry.is_file() or (run != ALL and run not in module(entry, _dotted(entry.resolve(), root)).definitions):
        return [_dotted(entry.resolve(), root)]
    now = code_fingerprint(entry, run, root)["modules"]
    return sorted(name for name in {*recorded, *now} if recorded.get(name) != now.get(name) and not _excluded(name))


@dataclass(frozen=True)
class Module:
    """One file: its definitions by name, what it imports by name, and the statements that run at its import."""

    name: str
    definitions: dict[str, list]
    imports: dict[str, tuple[str, str]]  # local name -> (module, name in it, or ALL for the module itself)
    always: list

    def code(self, names) -> str:
        """The source that counts when `names` of the module are reached (ALL: everything), as one text."""
        chosen = self.definitions if ALL in names else sorted(set(names) & set(self.definitions))
        nodes = [node for name in chosen for node in self.definitions[name]] + self.always
        unique = {id(node): node for node in nodes}.values()
        return "\n".join(map(_canonical, sorted(unique, key=lambda node: (node.lineno, node.col_offset))))


def module(path: Path, name: str) -> Module:
    """The parsed file; many records ask for the same one."""
    status = path.stat()
    return _parsed(path, name, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _parsed(path: Path, name: str, _modified: int, _size: int) -> Module:
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{path} cannot be parsed as Python: {error}") from error
    definitions, always = {}, []
    imports = _imports(tree, name if path.name == "__init__.py" else name.rpartition(".")[0])
    for statement in tree.body[1:] if ast.get_docstring(tree, clean=False) is not None else tree.body:
        names = _defined(statement)
        for each in (each for each in names if each not in imports):  # those are followed, not hashed
            definitions.setdefault(each, []).append(statement)
        if not names and not _is_entry(statement) and not _is_flag(statement):
            always.append(statement)
    return Module(name, definitions, imports, always)


def _defined(statement) -> list[str]:
    """Names that a top-level statement defines; an import defines what it binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.split(".")[0] for alias in statement.names]
    targets = getattr(statement, "targets", [statement.target] if isinstance(statement, ast.AnnAssign) else [])
    found = [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [each.id for each in found] if all(isinstance(each, ast.Name) for each in found) else []


def _is_entry(statement) -> bool:
    """Whether it is `if __name__ == "__main__":`."""
    return isinstance(statement, ast.If) and "__name__" in {n.id for n in ast.walk(statement.test) if _is_name(n)}


def _is_flag(statement) -> bool:
    """Whether it is `flags.DEFINE_...(...)`."""
    call = getattr(statement, "value", None)
    return isinstance(call, ast.Call) and getattr(call.func, "attr", "").startswith("DEFINE_")


def _imports(tree, package: str) -> dict[str, tuple[str, str]]:
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: (alias.name, ALL) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {alias.asname or alias.name: (base, alias.name) for alias in node.names}
    return {k: target for k, target in found.items() if target[0].split(".")[0] in PACKAGES}


def _reach(starts, root: Path) -> dict[str, set]:
    """{module: names reached in it} from all `starts` (module, name), sorted by module."""
    reached, waiting = {}, list(starts)
    while waiting:
        name, wanted = waiting.pop()
        path = None if _excluded(name) else module_file(name, root)
        if path is None or wanted in reached.get(name, ()):
            continue
        here = module(path, name)
        if name not in reached:
            reached[name] = set()
            waiting += [(parent, "") for parent in _parents(name)]
            waiting += [(target, "") for target, _ in here.imports.values()]  # importing it runs it
            waiting += [(f"{target}.{each}", "") for target, each in here.imports.values() if each != ALL]
            waiting += [use for node in here.always for use in _uses(node, here, root)]
        reached[name].add(wanted)
        nodes = here.definitions if wanted == ALL else [wanted]
        for node in (node for each in nodes for node in here.definitions.get(each, [])):
            waiting += _uses(node, here, root)
        if wanted in here.imports:  # re-exported
            waiting += _targets(here.imports[wanted], [], root)
    return {name: reached[name] for name in sorted(reached)}


def _uses(node, here: Module, root: Path) -> list[tuple[str, str]]:
    """(module, name) of everything in the repository that a syntax tree mentions."""
    chains, inner = [], set()
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and id(each) not in inner:
            chain, base = [each.attr], each.value
            inner.add(id(base))
            while isinstance(base, ast.Attribute):
                chain.insert(0, base.attr)
                base = base.value
                inner.add(id(base))
            if _is_name(base):
                chains.append((base.id, chain))
        elif _is_name(each) and id(each) not in inner:
            chains.append((each.id, []))
    found = []
    for name, chain in chains:
        if name in here.imports:
            found += _targets(here.imports[name], chain, root)
        elif name in here.definitions:
            found.append((here.name, name))
        dotted = [n for n in here.imports if n.startswith(f"{name}.")]  # `import common.data` binds `common`
        found += [here.imports[n] for n in dotted]
    return found


def _targets(target: tuple[str, str], chain: list[str], root: Path) -> list[tuple[str, str]]:
    """What `alias.chain...` means: a name of a module, or the whole module where it is used as a value."""
    base, name = target
    if name == ALL:
        whole = base
    elif module_file(f"{base}.{name}", root):
        whole = f"{base}.{name}"
    else:
        return [(base, name)]
    while chain and module_file(f"{whole}.{chain[0]}", root):
        whole, chain = f"{whole}.{chain[0]}", chain[1:]
    return [(whole, chain[0] if chain else ALL)]


def module_file(name: str, root: Path) -> Path | None:
    """File of a dotted module name under `root`, or None."""
    base = root.joinpath(*name.split("."))
    candidates = (base.with_name(base.name + ".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _canonical(node) -> str:
    """The tree as text, empty fields left out: `ast.dump` gains fields from one Python to the next, this does not."""
    if isinstance(node, ast.AST):
        fields = []
        for name, value in ast.iter_fields(node):
            if name == "body" and isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                value = value[1:] if ast.get_docstring(node, clean=False) is not None else value
            if value is not None and value != []:
                fields.append(f"{name}={_canonical(value)}")
        return f"{type(node).__name__}({', '.join(fields)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_canonical, node))}]"
    return repr(node)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_name(node) -> bool:
    return isinstance(node, ast.Name)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts)) if parts[0] in PACKAGES]


def _excluded(name: str) -> bool:
    return any(name == each or name.startswith(each + ".") for each in EXCLUDED)


def _dotted(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
