"""Which records a claim of this chapter is measured on, and what a single training allows to say.

Levels are compared for trainings of at least 20,000 iterations: below that the measured number stands in the reason.
Bits of one kind only: the fixed set where there are records of it. With one training a row an order's interval is
that of a repeated training, `REPEATS`; with several seeds it is Student's over the seeds.
"""

import numpy as np
from scipy import stats

from common.reporting.claims import Measurement
from common.reporting.records import Record, select

LONG = 20_000  # iterations from which a level is compared
REPEATS = (87.68 - 87.41, 80.31 - 80.02)  # nats between two trainings of one setting, by the authors (F2.4b, T2.1)
ONE_SEED = (
    "the interval is what two repeated trainings of the authors, 0.27 and 0.29 nats apart, allow (Student, two "
    "differences)"
)
EXACT_AND_BOUND = {"evaluator": "exact for the PixelCNN, a bound or an estimate with latents, as in the text"}


def training_slack(*weights) -> float:
    """Half-width of the 95 % interval of sum_k weights_k NLL_k, each from one training; nats.

    A training's variance is half the mean square of REPEATS, known from two differences.
    """
    variance = np.mean(np.square(REPEATS)) / 2
    return float(stats.t.ppf(0.975, len(REPEATS)) * np.sqrt(variance * np.sum(np.square(weights))))


def order_fields(values, weights) -> dict:
    """Interval and reason of an order between single trainings."""
    if len(values) > 1:
        return {}
    half = training_slack(*weights)
    return {"interval": (values[0] - half, values[0] + half), "one_seed_reason": ONE_SEED}


def chosen(records, **match) -> list[Record]:
    """Records as described, without --set, of the text's own set if it is there, else of the first by name."""
    found = select(records, **{"variant": "as_described"} | match)
    found = [r for r in found if "=" not in r.name]
    names = sorted({r.data["name"] for r in found}, key=lambda name: (name not in ("binarized_mnist", "mnist"), name))
    return sorted((r for r in found if r.data["name"] == names[0]), key=lambda r: r.seed) if names else []


def by_seed(found, place, wanted) -> list[dict]:
    """[{place: record}] of every seed that has all `wanted` places."""
    seeds = {}
    for r in found:
        seeds.setdefault(r.seed, {})[place(r)] = r
    return [{w: nets[w] for w in wanted} for _, nets in sorted(seeds.items()) if all(w in nets for w in wanted)]


def nll(record: Record) -> float:
    """Exact, or the bound."""
    return record.metrics["nll_nats" if "nll_nats" in record.metrics else "nll_bound_nats"]


def best_nll(record: Record) -> float:
    """Exact, or the estimate, or the bound where there is no estimate."""
    return record.metrics.get("nll_estimate_nats", nll(record))


def short_of(records) -> str:
    """Why no level is compared, or ""."""
    least = min(r.steps for r in records)
    return f"after {least:,} iterations; levels are compared from {LONG:,} on" if least < LONG else ""


def with_length(measured) -> Measurement | None:
    """The measurement, or none with the reason if a training behind it is short."""
    short = short_of(measured.records) if measured else ""
    if short:
        return Measurement(reason=f"measured {measured.mean:.2f} {short}")
    return measured


def only_long(function):
    """A measure that counts for long trainings only."""
    return lambda records: with_length(function(records))
