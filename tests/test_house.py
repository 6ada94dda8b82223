"""The house's own rules: imports point one way, rooms stand alone, files stay short enough to read."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FLOORS = ("errors", "data", "nets", "probability", "training", "models", "evaluation", "reporting", "experiment")
# `machine` and `start` set up the process; reporting tells results and may be used by the experiment alone.
MODULES = sorted(p for folder in ("common", "reproductions") for p in (ROOT / folder).rglob("*.py"))


def imported(path):
    """(line, dotted name) of every import in a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_imports_are_absolute():
    """The tests below read whole names; `from ..other import x` would have none."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not found, "relative imports: " + ", ".join(found)


def name(path):
    return str(path.relative_to(ROOT))


def test_no_floor_imports_one_above_it():
    wrong = []
    for path in (ROOT / "common").rglob("*.py"):
        floor = path.relative_to(ROOT / "common").parts[0].removesuffix(".py")
        for line, target in imported(path):
            parts = target.split(".")
            if parts[0] == "reproductions":
                wrong.append(f"{name(path)}:{line} imports the room module {target}")
            known = len(parts) > 1 and {floor, parts[1]} <= set(FLOORS)
            if parts[0] == "common" and known and FLOORS.index(parts[1]) > FLOORS.index(floor):
                wrong.append(f"{name(path)}:{line} imports {target}")
    assert not wrong, "\n".join(wrong)


def test_no_room_imports_another():
    rooms = {path.parent.name for path in (ROOT / "reproductions").glob("*/__init__.py")}
    wrong = [
        f"{name(path)}:{line} imports {target}"
        for room in rooms
        for path in (ROOT / "reproductions" / room).glob("*.py")
        for line, target in imported(path)
        if target.split(".")[0] == "reproductions" and target.split(".")[1] in rooms - {room}
    ]
    assert rooms and not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_script_has_250_lines_and_a_module_350_at_most(path):
    text = path.read_text()
    script = "experiment.main(main)" in text
    assert len(text.splitlines()) <= (250 if script else 350)


def test_no_model_takes_a_name_that_the_core_reads():
    """`Game.draws` is how many batches a step consumes: who keeps another number there trains on other images."""
    core = {"draws", "images", "labels", "turns", "players", "networks", "player_optimizers", "steps_done"}
    classes = [(path, node) for path in MODULES for node in ast.walk(ast.parse(path.read_text())) if is_class(node)]
    games = {"Game"}
    while found := {c.name for _, c in classes if games & {ast.unparse(b).split(".")[-1] for b in c.bases}} - games:
        games |= found
    assert len(games) > 10
    taken = [
        f"{name(path)}:{node.lineno} assigns self.{node.attr}"
        for path, cls in classes
        if cls.name in games - {"Game"}
        for node in ast.walk(cls)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
        if node.attr in core
    ]
    assert not taken, "\n".join(taken)


def is_class(node):
    return isinstance(node, ast.ClassDef)
