"""Figures 7 and 8 of the text, the sweep over the size of z and the loss curves, drawn from records only."""

from pathlib import Path

import numpy as np

from common.reporting.figures import image_grid, plt, save_figure, save_image, style
from common.reporting.records import load_scores
from reproductions.doersch.claims_lengths import shortened
from reproductions.doersch.selection import chosen

ON, OFF = (1.0, 0.75, 0.5), (0.5, 0.5, 1.0)  # the author's colours of a lit and an unlit pixel of the given column
LABELS = {"vae": "VAE", "cvae": "CVAE", "regressor": "regressor", "half_cvae": "CVAE, half digit",
          "half_regressor": "regressor, half digit"}  # fmt: skip


def draw(records, results_dir: str | Path) -> None:
    """All figures for which there are records, into <results>/doersch."""
    folder = Path(results_dir) / "doersch"
    for variant in ("as_described", "as_code"):
        net = {
            model: next(iter(chosen(records, experiment="digits", model=model, variant=variant)), None)
            for model in LABELS
        }
        if net["vae"]:
            figure_7(net["vae"], results_dir, folder / f"figure_7_{variant}.png")
        if net["cvae"] and net["regressor"]:
            for noise in ("code", "right"):
                figure_8(net["cvae"], net["regressor"], results_dir, noise, folder / f"figure_8_{variant}_{noise}.png")
        if any(net.values()):
            curves(net, results_dir, folder / f"losses_{variant}.png")
    sweep(records, folder / "latent_sizes.png")


def figure_7(record, results_dir, path):
    """Fig. 7: 100 samples, 10 x 10, row by row, 2 white pixels between them; what is shown are means of P(X|z)."""
    images = load_scores(Path(results_dir) / record.files["scores"])["fig7"]
    save_image(
        image_grid(images, 10, 2), path,
        f"Fig. 7: 100 samples of the VAE ({record.settings['variant']}, {record.scale} scale), as means of P(X|z).",
        zoom=2,
    )  # fmt: skip


def figure_8(cvae, regressor, results_dir, noise, path):
    """Fig. 8: completions of the CVAE and of the regressor, and the truth; 15 x 4 test digits, one given column.

    noise "code": the author's drawing: column noise up to 2, and 27 columns shown, the one after the given is dropped.
    "right": noise up to 1, as in training, and all 28 columns.
    """
    scores = [load_scores(Path(results_dir) / r.files["scores"]) for r in (cvae, regressor)]
    column, truth = scores[0][f"fig8_{noise}_column"], scores[0]["fig8_truth"]
    place, drop = truth.shape[2] // 2 - 1, noise == "code"
    tiles = [with_column(found[f"fig8_{noise}"], column, place, drop) for found in scores]
    true_rest = np.delete(truth, place, axis=2)
    grids = [image_grid(images, 15, 2) for images in (*tiles, with_column(true_rest, column, place, drop))]
    titles = ("(a) CVAE, one z each", "(b) regressor", "(c) truth")
    with style():
        figure, axes = plt.subplots(3, 1, figsize=(8, 7.2))
        for axis, grid, title in zip(axes, grids, titles, strict=True):
            axis.imshow(grid, aspect="equal")
            axis.set(title=title, xticks=[], yticks=[])
            axis.grid(False)
            axis.spines[:].set_visible(False)
        how = (
            "as the author drew it: noise up to 2, so columns twice as dark as in training, and one column dropped"
            if drop
            else "put right: noise up to 1, as in training, and all columns"
        )
        caption = (
            f"Fig. 8 ({cvae.settings['variant']}, {cvae.scale} scale), {how}. Given: the coloured column (orange lit, "
            "blue unlit)."
        )
        save_figure(figure, path, caption)


def with_column(rest, column, place, drop):
    """Grey images [N, H, W - 1] with the given binary column [N, H] coloured in its place: uint8 [N, H, W, 3].

    drop: leave out the column after it, as every version of the author's drawing does.
    """
    colours = np.rint(255 * np.where(column[..., None] > 0, ON, OFF)).astype(np.uint8)  # [N, H, 3]
    grey = np.repeat(rest[..., None], 3, axis=3)
    after = grey[:, :, place + drop :]
    return np.concatenate([grey[:, :, :place], colours[:, :, None], after], axis=2)


def curves(net, results_dir, path):
    """Training loss of each net after each epoch."""
    with style():
        figure, axis = plt.subplots()
        for model, record in net.items():
            if record:
                scores = load_scores(Path(results_dir) / record.files["scores"])
                name = "curve_negative_elbo" if "curve_negative_elbo" in scores else "curve_cross_entropy"
                axis.plot(np.arange(1, len(scores[name]) + 1), scores[name], label=LABELS[model])
        axis.set(
            xlabel="epoch",
            ylabel="nats an image",
            xscale="log",
            title="Training loss, the penalty of weight decay left out",
        )
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("")
        axis.legend(fontsize=9)
        variants = {r.settings["variant"] for r in net.values() if r}
        caption = (
            f"Training loss ({', '.join(variants)}): -ELBO of VAE and CVAE, cross-entropy of the regressors. VAE 784 "
            "pixels, column nets 756, half nets 392: levels compare only within a task."
        )
        save_figure(figure, path, caption)


def sweep(records, path):
    """-ELBO on test images and Fréchet distance of samples against the size of z, for both kinds of initial weights."""
    series = {init: chosen(records, experiment="latents", model=init, variant="as_described") for init in LABEL_OF_INIT}
    if not any(series.values()):
        return
    panels = (("test_negative_elbo_nats", "-ELBO, nats"), ("test_kl_nats", "KL, nats"), ("frechet", "Fréchet distance"))
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(8, 3.4))
        for axis, (metric, title) in zip(axes, panels, strict=True):
            for (init, found), mark in zip(series.items(), "os", strict=True):
                points = {}
                for r in found:
                    points.setdefault(r.settings["key"]["latent"], []).append(r.metrics[metric])
                sizes = sorted(points)
                if sizes:
                    axis.plot(sizes, [np.mean(points[s]) for s in sizes], mark + "-", label=LABEL_OF_INIT[init])
            axis.set(title=title, xlabel="latent dimensions", xscale="log")
        axes[0].legend(fontsize=8)
        found = [r for records in series.values() for r in records]
        seeds = max(len({r.seed for r in records}) for records in series.values())
        lengths = sorted({length for r in found if (length := shortened(r))})
        caption = "; ".join([f"Section 4.1: the size of z, {seeds} seed{'s' * (seeds > 1)}", *lengths])
        slower = "Slower is not yet worse: claims C23 to C27 ask for whole trainings."
        save_figure(figure, path, f"{caption}. {slower}")


LABEL_OF_INIT = {"he": "He", "sparse15": "sparse 15"}
