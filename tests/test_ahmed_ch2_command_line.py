"""Chapter 2's scripts at the real command line: a tiny run of each, and mistakes that end in one line.

Real processes; they train a few steps on embedded digits.
"""

import numpy as np
import pytest
from PIL import Image
from scripts import called

from common.reporting.records import load_all, load_scores, select

TINY = ["iterations=2", "every=1", "batch=5", "samples=3", "bound_draws=1", "estimate_draws=4", "estimate_images=3"]
RUNS = {
    "likelihoods": ["--model=gated_pixelvae", "--jit=eager", *TINY, "layers=1", "precision=bfloat16", "average=0.5"],
    "layers": ["--model=pixelvae", "--layers=0", "--jit=eager", *TINY[:5], "probed=50"],
    "latents": ["--model=vae", "--latent=2", "--jit=eager", *TINY[:3], "altered=20"],
    "labels": ["--jit=eager", *TINY[:3], "per_class=1", "layers=1"],
    "formulas": ["--jit=eager", "steps=2", "side=8", "drawn=1", "deep=1"],
}


def flags_of(changes):
    return [change if change.startswith("--") else f"--set={change}" for change in changes]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(results folder, {script: finished process})."""
    folder = tmp_path_factory.mktemp("ahmed_ch2")
    fixed = ["--scale=smoke", f"--work_dir={folder}/work", f"--results_dir={folder}/results"]
    lines = [(f"ahmed_ch2.{script}", [*fixed, *flags_of(changes)]) for script, changes in RUNS.items()]
    return folder / "results", dict(zip(RUNS, called(lines, folder), strict=True))


def record(made, **match):
    (found,) = select(load_all(made[0], "ahmed_ch2"), **match)
    return found, load_scores(made[0] / found.files["scores"]) if found.files else {}


def test_every_script_makes_its_records(made):
    for name, done in made[1].items():
        assert done.returncode == 0, (name, done.stderr[-1500:])
    records = load_all(made[0], "ahmed_ch2")
    assert sorted(r.experiment for r in records) == ["formulas", "labels", "latents", "layers", "likelihoods"]
    assert all(r.stand_in for r in records)
    assert all(np.isfinite(list(r.metrics.values())).all() for r in records)


def test_a_row_of_table_2_1_recomputes_from_its_arrays(made):
    found, arrays = record(made, experiment="likelihoods")
    assert found.binarisation == "one own draw of training and test images" and found.steps == 2
    assert found.evaluator == "bound, 1 draws; L_4 on 3 images"
    assert arrays["bound"].mean() == pytest.approx(found.metrics["nll_bound_nats"], rel=1e-6)
    assert arrays["kl"].mean() == pytest.approx(found.metrics["kl_nats"], rel=1e-5)
    gap = (arrays["bound"][arrays["estimated"]] + arrays["estimate"]).mean()
    assert gap == pytest.approx(found.metrics["gap_nats"], abs=1e-3)
    assert found.metrics["nll_estimate_nats"] == pytest.approx(arrays["bound"].mean() - gap, rel=1e-6)
    assert set(np.unique(arrays["samples"])) <= {0, 255} and arrays["samples"].shape == (3, 28, 28, 1)
    assert "the best of" in found.notes["state"]


def test_the_other_scripts_measure_what_their_figures_show(made):
    plain, _ = record(made, experiment="layers")
    assert plain.evaluator == "bound, 1 draws" and 0 <= plain.metrics["probe_accuracy"] <= 100
    assert record(made, experiment="labels")[1]["samples"].shape == (10, 28, 28, 1)
    latents, arrays = record(made, experiment="latents")
    assert arrays["codes"].shape == (297, 2) and np.bincount(arrays["label"]).sum() == 297
    assert 0 <= latents.metrics["neighbour_error_1"] <= 100
    formulas, _ = record(made, experiment="formulas")
    assert formulas.metrics["c29_violations"] == formulas.metrics["c42_diagonal_error"] == 0
    assert formulas.metrics["macs_appendix"] == pytest.approx(62.88e9, rel=1e-4)
    assert formulas.metrics["parameters_upsampling"] == 668_738


MISTAKES = {
    "no draws": (["estimate_draws=0"], "--set estimate_draws=0: a finite number of at least 1 expected"),
    "grey values": (["binarisation=fixed"], "grey values in 'digits' where binary ones are required"),
    "binarisation": (["binarisation=none"], "unknown binarisation 'none'; choose one of fixed, own_draw, dynamic"),
    "variant": (["--variant=fixed"], "unknown variant 'fixed'; choose one of as_described, as_code"),
    "even filter": (["filter_size=4"], "filter_size=4: an odd number of at least 3 expected"),
    "filter of one": (["filter_size=1"], "filter_size=1: an odd number of at least 3 expected"),
    "encoder": (["encoder_convs=7"], "encoder_convs=7: choose 8 (released code) or 9 (text)"),
    "model": (["--model=pixelcnn"], "unknown model 'pixelcnn'; choose one of conv_vae, pixelvae, gated_pixelcnn"),
}


OTHERS = {  # of other scripts
    (
        "ahmed_ch2.layers",
        "--variant=tuned_16000",
        "--layers=0,1",
    ): "--variant=tuned_16000 is of pixelvae for --layers=0",
    ("ahmed_ch2.layers", "--dataset=folder:{colour}"): "has images of 28x28x3; this experiment takes grey 28x28 ones",
    ("ahmed_ch2.formulas", "--dataset=folder:{colour}"): "has images of 28x28x3; this experiment takes grey 28x28",
    ("ahmed_ch2.labels", "--dataset=faces64"): "has images of 64x64x3; this experiment takes grey 28x28 ones",
    ("ahmed_ch2.likelihoods", "--dataset=folder:{few}"): "has 3 training and 1 test images; this experiment needs at",
    ("ahmed_ch2.likelihoods", "--set=average=1"): "average=1: a number below 1 expected",
    ("ahmed_ch2.layers", "--set=filter_size=1"): "filter_size=1: an odd number",
    ("ahmed_ch2.latents", "--set=filter_size=1"): "filter_size=1: an odd number",
    ("ahmed_ch2.labels", "--set=filter_size=1"): "filter_size=1: an odd number",
    ("ahmed_ch4.ood", "--set=filter_size=1"): "filter_size=1: an odd number",
}


@pytest.fixture(scope="module")
def mistaken(made, tmp_path_factory):
    """{mistake: finished process} of every row of MISTAKES."""
    folder = tmp_path_factory.mktemp("mistakes")
    for n in range(2):
        (folder / "colour").mkdir(exist_ok=True)
        Image.new("RGB", (28, 28), (9, 90, 200)).save(folder / f"colour/{n}.png")
    (folder / "few").mkdir()
    for n in range(4):
        Image.new("L", (28, 28), 60 * n).save(folder / f"few/{n}.png")
    fixed = ["--scale=smoke", "--model=gated_pixelvae", f"--work_dir={made[0].parent}/work", f"--results_dir={folder}"]
    lines = [[*fixed, *flags_of(flags)] for flags, _ in MISTAKES.values()]
    lines = [("ahmed_ch2.likelihoods", flags) for flags in lines]
    models = {"ahmed_ch2.labels": "conditional", "ahmed_ch4.ood": "pixelcnn", "ahmed_ch2.formulas": "formulas"}
    lines += [(script, ["--scale=smoke", f"--model={models.get(script, 'pixelvae')}", *fixed[2:],
                        *(flag.format(colour=folder / "colour", few=folder / "few") for flag in flags)])
              for script, *flags in OTHERS]  # fmt: skip
    found = dict(zip([*MISTAKES, *OTHERS], called(lines, folder), strict=True))
    assert not list(folder.rglob("smoke-*.json"))
    return found


@pytest.mark.parametrize("mistake", [*MISTAKES, *OTHERS])
def test_a_mistake_is_told_in_one_line(mistaken, mistake):
    done = mistaken[mistake]
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2 and len(lines) == 1 and "Traceback" not in done.stderr, done.stderr
    assert (OTHERS[mistake] if mistake in OTHERS else MISTAKES[mistake][1]) in lines[0]
