"""Measures of the claims that need no training: records of formulas.py and published.py."""

import functools

import numpy as np

from common.reporting.claims import Measurement, measure
from common.reporting.records import select
from reproductions.guo import author, values
from reproductions.guo.chosen import scores
from reproductions.guo.claims_rules import all_hold, share_within


def formula(*metrics, function=max, text=None, **fields):
    """Measure of `function` over metrics of formulas.py; no image is used, so no data set is a stand-in."""

    def found(records) -> Measurement | None:
        chosen = select(records, experiment="formulas")
        shown = f"({text.format(**chosen[0].metrics)})" if text and chosen else ""
        return measure(
            chosen, lambda r: function([r.metrics[m] for m in metrics]), stand_in="", exact=True, text=shown, **fields
        )

    return found


def published(value, *runs, text="", undecided="", arrays=False, of=None):
    """Measure of value(metrics of runs[0], ...) on the author's own material; text: see `values.shown`.

    undecided: why the material cannot decide the claim; the number then stands in the reason. arrays: value and text
    get the record's arrays, too. of(metrics, ...): of how many pictures the value is a share; then it has an interval.
    """

    def found(records, results_dir=None) -> Measurement | None:
        found_runs = [next(iter(select(records, experiment="published", model=run)), None) for run in runs]
        if None in found_runs:
            return None
        metrics = [r.metrics | (scores(r, results_dir) if arrays else {}) for r in found_runs]
        number, words = value(*metrics), values.shown(text, metrics)
        interval = share_within(round(number * of(*metrics)), of(*metrics)) if of else None
        if undecided:
            return Measurement(reason=f"measured {number:.3g} {words}; {undecided}")
        return measure(
            found_runs, [number], stand_in="", exact=True, text=words, reason=ONE_TRAINING, interval=interval
        )

    return found


ONE_TRAINING = "the author's one training: whether another would differ is not in it"
STRETCHED = (
    "both grids were stretched each to its own darkest and brightest pixel, which multiplies the edge variance by an "
    "unknown factor of 1 or more: the order of the two cannot be read off them"
)
ASKED, ASKED_50 = (np.bincount(author.grid_labels(epoch), minlength=10) for epoch in (200, 50))  # pictures a digit


def worst(m) -> int:
    """The digit that came least often of those asked for."""
    return min(range(10), key=lambda digit: m[f"requested_accuracy_{digit}"])


AGAINST = "{{0[{0}]:{1}}} against {{1[{0}]:{1}}}".format  # AGAINST("recall", ".2f")
PUBLISHED = {
    "C01_author": published(
        lambda m: m["border_mean"] / m["border_mean_q1"], "gan",
        text="{0[border_mean_q1]:.4f} at epoch 50, {0[border_mean]:.4f} at 200; edge variance "
             "{0[edge_variance_q1]:.2f} and {0[edge_variance]:.3f}, real {0[edge_variance_test]:.3f}",
    ),
    "C02a_author": published(values.blur, "vae", "gan", text=AGAINST("edge_variance", ".4f")),
    "C02b_author": published(values.difference("grey_fraction"), "vae", "gan", text=AGAINST("grey_fraction", ".2f")),
    "C03a_author": published(values.speckle, "gan", text="{0[border_mean]:.4f} against {0[border_mean_test]:.4f}"),
    "C03b_author": published(values.difference("border_mean"), "gan", "dcgan", text=AGAINST("border_mean", ".4f")),
    "C05a_author": published(
        values.difference("label_entropy_nats"), "vae", "gan",
        text=AGAINST("label_entropy_nats", ".2f") + "; {1[share_1]:.0%} ones, {1[share_0]:.0%} zeros from the GAN",
    ),
    "C05c_author": published(
        values.difference("nearest_within"), "vae", "gan", text="the opposite of C05a: blurred pictures lie close by"
    ),
    "C07a_author": published(values.better_parts, "dcgan", "gan", text=values.parts_shown),
    "C08a_author": published(
        lambda m: m["g_loss_slope"], "dcgan",
        text="g_loss {0[g_loss_first]:.1f} in the first fifth, {0[g_loss_last_fifth]:.1f} in the last",
    ),
    "C08b_author": published(
        values.steadier, "dcgan", "gan", arrays=True,
        text=lambda *m: f"{values.steadier_shown(*m)}: the DCGAN's rises evenly",
    ),
    "C08c_author": published(lambda m: m["d_loss_last"], "dcgan", text="D(G(z)) {0[D_Gz_last]:.4f}"),
    "C08d_author": published(lambda m: m["classes"], "dcgan", text=values.shares_shown),
    "C09_author": published(lambda m: m["label_entropy_nats"], "gan", text=values.shares_shown),
    "C10a_author": published(lambda m: m["label_entropy_nats"], "dcgan", text=values.shares_shown),
    "C15a_author": published(
        values.settling("d_loss"), "faces", text="{0[d_loss_first]:.2f} to {0[d_loss_last_fifth]:.2f}"
    ),
    "C15b_author": published(
        values.settling("g_loss"), "faces", text="{0[g_loss_first]:.1f} to {0[g_loss_last_fifth]:.1f}"
    ),
    "C16_author": published(
        lambda v, g, d: v["edge_variance"] - min(g["edge_variance"], d["edge_variance"]), "vae", "gan", "dcgan"
    ),
    "C22a_author": published(lambda m: m["d_loss_spearman"], "gan"),
    "C22b_author": published(lambda m: m["g_loss_spearman"], "gan"),
    "C23a_author": published(
        values.between_vae_and_real, "cvae_gan", "vae",
        text="{0[edge_variance]:.3f} between {1[edge_variance]:.3f} and {0[edge_variance_test]:.3f}",
        undecided=STRETCHED,
    ),
    "C24a_author": published(
        lambda m: m["requested_accuracy"], "cvae_gan", of=lambda m: ASKED.sum(),
        text=lambda m: f"{m['requested_accuracy'] * ASKED.sum():.0f} of {ASKED.sum()}; of as many real digits the "
                       f"neighbours name {author.grid('mnist_96', 0)['requested_accuracy'] * 96:.0f}",
    ),
    "C24b_author": published(
        values.worst_digit, "cvae_gan", of=lambda m: ASKED[worst(m)],
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
    "C28b_author": published(values.difference("label_entropy_nats"), "cvae_gan", "gan"),
    "C33a_author": published(lambda m: m["D_x_f_bound"], "cvae_gan", text="at least"),
    "C34a_author": published(lambda m: m["loss_C_epochs_to_0.001"], "cvae_gan"),
    "C37": published(lambda m: m["images_at_most"], "faces", text="from {0[images_at_least]:,.0f}"),
}  # fmt: skip

PUBLISHED["C11_author"] = all_hold(
    {f"{part}_author": PUBLISHED[f"{part}_author"] for part in ("C07a", "C08a", "C08b", "C08c", "C08d")},
    functools.partial(measure, stand_in="", exact=True),
)  # fmt: skip

FORMULAS = {
    "C06a": formula("c06_keras_error", "c06_layer_error", text="our own layer, float32: {c06_layer_error:.1g}"),
    "C06b": formula("c06_wide_error"),
    "C06c": formula("c06_adjoint_error"),
    "C06d": formula("c06_fractional_side", "c06_wide_side", function=lambda v: v[0] - v[1],
                    text="{c06_fractional_side:.0f} against {c06_wide_side:.0f}"),
    "C27d": formula("c27_beta"),
    "C38a": formula("c38_doubled_faces"),
    "C38b": formula("c38_halved_faces"),
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
    "C41d": formula("c41_ratio_error", text="both gradients point the same way"),
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

MEASURES = PUBLISHED | FORMULAS
NOT_RUN = {}
