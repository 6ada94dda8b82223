"""Measures of the claims that need no long training: records of formulas.py."""

from common.reporting.claims import Measurement, measure
from reproductions.ahmed_ch2.selection import chosen, widest


def formula(*metrics, function=lambda values: values[0], text="", least=1, **fields):
    """Measure of `function` over metrics of formulas.py; no data set of the text is meant, so none is a stand-in.

    text: a format of the metrics, or a function of them. least: seeds below which the values stand in the reason only.
    """

    def found(records) -> Measurement | None:
        runs = chosen(records, experiment="formulas")
        if not runs:
            return None
        shown = text(runs[0].metrics) if callable(text) else text.format(**runs[0].metrics)
        values = [function([r.metrics[m] for m in metrics]) for r in runs]
        if len(values) < least:
            numbers = ", ".join(f"{value:.3f}" for value in values)
            return Measurement(reason=f"measured {numbers} with {len(values)} of the {least} seeds that are needed")
        return measure(runs, values, text=shown, **{"stand_in": "", "exact": True} | fields)

    return found


def trained(*metrics, **fields):
    """As `formula`, for what a small training or a clock gives."""
    return formula(*metrics, exact=False, **fields)


def growing(records) -> Measurement | None:
    """No. 33: the smallest step of every seed's model, with an interval of twice its error over data points."""
    runs = chosen(records, experiment="formulas")
    steps = [(r.metrics["c33_smallest_step_nats"], 2 * r.metrics["c33_smallest_step_se_nats"]) for r in runs]
    if not steps:
        return None
    text = "log p - ELBO {c33_elbo_gap_nats:.3f}, log p - E L_100 {c33_final_gap_nats:.4f} nats"
    return formula("c33_smallest_step_nats", exact=False, interval=widest(steps), text=text)(runs)


def in_both(share, count, other) -> tuple[float, float]:
    """Share of the same layers in a network of `count` multiply-accumulates, and in one of `other`."""
    return share, share * count / other


DENSE = ("macs_pixels_dense_share", "macs_released_dense", "macs_appendix_dense")
UNMASKED = ("macs_pixels_share", "macs_appendix", "macs_released")


def shares_shown(metrics) -> str:
    """Nos. 18 and 18b: the masked layers' shares in both networks, counted in both ways."""
    released, appendix = in_both(*(metrics[name] for name in DENSE))
    appendix_unmasked, released_unmasked = in_both(*(metrics[name] for name in UNMASKED))
    return (
        f"appendix network {appendix:.1%} dense, {appendix_unmasked:.1%} unmasked; "
        f"released setting {released:.1%} dense, {released_unmasked:.1%} unmasked"
    )


MEASURES = {
    # The cost column of Table 2.2, and compute in the text
    "T2.2-15": formula("macs_appendix", text="with the two layers that give the posteriors "
                       "{macs_appendix_with_posteriors:.4g}; dense {macs_appendix_dense:.4g}; released setting "
                       "{macs_released:.4g}, dense {macs_released_dense:.4g}"),
    "C25": formula("macs_over_gated_pixelcnn"),
    "C25b": formula("macs_over_pixelrnn"),
    "C18": formula(*DENSE, function=lambda values: min(in_both(*values)), text=shares_shown),
    "C18b": formula(*UNMASKED, function=lambda values: max(in_both(*values)), text=shares_shown),
    "C19": formula("macs_a2_ratio", text="{macs_a2_pixelvae:.4g} against {macs_a2_pixelcnn_11:.4g}"),
    "C16": trained("c16_ratio_step", text="{c16_seconds_step_shallow:.3f} s against {c16_seconds_step_deep:.3f} s"),
    "C16b": trained("c16_ratio_draw", text="{c16_seconds_draw_shallow:.2f} s against {c16_seconds_draw_deep:.2f} s"),
    "C16c": formula("c16_ratio_macs"),
    "S-15": formula("blocks_bottom_encoder", "blocks_bottom_decoder", "blocks_top_encoder", "blocks_top_decoder",
                    function=lambda v: sum(abs(a - b) for a, b in zip(v, (7, 7, 8, 8), strict=True))),
    # What a pixel sees
    "C17": formula("c17_depth_error"),
    "C29": formula("c29_violations", text="of the later logits {c29_seen:.0%} change, at least"),
    "C30": formula("c30_single_stack_blind"),
    "C30b": formula("c30_two_stacks_blind"),
    "C30c": formula("c30_formula_error"),
    "C42": formula("c42_row_error", "c42_diagonal_error", "c42_skew_error", function=sum),
    "C42b": formula("c42_row_unseen"),
    "C42c": formula("c42_unshifted_leaks", text="with a masked input in both directions the last column is missed: "
                    "{c42_masked_unseen:.0f} pairs"),
    "C43": formula("c43_growth_error"),
    "C43b": formula("c43_second_a_loses"),
    "C43c": formula("c43_first_b_leaks"),
    "S-03": formula("c43_reach_first_layer", text="7x7 and one 5x5: {c43_reach_one_layer:.0f}"),
    "FA.2-01": formula("c43_reach_two_layers"),
    "FA.2-02": formula("c43_reach_four_layers"),
    "FA.2-03": formula("c43_reach_two_layers"),
    "E01": formula("e1_first_pixel", text="of another pixel's logit: {e1_other_pixels:.3g}"),
    # Sizes
    "S-10": formula("parameters_upsampling"),
    # Bounds
    "C31": trained("c31_one_draw_loses_nats", least=3, text="bound with one draw {c31_bound_nats:.2f} nats"),
    "C32": trained("c32_variance_ratio"),
    "C33": growing,
    "C33c": formula("c33_identity_error_nats"),
    "C39": trained("c39_two_levels_minus_one_nats"),
    "C40": formula("c40_parallel_error", text="with what comes before replaced: {c40_wrong_order:.2g} nats"),
}  # fmt: skip

HIERARCHICAL = "the hierarchical network and its data (LSUN, ImageNet 64x64) are not part of this room"
SETTING = "a setting, not a result"
NOT_RUN = {
    # FA.1-01, C26 and the settings are of kind "quoted": there is nothing to measure, so no rule that anything meets.
    **dict.fromkeys(("T2.2-13", "T2.2-14", "FA.1-01", "C20", "C21", "C22", "C23", "C24", "C26", "C27"), HIERARCHICAL),
    "C36": "needs a latent PixelCNN prior trained beside a flexible posterior; optional and not built",
    "S-01": f"{SETTING}: the paper scale draws 5,000, the cpu scale 1,000 (C06); the released script drew 10",
    "S-02": f"{SETTING}: ours is 5 too; the code's upsampling net ran with 3 (variant as_code)",
    **dict.fromkeys(
        ("S-04", "S-05", "S-06", "S-07", "S-09", "S-13", "S-14", "S-17"), f"{SETTING} of the 64x64 network"
    ),
    "S-08": f"{SETTING}: all code has 8, and so have our rows; the variant nine_convolutions has 9",
    "S-11": f"{SETTING}: that of the paper scale; cpu-scale rows say their iterations",
    "S-12": f"{SETTING}: the README of the best row has width 16, which ours has too",
    "S-16": f"{SETTING}: latents.py has it",
    "E02": "a count of ours from the released code, which prints none; a test holds our net to it",
}
