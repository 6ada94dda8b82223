"""Guo's room: formulas against independent computations, the author's logs, and the claims' rules on synthetic runs."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from guo_toy import write, write_all
from scipy import integrate, stats

from common.errors import UserError
from common.reporting.claims import load_claims
from common.reporting.records import Record, load_all
from common.reporting.rooms import ROOMS, ROOT, find_rooms, tell
from common.reporting.verdicts import verdict
from reproductions.guo import author, author_measures, chosen, claims, claims_runs, convolutions, elbo, minimax, values

CLAIMS = {claim.claim_id: claim for claim in load_claims(ROOMS / "guo" / "claims.csv")}


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


def test_trends_of_a_rising_and_a_falling_curve():
    t = np.arange(50.0)
    found = author_measures.trends({"d_loss": t, "g_loss": 100 * 0.9**t})
    assert (found["d_loss_spearman"], found["g_loss_spearman"]) == pytest.approx((1, -1))
    assert found["d_loss_first"] == 4.5 and found["d_loss_last_fifth"] == found["d_loss_last"] == 44.5
    assert found["g_loss_log_step"] == pytest.approx(-np.log(0.9))
    assert found["g_loss_slope"] < 0


def test_the_command_writes_one_record_a_run_and_refuses_unknown_ones(tmp_path):
    command = [sys.executable, "reproductions/guo/published.py", "--scale=smoke", f"--work_dir={tmp_path / 'work'}",
               f"--results_dir={tmp_path}"]  # fmt: skip
    run = partial(subprocess.run, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run([*command, "--model=gan,cvae_gan"]).returncode == 0
    found = {r.settings["model"]: r.metrics for r in load_all(tmp_path, "guo")}
    assert set(found) == {"gan", "cvae_gan"} and found["gan"]["classes"] == 9
    wrong = run([*command, "--model=rnn"])
    assert wrong.returncode == 2 and "unknown model 'rnn'" in wrong.stderr and "Traceback" not in wrong.stderr


# Claims


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Records of every variant, one seed, shortened training."""
    folder = tmp_path_factory.mktemp("guo")
    write_all(folder, seeds=(1,))
    return load_all(folder, "guo")


def measured(claim, records):
    return claims.MEASURES[claim](records)


def test_every_claim_has_a_measure_or_a_reason_and_all_43_are_there():
    assert set(CLAIMS) == set(claims.MEASURES) | set(claims.NOT_RUN)
    numbers = {int(claim[1:3]) for claim in CLAIMS if claim[0] == "C"}
    assert numbers == set(range(1, 44))


def test_measures_read_only_what_scripts_write(runs):
    """Every measure gives a measurement, or says why not, from records that hold what the scripts keep."""
    for claim in claims_runs.MEASURES:
        found = measured(claim, runs)
        assert found is not None, claim
        assert found.values or found.reason, claim


def test_the_author_s_own_material_contradicts_some_sentences_and_bears_out_others(tmp_path):
    for run in author.RUNS:
        metrics, _ = author_measures.measured(run)
        Record(text="guo", experiment="published", name=f"cpu-{run}", settings={"model": run, "scale": "cpu"},
               metrics=metrics, data={"name": "digits", "stand_in": "embedded"}).save(tmp_path)  # fmt: skip
    (room,) = (room for room in find_rooms() if room.name == "guo")
    found = {row.claim.claim_id: row for row in tell(room, tmp_path).rows}
    contradicted = ("C05c", "C07a", "C08a", "C08c", "C08d", "C10a", "C11", "C24b", "C25", "C27c")
    assert {c for c in contradicted if found[f"{c}_author"].verdict == "fails"} == set(contradicted)
    held = ("C01", "C02a", "C02b", "C03a", "C03b", "C05a", "C08b", "C09", "C15a", "C15b", "C16", "C22a", "C22b", "C23a",
            "C24a", "C28a", "C28b", "C33a", "C34a")  # fmt: skip
    assert {c for c in held if found[f"{c}_author"].verdict == "holds"} == set(held)
    assert found["C27c_author"].measurement.mean == pytest.approx(6.7e-4, abs=1e-5)
    assert found["C25_author"].measurement.mean == pytest.approx(0.0066, abs=1e-4)


def dcgans(tmp_path, classes):
    """Records of the code's DCGAN, one seed for each number of digits in `classes`."""
    found = []
    for seed, count in enumerate(classes, start=1):
        record = write(tmp_path, "gan", "dcgan", "as_code", seed)
        record.metrics["classes"] = count
        found.append(record)
    return found


def test_collapse_is_counted_over_seeds_and_never_judged_on_one(tmp_path):
    one = measured("C10b", dcgans(tmp_path, [2]))
    assert not one.values and "1 of 1 seeds" in one.reason and "at least 3" in one.reason
    three = measured("C10b", dcgans(tmp_path, [2, 4, 10]))
    assert three.values == pytest.approx((2 / 3,)) and three.text.startswith("(2 of 3 seeds: ")
    assert measured("C10b", dcgans(tmp_path, [2, 5, 10])).values == pytest.approx((1 / 3,))  # five are not fewer


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


def test_changed_settings_and_other_data_do_not_count(tmp_path):
    record = write(tmp_path, "gan", "gan", "as_code", 1)
    changed = replace(record, name="changed", command=record.command + " --set=epochs=3")
    digits = replace(record, name="digits", data={**record.data, "name": "digits", "stand_in": "8 x 8 digits"})
    assert chosen.of_net([record, changed, digits], chosen.GAN) == [record]
    assert measured("C01a", [digits]).stand_in == "8 x 8 digits"


def test_nets_that_differ_in_scale_are_not_compared(tmp_path):
    vae, gan = write(tmp_path, "vae", "vae", "as_code", 1), write(tmp_path, "gan", "gan", "as_code", 1, scale="paper")
    with pytest.raises(UserError, match="differ in scale"):
        measured("C02b", [vae, gan])
    same = write(tmp_path, "gan", "gan", "as_code", 1)
    assert set(measured("C02b", [vae, same]).across) == {"evaluator", "binarisation"}
    assert measured("C01a", [same]).across == {}


def test_spread_over_seeds_needs_three_of_each(tmp_path):
    with_terms = [write(tmp_path, "cvae_gan", "cvae_gan", "as_described", seed) for seed in (1, 2, 3)]
    without = [write(tmp_path, "cvae_gan", "cvae_gan", "no_features", seed) for seed in (1, 2, 3)]
    assert not measured("C29a", [*with_terms, *without[:2]]).values
    for record, value in zip([*with_terms, *without], (10, 11, 12, 10, 14, 18), strict=True):
        record.metrics["frechet"] = value
    found = measured("C29a", [*with_terms, *without])
    assert found.values == pytest.approx((0.25,))
    assert found.interval == pytest.approx((0.25 / np.sqrt(39), 0.25 * np.sqrt(39)))  # F(2, 2) at 97.5 % is 39
    assert verdict(CLAIMS["C29a"], found)[0] == "not separated"  # three seeds each cannot tell a fourfold spread


def test_quality_counts_the_parts_that_are_better():
    real = {"border_mean_test": 0.005, "edge_variance_test": 0.16}
    good = real | {"border_mean": 0.006, "edge_variance": 0.15, "nearest_test": 10, "precision": 0.7, "frechet": 5}
    bad = real | {"border_mean": 0.001, "edge_variance": 0.20, "nearest_test": 20, "precision": 0.6, "frechet": 9}
    assert values.better_parts(good, bad) == 4 and values.better_parts(bad, good) == 0
    assert values.better_parts(good, good) == 0  # nothing is better than itself
    steady = {"g_loss_slope": -0.1, "g_loss_log_step": 0.1, "d_loss_last": 0.5, "classes": 10}
    wild = {"g_loss_slope": 0.1, "g_loss_log_step": 0.2, "d_loss_last": 0.01, "classes": 2}
    assert values.outperforms(good | steady, bad | wild) == 6 and values.outperforms(bad | wild, good | steady) == 0


def test_place_between_vae_and_real_digits():
    at = lambda edge: {"edge_variance": edge, "edge_variance_test": 0.16}  # noqa: E731
    assert values.between_vae_and_real(at(0.02), at(0.02)) == 0
    assert values.between_vae_and_real(at(0.16), at(0.02)) == pytest.approx(1)
    assert values.between_vae_and_real(at(0.30), at(0.02)) > 1
