"""Measures of the claims that need no model of chapter 4: records of formulas.py and cifar_images.py, printed cells.

And why the other claims are not run.
"""

from pathlib import Path

import numpy as np
from scipy import stats

from common.reporting.claims import Measurement, load_claims, measure
from common.reporting.records import of_one_set, select
from reproductions.ahmed_ch4.classes import CIFAR_CLASSES
from reproductions.ahmed_ch4.lengths import from_three_seeds, shortened
from reproductions.ahmed_ch4.selection import lettered


def formula(*metrics, function=max, **fields):
    """Measure of `function` over metrics of formulas.py, one value a seed.

    No data set of the text is meant, so none is a stand-in; but runs on two sets are not two seeds.
    """

    def found(records) -> Measurement | None:
        chosen = of_one_set(select(records, experiment="formulas"))
        first = chosen[0].metrics if chosen else {}
        more = {k: v(first) if callable(v) and first else v for k, v in fields.items()}
        return measure(
            chosen, lambda r: function([r.metrics[m] for m in metrics]), **{"stand_in": "", "exact": True} | more
        )

    return found


def trained(*metrics, **fields):
    """As `formula`, for numbers that come from the small VAE: at scale smoke they say nothing, and of one training
    they decide nothing.
    """

    def found(records) -> Measurement | None:
        chosen = of_one_set(select(records, experiment="formulas"))
        length = shortened(chosen).partition(": ")[2]
        more = {"reason": f"small VAE: {length}"} if length else {}
        return formula(*metrics, **{"exact": False} | more | fields)(chosen)

    return from_three_seeds(found)


def shown(template):
    """A text made of the metrics: shown("AP {c20_ap_skewed:.1f}")."""
    return lambda metrics: template.format(**metrics)


def printed(table: str, model: str, rows) -> np.ndarray:
    """The printed cells of one column of Table 4.1 (t41) or 4.2 (t42), per cent."""
    values = {claim.claim_id: claim.printed_value for claim in load_claims(Path(__file__).with_name("claims.csv"))}
    return np.array([values[f"{table}_{row}_{model}"] for row in rows])


def near_baseline(model: str):
    """Measure of no. 31, arithmetic on Table 4.2: a column's mean minus 10 in standard errors of that mean."""

    def found(records) -> Measurement:
        column = printed("t42", model, CIFAR_CLASSES)
        offset, sd = abs(column.mean() - 10), column.std(ddof=1)
        reason = "arithmetic on the printed table; nothing is run"
        errors = float(offset / (sd / np.sqrt(len(column))))
        return Measurement((errors,), text=f"sd {sd:.2f}, offset {offset:.2f}", exact=True, reason=reason)

    return found


def by_class(record, metric) -> np.ndarray:
    return np.array([record.metrics[f"{metric}_{name}"] for name in CIFAR_CLASSES])


def frog_rank(records) -> Measurement | None:
    """No. 13: rank of frog by mean gradient energy (1 = smoothest)."""
    chosen = select(records, experiment="cifar_images", dataset="cifar10")
    if not chosen:
        return None
    energy = by_class(chosen[0], "gradient_energy")
    order = [CIFAR_CLASSES[i] for i in np.argsort(energy)]
    places = {
        words: 1 + int(np.sum(by_class(chosen[0], metric) < chosen[0].metrics[f"{metric}_frog"]))
        for words, metric in (("share of high frequencies", "high_frequency_share"), ("PNG size", "png_bytes"))
    }
    text = (
        "smoothest first: " + " ".join(order) + "; place of frog by " + ", ".join(f"{w} {n}" for w, n in places.items())
    )
    return measure(chosen[:1], [1 + order.index("frog")], text=text, exact=True)


def detail_correlation(records) -> Measurement | None:
    """No. 14: rank correlation over the classes of printed PixelCNN++ cells and mean PNG size."""
    chosen = select(records, experiment="cifar_images", dataset="cifar10")
    if not chosen:
        return None
    size = by_class(chosen[0], "png_bytes")
    rho = {model: stats.spearmanr(printed("t42", model, CIFAR_CLASSES), size).statistic
           for model in ("pixelcnnpp", "iaf", "pixelvae", "dcgan")}  # fmt: skip
    text = "rank correlation with mean PNG size: " + ", ".join(f"{model} {value:.2f}" for model, value in rho.items())
    return measure(chosen[:1], [rho["pixelcnnpp"]], text=text, exact=True)


def skew(function):
    """Table 4.2's column called skew, which is the prevalence: function(per cent by class), exact.

    It is counted from the labels, which no lossy copy of an image changes: so no stand-in.
    """

    def found(records) -> Measurement | None:
        chosen = select(records, experiment="cifar_images", dataset="cifar10")[:1]
        column = [function(by_class(chosen[0], "prevalence"))] if chosen else []
        return measure(chosen, column, exact=True, stand_in="")

    return found


MEASURES = {f"t42_{name}_skew": skew(lambda column, n=n: column[n]) for n, name in enumerate(CIFAR_CLASSES)}
MEASURES |= {
    "t42_mean_skew": skew(np.mean),
    "t42_median_skew": skew(np.median),
    "s4_vae_layers": formula("s4_layers_encoder", "s4_layers_decoder", function=lambda v: v[0] if v[0] == v[1] else -1),
    "s4_perfect": formula("s4_perfect"),
    "C13": frog_rank,
    "C14": detail_correlation,
    "C20": formula("c20_ap_balanced", "c20_ap_skewed", function=lambda v: v[0] - v[1],
                   text=shown("AP {c20_ap_balanced:.1f} and {c20_ap_skewed:.1f}, AUROC {c20_auroc_skewed:.1f}")),
    "C21": formula("c21_guess", text=shown("exact expectation {c21_expected:.2f}")),
    "C22": formula("c22_identity_error"),
    "C22b": formula("c22_smallest_step", function=lambda v: max(0.0, -v[0]),
                    text=shown("log p - E L_k: {c22_gap_1:.2f} at k = 1, {c22_gap_64:.4f} at 64")),
    "C22c": trained("c22_one_draw_loses"),
    "C23": formula("c23_standard_errors", text=shown("KL = {c23_kl_nats:.3f} nats")),
    "C24": formula("c24_variance_ratio"),
    "C24b": trained("c24_vae_variance_ratio"),
    "C24c": formula("c24_score_standard_errors"),
    "C25": formula("c25_bound_error"),
    "C27": formula("c27_smallest_growth", text=shown("error {c27_error_d2:.2f} at d = 2, {c27_error_d10:.2f} at "
                                                     "10, {c27_error_d100:.1f} at 100")),
    "C28": formula("c28_error"),
    "C29": formula("c29_ratio_error", text=shown("at D = .0001: {c29_kept:.4f} against {c29_saturating:.4f}")),
    "C38": formula("c38_accuracy_of_never"),
    "C38b": formula("c38_ap_difference", text=shown("AUROC difference {c38_auroc_difference:.1f}")),
    "C39": formula("c39_error"),
    "C39b": formula("c39_error_one_fewer"),
    "C43": formula("c43_last_error"),
    "C43b": formula("c43_first_distance"),
    "C44": formula("c44_directed_gradient"),
    "C44b": formula("c44_undirected_gap", text=shown("{c44_normaliser_terms:.0f} states summed at every step")),
    "C45": formula("c45_cdf_error"),
    "C45b": formula("c45_tube_slope"),
    "C46": formula("c46_largest_loss", function=lambda v: max(0.0, v[0] - np.log(100)),
                   text=shown("largest loss {c46_largest_loss:.4f} nats, {c46_loss_per_pixel:.5f} a pixel")),
    "C47": formula("c47_log_p_difference"),
    "C47b": formula("c47_posterior_distance"),
    "C48": formula("c48_variance_ratio", text=shown("bias {c48_bias_prior:.3f} against {c48_bias_q:.4f} nats")),
    "C48b": trained("c48_vae_variance_ratio"),
    "C49": trained("c49_gain", text=shown("{c49_gain_z:.0f} standard errors; {c49_worse_share:.0%} of images worse")),
    "C50": formula(*(f"c50_{name}" for name in ("linear", "softmax", "gradient", "adjoint", "sizes"))),
    "C51": formula("c51_bias_difference", "c51_residual_error"),
    "C51b": formula("c51_population_difference"),
    "C51c": formula("c51_plain_gradient"),
    "C52": formula("c25_gradient_error"),
    "C53": trained("c53_batch_share", "c53_draw_share", function=min,
                   text=shown("batch {c53_batch_share:.2f}, draws {c53_draw_share:.2f}")),
    "C54": formula("c54_sum_error", "c54_clipped_excess"),
    "C54b": formula("c54_truncation_error"),
    "C54c": formula("c54_orthogonal_ratio", "c54_identity_ratio", function=lambda v: max(abs(r - 1) for r in v)),
    "C54d": formula("c54_random_ratio"),
    "C55": formula("c55_cell_error", "c55_keep_error"),
    "C56": formula("c56_sum_error", "c56_order_error"),
}  # fmt: skip

T42_MODELS = ("iaf", "pixelcnnpp", "pixelvae", "dcgan")
MEASURES |= lettered("C31", "abcd", T42_MODELS, near_baseline)

CIFAR = "the CIFAR-10 models (two-level IAF-VAE, PixelCNN++, hierarchical PixelVAE) are not part of this room yet"
NOT_RUN = {f"t42_{row}_{model}": CIFAR for row in (*CIFAR_CLASSES, "mean", "median") for model in T42_MODELS}
NOT_RUN |= dict.fromkeys(("fn4_iaf_epochs", "fn4_iaf_bpd", "s4_iaf_levels"), CIFAR)
NOT_RUN |= dict.fromkeys([f"C{n:02d}" for n in (7, 8, 9, 10, 11, 12, 15, 16, 32, 36)], CIFAR)
NOT_RUN |= {
    "s4_versions": "a count of trainings, one for each left-out class: a matter of the design, nothing measured",
    "C40": "on the page of chapter 2, whose models and measures it needs: nos. 12, 34 and 37 there",
    "C41": "an open hypothesis of the text, not a result",
    "C42": "an outlook of the text, not a result",
}
