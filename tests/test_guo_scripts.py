"""The scripts of Guo (2023) at the real command line: one tiny run of each, users' mistakes, and what a kill leaves."""

import json
from types import SimpleNamespace

import guo_toy
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scripts import NOISE, called

from common import data
from common.errors import UserError
from common.reporting.records import save_scores
from common.training.fit import fit
from reproductions.guo import chosen, claims_settings, evaluation, models_vae, watch

# --- Curves and weights on the way ------------------------------------------------------------------------------------


class Stop(keras.callbacks.Callback):
    """Ends a training like a kill, in the middle of an epoch."""

    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def on_train_batch_end(self, batch, logs=None):
        self.calls -= 1
        if self.calls == 0:
            raise KeyboardInterrupt


def measure(game):
    mean, _ = game.posterior(game.images[:4].numpy() / np.float32(255))
    return {"test_loss": float(np.abs(mean).sum())}


def watched(work, stops=()):
    """A training of four epochs of three calls, stopped after `stops` calls: its game and its three callbacks."""
    images = np.random.default_rng(0).integers(0, 256, (24, 4, 4, 1)).astype(np.uint8)
    for stop in [*stops, None]:
        keras.utils.set_random_seed(1)
        game = models_vae.VAE(images, hidden=8)
        course, at = watch.Course(work, (0, 1, 2)), watch.AtEpochs(work, game.generator, [2, 4])
        callbacks = [course, at, watch.OnTest(work, measure)]
        try:
            fit(game, steps=24, batch=4, seed=1, work=work, program_steps=2, jit="off", progress=False,
                callbacks=[*callbacks, *([Stop(stop)] if stop else [])])  # fmt: skip
        except KeyboardInterrupt:
            assert stop
    return game, callbacks


def test_curves_and_weights_on_the_way_survive_kills(tmp_path):
    """Stopped twice in the middle of an epoch: every file and the best epoch are those of the unbroken training."""
    whole, (course, at, test) = watched(tmp_path / "whole")
    broken, (course_2, at_2, test_2) = watched(tmp_path / "broken", stops=(4, 5))
    assert [row["step"] for row in watch.read_rows(course.path)] == list(range(2, 25, 2))
    for a, b in ((course.path, course_2.path), (test.path, test_2.path)):
        assert watch.read_rows(a) == watch.read_rows(b)
    for epoch in (2, 4):
        for loaded in (whole, broken):
            loaded.generator.load_weights((at if loaded is whole else at_2).path(epoch))
        for x, y in zip(whole.generator.get_weights(), broken.generator.get_weights(), strict=True):
            np.testing.assert_array_equal(x, y)
    assert at.kept(range(1, 5)) == [2, 4] == at.all_or_none([2, 4])
    with pytest.raises(UserError, match=r"lacks some of epochs \[1, 2, 4\]"):  # else the second would be called first
        at.all_or_none([1, 2, 4])
    best = int(np.argmin(test.columns()["test_loss"]))
    for game, callback in ((whole, test), (broken, test_2)):
        game.load_weights(callback.best_path)
        assert measure(game)["test_loss"] == pytest.approx(test.columns()["test_loss"][best], rel=1e-6)


def test_a_row_cut_short_is_left_out(tmp_path):
    path = tmp_path / "steps.csv"
    path.write_text("step,loss\n2,1.5\n4,2.5\n6,")
    assert watch.read_rows(path) == [{"step": 2.0, "loss": 1.5}, {"step": 4.0, "loss": 2.5}]
    watch.keep_rows(path, lambda row: row["step"] <= 2)
    watch.append_rows(path, [{"step": 4, "loss": 3.5}])
    assert watch.read_rows(path)[-1] == {"step": 4.0, "loss": 3.5}


def test_losses_are_kept_at_the_authors_moments(tmp_path):
    """Three epochs of six steps: 0 and 4 of each, the last one for a moment beyond; losses before the step."""
    images = np.random.default_rng(0).integers(0, 256, (24, 4, 4, 1)).astype(np.uint8)
    every, some = watch.Course(tmp_path / "every", range(6)), watch.Course(tmp_path / "some", (0, 4, 400))
    for course in (every, some):
        keras.utils.set_random_seed(1)
        game = models_vae.VAE(images, hidden=8)
        fit(game, steps=18, batch=4, seed=1, work=course.path.parent, program_steps=1, jit="off", progress=False,
            callbacks=[course])  # fmt: skip
    found, whole = some.curves({"vae": "loss"}), every.curves({"vae": "loss"})
    np.testing.assert_array_equal(found["step_at"], [1, 5, 6, 7, 11, 12, 13, 17, 18])
    np.testing.assert_array_equal(found["step_loss"], whole["step_loss"][found["step_at"] - 1])
    keras.utils.set_random_seed(1)
    untrained = models_vae.VAE(images, hidden=8)
    per_batch = [float(np.mean(untrained.terms(tf.constant(images[i : i + 4] / np.float32(255)), tf.zeros((4, 2)))[0]))
                 for i in range(0, 24, 4)]  # fmt: skip
    assert min(per_batch) - 1 < found["step_loss"][0] < max(per_batch) + 1  # 16 pixels, near ln 2 each


def test_curve_by_epoch_is_the_mean_of_its_moments(tmp_path):
    """Both the losses at moments and a number taken once an epoch."""
    save_scores(tmp_path / "s.npz", step_loss=np.arange(6.0), step_at=np.arange(6), curve_test_loss=np.ones(3))
    record = SimpleNamespace(files={"scores": "s.npz"}, settings={"options": {"epochs": 3}})
    np.testing.assert_allclose(chosen.curve(record, tmp_path, "loss"), [0.5, 2.5, 4.5])
    np.testing.assert_allclose(chosen.curve(record, tmp_path, "test_loss"), [1, 1, 1])
    assert not len(chosen.curve(record, tmp_path, "none"))


def test_epochs_of_the_figures():
    assert watch.quarters(200) == [50, 100, 150, 200]
    assert watch.quarters(2) == [1, 1, 2, 2]
    assert watch.along(200)[:3] == [1, 2, 3] and watch.along(200)[-1] == 200 and len(watch.along(200)) <= 20
    with pytest.raises(UserError, match="epoch 201 to draw is never reached: the training has epochs 1 to 200"):
        watch.quarters(200, (50, 201))


def test_course_of_known_losses():
    """A line of slope 2 from 1; a loss that halves every epoch, whose logarithm steps by log 2."""
    found = evaluation.course(
        {"up": 1 + 2.0 * np.arange(50), "down": 0.5 ** np.arange(50)}, {"up": "g_loss", "down": "d_loss"}
    )
    assert found["g_loss_slope"] == pytest.approx(2) and found["g_loss_spearman"] == pytest.approx(1)
    assert found["g_loss_first"] == 10 and found["g_loss_last_fifth"] == found["g_loss_last"] == 90
    assert found["d_loss_spearman"] == pytest.approx(-1)
    assert found["d_loss_log_step"] == pytest.approx(39 / 49 * np.log(2), rel=0.03)  # below 1e-12 it counts as that


# --- The command line -------------------------------------------------------------------------------------------------

TINY = ["--set=samples=100", "--set=curve_samples=60", "--dataset=folder:{digits}"]
EAGER = ["--jit=eager", "--set=epochs=1", "--set=batch=90"]  # three steps: tracing would take longer than they do
RUNS = {
    "gan-as_code": ("gan", ["--model=gan", "--variant=as_code", "--set=epochs=2", "--set=drawn=(1,2)"]),
    "dcgan-as_described": ("gan", ["--model=dcgan", *EAGER]),
    "vae-as_code": ("vae", ["--set=epochs=3"]),
    "cvae_gan-as_code": ("cvae_gan", ["--variant=as_code", *EAGER]),
    "cvae_gan-as_described": ("cvae_gan", ["--set=precision=bfloat16", *EAGER]),
    "dcgan-faces": ("faces", ["--jit=eager", "--set=epochs=1", "--set=samples=20"]),
}


def prepared(lines, folder):
    """Command lines of [(script, flags)] at smoke scale, with everything below `folder`."""
    fixed = ["--scale=smoke", f"--work_dir={folder}/work", f"--results_dir={folder}/results"]
    return [(f"guo.{script}", [*fixed, *flags]) for script, flags in lines]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """{run: (record, arrays)} of one tiny run of every script."""
    folder = tmp_path_factory.mktemp("runs")
    images = data.load("digits")
    for c in range(10):
        (folder / f"digits/{c}").mkdir(parents=True)
        for n, pixels in enumerate(images.train[images.train_labels == c][:30]):
            Image.fromarray(pixels[..., 0]).save(folder / f"digits/{c}/{n:02d}.png")
    tiny = [flag.format(digits=folder / "digits") for flag in TINY]
    lines = [(script, [*flags, *(tiny if script != "faces" else [])]) for script, flags in RUNS.values()]
    found = {}
    for (name, (script, _)), done in zip(RUNS.items(), called(prepared(lines, folder), folder), strict=True):
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        (path,) = (folder / f"results/records/guo/{script}").glob(
            f"smoke-{name.replace('faces', 'as_described')}*.json"
        )
        record = json.loads(path.read_text())
        with np.load(folder / "results" / record["files"]["scores"]) as arrays:
            found[name] = record, dict(arrays)
    return found


def metrics(records, name):
    return records[name][0]["metrics"]


def test_every_run_keeps_its_pictures_and_curves(records):
    for name, (record, arrays) in records.items():
        epochs = record["settings"]["options"]["epochs"]
        assert record["steps"] > 0 and len(arrays["grid_epochs"]) == (2 if name == "gan-as_code" else 4)
        last = arrays[f"grid_q{len(arrays['grid_epochs'])}"]
        assert last.dtype == np.uint8 and last.std() > 0
        curves = [values for key, values in arrays.items() if key.startswith("curve_")]
        assert len(curves) >= 3 and all(len(values) == epochs and np.isfinite(values).all() for values in curves)
        steps = arrays["step_at"]
        assert steps[-1] == record["steps"] and np.all(np.diff(steps.astype(int)) > 0)


def test_toy_records_hold_nothing_that_scripts_do_not_write(records):
    """Claims, tables and figures are tested on the toy's records: their names must be those of real ones."""
    for name, (record, arrays) in records.items():
        experiment, model = record["experiment"], record["settings"]["model"]
        lacking = set(guo_toy.METRICS[experiment]) - set(record["metrics"])
        toy = guo_toy.arrays(experiment, model, 4, np.random.default_rng(1))
        lacking |= {key for key in toy if key not in arrays and not key.endswith("loss_E")}
        undrawn = tuple(f"_q{number}" for number in range(len(arrays["grid_epochs"]) + 1, 5))  # the GAN's run draws two
        assert not {key for key in lacking if not key.endswith(undrawn)}, name
        net = "/".join((experiment, model, "as_described" if experiment == "faces" else "as_code"))
        (run,) = (run for run, each in claims_settings.NETS.items() if each == net)
        assert (
            set(claims_settings.OPTIONS[run].values()) <= guo_toy.OPTIONS.keys() & record["settings"]["options"].keys()
        )
        if "frechet_curve" in arrays:
            way = {
                f"frechet_after_{e}": d for e, d in zip(arrays["frechet_epochs"], arrays["frechet_curve"], strict=True)
            }
            assert {key: record["metrics"][key] for key in way} == pytest.approx(way)
    assert {"curve_loss_E", "step_loss_E"} <= set(records["cvae_gan-as_described"][1])  # the code has one for E and G


def test_samples_of_digits_are_measured_beside_real_ones(records):
    real = {name: metrics(records, "gan-as_code")[f"{name}_test"] for name in ("edge_variance", "grey_fraction")}
    for name in RUNS:
        found = metrics(records, name)
        if name == "dcgan-faces":
            continue
        assert {n: found[f"{n}_test"] for n in real} == pytest.approx(real)
        seen = records[name][1]["sample_labels"]  # as many samples as there are test images
        shares = np.bincount(seen, minlength=10) / len(seen)
        assert [found[f"share_{c}"] for c in range(10)] == pytest.approx(list(shares))
        assert found["judge_accuracy"] > 0.5
        assert found["nearest_test"] > 0 and 0 <= found["precision"] <= 1
        best = records[name][1]["frechet_curve"].min()
        at = list(records[name][1]["frechet_epochs"]).index(found["epochs_to_best"])
        assert records[name][1]["frechet_curve"][at] <= 1.1 * best


def test_gan_without_batch_norm_draws_alike_in_training_and_inference(records):
    assert metrics(records, "gan-as_code")["frechet"] == pytest.approx(
        metrics(records, "gan-as_code")["frechet_inference"]
    )
    described = metrics(records, "dcgan-as_described")
    assert abs(described["frechet"] - described["frechet_inference"]) > 1e-3


def test_vae_learns_and_keeps_its_best_epoch(records):
    record, arrays = records["vae-as_code"]
    found, test = record["metrics"], arrays["curve_test_loss"]
    assert np.all(np.diff(test) < 0)
    assert found["first_batch_loss_nats"] > found["first_test_loss_nats"] > found["test_loss_nats"]
    assert found["best_epoch"] == np.argmin(test) + 1
    np.testing.assert_allclose(test, arrays["curve_test_reconstruction"] + arrays["curve_test_kl"], rtol=1e-5)
    assert arrays["manifold"].shape == (400, 28, 28) and arrays["scatter_z"].shape[1] == 2


def test_cvae_gan_numbers_belong_together(records):
    for name in ("cvae_gan-as_code", "cvae_gan-as_described"):
        found, arrays = records[name][0]["metrics"], records[name][1]
        each = [found[f"requested_accuracy_{c}"] for c in range(10)]
        assert np.mean(each) == pytest.approx(found["requested_accuracy"], abs=1e-6)
        assert arrays["walk"].shape == (10, 10, 28, 28) and arrays["labels_swapped"].shape == (10, 10, 28, 28)
        assert arrays["classes"].shape == (10, 8, 28, 28)
        seen = arrays["sample_labels"]
        assert found["requested_accuracy"] == pytest.approx(np.mean(seen == np.arange(len(seen)) % 10))
    # One joint loss and log standard deviations in the code, four losses in the algorithm.
    assert "curve_loss_E" in records["cvae_gan-as_described"][1]
    assert "curve_loss_E" not in records["cvae_gan-as_code"][1]
    assert metrics(records, "cvae_gan-as_code")["first_loss_G"] > 1e3


def test_faces_are_measured_against_held_out_faces(records):
    found, arrays = records["dcgan-faces"][0]["metrics"], records["dcgan-faces"][1]
    assert found["parameters_discriminator"] == 2_765_568 and found["parameters_generator"] == 3_576_704
    assert found["frechet"] > found["frechet_halves"] > 0
    assert arrays["real"].shape[1:] == (64, 64, 3)
    measured = arrays["grid_q4"][: len(arrays["real"])]  # as many as there are held-out faces; rounded to whole pixels
    shown = evaluation.appearance(evaluation.floats(measured))
    assert found["edge_variance"] == pytest.approx(shown["edge_variance"], rel=0.02)
    assert found["edge_ratio"] == pytest.approx(shown["edge_variance"] / found["edge_variance_test"], rel=0.02)


MISTAKES = {
    "no image": ("gan", ["--dataset=folder:{f}/text"], "is not a JPEG or PNG image"),
    "sizes": ("faces", ["--dataset=folder:{f}/sizes"], "several sizes (28x28, 30x30); give one side to resize to"),
    "one image": ("faces", ["--dataset=folder:{f}/one@64"], "only one image in"),
    "side of faces": ("faces", ["--dataset=digits"], "has images of 28x28; the nets take 64x64: folder:PATH@64"),
    "colour": ("gan", ["--dataset=faces64"], "takes grey 28x28 ones"),
    "no labels": ("cvae_gan", ["--dataset=folder:{f}/plain"], "has no labels, which this experiment needs"),
    "few digits": ("vae", ["--dataset=folder:{f}/few"], "needs at least 32 and 4: add images (the last tenth"),
    "few faces": ("faces", ["--dataset=folder:{f}/few@64"], "needs at least 8 and 4: add images (the last tenth"),
    "few samples": ("gan", ["--model=gan", "--set=samples=1"], "samples=1: at least 4 expected, for a spread"),
    "few on the way": ("gan", ["--set=curve_samples=3"], "curve_samples=3: at least 4 expected, for a spread"),
    "alike": ("cvae_gan", ["--dataset=folder:{f}/alike"], "need two classes, and two images of one class that differ"),
    "batch of gan": ("gan", ["--model=gan", "--set=batch=100000"], "batch size 100000 does not fit a training set of"),
    "batch of vae": ("vae", ["--set=batch=100000"], "batch size 100000 does not fit a training set of"),
    "batch of cvae_gan": ("cvae_gan", ["--set=batch=100000"], "batch size 100000 does not fit a training set of"),
    "batch of faces": ("faces", ["--set=batch=100000"], "batch size 100000 does not fit a training set of"),
    "epoch of cvae_gan": ("cvae_gan", ["--set=drawn=(9,)"], "epoch 9 to draw is never reached: the training has"),
    "epoch of faces": ("faces", ["--set=drawn=(9,)"], "epoch 9 to draw is never reached: the training has epochs 1"),
    "epoch of gan": ("gan", ["--model=gan", "--set=drawn=(4,9)"], "epoch 9 to draw is never reached: the training has"),
    "epoch of vae": ("vae", ["--set=drawn=(0,)"], "epoch 0 to draw is never reached: the training has epochs 1 to 4"),
    "another's variant": ("gan", ["--model=gan", "--variant=one_step"], "unknown variant of gan 'one_step'"),
    "variant": ("vae", ["--variant=as_described"], "unknown variant 'as_described'; choose one of as_code, as_text"),
}


def picture(path, side):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(side).integers(0, 256, (side, side)).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory):
    """{mistake: finished process} of every row of MISTAKES."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name in ("text", "sizes", "one"):
        picture(folder / name / "a.png", 28)
    (folder / "text/notes.txt").write_text("not a picture")
    picture(folder / "sizes/b.png", 30)
    for n in range(40):
        picture(folder / f"plain/{n}.png", 28)
        picture(folder / f"few/{n % 2}/{n % 10}.png", 28)
        picture(folder / f"alike/{n % 4}/{n}.png", 28)
    lines = [(script, [flag.format(f=folder) for flag in flags]) for script, flags, _ in MISTAKES.values()]
    found = dict(zip(MISTAKES, called(prepared(lines, folder), folder), strict=True))
    assert not list(folder.rglob("smoke-*.json"))
    return found


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistaken, mistake):
    done = mistaken[mistake]
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if not NOISE.match(line)]
    assert len(lines) == 1 and lines[0].startswith("error: "), done.stderr
    assert MISTAKES[mistake][2] in lines[0]
