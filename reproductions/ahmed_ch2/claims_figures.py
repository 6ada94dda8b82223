"""Measures of the claims on Figures 2.4, 2.5 and A.2: records of layers.py, latents.py and labels.py."""

import math
from itertools import compress

from common.reporting.claims import Measurement, measure
from reproductions.ahmed_ch2.selection import (
    EXACT_AND_BOUND,
    LOOKS,
    PRINTED,
    by_length,
    compared,
    longest,
    nll,
    order_fields,
    rank_correlation,
)  # fmt: skip

DEPTHS = (0, 1, 2, 4, 6, 8, 12)


def place(record):
    """("pixelvae", 2) of a record of layers.py."""
    return record.settings["model"], record.settings["key"]["layers"]


def sweep(function, pixelvae=(), pixelcnn=(), weights=(), least=0, **fields):
    """Measure of layers.py: function({depth: PixelVAE}, {depth: PixelCNN}), one value a seed.

    pixelvae, pixelcnn: depths that must have run; other depths of DEPTHS take part where both nets, or the one that
    is asked for, have run them. least: how many depths, from one layer on, both nets must have run. weights: as in
    `rows`.
    """

    def enough(group) -> bool:
        both = [n for m, n in group if m == "pixelvae" and n and ("pixelcnn", n) in group]
        return all(w in group for w in wanted) and len(both) >= least

    wanted = [("pixelvae", n) for n in pixelvae] + [("pixelcnn", n) for n in pixelcnn]

    def grouped(nets) -> list[dict]:
        seeds = {}
        for r in nets:
            if r.settings["key"]["layers"] in DEPTHS:
                seeds.setdefault(r.seed, {})[place(r)] = r
        return [group for _, group in sorted(seeds.items()) if enough(group)]

    def found(records) -> Measurement | None:
        groups = next(filter(None, map(grouped, by_length(records, experiment="layers"))), [])
        if not groups:
            return None
        both_nets = [
            [{n: group[m, n] for m, n in sorted(group) if m == model} for model in ("pixelvae", "pixelcnn")]
            for group in groups
        ]
        values = [function(*pair) for pair in both_nets]
        more = fields | (order_fields(values, weights, records) if weights else {})
        if callable(more.get("text")):
            more["text"] = more["text"](*both_nets[0])
        asked = [bool(pixelvae), bool(pixelcnn)]  # a claim on one net alone rests on the records of that net
        used = [r for pair in both_nets for part in compress(pair, asked) for r in part.values()]
        return measure(used, values, **({"across": EXACT_AND_BOUND} if all(asked) else {}) | more)

    return found


def curve(part, metric=None) -> str:
    """ "0: 87.7, 1: 81.5" by depth."""
    return ", ".join(f"{n}: {r.metrics[metric] if metric else nll(r):.2f}" for n, r in part.items())


def rank(part, value) -> float:
    """Rank correlation of the depth and value(record)."""
    return rank_correlation(list(part), [value(r) for r in part.values()])


def without_layers(vae, cnn) -> float:
    """No. 8 at 0 layers, where the nets differ in kind: exact NLL of the 7x7 layer minus bound of the plain VAE."""
    return nll(cnn[0]) - nll(vae[0])


def differences(vae, cnn, below=13) -> dict[int, float]:
    """{depth: PixelCNN's exact NLL minus PixelVAE's bound}, nats, from one layer on."""
    return {n: nll(cnn[n]) - nll(vae[n]) for n in vae if n in cnn and 1 <= n < below}


def differences_shown(vae, cnn) -> str:
    """Differences by depth; and the KL, because z cannot tell more of an image, on average, than that many nats."""
    shown = ", ".join(f"{n}: {d:.2f}" for n, d in differences(vae, cnn).items())
    return f"by depth {shown}; KL of the PixelVAE {curve({n: vae[n] for n in differences(vae, cnn)}, 'kl_nats')}"


def first_gain(vae, _) -> float:
    """No. 9: (NLL_0 - NLL_1) - (NLL_1 - NLL_most)."""
    return nll(vae[0]) - 2 * nll(vae[1]) + nll(vae[max(vae)])


def enough_layers(vae, cnn) -> float:
    """No. 15: fewest layers with a bound within 0.5 nats of the PixelCNN's NLL at 12 layers; infinite if none."""
    return min((n for n, r in vae.items() if nll(r) <= nll(cnn[12]) + 0.5), default=math.inf)


def a2_order(vae, cnn) -> float:
    """No. 19: the smaller of NLL PixelCNN (4) - PixelVAE (2) and PixelCNN (2) - PixelCNN (4)."""
    return min(nll(cnn[4]) - nll(vae[2]), nll(cnn[2]) - nll(cnn[4]))


def bar(depth, metric):
    """Measure of a bar of Figure 2.4b, only at width 32 and from long trainings."""

    def found(records) -> Measurement | None:
        return measure(longest(records, experiment="layers", model="pixelvae", layers=depth), metric)

    return compared(found, PRINTED["layers"])


# Orders of bounds and exact NLL by depth are compared after long trainings only. After short ones they tell which net
# learns fast; and where the KL is smaller than a lead over the PixelCNN, the lead is not what z brings.
ALL, SOME = (0, 1, 2, 4), (1, 2, 4)
MEASURES = {
    f"F2.4b-{name}-L{n:02d}": bar(n, metric)
    for n in DEPTHS
    for name, metric in (("KL", "kl_nats"), ("REC", "reconstruction_nats"), ("SUM", "nll_bound_nats"))
}
MEASURES |= {
    "F2.4a-01": compared(sweep(lambda vae, cnn: rank(cnn, nll), (), ALL, text=lambda vae, cnn: curve(cnn))),
    "F2.4a-02": compared(sweep(lambda vae, cnn: rank_correlation(*zip(*differences(vae, cnn).items(), strict=True)),
                               SOME, SOME, least=4, text=differences_shown)),
    "C02": compared(sweep(
        lambda vae, cnn: nll(vae[12]) - nll(cnn[12]), (12,), (12,), (1, 1),
        text=lambda vae, cnn: f"{nll(vae[12]):.2f} and {nll(cnn[12]):.2f}; {differences_shown(vae, cnn)}",
    )),
    "C08": compared(sweep(lambda vae, cnn: min(differences(vae, cnn, 10).values()), SOME, SOME, (1, 1),
                          text=differences_shown)),
    "C08b": compared(sweep(without_layers, (0,), (0,), (1, 1), text=lambda vae, cnn: (
        f"{nll(cnn[0]):.2f} and {nll(vae[0]):.2f}; KL of the VAE {vae[0].metrics['kl_nats']:.2f}"))),
    "C09": compared(sweep(first_gain, (0, 1, 2, 4), (), (1, 2, 1),
                          text=lambda vae, cnn: f"bound {curve(vae)}; KL {curve(vae, 'kl_nats')}")),
    "C10": compared(sweep(lambda vae, cnn: vae[1].metrics["kl_nats"] / vae[0].metrics["kl_nats"], (0, 1), compares=True,
                          text=lambda vae, cnn: curve(vae, "kl_nats"))),
    "C11": compared(sweep(lambda vae, cnn: rank(vae, lambda r: r.metrics["kl_nats"]), ALL,
                          text=lambda vae, cnn: curve(vae, "kl_nats"))),
    "C11b": compared(sweep(lambda vae, cnn: rank(vae, lambda r: r.metrics["reconstruction_nats"]), ALL,
                           text=lambda vae, cnn: curve(vae, "reconstruction_nats"))),
    "C12": compared(sweep(lambda vae, cnn: vae[1].metrics["probe_accuracy"] / vae[0].metrics["probe_accuracy"], (0, 1),
                          compares=True, text=lambda vae, cnn: "per cent by depth " + curve(vae, "probe_accuracy"))),
    "C12b": compared(sweep(lambda vae, cnn: vae[1].metrics["kl_nats"], (1,))),
    "C15": compared(sweep(enough_layers, ALL, (12,), text=lambda vae, cnn: (
        f"{'(none) ' * (enough_layers(vae, cnn) == math.inf)}PixelCNN {nll(cnn[12]):.2f}; PixelVAE {curve(vae)}"))),
    "C19b": compared(sweep(a2_order, (2,), (2, 4), (1, 1), text=lambda vae, cnn: (
        f"{nll(vae[2]):.2f}, {nll(cnn[4]):.2f}, {nll(cnn[2]):.2f}; KL of the PixelVAE {vae[2].metrics['kl_nats']:.2f}"
    ))),
    "C19c": sweep(lambda vae, cnn: vae[2].metrics["judge_confidence"] - cnn[4].metrics["judge_confidence"], (2,), (4,),
                  across=LOOKS, text=lambda vae, cnn: f"test images {vae[2].metrics['judge_confidence_test']:.3f}"),
}  # fmt: skip


# --- Figure 2.5 and labels --------------------------------------------------------------------------------------------


def planes(function, needed=(2,), vae_only=False, **fields):
    """Measure of latents.py: function({latent: VAE}, {latent: PixelVAE}), one value a seed."""

    wanted = [(model, n) for model in (("vae",) if vae_only else ("vae", "pixelvae")) for n in needed]

    def grouped(nets) -> list[dict]:
        seeds = {}
        for r in nets:
            seeds.setdefault(r.seed, {})[r.settings["model"], r.settings["key"]["latent"]] = r
        return [group for _, group in sorted(seeds.items()) if all(w in group for w in wanted)]

    def found(records) -> Measurement | None:
        groups = next(filter(None, map(grouped, by_length(records, experiment="latents"))), [])
        if not groups:
            return None
        pairs = [
            [{n: r for (m, n), r in sorted(group.items()) if m == model} for model in ("vae", "pixelvae")]
            for group in groups
        ]
        more = dict(fields)
        if callable(more.get("text")):  # of every seed, for one may say the opposite of their mean
            each = {next(iter(pair[0].values())).seed: more["text"](*pair) for pair in pairs}
            shown = [f"seed {seed}: {text}" for seed, text in each.items()]
            more["text"] = "; ".join(shown) if len(each) > 1 else next(iter(each.values()))
        used = [r for pair in pairs for part in pair[: 1 if vae_only else 2] for r in part.values()]
        return measure(used, [function(*pair) for pair in pairs], **more, compares=len(wanted) > 1)

    return found


def errors(part, k=5) -> dict[int, float]:
    """{latent: per cent}."""
    return {n: r.metrics[f"neighbour_error_{k}"] for n, r in part.items()}


def error_level(model):
    """Measure of a printed neighbour error, k = 5, only at width 32 and from long trainings."""
    place = ("vae", "pixelvae").index(model)
    return compared(
        planes(lambda *pair: errors(pair[place])[2], (2,), model == "vae"), {model: PRINTED["latents"][model]}
    )


def plane_gain(vae, pixelvae) -> float:
    """No. 13: the VAE's error minus the PixelVAE's in the plane, smallest over k."""
    return min(errors(vae, k)[2] - errors(pixelvae, k)[2] for k in (1, 5, 15))


def errors_shown(vae, pixelvae) -> str:
    """Errors in the plane at k = 1, 5 and 15."""
    parts = {"VAE": vae, "PixelVAE": pixelvae}
    return ", ".join(f"{name} {' '.join(f'{errors(p, k)[2]:.1f}' for k in (1, 5, 15))}" for name, p in parts.items())


def gap_at_two(vae, pixelvae) -> float:
    """No. 38: gap of errors at 2 dimensions minus the largest elsewhere."""
    gaps = {n: errors(vae)[n] - errors(pixelvae)[n] for n in vae if n in pixelvae}
    return gaps[2] - max(gap for n, gap in gaps.items() if n != 2)


def moved(vae, pixelvae) -> float:
    """No. 37: the larger ratio of moves, PixelVAE over VAE, in the plane."""
    return max(pixelvae[2].metrics[f"move_{name}"] / vae[2].metrics[f"move_{name}"] for name in ("shift", "flips"))


def information_shown(vae, pixelvae) -> str:
    """No. 14, another measure of the same: nats that the plane tells of the class, at least."""
    told = (part[2].metrics["information_nats"] for part in (vae, pixelvae))
    return "information on the class, nats: VAE {:.2f}, PixelVAE {:.2f}".format(*told)


def conditional(records) -> Measurement | None:
    """No. 44."""
    return measure(longest(records, experiment="labels"), "agreement")


MEASURES |= {
    "F2.5-01": error_level("pixelvae"),
    "F2.5-02": error_level("vae"),
    "C13": compared(planes(plane_gain, text=errors_shown)),
    "C14": compared(planes(lambda vae, pixelvae: pixelvae[2].metrics["silhouette"] - vae[2].metrics["silhouette"],
                           text=information_shown)),
    "C37": compared(planes(moved)),
    "C38": compared(planes(lambda vae, _: rank_correlation(*zip(*errors(vae).items(), strict=True)),
                           (2, 4, 8, 16, 64), vae_only=True,
                           text=lambda vae, _: ", ".join(f"{n}: {e:.1f} %" for n, e in errors(vae).items()))),
    "C38b": compared(planes(gap_at_two, (2, 64), text=lambda vae, pixelvae: ", ".join(
        f"{n}: {errors(vae)[n]:.1f} and {errors(pixelvae)[n]:.1f} %" for n in vae if n in pixelvae))),
    "C44": compared(conditional, {"conditional": {"layers": 12}}),
}  # fmt: skip

OTHER_DEPTHS = "not among the depths that run (0, 1, 2, 4, 6, 8, 12)"
NOT_RUN = {
    f"F2.4b-{name}-L{n:02d}": OTHER_DEPTHS for n in (3, 5, 7, 9, 10, 11, 13, 21) for name in ("KL", "REC", "SUM")
}
