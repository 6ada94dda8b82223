"""After an edit, records are stamped anew only where both codes give equal numbers. Real commands, real history."""

import os
import subprocess
import sys

import pytest
from checkout import ROOT, copy, edit

from common.reporting import restamp as restamping
from common.reporting.records import Record, is_stale, load

ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "REPRO_DATA"}
SCRIPT = "reproductions/doersch/distances.py"
RECORD = "records/doersch/distances/smoke-pixels-as_described-digits-s1.json"
EDITED, LINE = "reproductions/doersch/pixels.py", "def figure_3("  # a function that the run reaches


def call(folder, *command, code=0):
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def restamp(folder, revision, code=0):
    command = (sys.executable, "-m", "common.reporting.restamp", revision, "--because", "a name became clearer")
    return call(folder, *command, "--results", "kept", code=code)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with one commit, and one record made by its code."""
    folder = copy(tmp_path_factory.mktemp("history"))
    git = ("git", "-c", "user.name=n", "-c", "user.email=e")
    for command in (("init", "-q"), ("add", "common", "reproductions"), ("commit", "-qm", "code")):
        call(folder, *git, *command)
    call(folder, sys.executable, SCRIPT, "--scale=smoke", "--results_dir=kept")
    return folder


def test_restamp(repository):
    """An edit that changes no number, then one that changes one; then a record that no commit explains."""
    path, module = repository / "kept" / RECORD, repository / EDITED
    made, original = load(path), module.read_text()
    assert not is_stale(made, repository)

    edit(module, LINE, "unused = 0\n\n\n" + LINE)  # not reached: nothing to do
    assert "0 records stamped anew, 0 left stale" in restamp(repository, "HEAD")
    assert load(path) == made

    body = original[original.index(LINE) :].splitlines()
    start = next(line for line in body if line.startswith("    ") and " = " in line)
    edit(module, start, "    unused = 0\n" + start)
    assert is_stale(made, repository) == ["reproductions.doersch.pixels"]
    assert "1 records stamped anew, 0 left stale" in restamp(repository, "HEAD")
    stamped = load(path)
    assert not is_stale(stamped, repository)
    assert stamped.metrics == made.metrics and stamped.settings == made.settings
    assert made.code["fingerprint"] in stamped.notes["code"] and "a name became clearer" in stamped.notes["code"]

    module.write_text(original)  # as at HEAD, but the record is now of the edited code: HEAD explains nothing
    assert "stale at" in restamp(repository, "HEAD", code=1)
    assert load(path) == stamped


def test_restamp_refuses_other_numbers(repository):
    """A change of one metric in its last bit is named, and the record stays as it is."""
    path = repository / "kept" / RECORD
    (repository / EDITED).write_text((ROOT / EDITED).read_text())
    call(repository, sys.executable, SCRIPT, "--scale=smoke", "--results_dir=kept")
    before, metric = path.read_bytes(), "c02_raw_median"
    line = "    metrics |= columns("
    edit(repository / SCRIPT, line, f'    metrics["{metric}"] *= 1 + 1e-15\n{line}')
    said = restamp(repository, "HEAD", code=1)
    assert f"not equal at smoke scale: {metric}" in said and "0 records stamped anew, 1 left stale" in said
    assert path.read_bytes() == before


def layers(depth, **options):
    settings = {"model": "pixelvae", "variant": "as_described", "seed": 1, "key": {"layers": depth}, "options": options}
    return Record("ahmed_ch2", "layers", f"layers{depth}", settings, {})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (layers(0), layers(1), False),  # no gated block
        (layers(4), layers(64), True),
        (layers(2), layers(16), False),  # latents.py draws a plane for two latents only
        (layers(4, width=16, warm_up=300), layers(4, width=32, warm_up=30), True),
        (layers(4, warm_up=300), layers(4, warm_up=0), False),
        (layers(4, average=0.0), layers(4, average=0.99), False),
        (layers(4, drawn=[]), layers(4, drawn=[6, 12]), False),
        (layers(4, decay=True), layers(4, decay=False), False),
        (layers(4, precision="float32"), layers(4, precision="bfloat16"), False),
        (layers(4, binarisation="fixed"), layers(4), True),
    ],
)
def test_a_kind_of_run_is_what_decides_which_lines_run(monkeypatch, tmp_path, one, other, same):
    """All records are fresh at the old commit and stale now."""
    monkeypatch.setattr(restamping, "changed_modules", lambda script, code, root: root == ROOT)
    kinds, unknown = restamping.stale_kinds([one, other], tmp_path, ROOT)
    assert not unknown and [len(records) for records in kinds.values()] == ([2] if same else [1, 1])


def test_a_smoke_run_takes_zeros_from_the_record(monkeypatch, tmp_path):
    """Where smoke's own number and the record's differ in being zero, and nowhere else."""
    smokes, asked = {"epochs": 1, "warm_up": 10, "drawn": [], "states": 2}, []

    def smoke_run(record, numbers, tree, work):
        asked.append(numbers)
        return layers(0, **smokes | numbers)

    monkeypatch.setattr(restamping, "smoke_run", smoke_run)
    found = restamping.outcome(layers(0, epochs=100, warm_up=0, drawn=[6, 12], since=0), ROOT, tmp_path)
    assert asked == [{}, {"warm_up": 0, "drawn": [6, 12]}]
    assert found.settings["options"] == {"epochs": 1, "warm_up": 0, "drawn": [6, 12], "states": 2}
    assert restamping.outcome(layers(0, epochs=100), ROOT, tmp_path).settings["options"] == smokes and len(asked) == 3


def test_restamp_unknown_revision(repository):
    assert "error: no commit 'elsewhere'" in restamp(repository, "elsewhere", code=2)
