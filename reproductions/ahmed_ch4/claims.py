"""How each claim of claims.csv is measured from records: Table 4.1 and what is said of it; the rest is in other files.

One training a cell, but for the VAE and two cells of the DCGAN: their spread is used where it is known. A mean over the
ten digits rests on ten trainings on ten different training sets, so its interval is Student's over the digits: it
contains the spread of trainings (all ten start from the same initial weights, so not all of it). Intervals over test
images alone are in the tables.
"""

import numpy as np

from common.reporting.claims import Measurement, measure
from common.reporting.verdicts import prediction_interval
from reproductions.ahmed_ch4 import claims_formulas, claims_models
from reproductions.ahmed_ch4.intervals import (
    borrowed_interval,
    difference_interval,
    hull,
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
from reproductions.ahmed_ch4.lengths import from_three_seeds, of_trainings, shortened
from reproductions.ahmed_ch4.selection import (
    ACROSS_DIGITS,
    ACROSS_MODELS,
    ALL,
    DIGITS,
    EXPLICIT,
    MODELS,
    TEN_TRAININGS,
    auprs,
    complete,
    largest,
    lettered,
    unfinished,
)  # fmt: skip
from reproductions.ahmed_ch4.states import (
    averaged,
    both_scores,
    both_scores_shown,
    by_both_scores,
    has_states,
    last_states,
    states_of_mean,
    states_of_median,
)  # fmt: skip

SPREAD_OF_OTHERS = "one training: its spread is that of the digits with three, together"


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


def cell(model: str, digit: int):
    """Measure of one cell: one value a seed. Interval: where one more training would land, by the spread of the cell's
    seeds, or with one seed by that of the column's cells with several; the DCGAN's scatters within a training, too, so
    its interval reaches over the last states of all seeds.
    """

    def found(records) -> Measurement | None:
        cells = largest(records, model)
        chosen = [r for (_, d), r in sorted(cells.items()) if d == digit]
        values = [r.metrics["aupr"] for r in chosen]
        more, fields = prediction_interval(values), {}
        if len(values) == 1:
            others = [[r.metrics["aupr"] for (_, d), r in cells.items() if d == each] for each in DIGITS]
            if more := borrowed_interval(values[0], others):
                fields["reason"] = "; ".join(part for part in (SPREAD_OF_OTHERS, shortened(chosen)) if part)
        return of_trainings(chosen, "aupr", interval=hull(more, last_states(chosen), low=0, high=100), **fields)

    return found


def column(model: str, function, states):
    """Measure of a column's mean or median; interval as of a cell. states(rows): that of the DCGAN's last states."""

    def found(records) -> Measurement | None:
        seeds = [rows for (rows,) in complete(records, model)]
        if not seeds:
            return unfinished(records, (model,))
        values = [float(function(auprs(rows))) for rows in seeds]
        interval = hull(prediction_interval(values), *map(states, seeds), low=0, high=100)
        return of_trainings([r for rows in seeds for r in rows], values, interval=interval, across=ACROSS_DIGITS)

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

    return from_three_seeds(found)


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
    """Text: mean and median of every column; the DCGAN's by both of its scores."""

    def text(columns, rows):
        shown = list(zip(models, columns, strict=True))
        if has_states(rows[-1]):
            shown.append(("dcgan by the logit averaged over the last states", averaged(rows[-1])))
        means = "; ".join(f"{name} mean {c.mean():.2f}, median {np.median(c):.2f}" for name, c in shown)
        return f"{means}; of these very trainings, by paired bootstrap: table Differences of AUPR"

    return text


def lift(record) -> float:
    """How far above guessing AUROC is, minus how far AUPR is; both as a share of the way from guessing to 100."""
    m = record.metrics
    return (m["auroc"] - 50) / 50 - (m["aupr"] - m["prevalence"]) / (100 - m["prevalence"])


def roc_above_pr(records) -> Measurement | None:
    """No. 20 on the VAE's scores: mean over the digits of `lift`."""
    seeds = complete(records, "vae")
    if not seeds:
        return unfinished(records, ("vae",))
    values = [np.mean([lift(r) for r in rows]) for (rows,) in seeds]
    roc, pr = (np.mean([r.metrics[name] for r in seeds[0][0]]) for name in ("auroc", "aupr"))
    used = [r for (rows,) in seeds for r in rows]
    return of_trainings(used, values, text=f"mean AUROC {roc:.1f}, mean AUPR {pr:.1f}", across=ACROSS_DIGITS)


MEASURES = {f"t41_{digit}_{model}": cell(model, digit) for model in ALL for digit in DIGITS}
MEASURES |= {f"t41_mean_{model}": column(model, np.mean, states_of_mean) for model in ALL}
MEASURES |= {f"t41_median_{model}": column(model, np.median, states_of_median) for model in ALL}
MEASURES |= {f"t41_{digit}_skew": prevalence(lambda column, digit=digit: column[digit]) for digit in DIGITS}
MEASURES |= {"t41_mean_skew": prevalence(np.mean), "t41_median_skew": prevalence(np.median)}
TEN = {"one_seed_reason": TEN_TRAININGS, "text": means_and_medians(ALL)}
BY_MEDIAN = TEN | {
    "one_seed_reason": "one training a digit; bootstrap over the digits; outer ends of the DCGAN's two scores"
}
TWO = {"text": means_and_medians(MODELS)}


def hardest(model: str):
    """No. 3: how many of 1 and 7 are a model's two hardest digits."""
    return from_three_seeds(over_digits((model,), among((1, 7), lowest=True), text=order_text))


def easiest(digits):
    """No. 5: for a model, how many of two digits are its two easiest."""
    return lambda model: from_three_seeds(over_digits((model,), among(digits, lowest=False), text=order_text))


def variation(model: str):
    """No. 6: sample sd of AUPR over the digits."""
    return over_digits((model,), lambda column: np.std(column, ddof=1))


MEASURES |= {
    "C01": over_digits(ALL, smallest(steps), ACROSS_MODELS, interval=by_both_scores(weakest(steps)), **TEN),
    "C01c": over_digits(ALL, median_step, ACROSS_MODELS, interval=by_both_scores(median_step_interval), **BY_MEDIAN),
    "C02": over_digits(ALL, smallest(leads), ACROSS_MODELS, interval=by_both_scores(weakest(leads)), **TEN),
    "C02c": over_digits(ALL, median_lead, ACROSS_MODELS, interval=by_both_scores(median_lead_interval), **BY_MEDIAN),
    "C01b": over_digits(MODELS, lambda vae, dcgan: np.mean(vae - dcgan), ACROSS_MODELS,
                        interval=by_both_scores(difference_interval), **TEN | TWO),
    "C02b": over_digits(MODELS, lambda vae, dcgan: np.median(vae) - np.median(dcgan), ACROSS_MODELS,
                        interval=by_both_scores(median_interval), **BY_MEDIAN | TWO),
    "C17": over_digits(("dcgan",), lambda column: abs(np.mean(column) - 10.0), interval=both_scores,
                       text=both_scores_shown),
    "C20b": roc_above_pr,
}  # fmt: skip
MEASURES |= lettered("C03", "abcd", ("vae", "dcgan", "pixelvae", "pixelcnn"), hardest)
MEASURES |= lettered("C04", "abcd", ("vae", "dcgan", "pixelvae", "pixelcnn"), below_guessing)
MEASURES |= lettered("C05", "abc", EXPLICIT, easiest((2, 8))) | lettered("C05", "d", ("dcgan",), easiest((0, 2)))
MEASURES |= lettered("C06", "abc", EXPLICIT, variation)
MEASURES |= claims_models.MEASURES | claims_formulas.MEASURES
NOT_RUN = claims_formulas.NOT_RUN
