"""The tutorial's statements that are formulas: footnote 1 to Section 3, checked without images or trained networks.

    python reproductions/doersch/formulas.py --seed=1,2,3

In the order of the text: any law from a normal (Fig. 2), Eq. 7, the reparameterisation (Fig. 4), discrete latents, the
shape of posteriors, many decoders for one law, the scale of the prior, sigma as a weight, padded latents, and the
two-mode target of Section 3.
"""

import numpy as np
from absl import flags

from common import experiment
from reproductions.doersch import gradients, mappings, posteriors, two_modes

flags.DEFINE_enum("model", "formulas", ["formulas"], "There is one: formulas.")

EXPERIMENT = experiment.Experiment(
    text="doersch",
    name="formulas",
    script=__file__,
    models=gradients.__file__,
    options={
        "formulas": {"ring_draws": 1_000_000, "figure_draws": 1_000, "posterior_steps": 4_000, "two_mode_steps": 4_000}
    },
    scales={},
    variants={"as_described": {}},
    datasets=dict.fromkeys(experiment.SCALES, "digits"),  # the runner wants a data set; no number here depends on it
)


def fig_2(settings, arrays):
    """Footnote 1 and Fig. 2: mean, spread and smallest radius of the ring; a plane mixture from two normals."""
    z = np.random.default_rng(settings.seed).normal(size=(settings["ring_draws"], 2))
    radius = np.linalg.norm(mappings.ring(z), axis=1)
    few = z[: settings["figure_draws"]]
    arrays |= {"fig2_normal": few, "fig2_ring": mappings.ring(few)}
    return {
        "c01_radius_mean": radius.mean(),
        "c01_radius_sd": radius.std(),
        "c01_radius_min": radius.min(),
        "c01_mixture_p_value": mappings.universality(settings.seed),
    }


def sections_2_1_and_2_2(seed):
    """Eq. 7, both networks of Fig. 4, and a latent that cannot be reparameterised."""
    return prefixed(c08=gradients.closed_form_kl(seed), c06=gradients.reparameterisation(seed)) | prefixed(
        c40=gradients.discrete_latent(seed)
    )


def section_2_4_1(angles=(0.0, 0.3, 0.8, 1.3), images=((0.5, -0.2, 0.4), (1.5, 1.0, -0.3))):
    """Rotated decoders: range of log P(X) over the angles, and of the best ELBO; the largest over two X, nats."""
    log_marginal, best_elbo = np.zeros((2, len(angles), len(images)))
    for row, angle in enumerate(angles):
        decoder = mappings.RotatedDecoder(angle)
        log_marginal[row] = [decoder.log_marginal(np.array(x)) for x in images]
        best_elbo[row] = [decoder.best_elbo(np.array(x)) for x in images]
    return {
        "c41_log_marginal_range": np.ptp(log_marginal, axis=0).max(),
        "c41_best_elbo_range": np.ptp(best_elbo, axis=0).max(),
        "c41_bound_violation": max(0.0, (best_elbo - log_marginal).max()),
    }


def section_2_4_3(seed, mean=(0.7, -0.3), variance=(0.2, 0.5)):
    """The prior's scale with both right pairings and, at lambda = 3, the printed one; sigma and copies as weights."""
    mean, variance = np.array(mean), np.array(variance)
    base = mappings.diagonal_kl(mean, variance)
    pairs = [pair for scale in (0.1, 3.0, 10.0) for pair in ((scale**2, scale), (scale, scale**0.5))]
    kls, input_sds = np.transpose([mappings.scaled_model(*pair, mean, variance) for pair in pairs])
    printed_kl, printed_input_sd = mappings.scaled_model(3.0, 3.0, mean, variance)
    return {
        "c09_kl_difference": np.abs(kls - base).max(),
        "c09_input_sd_difference": np.abs(input_sds - 1).max(),
        "e02_kl_base": base,
        "e02_kl_printed": printed_kl,
        "e02_kl_difference": printed_kl - base,
        "e02_input_sd_printed": printed_input_sd,
        "c10_gradient_difference": gradients.sigma_as_weight(seed),
        "c11_gradient_difference": gradients.replicated_pixels(seed),
    }


def prefixed(**groups):
    """{"c06_z_score": ...} from c06={"z_score": ...}."""
    return {f"{claim}_{name}": value for claim, found in groups.items() for name, value in found.items()}


def run(settings, images, work):
    """One record: every formula in the order of the text."""
    arrays = {}
    metrics = fig_2(settings, arrays)
    metrics |= sections_2_1_and_2_2(settings.seed)
    metrics |= prefixed(c16=posteriors.posterior_shapes(settings.seed, settings["posterior_steps"]))
    metrics |= section_2_4_1() | section_2_4_3(settings.seed)
    metrics |= prefixed(c44=two_modes.two_modes(settings.seed, settings["two_mode_steps"]))
    metrics["c28_elbo_difference"] = gradients.padded_latent(settings.seed)
    notes = {"data": "no image is used; the data set named in the settings changes nothing"}
    return experiment.Outcome(metrics, arrays, "closed forms, quadrature, Monte Carlo", split="none", notes=notes)


def main():
    for wanted in experiment.asked(EXPERIMENT, ["formulas"]):
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
