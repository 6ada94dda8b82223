"""Chapter 2's claims: every printed number has a measure or a reason, and verdicts follow from records."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from common.reporting.claims import load_claims
from common.reporting.records import Record, save_scores
from common.reporting.rooms import find_rooms
from common.reporting.verdicts import verdict
from reproductions.ahmed_ch2 import claims, figures, selection, tables

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = {claim.claim_id: claim for claim in load_claims(ROOT / "reproductions/ahmed_ch2/claims.csv")}
SIZES = {"layers": 12, "width": 16, "filter_size": 5, "latent": 16, "batch": 100, "learning_rate": 1e-3}


def fake(experiment, model, seed=1, steps=200_000, key=None, options=None, binarisation="fixed", **metrics):
    """A record on the fixed set at paper scale."""
    key = key or {}
    name = f"{experiment}-{model}-{'-'.join(map(str, key.values()))}-s{seed}"
    settings = {
        "model": model, "variant": "as_described", "scale": "paper", "dataset": "binarized_mnist", "seed": seed,
        "key": key, "options": SIZES | {"decay": False, "average": 0.0, "iterations": steps} | (options or {}),
    }  # fmt: skip
    evaluator = "exact" if "nll_nats" in metrics else "bound"
    where = {"name": "binarized_mnist", "binarisation": binarisation, "split": "test", "stand_in": ""}
    return Record("ahmed_ch2", experiment, name, settings, metrics, where, evaluator=evaluator, steps=steps)


def rows(shift=0.0, seed=1, steps=200_000):
    """Table 2.1 as printed, the best row `shift` nats off; KL and gaps made up."""
    printed = {
        "conv_vae": {"nll_bound_nats": 87.41, "kl_nats": 26.0},
        "pixelvae": {"nll_bound_nats": 80.64, "kl_nats": 10.0},
        "gated_pixelcnn": {"nll_nats": 80.10},
        "gated_pixelvae_up": {"nll_bound_nats": 80.02, "nll_estimate_nats": 79.48, "kl_nats": 8.0},
        "gated_pixelvae": {"nll_bound_nats": 79.58 + shift, "nll_estimate_nats": 78.96 + shift, "kl_nats": 9.0},
    }
    return [fake("likelihoods", model, seed, steps, **metrics) for model, metrics in printed.items()]


def word(claim_id, records):
    return verdict(CLAIMS[claim_id], claims.MEASURES[claim_id](records))[0]


def test_every_printed_id_has_a_row_and_every_row_a_measure_or_a_reason():
    expected = {f"T2.1-{n:02d}" for n in range(1, 14)} | {f"T2.2-{n:02d}" for n in range(1, 16)}
    depths = [*range(14), 21]
    expected |= {f"F2.4b-{name}-L{n:02d}" for name in ("KL", "REC", "SUM") for n in depths}
    expected |= {"F2.4a-01", "F2.4a-02", "F2.5-01", "F2.5-02", "FA.1-01", *(f"FA.2-0{n}" for n in (1, 2, 3))}
    expected |= {f"S-{n:02d}" for n in range(1, 18)} | {f"C{n:02d}" for n in range(1, 46)}
    assert expected <= set(CLAIMS)
    (room,) = [room for room in find_rooms(ROOT / "reproductions") if room.name == "ahmed_ch2"]
    quoted = {name for name, claim in CLAIMS.items() if claim.kind == "quoted"}
    assert set(CLAIMS) == set(room.measures) | set(room.not_run) | quoted
    assert not set(room.measures) & set(room.not_run)
    measured = {*range(1, 20), 25, *range(28, 35), *range(37, 46)}
    assert {n for n in range(1, 46) if f"C{n:02d}" in room.measures} == measured


def test_printed_sums_are_the_printed_parts():
    for depth in figures.THEIRS:
        kl, rec, total = (CLAIMS[f"F2.4b-{name}-L{depth:02d}"].printed_value for name in ("KL", "REC", "SUM"))
        assert total == pytest.approx(kl + rec, abs=0.006)


def test_levels_hold_as_printed_fail_when_off_and_are_not_compared_after_short_trainings():
    levels = ["T2.1-07", "T2.1-08", "T2.1-09", "T2.1-10", "T2.1-11", "T2.1-12", "T2.1-13", "C01", "C02b", "C07b"]
    assert {word(name, rows()) for name in levels} == {"holds"}
    assert word("T2.1-12", rows(shift=0.5)) == word("T2.1-13", rows(shift=0.5)) == "fails"
    short = claims.MEASURES["T2.1-13"](rows(shift=1.0, steps=12_000))
    assert verdict(CLAIMS["T2.1-13"], short) == (
        "not run", "measured 80.58 after 12,000 iterations; levels are compared from 20,000 on",
    )  # fmt: skip


def test_order_of_single_trainings_needs_more_than_a_repeated_training_differs():
    """Half-width: Student's 97.5 % point for two differences, 4.303, times the root mean square of 0.27 and 0.29."""
    half = selection.training_slack(1, 1)
    assert half == pytest.approx(4.3027 * np.sqrt((0.27**2 + 0.29**2) / 2), rel=1e-4)
    assert selection.training_slack(1, 2, 1) == pytest.approx(half * np.sqrt(3))
    assert [word(name, rows()) for name in ("C03", "C03b", "C04", "C01b")] == ["not separated"] * 4  # as printed
    assert word("C04", rows(shift=-2.0)) == word("C01b", rows(shift=-2.0)) == "holds"
    assert word("C04", rows(shift=2.0)) == "fails"
    three = [r for seed in (1, 2, 3) for r in rows(0.01 * seed, seed)]
    assert word("C04", three) == "holds"  # a t interval over seeds takes the place of the slack
    found = claims.MEASURES["C04"]([r for r in rows() if r.settings["model"] != "gated_pixelvae"])
    assert found is None


def test_unequal_trainings_are_said_and_the_controlled_pair_needs_equal_ones():
    records = rows(-2.0)
    records[-1] = dataclasses.replace(records[-1], steps=20_000)
    found = claims.MEASURES["C04"](records)
    assert "gated_pixelvae 20,000, gated_pixelvae_up 200,000" in verdict(CLAIMS["C04"], found)[1]
    assert word("C04b", rows(-2.0)) == "holds"
    unequal = rows(-2.0)
    unequal[3].settings["options"]["width"] = 64
    assert word("C04b", unequal) == "not run"


def test_fixed_and_dynamic_rows_are_never_compared():
    records = rows()
    mixed = [
        *records[:3],
        dataclasses.replace(records[3], data=records[3].data | {"binarisation": "dynamic"}),
        records[4],
    ]
    with pytest.raises(UserError, match="records differ in binarisation: '(fixed|dynamic)'"):
        claims.MEASURES["C04"](mixed)
    other = dataclasses.replace(records[4], settings=records[4].settings | {"variant": "dynamic"})
    assert claims.MEASURES["T2.1-13"]([other]) is None  # a variant never stands for the row


def gap_record(draws=5_000, half=0.01, **more):
    metrics = {
        "gap_nats": 0.62, "gap_se_nats": 0.02, "ess_median": 300.0, "ess_smallest": 4.0, "estimate_draws": draws,
        "estimate_images": 500.0, "gain_over_10_nats": 0.3, "gain_over_100_nats": 0.1,
        f"gain_over_{draws // 2}_nats": half,
    }  # fmt: skip
    return fake("likelihoods", "gated_pixelvae", nll_bound_nats=79.58, nll_estimate_nats=78.96, **metrics | more)


def test_gap_saturation_and_growth():
    assert word("C05", [gap_record()]) == "holds"
    assert word("C05", [gap_record(gap_se_nats=0.4)]) == "not separated"
    assert word("C05", [gap_record(gap_nats=-0.3)]) == "fails"
    assert word("C06", [gap_record()]) == word("C06", [gap_record(1_000)]) == "holds"
    assert word("C06", [gap_record(half=0.03)]) == "fails"
    assert word("C06", [gap_record(1_000, half=0.03)]) == "not run"  # 1,000 draws can say yes, not no
    assert claims.MEASURES["C33b"]([gap_record()]).values == pytest.approx((0.01,))
    assert word("C33b", [gap_record(gain_over_100_nats=0.4)]) == "fails"


def sweep(cnn=lambda n: 80.6 + 10 / (1 + n), width=32, steps=200_000):
    """Figure 2.4 with the authors' development numbers and a made-up PixelCNN."""
    records = []
    for depth in (0, 1, 2, 4, 6, 8, 12):
        kl, rec, total = (CLAIMS[f"F2.4b-{name}-L{depth:02d}"].printed_value for name in ("KL", "REC", "SUM"))
        metrics = {
            "kl_nats": kl,
            "reconstruction_nats": rec,
            "nll_bound_nats": total,
            "probe_accuracy": 97.0 - depth / 10,
        }
        for model, found in (("pixelvae", metrics), ("pixelcnn", {"nll_nats": cnn(depth)})):
            more = {"judge_confidence": 0.8 if model == "pixelcnn" else 0.9, "unseen_patches": 0.01 + 0.001 * depth}
            more["unseen_patches"] += 0.2 * (model == "pixelvae" and depth == 0)
            more |= {"judge_confidence_test": 0.99, "unseen_patches_test": 0.002}
            records.append(
                fake("layers", model, key={"layers": depth}, options={"width": width}, steps=steps, **found | more)
            )
    return records


def test_figure_2_4_of_the_authors_numbers():
    """Their own bars make the sentences about them true; a PixelCNN that is better makes the comparisons false."""
    bars = [f"F2.4b-{name}-L{n:02d}" for name in ("KL", "REC", "SUM") for n in (0, 1, 2, 4, 6, 8, 12)]
    assert {word(name, sweep()) for name in bars} == {"holds"}
    assert {word(name, sweep(width=16)) for name in bars} == {"not run"}
    assert {word(name, sweep(steps=2_000)) for name in bars} == {"not run"}
    true = ("C09", "C10", "C11", "C11b", "C12", "C12b", "C15", "F2.4a-01", "F2.4a-02")
    assert {name: word(name, sweep()) for name in true} == dict.fromkeys(true, "holds")
    found = claims.MEASURES["C08"](sweep())
    assert found.values == pytest.approx((80.6 + 10 / 9 - 80.76,)) and word("C08", sweep()) == "not separated"
    assert word("C08", sweep(cnn=lambda n: 90.0 - n / 10)) == "holds"
    better = sweep(cnn=lambda n: 78.0 - n / 10)
    assert {word(name, better) for name in ("C08", "C02", "C15")} == {"fails"}
    assert word("C19b", sweep(cnn=lambda n: 95 - 2.5 * n)) == "holds"
    assert word("C41", sweep()) == word("C41b", sweep()) == "holds"
    assert claims.MEASURES["C41"](sweep()).values == pytest.approx([0.1] * 7)


def planes(gain=15.0, seeds=(1,)):
    """Figure 2.5: the VAE's error rises as dimensions fall, the PixelVAE's is `gain` lower in the plane."""
    records = []
    for seed in seeds:
        for latent, error in ((2, 22.9), (4, 12.0), (8, 6.0), (16, 4.0), (64, 3.0)):
            for model, less in (("vae", 0.0), ("pixelvae", gain if latent == 2 else 1.0)):
                metrics = {f"neighbour_error_{k}": error - less + 0.1 * seed for k in (1, 5, 15)}
                metrics |= {"silhouette": less / 100, "information_nats": 1.0, "nll_bound_nats": 90.0, "kl_nats": 5.0}
                metrics |= {"move_shift": 1.0 - less / 50, "move_flips": 1.0 - less / 60}
                records.append(fake("latents", model, seed, key={"latent": latent}, **metrics))
    return records


def test_figure_2_5_needs_several_trainings_for_an_order():
    assert word("C13", planes()) == "not separated" and word("C13", planes(seeds=(1, 2, 3))) == "holds"
    assert word("C13", planes(gain=-3.0, seeds=(1, 2, 3))) == "fails"
    assert word("C38", planes()) == "holds" and word("C38b", planes(seeds=(1, 2))) == "holds"
    assert word("C37", planes()) == "holds" and word("C37", planes(gain=-3.0)) == "fails"
    assert word("F2.5-02", planes()) == "holds" and word("F2.5-01", planes(gain=5.0)) == "fails"


def test_tables_from_partial_records_and_twice_the_same_bytes(tmp_path):
    rng = np.random.default_rng(0)
    records = []
    for record in rows() + sweep()[:6] + planes():
        bits = (rng.random((50, 28, 28, 1)) < 0.2).astype(np.uint8) * np.uint8(255)
        arrays = {"bound": rng.normal(80, 20, 100), "samples": bits}
        if record.experiment == "likelihoods" and record.settings["model"] == "gated_pixelcnn":
            arrays = {"nll": rng.normal(80, 20, 100), "samples": bits}
        if record.settings["model"] == "gated_pixelvae":
            arrays |= {"originals": bits, "reconstructions": bits}
        if record.experiment == "latents":
            arrays |= {"codes": rng.normal(size=(200, 2)), "label": np.arange(200) % 10}
        path = f"scores/{record.name}.npz"
        save_scores(tmp_path / path, **arrays)
        records.append(
            dataclasses.replace(record, files={"scores": path}, metrics=record.metrics | {"parameters": 441_234.0})
        )
    tables.make(records, tmp_path)
    folder = tmp_path / "ahmed_ch2"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    wanted = {"table_2_1.csv", "table_2_2_cost.csv", "differences.csv", "figure_2_4.csv", "figure_2_5.csv"}
    wanted |= {"figure_2_4.png", "figure_2_5.png", "figure_a_2.png", "figure_a_3.png", "samples.png"}
    assert wanted <= set(first)
    lines = {row["model"]: row for row in csv.DictReader((folder / "table_2_1.csv").open(encoding="utf-8"))}
    assert len(lines) == 11 and lines["PixelRNN"]["measured on"] == "quoted"
    best = lines["Gated PixelVAE without upsampling"]
    assert (best["printed"], best["bound"], best["estimate"]) == ("~78.96 (≤79.58)", "79.58", "78.96")
    assert lines["Gated PixelCNN"]["exact"] == "80.10" and lines["Gated PixelCNN"]["bound"] == ""
    depth = list(csv.DictReader((folder / "figure_2_4.csv").open()))
    assert [row["layers"] for row in depth] == ["0", "1", "2", "4", "6", "8", "12"]
    assert (depth[1]["their KL"], depth[1]["KL"], depth[6]["KL"]) == ("11.59", "11.59", "")
    tables.make(records, tmp_path)
    assert first == {path.name: path.read_bytes() for path in folder.iterdir()}
    tables.make([], tmp_path / "empty")  # no record: the cost table alone, which is arithmetic
    assert {path.stem for path in (tmp_path / "empty/ahmed_ch2").iterdir()} == {"table_2_2_cost"}
