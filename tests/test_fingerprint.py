"""A record is stale exactly when code that its run can reach has changed."""

import ast

import pytest

from common.errors import UserError
from common.reporting import records
from common.reporting.fingerprint import ROOT, changed_modules, code_fingerprint
from reproductions import grid

MODULES = {
    "common/__init__.py": "",
    "common/errors.py": "class UserError(Exception): pass",
    "common/experiment.py": "from common import training\n\ndef execute(run):\n    return run()\n\ndef other(): pass",
    "common/data/__init__.py": "from common.data.sizes import SIZE, UNUSED\n",
    "common/data/sizes.py": "SIZE = 28\nUNUSED = 1\n",
    "common/training/__init__.py": "",
    "common/training/game.py": '"""Doc."""\nfrom common.training.steps import step\n\n\n'
    'def play(n=3):\n    "doc"\n    return step(n)\n\n\ndef watch():\n    return 1\n',
    "common/training/steps.py": "from . import seeds\nfrom common.nets import stack as nets\n\n"
    "def step(n):\n    from common.nets.late import LATE\n    return nets.WIDTH, seeds, LATE\n",
    "common/training/seeds.py": "SEED = 1",
    "common/nets/__init__.py": "",
    "common/nets/stack.py": "WIDTH = 16\nDEPTH = 2\n",
    "common/nets/late.py": "LATE = 1",
    "common/nets/loud.py": "print('at import')\nX = 1",
    "common/unused.py": "X = 1",
    "common/reporting/__init__.py": "",
    "common/reporting/pages.py": "import common.unused",
    "reproductions/__init__.py": "",
    "reproductions/toy/ood.py": "import numpy\nimport common.data as data\nimport common.nets.loud\n"
    "from common.errors import UserError\nfrom common.training import game\nfrom common.reporting import pages\n"
    "from reproductions.toy.models import Net, OtherNet\nflags.DEFINE_list('model', ['a'], 'help')\nRATE = 1e-3\n\n\n"
    "def run():\n    return helper(Net, pages), data.SIZE\n\n\n"
    "def helper(net, pages):\n    return game.play(), RATE\n\n\n"
    "def run_other():\n    return OtherNet\n\n\nif __name__ == '__main__':\n    run_other()\n",
    "reproductions/toy/models.py": "class Base:\n    '''Doc.'''\n\n\nclass Net(Base):\n    '''Doc.'''\n\n\n"
    "class OtherNet(Base):\n    x = 1\n",
}


@pytest.fixture
def repository(tmp_path):
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_fingerprint_follows_what_the_run_reaches_but_not_into_reporting(repository):
    found = code_fingerprint(repository / "reproductions/toy/ood.py", "run", repository)["modules"]
    assert list(found) == [
        "common.data.sizes", "common.experiment", "common.nets.late", "common.nets.loud", "common.nets.stack",
        "common.training.game", "common.training.seeds", "common.training.steps", "reproductions.toy.models",
        "reproductions.toy.ood",
    ]  # fmt: skip


CHANGES = [
    # What is no code, or what nobody reaches.
    ("common/training/game.py", '"""Doc."""', '"""Other words."""', False),
    ("common/training/game.py", '    "doc"\n', "", False),
    ("common/training/game.py", "return step(n)", "\n    # why\n    return (\n        step(n)\n    )", False),
    ("common/training/game.py", "return 1", "return 2", False),
    ("common/training/game.py", "def watch", "def more():\n    pass\n\n\ndef watch", False),
    ("common/data/sizes.py", "UNUSED = 1", "UNUSED = 2", False),
    ("common/nets/stack.py", "DEPTH = 2", "DEPTH = 3", False),
    ("common/experiment.py", "def other(): pass", "", False),
    ("common/unused.py", "1", "2", False),
    ("common/reporting/pages.py", "import common.unused", "X = 2", False),
    ("common/nets/loud.py", "X = 1", "X = 2", False),
    ("reproductions/toy/models.py", "    x = 1", "    x = 2", False),
    ("reproductions/toy/ood.py", "return OtherNet", "return OtherNet, 2", False),
    ("reproductions/toy/ood.py", "['a']", "['a', 'b']", False),
    ("reproductions/toy/ood.py", "import numpy\n", "import numpy\nimport common.unused\n", False),
    ("reproductions/toy/ood.py", "    run_other()\n", "    run()\n", False),
    # What the run reaches.
    ("common/training/game.py", "n=3", "n=4", True),
    ("common/training/game.py", "return step(n)", "return step(n), 'doc'", True),
    ("common/nets/stack.py", "16", "32", True),
    ("common/nets/late.py", "1", "2", True),
    ("common/nets/loud.py", "at import", "loudly", True),
    ("common/training/seeds.py", "SEED = 1", "SEED = 1.0", True),
    ("common/data/sizes.py", "28", "32", True),
    ("common/experiment.py", "return run()", "return 2 * run()", True),
    ("reproductions/toy/models.py", "class Base:\n    '''Doc.'''", "class Base:\n    y = 1", True),
    ("reproductions/toy/models.py", "class Net(Base)", "class Net(dict)", True),
    ("reproductions/toy/ood.py", "1e-3", "1e-4", True),
    ("reproductions/toy/ood.py", "return game.play(), RATE", "return game.play()", True),
]


@pytest.mark.parametrize(("file", "old", "new", "changes"), CHANGES)
def test_only_code_that_the_run_reaches_makes_stale(repository, file, old, new, changes):
    entry = repository / "reproductions/toy/ood.py"
    before = code_fingerprint(entry, "run", repository)
    path = repository / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert (code_fingerprint(entry, "run", repository)["fingerprint"] != before["fingerprint"]) == changes
    stale = changed_modules(entry, before, repository)
    assert bool(stale) == changes
    if changes and "Base" not in old:
        assert file.removesuffix(".py").replace("/", ".") in stale
    record = records.Record("toy", "ood", "r", {}, {}, code=before)
    assert records.is_stale(record, repository) == stale


def test_a_removed_module_run_or_script_is_stale_and_a_broken_one_is_named(repository):
    entry = repository / "reproductions/toy/ood.py"
    before = code_fingerprint(entry, "run", repository)
    (repository / "common/nets/stack.py").unlink()
    assert changed_modules(entry, before, repository) == ["common.nets.stack"]
    assert changed_modules(entry, before | {"run": "run_gone"}, repository) == ["reproductions.toy.ood"]
    assert changed_modules(repository / "reproductions/toy/gone.py", before, repository) == ["reproductions.toy.gone"]
    assert changed_modules(entry, {}, repository) == []  # a record without a fingerprint: the checker says so
    (repository / "common/data/__init__.py").write_text("SIZE = = 28")
    with pytest.raises(UserError, match="data/__init__.py"):
        changed_modules(entry, before, repository)
    with pytest.raises(UserError, match="outside the repository"):
        code_fingerprint(__file__, "run", repository)
    with pytest.raises(UserError, match="no function 'walk'"):
        code_fingerprint(repository / "reproductions/toy/models.py", "walk", repository)


def test_fingerprint_ignores_fields_that_newer_pythons_add(repository, monkeypatch):
    """Python 3.12 gave FunctionDef an empty `type_params`: empty fields must not enter the hash."""
    entry, path = repository / "reproductions/toy/ood.py", repository / "common/training/game.py"
    before = code_fingerprint(entry, "run", repository)
    monkeypatch.setattr(ast.FunctionDef, "_fields", (*ast.FunctionDef._fields, "an_empty_field"))
    monkeypatch.setattr(ast.FunctionDef, "an_empty_field", [], raising=False)
    path.write_text(path.read_text() + "\n")  # a new state of the file, so no cached tree
    assert code_fingerprint(entry, "run", repository) == before


def test_every_script_of_the_suite_reaches_the_core():
    """What decides every training must be in the fingerprint of every script that trains, or it would go unseen."""
    scripts = {run.script for run in grid.chosen("cpu")}
    reached = {script: code_fingerprint(ROOT / script)["modules"] for script in scripts}
    assert all("common.experiment" in modules and "common.data" in modules for modules in reached.values())
    untrained = ("formulas.py", "cifar_images.py", "appendix.py", "distances.py", "published.py")
    for script in (script for script in scripts if not script.endswith(untrained)):
        assert {"common.training.fit", "common.training.game", "common.data.feeds"} <= set(reached[script]), script
