"""Appendix A as a measurement: the errors D1 and D2 of the hand-built one-dimensional VAE as sigma goes to 0.

    python reproductions/doersch/appendix.py

The text proves D1 -> 0 (Eqs. 15 to 21) and blames the curvature of g for most of it. Here both errors are computed for
five smooth laws at seven sigmas, with the constant of the leading term split into its parts. Exact up to quadrature, so
there is one record and no seed matters. The mathematics stands in `construction.py` and `laws.py`.
"""

import numpy as np
from absl import flags

from common import experiment
from reproductions.doersch import construction
from reproductions.doersch.laws import SMOOTH_LAWS

flags.DEFINE_enum("model", "construction", ["construction"], "There is one: construction.")

EXPERIMENT = experiment.Experiment(
    text="doersch",
    name="appendix",
    script=__file__,
    models=construction.__file__,
    options={"construction": {"sigmas": list(construction.SIGMAS), "slope_sigmas": [0.05, 0.02, 0.01]}},
    scales={},
    variants={"as_described": {}},
    datasets=dict.fromkeys(experiment.SCALES, "digits"),  # the runner wants a data set; no number here depends on it
)


def measure_law(law, sigmas, slope_sigmas):
    """Every number of one law: D1, D2, their slopes, the constant's parts, gradients, Eqs. 17 and 21."""
    at = construction.points(law)
    errors = {s: construction.divergences(law, s, at) for s in sigmas}
    constants = construction.rate_constants(law, at)
    found = {f"c13_d{i + 1}_s{s:g}": errors[s][i] for s in sigmas for i in (0, 1)}
    for i in (0, 1):
        values = [errors[s][i] for s in slope_sigmas]
        found[f"c13_slope_d{i + 1}"] = construction.log_log_slope(slope_sigmas, values)
    found |= {f"c13_rate_{name}": value for name, value in constants.items()}
    found["c14_curvature_share"] = constants["curvature"] / constants["c"]
    for name, offset in (("at_optimum", 0.0), ("away", 0.5)):
        sizes = [construction.reconstruction_gradient_rms(law, s, offset, at) for s in slope_sigmas]
        found[f"c15_exponent_{name}"] = construction.log_log_slope(slope_sigmas, sizes)
    plain = construction.posterior_kl(law, x=0.5, s=0.1)
    mapped = [construction.posterior_kl(law, 0.5, 0.1, scale, 0.7, count=5001) for scale in (0.01, 3.0)]
    found["c13_affine_difference"] = max(abs(each - plain) for each in mapped)
    found["e06_right"], found["e06_printed"] = construction.prefactors(law, x=0.5, s=0.01)
    return {f"{name}_{law.name}": value for name, value in found.items()}


def edges(metrics, sigmas):
    """Where the appendix stops: normal laws in closed form, a better model at fixed sigma, and the Cauchy law."""
    normals = {"standard_normal": 1.0, "shifted_normal": 0.5}
    gaps = [
        metrics[f"c13_d1_s{s:g}_{name}"] + metrics[f"c13_d2_s{s:g}_{name}"] - s**2 / (2 * t**2)
        for name, t in normals.items()
        for s in sigmas
    ]
    threshold = construction.cauchy_threshold()
    growth = {
        name: construction.cauchy_truncated_error(factor * threshold, 30.0)
        - construction.cauchy_truncated_error(factor * threshold, 20.0)
        for name, factor in (("below", 0.98), ("above", 1.02))
    }
    return {
        "normal_gap_difference": np.max(np.abs(gaps)),
        "better_model_gap": max(abs(construction.better_than_construction(s)) for s in sigmas if s < 1),
        "cauchy_threshold": threshold,
        "cauchy_growth_below": growth["below"],
        "cauchy_growth_above": growth["above"],
    }


def run(settings, images, work):
    """One record with every law."""
    metrics = {}
    for law in SMOOTH_LAWS:
        metrics |= measure_law(law, settings["sigmas"], settings["slope_sigmas"])
    metrics |= edges(metrics, settings["sigmas"])
    notes = {"data": "no image is used; the data set named in the settings changes nothing"}
    return experiment.Outcome(metrics, evaluator="quadrature in float64", split="none", notes=notes)


def main():
    for wanted in experiment.asked(EXPERIMENT, ["construction"]):
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
