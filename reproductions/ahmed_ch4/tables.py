"""Table 4.1 beside what was measured, the other areas, the trivial scores, and differences between models."""

from pathlib import Path

import numpy as np

from common.evaluation import detection
from common.reporting.records import Record, load_scores, select
from common.reporting.tables import Table
from reproductions.ahmed_ch4 import figures
from reproductions.ahmed_ch4.claims_formulas import printed
from reproductions.ahmed_ch4.lengths import WHOLE
from reproductions.ahmed_ch4.notes import origin, place_note, where_trained
from reproductions.ahmed_ch4.recipes import recipes
from reproductions.ahmed_ch4.selection import DIGITS, TRIVIAL, largest
from reproductions.ahmed_ch4.signs import signs

HEADLINE = {"vae": "elbo", "pixelcnn": "nll", "pixelvae": "elbo", "dcgan": "logit", "trivial": "mixture"}
REPLICATES = 400  # of the bootstrap; its interval ends are good to about a tenth of their width


def make(records: list[Record], results_dir: str | Path) -> None:
    """Write tables and figures below <results>/ahmed_ch4; what has no record yet is left out."""
    folder = Path(results_dir) / "ahmed_ch4"
    cells = {model: one_seed(records, model) for model in HEADLINE}
    cells = {model: found for model, found in cells.items() if found}
    if not cells:
        return
    table_4_1(cells).write(folder / "table_4_1")
    others = {model: other_seeds(records, model, found) for model, found in cells.items()}
    if any(others.values()):
        seeds(cells, others).write(folder / "seeds")
    more = {"lengths": lengths, "fewer_images": fewer_images, "classifier": classifier, "dcgan_signs": signs,
            "pixel_recipes": recipes}  # fmt: skip
    for name, of_records in more.items():
        made = of_records(records, cells)
        if made.rows:
            made.write(folder / name)
    areas(cells).write(folder / "areas")
    if "trivial" in cells:
        trivial(cells["trivial"]).write(folder / "trivial_scores")
    for model in ("vae", "pixelvae"):
        if model in cells:
            bound_parts(model, cells[model]).write(folder / f"{model}_parts")
    scores = {model: {d: load_scores(Path(results_dir) / r.files["scores"]) for d, r in found.items()}
              for model, found in cells.items()}  # fmt: skip
    if set(NATS) & set(cells):
        likelihoods(cells).write(folder / "likelihoods")
    compared, (note,) = differences(scores), origin(cells)
    if compared.rows:
        compared.notes.append(note)
        compared.write(folder / "differences")
    trained = " ".join(where_trained(cells, others))
    figures.printed_and_measured(cells, others, folder / "printed_and_measured.png", note, trained)
    drawn = next((model for model in ("vae", "trivial") if model in scores), None)
    if drawn:
        figures.histograms(scores[drawn], drawn, folder / "score_histograms.png", *origin({drawn: cells[drawn]}))
    figures.curves(scores, folder / "precision_recall.png", note)


def one_seed(records, model: str) -> dict[int, Record]:
    """{digit: record} at the largest scale that has any, at the seed with the most digits (the lowest of equals)."""
    found = largest(records, model)
    seeds = [seed for seed, _ in found]
    best = min(seeds, key=lambda seed: (-seeds.count(seed), seed), default=None)
    return {digit: record for (seed, digit), record in sorted(found.items()) if seed == best}


def other_seeds(records, model: str, shown: dict[int, Record]) -> dict[int, list[Record]]:
    """{digit: records of the other seeds than those of `one_seed`}, of digits that have any."""
    found = {}
    for (_, digit), record in sorted(largest(records, model).items()):
        if digit in shown and record.seed != shown[digit].seed:
            found.setdefault(digit, []).append(record)
    return found


def summary(name: str, rows: list[list], function) -> list:
    """A last row: mean or median of every column that has all ten digits."""
    columns = list(zip(*rows, strict=True))[1:]
    return [name, *(None if None in column or len(column) < 10 else float(function(column)) for column in columns)]


def with_summary(rows: list[list]) -> list[list]:
    return [*rows, summary("mean", rows, np.mean), summary("median", rows, np.median)]


def metric(cells, model, digit, name):
    """A metric of one cell, or None."""
    record = cells.get(model, {}).get(digit)
    return record.metrics.get(name) if record else None


COLUMNS_4_1 = {  # title: column of the printed table, or (model, metric)
    "printed VAE": "vae",
    "VAE, ELBO": ("vae", "aupr"),
    "VAE, L_k": ("vae", "aupr_importance"),
    "VAE, averaged": ("vae", "aupr_elbo_averaged"),
    "printed PixelCNN": "pixelcnn",
    "PixelCNN": ("pixelcnn", "aupr"),
    "printed PixelVAE": "pixelvae",
    "PixelVAE, ELBO": ("pixelvae", "aupr"),
    "PixelVAE, L_k": ("pixelvae", "aupr_importance"),
    "printed DCGAN": "dcgan",
    "DCGAN": ("dcgan", "aupr"),
    "DCGAN, last states": ("dcgan", "aupr_logit_averaged"),
    "mixture": ("trivial", "aupr_mixture"),
}


def table_4_1(cells) -> Table:
    """Printed AUPR beside measured, per cent; several ways to score the VAE, the PixelVAE and the DCGAN."""
    names = [*map(str, DIGITS), "mean", "median"]
    columns = [[next((metric(cells, m, d, "prevalence") for m in cells if d in cells[m]), None) for d in DIGITS]]
    for source in COLUMNS_4_1.values():
        if isinstance(source, str):
            columns.append(printed("t41", source, names).tolist())  # with the printed mean and median
        else:
            columns.append([metric(cells, source[0], digit, source[1]) for digit in DIGITS])
    measured = [column[:10] for column in columns]
    rows = with_summary([[name, *row] for name, row in zip(names, zip(*measured, strict=True), strict=False)])
    for place, column in enumerate(columns, start=1):
        for row, value in zip(rows[10:], column[10:], strict=False):
            row[place] = value
    notes = origin(cells) + [
        "AUPR in per cent (average precision). L_k: importance-weighted bound; averaged: ELBO averaged over "
        "binarisations of the test set; last states: logit averaged over the last states; mixture: 100 Bernoullis, no "
        "network. One training a cell; what has run with several seeds stands in a table of its own. Empty cells are "
        "not run yet."
    ]
    return Table("Table 4.1, printed beside measured", ["held out", "prevalence", *COLUMNS_4_1], rows, notes)


def seeds(cells, others) -> Table:
    """AUPR of the headline score over several trainings, per cent, beside the printed cell."""
    rows = []
    for model, found in others.items():
        for digit, more in found.items():
            values = [record.metrics["aupr"] for record in (cells[model][digit], *more)]
            cell = None if model == "trivial" else float(printed("t41", model, [digit])[0])
            each = ", ".join(f"{value:.2f}" for value in values)
            mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
            rows.append([f"{model} {HEADLINE[model]}", str(digit), cell, len(values), mean, spread, each])
    titles = ["score", "held out", "printed", "seeds", "mean", "sd", "each"]
    shown = {model: {d: r for d, r in cells[model].items() if d in found} for model, found in others.items() if found}
    notes = [*origin(shown), "Each: seeds in order.", *where_trained(cells, others)]
    return Table("Cells of Table 4.1 trained with several seeds: AUPR in per cent", titles, rows, notes)


def lengths(records, cells) -> Table:
    """Cells of the VAE that were trained longer, too, beside the cell as shown."""
    longer = select(records, experiment="ood", model="vae", variant="epochs_40")
    table = beside("The VAE trained longer", "epochs", lambda options: options["epochs"], longer, cells)
    table.notes.append(f"Of {WHOLE['vae'][1]} epochs at paper scale. One seed a digit, and only the digits shown.")
    return table


def fewer_images(records, cells) -> Table:
    """Cells of the VAE that were trained on a part of the images, too, for as many steps, beside the cell as shown."""
    fewer = sorted(select(records, experiment="subsets", model="vae"), key=lambda r: -r.settings["options"]["share"])
    table = beside("The VAE on fewer images", "share, %", lambda o: 100 * o.get("share", 1.0), fewer, cells)
    options = [r.settings["options"] for r in fewer] if table.rows else []
    passes = {f"about {o['epochs'] / o['share']:.0f} over {100 * o['share']:g} %": o["epochs"] for o in options}
    for shown, whole in passes.items():
        table.notes.append(
            f"Equal steps: {whole} passes over all images (paper scale: {WHOLE['vae'][1]}) are {shown} of them."
        )
    return table


def beside(title, changed, value, others, cells) -> Table:
    """Other trainings of the VAE's cells, each below its cell: AUPR in per cent, bounds in nats.

    changed: what tells them apart; value(options) -> its value.
    """
    columns = ["aupr", "aupr_importance", "nll_bound_rest_nats", "nll_bound_held_out_nats", "kl_rest_nats",
               "train_negative_elbo_nats"]  # fmt: skip
    rows, used = [], {}
    for digit, shown in cells.get("vae", {}).items():
        here = [r for r in others if r.settings["key"]["held_out"] == digit and same_but_training(r, shown)]
        cell = float(printed("t41", "vae", [digit])[0])
        for record in [shown, *here] if here else []:
            values = [record.metrics[name] for name in columns]
            rows.append([str(digit), cell, value(record.settings["options"]), *values])
            used[digit] = shown
    titles = ["held out", "printed", changed, "AUPR -ELBO", "AUPR -L_k", "-ELBO rest", "-ELBO held out", "KL rest",
              "-ELBO in training"]  # fmt: skip
    return Table(title, titles, rows, origin({"vae": used}, length=False) if rows else [])


def same_but_training(record, shown) -> bool:
    """Whether two trainings of a digit share seed, scale and data set."""
    return (record.seed, record.scale, record.data["name"]) == (shown.seed, shown.scale, shown.data["name"])


def trivial(cells: dict[int, Record]) -> Table:
    """AUPR of the scores that need no network, per cent, with their rank correlation with the printed columns."""
    from scipy import stats

    rows = [[str(d), *(r.metrics[f"aupr_{name}"] for name in TRIVIAL)] for d, r in cells.items()]
    notes = origin({"trivial": cells})
    if len(rows) == 10:
        columns = np.array([row[1:] for row in rows]).T
        for model in ("vae", "pixelcnn", "pixelvae", "dcgan"):
            rho = [stats.spearmanr(column, printed("t41", model, DIGITS)).statistic for column in columns]
            words = ", ".join(f"{title} {value:.2f}" for title, value in zip(TRIVIAL.values(), rho, strict=True))
            notes.append(f"Rank correlation over the digits with the printed {model} column: {words}.")
    return Table(
        "Scores without a network: AUPR in per cent", ["held out", *TRIVIAL.values()], with_summary(rows), notes
    )


def classifier(records, cells) -> Table:
    """What labels tell (4.1): AUPR of a classifier of the nine other digits beside scores that have none, per cent."""
    found = one_seed(records, "classifier")
    rows = [
        [str(digit), metric(cells, "vae", digit, "aupr"), metric(cells, "trivial", digit, "aupr_mixture"),
         *(r.metrics[name] for name in ("aupr", "aupr_entropy", "accuracy_rest"))]
        for digit, r in found.items()
    ]  # fmt: skip
    columns = ["held out", "VAE, ELBO", "mixture", "classifier, max softmax", "classifier, entropy", "accuracy"]
    beside = {model: cells[model] for model in ("vae", "trivial") if model in cells} if found else {}
    notes = origin({"classifier": found} | beside) if found else []
    notes += [
        "Accuracy: of the classifier on test images of its nine digits. It has their labels, which the others lack."
    ]
    return Table("A classifier of the nine other digits, per cent", columns, with_summary(rows) if rows else [], notes)


def areas(cells) -> Table:
    """What is called AUPR in three ways, AUROC, and AUPR of the negated score, of the headline scores; per cent."""
    names = ["aupr", "aupr_low", "aupr_high", "aupr_trapezoid", "aupr_davis_goadrich", "aupr_negated", "auroc",
             "prevalence", "lowest_aupr"]  # fmt: skip
    rows = [[f"{model} {HEADLINE[model]}", str(digit), *(record.metrics[n] for n in names)]
            for model, found in cells.items() for digit, record in found.items()]  # fmt: skip
    titles = ["AUPR (AP)", "95 % low", "95 % high", "trapezoid", "Davis-Goadrich", "negated score", "AUROC",
              "prevalence", "lowest possible"]  # fmt: skip
    outside = [f"{row[0]} {row[1]}" for row in rows if not row[3] <= row[2] <= row[4]]
    notes = origin(cells) + [
        "Intervals: stratified bootstrap over test images, percentiles; the spread of trainings is not in them. Near "
        "the lowest possible area this bootstrap is biased upward (an image drawn twice ties with itself, and hardly a "
        "resample can come lower), so an interval may leave out its own estimate there"
        + (f": {', '.join(outside)}." if outside else ".")
    ]
    return Table("Areas under curves, per cent", ["score", "held out", *titles], rows, notes)


def bound_parts(model, cells: dict[int, Record]) -> Table:
    """A bound in nats and which of its two parts detects."""
    names = ["nll_bound_rest_nats", "nll_bound_held_out_nats", "nll_estimate_rest_nats", "kl_rest_nats", "aupr",
             "aupr_reconstruction", "aupr_kl"]  # fmt: skip
    rows = [[str(digit), *(record.metrics[n] for n in names)] for digit, record in cells.items()]
    titles = ["-ELBO rest", "-ELBO held out", "-L_k rest", "KL rest", "AUPR -ELBO", "AUPR reconstruction", "AUPR KL"]
    notes = origin({model: cells}) + ["Nats for bounds and KL, per cent for AUPR."]
    title = {"vae": "The VAE's bound and its parts", "pixelvae": "The PixelVAE's bound and its parts"}[model]
    return Table(title, ["held out", *titles], with_summary(rows), notes)


NATS = {"vae": ("VAE <=", "nll_bound", "elbo"), "pixelvae": ("PixelVAE <=", "nll_bound", "elbo"),
        "pixelcnn": ("PixelCNN", "nll", "nll")}  # fmt: skip


def likelihoods(cells) -> Table:
    """Negative log-likelihood of both groups of test images, and AUPR averaged over binarisations of them."""
    models = [model for model in NATS if model in cells]
    rows = []
    for digit in DIGITS:
        row = [str(digit)]
        for model in models:
            _, name, score = NATS[model]
            names = [f"{name}_rest_nats", f"{name}_held_out_nats", f"aupr_{score}", f"aupr_{score}_averaged"]
            row += [metric(cells, model, digit, each) for each in names]
        rows.append(row)
    parts = ("{} rest", "{} held out", "AUPR {}", "AUPR {}, averaged")
    titles = [
        part.format(NATS[m][0] if "AUPR" not in part else NATS[m][0].split()[0]) for m in models for part in parts
    ]
    notes = origin({model: cells[model] for model in models}) + [
        "Nats; <=: a bound. AUPR in per cent, of one binarisation of the test images and of scores averaged over "
        "several. A cell of Table 4.1 is worth comparing only if the PixelVAE's bound is below the VAE's (claim C18b).",
        *place_note(cells),
    ]
    return Table("Negative log-likelihoods behind Table 4.1", ["held out", *titles], with_summary(rows), notes)


def differences(scores) -> Table:
    """AUPR differences on the same test images with paired bootstrap intervals, points; means in the last rows."""
    vae, pixelvae, pixelcnn, dcgan = ((model, HEADLINE[model]) for model in ("vae", "pixelvae", "pixelcnn", "dcgan"))
    mixture, ink = ("trivial", "mixture"), ("trivial", "ink")
    pairs = [(*a, *b) for a, b in ((vae, pixelvae), (pixelvae, pixelcnn), (vae, pixelcnn), (vae, dcgan),
                                   (pixelcnn, dcgan), (pixelvae, dcgan), (vae, mixture), (pixelcnn, mixture),
                                   (pixelvae, mixture), (vae, ink), (dcgan, ink))]  # fmt: skip
    wanted = {(a, x) for a, x, _, _ in pairs} | {(b, y) for _, _, b, y in pairs}
    estimate, replicates = {}, {}
    for model, name in sorted(wanted):
        for digit, arrays in scores.get(model, {}).items():
            labels, values = arrays["label"], arrays[name].astype(np.float64)
            key, positive = (model, name, digit), labels == digit
            estimate[key] = 100 * detection.average_precision(values, positive)
            replicates[key] = 100 * detection.bootstrap_replicates(
                values, positive, replicates=REPLICATES, strata=labels
            )
    rows = []
    for a, x, b, y in pairs:
        both = [d for d in DIGITS if (a, x, d) in estimate and (b, y, d) in estimate]
        if not both:
            continue
        point = {d: estimate[a, x, d] - estimate[b, y, d] for d in both}
        drawn = {d: replicates[a, x, d] - replicates[b, y, d] for d in both}
        if len(both) == 10:
            point["mean"], drawn["mean"] = np.mean([point[d] for d in both]), np.mean([drawn[d] for d in both], axis=0)
        for d in point:
            found = detection.percentile_interval(point[d], drawn[d])
            rows.append([f"{a} {x} - {b} {y}", str(d), *map(float, found)])
    notes = [
        "Paired bootstrap over test images: how sure the difference of these two trainings is. It says nothing about "
        "other trainings of the same models."
    ]
    return Table(
        "Differences of AUPR, points", ["difference", "held out", "estimate", "95 % low", "95 % high"], rows, notes
    )
