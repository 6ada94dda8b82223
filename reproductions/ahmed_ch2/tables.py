"""Table 2.1 printed beside measured, Figure 2.4 in numbers, neighbours in latent space, costs, paired differences."""

from pathlib import Path

import numpy as np

from common.reporting.claims import load_claims
from common.reporting.records import Record, load_scores, select
from common.reporting.rooms import SCALES
from common.reporting.tables import Table, over_seeds, short
from reproductions.ahmed_ch2 import figures, sizes
from reproductions.ahmed_ch2.claims_figures import DEPTHS
from reproductions.ahmed_ch2.selection import chosen, nll
from reproductions.ahmed_ch2.sizes import FULL, LONGER

LENGTHS = tuple(f"iterations_{n}" for n in sizes.LENGTHS)
ROWS = {  # model: (name in the table, claims of its printed numbers)
    "conv_vae": ("Convolutional VAE", ("T2.1-07",)),
    "pixelvae": ("PixelVAE", ("T2.1-08",)),
    "gated_pixelcnn": ("Gated PixelCNN", ("T2.1-09",)),
    "gated_pixelvae_up": ("Gated PixelVAE", ("T2.1-10", "T2.1-11")),
    "gated_pixelvae": ("Gated PixelVAE without upsampling", ("T2.1-12", "T2.1-13")),
}


def make(records: list[Record], results_dir: str | Path) -> None:
    """Write tables and figures below <results>/ahmed_ch2; what has no record yet is left out."""
    folder = Path(results_dir) / "ahmed_ch2"
    costs(largest(records, experiment="formulas")).write(folder / "table_2_2_cost")
    rows = {model: largest(records, experiment="likelihoods", model=model) for model in ROWS}
    rows = {model: found for model, found in rows.items() if found}
    if rows:
        table_2_1(rows).write(folder / "table_2_1")
        differences(rows, results_dir).write(folder / "differences")
        trained = by_length(records, rows)
        if trained:
            lengths(trained).write(folder / "lengths")
            figures.lengths(trained, folder / "lengths.png")
        other = variants(records)
        if other.rows:
            other.write(folder / "other_bits_and_variants")
    nets, longer = sweep(records), sweep(records, variant=LONGER)
    if nets:
        figure_2_4(nets, longer).write(folder / "figure_2_4")
    planes, trained_longer = (largest(records, experiment="latents", **v) for v in ({}, {"variant": LONGER}))
    if planes:
        neighbours(planes + trained_longer).write(folder / "figure_2_5")
    labels = largest(records, experiment="labels", variant=LONGER) or largest(records, experiment="labels")
    figures.draw(rows, nets, longer, planes, labels, results_dir)


def largest(records, **match) -> list[Record]:
    """The records of the largest scale that has any (`selection.chosen`)."""
    for scale in SCALES:
        found = chosen([r for r in records if r.scale == scale], **match)
        if found:
            return found
    return []


def sweep(records, **match) -> dict[tuple[str, int], Record]:
    """{("pixelvae", depth): record} of layers.py, the lowest seed of each."""
    found = {}
    for r in largest(records, experiment="layers", **match):
        found.setdefault((r.settings["model"], r.settings["key"]["layers"]), r)
    return dict(sorted(found.items()))


def printed() -> dict[str, str]:
    """{claim id: what is printed}."""
    return {
        claim.claim_id: claim.printed.replace("<=", "≤")
        for claim in load_claims(Path(__file__).with_name("claims.csv"))
    }


def table_2_1(rows) -> Table:
    """All eleven rows: literature quoted, own rows with what was measured; nats."""
    cells, literature = printed(), [c for c in load_claims(Path(__file__).with_name("claims.csv"))
                                    if c.where == "Table 2.1" and c.kind == "quoted"]  # fmt: skip
    lines = [[c.what.removesuffix(" NLL"), cells[c.claim_id], *[None] * 7, "quoted"] for c in literature]
    for model, (name, ids) in ROWS.items():
        found = rows.get(model, [])
        shown = " ".join(f"({cells[i]})" if n else cells[i] for n, i in enumerate(ids))
        record = found[0] if found else None
        lines.append([
            name, shown, over_seeds(found, "nll_nats"), over_seeds(found, "nll_bound_nats"),
            over_seeds(found, "nll_estimate_nats"), over_seeds(found, "kl_nats"), over_seeds(found, "ess_median"),
            record and record.steps, record and int(record.metrics["parameters"]),
            f"{record.scale}, {record.data['name']}, {seeds(found)}" if record else "not run",
        ])  # fmt: skip
    columns = ["model", "printed", "exact", "bound", "estimate", "KL", "ESS", "iterations", "parameters", "measured on"]
    return Table("Table 2.1, printed beside measured", columns, lines, notes(rows))


def seeds(found) -> str:
    return f"{len(found)} seed{'s' * (len(found) > 1)}"


def notes(rows) -> list[str]:
    """What the numbers are: bits, estimators, sizes, stand-ins."""
    records = [r for found in rows.values() for r in found]
    said = [
        "Nats an image, test images, lower is better. Bound: KL in closed form and the mean of several draws of z. "
        "Estimate: the bound minus the mean gap between bound and importance-sampled estimate on some images; ESS: "
        "effective sample size, median.",
        "Bits: " + "; ".join(sorted({r.binarisation for r in records})) + ". Numbers of other bits stand in another "
        "table and are not compared.",
    ]
    for model, found in rows.items():
        m, options = found[0].metrics, found[0].settings["options"]
        size = ", ".join(f"{k} {options[k]}" for k in ("layers", "filter_size", "width", "latent") if k in options)
        said.append(
            f"{ROWS[model][0]}: {size}; {found[0].evaluator}"
            + (f"; gap {m['gap_nats']:.2f} ± {m['gap_se_nats']:.2f} (standard error)" if "gap_nats" in m else "")
            + (f"; {found[0].notes['state']}" if "state" in found[0].notes else "")
            + ("; learning rate decayed to 0" if options["decay"] else "")
            + "."
        )
    stand_ins = sorted({r.stand_in for r in records if r.stand_in})
    return said + [f"Stand-in data: {'; '.join(stand_ins)}."] * bool(stand_ins)


def variants(records) -> Table:
    """Rows of other bits, variants or data; never compared with Table 2.1 nor with one another."""
    lines = []
    for r in sorted(select(records, experiment="likelihoods"), key=lambda r: (r.binarisation, r.data["name"], r.name)):
        if "=" not in r.name and r.settings["variant"] in ("as_described", *LENGTHS):
            continue
        exact_or_bound = r.metrics.get("nll_nats", r.metrics.get("nll_bound_nats"))
        lines.append([r.name, r.binarisation, exact_or_bound, r.metrics.get("nll_estimate_nats"),
                      r.metrics.get("kl_nats"), r.steps])  # fmt: skip
    columns = ["run", "bits", "exact or bound", "estimate", "KL", "iterations"]
    return Table("Other bits and variants, nats", columns, lines, ["Fixed, own and dynamic draws are different tests."])


def by_length(records, rows) -> dict[str, list[Record]]:
    """{model: records of rising length}, first seeds, of the rows that were trained for several lengths."""
    found = {}
    for model, (first, *_) in rows.items():
        runs = [first, *(r for name in LENGTHS for r in largest(records, experiment="likelihoods", model=model,
                                                               variant=name) if r.seed == first.seed)]  # fmt: skip
        if len(runs) > 1:
            found[model] = sorted(runs, key=lambda r: r.steps)
    return found


def lengths(trained) -> Table:
    """How a row falls with the length of its training; the printed rows have 200,000 iterations."""
    cells, lines = printed(), []
    for model, runs in trained.items():
        name, ids = ROWS[model]
        for r in runs:
            lines.append([name, f"{r.steps:,}", nll(r), r.metrics.get("nll_estimate_nats"), r.metrics.get("kl_nats"),
                          r.metrics["train_nats"]])  # fmt: skip
        estimate = cells[ids[0]] if len(ids) > 1 else None
        lines.append([f"{name}, printed", f"{FULL:,}", cells[ids[-1]], estimate, None, None])
    columns = ["model", "iterations", "exact or bound", "estimate", "KL", "in training"]
    said = [
        "One seed each; the learning rate ends at 0, whatever the length. In training: minus the ELBO, or the exact "
        "NLL, of training images, over the last 500 iterations."
    ]
    return Table("Table 2.1 by length of training, nats", columns, lines, said)


def differences(rows, results_dir) -> Table:
    """Differences between rows on the same test images, paired; the first seed of each."""
    scores = {}
    for model, found in rows.items():
        arrays = load_scores(Path(results_dir) / found[0].files["scores"])
        scores[model] = arrays["nll" if "nll" in arrays else "bound"].astype(np.float64)
    lines = []
    models = list(scores)
    for number, a in enumerate(models):
        for b in models[number + 1 :]:
            if len(scores[a]) != len(scores[b]) or rows[a][0].binarisation != rows[b][0].binarisation:
                continue
            gap = scores[a] - scores[b]
            half = 1.96 * gap.std(ddof=1) / np.sqrt(len(gap))
            lines.append([f"{ROWS[a][0]} - {ROWS[b][0]}", gap.mean(), gap.mean() - half, gap.mean() + half,
                          f"{100 * np.mean(gap > 0):.0f} %"])  # fmt: skip
    return Table(
        "Differences on the same test images, nats",
        ["difference", "mean", "95 % low", "95 % high", "images with a positive one"],
        lines,
        ["Exact for the PixelCNN, bounds otherwise; paired over test images, one training a row. How much another "
         "training of the same rows would differ is not in these intervals."],
    )  # fmt: skip


def figure_2_4(nets, longer) -> Table:
    """Development numbers of the authors beside ours, by depth; then those of the longer trainings."""
    lines = [depth_line(nets, depth) for depth in DEPTHS]
    lines += [depth_line(longer, depth) for depth in DEPTHS if depth in {n for _, n in longer}]
    records = list(nets.values())
    said = [
        "Nats. KL, reconstruction and bound: the authors' (their plot script, split unknown) and ours; PixelCNN: "
        "exact, no numbers of the authors' are known. Probe: per cent of digits that 5 neighbours get right.",
        f"Ours: {records[0].scale} scale, {records[0].data['name']}, width {records[0].settings['options']['width']}; "
        f"bits: {records[0].binarisation}.",
    ]
    columns = ["layers", "their KL", "their rec.", "their sum", "KL", "reconstruction", "bound", "PixelCNN", "probe",
               "iterations"]  # fmt: skip
    return Table("Figure 2.4, printed beside measured", columns, lines, said)


def depth_line(nets, depth) -> list:
    """A row of `figure_2_4`."""
    cells, vae, cnn = printed(), nets.get(("pixelvae", depth)), nets.get(("pixelcnn", depth))
    theirs = [float(cells[f"F2.4b-{name}-L{depth:02d}"]) for name in ("KL", "REC", "SUM")]
    metrics = ("kl_nats", "reconstruction_nats", "nll_bound_nats", "probe_accuracy")
    *ours, probe = (vae.metrics[m] if vae else None for m in metrics)
    steps = next((f"{r.steps:,}" for r in (vae, cnn) if r), None)
    return [depth, *theirs, *ours, cnn.metrics["nll_nats"] if cnn else None, probe, steps]


def neighbours(planes) -> Table:
    """Neighbour errors by latent size; printed 7.2 and 22.9 at two dimensions."""
    lines = []
    for r in sorted(planes, key=lambda r: (r.settings["key"]["latent"], r.settings["model"], r.steps, r.seed)):
        m, cells = r.metrics, printed()
        model, latent = r.settings["model"], r.settings["key"]["latent"]
        shown = cells["F2.5-01" if model == "pixelvae" else "F2.5-02"] if latent == 2 else None
        lines.append([
            "PixelVAE" if model == "pixelvae" else "VAE", latent, r.seed, shown,
            *(m[f"neighbour_error_{k}"] for k in (1, 5, 15)), m["silhouette"], m["information_nats"],
            m["move_shift"], m["move_flips"], m["nll_bound_nats"], m["kl_nats"], r.steps,
        ])  # fmt: skip
    columns = ["net", "latent", "seed", "printed, %", "k = 1", "k = 5", "k = 15", "silhouette", "I(class; z) >=",
               "shift", "flips", "bound", "KL", "iterations"]  # fmt: skip
    said = [
        "Per cent of test digits whose nearest training codes vote for another class. Shift, flips: how far the code "
        "moves when the image moves by a pixel and when 2 % of its pixels flip, over the spread of the class means. "
        f"Bits: {planes[0].binarisation}; data: {planes[0].data['name']}; {planes[0].scale} scale.",
    ]
    return Table("Figure 2.5: digits in latent space", columns, lines, said)


def costs(found) -> Table:
    """Table 2.2's cost column; needs no record, for the count is arithmetic (macs.py)."""
    from reproductions.ahmed_ch2 import macs

    cells = printed()
    lines = [[name, cells[i], None] for name, i in (("PixelRNN", "T2.2-09"), ("Gated PixelCNN", "T2.2-12"))]
    table, code = macs.appendix(), macs.released()
    lines += [
        ["Hierarchical PixelVAE, appendix network", cells["T2.2-15"], macs.whole(table)],
        ["the same, with the layers of the posteriors", None, macs.whole(table, posteriors=True)],
        ["the same, all taps", None, macs.whole(table, dense=True)],
        ["released setting 64px_big", None, macs.whole(code, posteriors=True)],
        ["the same, all taps", None, macs.whole(code, dense=True, posteriors=True)],
        *([f"appendix network: {name}", None, macs.total(part)] for name, part in table.items()),
    ]
    lines = [[name, shown, None if count is None else short(count / 1e9) + "e9"] for name, shown, count in lines]
    said = [
        "Multiply-accumulates of one 64x64 image, encoder and decoder, without the taps that masks zero: what the text "
        "calls FLOPs. Likelihoods of Table 2.2 are not run (ImageNet)."
    ]
    return Table("Table 2.2, cost", ["network", "printed FLOPs", "counted"], lines, said)
