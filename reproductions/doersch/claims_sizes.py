"""Measures of the claims on the size of z: records of latents.py, trained as described.

All of them are about where trainings end, so shortened ones give their numbers and no verdict.
"""

import numpy as np

from common.reporting.claims import Measurement
from reproductions.doersch.claims_lengths import INITIAL, SLOWER, averaged, together
from reproductions.doersch.selection import of_sizes

NOTICEABLE = 5  # nats; the yardstick of C24 to C27 for "noticeably worse"
AT_THE_END = "how far apart whole trainings end is asked for, and 30 dimensions may have more left to learn"


def sizes(*needed, value, show=None, at_least=None, premise=None):
    """Measure of latents.py, He's initial weights: value({size: metrics}) for each seed that has all of `needed`.

    Large sizes learn more slowly, so shortened trainings do not tell how good they are. premise({size: metrics}):
    whether there is anything to explain; without it no value.
    """

    def found(records) -> Measurement | None:
        groups = list(of_sizes(records, "he", needed).values())
        if at_least:
            groups = [group for group in groups if len(between(group)) >= at_least]
        if not groups:
            return None
        means = averaged(groups)
        if premise and not premise(means):
            return Measurement(reason=f"nothing to explain here: {sizes_shown(means)}")
        return together(groups, value, show(means) if show else "", at_end=SLOWER)

    return found


def between(m):
    """The sizes 10 to 1,000 among those that have run."""
    return [size for size in sorted(m) if 10 <= size <= 1_000]


def excess(m, size, name="negative_elbo"):
    """-ELBO (or a term of it) on the test images, minus that at 30 dimensions."""
    return m[size][f"test_{name}_nats"] - m[30][f"test_{name}_nats"]


def frechet(m, size):
    """Fréchet distance over that at 30 dimensions."""
    return m[size]["frechet"] / m[30]["frechet"]


def sizes_shown(m):
    return "-ELBO " + ", ".join(f"{size}: {m[size]['test_negative_elbo_nats']:.1f}" for size in sorted(m))


def kl_shown(m):
    """C27: where the excess lies, and how much of the KL latents hold that are called inactive."""
    m, units = m[10_000], {term: excess(m, 10_000, term) for term in ("kl", "cross_entropy")}
    return (
        f"KL {units['kl']:+.1f}, the rest {units['cross_entropy']:+.1f} nats; {10_000 - m['active_units']:,.0f} "
        f"latents are inactive and hold {m['inactive_kl_nats']:.1f} of the {m['test_kl_nats']:.1f} nats of KL"
    )


def small_sizes(value, *needed, pick=min, show=None, why=None, premise=None, **fields):
    """Measure of the smaller (or pick=max) of two values a seed, He's initial weights and sparse ones; it needs both.

    Few latents kill decoder units under sparse15, not under he. why({init: {size: metrics}}): words for the reason.
    """

    def found(records) -> Measurement | None:
        by_init = [of_sizes(records, init, needed) for init in INITIAL]
        seeds = [seed for seed in by_init[0] if seed in by_init[1]]
        if not seeds:
            missing = [init for init, found in zip(INITIAL, by_init, strict=True) if not found]
            one = len(missing) == 1
            return Measurement(reason=f"needs both initialisations; missing: {missing[0]}") if one else None
        groups = [{(n, s): r for n in (0, 1) for s, r in by_init[n][seed].items()} for seed in seeds]

        def halves(metrics):
            return [{size: m for (n, size), m in metrics.items() if n == number} for number in (0, 1)]

        means = dict(zip(INITIAL, halves(averaged(groups)), strict=True))
        if premise and not all(map(premise, means.values())):
            return Measurement(reason=f"nothing to explain here: {sizes_shown(means['he'])}")
        text = ", ".join(f"{init} {value(m):.2f}" for init, m in means.items())
        text += f"; he: {show(means['he'])}" if show else ""
        reason = why(means) if why else ""
        return together(groups, lambda m: pick(map(value, halves(m))), text, at_end=AT_THE_END, reason=reason, **fields)

    return found


def worse_too(by_init):
    """C24: sizes from 4 on, below 30, that exceed the yardstick as well; the text calls only fewer than 4 worse."""
    found = []
    for init, m in by_init.items():
        far = [f"{s}: {excess(m, s):.1f}" for s in sorted(m) if 4 <= s < 30 and excess(m, s) > NOTICEABLE]
        found += [f"{init} {', '.join(far)}"] if far else []
    return f"larger sizes exceed {NOTICEABLE} nats too, {'; '.join(found)} (C24d)" if found else ""


def worst_share(m):
    """C24c: the smallest share of the excess at 1, 2 and 3 dimensions that is the reconstruction's."""
    return min(excess(m, s, "cross_entropy") / excess(m, s) for s in (1, 2, 3))


MEASURES = {
    "C23": sizes(
        30, 1_000, value=lambda m: np.ptp([m[s]["test_negative_elbo_nats"] for s in between(m)]), show=sizes_shown,
        at_least=3,
    ),
    "C23b": sizes(
        30, 1_000, value=lambda m: max(m[s]["frechet"] for s in between(m)) / min(m[s]["frechet"] for s in between(m)),
        at_least=3,
    ),
    "C24": small_sizes(
        lambda m: min(excess(m, s) for s in (1, 2, 3)), 1, 2, 3, 30, show=sizes_shown, why=worse_too
    ),
    "C24b": small_sizes(lambda m: abs(excess(m, 3)) - abs(excess(m, 4)), 3, 4, 30, order=True),
    "C24c": small_sizes(
        worst_share, 1, 2, 3, 30, premise=lambda m: min(excess(m, s) for s in (1, 2, 3)) > NOTICEABLE
    ),
    "C24d": small_sizes(lambda m: excess(m, 4), 4, 30, pick=max),
    "C25": sizes(30, 1_000, value=lambda m: frechet(m, 1_000)),
    "C25b": sizes(30, 1_000, value=lambda m: excess(m, 1_000)),
    "C26": sizes(30, 10_000, value=lambda m: max(frechet(m, 10_000) / 1.5, excess(m, 10_000) / NOTICEABLE)),
    "C27": sizes(
        30, 10_000, value=lambda m: excess(m, 10_000, "kl") / excess(m, 10_000), show=kl_shown,
        premise=lambda m: excess(m, 10_000) > NOTICEABLE,
    ),
}  # fmt: skip
