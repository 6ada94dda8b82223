"""The one command and the grid: what runs, what does not run again, and why. Snakemake and the scripts really run."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from checkout import ROOT, copy, edit

from common.errors import UserError
from reproductions import grid

ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "REPRO_DATA"}
TWO = [f"smoke-trivial-held_out{c}-as_described-digits-s1" for c in (0, 1)]


def snakemake(repository, *arguments):
    """Runs the workflow of a repository as run_all.sh does."""
    fixed = ["--snakefile", "reproductions/Snakefile", "--cores", "2", "--nolock", "--rerun-triggers", "mtime"]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *fixed, "--rerun-incomplete", *arguments],
        cwd=repository,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def jobs(repository, *arguments):
    """Names of the records that a dry run would make."""
    done = snakemake(repository, "--dry-run", *arguments)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"output: \S*/(\S+)\.json", done.stdout + done.stderr)
    commands = re.findall(r"^Job \d+: (python reproductions/\S+\.py .*)$", done.stdout + done.stderr, re.MULTILINE)
    return found or commands


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return copy(tmp_path_factory.mktemp("my repository"))  # a space, as in many people's folders


@pytest.fixture(scope="module")
def two_records(repository):
    """The repository after a real run of two jobs, and the paths of their records."""
    paths = [f"runs/smoke/results/records/ahmed_ch4/ood/{name}.json" for name in TWO]
    done = snakemake(repository, *paths)
    assert done.returncode == 0, done.stderr
    return repository, [repository / path for path in paths]


def test_an_interrupted_run_stops_at_once_and_says_so(tmp_path):
    """Ctrl-C reaches the whole group: no tables are written from what is there, and the exit code is an interrupt's."""
    versions = b"".join((ROOT / name).read_bytes() for name in ("setup.cfg", "constraints.txt"))
    wanted = subprocess.run(["cksum"], input=versions, capture_output=True, check=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "installed").write_bytes(wanted.stdout)
    stub = tmp_path / "bin/python"  # in place of a long run
    stub.write_text('#!/bin/sh\ncase "$*" in *snakemake*) echo running; exec sleep 60;; *) echo "$@";; esac\n')
    stub.chmod(0o755)
    process = subprocess.Popen(
        ["bash", str(ROOT / "run_all.sh"), "--only=doersch"], env=ENVIRONMENT | {"REPRO_VENV": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in what a shell has put behind
    )  # fmt: skip
    assert process.stdout.readline() == "running\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "stopped; the same command goes on where it stopped\n")


@pytest.mark.parametrize("scale", grid.SCALES)
def test_every_run_has_a_record_of_its_own_and_one_seed_comes_first(scale):
    runs = grid.chosen(scale)
    assert len({run.record for run in runs}) == len(runs)
    seeds = [run.seed for run in runs]
    assert seeds == sorted(seeds)
    assert all((ROOT / run.script).is_file() for run in runs)


def test_every_experiment_is_in_the_grid():
    scripts = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "reproductions").glob("*/*.py")
        if "experiment.Experiment(" in path.read_text()
    }
    for scale in grid.SCALES:
        assert {run.script for run in grid.chosen(scale)} == scripts


def test_only_chooses_a_text_or_an_experiment_and_names_what_there_is():
    assert {run.text for run in grid.chosen("cpu", "doersch")} == {"doersch"}
    assert {run.experiment for run in grid.chosen("cpu", "ahmed_ch4/ood")} == {"ood"}
    with pytest.raises(UserError, match=r"no run of 'doersh' .* doersch, doersch/appendix"):
        grid.chosen("cpu", "doersh")


ASK_THE_SCRIPTS = """
import importlib, json, os, pathlib
from absl import flags
from reproductions import grid
from common import experiment
by_module, failed = {}, []
for scale in grid.SCALES:
    for run in grid.chosen(scale):
        by_module.setdefault(run.script[:-3].replace("/", "."), []).append(run)
for name, runs in by_module.items():  # a child each: scripts define flags of the same names
    child = os.fork()
    if child:
        failed += [name] if os.waitpid(child, 0)[1] else []
        continue
    module = importlib.import_module(name)
    for run in runs:
        flags.FLAGS(["script", *run.command.split()[2:]])
        key = {k: int(v) for k, v in run.key.items()}
        settings = experiment.settings(module.EXPERIMENT, run.model, run.seed, **key)
        assert run.record == f"records/{settings.text}/{settings.experiment}/{settings.name}.json", run
        committed = pathlib.Path(experiment.ROOT, "results", run.record)
        if run.scale != "smoke" and committed.exists():
            made_with = json.loads(committed.read_text())["settings"]["options"]
            assert made_with == json.loads(json.dumps(settings.options)), run
        flags.FLAGS.unparse_flags()
    os._exit(0)
assert not failed, failed
print(sum(map(len, by_module.values())))
"""


def test_the_scripts_accept_every_run_and_committed_records_have_their_settings():
    """Each record is where the workflow looks for it, and was made with the options that its script has today."""
    done = subprocess.run(
        [sys.executable, "-c", ASK_THE_SCRIPTS],
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == sum(len(grid.chosen(scale)) for scale in grid.SCALES)


def test_a_dry_run_shows_every_run_of_the_grid_and_makes_nothing(repository):
    shown = jobs(repository, "--config", "scale=cpu", "only=ahmed_ch4")
    assert sorted(shown) == sorted(run.command for run in grid.chosen("cpu", "ahmed_ch4"))
    assert not (repository / "results").exists()


def test_two_jobs_make_two_records(two_records):
    for path in two_records[1]:
        record = json.loads(path.read_text())
        assert record["name"] == path.stem
        assert 0 < record["metrics"]["aupr"] <= 100


def test_finished_runs_are_not_repeated_even_without_snakemakes_memory_or_honest_times(two_records):
    repository, paths = two_records
    targets = [str(path.relative_to(repository)) for path in paths]
    assert jobs(repository, *targets) == []
    shutil.rmtree(repository / ".snakemake")  # as in a fresh clone
    os.utime(paths[0], (1, 1))
    assert jobs(repository, *targets) == []


def test_comments_and_reports_repeat_nothing_but_code_does(two_records, tmp_path):
    repository, paths = two_records
    targets = [str(path.relative_to(repository)) for path in paths]
    again = copy(tmp_path / "edited")
    shutil.copytree(repository / "runs", again / "runs")
    script, scores = again / "reproductions/ahmed_ch4/ood.py", again / "reproductions/ahmed_ch4/baselines.py"
    edit(script, "import numpy", "# a comment\nimport numpy")
    scores.write_text(scores.read_text() + "\n# another\n")
    edit(again / "common/errors.py", "class UserError", "NEW = 1\n\n\nclass UserError")
    assert jobs(again, *targets) == []
    edit(script, "def run_vae(settings, images, work):\n", "def run_vae(settings, images, work):\n    1 / 0\n")
    edit(script, "def main():\n", "def main():\n    print('begin')\n")
    assert jobs(again, *targets) == []
    edit(script, "    found = baselines.scores(", "    raise UserError('stop here')\n    found = baselines.scores(")
    assert len(jobs(again, *targets)) == 2
    # A job that fails leaves the old record in its place.
    before = [path.read_bytes() for path in paths]
    done = snakemake(again, targets[0])
    assert done.returncode != 0
    assert "\nerror: stop here\n" in done.stderr
    assert [(again / target).read_bytes() for target in targets] == before


def run_all(*arguments):
    return subprocess.run(
        ["bash", str(ROOT / "run_all.sh"), *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fast"], "unknown option '--fast'"),
        (["everything"], "unknown command 'everything'"),
        (["--scale=huge"], "unknown scale 'huge'"),
        (["--cores=none"], "whole number"),
        (["--data_dir=/no/such/folder"], "no data folder"),
        (["tables", "--only=doersch"], "belong to 'run'"),
        (["test", "check"], "one command at a time"),
    ],
)
def test_a_wrong_word_to_run_all_is_one_line_and_exit_code_2(arguments, words):
    done = run_all(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_names_every_command_and_option():
    text = run_all("help").stdout
    for word in ("run", "test", "check", "tables", "report", "help", "--scale=", "--only=", "--cores=", "--data_dir="):
        assert f"  {word}" in text


def test_the_readmes_example_runs_and_learns(tmp_path):
    readme = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    ast.parse(example)
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    bounds = [float(value) for value in done.stdout.split(":")[1].split()]
    assert bounds[-1] < 0.75 * bounds[0]
