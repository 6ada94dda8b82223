"""Figures 2 and 3 of the text and the appendix as a picture, drawn from records only."""

from pathlib import Path

import numpy as np

from common.reporting.figures import plt, save_figure, style
from common.reporting.records import Record, load_scores
from reproductions.doersch.laws import SMOOTH_LAWS


def figure_2(record: Record, results_dir: str | Path, path: str | Path) -> Path:
    """Fig. 2: draws of N(0, I) and what z/10 + z/|z| makes of them; `record` of formulas.py."""
    scores = load_scores(Path(results_dir) / record.files["scores"])
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(8, 4.1))
        panels = (("z ~ N(0, I)", scores["fig2_normal"], 3.6), ("g(z) = z/10 + z/|z|", scores["fig2_ring"], 1.6))
        for axis, (title, points, reach) in zip(axes, panels, strict=True):
            axis.scatter(*points.T, s=4, alpha=0.6, linewidths=0)
            axis.set(title=title, xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        return save_figure(
            figure, path, "Fig. 2: a normal law in the plane, and the ring that a simple map makes of it."
        )


def figure_3(record: Record, results_dir: str | Path, path: str | Path) -> Path:
    """Fig. 3: a digit, the digit with a gap, the digit shifted by half a pixel; `record` of distances.py."""
    images = load_scores(Path(results_dir) / record.files["scores"])["fig3"]
    defect, shift = record.metrics["c02_figure_defect"], record.metrics["c02_figure_shift"]
    titles = ("(a) the digit", f"(b) distance {defect:.4f}", f"(c) distance {shift:.4f}")
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(8, 3.1))
        for axis, image, title in zip(axes, images, titles, strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            axis.set(title=title, xticks=[], yticks=[])
            axis.grid(False)
        caption = (
            f"Fig. 3 rebuilt on {record.data['name']}: (b) has a gap, (c) is (a) half a pixel down and right. Squared "
            "distances to (a), relative to the digit's own squared length; the text prints .0387 and .2693 unscaled."
        )
        return save_figure(figure, path, caption)


def appendix(record: Record, path: str | Path) -> Path:
    """D1 and D2 against sigma for five laws, with the predicted c sigma^2 and c4 sigma^4; `record` of appendix.py."""
    sigmas = np.array(record.settings["options"]["sigmas"])
    panels = (("d1", "c", 2, "D1: encoder's error"), ("d2", "c4", 4, "D2: model's error"))
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(8, 4.3))
        for axis, (name, constant, power, title) in zip(axes, panels, strict=True):
            for number, law in enumerate(SMOOTH_LAWS):
                values = [record.metrics[f"c13_{name}_s{s:g}_{law.name}"] for s in sigmas]
                predicted = record.metrics[f"c13_rate_{constant}_{law.name}"] * sigmas**power
                axis.loglog(
                    sigmas, values, "osD^v"[number], color=f"C{number}", mfc="none", label=law.name.replace("_", " ")
                )
                axis.loglog(sigmas, predicted, color=f"C{number}", linewidth=1, alpha=0.7)
            axis.set(title=f"{title}, slope {power}", xlabel="sigma", ylabel="nats")
        axes[0].legend(fontsize=9)
        caption = (
            "Appendix A: both errors of the hand-built one-dimensional VAE against sigma (points), and the leading "
            "term of their expansion (lines). Normal laws have no curvature and still err."
        )
        return save_figure(figure, path, caption)
