"""Which records a claim of this chapter is measured on, and what a single training allows to say.

Levels are compared for nets of the printed row's sizes and trainings of at least `sizes.LONG` iterations, what z holds
and what depth brings (Figure 2.4) after such trainings: else the measured number stands in the reason. A claim takes
the longest trainings that have all nets it needs (`by_length`). A row of Table 2.1 takes the last of the RECIPES that
it has run by, and two rows side by side take the same one (`recipes`). Bits of one kind only: the fixed set where there
are records of it. With one training a row an order's interval is that of a repeated training (`of_a_training`); with
several seeds it is Student's over the seeds.
"""

from dataclasses import replace

import numpy as np
from scipy import stats

from common.reporting.claims import Measurement
from common.reporting.records import Record, select
from common.reporting.tables import short
from common.reporting.verdicts import pooled_variance
from reproductions.ahmed_ch2.sizes import FULL, LONG, RATE, ROWS, TUNED, WARMED, killed

# Nats between a bar of Figure 2.4 and a row of Table 2.1. That they are two trainings of one setting is an assumption:
# nobody says so, they may differ in splits too, and we take width 32 for the bar of 80.31 and 64 for the row of 80.02.
REPEATS = (87.68 - 87.41, 80.31 - 80.02)
ONE_SEED = (
    "the interval assumes that a repeated training differs as two bars of Figure 2.4 do from two rows of Table 2.1, by "
    "0.27 and 0.29 nats (Student, two differences), though these may be other widths or splits"
)
TRAININGS = ("likelihoods", "layers", "latents", "labels")
SEEDS = 3  # trainings of one setting from which their spread is known
WIDE = {"width": 32}
PRINTED = {  # {script: {model: sizes of the printed nets}}, as far as they are known
    "likelihoods": ROWS, "layers": {"pixelvae": WIDE, "pixelcnn": WIDE}, "latents": {"pixelvae": WIDE, "vae": WIDE},
}  # fmt: skip
EXACT_AND_BOUND = {"evaluator": "exact for the PixelCNN, a bound or an estimate with latents, as in the text"}
LOOKS = {"evaluator": "samples are compared, no nats"}  # two evaluators of nats, and neither matters
# Variants of a row of Table 2.1 and of the nets of the figures, each the one before it with one change: a short KL
# warm-up and the code's learning rate; a longer warm-up; and a higher rate. So all nets of one recipe have one rate.
RECIPES = ("as_described", WARMED, TUNED)


def of_a_training(records=()) -> tuple[float, int, str]:
    """(variance of the NLL of a repeated training in nats^2, its degrees of freedom, where it is from).

    Pooled over the settings of `records` that have run with SEEDS seeds or more; short trainings of narrow nets, too,
    which hardly differ less than long ones. Without any, half the mean square of REPEATS, an assumption.
    """
    settings = {}
    for r in records:
        where = r.experiment, r.data["name"], r.binarisation, r.steps
        what = (r.settings[name] for name in ("model", "variant", "scale", "key", "options"))
        settings.setdefault(repr((*where, *what)), []).append(nll(r))
    known = [values for values in settings.values() if len(values) >= SEEDS]
    if not known:
        return float(np.mean(np.square(REPEATS)) / 2), len(REPEATS), ONE_SEED
    variance, degrees = pooled_variance(known)
    spread = f"the spread over seeds where there are {SEEDS} or more, {np.sqrt(variance):.2f} nats"
    reason = f"the interval takes {spread} (Student, {degrees} degrees of freedom), for all rows"
    return float(variance), degrees, reason


def training_slack(*weights, records=()) -> float:
    """Half-width of the 95 % interval of sum_k weights_k NLL_k, each from one training (`of_a_training`); nats."""
    variance, degrees, _ = of_a_training(records)
    return float(stats.t.ppf(0.975, degrees) * np.sqrt(variance * np.sum(np.square(weights))))


def of_repeats(records) -> list[Record]:
    """All that may tell how much one training of a setting differs from the next: rows, and nets by depth."""
    return chosen(records, experiment=("likelihoods", "layers"), variant=RECIPES)


def order_fields(values, weights, records) -> dict:
    """Interval and reason of an order between single trainings; records: all there are."""
    if len(values) > 1:
        return {}
    repeats = of_repeats(records)
    half = training_slack(*weights, records=repeats)
    return {"interval": (values[0] - half, values[0] + half), "one_seed_reason": of_a_training(repeats)[2]}


def with_slack(function, *weights):
    """The measure; of one training with the interval that a repeated one would have (`training_slack`)."""

    def found(records) -> Measurement | None:
        measured = function(records)
        if measured is None or measured.n != 1:
            return measured
        return replace(measured, interval=order_fields(measured.values, weights, records)["interval"])

    return found


def widest(numbers) -> tuple[float, float]:
    """The interval that holds all of [(value, half-width), ...], one a seed."""
    return min(value - half for value, half in numbers), max(value + half for value, half in numbers)


def rank_correlation(places, values) -> float:
    """Spearman's, to nine digits: the last bits of -0.8999999999999998 must not decide a rule such as "<= -0.9"."""
    return round(float(stats.spearmanr(places, values).statistic), 9)


def chosen(records, **match) -> list[Record]:
    """Records as described, without --set, of the text's own set if it is there, else of the first by name.

    Not of trainings that their learning rate kills: their scripts refuse them now.
    """
    found = select(records, **{"variant": "as_described"} | match)
    found = [r for r in found if "=" not in r.name and not died(r)]
    names = sorted({r.data["name"] for r in found}, key=lambda name: (name not in ("binarized_mnist", "mnist"), name))
    return sorted((r for r in found if r.data["name"] == names[0]), key=lambda r: r.seed) if names else []


def died(record: Record) -> bool:
    """Whether its recipe killed the net (`sizes.killed`); nets of other scripts than layers.py have masked layers."""
    s = record.settings
    return killed(s["variant"], s["model"], s["key"].get("layers", 1))


def by_length(records, **match) -> list[list[Record]]:
    """[nets of one of the RECIPES, ...], those that have records; the longest first, of equally long ones the last."""
    found = [chosen(records, variant=recipe, **match) for recipe in reversed(RECIPES)]
    return sorted(filter(None, found), key=lambda nets: -min(r.steps for r in nets))


def longest(records, **match) -> list[Record]:
    """The longest trainings of `by_length`, or []."""
    return next(iter(by_length(records, **match)), [])


def warm_up(record: Record) -> int:
    """Iterations until the KL has its full weight; 0 for a net without a latent."""
    return record.settings["options"].get("warm_up", 0)


def learning_rate(record: Record) -> float:
    """Of the training's start."""
    return record.settings["options"].get("learning_rate", RATE)


def preference(record: Record) -> tuple:
    """Which of two trainings of a net counts, the greater: length, warm-up, learning rate; never what was measured."""
    return record.steps, warm_up(record), learning_rate(record)


def recipes(records, models) -> list[list[Record]]:
    """Rows of Table 2.1 by recipe, [all of one, ...], those that count first (`preference`); [] where none has run.

    A net without a latent has no warm-up: by the recipe with the longer one it is trained as described. The rule was
    fixed before any training with the longer warm-up or the higher rate had come to its end.
    """
    nets = chosen(records, experiment="likelihoods", model=models, variant=RECIPES)
    each = {name: [r for r in nets if r.settings["variant"] == name] for name in RECIPES}
    each[WARMED] += [r for r in each["as_described"] if not warm_up(r)]
    return sorted(each.values(), key=lambda found: max(map(preference, found), default=()), reverse=True)


def row(records, model) -> list[Record]:
    """The trainings of one row of Table 2.1 by the recipe that counts, by seed, or []."""
    return next(filter(None, recipes(records, (model,))), [])


def together(records, models) -> list[dict[str, Record]]:
    """[{model: record}] of every seed at which all rows have run by one recipe, the first of `recipes` that has any."""
    each = (by_seed(nets, lambda r: r.settings["model"], models) for nets in recipes(records, tuple(models)))
    return next(filter(None, each), [])


def by_seed(found, place, wanted) -> list[dict]:
    """[{place: record}] of every seed that has all `wanted` places."""
    seeds = {}
    for r in found:
        seeds.setdefault(r.seed, {})[place(r)] = r
    return [{w: nets[w] for w in wanted} for _, nets in sorted(seeds.items()) if all(w in nets for w in wanted)]


def longest_group(records, place, wanted, **match) -> dict:
    """{place: record} of one seed, from the longest trainings that have all `wanted` places; figures take it.

    Without such a set what the shortest trainings have: never two lengths, seeds or scales together.
    """
    sets = by_length(records, **match)
    whole = next((group for nets in sets for group in by_seed(nets, place, wanted)), None)
    if whole or not sets:
        return whole or {}
    return {place(r): r for r in sets[-1] if r.seed == sets[-1][0].seed and place(r) in wanted}


def nll(record: Record) -> float:
    """Exact, or the bound."""
    return record.metrics["nll_nats" if "nll_nats" in record.metrics else "nll_bound_nats"]


def best_nll(record: Record) -> float:
    """Exact, or the estimate, or the bound where there is no estimate."""
    return record.metrics.get("nll_estimate_nats", nll(record))


def short_of(records) -> list[str]:
    """Why nothing is compared with print after so few iterations; empty if it is."""
    least = min(r.steps for r in records)
    return [f"after {least:,} iterations; compared from {LONG:,} on"] if least < LONG else []


def other_sizes(records, wanted) -> list[str]:
    """["with width 16 (not 32) in pixelvae"]: options other than `wanted`, {model: {option: value}}, once a model."""
    found = []
    for r in records:
        model, options = r.settings["model"], r.settings["options"]
        sizes = wanted.get(model, {}).items()
        other = [f"{name} {options.get(name)} (not {size})" for name, size in sizes if options.get(name) != size]
        found += [f"with {', '.join(other)} in {model}"] * bool(other)
    return list(dict.fromkeys(found))


def as_printed(measured, wanted=None, length=True) -> Measurement | None:
    """The measurement, if it can be compared with what is printed; else none, with number, reason and text.

    wanted: sizes, {model: {option: value}}. length: whether the trainings must be long.
    """
    if measured is None:
        return None
    lack = short_of(measured.records) if length else []
    against = other_sizes(measured.records, wanted or {}) + lack
    if not against:
        return measured
    trained = schedule(measured.records) if lack else how_trained(measured.records)
    parts = [f"measured {short(measured.mean)} {', '.join(against)}", measured.text, *trained]
    return Measurement(reason="; ".join(filter(None, parts)))


def compared(function, wanted=None, length=True):
    """A measure that counts only for what can be compared (`as_printed`)."""
    return lambda records: as_printed(function(records), wanted, length)


def span(numbers) -> str:
    """ "800 to 5,000", or "800" if all are equal."""
    return " to ".join(f"{n:,}" for n in sorted({min(numbers), max(numbers)}))


def schedule(records) -> list[str]:
    """["KL warm-up 5,000", "learning rate 0.003"] of trainings shorter than the released code's, where they differ."""
    nets = [r for r in records if r.steps < FULL]
    warm, rates = [warm_up(r) for r in nets if warm_up(r)], sorted({learning_rate(r) for r in nets})
    said = [f"KL warm-up {span(warm)}"] if warm else []
    return said + [f"learning rate {' and '.join(map(str, rates))}"] * bool(set(rates) - {RATE})


def how_trained(records) -> list[str]:
    """["2,000 of 200,000 iterations", "KL warm-up 200"] of trainings shorter than the released code's, else []."""
    nets = [r for r in records if r.experiment in TRAININGS]
    if not nets or min(r.steps for r in nets) >= FULL:
        return []
    return [f"{span([r.steps for r in nets])} of {FULL:,} iterations", *schedule(nets)]


def with_length(function):
    """The measure, and in its reason how its trainings went, if they were shorter than the code's, and other sizes.

    "2,000 of 200,000 iterations, KL warm-up 200, with width 16 (not 32) in pixelvae"; smoke says so itself, and records
    of formulas are no trainings.
    """

    def found(records) -> Measurement | None:
        measured = function(records)
        if measured is None or measured.scale == "smoke":
            return measured
        other = [size for name, wanted in PRINTED.items()
                 for size in other_sizes([r for r in measured.records if r.experiment == name], wanted)]  # fmt: skip
        said = ", ".join(how_trained(measured.records) + other)
        return replace(measured, reason="; ".join(filter(None, (measured.reason, said))))

    return found
