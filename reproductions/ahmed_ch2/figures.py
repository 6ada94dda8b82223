"""Figures 2.4, 2.5, A.2 and A.3 and the sample sheets, drawn from records only."""

from pathlib import Path

import numpy as np
from matplotlib import patheffects

from common.reporting.figures import COLOURS, image_grid, plt, save_figure, style
from common.reporting.records import load_scores
from reproductions.ahmed_ch2.captions import claims, of_nets, origin, scale_and_data, schedules, where_trained
from reproductions.ahmed_ch2.selection import nll, schedule, span, warm_up
from reproductions.ahmed_ch2.sizes import FULL

THEIRS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 21)
CLASSES = (*COLOURS[:6], "#882255", "#999999", "#000000", "#999933")  # ten, told apart by shape too
MARKS = "osD^vPX<>*"
TITLES = {
    "conv_vae": "Convolutional VAE", "pixelvae": "PixelVAE", "gated_pixelcnn": "Gated PixelCNN",
    "gated_pixelvae_up": "Gated PixelVAE", "gated_pixelvae": "Gated, no upsampling",
}  # fmt: skip
PRINTED = {  # claims of the printed exact numbers or bounds
    "conv_vae": "T2.1-07", "pixelvae": "T2.1-08", "gated_pixelcnn": "T2.1-09", "gated_pixelvae_up": "T2.1-11",
    "gated_pixelvae": "T2.1-13",
}  # fmt: skip


A_2 = {("pixelvae", 2): "PixelVAE, 2 layers", ("pixelcnn", 4): "PixelCNN, 4 layers",
       ("pixelcnn", 2): "PixelCNN, 2 layers"}  # fmt: skip
FIELDS = {("pixelvae", 2): "FA.2-01", ("pixelcnn", 4): "FA.2-02", ("pixelcnn", 2): "FA.2-03"}  # claims of Figure A.2
PLANES = {"vae": "VAE", "pixelvae": "PixelVAE"}
CUT = 0.002  # quantile of a latent at which a panel of Figure 2.5 ends
FRAME = 150  # grey of frames and of the lines between two images that belong together


def arrays_of(record, results_dir) -> dict[str, np.ndarray]:
    """What a record keeps beside its numbers."""
    return load_scores(Path(results_dir) / record.files["scores"])


def draw_rows(rows, results_dir) -> None:
    """Figure A.3 and the samples of the rows of Table 2.1, {model: records}."""
    folder = Path(results_dir) / "ahmed_ch2"
    if "gated_pixelvae" in rows:
        record = rows["gated_pixelvae"][0]
        figure_a_3(arrays_of(record, results_dir), folder / "figure_a_3.png", origin(record))
    sheets = [(TITLES[model], arrays_of(found[0], results_dir)["samples"]) for model, found in rows.items()]
    if sheets:
        note = f"Samples of the rows of Table 2.1. {of_nets({TITLES[m]: found[0] for m, found in rows.items()})}"
        side_by_side(sheets, folder / "samples.png", note)


def draw_layers(sweeps, sheets, results_dir) -> None:
    """Figure 2.4 and, of `sheets`, Figure A.2; each set of nets is {(model, depth): record}.

    sweeps: nets of one recipe each; the first are drawn as lines and bars, of the others those of the most depths.
    """
    folder = Path(results_dir) / "ahmed_ch2"
    if sweeps:
        figure_2_4(sweeps[0], max(sweeps[1:], key=len, default={}), folder / "figure_2_4.png")
    if sheets:
        nets = {A_2[key]: record for key, record in sheets.items()}
        note = f"Figure A.2: samples; field: the printed receptive field. {of_nets(nets)}"
        fields = {key: claims()[claim_id].printed_value for key, claim_id in FIELDS.items()}
        shown = [
            (f"{A_2[key]}: field {fields[key]:.0f}", arrays_of(sheets[key], results_dir)["samples"])
            for key in A_2 if key in sheets
        ]  # fmt: skip
        side_by_side(shown, folder / "figure_a_2.png", note)


def draw_plane(codes, planes, results_dir) -> None:
    """Figure 2.5 of `codes`, {model: record} of one seed; its caption has all seeds of that length among `planes`."""
    if codes:
        first = next(iter(codes.values()))
        plane = [r for r in planes if r.settings["key"]["latent"] == 2]
        alike = [r for r in plane if r.settings["variant"] == first.settings["variant"]]
        nets = {model: (r, arrays_of(r, results_dir)) for model, r in codes.items()}
        trained = where_trained({PLANES[m]: [r for r in alike if r.settings["model"] == m] for m in PLANES})
        figure_2_5(nets, Path(results_dir) / "ahmed_ch2/figure_2_5.png", errors_of_all(alike), trained)


def draw_labels(labels, results_dir) -> None:
    """Class-conditional samples of the first of `labels`, a column a class."""
    if not labels:
        return
    sheet, options = arrays_of(labels[0], results_dir)["samples"], labels[0].settings["options"]
    classes = len(sheet) // min(8, options["per_class"])
    note = (
        f"Class-conditional samples, a column a class, 0 to {classes - 1}; {options['layers']} layers of "
        f"{options['width']} maps. "
        f"A judge sees the wanted class in {100 * labels[0].metrics['agreement']:.0f} %. {origin(labels[0])}"
    )
    by_column = sheet.reshape(classes, -1, *sheet.shape[1:]).swapaxes(0, 1).reshape(sheet.shape)
    path = Path(results_dir) / "ahmed_ch2/by_class.png"
    side_by_side([("", by_column)], path, note, columns=classes, above=range(classes))


def learning_rates(trained) -> str:
    """How the learning rate ends, of {model: records}, from the records."""
    ending = [TITLES[m] for m, runs in trained.items() if all(r.settings["options"]["decay"] for r in runs)]
    if len(ending) == len(trained):
        return "the learning rate ends at 0, whatever the length"
    return f"the learning rate ends at 0 for {', '.join(ending)} alone" if ending else "the learning rate is constant"


def theirs(name) -> np.ndarray:
    """The authors' development numbers of a bar (KL, REC, SUM) by THEIRS, nats."""
    return np.array([claims()[f"F2.4b-{name}-L{depth:02d}"].printed_value for depth in THEIRS])


def figure_2_4(nets, longer, path) -> Path:
    """(a) bound and exact NLL by depth; (b) KL and reconstruction stacked, the authors' as hollow bars beside ours.

    longer: the nets that were trained longer; (a) has them as hollow marks.
    """
    vae, cnn = ({n: r for (m, n), r in nets.items() if m == model} for model in ("pixelvae", "pixelcnn"))
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.8))
        if vae:
            left.plot(list(vae), [r.metrics["nll_bound_nats"] for r in vae.values()], "o-", label="PixelVAE, bound")
        if cnn:
            left.plot(list(cnn), [r.metrics["nll_nats"] for r in cnn.values()], "s-", label="PixelCNN, exact")
        for model, metric, mark, colour in (("pixelvae", "nll_bound_nats", "o", 0), ("pixelcnn", "nll_nats", "s", 1)):
            found = {n: r for (m, n), r in longer.items() if m == model}
            if found:
                said = called(model, found)
                values = [r.metrics[metric] for r in found.values()]
                left.plot(list(found), values, mark, color=COLOURS[colour], mfc="white", ms=7, label=said)
        left.plot(
            THEIRS[:-1], theirs("SUM")[:-1], "D:", color=COLOURS[7], mfc="white", ms=4, label="PixelVAE, authors'"
        )
        left.set(title="(a) test NLL", xlabel="PixelCNN layers", ylabel="nats", xticks=range(0, 14, 2))
        left.legend(fontsize=9)
        bars(right, vae)
        records = list(nets.values())
        caption = (
            "Figure 2.4: (a) bound of the PixelVAE and exact NLL of the PixelCNN, (b) KL and reconstruction, by the "
            "number of masked layers; 0: a plain VAE and a bare 7x7 layer. "
            f"{small_kl(vae)}Width {span([r.settings['options']['width'] for r in records])}; "
            f"{scale_and_data(records[0])} Lines in (a), bars in (b): "
            f"{schedules(records)}.{hollow(longer)} Authors' (KL hatched): their plot script; their "
            f"point at {THEIRS[-1]} layers ({theirs('SUM')[-1]:.2f}) is left out of (a)."
        )
        return save_figure(figure, path, caption)


def called(model, found) -> str:
    """Legend of longer trained nets of one model, {depth: record}: without a masked layer a PixelVAE is a plain VAE."""
    name = "plain VAE" if model == "pixelvae" and set(found) == {0} else PLANES.get(model, "PixelCNN")
    first = next(iter(found.values()))
    rate = [f"\n{part}" for part in schedule([first]) if part.startswith("learning rate")]
    return ",".join([f"{name}, {first.steps:,} iterations", *rate])


def hollow(longer) -> str:
    """What the hollow marks of (a) are: " Hollow circle, plain VAE: 16,000 iterations, ...."; "" where none is."""
    drawn = [
        mark + "s" * (len(found) > 1) + ", plain VAE" * (model == "pixelvae" and set(found) == {0})
        for mark, model in (("circle", "pixelvae"), ("square", "pixelcnn"))
        if (found := {n for m, n in longer if m == model})
    ]
    return f" Hollow {' and '.join(drawn)}: {schedules(list(longer.values()))}." if drawn else ""


def small_kl(vae) -> str:
    """ "Ours from 1 layer on have a KL of .02 to .50 nats, too small to see. " if so, else ""."""
    found = [r.metrics["kl_nats"] for depth, r in vae.items() if depth]
    if not found or max(found) > 1:
        return ""
    return f"Ours from 1 layer on have a KL of {min(found):.2f} to {max(found):.2f} nats, too small to see. "


def bars(axis, vae):
    """Stacked bars by depth; without a PixelVAE the authors' alone."""
    depths = list(vae) or list(THEIRS[:-1])
    places = np.arange(len(depths))
    their = {name: dict(zip(THEIRS, theirs(name), strict=True)) for name in ("KL", "REC")}
    kl, rec = ([their[name].get(d, np.nan) for d in depths] for name in ("KL", "REC"))
    axis.bar(places + 0.21, rec, 0.38, fill=False, ec=COLOURS[7], label="reconstruction, authors'")
    axis.bar(places + 0.21, kl, 0.38, bottom=rec, fill=False, ec=COLOURS[7], hatch="///", label="KL, authors'")
    if vae:
        kl, rec = ([r.metrics[m] for r in vae.values()] for m in ("kl_nats", "reconstruction_nats"))
        axis.bar(places - 0.21, rec, 0.38, color=COLOURS[4], label="reconstruction")
        axis.bar(places - 0.21, kl, 0.38, bottom=rec, color=COLOURS[1], label="KL")
    axis.set(title="(b) cost", xlabel="PixelCNN layers", ylabel="nats", xticks=places, xticklabels=depths)
    axis.set_ylim(0, axis.get_ylim()[1] * 1.25)
    axis.legend(fontsize=8, ncols=2, loc="upper center")


def errors_of_all(planes) -> str:
    """ "Mean of 3 seeds: VAE 27.5 % wrong (29.6, 28.9, 24.0); ...": k = 5, in the plane; of a single seed nothing."""
    said = []
    for model, name in PLANES.items():
        each = [r.metrics["neighbour_error_5"] for r in planes if r.settings["model"] == model]
        if len(each) > 1:
            shown = ", ".join(f"{error:.1f}" for error in each)
            said.append(f"{name} {np.mean(each):.1f} % wrong on average over {len(each)} seeds ({shown})")
    return "; ".join(said)


def apart(places, least=0.08, rounds=300):
    """Places [N, 2] pushed from one another until any two are `least` apart, so that no label hides another."""
    places = np.array(places, float)
    for _ in range(rounds):
        for i in range(len(places)):
            for j in range(i):
                step = places[i] - places[j]
                size = np.hypot(*step)
                if size < least:
                    push = (least - size) / 2 * (step / size if size else np.array([1.0, 0.0]))
                    places[i] += push
                    places[j] -= push
    return places


def labels_of(axis, codes, label) -> None:
    """Each digit at the median of its codes, or beside it with a line to it, outlined in white."""
    digits = np.unique(label)
    middles = np.array([np.median(codes[label == digit], axis=0) for digit in digits])
    to_page = axis.transData + axis.transAxes.inverted()
    for digit, middle, place in zip(digits, middles, apart(to_page.transform(middles)), strict=True):
        text = axis.annotate(
            str(digit), middle, place, textcoords="axes fraction", ha="center", va="center", weight="bold",
            color=CLASSES[digit], zorder=5,
            arrowprops={"arrowstyle": "-", "lw": 1.5, "color": CLASSES[digit], "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
        text.set_path_effects([patheffects.withStroke(linewidth=3.5, foreground="white")])
        text.arrow_patch.set_path_effects([patheffects.withStroke(linewidth=4, foreground="white")])


def figure_2_5(nets, path, of_all="", trained="") -> Path:
    """The test set in the plane of two latents, a panel a net, digits by colour, shape and a number at their median.

    For the caption: of_all has the errors over all seeds, for one may say the opposite of their mean; trained says
    where the nets trained.
    """
    outside = {}
    with style():
        figure, axes = plt.subplots(1, len(nets), figsize=(8, 4.3), squeeze=False)
        for axis, model in zip(axes[0], sorted(nets, reverse=True), strict=True):
            record, arrays = nets[model]
            codes, label = arrays["codes"].astype(np.float64), arrays["label"]
            for digit in range(10):
                of = codes[label == digit]
                axis.scatter(*of.T, s=4, color=CLASSES[digit], marker=MARKS[digit], alpha=0.5, lw=0)
            wrong = record.metrics["neighbour_error_5"]
            title = f"{PLANES[model]}, seed {record.seed}: {wrong:.1f} % wrong (k = 5)"
            axis.set(title=title, xlabel="first latent")
            low, high = np.quantile(codes, (CUT, 1 - CUT), axis=0)
            outside[PLANES[model]] = np.any((codes < low) | (codes > high), axis=1)
            axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
            axis.locator_params(nbins=5)
            labels_of(axis, codes, label)
        axes[0, 0].set_ylabel("second latent")
        first = next(iter(nets.values()))[0]
        far = ", ".join(f"{100 * np.mean(of):.1f} % of the digits ({name})" for name, of in outside.items())
        caption = (
            "Figure 2.5: posterior means of the test digits; a number stands at the median of its class, or a line "
            f"leads there. Panels end at the {100 * CUT:g} and {100 * (1 - CUT):g} % quantiles of each latent; "
            f"outside, not drawn: {far}. Drawn is seed {first.seed} alone. {of_all + '. ' if of_all else ''}{trained}"
            f"{origin(first)}"
        )
        return save_figure(figure, path, caption)


def lengths(trained, path) -> Path:
    """Exact NLL or bound of the rows of Table 2.1 by iterations, {model: records}; the printed number at 200,000."""
    with style():
        figure, axis = plt.subplots(figsize=(8, 3.8))
        for number, (model, runs) in enumerate(trained.items()):
            colour = COLOURS[number]
            axis.semilogx([r.steps for r in runs], [nll(r) for r in runs], "os^vD"[number] + "-", color=colour,
                          label=TITLES[model])  # fmt: skip
            axis.plot(FULL, claims()[PRINTED[model]].printed_value, "os^vD"[number], color=colour, mfc="white", ms=8)
        axis.set(xlabel="iterations", ylabel="test nats", xlim=(None, 1.3 * FULL))
        axis.legend(fontsize=9)
        warm_ups = [
            f"{TITLES[model]} " + ", ".join(f"{warm_up(r):,} at {r.steps:,}" for r in runs)
            for model, runs in trained.items()
            if all(map(warm_up, runs))
        ]
        caption = (
            f"Rows of Table 2.1 by the length of their training, one seed each; {learning_rates(trained)}. Hollow: the "
            f"printed numbers, {FULL:,} iterations. {scale_and_data(next(iter(trained.values()))[0])} KL warm-up: "
            f"{'; '.join(warm_ups) or 'none'}."
        )
        return save_figure(figure, path, caption)


def figure_a_3(arrays, path, note) -> Path:
    """Pairs, a frame each: a test image, and to its right a draw from its code."""
    originals, drawn = arrays["originals"][:48], arrays["reconstructions"][:48]
    line = np.full_like(originals[:, :, :1], 255 - FRAME)
    pairs = framed(np.concatenate([originals, line, drawn], axis=2))
    caption = (
        "Figure A.3: in each frame a test image (left) and its reconstruction (right), by the Gated PixelVAE without "
        f"upsampling. {note}"
    )
    return side_by_side([("", pairs)], path, caption, 8, 8, border=False)


def framed(images) -> np.ndarray:
    """[N, H + 2, W + 2, 1]: each image, light on dark, in a frame that is grey on the page."""
    return np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255 - FRAME)


def side_by_side(sheets, path, caption, columns=5, gap=2, above=(), border=True) -> Path:
    """Sample sheets beside one another, dark on light, each with its title; as high as the sheets are.

    gap: white pixels between two images. above: labels of the columns. border: a frame around each sheet.
    """
    grids = [np.pad(np.squeeze(image_grid(255 - images, columns, gap)), 4, constant_values=255) for _, images in sheets]
    tallest = max(grid.shape[0] / grid.shape[1] for grid in grids)
    with style():
        size = (8, 7.8 / len(sheets) * tallest + (0.4 if sheets[0][0] or len(above) else 0.1))
        figure, axes = plt.subplots(1, len(sheets), figsize=size, squeeze=False)
        for axis, (title, images), grid in zip(axes[0], sheets, grids, strict=True):
            axis.imshow(grid, cmap="gray", vmin=0, vmax=255)
            width = images.shape[2]
            middles = 4 + (width - 1) / 2 + np.arange(len(above)) * (width + gap)
            axis.set(xticks=middles, xticklabels=above, yticks=[])
            axis.tick_params(length=0, pad=2, labeltop=True, labelbottom=False)
            if title:
                axis.set_title(title, fontsize=9)
            axis.spines[:].set(visible=border, color=str(FRAME / 255))
            axis.grid(False)
        return save_figure(figure, path, caption)
