"""Guo's room: what a claim counts and compares, and what of it the page says, on cases with a known answer."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from guo_toy import CLAIMS, measured, of_length, told, write, write_all, write_published
from marks import needs_data
from scipy import stats

from common import data
from common.evaluation import texture
from common.evaluation.samples import nearest_squared_distance
from common.reporting.records import Record, load_all, save_scores
from common.reporting.verdicts import verdict
from reproductions.guo import chosen, claims, claims_rules, claims_runs, neighbours, tables, values


def drawing(*digits, precision=0.7, off=0.0):
    """Metrics of a net that draws these digits alone, like real ones but for a share `off` of each number."""
    shares = {f"share_{digit}": digits.count(digit) / len(digits) for digit in range(10)}
    real = {name: values.of_real(name, shares) for name in values.real_digits()}
    return shares | {name: (1 + off) * value for name, value in real.items()} | {
        "precision": precision, "classes": len(set(digits))
    }  # fmt: skip


def test_quality_counts_the_parts_that_are_nearer_to_real_digits_of_the_same_mix():
    good, bad = drawing(*range(10)), drawing(*range(10), precision=0.6, off=-0.3)
    assert values.better_parts(good, bad) == 4 and values.better_parts(bad, good) == 0
    assert values.better_parts(good, good) == 0  # nothing is better than itself
    ones = drawing(1, 1, 9, precision=0.9)  # smaller distances and higher precision, for it draws the easy digits
    assert ones["nearest_test"] < bad["nearest_test"] and values.better_parts(ones, good) == 0
    assert set(values.parts(ones, bad)) == set(values.QUALITY) - {"precision"} and values.better_parts(ones, bad) == 3
    assert "precision 0.9 / 0.6 not counted" in values.parts_shown(ones, bad)
    assert "nearest 2.9 (real 2.9) / " in values.parts_shown(ones, bad)


@needs_data
def test_real_digits_are_those_of_mnist():
    images = data.load("mnist")
    x, labels = np.float32(images.test[..., 0] / 255), images.test_labels
    edges, rng = texture.edge_variance(x), np.random.default_rng(1)
    found = values.real_digits()
    for digit in range(10):
        of = labels == digit
        assert texture.border_mean(x[of]) == pytest.approx(found["border_mean"][digit], rel=1e-4)
        assert edges[of].mean() == pytest.approx(found["edge_variance"][digit], rel=1e-4)
        few = rng.choice(np.flatnonzero(of), 60, replace=False)  # of the distances a sample: three standard errors
        others = np.delete(x, few, axis=0)
        distance = np.sqrt(nearest_squared_distance(x[few], others))
        assert distance.mean() == pytest.approx(found["nearest_test"][digit], abs=3.5 * distance.std() / np.sqrt(60))
        assert distance.std() == pytest.approx(values.of_each_digit("nearest_test_sd")[digit], rel=0.5)
        assert edges[of].std() == pytest.approx(values.of_each_digit("edge_variance_sd")[digit], rel=1e-4)
        scatter = np.std([texture.border_mean(each[None]) for each in x[of]])
        assert scatter == pytest.approx(values.of_each_digit("border_mean_sd")[digit], rel=1e-3)


def test_a_folder_of_two_classes_counts_for_no_claim_on_digits(tmp_path):
    """Nor does it stop the other tables: shares and accuracies by digit are those of ten digits."""
    for experiment, model in (("gan", "gan"), ("vae", "vae"), ("cvae_gan", "cvae_gan")):
        digits = write(tmp_path, experiment, model, "as_code", 1)
        kept = {k: v for k, v in digits.metrics.items() if not re.fullmatch(r"(share|requested_accuracy)_[2-9]", k)}
        own = replace(digits, metrics=kept, data=digits.data | {"name": "folder:pets@28", "stand_in": "own images"})
        net = f"{experiment}/{model}/as_code"
        assert chosen.of_net([digits], net) == [digits] and chosen.of_net([own], net) == []
        own.save(tmp_path)
    assert {row.verdict for row in told(tmp_path).values()} <= {"quoted", "not run"}
    tables.make(load_all(tmp_path), tmp_path)


def test_digits_of_other_sets_are_not_compared_with_mnist_s(tmp_path):
    nets = [write(tmp_path, "gan", model, "as_code", seed, epochs=100) for seed in (1, 2) for model in ("dcgan", "gan")]
    assert len(measured("C07a", nets).values) == 2
    others = [replace(r, data=r.data | {"name": "digits"}) for r in nets]
    assert not measured("C07a", others).values and "other data" in measured("C07a", others).reason


def test_one_seed_of_two_nets_settles_no_statement(tmp_path):
    """C23a, C17a and C07a have thresholds, and still compare two trainings; two seeds may settle them."""
    for claim, nets in (("C23a", (("cvae_gan", "cvae_gan", "as_code"), ("vae", "vae", "as_code"))),
                        ("C17a", (("vae", "vae", "as_code"), ("vae", "vae", "latent_32"))),
                        ("C07a", (("gan", "dcgan", "as_code"), ("gan", "gan", "as_code")))):  # fmt: skip
        records = [write(tmp_path, *net, seed, epochs=None) for seed in (1, 2) for net in nets]
        for record in records:  # one number for both seeds
            of_first = next(
                r
                for r in records
                if r.settings["variant"] == record.settings["variant"]
                and r.experiment == record.experiment
                and r.settings["model"] == record.settings["model"]
            )
            record.metrics.update(of_first.metrics)  # fmt: skip
        word, reason = verdict(CLAIMS[claim], measured(claim, records[:2]))
        assert word == "not separated" and "one seed: no order between random trainings" in reason
        assert verdict(CLAIMS[claim], measured(claim, records))[0] in ("holds", "fails")
    single = write(tmp_path, "cvae_gan", "cvae_gan", "as_code", 1, epochs=50)
    assert verdict(CLAIMS["C24a"], measured("C24a", [single]))[0] in ("holds", "fails")  # a number of one net


def test_the_printed_setting_is_set_beside_the_grid_by_all_its_seeds(tmp_path):
    """C35: 10, 11 and 12 against a best of 8: one more training lands within 11 ± 4.30 sqrt(4 / 3)."""
    printed = [write(tmp_path, "gan", "gan", "as_code", seed, epochs=200) for seed in (1, 2, 3)]
    others = [write(tmp_path, "gan", "gan", name, 1, epochs=200) for name in claims_runs.GRID[1:]]
    for record, distance in zip([*printed, *others], (10, 11, 12, 16, 8, 9, 20), strict=True):
        record.metrics["frechet"] = distance
    found = measured("C35", [*printed, *others])
    assert found.values == pytest.approx((10 / 8, 11 / 8, 12 / 8))
    half = stats.t.ppf(0.975, 2) * np.sqrt(4 / 3)
    assert found.interval == pytest.approx(((11 - half) / 8, (11 + half) / 8))
    assert verdict(CLAIMS["C35"], found)[0] == "not separated"
    assert "as_code 11.0 (3 seeds), lr_0.0001 16.0, lr_0.0004 8.0" in found.text
    others[1].metrics["frechet"] = 4  # so far below that no training at the printed setting would reach it
    assert verdict(CLAIMS["C35"], measured("C35", [*printed, *others]))[0] == "fails"
    assert verdict(CLAIMS["C35"], measured("C35", [printed[0], *others]))[0] == "not separated"  # one seed
    assert measured("C35", printed) is None


def test_outperforming_counts_the_verdicts_of_its_parts(tmp_path, monkeypatch):
    """C11: a part that fails decides it; without one, parts that are undecided leave it undecided."""
    seeds = range(1, 9)  # the fewest of which a count of all is sure (C08d)
    nets = [write(tmp_path, "gan", model, "as_code", seed, epochs=None) for seed in seeds for model in ("dcgan", "gan")]
    curves = {model: {"curve_g_loss": np.exp(step * np.arange(100))} for model, step in (("dcgan", 0.01), ("gan", 0.1))}
    monkeypatch.setattr(chosen, "scores", lambda record, _: curves[record.settings["model"]])
    for record in nets:
        better = record.settings["model"] == "dcgan"
        record.metrics.update(drawing(*range(10), precision=0.8 if better else 0.5, off=0.0 if better else -0.3))
        record.metrics.update(frechet=(5 if better else 9) + 0.1 * record.seed, d_loss_last=0.5, g_loss_slope=-0.01)
    found = measured("C11", nets, tmp_path)
    assert found.values == (6,) and verdict(CLAIMS["C11"], found)[0] == "holds"
    for record in nets[::2]:  # the DCGANs
        record.metrics["frechet"] += 8
    found = measured("C11", nets, tmp_path)
    assert found.values == (5,) and "fails: C07b" in found.reason
    assert verdict(CLAIMS["C11"], found)[0] == "fails"
    short = [of_length(r, 40) if r.settings["model"] == "dcgan" else r for r in nets]
    assert "undecided: C08a, C08c" in measured("C11", short, tmp_path).reason
    for record in nets[::2]:
        record.metrics["frechet"] -= 8
    assert not measured("C11", short, tmp_path).values  # nothing fails, and two parts are open


def test_steadiness_is_compared_over_the_epochs_that_both_have():
    """Over its own 200 epochs a loss that settles looks steadier than over the first 40."""
    settling = {"curve_g_loss": np.exp(np.cumsum(np.r_[np.full(40, 0.1), np.full(160, 0.001)]))}
    even = {"curve_g_loss": np.exp(0.05 * np.arange(40.0))}
    for steps, each in zip(values.common_log_steps(even, settling), (0.05, 0.1), strict=True):
        assert steps == pytest.approx(np.full(39, each), abs=1e-9)
    assert values.steadier(even, settling) == pytest.approx(-0.05)
    assert values.steadier_shown(even, settling) == "0.05 against 0.1, both over the first 40 epochs"


def test_variety_over_right_digits_leaves_wrong_ones_out():
    """Two templates, a one and a three: drawn as asked there is no variety; a three for a one is some."""
    templates = np.zeros((2, 4, 4), np.uint8)
    templates[1, 1] = 255
    asked = np.array([1, 1, 1, 3, 3, 3])
    m = {"grid_epochs": [1, 2, 3, 4], "grid_labels": asked, "within_class_variance_test": 0.05,
         "sample_labels": np.array([1, 1, 3, 3, 3, 3]), "grid_q4": templates[[0, 0, 1, 1, 1, 1]]}  # fmt: skip
    right, whole, count, kept = values.of_right_digits(m)
    assert (right, count, kept) == (0, 5, 6) and whole == pytest.approx(4 / 16 / 3 / 2 / 0.05)
    assert "of 6 pictures kept 5 show" in values.right_digits_shown(m)
    assert (
        values.of_right_digits(m | {"grid_epochs": []}) is None
        and values.right_digits_shown(m | {"grid_epochs": []}) == ""
    )
    rng = np.random.default_rng(1)
    groups = rng.uniform(size=(2, 3, 4, 4))
    by_hand = np.mean([np.var(group, axis=0, ddof=1).mean() for group in groups])
    assert values.within_digits(groups.reshape(6, 4, 4), asked) == pytest.approx(by_hand)


def test_nearest_neighbours_name_the_pictures_that_a_run_kept(tmp_path):
    """C24c and C24d: of 96 pictures all but the threes come back as what was asked; then the pictures are others."""
    run = write(tmp_path, "cvae_gan", "cvae_gan", "as_code", 1, epochs=50)
    pictures, asked = neighbours.kept(run, tmp_path)
    known = np.repeat(pictures, 2, axis=0)  # two copies of each: one neighbour and three agree
    digits = np.repeat(np.where(asked == 3, 5, asked), 2)
    assert (neighbours.named(pictures, known, digits, 1) == np.where(asked == 3, 5, asked)).all()
    images = SimpleNamespace(name="mnist", test=np.repeat(known, 3, axis=0), test_labels=np.repeat(digits, 3))
    metrics, arrays, notes = neighbours.of_all(tmp_path, "cpu", images)
    assert metrics["real_digits"] == 1  # its copies are among the others
    assert metrics[run.name] == np.mean(asked != 3) and set(arrays) == {run.name, f"{run.name}_one"}
    path = "scores/guo/published/cpu-kept_pictures.npz"
    digest = save_scores(tmp_path / path, **arrays)
    ours = Record(text="guo", experiment="published", name="cpu-kept_pictures", metrics=metrics, notes=notes,
                  settings={"model": "kept_pictures", "scale": "cpu"}, data=run.data, files={"scores": path},
                  sha256={"scores": digest})  # fmt: skip
    every, worst = (measured(claim, [run, ours], tmp_path) for claim in ("C24c", "C24d"))
    assert every.values == (metrics[run.name],) and every.interval == claims_rules.share_within(sum(asked != 3), 96)
    assert worst.values == (0,) and worst.text.startswith("(digit 3: 0.00, digit ")
    assert "50 of 200 epochs" in every.reason and measured("C24c_described", [run, ours], tmp_path) is None
    assert not measured("C24c", [of_length(run, 12), ours], tmp_path).values
    other = replace(run, sha256={"scores": "0" * 64})
    assert "published.py --model=kept_pictures --rerun" in measured("C24c", [other, ours], tmp_path).reason


def test_what_claims_csv_says_of_a_row_stands_in_its_reason(tmp_path):
    write_published(tmp_path)
    write_all(tmp_path, seeds=(1, 2))
    for claim, row in told(tmp_path).items():
        if row.measurement is not None and row.claim.kind != "quoted":
            caveats = [part for part in row.claim.settings.split("; ") if part not in claims.VARIANTS]
            assert all(part in row.reason for part in caveats), claim
    assert "by construction" in CLAIMS["C28b_author"].settings and "C04c" in CLAIMS["C04a"].settings
