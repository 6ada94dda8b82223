"""Measures of the claims on the tutorial's networks: records of digits.py.

The text's claims are measured on the variant as_described; where the author's own settings (as_code) have records,
their mean stands beside it. Differences between two nets are taken seed by seed.
"""

import numpy as np

from common.reporting.claims import Measurement, measure
from reproductions.doersch.claims_lengths import averaged, together
from reproductions.doersch.selection import chosen, per_seed

VARIANTS = ("as_described", "as_code", "resampled")
ENOUGH_DRAWS = 100  # effective ones, for the standard error of a logarithm by the delta method (C12)
APART = 2.0  # nats of C20
MEMORISED = 10.0  # nats above the entropy floor, of C30b


def nets(*models, value, show=None, why=None, **fields):
    """Measure of digits.py: value(metrics of models[0], of models[1], ...), for as_described; as_code beside it.

    show, why: words for the number and for the reason, from the metrics' means over the seeds.
    """

    def found(records) -> Measurement | None:
        groups = {
            variant: per_seed(records, models, lambda r: r.settings["model"], experiment="digits", variant=variant)
            for variant in ("as_described", "as_code")
        }

        def call(function, metrics):
            return function(*(metrics[model] for model in models))

        own = groups["as_described"]
        if not own:
            return None
        means = averaged(own)
        shown = [call(show, means)] if show else []
        code = [call(value, {m: r.metrics for m, r in group.items()}) for group in groups["as_code"]]
        if code:
            shown.append(f"as_code: {np.mean(code):.4g}")
        reason = {"reason": call(why, means)} if why else {}
        return together(own, lambda metrics: call(value, metrics), "; ".join(shown), **fields | reason)

    return found


def one(model, metric, show=None, **fields):
    """Measure of one metric of one net."""
    return nets(model, value=lambda m: m[metric], show=show, **fields)


def pairings(soft, binary) -> dict:
    """C20: by what q sees at evaluation, the nats between the two trainings on the same binary test images."""
    bits, grey = "negative_elbo_binary_nats", "negative_elbo_binary_grey_q_nats"
    return {
        "both q see grey digits": abs(soft[grey] - binary[grey]),
        "both see binary ones": abs(soft[bits] - binary[bits]),
        "each what it was trained with": abs(soft[grey] - binary[bits]),
    }


def grey_against_resampled(records):
    """C20: bounds on the same binary test images of the training on grey targets and on resampled binary ones.

    The claim does not say what q sees at evaluation, and each choice but the training's own is new to one of the two
    encoders. So the three pairings must lie on one side of the threshold; then the one nearest to it is the value.
    Beside them: the difference of log P, which no encoder loosens but for the estimate.
    """
    names = ("as_described", "resampled")
    groups = per_seed(
        records, names, lambda r: r.settings["variant"], experiment="digits", model="vae", variant=names
    )  # fmt: skip
    if not groups:
        return None

    def found(metrics):
        return list(pairings(*(metrics[name] for name in names)).values())

    means = averaged(groups)
    apart = abs(means["as_described"]["log_p_nats"] - means["resampled"]["log_p_nats"])
    text = ", ".join(f"{words} {nats:.2f}" for words, nats in pairings(*(means[name] for name in names)).items())
    sides = {nats < APART for group in groups for nats in found({name: r.metrics for name, r in group.items()})}
    return together(
        groups,
        lambda m: max(found(m)) if max(found(m)) < APART else min(found(m)),
        f"{text}; log P by importance sampling {apart:.2f} apart",
        undecided=f"the pairings lie on both sides of {APART:g} nats" if len(sides) > 1 else "",
    )


def code_length(records):
    """C12: both sides of the code length in standard errors, if the draws are enough for a standard error."""
    runs = {v: chosen(records, experiment="digits", model="vae", variant=v) for v in VARIANTS}
    own = runs["as_described"]
    if not own:
        return None
    name, ess = "code_difference_in_standard_errors", [r.metrics["importance_ess_median"] for r in own]
    seen = "; ".join(f"{v} {', '.join(f'{r.metrics[name]:.2f}' for r in found)}" for v, found in runs.items() if found)
    groups = [{"vae": r} for r in own]
    why = (
        f"{np.mean(ess):.1f} effective draws of {own[0].settings['options']['q_draws']:,} (median over the images) are "
        f"too few for the standard error of log P; {ENOUGH_DRAWS} are asked for"
    )
    text = f"{code_shown(averaged(groups)['vae'])}; apart in standard errors: {seen}"
    return together(groups, lambda m: m["vae"][name], text, undecided=why if min(ess) < ENOUGH_DRAWS else "")


def memorises(records):
    """C30b: training cross-entropy above the floor; undecided where as long a training again could close the gap.

    "Again" is ten tenths, each with the smallest fall of the loss from one tenth to the next.
    """
    groups = per_seed(
        records, ("half_regressor",), lambda r: r.settings["model"], experiment="digits", variant="as_described"
    )  # fmt: skip
    if not groups:
        return None
    m = averaged(groups)["half_regressor"]
    above, falls = m["train_cross_entropy_above_floor"], m["smallest_fall_nats"]
    ours = (
        f"the loss still falls by {falls:.2f} nats or more from each tenth of the training to the next; its length and "
        f"the {MEMORISED:g} nats are ours"
    )
    text = why = ""
    if MEMORISED < above <= MEMORISED + 10 * falls:
        text = f"{above:.1f} nats above"
        why = f"{np.ceil((above - MEMORISED) / falls):.0f} more tenths at the slowest pace would reach {MEMORISED:g}"
    return together(
        groups, lambda m: m["half_regressor"]["train_cross_entropy_above_floor"], text, undecided=why, reason=ours
    )


def nearest_shown(records):
    """C43: an opinion, so no verdict; how near samples and test images come to the training set, medians."""
    parts = []
    for variant in ("as_described", "as_code"):
        runs = chosen(records, experiment="digits", model="vae", variant=variant)
        if runs:
            m = averaged([{"vae": r} for r in runs])["vae"]
            parts.append(f"samples {m['nearest_train_samples']:.1f} ({variant})")
    if parts:
        parts.append(f"test images {m['nearest_train_test']:.1f}")
    shown = f"; median squared distance to the nearest training image: {', '.join(parts)}" if parts else ""
    return Measurement(reason=f"an opinion, which nothing decides{shown}")


def trains(m) -> float:
    """C18b: nats below the mean image's cross-entropy; 0 if the loss rose from one tenth of training to the next."""
    return m["mean_image_cross_entropy_nats"] - m["last_epoch_loss_nats"] if m["smallest_fall_nats"] > 0 else 0.0


def prior_shown(m):
    known = sorted(int(k.split("_")[3]) for k in m if k.startswith("prior_log_p_"))
    parts = ", ".join(f"{n:,}: {m[f'prior_log_p_{n}_nats']:.0f}" for n in known)
    return f"log P by prior draws {parts}; by {int(m['q_draws'])} draws of Q: {m['q_log_p_nats']:.1f}"


def code_shown(m):
    return (
        f"{m['code_z_nats']:.1f} + {m['code_x_given_z_nats']:.1f} - {m['code_penalty_nats']:.1f} = "
        f"{m['code_total_nats']:.1f} nats = {m['code_total_bits']:.1f} bits"
    )


def information_shown(m):
    return (
        f"E KL {m['kl_nats']:.2f} = mutual information {m['mutual_information_nats']:.2f} + KL of the marginal "
        f"{m['marginal_kl_nats']:.2f} nats"
    )


def gain_per_pixel(cvae, regressor, where="test"):
    """Regressor's cross-entropy minus the CVAE's -ELBO, nats per predicted pixel."""
    gain = regressor[f"{where}_cross_entropy_nats"] - cvae[f"{where}_negative_elbo_nats"]
    return gain / cvae["predicted_pixels"]


def overfit(net):
    """Nats by which the loss on test images lies above that on training images."""
    return net["test_negative_elbo_nats"] - net["train_negative_elbo_nats"]


def half_gain(cvae, regressor):
    """C39: what the same difference is where the regressor has not overfitted."""
    own, other = cvae["train_negative_elbo_nats"], regressor["train_cross_entropy_nats"]
    return (
        f"on training images {own - other:+.1f} nats ({own:.1f} against {other:.1f}); the regressor's test loss lies "
        f"{overfit(regressor):.1f} nats above its training loss, the CVAE's {overfit(cvae):.1f}"
    )


def gains(cvae, regressor, half_cvae, half_regressor):
    """C39b: the gains on test and on training images, and how far each net overfits."""
    pairs = {"column": (cvae, regressor), "half": (half_cvae, half_regressor)}
    parts = [
        f"{name}: gain {gain_per_pixel(*pair):+.4f} on test and {gain_per_pixel(*pair, 'train'):+.4f} on training "
        f"images, test loss above training loss {overfit(pair[0]):.1f} (CVAE) and {overfit(pair[1]):.1f} (regressor)"
        for name, pair in pairs.items()
    ]
    return "; ".join(parts)


MEASURES = {
    # Sections 2.1 to 2.4
    "C04": one("vae", "prior_below_q", prior_shown),
    "C04b": one("vae", "prior_scatter_over_q"),
    "C05": one("vae", "prior_ess_median"),
    "C07": one("vae", "elbo_below_log_p", lambda m: (
        f"gap {m['gap_nats']:.2f} nats to a bound of log P(X) with {m['importance_ess_median']:.1f} effective draws"
    ), reason="true by construction but for the Monte Carlo error of the KL, for both sides use the same draws "
              "(Jensen): a check of the code"),
    "C12": code_length,
    "C12b": one("vae", "mutual_information_nats", information_shown,
                reason="true by construction, for the estimator cannot exceed it: a check of the code"),
    # Section 4.1
    "C18b": nets("vae", value=trains),
    "C20": grey_against_resampled,
    "C21": one("vae", "sure_samples", lambda m: f"test images {m['sure_test']:.3f}"),
    "C22": one("vae", "between_samples", lambda m: f"test images {m['between_test']:.4f}"),
    "C22b": one("vae", "between_ratio"),
    "C22c": one("vae", "line_median", lambda m: f"median of 45 lines; below .8 on {100 * m['line_below']:.0f} %"),
    # Section 5
    "C29": nets("half_regressor", "regressor", value=lambda half, r: half["sharpness_right"] - r["sharpness_right"],
                order=True),
    "C29b": one("half_regressor", "sharpness_right"),
    "C30": one("half_regressor", "cross_entropy_test_minus_train"),
    "C30b": memorises,
    "C31": one("half_regressor", "nearer_to_one_neighbour"),
    "C34": nets("regressor", "cvae", value=lambda r, c: r["blurred_share"] / c["blurred_share"]),
    "C34b": nets("regressor", "cvae", value=lambda r, c: r["sharpness"] - c["sharpness"], order=True),
    "C35": nets(
        "cvae", "regressor", value=lambda c, r: c["judge_confidence"] - r["judge_confidence"],
        show=lambda c, r: f"{c['judge_confidence']:.3f}, {r['judge_confidence']:.3f}, true digits "
                          f"{c['judge_confidence_truth']:.3f}", order=True,
    ),
    "C35b": one("cvae", "sharpness"),
    "C36": nets("regressor", "cvae", value=lambda r, c: r["squared_error"] - c["squared_error"], order=True),
    "C36b": nets(
        "regressor", "cvae", value=lambda r, c: abs(c["squared_error_of_mean"] / r["squared_error_scored"] - 1)
    ),
    "C36c": nets("cvae", "regressor", value=lambda c, r: c["squared_error_of_best"] - r["squared_error_scored"],
                 order=True),
    "C37": one("regressor", "sure_and_wrong_ratio"),
    "C37b": one("regressor", "cross_entropy_test_minus_train"),
    "C38": one("cvae", "several_classes_share", lambda m: f"{m['classes_mean']:.2f} classes a column"),
    "C38b": nets(
        "cvae", "regressor", value=lambda c, r: c["test_negative_elbo_nats"] - r["test_cross_entropy_nats"], order=True
    ),
    "C39": nets(
        "half_cvae", "half_regressor", value=lambda c, r: c["test_negative_elbo_nats"] - r["test_cross_entropy_nats"],
        why=half_gain, order=True,
    ),
    "C39b": nets(
        "cvae", "regressor", "half_cvae", "half_regressor",
        value=lambda c, r, hc, hr: gain_per_pixel(c, r) - gain_per_pixel(hc, hr), why=gains, order=True,
    ),
    "C39c": nets(
        "cvae", "regressor", "half_cvae", "half_regressor",
        value=lambda c, r, hc, hr: gain_per_pixel(c, r, "train") - gain_per_pixel(hc, hr, "train"), order=True,
    ),
    "C43": nearest_shown,
    # Sizes of the author's nets
    "K20": lambda records: parameters(records, "vae", 2_844_844),
    "K21": lambda records: parameters(records, "cvae", 3_506_316),
    "K22": lambda records: parameters(records, "regressor", 2_100_756),
}  # fmt: skip


def parameters(records, model, printed):
    """Trained numbers of the author's net minus the count from his files; the digits set has 28 x 28 pixels too."""
    found = chosen(records, experiment="digits", model=model, variant="as_code")[:1]
    return measure(found, lambda r: r.metrics["parameters"] - printed, stand_in="", exact=True)
