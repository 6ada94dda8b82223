"""Chapter 2: which of several trainings a claim, a table or a figure takes, and what they say of it."""

import csv
import dataclasses

import numpy as np
import pytest
from scipy import stats
from test_ahmed_ch2_claims import CLAIMS, fake, gap_record, planes, rows, sweep, word

from common.reporting.figures import caption_of
from common.reporting.records import save_scores
from common.reporting.verdicts import verdict
from reproductions.ahmed_ch2 import claims, figures, models, runs, selection, sizes, tables

LATENT = [model for model in sizes.ROWS if model != "gated_pixelcnn"]


def changed(record, variant, options=(), **metrics):
    """The record as another variant, with other options and metrics."""
    settings = record.settings | {"variant": variant, "options": record.settings["options"] | dict(options)}
    return dataclasses.replace(
        record, settings=settings, metrics=record.metrics | metrics, name=f"{record.name}-{variant}",
        steps=settings["options"]["iterations"],
    )  # fmt: skip


def at_cpu(records):
    """The records as of cpu scale, in their names too."""
    return [
        dataclasses.replace(r, settings=r.settings | {"scale": "cpu"}, name=f"cpu-{r.name}") for r in records
    ]  # fmt: skip


def two_recipes(*models, shift=1.0):
    """Rows of 16,000 iterations with a warm-up of 800, and of `models` with 5,000 and bounds `shift` nats higher."""
    short = rows(steps=16_000, warm_up=800)
    return short + [again(r, sizes.WARMED, shift, warm_up=5_000) for r in short if r.settings["model"] in models]


def again(record, variant, shift, **options):
    """The row by another recipe, its numbers `shift` nats higher."""
    more = {name: value + shift for name, value in record.metrics.items() if name.startswith("nll")}
    return changed(record, variant, options, **more)


def tuned(record, shift):
    """The row by the tuned recipe; a net without a latent has no warm-up."""
    warm_up = {"warm_up": 5_000} if record.settings["model"] in LATENT else {}
    return again(record, sizes.TUNED, shift, learning_rate=sizes.TUNED_RATE, **warm_up)


# --- Which recipe of a row counts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_a_row_takes_the_longer_warm_up_whichever_is_better(shift):
    records = two_recipes("gated_pixelvae", shift=shift)
    for name, printed in (("T2.1-13", 79.58), ("T2.1-12", 78.96), ("C01", 78.96)):
        found = claims.MEASURES[name](records)
        assert found.mean == pytest.approx(printed + shift) and found.reason.endswith("KL warm-up 5,000")
    assert claims.MEASURES["T2.1-07"](records).reason.endswith("KL warm-up 800")
    assert claims.MEASURES["T2.1-09"](records).reason == "16,000 of 200,000 iterations"  # no latent, no warm-up
    gaps = [changed(gap_record(), name, {"warm_up": n}, gap_nats=gap, gain_over_2500_nats=gain, gain_over_100_nats=gain)
            for name, n, gap, gain in (("as_described", 800, 0.6, 0.01), (sizes.WARMED, 5_000, 0.7, 0.03))]  # fmt: skip
    assert claims.MEASURES["C05"](gaps).values == (0.7,) and word("C06", gaps) == "fails"
    assert claims.MEASURES["C33b"](gaps).values == pytest.approx((0.03,))


def test_a_longer_warm_up_is_no_recipe_where_the_row_has_a_longer_one_or_other_data():
    """Paper scale's own warm-up is 10,000; and no variant brings another test set."""
    paper = rows()
    records = [*paper, changed(paper[-1], sizes.WARMED, {"warm_up": 5_000}, nll_bound_nats=70.0)]
    assert claims.MEASURES["T2.1-13"](records).values == (79.58,)
    *short, longer = two_recipes("gated_pixelvae")
    elsewhere = dataclasses.replace(longer, data=longer.data | {"name": "mnist"})
    assert claims.MEASURES["T2.1-13"]([*short, elsewhere]).values == (79.58,)
    assert claims.MEASURES["T2.1-13"]([longer]).values == (80.58,)


@pytest.mark.parametrize("shift", [2.0, -2.0])
def test_a_row_takes_the_tuned_recipe_whichever_is_better(shift):
    """With or without the recipe between; the higher rate is named wherever a number of it stands."""
    short = rows(steps=16_000, warm_up=800)
    cnn, best = short[2], short[4]
    for others in ([], two_recipes("gated_pixelvae")[5:]):
        records = [tuned(cnn, shift), tuned(best, shift), *short, *others]
        found = claims.MEASURES["T2.1-13"](records)
        assert found.mean == pytest.approx(79.58 + shift)
        assert found.reason.endswith("16,000 of 200,000 iterations, KL warm-up 5,000, learning rate 0.003")
        assert claims.MEASURES["T2.1-09"](records).values == pytest.approx((80.10 + shift,))
        assert claims.MEASURES["T2.1-09"](records).reason.endswith("iterations, learning rate 0.003")
        assert "learning rate" not in claims.MEASURES["T2.1-07"](records).reason
        # The row with upsampling has not run by it: the two stand side by side as described.
        assert claims.MEASURES["C04"](records).values == pytest.approx((-0.44,))
        assert "learning rate" not in claims.MEASURES["C04"](records).reason
    paper = [*rows(), tuned(best, shift)]
    assert claims.MEASURES["T2.1-13"](paper).values == (79.58,)  # a shorter training counts less than the whole one


def test_the_tuned_recipe_leaves_out_rows_with_features_of_z_beside_the_image():
    """Its higher rate kills these nets; which they are is read from the nets themselves."""
    bits, small = np.zeros((4, 28, 28, 1), np.uint8), {"layers": 1, "width": 2}
    nets = {
        "conv_vae": models.ConvVAE(bits, latent=2, width=2),
        "pixelvae": models.PixelVAE(bits, latent=2, **small),
        "gated_pixelcnn": models.GatedPixelCNN(bits, **small),
        "gated_pixelvae_up": models.GatedPixelVAE(bits, latent=2, upsample=True, **small),
        "gated_pixelvae": models.GatedPixelVAE(bits, latent=2, upsample=False, **small),
    }
    beside = {model for model, net in nets.items() if getattr(net, "upsampler", None) is not None}
    assert beside == set(sizes.UPSAMPLED)


def test_nets_that_the_tuned_rate_kills_are_left_out_whatever_records_there_are():
    """Of the PixelVAEs of the figures the one without masked layers lives; the PixelCNNs and the VAEs do, too."""
    nets = [changed(r, sizes.TUNED, {"iterations": 16_000}) for r in [*sweep(), *planes(), *rows()]]
    kept = {
        (r.experiment, r.settings["model"], r.settings["key"].get("layers"))
        for name in ("layers", "latents", "likelihoods")
        for r in selection.chosen(nets, experiment=name, variant=sizes.TUNED)
    }
    depths = {r.settings["key"]["layers"] for r in sweep()}
    rest = {("likelihoods", model, None) for model in set(sizes.ROWS) - set(sizes.UPSAMPLED)}
    assert (
        kept
        == {("layers", "pixelcnn", n) for n in depths} | {("layers", "pixelvae", 0), ("latents", "vae", None)} | rest
    )
    (longer,) = selection.by_length(nets, experiment="layers")
    assert len(longer) == len(depths) + 1 and word("C10", nets) == "not run"


def test_each_recipe_is_the_one_before_with_one_change():
    options = {"vae": {"warm_up": 0}, "cnn": {}}
    warmed, tuned = runs.warmed(16_000, options), runs.tuned(16_000, options)
    assert warmed == {"vae": {"iterations": 16_000, "warm_up": 5_000}, "cnn": {"iterations": 16_000}}
    assert tuned == {model: changes | {"learning_rate": 3e-3} for model, changes in warmed.items()}
    assert runs.warmed(40_000, options)["vae"]["warm_up"] == 10_000


def test_two_rows_side_by_side_have_one_recipe():
    """C04, C07: both longer or both short; C03: the PixelCNN has no warm-up and stands beside either."""
    one, two = two_recipes("gated_pixelvae_up"), two_recipes("gated_pixelvae_up", "gated_pixelvae", shift=2.0)
    for name, records, printed in (("C04", one, -0.44), ("C04", two, -0.44), ("C03b", one, 80.02 + 1.0 - 80.10)):
        assert claims.MEASURES[name](records).values == pytest.approx((printed,))
    assert "KL warm-up 800" in claims.MEASURES["C04"](one).reason
    assert "KL warm-up 5,000" in claims.MEASURES["C04"](two).reason
    mixed = two_recipes("conv_vae")
    assert claims.MEASURES["C07"](mixed).values == pytest.approx((6.77,))
    assert claims.MEASURES["C07"](mixed).text == "conv_vae 87.41, pixelvae 80.64"
    warmed = [again(r, sizes.WARMED, shift, warm_up=5_000) for r, shift in zip(mixed[:2], (2.0, 0.5), strict=True)]
    both = claims.MEASURES["C07"]([*mixed[:5], *warmed])
    assert both.values == pytest.approx((8.27,)) and both.text.endswith("; as described 87.41 and 80.64, so 6.77")
    assert claims.MEASURES["C01b"](two).values == pytest.approx((-0.52,))
    assert claims.MEASURES["C01b"](two_recipes(*LATENT, shift=2.0)).values == pytest.approx((80.96 - 80.10,))


def test_controlled_pairs_have_one_warm_up():
    """C04b: equal options, the warm-up too; of two such pairs that with the longer one."""
    up, best = rows(-2.0, equal=True, steps=16_000, warm_up=800)[3:]
    warmed = [changed(r, sizes.WARMED, {"warm_up": 5_000}, nll_bound_nats=n) for r, n in ((up, 82.0), (best, 81.5))]
    assert claims.MEASURES["C04b"]([up, best, warmed[0]]).values == pytest.approx((77.58 - 80.02,))
    assert claims.MEASURES["C04b"]([up, best, *warmed]).values == pytest.approx((-0.5,))
    assert word("C04b", [up, warmed[1]]) == "undecided"


def test_the_order_against_the_pixelcnn_asks_for_printed_sizes_and_its_twin_for_equal_ones():
    equal = rows(equal=True)
    found = claims.MEASURES["C03"](equal)
    assert not found.values and "width 16 (not 64)" in found.reason and "(not 32) in gated_pixelcnn" in found.reason
    assert word("C03b", equal) == "undecided" and word("C03c", rows()) == word("C03d", rows()) == "undecided"
    assert claims.MEASURES["C03c"](equal).values == pytest.approx((79.48 - 80.10,))
    assert claims.MEASURES["C03d"](equal).values == pytest.approx((80.02 - 80.10,))
    clear = [dataclasses.replace(r, metrics=r.metrics | {"nll_nats": 85.0}) if "nll_nats" in r.metrics else r
             for r in equal]  # fmt: skip
    assert word("C03c", clear) == word("C03d", clear) == "holds"
    shorter = [dataclasses.replace(clear[2], settings=clear[2].settings | {
        "options": clear[2].settings["options"] | {"iterations": 16_000}}), clear[3]]  # fmt: skip
    assert word("C03c", shorter) == "undecided"


# --- Rules on the authors' own numbers --------------------------------------------------------------------------------


def test_printed_rank_correlations_are_those_of_the_printed_bars():
    for name, part in (("C11", "KL"), ("C11b", "REC")):
        rho = stats.spearmanr(figures.THEIRS, figures.theirs(part)).statistic
        assert CLAIMS[name].printed_value == round(rho, 2), rho


def test_the_authors_numbers_fail_our_reading_of_comparable():
    """C15 with the row of 80.10: no bar up to 13 layers is within 0.5 nats, that of 21 is."""
    sums = dict(zip(figures.THEIRS, figures.theirs("SUM"), strict=True))
    assert [n for n, total in sums.items() if total <= 80.10 + 0.5] == [21]
    assert word("C15", sweep(cnn=lambda n: 80.10)) == "fails"


def test_the_headline_estimate_may_be_off_by_its_standard_error():
    """79.03 + SE: 79.19 with errors of 0.15 and 0.08, so 0.17, holds by three seeds; without errors it fails."""
    best = [dataclasses.replace(changed(r, "as_described", nll_estimate_nats=79.19), name=f"s{r.seed}")
            for seed in (1, 2, 3) for r in rows(seed=seed)[-1:]]  # fmt: skip
    errors = {"nll_bound_se_nats": 0.15, "gap_se_nats": 0.08}
    sure = [changed(r, "as_described", **errors) for r in best]
    assert claims.MEASURES["C01"](sure).values == pytest.approx((79.02,) * 3)
    assert word("C01", best) == "fails" and word("C01", sure) == "holds"
    assert word("C01", best[:1]) == word("C01", sure[:1]) == "not separated"


def test_a_conditional_net_of_another_depth_is_not_judged():
    def labelled(layers):
        return [fake("labels", "conditional", options={"layers": layers}, agreement=0.95)]

    assert word("C44", labelled(12)) == "holds"
    reason = "measured 0.9500 with layers 4 (not 12) in conditional"
    assert verdict(CLAIMS["C44"], claims.MEASURES["C44"](labelled(4))) == ("undecided", reason)


def test_looks_say_nothing_of_nats_and_depth_0_stands_alone():
    for name in ("C41", "C41b", "C19c"):
        assert "exact" not in verdict(CLAIMS[name], claims.MEASURES[name](sweep()))[1]
    assert "exact for the PixelCNN" in verdict(CLAIMS["C08"], claims.MEASURES["C08"](sweep()))[1]
    assert {r.settings["model"] for r in claims.MEASURES["C10"](sweep()).records} == {"pixelvae"}
    shallow_wins = sweep(cnn=lambda n: 70.0 if n == 0 else 90.0)
    assert claims.MEASURES["C08b"](shallow_wins).values == pytest.approx((70.0 - 87.68,))
    assert word("C08b", shallow_wins) == "fails" and word("C08", shallow_wins) == "holds"


# --- Tables and figures -----------------------------------------------------------------------------------------------


def lengths_of(record, *lengths):
    return [changed(record, f"tuned_{n}", {"iterations": n, "warm_up": min(10_000, 5 * n // 16)}) for n in lengths]


def test_lengths_mix_neither_scales_nor_sizes_and_take_the_warm_up_that_is_alike():
    short, warmed = at_cpu([two_recipes("gated_pixelvae")[i] for i in (4, 5)])
    paper = rows()[-1]
    others = lengths_of(short, 4_000, 40_000)
    wide = changed(others[0], "tuned_8000", {"iterations": 8_000, "width": 32})
    trained = tables.trained_for([paper, short, warmed, *others, wide])
    assert {model: [(r.scale, r.steps, selection.warm_up(r)) for r in runs] for model, runs in trained.items()} == {
        "gated_pixelvae": [("cpu", 4_000, 1_250), ("cpu", 16_000, 5_000), ("cpu", 40_000, 10_000)]
    }
    assert tables.trained_for([paper, *others[:1]]) == {} == tables.trained_for([short, warmed])
    ends = {model: [changed(r, "as_described", {"decay": True}) for r in runs] for model, runs in trained.items()}
    assert figures.learning_rates(trained) == "the learning rate is constant"
    assert figures.learning_rates(ends) == "the learning rate ends at 0, whatever the length"
    both = {"conv_vae": trained["gated_pixelvae"], **ends}
    assert figures.learning_rates(both) == "the learning rate ends at 0 for Gated, no upsampling alone"


def test_figures_take_the_longest_trainings_that_have_all_their_nets():
    """Never two lengths together: A.2 needs three nets, Figure 2.5 both of one seed."""
    short, longer = sweep(steps=2_000), [changed(r, sizes.WARMED, {"iterations": 16_000}) for r in sweep()]
    deep = [r for r in longer if place(r) in figures.A_2]
    for found, steps in ((deep, 16_000), (deep[:-1], 2_000), ([], 2_000)):
        nets = selection.longest_group([*short, *found], place, figures.A_2, experiment="layers")
        assert set(nets) == set(figures.A_2) and {r.steps for r in nets.values()} == {steps}
    plane = [changed(r, sizes.WARMED, {"iterations": 16_000}) for r in planes(seeds=(1, 2, 3))]
    ones = [dataclasses.replace(r, steps=3_000) for r in planes(seeds=(1, 2, 3))]
    later = [r for r in plane if r.seed == 2 or r.settings["model"] == "vae"]
    for found, where in ((later, (16_000, 2)), (plane[:1], (3_000, 1))):
        nets = selection.longest_group(
            [*ones, *found], lambda r: r.settings["model"], figures.PLANES, experiment="latents", latent=2
        )
        assert set(nets) == {"vae", "pixelvae"} and {(r.steps, r.seed) for r in nets.values()} == {where}


def place(record):
    return record.settings["model"], record.settings["key"]["layers"]


def test_pages_say_warm_up_width_and_length(tmp_path):
    """table_2_1 and its notes, warm_up, differences, and the captions of what is drawn."""
    rng = np.random.default_rng(0)
    bits = (rng.random((50, 28, 28, 1)) < 0.2).astype(np.uint8) * np.uint8(255)
    quality = {"ess_median": 280.0, "ess_smallest": 1.7, "estimate_draws": 1_000.0, "gain_over_500_nats": 0.0064,
               "gap_nats": 0.6, "gap_se_nats": 0.05}  # fmt: skip
    records, longer = [], [changed(r, sizes.WARMED, {"iterations": 16_000, "warm_up": 5_000}) for r in sweep()]
    best = two_recipes("gated_pixelvae")
    for r in at_cpu([*best, tuned(best[4], 0.5), *sweep(steps=2_000, width=16), *longer]):
        path = f"scores/{r.experiment}/{r.name}.npz"
        scores = {"nll" if "nll_nats" in r.metrics else "bound": rng.normal(80, 20, 100)}
        save_scores(tmp_path / path, samples=bits, originals=bits, reconstructions=bits, **scores)
        more = {"parameters": 1.0, "reconstruction_agreement": 0.5, "train_nats": 79.0} | (
            quality if "nll_estimate_nats" in r.metrics else {}
        )
        records.append(dataclasses.replace(r, files={"scores": path}, metrics=r.metrics | more))
    tables.make(records, tmp_path)
    folder = tmp_path / "ahmed_ch2"

    def lines(name):
        return list(csv.reader((folder / f"{name}.csv").open(encoding="utf-8")))[1:]

    best = lines("table_2_1")[-1]
    assert best[0] == "Gated PixelVAE without upsampling" and [best[3], best[5]] == ["80.08", "79.46"]
    notes = (folder / "table_2_1.md").read_text(encoding="utf-8")
    assert (
        "ESS of 1,000 draws: smallest 1.7, median 280; 1,000 draws gain 0.006 nats over 500; KL warm-up 5,000" in notes
    )
    assert "KL warm-up 800 of 16,000 iterations" in notes
    assert [line[:6] for line in lines("recipes")] == [
        ["Gated PixelVAE without upsampling", "800", "0.001", "79.58", "78.96", "9"],
        ["Gated PixelVAE without upsampling", "5,000", "0.001", "80.58", "79.96", "9"],
        ["Gated PixelVAE without upsampling", "5,000", "0.003", "80.08", "79.46", "9"],
        ["Gated PixelVAE without upsampling, printed", "10,000", "0.001", "≤79.58", "~78.96", ""],
    ]
    warm = {line[0]: line[-2] for line in lines("differences")}
    pair = {line[0]: [*map(float, line[1:3]), line[7]] for line in lines("differences")}
    assert pair["Gated PixelCNN - Gated PixelVAE without upsampling"] == [80.10, 80.58, sizes.WARMED]
    assert pair["Gated PixelVAE - Gated PixelVAE without upsampling"] == [80.02, 79.58, "as_described"]
    assert warm["Gated PixelCNN - Gated PixelVAE without upsampling"] == "5,000"
    assert warm["Gated PixelVAE - Gated PixelVAE without upsampling"] == "800"
    assert not (folder / "other_bits_and_variants.csv").exists()
    captions = {path.stem: caption_of(path) for path in folder.glob("*.png")}
    assert "KL warm-up 5,000" in captions["figure_a_3"] and "16,000 iterations" in captions["figure_a_2"]
    shown = (
        "Width 16; cpu scale, binarized_mnist. Lines in (a), bars in (b): 2,000 iterations. Hollow circles and squares"
    )
    assert shown in captions["figure_2_4"] and "21 layers (80.31) is left out of (a)" in captions["figure_2_4"]
    assert captions["samples"].endswith("5,000, learning rate 0.003 (Gated, no upsampling).")


def test_figure_2_4_is_there_whichever_recipe_has_run(tmp_path):
    """Claims take any recipe, so its table and figure do: here those with the longer warm-up, and a plain VAE after."""
    save_scores(tmp_path / "scores.npz", samples=np.zeros((4, 28, 28, 1), np.uint8))
    nets = [dataclasses.replace(r, files={"scores": "scores.npz"}) for r in at_cpu(sweep(width=16))]
    warmed = [changed(r, sizes.WARMED, {"iterations": 16_000, "warm_up": 5_000}) for r in nets]
    tuned = [changed(r, sizes.TUNED, {"iterations": 30_000, "warm_up": 5_000}) for r in nets[:1]]
    folder = tmp_path / "ahmed_ch2"
    for records, last in ((warmed, ["12", "16,000"]), (warmed + tuned, ["0", "30,000"])):
        tables.make(records, tmp_path)
        lines = list(csv.DictReader((folder / "figure_2_4.csv").open(encoding="utf-8")))
        assert [lines[-1]["layers"], lines[-1]["iterations"]] == last and lines[0]["iterations"] == "16,000"
        caption = caption_of(folder / "figure_2_4.png")
        assert "Lines in (a), bars in (b): 16,000 iterations, KL warm-up 5,000." in caption
        assert ("Hollow circle, plain VAE: 30,000 iterations" in caption) == (len(records) > len(warmed))


def test_a_pair_stands_in_a_grey_frame():
    images = np.zeros((2, 4, 9, 1), np.uint8)
    tiles = 255 - figures.framed(images)  # as on the page
    assert tiles.shape == (2, 6, 11, 1) and np.all(tiles[:, 1:-1, 1:-1] == 255)
    assert np.all(tiles[:, [0, -1]] == figures.FRAME) and np.all(tiles[:, :, [0, -1]] == figures.FRAME)
