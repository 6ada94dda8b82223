"""How a claim on trained networks is measured: the functions of which `claims_runs` builds its tables.

A number that compares two runs is taken seed by seed. Collapse is counted over seeds, never judged on one run. A claim
about a trained network needs the epochs of `chosen.ENOUGH`, a claim about the end of a training all of the author's;
below them it is "undecided", and what was measured stands in the reason. Where some seeds have been trained long
enough, the others are left out, all of them. Two things a short run can say: what its first epochs decide (`early`),
and what has happened already and stays (`seen`: a collapse, a bound reached). A number of two nets or more compares
random trainings, so that one seed of it decides nothing.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from common.reporting.claims import Measurement, load_claims, measure
from common.reporting.records import lookup
from common.reporting.rooms import with_folder
from common.reporting.verdicts import CONFIDENCE, FAILS, HOLDS, prediction_interval, verdict
from reproductions.guo import chosen, values

CLAIMS = {claim.claim_id: claim for claim in load_claims(Path(__file__).with_name("claims.csv"))}
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


def too_short(records, short, found: str, more="") -> Measurement:
    """ "undecided", with what was found all the same."""
    reason = f"measured {found} after {chosen.lengths(records)}; {shortfall(short)}"
    return Measurement(reason=f"{reason}; {more}" if more else reason)


def shortfall(short) -> str:
    """ "decided from 50 epochs of cvae_gan on", of what is `needed`."""
    needs = " and ".join(f"{' '.join(chosen.counted(run, count))} of {run}" for run, count in sorted(short.items()))
    return f"decided from {needs} on"


def rule(value, *nets, text="", early=False, to_the_end=False, seen=None, arrays=False, **fields):
    """Measure of value(metrics of nets[0], of nets[1], ...) for each seed.

    text: `values.words` on the first seed's metrics, and says so if there are more. early: the first epochs decide.
    to_the_end: all of the author's epochs are needed. seen: see `shows`; short runs count if every seed shows it.
    arrays: value and text get the record's arrays among the metrics.
    """
    fields = {"compares": len(nets) > 1} | fields

    def found(records, results_dir=None) -> Measurement | None:
        groups = chosen.per_seed(records, nets)
        if not groups:
            return None
        long = [group for group in groups if not needed(group, early, to_the_end)]
        decided, reason = all(group in long or shows(seen, group) for group in groups), fields.get("reason", "")
        if long and not decided:
            left = ", ".join(str(group[0].seed) for group in groups if group not in long)
            groups, decided, reason = long, True, f"{reason}; left out, too short: seed {left}".removeprefix("; ")
        used = [r for group in groups for r in group]
        known = [[r.metrics | (chosen.scores(r, results_dir) if arrays else {}) for r in group] for group in groups]
        numbers, first = [value(*each) for each in known], values.words(text, known[0])
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


def each_shown(measured):
    """The same measure; of several seeds the text has each one's number, which mean and spread hide."""

    def found(records) -> Measurement | None:
        made = measured(records)
        if made is None or len(made.values) < 2:
            return made
        return replace(made, text=f"(each: {', '.join(f'{v:.2f}' for v in made.values)}) {made.text}".strip())

    return found


def gap(name, first, second, digits=3, **fields):
    """Measure of a metric's difference, first minus second; both means over the first seed are shown."""
    text = f"{{0[{name}]:.{digits}g}} against {{1[{name}]:.{digits}g}}"
    return rule(values.difference(name), first, second, text=text, **fields)


def counted(test, *nets, text="K {0[classes]:.0f}, H {0[label_entropy_nats]:.2f}", seen=None, lacks=None):
    """Share of seeds at which test(metrics, ...) holds; below SEEDS seeds "undecided", but the numbers are shown.

    A seed whose runs are too short counts if it `shows` what is `seen`, else it is open; so is one of which the test
    gives None. The share is given where the open seeds cannot move it across SHARE: the smallest possible one above it,
    the largest one below; its interval is that of the smallest and of the largest together. lacks(metrics, ...): what a
    seed lacks to be tested at all, or ""; it is left out, and the reason says so.
    """

    def found(records) -> Measurement | None:
        groups, left = with_all(chosen.per_seed(records, nets), lacks)
        if not groups:
            return Measurement(reason=left) if left else None
        metrics = [[r.metrics for r in group] for group in groups]
        short = [bool(needed(group)) and not shows(seen, group) for group in groups]
        told = [None if unknown else test(*each) for unknown, each in zip(short, metrics, strict=True)]
        is_open, held = [answer is None for answer in told], list(map(bool, told))
        count = f"{sum(held)} of {len(held)} seeds" + (f", {sum(short)} too short to tell" if any(short) else "")
        apart = sum(is_open) - sum(short)
        count += f", {apart} not told apart" if apart else ""
        shown = "; ".join(map(seed_shown, groups, (values.words(text, each) for each in metrics)))
        used = [r for group in groups for r in group]
        if len(groups) < SEEDS:
            so_far = f"counted over seeds, at least {SEEDS}; so far {count}: {shown}"
            return Measurement(reason="; ".join(part for part in (so_far, left) if part))
        low, high = np.mean(held), np.mean(np.add(held, is_open))
        if low < SHARE <= high:
            if needed(used):
                return too_short(used, needed(used), f"{count} ({shown})", left)
            return Measurement(reason="; ".join(part for part in (f"measured {count}: {shown}", left) if part))
        share, seeds = low if low >= SHARE else high, len(held)
        bound = "" if low == high else "at least " if share == low else "at most "
        ends = share_within(sum(held), seeds)[0], share_within(sum(held) + sum(is_open), seeds)[1]
        words = f"({bound}{share:.2f}: {count}: {shown})" if bound else f"({count}: {shown})"
        why = f"interval of a share of {seeds} seeds, by Clopper and Pearson" + (f"; {left}" if left else "")
        return made_of(used, [share], words, reason=why, interval=ends, counted=seeds)

    return found


def with_all(groups, lacks) -> tuple[list, str]:
    """(the seeds that lack nothing, which were left out and why); see `counted`."""
    wanting = {group[0].seed: lacks(*(r.metrics for r in group)) for group in groups} if lacks else {}
    left = [f"left out, {what}: seed {seed}" for seed, what in wanting.items() if what]
    return [group for group in groups if not wanting.get(group[0].seed)], "; ".join(left)


def seed_shown(group, words) -> str:
    """A seed's numbers; of runs shorter than the author's with the epoch at which it was last seen."""
    alone = group[0] if len(group) == 1 else None
    return f"{words} at epoch {chosen.epochs(alone)}" if alone and needed(group, to_the_end=True) else words


def share_within(count, of) -> tuple[float, float]:
    """95 % interval of a share (Clopper and Pearson): what a count of few hides."""
    low, high = stats.binomtest(count, of).proportion_ci(CONFIDENCE)
    return float(low), float(high)


def beside_best(name, printed, *others):
    """A metric of every seed of a net over the smallest mean of all nets; the others may have one seed each.

    Interval: where one more training of `printed` would land, over that smallest mean. Below two seeds of it no order.
    """

    def found(records) -> Measurement | None:
        runs = {net: chosen.longest(records, net) for net in (printed, *others)}
        if not all(runs.values()):
            return None
        used = [r for each in runs.values() for r in each]
        means = {net: np.mean([r.metrics[name] for r in each]) for net, each in runs.items()}
        ours, best = [r.metrics[name] for r in runs[printed]], min(means.values())
        shown = ", ".join(f"{net.rpartition('/')[2]} {mean:.1f}" + (f" ({len(runs[net])} seeds)" * (len(runs[net]) > 1))
                          for net, mean in means.items())  # fmt: skip
        if needed(used):
            return too_short(used, needed(used), f"{means[printed] / best:.3g} ({shown})")
        ends, of_best = prediction_interval(ours), len(runs[min(means, key=means.get)])
        return made_of(
            used, [each / best for each in ours], f"({shown})", compares=True,
            interval=ends and tuple(float(end / best) for end in ends),
            reason="interval: where one more training at the printed setting would land; of the best setting there "
                   + ("is one" if of_best == 1 else f"are {of_best}"),
        )  # fmt: skip

    return found


def all_hold(parts, make=made_of):
    """How many of some claims hold, {claim: measure}, each by its own verdict; one that fails decides that not all do.

    "undecided" where none fails and not all hold.
    """

    def found(records, results_dir=None) -> Measurement | None:
        each = {claim: with_folder(measured, results_dir)(records) for claim, measured in parts.items()}
        if not any(each.values()):
            return None
        words = {claim: verdict(CLAIMS[claim], measurement)[0] for claim, measurement in each.items()}
        by_word = "; ".join(f"{word}: {', '.join(c for c in words if words[c] == word)}"
                            for word in dict.fromkeys(words.values()))  # fmt: skip
        held = sum(word == HOLDS for word in words.values())
        if FAILS not in words.values() and held < len(parts):
            return Measurement(reason=by_word)
        used = [r for measurement in each.values() if measurement for r in measurement.records]
        return make(list({id(r): r for r in used}.values()), [held], reason=by_word)

    return found


def on_mnist(measured):
    """A measure that sets pictures beside MNIST's own digits (`values.of_real`), so that other sets decide nothing."""

    def found(records) -> Measurement | None:
        of_others = Measurement(reason="compared with MNIST's digits, and these runs have other data")
        return measured([r for r in records if r.data["name"] == "mnist"]) or (of_others if measured(records) else None)

    return found


def raced(net, rival):
    """Share of seeds at which the first net is the faster one (`values.faster`); others where that is not known."""
    return counted(values.faster, net, rival, text=values.race_shown, lacks=few_moments)


def few_moments(a, b) -> str:
    """That a run of two has too few epochs with a distance for a race, or ""."""
    fewest = min(len(values.distances(m)) for m in (a, b))
    return f"fewer than {values.MOMENTS} measured epochs in a run ({fewest})" if fewest < values.MOMENTS else ""


def spread_ratio(name, net, without):
    """Spread over seeds of a metric, net over without, with the 95 % interval of two normal samples; SEEDS of each.

    Both at the longest length that both have. Without a number the reason names all that is short: seeds and epochs.
    """

    def found(records) -> Measurement | None:
        runs = chosen.of_one_length(records, (net, without))
        if not all(runs):
            both = all(chosen.trainings(records, each) for each in (net, without))
            return Measurement(reason="the two have no length in common") if both else None
        used = [*runs[0], *runs[1]]
        short, (first, second) = needed(used), map(len, runs)
        if min(first, second) < SEEDS:
            why = f"a spread needs at least {SEEDS} seeds of each; there are {first} and {second}"
            length = f"; {shortfall(short)}; the longest that both have: {chosen.lengths(used)}" if short else ""
            return Measurement(reason=why + length)
        first, second = (np.std([r.metrics[name] for r in each], ddof=1) for each in runs)
        free, ratio, text = [len(each) - 1 for each in runs], first / second, f"({first:.3g} over {second:.3g})"
        if short:
            return too_short(used, short, f"{ratio:.3g} {text}")
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
