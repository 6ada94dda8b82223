"""Table 2.1 printed beside measured, its rows by recipe and length, paired differences, costs; all is written here."""

from pathlib import Path

import numpy as np

from common.reporting.records import Record, load_scores, select
from common.reporting.rooms import SCALES
from common.reporting.tables import Table, over_seeds, short
from reproductions.ahmed_ch2 import captions, figures, sizes
from reproductions.ahmed_ch2.captions import printed
from reproductions.ahmed_ch2.claims_figures import place
from reproductions.ahmed_ch2.claims_table import SATURATED, estimate_error
from reproductions.ahmed_ch2.selection import (
    RECIPES,
    best_nll,
    by_length,
    chosen,
    learning_rate,
    longest,
    longest_group,
    nll,
    preference,
    row,
    span,
    together,
    warm_up,
)  # fmt: skip
from reproductions.ahmed_ch2.sizes import FULL, RATE, WARM_UP
from reproductions.ahmed_ch2.tables_figures import figure_2_4, neighbours, sweep

LENGTHS = tuple(f"tuned_{n}" for n in sizes.LENGTHS)
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
    counted = at_largest(records, lambda part: chosen(part, experiment="formulas"))
    if counted:
        costs(counted[0]).write(folder / "table_2_2_cost")
    rows = {model: at_largest(records, lambda part, model=model: row(part, model)) for model in ROWS}
    rows = {model: found for model, found in rows.items() if found}
    if rows:
        other_bits = variants(records)
        table_2_1(rows, bool(other_bits.rows)).write(folder / "table_2_1")
        differences(records, results_dir).write(folder / "differences")
        trained = trained_for(records)
        if trained:
            lengths(trained).write(folder / "lengths")
            figures.lengths(trained, folder / "lengths.png")
        for name, table in (("recipes", by_recipe(records)), ("other_bits_and_variants", other_bits)):
            if table.rows:
                table.write(folder / name)
    layers, latents, labels = (of_largest(records, experiment=name) for name in ("layers", "latents", "labels"))
    sweeps = [found for recipe in RECIPES if (found := sweep(layers, variant=recipe))]
    if sweeps:
        figure_2_4(*sweeps).write(folder / "figure_2_4")
    planes = [r for nets in by_length(latents, experiment="latents") for r in nets]
    if planes:
        neighbours(planes).write(folder / "figure_2_5")
    figures.draw_rows(rows, results_dir)
    sheets = longest_group(layers, place, figures.A_2, experiment="layers")
    figures.draw_layers(sweeps, sheets, results_dir)
    of_plane = longest_group(latents, lambda r: r.settings["model"], figures.PLANES, experiment="latents", latent=2)
    figures.draw_plane(of_plane, planes, results_dir)
    figures.draw_labels(longest(labels, experiment="labels"), results_dir)


def at_largest(records, found) -> list:
    """found(records of a scale) at the largest scale where there is any."""
    return next(filter(None, (found([r for r in records if r.scale == scale]) for scale in SCALES)), [])


def of_largest(records, **match) -> list[Record]:
    """All records of the largest scale that has any that `match`, as described or longer."""
    return at_largest(records, lambda part: part if by_length(part, **match) else [])


def table_2_1(rows, other_bits=False) -> Table:
    """All eleven rows: literature quoted, own rows with what was measured; nats. other_bits: have others run."""
    cells = printed()
    literature = [c for c in captions.claims().values() if c.claim_id.startswith("T2.1-") and c.kind == "quoted"]
    lines = [[c.what.removesuffix(" NLL"), cells[c.claim_id], *[None] * 12, "quoted"] for c in literature]
    for model, (name, ids) in ROWS.items():
        found = rows.get(model, [])
        shown = " ".join(f"({cells[i]})" if n else cells[i] for n, i in enumerate(ids))
        record = found[0] if found else None
        lines.append([
            name, shown, over_seeds(found, "nll_nats"), over_seeds(found, "nll_bound_nats"),
            record and over_images(record), estimate(found), record and of_estimate(record),
            over_seeds(found, "kl_nats"),
            over_seeds(found, "ess_median"), record and record.settings["options"]["width"],
            record and (f"{warm_up(record):,}" if warm_up(record) else None), record and str(learning_rate(record)),
            record and f"{record.steps:,}", record and int(record.metrics["parameters"]),
            f"{record.scale}, {record.data['name']}, {seeds(found)}" if record else "not run",
        ])  # fmt: skip
    columns = ["model", "printed", "exact", "bound", "SE", "estimate", "SE of estimate", "KL", "ESS", "width",
               "KL warm-up", "learning rate", "iterations", "parameters", "measured on"]  # fmt: skip
    return Table("Table 2.1, printed beside measured", columns, lines, notes(rows, other_bits))


def over_images(record) -> float | None:
    """Standard error over test images of the exact number or the bound, nats."""
    return record.metrics.get("nll_se_nats", record.metrics.get("nll_bound_se_nats"))


def estimate(found) -> str | None:
    """The estimate over seeds, marked where more draws would still lower it."""
    shown = over_seeds(found, "nll_estimate_nats")
    return shown and shown + " (not converged)" * any(map(unconverged, found))


def of_estimate(record) -> float | None:
    """Standard error of the estimate over test images, nats."""
    return estimate_error(record) if "nll_estimate_nats" in record.metrics else None


def unconverged(record) -> bool:
    """Whether the draws of the estimate still gain SATURATED nats or more over half of them (claim C06)."""
    draws = int(record.metrics.get("estimate_draws", 0))
    return record.metrics.get(f"gain_over_{draws // 2}_nats", 0.0) >= SATURATED


def seeds(found) -> str:
    return f"{len(found)} seed{'s' * (len(found) > 1)}"


def notes(rows, other_bits) -> list[str]:
    """What the numbers are: bits, estimators, sizes, stand-ins."""
    records = [r for found in rows.values() for r in found]
    said = [
        "Nats an image, test images, lower is better. Bound: KL in closed form and the mean of several draws of z. "
        "Estimate: the bound minus the mean gap between bound and importance-sampled estimate on some images; not "
        f"converged: its draws gain {SATURATED} nats or more over half of them, so more would lower it. SE: standard "
        "errors over test images, of the exact number or the bound and of the estimate; how much another training "
        "would differ is not in them. ESS: effective sample size, median.",
        "Bits: "
        + "; ".join(sorted({r.binarisation for r in records}))
        + ". "
        + (
            "Numbers of other bits stand in another table and are not compared."
            if other_bits
            else "No row has run on other bits (own draw, dynamic)."
        ),
        "Rows of unequal recipes or widths are not to be compared by this table: *Differences on the same test images* "
        "takes both rows of a pair by one recipe. "
        "KL warm-up: iterations until the KL has its full weight. A row that has run by several recipes takes the one "
        "with the longer warm-up, and of these the one with the higher learning rate, whichever is better (the room's "
        "README, Differs 8). This rule was fixed before these trainings had ended.",
    ]
    said += [order(rows, by) for by in ("bound", "estimate") if len(rows) == len(ROWS)]
    said += [f"{ROWS[model][0]}: {'; '.join(row_notes(found[0]))}." for model, found in rows.items()]
    stand_ins = sorted({r.stand_in for r in records if r.stand_in})
    return said + [f"Stand-in data: {'; '.join(stand_ins)}."] * bool(stand_ins)


def order(rows, by) -> str:
    """Whether the own rows, each by its last recipe, fall from one to the next as the printed ones do."""
    numbers = {model: (best_nll if by == "estimate" else nll)(found[0]) for model, found in rows.items()}
    ours = " > ".join(f"{ROWS[model][0]} {numbers[model]:.2f}" for model in sorted(numbers, key=lambda m: -numbers[m]))
    same = "as printed" if list(numbers.values()) == sorted(numbers.values(), reverse=True) else "not as printed"
    return f"Order by the {by} (exact for the PixelCNN), {same}: {ours}. One training of each."


def row_notes(record) -> list[str]:
    """Sizes, estimators and training of a row of Table 2.1; the importance estimate with what tells its quality."""
    m, options = record.metrics, record.settings["options"]
    said = [", ".join(f"{k} {options[k]}" for k in ("layers", "filter_size", "width", "latent") if k in options)]
    said.append(record.evaluator)
    if "gap_nats" in m:
        draws = int(m["estimate_draws"])
        said.append(f"gap {m['gap_nats']:.2f} ± {m['gap_se_nats']:.2f} (standard error)")
        said.append(f"ESS of {draws:,} draws: smallest {m['ess_smallest']:.1f}, median {m['ess_median']:.0f}")
        gain = m.get(f"gain_over_{draws // 2}_nats")
        if gain is not None:
            still = "; not converged: more draws would lower it further" * unconverged(record)
            said.append(f"{draws:,} draws gain {gain:.3f} nats over {draws // 2:,}{still}")
    said += [record.notes["state"]] if "state" in record.notes else []
    said += [f"KL warm-up {warm_up(record):,} of {record.steps:,} iterations"] if warm_up(record) else []
    return [*said, f"learning rate {learning_rate(record)}" + ", decayed to 0" * bool(options["decay"])]


def by_recipe(records) -> Table:
    """All recipes of a row side by side; claims take the last one of each row."""
    cells, lines = printed(), []
    for model, (name, ids) in ROWS.items():
        nets = at_largest(records, lambda part, model=model: several_recipes(part, model))
        lines += [
            [name, f"{warm_up(r):,}" if warm_up(r) else None, str(learning_rate(r)), nll(r),
             r.metrics.get("nll_estimate_nats"), r.metrics.get("kl_nats"), r.metrics["train_nats"],
             r.metrics.get("reconstruction_agreement"), f"{r.steps:,}", r.seed]
            for r in nets
        ]  # fmt: skip
        if nets:
            estimate, warm = cells[ids[0]] if len(ids) > 1 else None, warm_up(nets[0]) and f"{WARM_UP:,}"
            lines.append([f"{name}, printed", warm or None, str(RATE), cells[ids[-1]], estimate, None, None, None,
                          f"{FULL:,}", None])  # fmt: skip
    columns = ["model", "KL warm-up", "learning rate", "exact or bound", "estimate", "KL", "in training", "same class",
               "iterations", "seed"]  # fmt: skip
    said = [
        "Nats. The last of a row's recipes is the row's, whichever is better. Printed rows: warm-up and learning rate "
        "are the released script's. The authors' bars (Figure 2.4b, width 32, with upsampling) have a KL of "
        f"{cells['F2.4b-KL-L00']} with 0 masked layers, {cells['F2.4b-KL-L12']} with 12 and {cells['F2.4b-KL-L21']} "
        "with 21. In training: minus the ELBO, or the exact NLL, of training images, over the last iterations. Same "
        "class: share of reconstructions in which a judge sees the original's class (Figure A.3)."
    ]
    return Table("Table 2.1 by recipe of training", columns, lines, said)


def several_recipes(records, model) -> list[Record]:
    """The trainings of a row, that which counts last, if it has run by more than one recipe."""
    nets = chosen(records, experiment="likelihoods", model=model, variant=RECIPES)
    return sorted(nets, key=preference) if len({r.settings["variant"] for r in nets}) > 1 else []


def variants(records) -> Table:
    """Rows of other bits, variants or data; never compared with Table 2.1 nor with one another."""
    lines = []
    for r in sorted(select(records, experiment="likelihoods"), key=lambda r: (r.binarisation, r.data["name"], r.name)):
        if "=" not in r.name and r.settings["variant"] in (*RECIPES, *LENGTHS):
            continue
        exact_or_bound = r.metrics.get("nll_nats", r.metrics.get("nll_bound_nats"))
        lines.append([r.name, r.binarisation, exact_or_bound, r.metrics.get("nll_estimate_nats"),
                      r.metrics.get("kl_nats"), r.steps])  # fmt: skip
    columns = ["run", "bits", "exact or bound", "estimate", "KL", "iterations"]
    return Table("Other bits and variants, nats", columns, lines, ["Fixed, own and dynamic draws are different tests."])


def trained_for(records) -> dict[str, list[Record]]:
    """{model: records of rising length} of the rows that were trained for several lengths.

    Of one scale, data set and seed, and with settings that differ in `iterations` and `warm_up` alone. Of two equally
    long ones that with the longer warm-up, as the other lengths have it (`runs.tuned`).
    """
    found = {}
    for model in ROWS:
        alike = {}
        for r in select(records, experiment="likelihoods", model=model, variant=(*RECIPES, *LENGTHS)):
            options = {k: v for k, v in r.settings["options"].items() if k not in ("iterations", "warm_up")}
            key = (SCALES.index(r.scale), r.data["name"], r.binarisation, r.seed, repr(sorted(options.items())))
            if "=" not in r.name:
                alike.setdefault(key, []).append(r)
        sets = ({r.steps: r for r in sorted(alike[key], key=warm_up)} for key in sorted(alike))
        several = next((runs for runs in sets if len(runs) > 1), {})
        if several:
            found[model] = [r for _, r in sorted(several.items())]
    return found


def lengths(trained) -> Table:
    """How a row falls with the length of its training; the printed rows have 200,000 iterations."""
    cells, lines = printed(), []
    for model, runs in trained.items():
        name, ids = ROWS[model]
        for r in runs:
            lines.append([name, f"{r.steps:,}", f"{warm_up(r):,}" if warm_up(r) else None, nll(r),
                          r.metrics.get("nll_estimate_nats"), r.metrics.get("kl_nats"),
                          r.metrics["train_nats"]])  # fmt: skip
        estimate = cells[ids[0]] if len(ids) > 1 else None
        code = None if model == "gated_pixelcnn" else f"{WARM_UP:,}"
        lines.append([f"{name}, printed", f"{FULL:,}", code, cells[ids[-1]], estimate, None, None])
    columns = ["model", "iterations", "warm-up", "exact or bound", "estimate", "KL", "in training"]
    runs = [r for each in trained.values() for r in each]
    said = [
        f"One seed each; {figures.learning_rates(trained)}. {captions.scale_and_data(runs[0])} Warm-up: iterations "
        "until the KL has its full weight; of the printed rows it is the released script's, as are the iterations. In "
        "training: minus the ELBO, or the exact NLL, of training images, over the last "
        f"{span([min(r.settings['options'].get('every', FULL), r.steps) for r in runs])} iterations."
    ]
    return Table("Table 2.1 by length of training, nats", columns, lines, said)


def differences(records, results_dir) -> Table:
    """Differences between rows on the same test images, paired; both rows by one recipe, the first seed of both."""
    scores, lines, models = {}, [], list(ROWS)
    for number, a in enumerate(models):
        for b in models[number + 1 :]:
            pairs = at_largest(records, lambda part, both=(a, b): together(part, both))
            if not pairs or pairs[0][a].binarisation != pairs[0][b].binarisation:
                continue
            pair = [pairs[0][a], pairs[0][b]]
            for r in pair:
                if r.name not in scores:
                    scores[r.name] = score(r, results_dir)
            first, second = (scores[r.name] for r in pair)
            if len(first) != len(second):
                continue
            gap, warm = first - second, [n for n in map(warm_up, pair) if n]
            rates = sorted({learning_rate(r) for r in pair})
            half = 1.96 * gap.std(ddof=1) / np.sqrt(len(gap))
            lines.append([f"{ROWS[a][0]} - {ROWS[b][0]}", *map(nll, pair), gap.mean(), gap.mean() - half,
                          gap.mean() + half, f"{100 * np.mean(gap > 0):.0f} %", recipe_of(pair),
                          span(warm) if warm else None, " and ".join(map(str, rates))])  # fmt: skip
    return Table(
        "Differences on the same test images, nats",
        ["difference", "first", "second", "mean", "95 % low", "95 % high", "images with a positive one", "recipe",
         "KL warm-up", "learning rate"],
        lines,
        ["Exact for the PixelCNN, bounds otherwise; paired over test images, one training a row. How much another "
         "training of the same rows would differ is not in these intervals. Both rows are trained by one recipe, the "
         "last by which both have run (*Table 2.1 by recipe of training*), so a number here may be another than in "
         "*Table 2.1*, where each row has its own last recipe. A PixelCNN has no warm-up: as described it is of the "
         "recipe with the longer one, too."],
    )  # fmt: skip


def recipe_of(pair) -> str:
    """The recipe of two rows: a net without a latent is of two (`selection.recipes`)."""
    return max((r.settings["variant"] for r in pair), key=RECIPES.index)


def score(record, results_dir) -> np.ndarray:
    """Exact NLL or bound of each test image, nats."""
    arrays = load_scores(Path(results_dir) / record.files["scores"])
    return arrays["nll" if "nll" in arrays else "bound"].astype(np.float64)


COUNTED = {  # line of Table 2.2's cost column: metric of formulas.py
    "Hierarchical PixelVAE, appendix network": "macs_appendix",
    "the same, with the layers of the posteriors": "macs_appendix_with_posteriors",
    "the same, all taps": "macs_appendix_dense",
    "released setting 64px_big": "macs_released",
    "released setting, all taps": "macs_released_dense",
    **{f"appendix network: {name}": f"macs_appendix_{name.replace(' ', '_')}"
       for name in ("pixels", "bottom encoder", "bottom decoder", "top encoder", "top decoder", "latents",
                    "posteriors")},
}  # fmt: skip


def costs(record) -> Table:
    """Table 2.2's cost column, counted in a record of formulas.py."""
    cells = printed()
    lines = [[name, cells[i], None] for name, i in (("PixelRNN", "T2.2-09"), ("Gated PixelCNN", "T2.2-12"))]
    for name, metric in COUNTED.items():
        count = record.metrics.get(metric)
        lines.append([name, cells["T2.2-15"] if metric == "macs_appendix" else None,
                      None if count is None else f"{short(count / 1e9)}e9"])  # fmt: skip
    said = [
        "Multiply-accumulates of one 64x64 image, encoder and decoder, without the taps that masks zero: what the text "
        "calls FLOPs. Likelihoods of Table 2.2 are not run (ImageNet)."
    ]
    return Table("Table 2.2, cost", ["network", "printed FLOPs", "counted"], lines, said)
