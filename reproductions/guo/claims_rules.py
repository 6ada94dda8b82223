"""How a claim on trained networks is measured: the functions of which `claims_runs` builds its tables.

A number that compares two runs is taken seed by seed. Collapse is counted over seeds, never judged on one run. A claim
about a trained network needs the epochs of `chosen.ENOUGH`, a claim about the end of a training all of the author's;
below them it is "undecided", and what was measured stands in the reason. Where some seeds have been trained long
enough, the others are left out, all of them. Two things a short run can say: what its first epochs decide (`early`),
and what has happened already and stays (`seen`: a collapse, a bound reached).
"""

import math

import numpy as np
from scipy import stats

from common.reporting.claims import Measurement, measure
from common.reporting.records import lookup
from common.reporting.verdicts import CONFIDENCE
from reproductions.guo import chosen, values

SEEDS = 3  # below that collapse is not counted
SHARE = 0.6  # of the seeds: every claim that counts seeds has the rule ">= 0.6", two of three
ACROSS = {
    "evaluator": "one recipe of a judge for all nets",
    "binarisation": "grey pixels for all nets",
    "scale": "the dense GAN and the VAE have one length at both scales",
}


def made_of(records, numbers, text="", **fields) -> Measurement | None:
    """A measurement whose numbers rest on several records each."""
    used = list({r.name + r.experiment: r for r in records}.values())
    parts = (fields.pop("reason", ""), chosen.lengths(used), chosen.judges(used))
    reason = "; ".join(part for part in parts if part)
    return measure(
        used, numbers, text=text, stand_in=chosen.stand_in(used), reason=reason, across=across(used), **fields
    )


def across(records) -> dict[str, str]:
    """Of the fields in which the records differ, why they may; scales only where the smaller one is no shortening."""
    whole = all(r.scale == "paper" or chosen.as_at_paper_scale(r) for r in records)
    return {name: why for name, why in ACROSS.items()
            if len({lookup(r, name, "") for r in records}) > 1 and (name != "scale" or whole)}  # fmt: skip


def needed(records, early=False, to_the_end=False) -> dict[str, int]:
    """{run: epochs of the author's that it needs} of his runs that a record among `records` is too short for."""
    least = chosen.whole if to_the_end else chosen.enough
    return {} if early else {chosen.run_of(r): least(r) for r in records if chosen.passed(r) < least(r)}


def shows(seen, group) -> bool:
    """Whether runs of one seed, too short to decide a claim, already show what does: seen(metrics, ...)."""
    started = all(chosen.passed(r) >= chosen.STARTED for r in group)
    return seen is not None and started and bool(seen(*(r.metrics for r in group)))


def too_short(records, short, found: str) -> Measurement:
    """ "undecided", with what was found all the same."""
    needs = " and ".join(f"{' '.join(chosen.counted(run, count))} of {run}" for run, count in sorted(short.items()))
    return Measurement(reason=f"measured {found} after {chosen.lengths(records)}; decided from {needs} on")


def rule(value, *nets, text="", early=False, to_the_end=False, seen=None, **fields):
    """Measure of value(metrics of nets[0], of nets[1], ...) for each seed.

    text: `values.words` on the first seed's metrics, and says so if there are more. early: the first epochs decide.
    to_the_end: all of the author's epochs are needed. seen: see `shows`; short runs count if every seed shows it.
    """

    def found(records) -> Measurement | None:
        groups = chosen.per_seed(records, nets)
        if not groups:
            return None
        long = [group for group in groups if not needed(group, early, to_the_end)]
        decided, reason = all(group in long or shows(seen, group) for group in groups), fields.get("reason", "")
        if long and not decided:
            left = ", ".join(str(group[0].seed) for group in groups if group not in long)
            groups, decided, reason = long, True, f"{reason}; left out, too short: seed {left}".removeprefix("; ")
        used = [r for group in groups for r in group]
        numbers = [value(*(r.metrics for r in group)) for group in groups]
        first = values.words(text, [r.metrics for r in groups[0]])
        seed = f"seed {groups[0][0].seed}: " if len(groups) > 1 else ""
        words = f"({seed}{first})" if first else ""
        short = needed(used, early, to_the_end)
        if decided:
            return made_of(used, numbers, words, **fields | {"reason": reason})
        return too_short(used, short, " ".join([", ".join(f"{n:.4g}" for n in numbers), words]).strip())

    return found


def metric(name, net, **fields):
    """Measure of one metric of one net."""
    return rule(lambda m: m[name], net, **fields)


def gap(name, first, second, digits=3, **fields):
    """Measure of a metric's difference, first minus second; both means over the first seed are shown."""
    text = f"{{0[{name}]:.{digits}g}} against {{1[{name}]:.{digits}g}}"
    return rule(values.difference(name), first, second, text=text, **fields)


def counted(test, *nets, text="K {0[classes]:.0f}, H {0[label_entropy_nats]:.2f}", seen=None):
    """Share of seeds at which test(metrics, ...) holds; below SEEDS seeds "undecided", but the numbers are shown.

    A seed whose runs are too short counts if it `shows` what is `seen`, else it is open. The share is given where the
    open seeds cannot move it across SHARE: the smallest possible one above it, the largest one below.
    """

    def found(records) -> Measurement | None:
        groups = chosen.per_seed(records, nets)
        if not groups:
            return None
        metrics = [[r.metrics for r in group] for group in groups]
        is_open = [bool(needed(group)) and not shows(seen, group) for group in groups]
        held = [not unknown and bool(test(*each)) for unknown, each in zip(is_open, metrics, strict=True)]
        count = f"{sum(held)} of {len(held)} seeds" + (f", {sum(is_open)} too short to tell" if any(is_open) else "")
        shown = "; ".join(values.words(text, each) for each in metrics)
        used = [r for group in groups for r in group]
        if len(groups) < SEEDS:
            return Measurement(reason=f"counted over seeds, at least {SEEDS}; so far {count}: {shown}")
        low, high = np.mean(held), np.mean(np.add(held, is_open))
        if low < SHARE <= high:
            return too_short(used, needed(used), f"{count} ({shown})")
        share = low if low >= SHARE else high
        return made_of(used, [share], f"({count}: {shown})", reason=share_within(round(share * len(held)), len(held)))

    return found


def share_within(count, seeds) -> str:
    """ "of few seeds: 95 % interval of the share [0.09, 0.99]" (Clopper and Pearson), which a count alone hides."""
    low, high = stats.binomtest(count, seeds).proportion_ci(CONFIDENCE)
    return f"of {seeds} seeds: {100 * CONFIDENCE:.0f} % interval of the share [{low:.2f}, {high:.2f}]"


def raced(net, rival):
    """Share of seeds at which the first net is the faster one; "undecided" where two share no epoch with a distance."""
    measured = counted(values.faster, net, rival, text=values.race_shown)

    def found(records) -> Measurement | None:
        pairs = chosen.per_seed(records, (net, rival))
        if not all(values.common_epochs(a.metrics, b.metrics) for a, b in pairs):
            return Measurement(reason="no common epochs at which both distances were measured")
        return measured(records)

    return found


def spread_ratio(name, net, without):
    """Spread over seeds of a metric, net over without, with the 95 % interval of two normal samples; SEEDS of each."""

    def found(records) -> Measurement | None:
        runs = [chosen.of_net(records, each) for each in (net, without)]
        if not all(runs):
            return None
        if min(map(len, runs)) < SEEDS:
            counts = " and ".join(str(len(each)) for each in runs)
            return Measurement(reason=f"a spread needs at least {SEEDS} seeds of each; there are {counts}")
        first, second = (np.std([r.metrics[name] for r in each], ddof=1) for each in runs)
        free, used = [len(each) - 1 for each in runs], [*runs[0], *runs[1]]
        ratio, text = first / second, f"({first:.3g} over {second:.3g})"
        if needed(used):
            return too_short(used, needed(used), f"{ratio:.3g} {text}")
        ends = ratio / np.sqrt(stats.f.ppf(0.975, *free)), ratio * np.sqrt(stats.f.ppf(0.975, *free[::-1]))
        return made_of(used, [ratio], text, interval=(float(ends[0]), float(ends[1])))

    return found


def parameters(net, count, *names):
    """Number of trained weights of some networks together, minus that of the author's code."""
    return lambda records: measure(
        chosen.of_net(records, net)[:1], lambda r: sum(r.metrics[f"parameters{n}"] for n in names) - count,
        stand_in="", exact=True,
    )  # fmt: skip


def either(make, code, described):
    """{id: measure} for the author's code and {id}_described for what the text describes: make(net)."""
    return {f"{claim}{end}": measured(net) for claim, measured in make.items()
            for end, net in (("", code), ("_described", described))}  # fmt: skip


def first_below(m) -> float:
    """Epochs until the classifier's loss is below .001; infinity if it never is."""
    return math.inf if math.isnan(m["loss_C_epochs_to_0.001"]) else m["loss_C_epochs_to_0.001"]
