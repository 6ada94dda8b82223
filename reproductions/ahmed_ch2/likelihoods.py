"""Table 2.1 of Ahmed (2017): negative log-likelihoods of binary MNIST; and Figure A.3, reconstructions.

    python reproductions/ahmed_ch2/likelihoods.py --model=gated_pixelvae
    python reproductions/ahmed_ch2/likelihoods.py --dataset=mnist --variant=dynamic --model=conv_vae

The rows that the thesis ran itself. Exact for the PixelCNN; with a latent the bound (mean of ten draws, alpha = 1) on
the whole test set and the importance-sampled estimate. Bits: Larochelle's fixed set; the variants own_draw and dynamic
take MNIST, and their nats are never compared with the fixed set's. tuned_*: a recipe for short trainings.
"""

import functools

from absl import flags

from common import experiment
from common.evaluation import nats
from common.evaluation.judge import train_judge
from reproductions.ahmed_ch2 import evaluation, models, runs, samples, sizes

flags.DEFINE_list(
    "model",
    ["gated_pixelvae", "conv_vae", "gated_pixelcnn", "pixelvae", "gated_pixelvae_up"],
    "conv_vae, pixelvae, gated_pixelcnn, gated_pixelvae_up (z upsampled beside the image), gated_pixelvae (z in "
    "every gate).",
)
FLAGS = flags.FLAGS

NETS = {
    "conv_vae": models.ConvVAE,
    "pixelvae": models.PixelVAE,
    "gated_pixelcnn": models.GatedPixelCNN,
    "gated_pixelvae_up": functools.partial(models.GatedPixelVAE, upsample=True),
    "gated_pixelvae": functools.partial(models.GatedPixelVAE, upsample=False),
}
PAPER = runs.TRAINING | runs.MEASURED
OPTIONS = {
    "conv_vae": PAPER | runs.LATENT | sizes.ROWS["conv_vae"],
    "pixelvae": PAPER | runs.LATENT | sizes.ROWS["pixelvae"],
    "gated_pixelcnn": PAPER | sizes.ROWS["gated_pixelcnn"],
    "gated_pixelvae_up": PAPER | runs.LATENT | sizes.ROWS["gated_pixelvae_up"] | {"unmasked": False},
    "gated_pixelvae": PAPER | runs.LATENT | sizes.ROWS["gated_pixelvae"],
}
TUNABLE = {model: options for model, options in OPTIONS.items() if model not in sizes.UPSAMPLED}
SHORT = runs.SHORT | runs.MEASURED_SHORT | {"iterations": sizes.LONG}
SHORT_LATENT = SHORT | {"warm_up": 800}
SMOKE = runs.SMOKE | runs.SMOKE_LATENT
NARROW = {"layers": 2, "width": 4, "latent": 4}

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch2",
    name="likelihoods",
    script=__file__,
    models=models.__file__,
    options=OPTIONS,
    scales={
        "smoke": {
            "conv_vae": SMOKE | {"latent": 4, "width": 8},
            "pixelvae": SMOKE | NARROW,
            "gated_pixelcnn": runs.SMOKE | {"layers": 2, "width": 4},
            "gated_pixelvae_up": SMOKE | NARROW,
            "gated_pixelvae": SMOKE | NARROW,
        },
        # Fewer iterations, and the wide rows at the headline row's width; `gated_pixelvae_up` also at its depth and
        # latent size, so that the two differ in nothing but the way z comes in.
        "cpu": {
            "conv_vae": SHORT_LATENT,
            "pixelvae": SHORT_LATENT | {"width": 16},
            "gated_pixelcnn": SHORT | {"width": 16},
            "gated_pixelvae_up": SHORT_LATENT | {"layers": 12, "width": 16, "latent": 16},
            "gated_pixelvae": SHORT_LATENT,
        },
    },
    variants={
        "as_described": {},
        # The released and the submitted code: 3x3 filters in the upsampling net, whatever its flag said.
        "as_code": {"gated_pixelvae_up": {"filter_size": 3}},
        "nine_convolutions": dict.fromkeys(set(NETS) - {"gated_pixelcnn"}, {"encoder_convs": 9}),
        "unmasked": {"gated_pixelvae_up": {"unmasked": True}},
        # At cpu scale: latents are in use before their KL has its full weight (the warm-up of paper scale: 10,000).
        sizes.WARMED: dict.fromkeys(set(NETS) - {"gated_pixelcnn"}, {"warm_up": 5_000}),
        # At cpu scale: how a row falls with the length of its training, the learning rate falling to zero at each end.
        **{f"tuned_{n}": runs.tuned(n, TUNABLE) for n in sizes.LENGTHS},
        # Paper scale in layers of bfloat16: a few slices of an accelerator; the record holds what it costs in nats.
        "bfloat16": dict.fromkeys(NETS, {"precision": "bfloat16"}),
        **runs.variants(NETS),
    },
    datasets={"smoke": "digits", "cpu": "binarized_mnist", "paper": "binarized_mnist"},
    evaluation=runs.EVALUATION,
)


def run(settings, images, work):
    """Trains one row and measures it on the test images."""
    bits = runs.bits_of(images, settings)
    judge = train_judge(runs.labelled(images), experiment.judges_dir())
    game, log, notes = runs.trained(settings, NETS[settings.model], bits, work)
    metrics, arrays = evaluation.likelihoods(game, bits.test, settings, settings.seed)
    drawn = samples.draws(game, settings["samples"], settings.seed)
    metrics |= samples.quality(drawn, bits, judge)
    arrays["samples"] = drawn[: samples.SHOWN]
    if nats.has_latent(game):
        originals = samples.spread(bits.test, settings["samples"])
        pairs = samples.reconstructions(game, originals, settings.seed)
        metrics["reconstruction_agreement"] = samples.agreement(judge, originals, pairs)
        arrays |= {name: samples.spread(images, samples.SHOWN)
                   for name, images in (("originals", originals), ("reconstructions", pairs))}  # fmt: skip
    metrics |= {
        "parameters": runs.parameters(game),
        "train_nats": log["negative_elbo" if "negative_elbo" in log else "pixelcnn"][-1],
        "seconds_per_iteration": sum(log["seconds"]) / settings["iterations"],
        "judge_accuracy": judge.accuracy,
    }
    return experiment.Outcome(
        metrics, arrays, evaluator(settings, game), settings["iterations"], bits.description, bits.split, notes
    )


def evaluator(settings, game):
    """How the numbers of nats were made."""
    if not nats.has_latent(game):
        return "exact"
    return (
        f"bound, {settings['bound_draws']} draws; L_{settings['estimate_draws']} on {settings['estimate_images']} "
        "images"
    )


def main():
    for wanted in [runs.possible(each) for each in experiment.asked(EXPERIMENT, FLAGS.model)]:
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
