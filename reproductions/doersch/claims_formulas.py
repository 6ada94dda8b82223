"""Measures of the claims that need no trained network: records of formulas.py, appendix.py and distances.py."""

from common.reporting.claims import Measurement, measure
from common.reporting.records import Record, of_one_set, select
from reproductions.doersch.laws import SMOOTH_LAWS

LAWS = tuple(law.name for law in SMOOTH_LAWS)


def formula(metric, offset: float = 0.0, **fields):
    """Measure of a metric of formulas.py minus `offset`; no image is used, so no data set is a stand-in."""

    def found(records) -> Measurement | None:
        chosen = select(records, experiment="formulas")
        return measure(chosen, lambda r: r.metrics[metric] - offset, stand_in="", **{"exact": True} | fields)

    return found


def appendix(function, text=None, reason=""):
    """Measure of one number from the appendix's record: `function(metrics)`; `text(metrics)` shows the laws apart."""

    def found(records) -> Measurement | None:
        chosen = select(records, experiment="appendix")[:1]
        shown = text(chosen[0].metrics) if chosen and text else ""
        return measure(chosen, lambda r: function(r.metrics), stand_in="", exact=True, text=shown, reason=reason)

    return found


def worst(metric: str, target: float):
    """The value of `metric`, over the five laws, that is farthest from `target`."""
    return lambda metrics: max((metrics[f"{metric}_{law}"] for law in LAWS), key=lambda value: abs(value - target))


def per_law(metric: str, digits: int = 3):
    """ "standard normal .5, ...": a metric of every law."""
    return lambda metrics: ", ".join(f"{law.replace('_', ' ')} {metrics[f'{metric}_{law}']:.{digits}f}" for law in LAWS)


def own_data(records, **match) -> list[Record]:
    """Matching records on MNIST, else those of the first data set by name (never two data sets together)."""
    return of_one_set(select(records, **match))


def stand_in(records) -> str:
    """Why these data are not the text's: the data set's own sentence, or that it is another set than MNIST."""
    record = records[0]
    return record.stand_in or ("" if record.data["name"] == "mnist" else f"{record.data['name']}, not MNIST")


def pixels(metric, text=None, **fields):
    """Measure of a metric of distances.py; `text(metrics)` says more than the number."""

    def found(records) -> Measurement | None:
        chosen = own_data(records, experiment="distances")
        if not chosen:
            return None
        shown = text(chosen[0].metrics) if text else ""
        return measure(chosen, metric, stand_in=stand_in(chosen), text=shown, **{"exact": True} | fields)

    return found


def readings(records) -> Measurement | None:
    """Fig. 3's distance under four readings: no verdict, because the text says neither the unit nor the digit."""
    chosen = own_data(records, experiment="distances")
    if not chosen:
        return None
    names = {"raw": "sum", "pixel_mean": "mean over pixels", "relative": "relative to |X|^2", "per_row": "sum / 28"}
    m = chosen[0].metrics
    shown = [f"{words} {m[f'c02_{n}_min']:.3g} to {m[f'c02_{n}_max']:.3g}" for n, words in names.items()]
    return Measurement(
        reason=f"the unit is not printed, and neither is the digit; the digits '2' of {chosen[0].data['name']}: "
        f"{', '.join(shown)}. Order and ratio are compared in C02c"
    )


def patches(metrics) -> str:
    """Ratio by size of the gap."""
    found = [f"{n} x {n}: {metrics[f'c02_ratio_patch{n}_median']:.2f}" for n in (2, 3, 4, 5, 6)]
    return "gap of 3 x 3 pixels where most ink is; medians by size " + ", ".join(found)


MEASURES = {
    # Section 2: a normal law is enough (footnote 1, Fig. 2); distances between digits (Fig. 3)
    "C01a": lambda records: measure(
        select(records, experiment="formulas"),
        lambda r: (r.metrics["c01_radius_mean"] - 1) / 1.2533141,  # (E radius - 1) / E |z|, E |z| = sqrt(pi / 2)
        stand_in="",
        exact=True,
    ),
    "C01b": formula("c01_radius_mean", 1.12533),
    "C01c": formula("c01_radius_sd", 0.065514),
    "C01d": formula("c01_mixture_p_value"),
    "C02a": readings,
    "C02c": pixels("c02_ratio_patch3_median", patches),
    "C02d": pixels("c02_other_class_nearer"),
    "C03": pixels(
        "c03_ratio", lambda m: f"nearest {m['c03_nearest_of_all']:.1f}, half shift {m['c03_half_shift']:.1f}"
    ),
    "C03b": pixels("c03_ratio_digit"),
    # Sections 2.1 and 2.2
    "C08": formula("c08_tfp_difference"),
    "C08b": formula("c08_z_score"),
    "C06": formula("c06_z_score"),
    "C06b": formula("c06_blocked_gradient"),
    "C06c": formula("c06_forward_difference"),
    "C40": formula("c40_sampled_gradient"),
    "C40b": formula("c40_expected_gradient"),
    "C40c": formula("c40_identity_difference"),
    # Section 2.4
    "C16": lambda records: measure(
        select(records, experiment="formulas"),
        lambda r: r.metrics["c16_best_kl_bound"] - r.metrics["c16_best_kl_likelihood"],
        stand_in="",
        reason="two modes in one dimension, posteriors on a grid",
    ),
    "C41": formula("c41_log_marginal_range"),
    "C41b": formula("c41_best_elbo_range"),
    "C15": appendix(worst("c15_exponent_at_optimum", -1), per_law("c15_exponent_at_optimum")),
    "C15b": appendix(worst("c15_exponent_away", -2), per_law("c15_exponent_away")),
    "E02": formula("e02_kl_difference", reason="the pairing suits the prior N(0, lambda^2 I)"),
    "C09": formula("c09_kl_difference"),
    "C09b": formula("c09_input_sd_difference"),
    "C10": formula("c10_gradient_difference"),
    "C11": formula("c11_gradient_difference"),
    # Section 3
    "C44": formula("c44_regressor_error", exact=False),
    "C44b": formula("c44_regressor_near_modes", exact=False),
    "C44c": formula("c44_cvae_near_modes", exact=False),
    # Sections 4.1 and 5
    "C28": formula("c28_elbo_difference"),
    "C32": pixels("c32_grey_column_unique_share"),
    "C32b": pixels("c32_left_half_unique_share"),
    "C33": pixels("c33_binary_column_unique_share", exact=False),
    # Appendix
    "C13": appendix(worst("c13_slope_d1", 2), per_law("c13_slope_d1")),
    "C13b": appendix(worst("c13_slope_d2", 4), per_law("c13_slope_d2")),
    "C13c": appendix(worst("c13_affine_difference", 0)),
    "C13d": appendix(lambda metrics: metrics["normal_gap_difference"]),
    "C14": appendix(
        lambda m: min(round(m[f"c14_curvature_share_{law}"], 12) for law in LAWS), per_law("c14_curvature_share")
    ),
    "E06": appendix(
        lambda metrics: metrics["e06_printed_shifted_normal"] - 1,
        reason="as printed the limit is f'(g)^2; harmless once the density is normalised",
    ),
    "E06b": appendix(lambda metrics: metrics["e06_right_shifted_normal"] - 1),
}

NOT_RUN = {
    "C02b": "the text gives neither the digit nor the alteration; Fig. 3 is rebuilt with a gap of that relative size",
    "C18": "what the author did, not a result",
    "C19": "what the author did, not a result; the choice itself is C19b",
    **{f"K{n:02}": "a setting of the author's code, used by the variant as_code" for n in range(1, 19)},
    "K19": "a time on another machine; every record carries its own",
}
