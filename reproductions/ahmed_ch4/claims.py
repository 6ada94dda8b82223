"""How each claim of claims.csv is measured from records: Table 4.1 and what is said of it; the rest is in other files.

One training a cell, but for the VAE and two cells of the DCGAN: their spread is used where it is known. A mean over the
ten digits rests on ten trainings on ten different training sets, so its interval is Student's over the digits: it
contains the spread of trainings (all ten start from the same initial weights, so not all of it). Intervals over test
images alone are in the tables.
"""

import numpy as np

from common.reporting.claims import Measurement, measure
from common.reporting.records import of_one_set, select
from common.reporting.rooms import SCALES
from common.reporting.verdicts import t_interval
from reproductions.ahmed_ch4 import claims_formulas
from reproductions.ahmed_ch4.intervals import (
    difference_interval,
    leads,
    median_interval,
    median_lead,
    median_lead_interval,
    median_step,
    median_step_interval,
    smallest,
    steps,
    weakest,
)  # fmt: skip
from reproductions.ahmed_ch4.lengths import both_scores, both_scores_shown, last_states, of_trainings, shortened
from reproductions.ahmed_ch4.selection import DIGITS, auprs, complete, largest, on_fewer_images, unfinished

MODELS = ("vae", "dcgan")
EXPLICIT = ("vae", "pixelvae", "pixelcnn")  # models with a likelihood, in the printed order of their means
ALL = (*EXPLICIT, "dcgan")
TRIVIAL = ("ink", "total_variation", "zlib", "bernoulli", "mixture")
ACROSS_DIGITS = {"split": "each held-out digit has its own positives"}
ACROSS_MODELS = ACROSS_DIGITS | {
    "binarisation": "binary images for the VAE, grey ones for the DCGAN and some trivial scores, as in the text",
    "evaluator": "each model has its own score",
}
TEN_TRAININGS = "ten trainings a model on ten training sets; Student's interval over the digits holds their spread"


def over_digits(models, value, across=ACROSS_DIGITS, **fields):
    """Measure with one number a seed: value([columns [10] of each model's AUPR]) -> number; needs all ten digits.

    fields: those of Measurement; a callable is given (columns of the first seed, its records) and returns the field.
    """

    def found(records) -> Measurement | None:
        seeds = complete(records, *models)
        if not seeds:
            return unfinished(records, models)
        columns = [[auprs(rows) for rows in tables] for tables in seeds]
        more = {k: v(columns[0], seeds[0]) if callable(v) else v for k, v in fields.items()}
        used = [r for tables in seeds for rows in tables for r in rows]
        if len(seeds) > 1:  # several seeds: their own t interval is the better one
            more = {k: v for k, v in more.items() if k not in ("interval", "one_seed_reason")}
        return of_trainings(used, [value(*each) for each in columns], across=across, **more)

    return found


def cell(model: str, digit: int, metric: str = "aupr", **fields):
    """Measure of one cell: one value a seed. The DCGAN's scatters within a training, so its interval is the range of
    the last states of all seeds.
    """

    def found(records) -> Measurement | None:
        cells = largest(records, model)
        chosen = [r for (_, d), r in sorted(cells.items()) if d == digit]
        return of_trainings(chosen, metric, **{"interval": last_states(chosen)} | fields)

    return found


def below_guessing(model: str):
    """Measure of the AUPR of digit 1 with its bootstrap interval over test images, or the range of `last_states`."""

    def found(records) -> Measurement | None:
        chosen = [r for (_, digit), r in sorted(largest(records, model).items()) if digit == 1]
        if not chosen:
            return None
        # Near the lowest possible area the bootstrap is biased: the estimate may lie outside its interval.
        ends = [r.metrics[name] for r in chosen for name in ("aupr_low", "aupr_high", "aupr")]
        return of_trainings(chosen, "aupr", interval=last_states(chosen) or (min(ends), max(ends)))

    return found


def prevalence(function):
    """Measure of the column called skew, which is the prevalence: exact, from the records of any model."""

    def found(records) -> Measurement | None:
        for model in ("trivial", *MODELS):
            seeds = complete(records, model)
            if seeds:
                (rows,) = seeds[0]
                value = function(np.array([r.metrics["prevalence"] for r in rows]))
                return measure(rows, [value], across=ACROSS_DIGITS, exact=True)
        return None

    return found


def among(digits, lowest: bool):
    """How many of two `digits` are the two lowest (or highest) of a column."""

    def count(column):
        order = np.argsort(column, kind="stable")
        return len(set(digits) & set((order[:2] if lowest else order[-2:]).tolist()))

    return count


def order_text(columns, _):
    """The digits from hardest to easiest."""
    return "hardest first: " + " ".join(str(d) for d in np.argsort(columns[0], kind="stable"))


def means_and_medians(models):
    """Text: mean and median of every column."""

    def text(columns, _):
        words = [f"{name} mean {c.mean():.2f}, median {np.median(c):.2f}"
                 for name, c in zip(models, columns, strict=True)]  # fmt: skip
        return "; ".join(words)

    return text


def lift(record) -> float:
    """How far above guessing AUROC is, minus how far AUPR is; both as a share of the way from guessing to 100."""
    m = record.metrics
    return (m["auroc"] - 50) / 50 - (m["aupr"] - m["prevalence"]) / (100 - m["prevalence"])


def nats(model: str, part: str) -> str:
    """Name of the metric of nats that a model's score is: exact for the PixelCNN."""
    return f"nll_{part}_nats" if model == "pixelcnn" else f"nll_bound_{part}_nats"


def higher_when_held_out(model: str):
    """Measure of no. 35: digits at which the mean negative log-likelihood held out exceeds that of the rest."""

    def found(records) -> Measurement | None:
        seeds = complete(records, model)
        if not seeds:
            return unfinished(records, (model,))
        gaps = [
            [r.metrics[nats(model, "held_out")] - r.metrics[nats(model, "rest")] for r in rows] for (rows,) in seeds
        ]
        shown = "difference in nats by digit: " + " ".join(f"{gap:.1f}" for gap in gaps[0])
        used = [r for (rows,) in seeds for r in rows]
        return of_trainings(used, [sum(gap > 0 for gap in each) for each in gaps], text=shown, across=ACROSS_DIGITS)

    return found


def over_trivial(model: str):
    """Measure of no. 19: mean AUPR of a model minus the mean of the best trivial score; interval over the digits."""

    def found(records) -> Measurement | None:
        seeds = complete(records, model, "trivial")
        if not seeds:
            return unfinished(records, (model, "trivial"))
        differences, shown = [], ""
        for rows, trivial in seeds:
            columns = {name: np.array([r.metrics[f"aupr_{name}"] for r in trivial]) for name in TRIVIAL}
            best = max(columns, key=lambda name: columns[name].mean())
            differences.append(auprs(rows) - columns[best])
            shown = f"best trivial score: {best}, {columns[best].mean():.2f}; {model} {auprs(rows).mean():.2f}"
            if model != "dcgan":
                nll = np.mean([r.metrics[nats(model, "rest")] for r in rows])
                mixture = np.mean([r.metrics["nll_mixture_rest_nats"] for r in trivial])
                shown += f"; negative log-likelihood of the rest, nats: {model} {nll:.1f}, mixture {mixture:.1f}"
        interval = t_interval(tuple(differences[0])) if len(seeds) == 1 else None
        used = [r for rows, trivial in seeds for r in (*rows, *trivial)]
        return of_trainings(used, [d.mean() for d in differences], interval=interval, text=shown, across=ACROSS_MODELS)

    return found


def metric_difference(a, b, name, text, premise=None, reached=False):
    """Measure: mean over the ten digits of name(a) of model `a` minus name(b) of model `b`, with their interval.

    premise({model: records of the first seed}): "" or why the claim does not apply; then there is no value.
    """

    def found(records) -> Measurement | None:
        seeds = complete(records, a, b)
        if not seeds:
            return unfinished(records, (a, b))
        first = dict(zip((a, b), seeds[0], strict=True))
        if premise and premise(first):
            return Measurement(reason=premise(first))
        columns = [
            [np.array([r.metrics[name(m)] for r in rows]) for m, rows in zip((a, b), tables, strict=True)]
            for tables in seeds
        ]
        more = {}
        if len(seeds) == 1:
            more = {"interval": t_interval(tuple(columns[0][0] - columns[0][1])), "one_seed_reason": TEN_TRAININGS}
        used = [r for tables in seeds for rows in tables for r in rows]
        return of_trainings(
            used, [np.mean(x - y) for x, y in columns], reached, text=text(first), across=ACROSS_MODELS, **more
        )

    return found


def better_likelihood(rows) -> str:
    """No. 18 speaks of a PixelCNN whose likelihood is better than the VAE's: than its importance-sampled estimate.

    That is an upper bound, too, of the VAE's negative log-likelihood, and nearer to it than the ELBO.
    """
    vae = np.mean([r.metrics.get("nll_estimate_rest_nats", r.metrics[nats("vae", "rest")]) for r in rows["vae"]])
    pixelcnn = np.mean([r.metrics[nats("pixelcnn", "rest")] for r in rows["pixelcnn"]])
    told = f"not better here: {pixelcnn:.2f} nats, the VAE's by importance sampling {vae:.2f}"
    return "" if pixelcnn < vae else f"the PixelCNN's likelihood is {told}"


def likelihoods_beside(rows) -> str:
    """Which of two models has the better likelihood: a claim's condition."""
    found = {model: np.mean([r.metrics[nats(model, "rest")] for r in used]) for model, used in rows.items()}
    return "negative log-likelihood (PixelCNN) or its bound of the rest, nats: " + ", ".join(
        f"{m} {value:.1f}" for m, value in found.items()
    )


def kl_beside(rows) -> str:
    found = {model: np.mean([r.metrics["kl_rest_nats"] for r in used]) for model, used in rows.items()}
    words = ", ".join(f"{m} {value:.1f}" for m, value in found.items())
    return f"KL of the rest, nats: {words}; layer by layer: Figure 2.4b, chapter 2"


def roc_above_pr(records) -> Measurement | None:
    """No. 20 on the VAE's scores: mean over the digits of `lift`."""
    seeds = complete(records, "vae")
    if not seeds:
        return unfinished(records, ("vae",))
    values = [np.mean([lift(r) for r in rows]) for (rows,) in seeds]
    roc, pr = (np.mean([r.metrics[name] for r in seeds[0][0]]) for name in ("auroc", "aupr"))
    used = [r for (rows,) in seeds for r in rows]
    return of_trainings(used, values, text=f"mean AUROC {roc:.1f}, mean AUPR {pr:.1f}", across=ACROSS_DIGITS)


def worse_with_little_data(records) -> Measurement | None:
    """No. 33: AUPR on a tenth of the images minus that on all, for as many steps; mean over the digits that have it."""
    pairs = on_fewer_images(records)
    if len(pairs) < 2:
        return None
    cells = [(few.settings["key"]["held_out"], *auprs((few, whole))) for few, whole in pairs]
    less = tuple(few - whole for _, few, whole in cells)
    length = shortened([whole for _, whole in pairs])
    return of_trainings(
        [record for pair in pairs for record in pair], [np.mean(less)], interval=t_interval(less),
        reason=length and f"{length} of all images, and as many steps on a tenth of them",
        text="; ".join(f"digit {digit}: {few:.1f} against {whole:.1f}" for digit, few, whole in cells),
        across=ACROSS_DIGITS, one_seed_reason="a training a digit and share; Student's interval over the digits",
    )  # fmt: skip


def leaks_the_population(records) -> Measurement | None:
    """No. 37: how far AUPR in batches of one class is from AUPR in mixed ones, batch norm in the discriminator."""
    found = select(records, experiment="population", model="normed_dcgan", held_out=2)
    found = of_one_set(next((at for scale in SCALES if (at := [r for r in found if r.scale == scale])), []))
    if not found:
        return None
    shown = [f"{name} {found[0].metrics[f'aupr_{name}']:.1f}" for name in ("pure", "mixed", "running")]
    return of_trainings(found, lambda r: abs(r.metrics["aupr_pure_minus_mixed"]), text="AUPR " + ", ".join(shown))


def versions(records) -> Measurement | None:
    """How many held-out versions of the VAE there are; shown once all ten are."""
    seeds = complete(records, "vae")
    return measure(seeds[0][0], [10], across=ACROSS_DIGITS, exact=True) if seeds else unfinished(records, ("vae",))


MEASURES = {f"t41_{digit}_{model}": cell(model, digit) for model in ALL for digit in DIGITS}
MEASURES |= {f"t41_mean_{model}": over_digits((model,), np.mean) for model in ALL}
MEASURES |= {f"t41_median_{model}": over_digits((model,), np.median) for model in ALL}
MEASURES |= {f"t41_{digit}_skew": prevalence(lambda column, digit=digit: column[digit]) for digit in DIGITS}
MEASURES |= {"t41_mean_skew": prevalence(np.mean), "t41_median_skew": prevalence(np.median)}
LETTERS = {"C03": "acd", "C04": "acd", "C05": "abc", "C06": "abc", "C19": "abcd", "C35": "abc"}
TEN = {"one_seed_reason": TEN_TRAININGS, "text": means_and_medians(ALL)}
BY_MEDIAN = TEN | {"one_seed_reason": "ten trainings a model; digits drawn anew"}


def lettered(claim, models, function):
    """{"C03": function("vae"), "C03c": function("pixelvae"), ...}: one row of the claims for each model."""
    return {claim + letter.replace("a", ""): function(m) for letter, m in zip(LETTERS[claim], models, strict=True)}


MEASURES |= {
    "s4_versions": versions,
    "C01": over_digits(ALL, smallest(steps), ACROSS_MODELS, interval=weakest(steps), **TEN),
    "C01c": over_digits(ALL, median_step, ACROSS_MODELS, interval=median_step_interval, **BY_MEDIAN),
    "C02": over_digits(ALL, smallest(leads), ACROSS_MODELS, interval=weakest(leads), **TEN),
    "C02c": over_digits(ALL, median_lead, ACROSS_MODELS, interval=median_lead_interval, **BY_MEDIAN),
    "C01b": over_digits(MODELS, lambda vae, dcgan: np.mean(vae - dcgan), ACROSS_MODELS, interval=difference_interval,
                        one_seed_reason=TEN_TRAININGS, text=means_and_medians(MODELS)),
    "C02b": over_digits(MODELS, lambda vae, dcgan: np.median(vae) - np.median(dcgan), ACROSS_MODELS,
                        text=means_and_medians(MODELS), interval=median_interval,
                        one_seed_reason="ten trainings a model; digits drawn anew"),
    "C03b": over_digits(("dcgan",), among((1, 7), lowest=True), text=order_text),
    "C04b": below_guessing("dcgan"),
    "C17": over_digits(("dcgan",), lambda column: abs(np.mean(column) - 10.0), interval=both_scores,
                       text=both_scores_shown),
    "C18": metric_difference("vae", "pixelcnn", lambda _: "aupr", likelihoods_beside, better_likelihood),
    "C18b": metric_difference("vae", "pixelvae", lambda m: nats(m, "rest"), likelihoods_beside, reached=True),
    "C20b": roc_above_pr,
    "C33": worse_with_little_data,
    "C37": leaks_the_population,
    "C26": metric_difference("pixelvae", "vae", lambda _: "kl_rest_nats", kl_beside),
    "C05d": over_digits(("dcgan",), among((0, 2), lowest=False), text=order_text),
}  # fmt: skip
MEASURES |= lettered("C03", EXPLICIT, lambda m: over_digits((m,), among((1, 7), lowest=True), text=order_text))
MEASURES |= lettered("C04", EXPLICIT, below_guessing)
MEASURES |= lettered("C05", EXPLICIT, lambda m: over_digits((m,), among((2, 8), lowest=False), text=order_text))
MEASURES |= lettered("C06", EXPLICIT, lambda m: over_digits((m,), lambda column: np.std(column, ddof=1)))
MEASURES |= lettered("C19", ALL, over_trivial)
MEASURES |= lettered("C35", EXPLICIT, higher_when_held_out)
MEASURES |= claims_formulas.MEASURES
NOT_RUN = claims_formulas.NOT_RUN
