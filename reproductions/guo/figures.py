"""Curves: F1, F3, F5, F8 and F11 of the report with the author's own beneath ours; shares of digits, and the
demonstration of section 3.2. Drawn from records only.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from common.reporting.figures import COLOURS, plt, save_figure, style
from common.reporting.records import select
from reproductions.guo import author, chosen
from reproductions.guo.chosen import BAO, CVAE, DCGAN, FACES, GAN, RADFORD, VAE, VAE_TEXT, best, scores

BLUE, ORANGE, GREEN, PINK = COLOURS[:4]
TINY = 5e-5  # half of the last digit that the author printed; a loss of 0.0000 is drawn there on a logarithmic axis
# The author's curve lies beneath ours, paler and thinner, so that ours is seen where the two meet; both on the bands.
OURS, BENEATH = {"linewidth": 1.5, "zorder": 3}, {"linewidth": 0.9, "zorder": 2, "alpha": 0.6}
OUR_STEPS, HIS_STEPS = OURS | {"linewidth": 0.9}, BENEATH | {"linewidth": 0.5}  # thousands of points on one page


def draw(records, results_dir: str | Path) -> None:
    """All curves for which there are records, into <results>/guo."""
    folder = Path(results_dir) / "guo"
    gan_losses(records, results_dir, folder / "figure_01_gan_losses.png")
    dcgan_losses(records, results_dir, folder / "figure_03_dcgan_losses.png")
    faces_losses(records, results_dir, folder / "figure_05_faces_losses.png")
    vae_losses(records, results_dir, folder / "figure_08_vae_losses.png")
    cvae_gan_losses(records, results_dir, folder / "figure_11_cvae_gan_losses.png")
    algorithm_losses(records, results_dir, folder / "figure_11_as_described.png")
    digit_shares(records, results_dir, folder / "shares_of_digits.png")
    demonstration(records, results_dir, folder / "section_3_2_convolutions.png")


def data_of(runs) -> str:
    """ "MNIST", or the name of the set that stands in for it."""
    return "MNIST" if runs[0].data["name"] == "mnist" else runs[0].data["name"]


def length(runs) -> str:
    """ "cpu scale, 20 of 100 epochs, 3 seeds": how long our runs are beside the author's; of each length they have."""
    counts = Counter(chosen.length(r) for r in runs)
    shown = [f"{told}, {seeds} seed{'s' * (seeds > 1)}" for told, seeds in counts.items()]
    return f"{runs[0].scale} scale, {' and '.join(shown)}"


def lengths(records, nets, of=chosen.furthest) -> str:
    """ "GAN: cpu scale, ...; VAE: ...": the `length` of every net {words: net} that has records. of: as in `best`."""
    runs = {words: best(records, net, of) for words, net in nets.items()}
    return "; ".join(f"{words}: {length(found)}" for words, found in runs.items() if found)


def stacked(runs, results_dir, name) -> np.ndarray:
    """Curves of all seeds, [seeds, epochs], at the author's moments."""
    found = [chosen.curve(r, results_dir, name) for r in runs]
    return np.stack([values[: min(map(len, found))] for values in found])


def ours(axis, runs, results_dir, name, label, colour, line="-"):
    """Mean over seeds with the range between them, by epoch."""
    curves = stacked(runs, results_dir, name)
    at = np.arange(1, curves.shape[1] + 1)
    axis.plot(at, curves.mean(axis=0), line, color=colour, label=label, **OURS)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(curves) > 1:
        axis.fill_between(at, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.3, linewidth=0, zorder=1)


def theirs(axis, run, name, label, colour, floor=None):
    """The author's curve by epoch."""
    values = author.by_epoch(run, name)
    values = values if floor is None else np.maximum(values, floor)
    axis.plot(np.arange(1, len(values) + 1), values, color=colour, label=label, **BENEATH)


def single_steps(axis, record, results_dir, name, label, colour, floor=None):
    """One loss of one run at the author's moments, by training step."""
    arrays = scores(record, results_dir)
    values = arrays[f"step_{name}"].astype(float)
    values = values if floor is None else np.maximum(values, floor)
    axis.plot(arrays["step_at"], values, color=colour, label=label, **OUR_STEPS)


def his_steps(axis, run, name, label, colour, floor=None):
    """The author's printed lines by training step."""
    lines = author.lines(run)
    at = lines["epoch"] * author.STEPS_AN_EPOCH[run] + lines["step"] + 1
    values = lines[name] if floor is None else np.maximum(lines[name], floor)
    axis.plot(at, values, color=colour, label=label, **HIS_STEPS)


def gan_losses(records, results_dir, path):
    """F1: losses of the GAN by epoch."""
    runs = best(records, GAN)
    if not runs:
        return
    with style():
        figure, axis = plt.subplots(figsize=(8, 4))
        for name, label, colour in (("d_loss", "discriminator", BLUE), ("g_loss", "generator", ORANGE)):
            theirs(axis, "gan", name, f"{label}, the author", colour)
            ours(axis, runs, results_dir, name, f"{label}, ours", colour)
        axis.set(xlabel="epoch", ylabel="loss, nats", title=f"GAN on {data_of(runs)} ({length(runs)})", ylim=(0, None))
        axis.legend(fontsize=9, ncols=2)
        caption = "Fig. F1: losses of the GAN, each epoch's last batch, the author's and ours; bands: range over seeds."
        save_figure(figure, path, caption)


def dcgan_losses(records, results_dir, path):
    """F3: losses of the DCGAN on digits by epoch, as in the code and as described."""
    nets = {"as in the code": best(records, DCGAN), "as described": best(records, RADFORD)}
    nets = {words: runs for words, runs in nets.items() if runs}
    if not nets:
        return
    with style():
        figure, axes = plt.subplots(1, len(nets), figsize=(8, 4), sharey=True, squeeze=False)
        for axis, (words, runs) in zip(axes[0], nets.items(), strict=True):
            for name, label, colour in (("d_loss", "discriminator", BLUE), ("g_loss", "generator", ORANGE)):
                if words == "as in the code":
                    theirs(axis, "dcgan", name, f"{label}, the author", colour)
                ours(axis, runs, results_dir, name, f"{label}, ours", colour)
            axis.set(xlabel="epoch", yscale="log", title=f"{words}\n({length(runs)})")
            axis.legend(fontsize=8)
        axes[0, 0].set_ylabel("loss, nats")
        caption = (
            "Fig. F3: losses of the DCGAN on digits, one batch a point; bands: range over seeds. The author's rise for "
            "G and vanish for D to the end; the network that the text describes only we have trained."
        )
        save_figure(figure, path, caption)


def faces_losses(records, results_dir, path):
    """F5: losses of the DCGAN on faces by iteration: as far as ours goes, and the author's whole training."""
    runs = best(records, FACES)
    if not runs:
        return
    panels = (("g_loss", "generator", ORANGE, 12), ("d_loss", "discriminator", BLUE, 4.5))
    with style():
        figure, axes = plt.subplots(2, 2, figsize=(8, 4.3), sharex="col", sharey="row")
        for row, (name, label, colour, top) in zip(axes, panels, strict=True):
            for axis in row:
                single_steps(axis, runs[0], results_dir, name, "ours", colour)
                his_steps(axis, "faces", name, "the author, every 50 iterations", COLOURS[7])
            row[0].set(ylabel=f"{label}, nats", ylim=(0, top), xlim=(0, runs[0].steps))
            row[1].legend(fontsize=9, loc="upper right")
        axes[0, 0].set_title("as far as ours goes")
        axes[0, 1].set_title("to the author's end")
        for axis in axes[1]:
            axis.set_xlabel("iteration")
        figure.suptitle(f"DCGAN on faces ({length(runs[:1])}; stand-in data)", fontsize=11)
        names = [name for name, *_ in panels]
        highest = [scores(runs[0], results_dir)[f"step_{name}"].max() for name in names]
        caption = (
            f"Fig. F5: losses of the DCGAN on faces, cut at {panels[0][3]} and {panels[1][3]} (the first lines are "
            "higher: the author's generator reaches {:.1f}, his discriminator {:.1f}, ours {:.1f} and {:.1f}). {}"
        ).format(*(author.lines("faces")[name].max() for name in names), *highest, chosen.steps_an_epoch(records))
        save_figure(figure, path, caption)


def vae_losses(records, results_dir, path):
    """F8: training and test loss of the VAE by epoch."""
    runs, slow = best(records, VAE), best(records, VAE_TEXT)
    if not runs:
        return
    with style():
        figure, axis = plt.subplots(figsize=(8, 4.5))
        for name, label, colour in (("loss", "training", BLUE), ("test_loss", "test", ORANGE)):
            theirs(axis, "vae", name, f"{label}, the author", colour)
            ours(axis, runs, results_dir, name, f"{label}, ours (lr 1e-3)", colour)
        if slow:
            label = f"test, ours, the text's lr 1e-4, seeds: {len(slow)}"
            ours(axis, slow, results_dir, "test_loss", label, GREEN, "--")
        his_last = author.by_epoch("vae", "test_loss")[-1]
        low = min(author.by_epoch("vae", "loss").min(), stacked(runs, results_dir, "loss").min()) - 2
        axis.set(xlabel="epoch", ylabel="-ELBO, nats an image", title=f"VAE on {data_of(runs)} ({length(runs)})")
        axis.set_ylim(min(low, his_last - 10), 180)
        axis.legend(fontsize=9)
        save_figure(
            figure, path, "Fig. F8: training and test loss of the VAE with two latents; bands: range over seeds."
        )


def cvae_gan_losses(records, results_dir, path):
    """F11: losses of the CVAE-GAN of the code by iteration, two panels."""
    runs = best(records, CVAE)
    if not runs:
        return
    panels = ((("loss_D", "discriminator", BLUE), ("loss_C", "classifier", GREEN)), (("loss_G", "E and G", ORANGE),))
    with style():
        figure, axes = plt.subplots(2, 1, figsize=(8, 6), sharex=True)
        for axis, losses in zip(axes, panels, strict=True):
            for name, label, colour in losses:
                his_steps(axis, "cvae_gan", name, f"{label}, the author", colour, TINY)
                single_steps(axis, runs[0], results_dir, name, f"{label}, ours", colour, TINY)
            axis.set(ylabel="loss", yscale="log")
            axis.legend(fontsize=9, ncols=4, handlelength=1.5, columnspacing=1.5, borderaxespad=0.1,
                        loc="lower left", bbox_to_anchor=(0, 1))  # fmt: skip
        figure.suptitle(f"CVAE-GAN as in the code ({length(runs[:1])})", fontsize=11)
        axes[1].set_xlabel("iteration")
        caption = (
            "Fig. F11: losses of the CVAE-GAN of the code. The author's 0.0000 are drawn at .00005, ours cut there."
        )
        save_figure(figure, path, caption)


def algorithm_losses(records, results_dir, path):
    """The same for the algorithm that the report describes: losses of the four players."""
    runs = best(records, BAO)
    if not runs:
        return
    with style():
        figure, axis = plt.subplots(figsize=(8, 4))
        players = (("loss_D", "D", BLUE), ("loss_C", "C", GREEN), ("loss_G", "G", ORANGE), ("loss_E", "E", PINK))
        for name, label, colour in players:
            ours(axis, runs, results_dir, name, label, colour)
        axis.set(xlabel="epoch", ylabel="loss", yscale="log", title=f"CVAE-GAN as described ({length(runs)})")
        axis.legend(fontsize=9, ncols=4)
        caption = (
            "Fig. F11, as described: losses of the four players of the report's algorithm, which the author did not "
            "train."
        )
        save_figure(figure, path, caption)


def digit_shares(records, results_dir, path):
    """Shares of the digits among the samples: real, the author's grids, and every seed of ours."""
    rows = [("the author's GAN, epoch 200", shares_of_grid("gan", 200))]
    rows += shares_by_seed("GAN", best(records, GAN))
    rows += [(f"the author's DCGAN, epoch {epoch}", shares_of_grid("dcgan", epoch)) for epoch in (50, 100)]
    rows += shares_by_seed("DCGAN as in the code", best(records, DCGAN, chosen.trainings))
    rows += shares_by_seed("DCGAN as described", best(records, RADFORD))
    if len(rows) < 4:
        return
    values = 100 * np.array([shares for _, shares in rows])
    with style():
        figure, axis = plt.subplots(figsize=(8, 0.8 + 0.36 * len(rows)))
        axis.imshow(values, cmap="Blues", vmin=0, vmax=75, aspect="auto")
        for (i, j), share in np.ndenumerate(values):
            axis.text(
                j, i, f"{share:.0f}", ha="center", va="center", color="white" if share > 40 else "black", fontsize=9
            )
        axis.set(xticks=range(10), yticks=range(len(rows)), yticklabels=[name for name, _ in rows], xlabel="digit")
        axis.grid(False)
        axis.spines[:].set_visible(False)
        nets = {"GAN": GAN, "DCGAN as in the code": DCGAN, "DCGAN as described": RADFORD}
        caption = (
            "Per cent of the samples by digit: of the author's grids by nearest neighbours, of ours by the judge. "
            f"{lengths(records, nets, chosen.trainings)}."
        )
        save_figure(figure, path, caption)


def shares_of_grid(run, epoch) -> list[float]:
    return [author.grid(run, epoch)[f"share_{digit}"] for digit in range(10)]


def shares_by_seed(net, runs) -> list[tuple[str, list[float]]]:
    """A row a seed of `digit_shares`: its name, and the shares of the ten digits."""
    return [
        (f"{net}, seed {r.seed}, epoch {chosen.epochs(r)}", [r.metrics[f"share_{digit}"] for digit in range(10)])
        for r in runs
    ]


def demonstration(records, results_dir, path):
    """Section 3.2: zeros inserted, the fractionally strided and the wide convolution of one map with one kernel."""
    found = select(records, experiment="formulas")
    if not found:
        return
    arrays = scores(found[0], results_dir)
    panels = (
        ("demo_input", "input"), ("demo_kernel", "kernel"), ("demo_wide", "wide: every overlap"),
        ("demo_zeros_inserted", "zeros inserted, stride 2"),
        ("demo_fractional", "fractionally strided: wide after zeros"),
    )  # fmt: skip
    with style():
        figure = plt.figure(figsize=(8, 5.6))
        places = [(0, 0, 2), (0, 2, 2), (0, 4, 2), (1, 0, 3), (1, 3, 3)]
        grid = figure.add_gridspec(2, 6)
        for (name, title), (i, j, width) in zip(panels, places, strict=True):
            axis, values = figure.add_subplot(grid[i, j : j + width]), arrays[name]
            axis.imshow(values, cmap="cividis", vmin=0)
            for (y, x), value in np.ndenumerate(values):
                bright = value > 0.6 * values.max()
                axis.text(
                    x, y, f"{value:.2g}", ha="center", va="center", fontsize=8, color="black" if bright else "white"
                )
            axis.set(title=f"{title}\n{len(values)} x {len(values)}", xticks=[], yticks=[])
            axis.grid(False)
        caption = (
            "Section 3.2: a wide and a fractionally strided convolution of one 3 x 3 map with one 3 x 3 kernel. With "
            "stride 1 no zeros are inserted and the two are the same."
        )
        save_figure(figure, path, caption)
