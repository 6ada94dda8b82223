"""Measures of the claims that need no training: records of formulas.py and published.py."""

import functools

import numpy as np

from common.reporting.claims import Measurement, measure
from common.reporting.records import select
from reproductions.guo import author, chosen, spread, values
from reproductions.guo.chosen import scores
from reproductions.guo.claims_rules import all_hold, either, needed, share_within, too_short


def formula(*metrics, function=max, text=None, **fields):
    """Measure of `function` over metrics of formulas.py; no image is used, so no data set is a stand-in.

    text: a template, or a function of every seed's metrics.
    """

    def found(records) -> Measurement | None:
        runs = select(records, experiment="formulas")
        known = [r.metrics for r in runs]
        words = (text(known) if callable(text) else text.format(**known[0])) if text and runs else ""
        return measure(
            runs, lambda r: function([r.metrics[m] for m in metrics]), stand_in="", exact=True,
            text=f"({words})" if words else "", **fields,
        )  # fmt: skip

    return found


def published(value, *runs, text="", undecided="", arrays=False, within=None, how=""):
    """Measure of value(metrics of runs[0], ...) on the author's own material; text: see `values.shown`.

    within(metrics, ...): its 95 % interval; how: words for the reason that say which. undecided: why the material
    cannot decide the claim; the number then stands in the reason. arrays: all get the record's arrays, too.
    """

    def found(records, results_dir=None) -> Measurement | None:
        found_runs = [next(iter(select(records, experiment="published", model=run)), None) for run in runs]
        if None in found_runs:
            return None
        metrics = [r.metrics | (scores(r, results_dir) if arrays else {}) for r in found_runs]
        number, words = value(*metrics), values.shown(text, metrics)
        if undecided:
            return Measurement(reason=f"measured {number:.3g} {words}; {undecided}")
        reason = "; ".join(part for part in (ONE_TRAINING, how) if part)
        return of_author(found_runs, [number], text=words, reason=reason, interval=within and within(*metrics))

    return found


def of_author(records, numbers, **fields):
    """`measure` for the author's material, which is the same at every scale of ours."""
    return measure(records, numbers, stand_in="", scale="", one_seed_reason="the author's only one", **fields)


def grids(value, *runs, counts=False, **fields):
    """`published`, of pictures: with the interval of grids drawn again (`spread.of_pictures`)."""
    within = functools.partial(spread.of_pictures, value, counts=counts)
    return published(value, *runs, within=within, how=DRAWN_AGAIN, **fields)


def logs(value, *runs, within, **fields):
    """`published`, of losses: within(metrics and curves, ...) is an interval over epochs."""
    return published(value, *runs, within=within, how=OVER_EPOCHS, arrays=True, **fields)


def share(value, of, text):
    """`published`, of the share value(metrics) of of(metrics) pictures in the CVAE-GAN's grid."""
    within = lambda m: share_within(round(value(m) * of(m)), of(m))  # noqa: E731
    return published(value, "cvae_gan", within=within, text=text)


def fifths(loss):
    """`values.settling` as a measure of the faces' log, with Welch's interval of the two fifths."""

    def within(m):
        curve = m[f"curve_{loss}"]
        fifth = len(curve) // 5
        return spread.of_difference(curve[-fifth:], curve[:fifth])

    text = f"{{0[{loss}_first]:.2f}} to {{0[{loss}_last_fifth]:.2f}}, ten epochs each"
    return logs(values.settling(loss), "faces", within=within, text=text)


ONE_TRAINING = "the author's one training: whether another would differ is not in it"
DRAWN_AGAIN = "interval: the grid drawn again by its digits' shares and the scatter of real digits (bootstrap)"
OVER_EPOCHS = "interval: over epochs, as if each were a draw of its own"
STRETCHED = (
    "both grids were stretched each to its own darkest and brightest pixel, which multiplies the edge variance by an "
    "unknown factor of 1 or more: the order of the two cannot be read off them"
)
ASKED, ASKED_50 = (np.bincount(author.grid_labels(epoch), minlength=10) for epoch in (200, 50))  # pictures a digit


def author_bound(m, loss) -> tuple[float, float]:
    """D_x_f_bound, exp(-(loss - error of the class means)), at both ends of an interval of the loss."""
    low, high = (float(np.exp(m["within_class_variance_test"] - end)) for end in loss[::-1])
    return low, high


def worst(m) -> int:
    """The digit that came least often of those asked for."""
    return min(range(10), key=lambda digit: m[f"requested_accuracy_{digit}"])


AGAINST = "{{0[{0}]:{1}}} against {{1[{0}]:{1}}}".format  # AGAINST("recall", ".2f")
PUBLISHED = {
    "C01_author": grids(
        lambda m: m["border_mean"] / m["border_mean_q1"], "gan",
        text="{0[border_mean_q1]:.4f} at epoch 50, {0[border_mean]:.4f} at 200; edge variance "
             "{0[edge_variance_q1]:.2f} and {0[edge_variance]:.3f}, real {0[edge_variance_test]:.3f}",
    ),
    "C02a_author": grids(values.blur, "vae", "gan", text=AGAINST("edge_variance", ".4f")),
    "C02b_author": grids(values.difference("grey_fraction"), "vae", "gan", text=AGAINST("grey_fraction", ".2f")),
    "C03a_author": grids(values.speckle, "gan", text="{0[border_mean]:.4f} against {0[border_mean_test]:.4f}"),
    "C03b_author": grids(values.difference("border_mean"), "gan", "dcgan", text=AGAINST("border_mean", ".4f")),
    "C05a_author": grids(
        values.difference("label_entropy_nats"), "vae", "gan",
        text=AGAINST("label_entropy_nats", ".2f") + "; {1[share_1]:.0%} ones, {1[share_0]:.0%} zeros from the GAN",
    ),
    "C05c_author": grids(values.difference("nearest_within"), "vae", "gan", text=values.beside_entropy),
    "C07a_author": grids(values.better_parts, "dcgan", "gan", counts=True, text=values.parts_shown),
    "C08a_author": logs(
        lambda m: m["g_loss_slope"], "dcgan", within=lambda m: spread.of_slope(m["curve_g_loss"]),
        text="g_loss {0[g_loss_first]:.1f} in the first fifth, {0[g_loss_last_fifth]:.1f} in the last",
    ),
    "C08b_author": logs(
        values.steadier, "dcgan", "gan", within=lambda *m: spread.of_difference(*values.common_log_steps(*m)),
        text=lambda *m: f"{values.steadier_shown(*m)}; slopes {m[0]['g_loss_slope']:+.2g} and "
                        f"{m[1]['g_loss_slope']:+.2g} an epoch",
    ),
    "C08c_author": logs(
        lambda m: m["d_loss_last"], "dcgan", within=lambda m: spread.of_mean(m["curve_d_loss"][-10:]),
        text="D(G(z)) {0[D_Gz_last]:.4f}",
    ),
    "C08d_author": grids(lambda m: m["classes"], "dcgan", counts=True, text=values.shares_shown),
    "C09_author": grids(lambda m: m["label_entropy_nats"], "gan", text=values.shares_shown),
    "C10a_author": grids(lambda m: m["label_entropy_nats"], "dcgan", text=values.shares_shown),
    "C15a_author": fifths("d_loss"),
    "C15b_author": fifths("g_loss"),
    "C16_author": grids(
        lambda v, g, d: v["edge_variance"] - np.minimum(g["edge_variance"], d["edge_variance"]), "vae", "gan", "dcgan"
    ),
    "C22a_author": logs(
        lambda m: m["d_loss_spearman"], "gan", within=lambda m: spread.of_rank_correlation(m["curve_d_loss"])
    ),
    "C22b_author": logs(
        lambda m: m["g_loss_spearman"], "gan", within=lambda m: spread.of_rank_correlation(m["curve_g_loss"])
    ),
    "C23a_author": published(
        values.between_vae_and_real, "cvae_gan", "vae",
        text="{0[edge_variance]:.3f} between {1[edge_variance]:.3f} and {0[edge_variance_test]:.3f}",
        undecided=STRETCHED,
    ),
    "C24a_author": share(
        lambda m: m["requested_accuracy"], lambda m: ASKED.sum(),
        text=lambda m: f"{m['requested_accuracy'] * ASKED.sum():.0f} of {ASKED.sum()}; of as many real digits the "
                       f"neighbours name {author.grid('mnist_96', 0)['requested_accuracy'] * 96:.0f}",
    ),
    "C24b_author": share(
        values.worst_digit, lambda m: ASKED[worst(m)],
        text=lambda m: f"digit {worst(m)}: {values.worst_digit(m) * ASKED[worst(m)]:.0f} of {ASKED[worst(m)]}; at "
                       f"epoch 50 {m['requested_accuracy_2_q1'] * ASKED_50[2]:.0f} of {ASKED_50[2]} twos, and at 150 "
                       "and 200 they are visibly broken",
    ),
    "C25_author": published(
        lambda m: m["within_class_variance_ratio"], "cvae_gan",
        text="{0[within_class_variance]:.5f} of {0[within_class_variance_test]:.4f}; at epoch 50 "
             "{0[within_class_variance_ratio_q1]:.2f}",
    ),
    "C27c_author": published(lambda m: m["kl_bound_nats"], "cvae_gan", text="at most"),
    "C28a_author": published(
        values.difference("edge_variance"), "cvae_gan", "vae", text=AGAINST("edge_variance", ".3f"),
        undecided=STRETCHED,
    ),
    "C28b_author": grids(values.difference("label_entropy_nats"), "cvae_gan", "gan"),
    "C33a_author": logs(
        lambda m: m["D_x_f_bound"], "cvae_gan", text="at least",
        within=lambda m: author_bound(m, spread.of_mean(m["curve_loss_G"][-10:])),
    ),
    "C34a_author": published(lambda m: m["loss_C_epochs_to_0.001"], "cvae_gan"),
    "C37": published(lambda m: m["images_at_most"], "faces", text="from {0[images_at_least]:,.0f}"),
}  # fmt: skip

PUBLISHED["C11_author"] = all_hold(
    {f"{part}_author": PUBLISHED[f"{part}_author"] for part in ("C07a", "C08a", "C08b", "C08c", "C08d")},
    of_author,
)  # fmt: skip


def same_way(seeds) -> str:
    """Which way the gradients of the two generator losses point, over all draws of all seeds."""
    return "both gradients point the same way" if min(m["c41_same_way"] for m in seeds) > 0 else "not all the same way"


FORMULAS = {
    "C06a": formula("c06_keras_error", "c06_layer_error", text="our own layer, float32: {c06_layer_error:.1g}"),
    "C06b": formula("c06_wide_error"),
    "C06c": formula("c06_adjoint_error"),
    "C06d": formula("c06_fractional_side", "c06_wide_side", function=lambda v: v[0] - v[1],
                    text="{c06_fractional_side:.0f} against {c06_wide_side:.0f}"),
    "C27d": formula("c27_beta"),
    "C38a": formula("c38_doubled_faces"),
    "C38b": formula("c38_halved_hidden_faces"),
    "C38d": formula("c38_halved_faces"),
    "C38c": formula("c38_doubled_mnist_code"),
    "C39a": formula("c39_kl_relative_error"),
    "C39b": formula("c39_general_error", "c39_code_error", function=lambda v: max(v, key=abs)),
    "C39c": formula("c39_identity_error"),
    "C39d": formula("c39_largest_excess"),
    "C40a": formula("c40_point_error"),
    "C40b": formula("c40_value_error"),
    "C40c": formula("c40_equilibrium_value"),
    "C40d": formula("c40_learned_error"),
    "C41a": formula("c41_d_gain"),
    "C41b": formula("c41_g_gain"),
    "C41c": formula("c41_f_gain", reason="the descent is the generator's"),
    "C41d": formula("c41_ratio_error", text=same_way),
    "C41e": formula("c41_ratio_at_author", reason="the printed loss would have learned that much more slowly"),
    "E01a": formula("e01_best_d", reason="so D could never tell real from generated"),
    "E01b": formula("e01_printed_gradient", text="of V itself: {e01_right_gradient:.2f}"),
    "E02a": formula("e02_posterior_mass", text="with p(X): {e02_posterior_mass_right:.4f}"),
    "E02b": formula("e02_noise_mass"),
    "E02c": formula("e02_beyond_reach"),
    "E02d": formula("e02_decade_nats", reason="log 10"),
    "E02e": formula("e02_variance_error"),
    "E02f": formula("e02_as_deviation"),
}  # fmt: skip


def of_kept(net, worst=False):
    """Measure of the share of a net's pictures kept in which nearest neighbours see the digit asked for (`neighbours`).

    One value a seed; worst: of the digit that came least often over all seeds. Interval: Clopper and Pearson's, over
    the pictures of all seeds together.
    """

    def found(records, results_dir=None) -> Measurement | None:
        runs = chosen.longest(records, net)
        ours = next(iter(select(records, experiment="published", model="kept_pictures")), None)
        if not runs or ours is None:
            return None
        if any(ours.notes.get(r.name) != r.sha256.get("scores", "") for r in runs):
            return Measurement(reason="pictures that were not measured: published.py --model=kept_pictures --rerun")
        seen, each = scores(ours, results_dir), []
        for r in runs:
            arrays, count = scores(r, results_dir), len(seen[r.name])
            found_in = (seen[r.name], seen[f"{r.name}_one"], arrays["sample_labels"][:count])
            each.append((arrays["grid_labels"][:count], *found_in))
        asked, five, one, judged = map(np.concatenate, zip(*each, strict=True))
        came = {digit: np.mean(five[asked == digit] == digit) for digit in range(10)}
        rarest = sorted(came, key=came.get)
        of = np.isin(asked, rarest[:1] if worst else rarest)
        right, count = int((of & (five == asked)).sum()), int(of.sum())
        if worst:
            words = ", ".join(f"digit {digit}: {came[digit]:.2f}" for digit in rarest[:3]) + f"; {count} asked for"
        else:
            words = (f"{right} of {count}; by one neighbour {np.mean(one == asked):.2f}, by the judge "
                     f"{np.mean(judged == asked):.2f}; of real digits {ours.metrics['real_digits']:.2f}")  # fmt: skip
        if short := needed(runs):
            return too_short(runs, short, words)
        numbers = [np.mean((b == a)[np.isin(a, asked[of])]) for a, b, *_ in each]
        return measure(
            [*runs, ours], numbers, text=f"({words})", interval=share_within(right, count),
            reason=chosen.lengths(runs), across={"evaluator": "nearest neighbours look at pictures that a run left"},
        )  # fmt: skip

    return found


KEPT = either({"C24c": of_kept, "C24d": lambda net: of_kept(net, worst=True)}, chosen.CVAE, chosen.BAO)

MEASURES = PUBLISHED | FORMULAS | KEPT
NOT_RUN = {}
