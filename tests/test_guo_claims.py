"""Guo's room: formulas against independent computations, the author's logs, and the claims' rules on synthetic runs."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from guo_toy import CLAIMS, measured, of_length, told, write, write_all, write_published
from scipy import integrate, stats
from scripts import called

from common.errors import UserError
from common.reporting.claims import parse_rule
from common.reporting.records import code_fingerprint, load_all
from common.reporting.rooms import ROOT, best_measurement
from common.reporting.verdicts import verdict
from reproductions import grid
from reproductions.guo import (
    author,
    author_measures,
    chosen,
    claims,
    claims_rules,
    claims_runs,
    claims_settings,
    convolutions,
    elbo,
    evaluation,
    minimax,
    tables,
    values,
)

# Section 3.2: convolutions


def test_a_fractionally_strided_convolution_written_out_pixel_by_pixel():
    rng = np.random.default_rng(1)
    image, kernel = rng.normal(size=(3, 4)), rng.normal(size=(4, 4))
    by_hand = np.zeros((2 * 2 + 4, 2 * 3 + 4))
    for (i, j), value in np.ndenumerate(image):
        by_hand[2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += value * kernel
    np.testing.assert_allclose(convolutions.fractionally_strided(image, kernel, 2), by_hand, atol=1e-12)
    np.testing.assert_allclose(convolutions.fractionally_strided(image, kernel, 2, 1), by_hand[1:-1, 1:-1], atol=1e-12)


def test_wide_and_fractionally_strided_part_ways_above_stride_one():
    image, kernel = np.ones((4, 4)), np.ones((3, 3))
    np.testing.assert_array_equal(convolutions.fractionally_strided(image, kernel, 1), convolutions.wide(image, kernel))
    assert convolutions.fractionally_strided(image, kernel, 2).shape == (9, 9)
    assert convolutions.wide(image, kernel).shape == (6, 6)


def test_claim_6_would_notice_a_kernel_that_is_not_flipped():
    """Correlation instead of convolution differs for a kernel without symmetry, and so does another cut."""
    found = convolutions.claim_6(3)
    assert max(found["c06_keras_error"], found["c06_adjoint_error"], found["c06_wide_error"]) < 1e-12
    rng = np.random.default_rng(2)
    image, kernel = rng.normal(size=(4, 4)), rng.normal(size=(3, 3))
    right = convolutions.fractionally_strided(image, kernel, 2)
    assert np.abs(right - convolutions.keras_transposed(image, kernel[::-1, ::-1].copy(), 2)).max() > 0.1


def test_claim_38_counts_the_layers_of_the_built_networks():
    found = convolutions.claim_38()
    assert found["c38_doubled_faces"] == 1 and found["c38_halved_faces"] == 0.75  # 64 to 3 is no half
    assert found["c38_halved_hidden_faces"] == 1
    assert found["c38_doubled_mnist_code"] == 0  # 56, 56, 28


# Section 3.1: the game


def test_value_of_the_best_discriminator_against_an_independent_sum():
    x = np.linspace(-15, 17, 400_001)
    p, q = stats.norm.pdf(x), stats.norm.pdf(x - 2)
    d = p / (p + q)
    v = np.sum(p * np.log(d) + q * np.log1p(-d)) * (x[1] - x[0])
    assert minimax.value(lambda t: minimax.best_discriminator(t, 2.0), 2.0) == pytest.approx(v, abs=1e-9)
    assert minimax.value(lambda t: 0.5, 2.0) == pytest.approx(-np.log(4))  # a D that cannot tell: the least it can do
    assert v > -np.log(4)


def test_claims_40_and_41_hold_for_several_seeds_and_printed_limit_fails():
    for seed in (1, 2):
        game, steps, limit = minimax.claim_40(seed, 50_000), minimax.claim_41(seed), minimax.printed_limit(seed)
        assert game["c40_point_error"] < 1e-6 and game["c40_value_error"] < 1e-9 and game["c40_learned_error"] < 0.02
        assert steps["c41_d_gain"] > 0 > steps["c41_g_gain"] and steps["c41_f_gain"] < 0
        assert steps["c41_ratio_error"] < 1e-12 and steps["c41_same_way"] == 1
        assert limit["e01_printed_gradient"] == 0 and limit["e01_right_gradient"] > 0.1
        assert limit["e01_best_d"] == pytest.approx(0.5, abs=1e-6)


def test_ratio_of_the_two_generator_losses_from_finite_differences():
    """d log(1 - D) / d logit over d(-log D) / d logit = D / (1 - D)."""
    logit, h = -3.0, 1e-5
    saturating = lambda t: np.log1p(-1 / (1 + np.exp(-t)))  # noqa: E731
    other = lambda t: -np.log(1 / (1 + np.exp(-t)))  # noqa: E731
    slopes = [(f(logit + h) - f(logit - h)) / (2 * h) for f in (saturating, other)]
    d = 1 / (1 + np.exp(-logit))
    assert slopes[0] / slopes[1] == pytest.approx(d / (1 - d), rel=1e-6)


# Section 3.3 and the code of 3.4


def test_elbo_and_divergences_on_gaussians():
    for seed in (1, 2, 3):
        found = elbo.closed_forms(seed) | elbo.bound(seed)
        assert abs(found["c39_kl_relative_error"]) < 0.01
        assert abs(found["c39_general_error"]) < 1e-9 and abs(found["c39_code_error"]) < 1e-9
        assert found["c39_identity_error"] < 1e-9 and found["c39_largest_excess"] < 0
        assert abs(found["e02_variance_error"]) < 1e-9 < abs(found["e02_as_deviation"])


def test_general_kl_against_quadrature_in_one_dimension():
    mean_0, var_0, mean_1, var_1 = 0.4, 0.3, -0.2, 1.7
    q, p = stats.norm(mean_0, np.sqrt(var_0)), stats.norm(mean_1, np.sqrt(var_1))
    number = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -8, 8)[0]
    found = elbo.general_kl(np.array([mean_0]), np.array([[var_0]]), np.array([mean_1]), np.array([[var_1]]))
    assert found == pytest.approx(number, abs=1e-8)


def test_printed_slips_are_off_by_what_they_leave_out():
    found = elbo.printed_slips(weight=4.0, spread=0.25)
    assert found["e02_posterior_mass"] == pytest.approx(1 / 4)  # integral of N(x; w z, s^2) over z
    assert found["e02_posterior_mass_right"] == pytest.approx(1)
    assert found["e02_noise_mass"] == pytest.approx(0.25)
    assert found["e02_decade_nats"] == pytest.approx(np.log(10), abs=1e-5)
    assert found["e02_beyond_reach"] == pytest.approx(0.988 - 0.040, abs=1e-3)


def test_weight_of_the_kl_in_the_code_is_392_times_the_batch():
    assert elbo.weight_of_kl(1)["c27_beta"] == pytest.approx(392 * 128)


# The author's logs


def test_author_logs_have_every_line_and_give_the_printed_means():
    assert {run: len(author.lines(run)["epoch"]) for run in author.RUNS} == {
        "gan": 200, "dcgan": 100, "faces": 250, "vae": 1_000, "cvae_gan": 1_000
    }  # fmt: skip
    assert all(len(author.by_epoch(run, "d_loss")) == author.EPOCHS[run] for run in ("gan", "dcgan", "faces"))
    assert author.last("gan", "d_loss") == pytest.approx(0.948, abs=5e-4)
    assert author.last("gan", "D_Gz") == pytest.approx(0.309, abs=5e-4)
    assert author.last("dcgan", "g_loss") == pytest.approx(16.413, abs=5e-4)
    assert author.last("faces", "g_loss") == pytest.approx(3.534, abs=5e-4)
    assert author.by_epoch("cvae_gan", "loss_G")[[49, 199]] == pytest.approx([0.2129, 0.0903], abs=5e-5)
    test = author.test_lines()
    assert int(test["test_loss"].argmin()) == 112 and test["test_loss"].min() == 148.229
    np.testing.assert_allclose(test["test_reconstruction"] + test["test_kl"], test["test_loss"], atol=2.1e-3)
    assert all(len(author.grid_labels(epoch)) == 96 for epoch in (50, 100, 150, 200))


def test_author_grids_agree_with_the_labels_he_asked_for():
    """Shares of the digits in the grid at epoch 100, where all came right, are those of the labels."""
    grid = author.grid("cvae_gan", 100)
    shares = np.bincount(author.grid_labels(100), minlength=10) / 96
    np.testing.assert_allclose([grid[f"share_{digit}"] for digit in range(10)], shares, atol=1e-5)


def test_epochs_to_a_bound_that_is_never_reached():
    assert author_measures.epochs_to(0.1, np.array([1, 0.1, 0.09, 0.2])) == 3
    assert author_measures.epochs_to(0.1, np.array([1.0, 0.5])) == np.inf


def test_an_edited_number_of_the_author_is_refused_until_the_code_names_it(tmp_path, monkeypatch):
    """The hash is of code that published.py reaches, so that its change makes records stale."""
    logs = tmp_path / "author_logs"
    shutil.copytree(author.FOLDER, logs)
    assert author.digest(logs) == author.FILES
    (logs / "gan.csv").write_bytes((logs / "gan.csv").read_bytes().replace(b"\n", b"\r\n"))
    author.digest.cache_clear()
    assert author.digest(logs) == author.FILES  # line ends are no numbers
    (logs / "gan.csv").write_text((logs / "gan.csv").read_text().replace("5.0803", "5.0804"))
    author.digest.cache_clear()
    monkeypatch.setattr(author, "FOLDER", logs)
    with pytest.raises(UserError, match=f"author.FILES says; if that is meant, set it to '{author.digest(logs)}'"):
        author.lines.__wrapped__("gan")
    for package in ("common", "reproductions"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    scripts = {name: tmp_path / f"reproductions/guo/{name}.py" for name in ("published", "gan")}
    before = {name: code_fingerprint(path, "run", tmp_path) for name, path in scripts.items()}
    code = tmp_path / "reproductions/guo/author.py"
    code.write_text(code.read_text().replace(author.FILES, "f" * 16))
    after = {name: code_fingerprint(path, "run", tmp_path) for name, path in scripts.items()}
    assert before["published"] != after["published"] and before["gan"] == after["gan"]  # no training is made stale


def test_the_author_s_curves_are_measured_by_the_function_that_measures_ours():
    t = np.arange(50.0)
    curves = {"d_loss": t, "g_loss": 100 * 0.9**t}
    found = evaluation.course(curves, {name: name for name in curves})
    assert (found["d_loss_spearman"], found["g_loss_spearman"]) == pytest.approx((1, -1))
    assert found["d_loss_first"] == 4.5 and found["d_loss_last_fifth"] == found["d_loss_last"] == 44.5
    assert found["g_loss_log_step"] == pytest.approx(-np.log(0.9)) and found["g_loss_slope"] < 0
    metrics, curves = author_measures.measured("dcgan")
    same = evaluation.course({"g": curves["curve_g_loss"]}, {"g": "g_loss"})
    assert {name: metrics[name] for name in same} == same
    assert metrics["g_loss_last"] == pytest.approx(author.last("dcgan", "g_loss"))  # ten epochs


def test_the_command_writes_one_record_a_run_and_refuses_unknown_ones(tmp_path):
    fixed = ["--scale=smoke", f"--work_dir={tmp_path / 'work'}", f"--results_dir={tmp_path}"]
    lines = [("guo.published", [*fixed, f"--model={models}"]) for models in ("gan,cvae_gan", "rnn")]
    done, wrong = called(lines, tmp_path)
    assert done.returncode == 0, done.stderr
    found = {r.settings["model"]: r.metrics for r in load_all(tmp_path, "guo")}
    assert set(found) == {"gan", "cvae_gan"} and found["gan"]["classes"] == 9
    assert wrong.returncode == 2 and "unknown model 'rnn'" in wrong.stderr and "Traceback" not in wrong.stderr


# Claims


def test_every_claim_has_a_measure_or_a_reason_and_all_43_are_there():
    assert set(CLAIMS) == set(claims.MEASURES) | set(claims.NOT_RUN)
    numbers = {int(claim[1:3]) for claim in CLAIMS if claim[0] == "C"}
    assert numbers == set(range(1, 44))


def test_measures_read_only_what_scripts_write(tmp_path):
    """Every measure gives a measurement, or says why not, from records that hold what the scripts keep."""
    write_all(tmp_path, seeds=(1,))
    runs = load_all(tmp_path, "guo")
    formulas = {"H-dcgan-described-out"}  # no training
    for claim in claims_runs.MEASURES.keys() | claims_settings.MEASURES.keys() - formulas:
        found = measured(claim, runs, tmp_path)
        assert found is not None, claim
        assert found.values or found.reason, claim


def test_the_author_s_own_material_contradicts_some_sentences_and_bears_out_others(tmp_path):
    write_published(tmp_path)
    found = told(tmp_path)
    contradicted = ("C05c", "C07a", "C08a", "C08c", "C08d", "C10a", "C11", "C25", "C27c")
    assert {c for c in contradicted if found[f"{c}_author"].verdict == "fails"} == set(contradicted)
    held = ("C01", "C02a", "C02b", "C03a", "C03b", "C05a", "C08b", "C15b", "C16", "C22a", "C22b",
            "C28b", "C33a", "C34a")  # fmt: skip
    assert {c for c in held if found[f"{c}_author"].verdict == "holds"} == set(held)
    for claim, ends in (("C09", (1.75, 2.07)), ("C15a", (-0.637, 0.128))):  # 100 pictures; ten epochs with the first
        assert found[f"{claim}_author"].verdict == "not separated"
        assert found[f"{claim}_author"].measurement.interval == pytest.approx(ends, abs=5e-3)
    for claim in ("C23a", "C28a"):  # the edge variances of two stretched grids have no order
        assert found[f"{claim}_author"].verdict == "undecided" and "stretched" in found[f"{claim}_author"].reason
    assert found["C28a_author"].reason.startswith("measured 0.0545 (0.072 against 0.018)")
    assert "0.0084 against 0.0054" in found["C03a_author"].measurement.text  # of the whole test set
    assert found["C27c_author"].measurement.mean == pytest.approx(6.7e-4, abs=1e-5)
    assert found["C25_author"].measurement.mean == pytest.approx(0.0066, abs=1e-4)
    for claim, share, ends in (("C24a", 93 / 96, (0.911, 0.994)), ("C24b", 5 / 8, (0.245, 0.915))):  # few pictures
        row = found[f"{claim}_author"]
        assert row.verdict == "not separated" and "nearest neighbours" in row.claim.what
        assert row.measurement.mean == pytest.approx(share, abs=1e-4)
        assert row.measurement.interval == pytest.approx(ends, abs=1e-3)
    assert found["C24b_author"].measurement.text.startswith("(digit 2: 5 of 8; at epoch 50 2 of 11 twos")
    assert "93 of 96; of as many real digits the neighbours name 91" in found["C24a_author"].measurement.text
    g = {run: author.by_epoch(run, "g_loss") for run in ("dcgan", "gan")}  # both over the DCGAN's hundred epochs
    steps = {run: np.abs(np.diff(np.log(curve[:100]))).mean() for run, curve in g.items()}
    assert found["C08b_author"].measurement.mean == pytest.approx(steps["dcgan"] - steps["gan"])
    assert found["C08b_author"].measurement.text.startswith("(0.15 against 0.22, both over the first 100 epochs")
    assert found["C11_author"].measurement.mean == 1
    assert "fails: C07a_author, C08a_author, C08c_author, C08d_author; holds: C08b_author" in found["C11_author"].reason


def dcgans(tmp_path, classes, epochs=40):
    """Records of the code's DCGAN, one seed for each number of digits in `classes`."""
    found = []
    for seed, count in enumerate(classes, start=1):
        record = write(tmp_path, "gan", "dcgan", "as_code", seed, epochs=epochs)
        record.metrics["classes"] = count
        found.append(record)
    return found


def test_collapse_is_counted_over_seeds_and_never_judged_on_one(tmp_path):
    one = measured("C10b", dcgans(tmp_path, [2]))
    assert not one.values and "1 of 1 seeds" in one.reason and "at least 3" in one.reason
    three = measured("C10b", dcgans(tmp_path, [2, 4, 10]))
    assert three.values == pytest.approx((2 / 3,)) and three.text.startswith("(2 of 3 seeds: ")
    assert three.interval == pytest.approx((0.0943, 0.9916), abs=1e-4) and three.runs == 3
    assert claims_rules.share_within(3, 3) == pytest.approx((0.025 ** (1 / 3), 1))
    assert claims_rules.share_within(0, 3) == pytest.approx((0, 1 - 0.025 ** (1 / 3)))
    for classes in ([2, 2, 2], [2, 4, 10], [10, 10, 10]):  # three seeds cannot separate a share from .6
        assert verdict(CLAIMS["C10b"], measured("C10b", dcgans(tmp_path, classes)))[0] == "not separated"
    eight = measured("C10b", dcgans(tmp_path, 8 * [2]))
    assert verdict(CLAIMS["C10b"], eight)[0] == "holds" and eight.interval[0] == pytest.approx(0.025 ** (1 / 8))
    assert measured("C10b", dcgans(tmp_path, [2, 5, 10])).values == pytest.approx((1 / 3,))  # five are not fewer


def test_collapse_seen_early_counts_and_its_absence_decides_nothing(tmp_path):
    """C10b (fewer than five digits), C10a (nine or more) and C08d of DCGANs of 8 epochs."""
    early = dcgans(tmp_path, [2, 4, 10], epochs=8)
    assert measured("C10b", early).values == pytest.approx((2 / 3,))  # whatever becomes of the third
    assert measured("C10b", early).text.startswith("(at least 0.67: 2 of 3 seeds, 1 too short to tell: K 2, ")
    assert measured("C10b", early).text.count(" at epoch 8") == 3  # when each was last seen
    at_most = measured("C10a", early)
    assert at_most.values == pytest.approx((1 / 3,)) and at_most.text.startswith("(at most 0.33: 0 of 3 seeds, 1 too")
    assert at_most.interval == pytest.approx((0, claims_rules.share_within(1, 3)[1]))  # of none and of one together
    assert verdict(CLAIMS["C10a"], at_most)[0] == "not separated"
    for classes in ([2, 10, 10], [10, 10, 10], [2, 5, 8]):
        for claim in ("C10a", "C10b"):
            found = measured(claim, dcgans(tmp_path, classes, epochs=8))
            shown = "after dcgan 8 of 100 epochs; decided from 40 epochs of dcgan on"
            assert not found.values and shown in found.reason
    assert measured("C08d", early).values == at_most.values and measured("C08d", early).interval == at_most.interval
    unlearned = dcgans(tmp_path, [2, 2, 2], epochs=chosen.STARTED - 1)  # may not have learned yet
    assert not measured("C10b", unlearned).values and "3 too short to tell" in measured("C10b", unlearned).reason
    assert not measured("C08d", dcgans(tmp_path, [2, 2])).values  # no collapse is judged on two trainings


def test_seeds_trained_too_short_are_left_out_together(tmp_path):
    """One seed of three was trained on: it decides alone, whatever a shorter one shows, and the reason says so."""
    short = dcgans(tmp_path, [2, 7, 10], epochs=8)
    long = write(tmp_path, "gan", "dcgan", "as_code_40", 2, epochs=40)
    long.metrics["classes"] = 6
    gans = [write(tmp_path, "gan", "gan", "as_code", seed, epochs=200) for seed in (1, 2, 3)]
    long.metrics["frechet"] = gans[1].metrics["frechet"] + 4
    found = measured("C07b", [*short, long, *gans])
    assert found.values == pytest.approx((4,)) and "left out, too short: seed 1, 3" in found.reason
    long.metrics["classes"] = 3  # seed 3 may collapse yet, so it is open and the count is not decided by what it is not
    assert measured("C10b", [*short, long]).values == pytest.approx((2 / 3,))


def test_claims_that_count_seeds_have_one_rule():
    counted = [claim for claim in CLAIMS.values() if claim.what.startswith("share of seeds")]
    assert len(counted) == 7 and {claim.rule for claim in counted} == {f">= {claims_rules.SHARE}"}


def test_short_code_cvae_gans_count_only_against_a_claim(tmp_path):
    """Twelve epochs: with a KL below a nat a failure counts, a success does not; with more nothing does."""
    for variant, kl, ratio, decided in (("as_code", 0.01, 0.1, True), ("as_code", 0.01, 0.4, False),
                                        ("as_code", 5, 0.1, False), ("as_described", 0.01, 0.1, False)):  # fmt: skip
        record = write(tmp_path, "cvae_gan", "cvae_gan", variant, 1, epochs=12)
        record.metrics.update({"test_kl_nats": kl, "within_class_variance_ratio": ratio})
        found = measured("C25" if variant == "as_code" else "C25_described", [record], tmp_path)
        assert found.values == ((ratio,) if decided else ())
        assert decided or found.reason.startswith(f"measured {ratio} (of ")
        assert decided or ") after cvae_gan 12 of 200 epochs" in found.reason
    rules = {c: parse_rule(CLAIMS[c].rule) for c in ("C25", "C27a", "C27b", "C27c", "C31", "C34a", "C34b")}
    record = write(tmp_path, "cvae_gan", "cvae_gan", "as_code", 1, epochs=12)
    for share in np.linspace(0, 1.2, 25):  # what a short run decides is what the rules of claims.csv say
        worst = {"test_kl_nats": 0.9, "within_class_variance_ratio": share, "z_explained": share,
                 "active_units": round(2 * share), "reconstruction_mse": share, "class_mean_mse": 1.0,
                 "loss_C_epochs_to_0.001": 70 * share, "classifier_accuracy": 1 - share / 50}  # fmt: skip
        record.metrics.update(worst)
        for claim, region in rules.items():
            whole = replace(record, settings=record.settings | {"options": {"epochs": 50}})
            against = (measured(claim, [whole], tmp_path).values[0] in region) == claim.startswith("C34")
            assert bool(measured(claim, [record], tmp_path).values) == against, (claim, share)


EARLY = {"C08d", "C10a", "C10b", "C08d_described", "C10a_described", "C10b_described", "C25",
         "C27a", "C27b", "C27c",
         "C31", "C34a", "C34b", "L05", "P02a", "P02b", "P03a", "P03b", "P05a", "P05b", "P05c"}  # fmt: skip
ENDS = {"C08a", "C08c", "C08a_described", "C08c_described", "C32a", "C32b", "C32c", "C32d", "L02a", "L02b", "L03a",
        "L03b"}  # fmt: skip


def test_short_trainings_of_convolutional_nets_decide_only_what_the_readme_lists(tmp_path):
    """All collapsed at 8 and 12 epochs; then at the epochs from which all but the ends of training are decided."""

    def decided(records):
        return {claim for claim in claims_runs.MEASURES if getattr(measured(claim, records, tmp_path), "values", ())}

    write_all(tmp_path, epochs=None)
    records = load_all(tmp_path, "guo")
    for record in records:
        worst = {"classes": 2, "test_kl_nats": 1e-3, "active_units": 0}
        record.metrics.update({name: value for name, value in worst.items() if name in record.metrics})
        if record.settings["model"] == "dcgan":  # a race that the measured epochs decide
            record.metrics.update({"frechet_after_1": 40.0, "frechet_after_2": 40.0, "frechet": 500.0})  # C07b, so C11
    whole = decided(records)
    assert whole == set(claims_runs.MEASURES)
    dense = decided([r for r in records if chosen.run_of(r) not in chosen.ENOUGH])
    for lengths, more in (({"dcgan": 8, "cvae_gan": 12, "faces": 12}, EARLY), (chosen.ENOUGH, whole - ENDS)):
        assert decided([of_length(r, lengths.get(chosen.run_of(r), chosen.epochs(r))) for r in records]) == dense | more


def test_a_longer_training_is_a_run_of_the_grid():
    """`chosen`, the scripts and the grid each name the longer trainings: a net of one is a net of all."""
    runs = {"/".join((r.experiment, r.model, r.variant)) for r in grid.chosen("cpu", "guo")}
    longer = {net for net in runs if net.rpartition("_")[0] in runs and net.rpartition("_")[2].isdecimal()}
    assert longer == set(map(chosen.longer, chosen.LONGER))


def test_faces_are_counted_in_updates_for_a_small_set_has_short_epochs(tmp_path):
    """Twenty epochs of 9,000 faces are 6.5 of the author's."""
    record = write(tmp_path, "faces", "dcgan", "as_described", 1, epochs=20)
    assert measured("C12b", [record]).values
    small = replace(record, steps=20 * 70)
    shown = "after faces 1,400 of 10,800 updates; decided from 4,320 updates of faces on"
    assert not measured("C12b", [small]).values and shown in measured("C12b", [small]).reason
    assert measured("C12b", [replace(record, steps=62 * 70)]).values
    assert "70 updates, the author's 216" in chosen.steps_an_epoch([small])


def test_speed_is_known_up_to_the_epochs_at_which_it_was_measured(tmp_path):
    """Each run against its own best; its first epoch within 10 % lies behind the last measured one before it."""
    along = lambda **known: {f"frechet_after_{name[1:]}": value for name, value in known.items()}  # noqa: E731
    d = along(e1=100.0, e2=60, e3=44, e8=40)  # 44 is within 10 % of 40
    g = along(e1=90.0, e2=54, e8=50, e100=9, e200=9.5)
    late = along(e1=90.0, e2=80, e7=70, e100=9)
    assert values.near_best(d) == (2, 3) and values.near_best(g) == (8, 100) and values.near_best(late) == (7, 100)
    assert values.faster(d, g) is True and values.faster(g, d) is False
    assert values.faster(g, late) is None and values.faster(late, g) is None  # 9-100 and 8-100 overlap
    assert values.faster(d, d) is False  # 3-3: the same epoch is not fewer
    assert values.race_shown(d, late) == "3-3 against 8-100 epochs"
    assert values.near_best(dict.fromkeys(d, np.nan)) == (8, np.inf)
    nets = [write(tmp_path, "gan", *net, seed, epochs=100) for seed in (1, 2, 3, 4)
            for net in (("dcgan", "as_described"), ("gan", "radford_settings"))]  # fmt: skip
    ours, theirs = nets[::2], nets[1::2]

    def raced(*pairs):
        for record, known in zip([*ours, *theirs], [*(p[0] for p in pairs), *(p[1] for p in pairs)], strict=True):
            for name in [name for name in record.metrics if name.startswith("frechet_after_")]:
                del record.metrics[name]
            record.metrics.update(known)
        return measured("C42_described", nets)

    assert raced(*4 * [(d, g)]).values == (1,) and measured("C42", nets) is None
    assert raced(*4 * [(g, d)]).values == (0,)
    overlap = raced((late, g), (late, g), (d, g), (d, g))
    assert not overlap.values and overlap.reason.startswith(
        "measured 2 of 4 seeds, 2 not told apart: 8-100 against 9-100 epochs; "
    )
    one_state = along(e100=9.0)  # an exported training brings back its last state alone
    without = raced((one_state, g), *3 * [(d, g)])  # does not make the other three undecided
    assert without.values == (1,) and without.runs == 3
    assert "left out, fewer than 4 measured epochs in a run (1): seed 1" in without.reason
    assert "left out, fewer than 4 measured" in raced(*4 * [(one_state, g)]).reason


def test_printed_settings_are_quoted_beside_those_of_the_runs(tmp_path):
    """Never a verdict, for a run was given its settings; smoke says nothing."""
    gan = write(tmp_path, "gan", "gan", "as_code", 1, epochs=20)
    word, reason = verdict(CLAIMS["H-gan-lr"], measured("H-gan-lr", [gan]))
    given = f"{gan.settings['options']['learning_rate']:g}"
    assert word == "quoted" and reason.endswith(f"our as_code has {given}")
    short = [write(tmp_path, "gan", "dcgan", "as_code", seed, epochs=8) for seed in (1, 2)]
    long = write(tmp_path, "gan", "dcgan", "as_code_40", 2, epochs=40)
    word, reason = verdict(CLAIMS["H-dcgan_mnist-num_epoch"], measured("H-dcgan_mnist-num_epoch", [*short, long]))
    assert word == "quoted" and reason.endswith("ours have 40 (as_code_40, seed 2) and 8 (as_code, seed 1, 2)")
    assert measured("H-gan-lr", [write(tmp_path, "gan", "gan", "as_code", 1, scale="smoke")]) is None


def test_ends_of_training_are_compared_only_where_training_is_whole(tmp_path):
    short = write(tmp_path, "vae", "vae", "as_code", 1, epochs=30)
    found = measured("C19a", [short])
    assert not found.values and "vae 30 of 200" in found.reason
    full = write(tmp_path, "vae", "vae", "as_code", 1, epochs=200)
    assert measured("C19a", [full]).values == (full.metrics["test_loss_nats"],)
    assert "30 of 200" in measured("C20a", [short]).reason  # the first epoch is there, and the length is said


def test_two_nets_are_compared_seed_by_seed(tmp_path):
    vaes = [write(tmp_path, "vae", "vae", "as_code", seed) for seed in (1, 2, 3)]
    gans = [write(tmp_path, "gan", "gan", "as_code", seed) for seed in (3, 2)]
    found = measured("C02b", [*vaes, *gans])
    want = [vaes[s - 1].metrics["grey_fraction"] - g.metrics["grey_fraction"] for s, g in ((2, gans[1]), (3, gans[0]))]
    assert found.values == pytest.approx(want)
    assert measured("C02b", vaes) is None


def test_a_longer_training_counts_but_variants_are_compared_at_one_length(tmp_path):
    """The CVAE-GAN of 50 epochs decides; beside a variant of 12 epochs stands the one of 12."""
    by_length = {
        variant: write(tmp_path, "cvae_gan", "cvae_gan", variant, 1, epochs=epochs)
        for variant, epochs in (("as_described_50", 50), ("as_described", 12), ("no_discriminator", 12))
    }
    short, long = by_length["as_described"], by_length["as_described_50"]
    records = list(by_length.values())
    assert chosen.longest(records, chosen.BAO) == chosen.best(records, chosen.BAO) == [long]
    assert chosen.of_net(records, chosen.BAO) == chosen.best(records, chosen.BAO, chosen.of_net) == [short]
    assert measured("C24a_described", records).values == (long.metrics["requested_accuracy"],)
    without = chosen.variant(chosen.BAO, "no_discriminator")
    assert chosen.per_seed(records, (chosen.BAO, without)) == [(short, by_length["no_discriminator"])]
    assert "12 of 200" in measured("C43b", records).reason and not measured("C43b", records).values
    other = write(tmp_path, "cvae_gan", "cvae_gan", "no_discriminator", 1, epochs=60)
    assert chosen.per_seed([long, other], (chosen.BAO, without)) == [(long, other)]  # no common length
    words = [row[0] for row in tables.cvae_gan_ablation(records, tmp_path).rows]
    assert words == ["as described (Bao et al.)", "as described (Bao et al.), longer", "described, without D"]


def test_two_judges_in_one_comparison_are_named(tmp_path):
    """A judge trained on another machine is another net: its distances are not those of the first."""
    nets = [write(tmp_path, "vae", "vae", "as_code", 1), write(tmp_path, "gan", "gan", "as_code", 1)]
    assert "judges" not in measured("C16a", nets).reason
    nets[1].metrics["frechet_test_halves"] *= 1.01
    assert "2 judges (Fréchet distance of the test set's halves 0.5 and 0.505)" in measured("C16a", nets).reason
    words = {chosen.VAE: "VAE", chosen.GAN: "GAN"}
    for record, right in zip(nets, (0.9931, 0.9929), strict=True):
        record.metrics["judge_accuracy"] = right
    assert tables.judges(nets, words) == [
        "The judge is right on .9929 and .9931 of the test digits.",
        "Several judges; the halves of the test set are apart by 0.5: VAE; 0.505: GAN.",
    ]
    assert tables.judges(nets[:1], words) == ["The judge is right on .9931 of the test digits."]


def test_other_data_do_not_count(tmp_path):
    record = write(tmp_path, "gan", "gan", "as_code", 1)
    digits = replace(record, name="digits", data={**record.data, "name": "digits", "stand_in": "8 x 8 digits"})
    assert chosen.of_net([record, digits], chosen.GAN) == [record]
    assert measured("C01a", [digits]).stand_in == "8 x 8 digits"


def test_nets_that_differ_in_scale_are_compared_only_where_that_is_no_difference(tmp_path):
    """The dense GAN and the VAE are trained whole at cpu scale, so they stand beside paper scale; no other net does."""
    vae, gan = write(tmp_path, "vae", "vae", "as_code", 1), write(tmp_path, "gan", "gan", "as_code", 1, scale="paper")
    assert "scale" in measured("C02b", [vae, gan]).across
    smoke = write(tmp_path, "vae", "vae", "as_code", 1, scale="smoke")
    with pytest.raises(UserError, match="differ in scale"):
        measured("C02b", [smoke, gan])
    same = write(tmp_path, "gan", "gan", "as_code", 1)
    assert set(measured("C02b", [vae, same]).across) == {"evaluator", "binarisation"}
    assert measured("C01a", [same]).across == {}
    dcgan = write(tmp_path, "gan", "dcgan", "as_described", 1, epochs=100, scale="paper")
    found = best_measurement(claims.MEASURES["C07b_described"], [dcgan, same], chosen.as_at_paper_scale)
    assert len(found.values) == 1 and found.scale == "cpu; paper"
    assert best_measurement(claims.MEASURES["C07b_described"], [dcgan, same]) is None


@pytest.mark.parametrize(("script", "model"), [("gan", "gan"), ("vae", "vae")])
def test_what_stands_beside_paper_scale_has_its_settings(script, model):
    """`chosen.as_at_paper_scale` says so of whole models: neither scale changes the text's own options."""
    changes = f"[s.EXPERIMENT.scales.get(scale, {{}}).get('{model}') for scale in ('cpu', 'paper')]"
    code = f"from reproductions.guo import {script} as s; print({changes})"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert told.stdout.strip() == "[None, None]", told.stderr[-500:]


def test_spread_over_seeds_needs_three_of_each(tmp_path):
    with_terms, without = (
        [write(tmp_path, "cvae_gan", "cvae_gan", name, seed, epochs=50) for seed in (1, 2, 3)]
        for name in ("as_described", "no_features")
    )
    assert not measured("C29a", [*with_terms, *without[:2]]).values
    for record, value in zip([*with_terms, *without], (10, 11, 12, 10, 14, 18), strict=True):
        record.metrics["frechet"] = value
    found = measured("C29a", [*with_terms, *without])
    assert found.values == pytest.approx((0.25,))
    assert found.interval == pytest.approx((0.25 / np.sqrt(39), 0.25 * np.sqrt(39)))  # F(2, 2) at 97.5 % is 39
    assert verdict(CLAIMS["C29a"], found)[0] == "not separated"  # three seeds each cannot tell a fourfold spread
    for record, value in zip(with_terms, (10, 11, 12), strict=True):
        record.metrics["frechet"] = 10 + (value - 11) * 4 * 0.155
    assert verdict(CLAIMS["C29a"], measured("C29a", [*with_terms, *without]))[0] == "holds"  # below .16
    without[0].settings["options"]["epochs"] = 49
    assert "the two have no length in common" in measured("C29a", [*with_terms, *without[:1]]).reason
    shorter = [of_length(r, 12) for r in [*with_terms, *without]]
    assert "measured 0.155 (0.62 over 4) after cvae_gan 12 of 200 epochs; decided" in measured("C29a", shorter).reason
    longer = [write(tmp_path, "cvae_gan", "cvae_gan", "as_described_50", seed, epochs=50) for seed in (1, 2, 3)]
    both = [*shorter[:3], *longer, *(of_length(r, 50) for r in without)]
    for record, value in zip(longer, (10, 11, 12), strict=True):
        record.metrics["frechet"] = value
    assert measured("C29a", both).values == pytest.approx((0.25,))  # the longer training, where both have it
    few = measured("C29a", [*shorter[:1], *longer, *shorter[3:]]).reason  # both shortfalls are named
    assert "at least 3 seeds of each; there are 1 and 3; decided from 50 epochs of cvae_gan on" in few
    assert "the longest that both have: cvae_gan 12 of 200 epochs" in few


def test_place_between_vae_and_real_digits():
    at = lambda edge: {"edge_variance": edge, "edge_variance_test": 0.16}  # noqa: E731
    assert values.between_vae_and_real(at(0.02), at(0.02)) == 0
    assert values.between_vae_and_real(at(0.16), at(0.02)) == pytest.approx(1)
    assert values.between_vae_and_real(at(0.30), at(0.02)) > 1
