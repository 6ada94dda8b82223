"""Section 4.1's sentence on the size of z: fewer than 4 dimensions, 4 to 1,000, and 10,000.

    python reproductions/doersch/latents.py --latent=1,2,3,4,30,1000,10000 --model=he --seed=1,2,3

The text swept the size without numbers or settings. --model=sparse15 takes the author's initial weights, under which a
decoder with few latents starts with dead units (15 of 250 live at one latent), a cause of its own for bad small nets.
"""

import numpy as np
from absl import flags

from common import experiment
from common.commandline import integers
from common.evaluation.judge import train_judge
from common.training.fit import fit
from reproductions.doersch import likelihoods, models, samples

SIZES = (1, 2, 3, 4, 5, 8, 10, 20, 30, 50, 100, 300, 1_000, 3_000, 10_000)
flags.DEFINE_list("model", ["he", "sparse15"], "Initial weights: he, sparse15 (dead units for few latents).")
flags.DEFINE_list("latent", [str(size) for size in SIZES], "Sizes of z, one run each.")
FLAGS = flags.FLAGS

# The sweep has its own training length: the text's 100 epochs at paper scale, 10 on two cores.
OPTIONS = {
    "epochs": 100, "batch": 100, "learning_rate": 1e-3, "beta_1": 0.9, "weight_decay": 0.0, "samples": 10_000,
}  # fmt: skip
# Adam's beta_1 and the weight decay of the code, not its other switches: no as_code of digits.py.
CODE_OPTIMIZER = {"beta_1": 0.0, "weight_decay": 5e-4}

EXPERIMENT = experiment.Experiment(
    text="doersch",
    name="latents",
    script=__file__,
    models=models.__file__,
    evaluation=("epochs", "samples"),
    options={"he": OPTIONS, "sparse15": OPTIONS},
    scales={
        "smoke": dict.fromkeys(("he", "sparse15"), {"epochs": 1, "samples": 100}),
        "cpu": dict.fromkeys(("he", "sparse15"), {"epochs": 10, "samples": 5_000}),
    },
    variants={"as_described": {}, "code_optimizer": dict.fromkeys(("he", "sparse15"), CODE_OPTIMIZER)},
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
)


def run(settings, images, work):
    """-ELBO and its terms on grey test images, active units, live decoder units, and the samples by the judge."""
    samples.require_labels(images)
    arguments = {name: settings[name] for name in ("learning_rate", "beta_1", "weight_decay")}
    net = settings.build(lambda: models.VAE(images.train, settings.key["latent"], init=settings.model, **arguments))
    live_before = live_units(net)
    steps = settings["epochs"] * (len(images.train) // settings["batch"])
    log = fit(
        net, steps=steps, batch=settings["batch"], seed=settings.seed, work=work, program_steps=50, jit=settings.jit
    )
    found = likelihoods.bound_terms(net, images.test, seed=settings.seed)
    metrics = {f"test_{name}_nats": values.mean() for name, values in found.items()}
    metrics |= {f"train_{name}_nats": log[name][-1] for name in ("negative_elbo", "cross_entropy", "kl")}
    metrics |= likelihoods.active_units(*likelihoods.posteriors(net, images.test))
    metrics |= {"live_units_before": live_before, "decoder_units": net.decoder.get_layer("decode4").units}
    judge = train_judge(images, experiment.judges_dir())
    drawn = samples.prior_samples(net, settings["samples"], settings.seed)
    metrics |= samples.quality(drawn, images.test, judge)
    arrays = {"samples": np.rint(255 * drawn[:20, :, :, 0]).astype(np.uint8)}
    return experiment.Outcome(metrics, arrays, f"one z an image; judge; {settings['samples']} samples", steps)


def live_units(net):
    """Units of the decoder's first layer that any latent feeds at the start."""
    return int(np.any(net.decoder.get_layer("decode4").kernel.numpy() != 0, axis=0).sum())


def main():
    for wanted in experiment.asked(EXPERIMENT, FLAGS.model, latent=integers("latent", FLAGS.latent, 1)):
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
