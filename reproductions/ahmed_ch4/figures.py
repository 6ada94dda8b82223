"""Three figures from records and scores: printed against measured, score histograms, precision-recall curves."""

from pathlib import Path

import numpy as np

from common.reporting.figures import COLOURS, plt, save_figure, style
from reproductions.ahmed_ch4.claims_formulas import printed
from reproductions.ahmed_ch4.selection import DIGITS

NAMES = {
    "vae": "VAE, -ELBO", "pixelcnn": "PixelCNN, -log p", "pixelvae": "PixelVAE, -ELBO", "dcgan": "DCGAN, -logit",
    "trivial": "mixture, no network",
}  # fmt: skip
CURVES = {  # (model, score): (label, colour, line)
    ("vae", "elbo"): ("VAE", COLOURS[0], "-"),
    ("pixelcnn", "nll"): ("PixelCNN", COLOURS[3], "-"),
    ("pixelvae", "elbo"): ("PixelVAE", COLOURS[1], "-"),
    ("dcgan", "logit"): ("DCGAN", COLOURS[5], "-"),
    ("trivial", "mixture"): ("mixture", COLOURS[2], "--"),
    ("trivial", "ink"): ("ink", COLOURS[7], ":"),
}


def printed_and_measured(cells, others, path: str | Path, note: str = "", trained: str = "") -> Path:
    """AUPR of every held-out digit: printed (hollow) and measured (filled, 95 % over test images), a panel a model.

    cells: {model: {digit: record}}; others: {model: {digit: records of other seeds}}, drawn as crosses; trained: in
    what those differ.
    """
    with style():
        columns, lines = min(3, len(cells)), -(-len(cells) // 3)
        figure, axes = plt.subplots(lines, columns, figsize=(8, 0.8 + 2.8 * lines), sharey=True, squeeze=False)
        for axis in axes.flat[len(cells) :]:
            axis.set_axis_off()
        for axis, (model, found) in zip(axes.flat, cells.items(), strict=False):
            digits = np.array(list(found))
            prevalence = [found[d].metrics["prevalence"] for d in digits]
            axis.plot(digits, prevalence, "_", color="#888888", markersize=14, label="guessing")
            if model != "trivial":
                axis.plot(DIGITS, printed("t41", model, DIGITS), "D", mfc="white", color=COLOURS[1], label="printed")
            low, mid, high = (
                np.array([found[d].metrics[k] for d in digits]) for k in ("aupr_low", "aupr", "aupr_high")
            )
            errors = np.maximum([mid - low, high - mid], 0)
            axis.errorbar(digits, mid, errors, fmt="o", markersize=5, color=COLOURS[0], label="measured")
            more = [(d, r.metrics["aupr"]) for d, records in others.get(model, {}).items() for r in records]
            if more:
                axis.plot(*zip(*more, strict=True), "x", color="black", markersize=5, label="other seeds")
            axis.set(title=NAMES[model], xlabel="held-out digit", xticks=list(DIGITS), xlim=(-0.5, 9.5))
        for axis in axes[:, 0]:
            axis.set(ylabel="AUPR, per cent", ylim=(0, None))
        entries = {}
        for axis in axes.flat:
            entries |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
        figure.legend(entries.values(), entries, loc="outside lower center", ncols=len(entries), fontsize=9)
        crosses = f" Crosses: other seeds of a cell. {trained}" if any(others.values()) else ""
        caption = (
            "AUPR of each held-out digit, printed and measured; bars: 95 % bootstrap intervals over test images, of "
            f"one training.{crosses} {note}"
        )
        return save_figure(figure, path, caption)


def histograms(scores, model: str, path: str | Path, note: str = "", wanted=(1, 2)) -> Path:
    """Scores of the held-out digit and of the rest, two digits, of the VAE or of the mixture: {digit: arrays}."""
    name, label = {"vae": ("elbo", "-ELBO, nats"), "trivial": ("mixture", "-log p, nats")}[model]
    digits = [d for d in wanted if d in scores] or sorted(scores)[:2]
    with style():
        figure, axes = plt.subplots(1, len(digits), figsize=(8, 3.4), sharey=True, squeeze=False)
        for axis, digit in zip(axes[0], digits, strict=True):
            values, held_out = scores[digit][name], scores[digit]["label"] == digit
            bins = np.linspace(*np.quantile(values, (0.001, 0.999)), 50)
            axis.hist(values[~held_out], bins, density=True, color=COLOURS[4], label="nine other digits")
            axis.hist(values[held_out], bins, density=True, histtype="step", lw=2, color=COLOURS[5], label="held out")
            axis.set(title=f"digit {digit} held out", xlabel=label)
        axes[0, 0].set_ylabel("density")
        axes[0, -1].legend(fontsize=9)
        caption = (
            f"Scores of the test images ({NAMES[model]}): the held-out digit against the nine that were trained on. "
            f"{note}"
        )
        return save_figure(figure, path, caption)


def curves(scores, path: str | Path, note: str = "", wanted=(0, 1, 2, 7)) -> Path | None:
    """Precision against recall for some held-out digits, every model that has a score; guessing as a line."""
    digits = [d for d in wanted if any(d in found for found in scores.values())]
    digits = digits or sorted({d for found in scores.values() for d in found})[:4]
    if not digits:
        return None
    with style():
        figure, axes = plt.subplots(1, len(digits), figsize=(8, 3.0), sharey=True, squeeze=False)
        handles = {}
        for axis, digit in zip(axes[0], digits, strict=True):
            for (model, name), (label, colour, line) in CURVES.items():
                arrays = scores.get(model, {}).get(digit)
                if arrays is None:
                    continue
                positive = arrays["label"] == digit
                (handles[label],) = axis.plot(*curve(arrays[name], positive), line, color=colour, label=label, lw=1.5)
                handles["guessing"] = axis.axhline(100 * positive.mean(), color="#888888", lw=1)
            axis.set(title=f"digit {digit}", xlabel="recall, %", xlim=(0, 100), ylim=(0, 102), xticks=(0, 40, 80))
        axes[0, 0].set_ylabel("precision, %")
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), fontsize=9)
        return save_figure(figure, path, f"Precision and recall of the held-out digit, per cent. {note}".strip())


def curve(values, positive, points: int = 400):
    """(recall, precision) in per cent at `points` thresholds of falling score, equal scores together."""
    order = np.argsort(-values, kind="stable")
    hits, ordered = np.cumsum(positive[order]), values[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(values) - 1)
    recall, precision = hits[ends] / hits[-1], hits[ends] / (ends + 1)
    kept = np.unique(np.searchsorted(recall, np.linspace(0, 1, points)).clip(max=len(ends) - 1))
    return 100 * recall[kept], 100 * precision[kept]
