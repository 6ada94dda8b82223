"""Fréchet distance by epoch, of every training: how fast the nets come near the test digits (claim 42)."""

from pathlib import Path

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from common.reporting.figures import COLOURS, plt, save_figure, style
from reproductions.guo import chosen
from reproductions.guo.chosen import BAO, CVAE, DCGAN, GAN, RADFORD, VAE, best, scores, variant
from reproductions.guo.figures import lengths

BLUE, ORANGE, GREEN, PINK, SKY, RED, _, BLACK = COLOURS
RACES = (  # a panel each: {words: (net, colour)}
    {
        "GAN": (GAN, BLUE), "GAN, DCGAN's batch and rate": (variant(GAN, "dcgan_settings"), SKY),
        "GAN, batch and beta1 as described": (variant(GAN, "radford_settings"), BLACK),
        "DCGAN, as in the code": (DCGAN, ORANGE), "DCGAN, as described": (RADFORD, RED),
    },
    {"VAE": (VAE, GREEN), "CVAE-GAN, as in the code": (CVAE, PINK), "CVAE-GAN, as described": (BAO, BLACK)},
)  # fmt: skip
MARKS = {"o": "circles", "s": "squares", "^": "triangles", "D": "diamonds", "X": "crosses"}  # of seeds 1, 2, 3 ...
GAP = 3  # times the epoch of a measurement; the next one is not joined to it beyond that


def draw(records, results_dir: str | Path) -> None:
    """frechet_by_epoch.png: the two DCGANs and their rivals of claim 42; beside them what has a VAE in it."""
    nets = {words: net for panel in RACES for words, (net, _) in panel.items()}
    runs = [r for net in nets.values() for r in best(records, net, chosen.trainings)]
    shown = [panel for panel in RACES if any(best(records, net) for net, _ in panel.values())]
    if not shown:
        return
    with style():
        figure, axes = plt.subplots(1, len(shown), figsize=(8, 5.8), sharex=True, sharey=True, squeeze=False)
        for axis, panel in zip(axes[0], shown, strict=True):
            for words, (net, colour) in panel.items():
                trainings(axis, best(records, net, chosen.trainings), results_dir, words, colour)
            axis.set(xlabel="epoch", xscale="log", yscale="log")
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
            for scale in (axis.xaxis, axis.yaxis):
                scale.set_major_formatter("{x:g}")
                scale.set_minor_formatter(NullFormatter())
            axis.legend(fontsize=9, handlelength=3, loc="upper left", bbox_to_anchor=(-0.1, -0.13))
        axes[0, 0].set_ylabel("Fréchet distance, judge features")
        seeds = ", ".join(f"{seed} {MARKS[mark_of(seed)]}" for seed in sorted({r.seed for r in runs}))
        caption = (
            "Fréchet distance to the test digits by epoch, of fewer samples than in the tables; one line a training, "
            f"seeds: {seeds}, where it was measured (of exported trainings the quarters or less). A line is broken "
            f"where nothing was measured up to {GAP} times the epoch. {lengths(records, nets, chosen.trainings)}."
        )
        judges = chosen.judges(runs)
        caption += f" By {judges}: lines of two judges are some per cent apart for that." if judges else ""
        save_figure(figure, Path(results_dir) / "guo" / "frechet_by_epoch.png", caption)


def mark_of(seed: int) -> str:
    return list(MARKS)[(seed - 1) % len(MARKS)]


def trainings(axis, runs, results_dir, words, colour):
    """Every training of one net: the longest with full lines, shorter ones dotted; a label for each length."""
    longest, told = max(map(chosen.epochs, runs), default=0), set()
    for record in runs:
        arrays, count = scores(record, results_dir), chosen.epochs(record)
        label = None if count in told else f"{words}, {count} epochs"
        told.add(count)
        axis.plot(*broken(arrays["frechet_epochs"], arrays["frechet_curve"]), "-" if count == longest else ":",
                  color=colour, label=label, linewidth=1.4, marker=mark_of(record.seed), markersize=3.5)  # fmt: skip


def broken(epochs, values) -> tuple[np.ndarray, np.ndarray]:
    """Both with NaN wherever the next epoch is more than GAP times as late: a line there would show what nobody saw."""
    epochs, values = np.asarray(epochs, float), np.asarray(values, float)
    gaps = np.flatnonzero(epochs[1:] > GAP * epochs[:-1]) + 1
    return np.insert(epochs, gaps, np.nan), np.insert(values, gaps, np.nan)
