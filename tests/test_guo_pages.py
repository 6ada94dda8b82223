"""Guo's tables and figures on synthetic records: the right numbers, and the author's curves beneath ours."""

import csv
import hashlib
from dataclasses import replace

import numpy as np
import pytest
from guo_toy import VARIANTS, write
from PIL import Image
from sklearn.decomposition import PCA

from common.reporting.figures import caption_of
from common.reporting.records import load_all, save_scores
from common.reporting.tables import with_spread
from reproductions.guo import author, chosen, figures, figures_frechet, pictures, tables, tables_logs, values

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


def test_collapse_has_every_gan_that_was_trained(results):
    trained = {f"{model}/{name}" for (script, model), names in VARIANTS.items() if script == "gan" for name in names}
    assert trained == {row["net"] for row in rows(results, "collapse") if row["net"].split("/")[0] in ("gan", "dcgan")}


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
              if (r["run"], r["loss"], r["epochs"]) == ("dcgan", "g_loss", "11 to 20"))  # fmt: skip
    theirs = author.by_epoch("dcgan", "g_loss")[10:20]
    ours = np.stack([chosen.curve(r, results, "g_loss")[10:20] for r in chosen.of_net(records, chosen.DCGAN)])
    assert [float(row[f"author, {end}"]) for end in ("lowest", "highest")] == [theirs.min(), theirs.max()]
    assert [float(row[f"ours, {end}"]) for end in ("lowest", "highest")] == pytest.approx([ours.min(), ours.max()])
    gap = (np.median(ours) - np.median(theirs)) / (theirs.max() - theirs.min())
    assert float(row["apart"]) == pytest.approx(gap, rel=1e-6) and gap < -1  # the toy's are of another size
    (trend,) = (r for r in rows(results, "author_trends") if (r["run"], r["loss"]) == ("dcgan", "g_loss"))
    assert float(trend["trend, ours"]) < -0.8 and trend["epochs"] == "20"  # the toy's curves fall


def test_windows_leave_no_epoch_out():
    for common in range(3, 201):
        found = tables_logs.windows(common)
        assert [epoch for first, last in found for epoch in range(first, last + 1)] == list(range(1, common + 1))
        assert min(last - first + 1 for first, last in found) >= tables_logs.FEWEST
    assert tables_logs.windows(2) == []


def test_losses_half_as_high_again_are_told_apart():
    theirs = np.array([1.0, 2, 3, 2])
    assert tables_logs.apart(theirs, theirs[None]) == 0
    assert tables_logs.apart(theirs, 1.5 * theirs[None]) == 0.5  # the median moves by 1, his range is 2 wide
    assert tables_logs.apart(np.ones(4), theirs) is None


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


def test_each_panel_of_figure_7_has_its_own_digit_in_colour(results, records, monkeypatch):
    kept = kept_figures(monkeypatch, pictures)
    record = chosen.of_net(records, chosen.VAE)[0]
    arrays = chosen.scores(record, results)
    pictures.latents(record, arrays, None)
    z = PCA(2).fit_transform(arrays["scatter_z"].astype(float))
    assert len(kept[0].axes) == 10
    for axis in kept[0].axes:
        others, own = axis.lines
        of_digit = arrays["scatter_labels"] == int(axis.get_title())
        np.testing.assert_allclose(own.get_xydata(), z[of_digit])
        np.testing.assert_allclose(others.get_xydata(), z[~of_digit])
        assert own.get_zorder() >= others.get_zorder() and own.get_color() != others.get_color()


def test_columns_of_figure_12_are_the_digits_asked_for(results, records, monkeypatch):
    """Pictures as bright as their digit, asked for in any order."""
    kept = []
    monkeypatch.setattr(pictures, "panels", lambda size, grids, *_: kept.extend(grids))
    record = chosen.of_net(records, chosen.CVAE)[0]
    asked = np.random.default_rng(0).permutation(np.arange(100) % 10)
    grid = np.uint8(np.ones((100, 28, 28)) * 20 * asked[:, None, None])
    arrays = {"grid_epochs": np.array([5, 10]), "grid_labels": asked, "grid_q1": grid, "grid_q2": grid[::-1]}
    pictures.cvae_gan_samples(record, arrays, None)
    (title, shown), (_, mixed) = kept
    assert title == "Epoch 5" and shown.shape == (10 * 30 - 2, 10 * 30 - 2)
    np.testing.assert_allclose(shown[14::30, 14::30], np.tile(np.arange(10) * 255 / 9, (10, 1)), atol=1)
    assert np.ptp(mixed[14::30, 14::30], axis=0).min() > 0


def test_panels_of_figure_13_are_of_one_scale(results, records, monkeypatch):
    kept = kept_figures(monkeypatch, pictures)
    record = chosen.of_net(records, chosen.CVAE)[0]
    pictures.styles_and_walks(record, chosen.scores(record, results), None)
    kept[0].canvas.draw()
    boxes = [axis.get_window_extent() for axis in kept[0].axes]
    rows = [axis.images[0].get_array().shape[0] for axis in kept[0].axes]
    assert rows == [298] * 3
    assert [box.height for box in boxes] == pytest.approx([boxes[0].height] * 3, rel=0.01)
    assert [box.y0 for box in boxes] == pytest.approx([boxes[0].y0] * 3, abs=1)


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


def kept_figures(monkeypatch, module):
    """A list that gets the figures of a module instead of files."""
    kept = []
    monkeypatch.setattr(module, "save_figure", lambda figure, *_: kept.append(figure))
    return kept


CURVES = {  # figure: (its function, where the author's numbers come from, his run, one of its losses, where ours do)
    "F1": (figures.gan_losses, "by_epoch", "gan", "g_loss", "stacked"),
    "F3": (figures.dcgan_losses, "by_epoch", "dcgan", "d_loss", "stacked"),
    "F5": (figures.faces_losses, "lines", "faces", "d_loss", "scores"),
    "F8": (figures.vae_losses, "by_epoch", "vae", "test_loss", "stacked"),
    "F11": (figures.cvae_gan_losses, "lines", "cvae_gan", "loss_G", "scores"),
}


@pytest.mark.parametrize("name", CURVES)
def test_a_drawing_is_the_same_twice(results, records, tmp_path, name):
    for again in ("a", "b"):
        CURVES[name][0](records, results, tmp_path / f"{again}.png")
    assert digest(tmp_path / "a.png") == digest(tmp_path / "b.png")


def doubled(found, name=None):
    """Arrays, or a dict of them: twice the losses, or twice the one of that name."""
    if not isinstance(found, dict):
        return 2 * found
    return {key: 2 * values if key == name or (name is None and key.startswith("step_") and key != "step_at")
            else values for key, values in found.items()}  # fmt: skip


@pytest.mark.parametrize("name", CURVES)
def test_curves_have_the_author_s_beneath_and_ours_on_top(results, records, monkeypatch, name):
    """Twice his numbers move his lines only, twice ours move ours; his are lower, thinner and paler, bands lowest."""
    drawing, source, run, loss, of_ours = CURVES[name]
    kept = kept_figures(monkeypatch, figures)

    def lines():
        drawing(records, results, None)
        return [line for axis in kept[-1].axes for line in axis.lines]

    def moved(after):
        pairs = zip(before, after, strict=True)
        return {his(a) for a, b in pairs if not np.array_equal(a.get_ydata(), b.get_ydata())}

    def his(line):
        return "the author" in line.get_label()

    before, real, real_of_ours = lines(), getattr(author, source), getattr(figures, of_ours)
    of_author = {"by_epoch": lambda r, n: real(r, n) * (2 if (r, n) == (run, loss) else 1),
                 "lines": lambda r: doubled(real(r), loss if r == run else "")}[source]  # fmt: skip
    monkeypatch.setattr(author, source, of_author)
    assert moved(lines()) == {True}
    monkeypatch.setattr(author, source, real)
    monkeypatch.setattr(figures, of_ours, lambda *arguments: doubled(real_of_ours(*arguments)))
    assert moved(lines()) == {False}
    for axis in kept[0].axes:
        theirs, ours = ([line for line in axis.lines if his(line) == which] for which in (True, False))
        assert ours
        for line in theirs:
            assert line.get_zorder() < min(other.get_zorder() for other in ours)
            assert line.get_linewidth() < min(other.get_linewidth() for other in ours)
            assert line.get_alpha() < 1 and all(other.get_alpha() is None for other in ours)
            assert all(band.get_zorder() < line.get_zorder() for band in axis.collections)


def test_a_line_of_distances_is_broken_where_nobody_looked():
    at, values = figures_frechet.broken([1, 3, 7, 22, 60], [5, 4, 3, 2, 1])
    np.testing.assert_array_equal(at, [1, 3, 7, np.nan, 22, 60])
    np.testing.assert_array_equal(values, [5, 4, 3, np.nan, 2, 1])


def test_distances_show_every_training_by_seed_and_length(tmp_path, monkeypatch):
    """Of three DCGANs one is longer; the rivals of both kinds of DCGAN stand beside them."""
    for seed in (1, 2):
        write(tmp_path, "gan", "dcgan", "as_code", seed, epochs=8)
    write(tmp_path, "gan", "dcgan", "as_code_40", 2, epochs=40)
    for variant in ("dcgan_settings", "radford_settings"):
        write(tmp_path, "gan", "gan", variant, 1, epochs=20)
    kept = kept_figures(monkeypatch, figures_frechet)
    figures_frechet.draw(load_all(tmp_path, "guo"), tmp_path)
    (axis,) = kept[0].axes  # nothing with a VAE in it was trained
    told = {line.get_label() for line in axis.lines if not line.get_label().startswith("_")}
    assert told == {"GAN, DCGAN's batch and rate, 20 epochs", "GAN, batch and beta1 as described, 20 epochs",
                    "DCGAN, as in the code, 8 epochs", "DCGAN, as in the code, 40 epochs"}  # fmt: skip
    of_dcgan = [line for line in axis.lines if line.get_color() == figures_frechet.ORANGE]
    marked = {(line.get_marker(), line.get_linestyle()) for line in of_dcgan}
    assert len(of_dcgan) == 3 and marked == {("o", ":"), ("s", ":"), ("s", "-")}


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
