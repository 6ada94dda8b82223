"""Measures of the claims on Table 2.1, Figure A.3 and the gap between bound and estimate: records of likelihoods.py."""

import itertools
from dataclasses import replace

import numpy as np

from common.reporting.claims import Measurement, measure
from reproductions.ahmed_ch2.selection import (
    EXACT_AND_BOUND,
    LOOKS,
    RECIPES,
    best_nll,
    by_seed,
    chosen,
    compared,
    nll,
    order_fields,
    preference,
    row,
    together,
    widest,
    with_slack,
)  # fmt: skip
from reproductions.ahmed_ch2.sizes import ROWS

SATURATED = 0.02  # nats that N draws may gain over N/2 if more are to change nothing (claim C06)
OWN_ROWS = ("conv_vae", "pixelvae", "gated_pixelcnn", "gated_pixelvae_up", "gated_pixelvae")


def rows(*models, value, weights=(), text="", **fields):
    """Measure of likelihoods.py: value(record of models[0], ...), one value a seed at which all models have run.

    All by one recipe (`together`). weights: of the models' numbers in an order of nats; with one seed they give the
    interval (`training_slack`).
    """

    def found(records) -> Measurement | None:
        groups = together(records, models)
        if not groups:
            return None
        values = [value(*group.values()) for group in groups]
        more = {"compares": len(models) > 1} | fields
        if weights:
            more |= order_fields(values, weights, records)
            trained_for = {r.steps for group in groups for r in group.values()}
            if len(trained_for) > 1:
                each = ", ".join(f"{model} {r.steps:,}" for model, r in groups[0].items())
                more["reason"] = f"iterations differ: {each}"
        used = [r for group in groups for r in group.values()]
        return measure(used, values, text=text and text(*groups[0].values()), **more)

    return found


def in_training(r) -> str:
    """What training images cost at the end: above the printed level, the training has not come that far."""
    return f"in training {r.metrics['train_nats']:.2f}" if "train_nats" in r.metrics else ""


def level(model, metric, text=in_training):
    """Measure of a printed level, only for the row's sizes and long trainings; else its number in the reason."""
    one = with_slack(rows(model, value=lambda r: r.metrics[metric], text=text), 1, 1)  # of ours and of the printed one
    return compared(one, ROWS)


def gap(model):
    """No. 5: bound minus estimate, with its interval over images."""

    def found(records) -> Measurement | None:
        nets = [r for r in row(records, model) if "gap_nats" in r.metrics]
        if not nets:
            return None
        halves = [(r.metrics["gap_nats"], 2 * r.metrics["gap_se_nats"]) for r in nets]
        first = nets[0].metrics
        text = (
            f"effective sample size {first['ess_median']:.0f} of {first['estimate_draws']:.0f} draws (median of "
            f"{first['estimate_images']:.0f} images)"
        )
        return measure(nets, "gap_nats", interval=widest(halves), text=text)

    return found


def saturation(records) -> Measurement | None:
    """No. 6: gain of N draws over N/2; fewer than 5,000 draws count only if they hold."""
    nets = [r for r in row(records, "gated_pixelvae") if "gap_nats" in r.metrics]
    if not nets:
        return None
    draws = int(nets[0].metrics["estimate_draws"])
    gains = [r.metrics[f"gain_over_{draws // 2}_nats"] for r in nets]
    tenth = nets[0].metrics.get("gain_over_10_nats")
    text = f"N = {draws:,}" + (f"; over 10 draws {tenth:.2f} nats" if tenth is not None else "")
    if draws < 5_000 and max(gains) >= SATURATED:
        return Measurement(reason=f"{draws:,} draws gain {max(gains):.3f} nats over half of them; the text has 5,000")
    return measure(nets, gains, text=text)


def growing(records) -> Measurement | None:
    """No. 33 on the trained net: smallest step along bound, L_10, L_100, L_N; nats, with its interval over images.

    L_N/2 is left out: L_N cannot come below the mean of its two halves. The step's error is that of the sum of both
    gains' errors, as if they were independent, which is too large.
    """

    def steps(r):
        gains = [("gap_nats", "gap_se_nats"), *((f"gain_over_{n}_nats", f"gain_over_{n}_se_nats") for n in (10, 100))]
        found = [(r.metrics[gain], r.metrics.get(error, 0.0)) for gain, error in gains if gain in r.metrics]
        found.append((0.0, 0.0))
        return [(a - b, 2 * float(np.hypot(s, t))) for (a, s), (b, t) in itertools.pairwise(found)]

    nets = [r for r in row(records, "gated_pixelvae") if "gap_nats" in r.metrics]
    if not nets:
        return None
    smallest = [min(steps(r)) for r in nets]
    return measure(nets, [step for step, _ in smallest], interval=widest(smallest))


def best_of_own(*nets) -> float:
    """No. 1: estimate of the last net minus the lowest number of the others."""
    *others, own = map(best_nll, nets)
    return own - min(others)


def less_its_error(record) -> float:
    """No. 1: the estimate minus its standard error over images, where the record has it; nats.

    The estimate is the bound on all test images minus the mean gap on some: their errors are added in squares.
    """
    return record.metrics["nll_estimate_nats"] - estimate_error(record)


def estimate_error(record) -> float:
    """Standard error of the estimate over images, nats; 0 where it was not recorded."""
    return float(np.hypot(*(record.metrics.get(name, 0.0) for name in ("nll_bound_se_nats", "gap_se_nats"))))


def error_shown(record) -> str:
    """The estimate and its error apart."""
    return f"estimate {record.metrics['nll_estimate_nats']:.2f}, its standard error {estimate_error(record):.2f}"


TRAINED_ALIKE = ("iterations", "decay", "average", "batch", "learning_rate")
SIZES = ("layers", "width", "filter_size")


def controlled(own, other, value, same, **fields):
    """Nos. 3 and 4 for nets of equal `same` options: value(own's record, other's), one value a seed.

    Of several such pairs those whose trainings count first (`preference`).
    """

    def alike(r) -> tuple:
        return r.seed, r.binarisation, *(r.settings["options"].get(name) for name in (*same, *TRAINED_ALIKE))

    def found(records) -> Measurement | None:
        nets = {m: chosen(records, experiment="likelihoods", model=m, variant=RECIPES) for m in (own, other)}
        pairs = [(a, b) for a in nets[own] for b in nets[other] if alike(a) == alike(b)]
        if not pairs:
            return Measurement(reason="no pair of equal size and training") if any(nets.values()) else None
        first = max(preference(a) for a, _ in pairs)
        pairs = [(a, b) for a, b in pairs if preference(a) == first]
        values = [value(*pair) for pair in pairs]
        more = fields | order_fields(values, (1, 1), records) | {"text": fields["text"](*pairs[0])}
        return measure([r for pair in pairs for r in pair], values, **more)

    return found


def difference(a, b) -> float:
    """Exact NLL or bound of the first minus that of the second, nats."""
    return nll(a) - nll(b)


def estimate_minus_exact(a, b) -> float:
    """No. 3: estimate of the first (its bound where there is none) minus exact NLL of the second, nats."""
    return best_nll(a) - nll(b)


def both(*nets) -> str:
    """The numbers side by side."""
    return ", ".join(f"{r.settings['model']} {nll(r):.2f}" for r in nets)


def both_best(*nets) -> str:
    """Estimates side by side."""
    return ", ".join(f"{r.settings['model']} {best_nll(r):.2f}" for r in nets)


def and_as_described(measured, *models):
    """The measure of a difference of bounds; its text has what the pair as described gives, where it is another."""

    def found(records) -> Measurement | None:
        one = measured(records)
        pairs = by_seed(chosen(records, experiment="likelihoods", model=models), lambda r: r.settings["model"], models)
        if one is None or not pairs or all(r in one.records for r in pairs[0].values()):
            return one
        a, b = map(nll, pairs[0].values())
        return replace(one, text=f"{one.text}; as described {a:.2f} and {b:.2f}, so {a - b:.2f}")

    return found


def with_kl(text):
    """What `text` says of two nets, and the KL of the first: its z tells on average at most that many nats."""
    return lambda own, other: f"{text(own, other)}; KL {own.metrics['kl_nats']:.2f}"


def kept_shown(own) -> str:
    """How far z is in use: the share of reconstructions that keep the class, if it was measured."""
    kept = own.metrics.get("reconstruction_agreement")
    return "" if kept is None else f"; a judge sees the class of the image in {100 * kept:.0f} % of its reconstructions"


def of_samples(metric):
    """No. 41: a metric of the VAE's samples minus that of the PixelCNN's."""
    return lambda vae, cnn: vae.metrics[metric] - cnn.metrics[metric]


def test_images(metric):
    """What the same metric is of test images."""
    return lambda vae, cnn: f"test images {vae.metrics[metric]:.4g}" if metric in vae.metrics else ""


def copies(records) -> Measurement | None:
    """No. 45: how many of the drawn images repeat a training image; a sheet has no number to judge, so it is told."""
    nets = row(records, "gated_pixelvae")
    told = (f"{round(r.metrics['copies'] * drawn)} of {drawn}" for r in nets
            for drawn in [r.settings["options"]["samples"]])  # fmt: skip
    return measure(
        nets,
        "copies",
        reason="sheets of images without a number: nothing to judge; of the best row's images repeat a training image, "
        f"bit for bit: {', '.join(told)}",
    )


ORDER = {"weights": (1, 1), "across": EXACT_AND_BOUND, "text": both}
MEASURES = {
    "T2.1-07": level("conv_vae", "nll_bound_nats"),
    "T2.1-08": level("pixelvae", "nll_bound_nats"),
    "T2.1-09": level("gated_pixelcnn", "nll_nats"),
    "T2.1-10": level("gated_pixelvae_up", "nll_estimate_nats"),
    "T2.1-11": level("gated_pixelvae_up", "nll_bound_nats"),
    "T2.1-12": level("gated_pixelvae", "nll_estimate_nats"),
    "T2.1-13": level("gated_pixelvae", "nll_bound_nats"),
    "C01": compared(with_slack(rows("gated_pixelvae", value=less_its_error, text=error_shown), 1), ROWS),
    "C01b": rows(*OWN_ROWS, value=best_of_own, weights=(1, 1), across=EXACT_AND_BOUND, text=both_best),
    "C02b": level("pixelvae", "nll_bound_nats"),
    "C03": compared(rows("gated_pixelvae_up", "gated_pixelcnn", value=estimate_minus_exact,
                         **ORDER | {"text": with_kl(both_best)}), ROWS, length=False),
    "C03b": compared(rows("gated_pixelvae_up", "gated_pixelcnn", value=difference,
                          **ORDER | {"text": with_kl(both)}), ROWS, length=False),
    "C03c": controlled("gated_pixelvae_up", "gated_pixelcnn", estimate_minus_exact, SIZES,
                       text=with_kl(both_best), across=EXACT_AND_BOUND),
    "C03d": controlled("gated_pixelvae_up", "gated_pixelcnn", difference, SIZES,
                       text=with_kl(both), across=EXACT_AND_BOUND),
    "C04": compared(rows("gated_pixelvae", "gated_pixelvae_up", value=difference, **ORDER), ROWS, length=False),
    "C04b": controlled("gated_pixelvae", "gated_pixelvae_up", difference, (*SIZES, "latent", "warm_up"), text=both),
    "C05": gap("gated_pixelvae"),
    "C05b": gap("gated_pixelvae_up"),
    "C06": saturation,
    "C07": and_as_described(rows("conv_vae", "pixelvae", value=difference, weights=(1, 1), text=both),
                            "conv_vae", "pixelvae"),
    "C07b": compared(and_as_described(rows("conv_vae", "pixelvae", value=difference, text=both),
                                      "conv_vae", "pixelvae"), ROWS),
    "C28": rows("gated_pixelvae", value=lambda r: r.metrics["reconstruction_agreement"],
                text=lambda r: f"accuracy of the judge {r.metrics['judge_accuracy']:.3f}"),
    "C33b": growing,
    "C34": rows("pixelvae", "conv_vae", value=lambda a, b: a.metrics["kl_nats"] / b.metrics["kl_nats"],
                text=lambda a, b: f"{a.metrics['kl_nats']:.2f} and {b.metrics['kl_nats']:.2f} nats{kept_shown(a)}"),
    "C41": rows("conv_vae", "gated_pixelcnn", value=of_samples("judge_confidence"), across=LOOKS, text=test_images(
        "judge_confidence_test")),
    "C41b": rows("conv_vae", "gated_pixelcnn", value=of_samples("unseen_patches"), across=LOOKS, text=test_images(
        "unseen_patches_test")),
    "C45": copies,
}  # fmt: skip
