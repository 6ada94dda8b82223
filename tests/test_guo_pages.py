"""Guo's tables and figures on synthetic records: the right numbers, and the author's curves beneath ours."""

import csv
import hashlib
from dataclasses import replace

import numpy as np
import pytest
from guo_toy import VARIANTS, write
from PIL import Image

from common.reporting.figures import caption_of
from common.reporting.records import load_all, save_scores
from common.reporting.tables import with_spread
from reproductions.guo import author, chosen, figures, pictures, tables, tables_logs, values

MAIN = (chosen.GAN, chosen.DCGAN, chosen.RADFORD, chosen.FACES, chosen.VAE, chosen.CVAE, chosen.BAO)
TABLES = ("samples", "collapse", "why_the_dcgan_collapses", "why_the_cvae_gan_collapses", "saturating_loss",
          "vae_blur", "faces", "gan_settings", "requested_digits", "author_vae_epochs", "author_ranges",
          "author_trends")  # fmt: skip
REPORT = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)  # the report's result figures


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """One seed of every variant, two of the main nets; all tables and figures."""
    folder = tmp_path_factory.mktemp("results")
    for (experiment, model), variants in VARIANTS.items():
        for variant in variants:
            for seed in (1, 2) if f"{experiment}/{model}/{variant}" in MAIN else (1,):
                write(folder, experiment, model, variant, seed)
    tables.make(load_all(folder, "guo"), folder)
    return folder


@pytest.fixture(scope="module")
def records(results):
    return load_all(results, "guo")


def rows(results, name):
    with open(results / "guo" / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_every_table_and_every_figure_of_the_report_is_made(results):
    assert {path.stem for path in (results / "guo").glob("*.csv")} == set(TABLES)
    drawn = {path.stem for path in (results / "guo").glob("*.png")}
    assert {int(name.split("_")[1]) for name in drawn if name.startswith("figure_")} == set(REPORT)


def test_figures_have_captions_that_name_the_run_and_fit_the_page(results):
    for path in (results / "guo").glob("*.png"):
        caption = caption_of(path)
        assert len(caption) > 40, path
        with Image.open(path) as image:
            assert image.width <= 1_700, path  # 8 inches at 200 dots, a little more for tight margins
        if path.stem.startswith("figure_0") and "samples" in path.stem:
            assert "20 of" in caption and "seed" in caption


def test_cells_are_means_and_spreads_of_the_records(results, records):
    values = [r.metrics["frechet"] for r in chosen.of_net(records, chosen.VAE)]
    (row,) = (row for row in rows(results, "samples") if row["net"] == "VAE")
    assert row["Fréchet"] == with_spread(np.mean(values), np.std(values, ddof=1)) and row["seeds"] == "2"
    (row,) = (row for row in rows(results, "vae_blur") if row["net"] == "32 latents")
    (record,) = chosen.of_net(records, "vae/vae/latent_32")
    assert row["edge variance"] == with_spread(record.metrics["edge_variance"], 0.0)


def test_the_author_stands_in_rows_of_his_own(results):
    found = {row["net"]: row for row in rows(results, "samples")}
    assert float(found["the author's DCGAN grid"]["H, nats"]) == author.grid("dcgan", 100)["label_entropy_nats"]
    assert found["the author's DCGAN grid"]["Fréchet"] == ""
    collapsed = [row for row in rows(results, "collapse") if row["net"] == "the author's dcgan grid"]
    assert [row["K by seed"] for row in collapsed] == ["3", "2"]


def test_collapse_counts_seeds(results, records):
    for record in chosen.of_net(records, chosen.DCGAN)[:1]:
        record.metrics["classes"] = 2
    (row,) = (row for row in tables.collapse(records).rows if row[0] == "dcgan/as_code")
    assert row[3] == "1 of 2" and row[5] == "2 10"


def test_the_longest_training_is_shown_and_the_short_ones_beside_its_changes(tmp_path):
    """Of three seeds of 8 epochs one was trained for 40: it alone is the net; changes of 8 epochs have all three."""
    for seed in (1, 2, 3):
        write(tmp_path, "gan", "dcgan", "as_code", seed, epochs=8)
    long = write(tmp_path, "gan", "dcgan", "as_code_40", 2, epochs=40)
    write(tmp_path, "gan", "dcgan", "saturating", 1, epochs=8)
    found = load_all(tmp_path, "guo")
    assert [r.name for r in chosen.best(found, chosen.DCGAN)] == [long.name]
    (net,) = (row for row in tables.samples(found).rows if row[0] == tables.NAMES[chosen.DCGAN])
    assert net[1:3] == [1, "40 (cpu)"]
    lengths = {row[0]: row[1:3] for row in tables.collapse(found).rows}
    assert lengths["dcgan/as_code"] == [3, "8 (cpu)"] and lengths["dcgan/as_code_40"] == [1, "40 (cpu)"]
    assert [row[1:3] for row in tables.saturating(found).rows] == [[3, "8 (cpu)"], [1, "8 (cpu)"]]
    assert [row[1:3] for row in tables.dcgan_ablation(found).rows] == [[3, "8 (cpu)"], [1, "40 (cpu)"], [1, "8 (cpu)"]]
    assert tables_logs.curves(found, tmp_path, "dcgan", "g_loss").shape == (1, 40)
    assert figures.lengths(found, {"it": chosen.DCGAN}) == "it: cpu scale, 40 of 100 epochs, 1 seed"
    figures.dcgan_losses(found, tmp_path, tmp_path / "losses.png")


def test_vae_epochs_are_set_beside_the_author_s_by_value(results, records):
    found = {(row["loss"], row["epoch"]): row for row in rows(results, "author_vae_epochs")}
    row = found["test_loss", "10"]
    curves = [chosen.scores(r, results)["curve_test_loss"][9] for r in chosen.of_net(records, chosen.VAE)]
    assert float(row["the author"]) == author.test_lines()["test_loss"][9] == 155.626
    assert float(row["ours"]) == pytest.approx(np.mean(curves), rel=1e-6)
    assert float(row["difference"]) == pytest.approx(np.mean(curves) - 155.626, rel=1e-5)
    assert ("test_loss", "50") not in found  # our run has 20 epochs


def test_adversarial_losses_are_set_beside_the_author_s_by_range_and_trend(results, records):
    (row,) = (r for r in rows(results, "author_ranges")
              if (r["run"], r["loss"], r["epochs"]) == ("dcgan", "g_loss", "16 to 20"))  # fmt: skip
    theirs = author.by_epoch("dcgan", "g_loss")[15:20]
    ours = np.stack([chosen.curve(r, results, "g_loss")[15:20] for r in chosen.of_net(records, chosen.DCGAN)])
    assert [float(row[f"author, {end}"]) for end in ("lowest", "highest")] == [theirs.min(), theirs.max()]
    assert [float(row[f"ours, {end}"]) for end in ("lowest", "highest")] == pytest.approx([ours.min(), ours.max()])
    assert row["they meet"] == "no"
    (trend,) = (r for r in rows(results, "author_trends") if (r["run"], r["loss"]) == ("dcgan", "g_loss"))
    assert float(trend["trend, ours"]) < -0.8 and trend["epochs"] == "20"  # the toy's curves fall


def test_faces_are_set_beside_the_author_s_by_updates(tmp_path):
    """Twenty epochs of 70 updates are six stretches of 216; a line of ours counts where its update lies."""
    record = write(tmp_path, "faces", "dcgan", "as_described", 1, epochs=20)
    arrays = chosen.scores(record, tmp_path)
    at = np.add.outer(70 * np.arange(20), (1, 51, 70)).ravel()
    arrays |= {name: at.astype(np.int32) for name in arrays if name.startswith("step_")}
    save_scores(tmp_path / record.files["scores"], **arrays)
    record = replace(record, steps=20 * 70)
    found = tables_logs.curves([record], tmp_path, "faces", "g_loss")
    want = [at[(at > low) & (at <= low + 216)].mean() for low in range(0, 6 * 216, 216)]
    np.testing.assert_allclose(found, [want])
    rows = [row for row in tables_logs.trends([record], tmp_path).rows if row[:2] == ["faces", "g_loss"]]
    assert rows[0][2] == 6 and rows[0][4] == pytest.approx(1)
    theirs = author.by_epoch("faces", "g_loss")
    assert rows[0][5:7] == pytest.approx([theirs[0], theirs[5]])


def test_the_ablation_shows_variety_over_right_digits(records, results):
    (row,) = (row for row in rows(results, "why_the_cvae_gan_collapses") if row["net"] == "described, without D")
    (record,) = chosen.of_net(records, "cvae_gan/cvae_gan/no_discriminator")
    ratio, _, right, kept = values.of_right_digits(record.metrics | chosen.scores(record, results))
    assert row["in right digits"] == f"{ratio:.2f} ({right} of {kept})"
    assert tables.whatever_is_asked() == pytest.approx(0.0674 / 0.0531, abs=1e-3)


def test_labels_that_would_cover_each_other_are_moved_apart():
    size = np.array([0.5, 0.25])
    places = np.array([[0.0, 0], [0.1, 0.0], [3, 3], [3, 3]])
    moved = pictures.apart(places, size)
    gaps = [np.hypot(*((moved[i] - moved[j]) / size)) for i in range(4) for j in range(i)]
    assert min(gaps) > 1 - 1e-6
    np.testing.assert_allclose(moved.mean(axis=0), places.mean(axis=0))
    np.testing.assert_array_equal(pictures.apart(places[::2], size), places[::2])  # far apart: left where they are


def test_another_training_in_figure_4_is_named(tmp_path):
    write(tmp_path, "gan", "dcgan", "as_code", 2, epochs=8)
    long = write(tmp_path, "gan", "dcgan", "as_code_40", 2, epochs=40)
    arrays = chosen.scores(long, tmp_path)
    for quarter in (1, 2, 3):
        del arrays[f"grid_q{quarter}"]
    save_scores(tmp_path / long.files["scores"], **arrays)
    pictures.draw(load_all(tmp_path, "guo"), tmp_path)
    caption = caption_of(tmp_path / "guo" / "figure_04_dcgan_samples.png")
    assert "Another training: as_code, cpu scale, seed 2, 8 of 100 epochs." in caption


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "drawing,run,name",
    [(figures.gan_losses, "gan", "g_loss"), (figures.dcgan_losses, "dcgan", "d_loss"),
     (figures.vae_losses, "vae", "test_loss")],
)  # fmt: skip
def test_curves_have_the_author_s_beneath_and_ours_on_top(results, records, tmp_path, monkeypatch, drawing, run, name):
    drawing(records, results, tmp_path / "a.png")
    drawing(records, results, tmp_path / "again.png")
    assert digest(tmp_path / "a.png") == digest(tmp_path / "again.png")
    real = author.by_epoch
    monkeypatch.setattr(author, "by_epoch", lambda r, n: real(r, n) * (1.05 if (r, n) == (run, name) else 1))
    drawing(records, results, tmp_path / "theirs.png")
    monkeypatch.setattr(author, "by_epoch", real)
    stacked = figures.stacked
    monkeypatch.setattr(figures, "stacked", lambda *a: stacked(*a) * 1.05)
    drawing(records, results, tmp_path / "ours.png")
    assert len({digest(tmp_path / f"{n}.png") for n in ("a", "theirs", "ours")}) == 3


def test_grids_are_the_records_pictures(results, records):
    (first, *_) = chosen.of_net(records, chosen.GAN)
    arrays = chosen.scores(first, results)
    grids = pictures.quarters(arrays, 100)
    assert [title for title, _ in grids] == ["Epoch 5", "Epoch 10", "Epoch 15", "Epoch 20"]  # quarters of 20 epochs
    last = grids[-1][1]
    np.testing.assert_array_equal(last[:28, 30:58], arrays["grid_q4"][1])  # eight a row, a pitch of 30
    np.testing.assert_array_equal(last[30:58, :28], arrays["grid_q4"][8])


def test_a_training_of_one_epoch_is_drawn_too(tmp_path):
    for experiment, model, variant in (("gan", "dcgan", "as_code"), ("vae", "vae", "as_code")):
        write(tmp_path, experiment, model, variant, 1, scale="smoke", epochs=1)
    tables.make(load_all(tmp_path, "guo"), tmp_path)
    assert (tmp_path / "guo" / "figure_04_dcgan_samples.png").exists()
    assert (tmp_path / "guo" / "figure_08_vae_losses.png").exists()


def test_stretching_takes_a_whole_grid_from_black_to_white():
    images = np.array([[[50, 100]], [[75, 150]]], np.uint8)
    np.testing.assert_allclose(pictures.stretched(images), [[[0, 0.5]], [[0.25, 1]]])
    assert pictures.stretched(np.full((1, 2, 2), 7, np.uint8)).max() == 0


def test_what_has_no_record_is_left_out(results, records, tmp_path):
    tables.make([], tmp_path)
    assert not list(tmp_path.rglob("*"))
    only_vae = chosen.of_net(records, chosen.VAE)
    assert tables.faces(only_vae) is None and tables.dcgan_ablation(only_vae) is None
    assert {row[0] for row in tables.samples(only_vae).rows[:1]} == {"VAE"}
    assert tables_logs.by_range(only_vae, results) is None
