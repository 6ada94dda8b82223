"""Which records of trained networks stand for a net: the same choice for claims and figures."""

from common.reporting.rooms import SCALES
from reproductions.doersch.claims_formulas import own_data


def chosen(records, **match) -> list:
    """Matching records on MNIST (else the first data set by name) at the largest scale, in the order of their seeds.

    Of one net's records from before and after a change of the defaults, the more numerous count.
    """
    found = own_data(records, **match)
    scale = min((r.scale for r in found), key=SCALES.index, default="")
    found, kept = [r for r in found if r.scale == scale], []
    for r in found:
        options = [o.settings["options"] for o in found if net_of(o) == net_of(r)]
        if r.settings["options"] == max(options, key=options.count):
            kept.append(r)
    return sorted(kept, key=lambda r: r.seed)


def net_of(r):
    return r.experiment, r.settings["model"], r.settings["variant"], *sorted(r.settings.get("key", {}).items())


def per_seed(records, names, place, **match) -> list[dict]:
    """For each seed that has all of `names`: {name: record}. place(record) gives a record's name."""
    found = {}
    for r in chosen(records, **match):
        found.setdefault(r.seed, {})[place(r)] = r
    return [{n: nets[n] for n in names} for _, nets in sorted(found.items()) if all(n in nets for n in names)]


def of_sizes(records, init, needed) -> dict:
    """{seed: {size: record}} of latents.py with one kind of initial weights, of seeds that have all of `needed`."""
    by_seed = {}
    for r in chosen(records, experiment="latents", model=init, variant="as_described"):
        by_seed.setdefault(r.seed, {})[r.settings["key"]["latent"]] = r
    return {seed: group for seed, group in sorted(by_seed.items()) if all(size in group for size in needed)}
