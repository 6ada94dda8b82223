"""Measures of the claims on trained networks: records of digits.py, latents.py and choices.py.

The text's claims are measured on the variant as_described; where the author's own settings (as_code) have records,
their mean stands beside it. Differences between two nets are taken seed by seed.
"""

import numpy as np

from common.reporting.claims import Measurement, measure
from reproductions.doersch.claims_lengths import INITIAL, together
from reproductions.doersch.selection import chosen, of_sizes, per_seed

RATES = ("lr_0.01", "lr_0.003", "lr_0.001", "lr_0.0003", "lr_0.0001")
LAYERS = ("three_layers", "two_layers", "one_layer")
SIGMAS = ("sigma_0.05", "sigma_0.1", "sigma_0.2", "sigma_0.5", "sigma_1")


def nets(*models, value, show=None, **fields):
    """Measure of digits.py: value(metrics of models[0], of models[1], ...), for as_described; as_code beside it."""

    def found(records) -> Measurement | None:
        groups = {
            variant: per_seed(records, models, lambda r: r.settings["model"], experiment="digits", variant=variant)
            for variant in ("as_described", "as_code")
        }

        def call(function, metrics):
            return function(*(metrics[model] for model in models))

        own = groups["as_described"]
        shown = [call(show, {m: r.metrics for m, r in own[0].items()})] if show and own else []
        code = [call(value, {m: r.metrics for m, r in group.items()}) for group in groups["as_code"]]
        if code:
            shown.append(f"as_code: {np.mean(code):.4g}")
        return together(own, lambda metrics: call(value, metrics), "; ".join(shown), **fields)

    return found


def one(model, metric, show=None, **fields):
    """Measure of one metric of one net."""
    return nets(model, value=lambda m: m[metric], show=show, **fields)


def grey_against_resampled(records):
    """C20: bounds on the same binary test images of the training on grey targets and on resampled binary ones.

    Each encoder is given what it was trained with: grey digits, or binary ones. Beside it: the difference if both are
    given binary ones, and that of log P, which no encoder loosens but for the estimate.
    """
    groups = per_seed(
        records, ("as_described", "resampled"), lambda r: r.settings["variant"], experiment="digits", model="vae",
        variant=("as_described", "resampled"),
    )  # fmt: skip
    if not groups:
        return None
    soft, binary = (groups[0][name].metrics for name in ("as_described", "resampled"))

    def apart(a, b="negative_elbo_binary_nats"):
        return abs(soft[a] - binary[b])

    whole = apart("negative_elbo_binary_grey_q_nats")
    equal, log_p = apart("negative_elbo_binary_nats"), apart("log_p_nats", "log_p_nats")
    where = "most of the gap is the encoder's, which sees grey pixels" if log_p < whole / 2 else "the decoders differ"
    text = (
        f"-ELBO {soft['negative_elbo_binary_grey_q_nats']:.2f} and {binary['negative_elbo_binary_nats']:.2f}; both "
        f"encoders given binary digits: {equal:.2f} apart; log P by importance sampling: {log_p:.2f} apart"
    )
    return together(
        groups,
        lambda m: abs(
            m["as_described"]["negative_elbo_binary_grey_q_nats"] - m["resampled"]["negative_elbo_binary_nats"]
        ),
        text,
        reason=where,
    )


def trains(m) -> float:
    """C18b: nats below the mean image's cross-entropy; 0 if the loss rose from one tenth of training to the next."""
    return m["mean_image_cross_entropy_nats"] - m["last_epoch_loss_nats"] if m["smallest_fall_nats"] > 0 else 0.0


def choices(names, value, show=None, **fields):
    """Measure of choices.py: value({name: metrics}) for each seed that has all names."""

    def found(records) -> Measurement | None:
        groups = per_seed(records, names, lambda r: r.settings["model"], experiment="choices", variant="as_described")
        text = show({n: r.metrics for n, r in groups[0].items()}) if show and groups else ""
        return together(groups, value, text, **fields)

    return found


def loss_after(m, epoch=1):
    """Training loss after an epoch; infinite where the run diverged before."""
    return m.get(f"loss_after_{epoch}_nats", np.inf)


def rate_chosen(m):
    """C19b: loss after one epoch at .001 minus the best of the five rates."""
    return loss_after(m["lr_0.001"]) - min(loss_after(m[name]) for name in RATES)


def rates_shown(m):
    return ", ".join(f"{name[3:]}: {loss_after(m[name]):.1f}" for name in RATES)


def speed_names():
    """The runs of C42: {ReLU, sigmoid} x {Adam, SGD with momentum}, three learning rates each."""
    rates = {"adam": ("0.003", "0.001", "0.0003"), "sgd": ("0.001", "0.0001", "1e-05")}
    return {(a, o): [f"{a}_{o}_{rate}" for rate in rates[o]] for a in ("relu", "sigmoid") for o in rates}


def speed_epochs(m):
    """The epochs of C42 that the runs reach."""
    return [e for e in (1, 5, 20) if any(f"loss_after_{e}_nats" in metrics for metrics in m.values())]


def speed(m):
    """C42: the largest, over the logged epochs, of (ReLU and Adam minus the best other pair), best rate each."""
    epochs = speed_epochs(m)
    best = {
        (pair, e): min(loss_after(m[name], e) for name in runs) for pair, runs in speed_names().items() for e in epochs
    }
    others = [pair for pair in speed_names() if pair != ("relu", "adam")]
    return max(best[("relu", "adam"), e] - min(best[pair, e] for pair in others) for e in epochs)


def sigma_steps(m):
    """C10b: smallest step between neighbouring sigmas, of -KL and of the squared error."""
    kl = [m[name]["test_kl_nats"] for name in SIGMAS]
    error = [m[name]["test_squared_error"] for name in SIGMAS]
    return min(*-np.diff(kl), *np.diff(error))


def sizes(*needed, value, show=None, at_least=None, premise=None):
    """Measure of latents.py, He's initial weights: value({size: metrics}) for each seed that has all of `needed`.

    Large sizes learn more slowly, so shortened trainings do not tell how good they are. premise({size: metrics}):
    whether there is anything to explain; without it no value.
    """

    def found(records) -> Measurement | None:
        groups = list(of_sizes(records, "he", needed).values())
        if at_least:
            groups = [group for group in groups if len(between(group)) >= at_least]
        first = {size: r.metrics for size, r in groups[0].items()} if groups else {}
        if premise and first and not premise(first):
            return Measurement(reason=f"nothing to explain here: {sizes_shown(first)}")
        return together(groups, value, show(first) if show and first else "", at_end=True)

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


def small_sizes(value, *needed, show=None, premise=None):
    """Measure of the smaller of two values a seed, He's initial weights and sparse ones; it needs both.

    Few latents kill decoder units under sparse15, not under he.
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

        metrics = [halves({place: r.metrics for place, r in group.items()}) for group in groups]
        if premise and not all(map(premise, metrics[0])):
            return Measurement(reason=f"nothing to explain here: {sizes_shown(metrics[0][0])}")
        he, sparse = np.mean([[value(m) for m in each] for each in metrics], axis=0)
        text = f"he {he:.2f}, sparse15 {sparse:.2f}" + (f"; he: {show(metrics[0][0])}" if show else "")
        return together(groups, lambda m: min(map(value, halves(m))), text)

    return found


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


MEASURES = {
    # Sections 2.1 to 2.4
    "C04": one("vae", "prior_below_q", prior_shown),
    "C04b": one("vae", "prior_scatter_over_q"),
    "C05": one("vae", "prior_ess_median"),
    "C07": one("vae", "elbo_below_log_p", lambda m: (
        f"gap {m['gap_nats']:.2f} nats to a bound of log P(X) with {m['importance_ess_median']:.1f} effective draws"
    )),
    "C10b": choices(SIGMAS, sigma_steps),
    "C12": one("vae", "code_difference_in_standard_errors", code_shown),
    "C12b": one("vae", "mutual_information_nats", information_shown,
                reason="true by construction, for the estimator cannot exceed it: a check of the code"),
    # Section 4.1
    "C17": choices(
        tuple(f"{init}_{size}" for init in INITIAL for size in LAYERS),
        lambda m: np.ptp([each["test_negative_elbo_nats"] for each in m.values()]),
        lambda m: ", ".join(f"{name}: {each['test_negative_elbo_nats']:.1f}" for name, each in m.items()),
        at_end=True,
    ),
    "C18b": nets("vae", value=trains),
    "C19b": choices(RATES, rate_chosen, rates_shown),
    "C20": grey_against_resampled,
    "C21": one("vae", "sure_samples", lambda m: f"test images {m['sure_test']:.3f}"),
    "C22": one("vae", "between_samples", lambda m: f"test images {m['between_test']:.4f}"),
    "C22b": one("vae", "between_ratio"),
    "C22c": one("vae", "line_median", lambda m: f"median of 45 lines; below .8 on {100 * m['line_below']:.0f} %"),
    "C23": sizes(
        30, 1_000, value=lambda m: np.ptp([m[s]["test_negative_elbo_nats"] for s in between(m)]), show=sizes_shown,
        at_least=3,
    ),
    "C23b": sizes(
        30, 1_000, value=lambda m: max(m[s]["frechet"] for s in between(m)) / min(m[s]["frechet"] for s in between(m)),
        at_least=3,
    ),
    "C24": small_sizes(lambda m: min(excess(m, s) for s in (1, 2, 3)), 1, 2, 3, 30, show=sizes_shown),
    "C24b": small_sizes(lambda m: abs(excess(m, 3)) - abs(excess(m, 4)), 3, 4, 30),
    "C24c": small_sizes(
        lambda m: min(excess(m, s, "cross_entropy") / excess(m, s) for s in (1, 2, 3)), 1, 2, 3, 30,
        premise=lambda m: min(excess(m, s) for s in (1, 2, 3)) > 5,
    ),
    "C25": sizes(30, 1_000, value=lambda m: frechet(m, 1_000)),
    "C25b": sizes(30, 1_000, value=lambda m: excess(m, 1_000)),
    "C26": sizes(30, 10_000, value=lambda m: max(frechet(m, 10_000) / 1.5, excess(m, 10_000) / 5)),
    "C27": sizes(
        30, 10_000, value=lambda m: excess(m, 10_000, "kl") / excess(m, 10_000),
        show=lambda m: f"KL {excess(m, 10_000, 'kl'):+.1f}, the rest {excess(m, 10_000, 'cross_entropy'):+.1f} nats",
        premise=lambda m: excess(m, 10_000) > 5,
    ),
    "C42": choices(tuple(name for runs in speed_names().values() for name in runs), speed,
                   lambda m: f"after {', '.join(map(str, speed_epochs(m)))} epochs"),
    # Section 5
    "C29": nets("half_regressor", "regressor", value=lambda half, r: half["sharpness_right"] - r["sharpness_right"]),
    "C29b": one("half_regressor", "sharpness_right"),
    "C30": one("half_regressor", "cross_entropy_test_minus_train"),
    "C30b": one("half_regressor", "train_cross_entropy_above_floor"),
    "C31": one("half_regressor", "nearer_to_one_neighbour"),
    "C34": nets("regressor", "cvae", value=lambda r, c: r["blurred_share"] / c["blurred_share"]),
    "C34b": nets("regressor", "cvae", value=lambda r, c: r["sharpness"] - c["sharpness"]),
    "C35": nets(
        "cvae", "regressor", value=lambda c, r: c["judge_confidence"] - r["judge_confidence"],
        show=lambda c, r: f"{c['judge_confidence']:.3f}, {r['judge_confidence']:.3f}, true digits "
                          f"{c['judge_confidence_truth']:.3f}",
    ),
    "C35b": one("cvae", "sharpness"),
    "C36": nets("regressor", "cvae", value=lambda r, c: r["squared_error"] - c["squared_error"]),
    "C36b": nets(
        "regressor", "cvae", value=lambda r, c: abs(c["squared_error_of_mean"] / r["squared_error_scored"] - 1)
    ),
    "C36c": nets("cvae", "regressor", value=lambda c, r: c["squared_error_of_best"] - r["squared_error_scored"]),
    "C37": one("regressor", "sure_and_wrong_ratio"),
    "C37b": one("regressor", "cross_entropy_test_minus_train"),
    "C38": one("cvae", "several_classes_share", lambda m: f"{m['classes_mean']:.2f} classes a column"),
    "C38b": nets(
        "cvae", "regressor", value=lambda c, r: c["test_negative_elbo_nats"] - r["test_cross_entropy_nats"]
    ),
    "C39": nets(
        "half_cvae", "half_regressor", value=lambda c, r: c["test_negative_elbo_nats"] - r["test_cross_entropy_nats"]
    ),
    "C39b": nets(
        "cvae", "regressor", "half_cvae", "half_regressor",
        value=lambda c, r, hc, hr: gain_per_pixel(c, r) - gain_per_pixel(hc, hr),
    ),
    # Sizes of the author's nets
    "K20": lambda records: parameters(records, "vae", 2_844_844),
    "K21": lambda records: parameters(records, "cvae", 3_506_316),
    "K22": lambda records: parameters(records, "regressor", 2_100_756),
}  # fmt: skip


def gain_per_pixel(cvae, regressor):
    """Regressor's cross-entropy minus the CVAE's -ELBO, nats per predicted pixel."""
    return (regressor["test_cross_entropy_nats"] - cvae["test_negative_elbo_nats"]) / cvae["predicted_pixels"]


def parameters(records, model, printed):
    """Trained numbers of the author's net minus the count from his files; the digits set has 28 x 28 pixels too."""
    found = chosen(records, experiment="digits", model=model, variant="as_code")[:1]
    return measure(found, lambda r: r.metrics["parameters"] - printed, stand_in="", exact=True)
