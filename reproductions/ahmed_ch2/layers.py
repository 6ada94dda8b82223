"""Figures 2.4a, 2.4b and A.2 of Ahmed (2017): what masked layers change, with a latent and without.

    python reproductions/ahmed_ch2/layers.py --model=pixelvae,pixelcnn --layers=0,1,2,4,6,8,12

pixelvae: a gated 7x7 block and `layers` gated 5x5 blocks on image and upsampled z; with 0 layers the plain VAE, no
masked convolution at all. pixelcnn: the same stack without a latent; with 0 layers the 7x7 block alone. All trainings
are equally long; warm_up_5000 and tuned_16000: as long as the rows of Table 2.1 at cpu scale, by their recipes. The
samples are those of Figure A.2, whose "receptive field" of 7 and 11 pixels is 2 and 4 layers.
"""

import functools

from absl import flags

from common import experiment
from common.commandline import integers
from common.errors import UserError
from common.evaluation import nats
from common.evaluation.judge import train_judge
from reproductions.ahmed_ch2 import codes, evaluation, models, runs, samples, sizes

flags.DEFINE_list("model", ["pixelvae", "pixelcnn"], "pixelvae, pixelcnn.")
flags.DEFINE_list("layers", ["0", "1", "2", "4", "6", "8", "12"], "Masked layers after the 7x7 one, one run each.")
FLAGS = flags.FLAGS

PAPER = runs.TRAINING | runs.MEASURED | {"width": 32, "filter_size": 5, "estimate_images": 0}
PIXELVAE = runs.LATENT | {"latent": 64, "probed": 10_000}
OPTIONS = {"pixelvae": PAPER | PIXELVAE, "pixelcnn": PAPER}
SHORT = runs.SHORT | runs.MEASURED_SHORT | {"iterations": 2_000, "width": 16, "estimate_images": 0}

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch2",
    name="layers",
    script=__file__,
    models=models.__file__,
    options=OPTIONS,
    scales={
        "smoke": {
            "pixelvae": runs.SMOKE | runs.SMOKE_LATENT | {"width": 4, "latent": 4, "probed": 200, "estimate_images": 0},
            "pixelcnn": runs.SMOKE | {"width": 4, "estimate_images": 0},
        },
        "cpu": {"pixelvae": SHORT | {"warm_up": 200}, "pixelcnn": SHORT},
    },
    variants={
        "as_described": {},
        "as_code": {"pixelvae": {"filter_size": 3}},  # as in likelihoods.py
        sizes.WARMED: runs.warmed(sizes.LONG, OPTIONS),
        sizes.TUNED: runs.tuned(sizes.LONG, OPTIONS),  # of the PixelVAEs for the one of 0 layers alone
        **runs.variants(("pixelvae", "pixelcnn")),
    },
    datasets={"smoke": "digits", "cpu": "binarized_mnist", "paper": "binarized_mnist"},
    evaluation=(*runs.EVALUATION, "probed"),
)


def net(model, layers):
    """The class to build, its depth chosen."""
    if model == "pixelcnn":
        return functools.partial(models.GatedPixelCNN, layers=layers)
    if layers == 0:
        return plain_vae
    return functools.partial(models.GatedPixelVAE, layers=layers, upsample=True)


def plain_vae(images, filter_size, **arguments):
    """The VAE with the same encoder and upsampler; it has no filter."""
    return models.ConvVAE(images, **arguments)


def run(settings, images, work):
    """Trains one net and measures it: nats, its draws, and what its latents say about the class."""
    bits, digits = runs.bits_of(images, settings), runs.labelled(images)
    judge = train_judge(digits, experiment.judges_dir())
    game, log, notes = runs.trained(settings, net(settings.model, settings.key["layers"]), bits, work)
    metrics, arrays = evaluation.likelihoods(game, bits.test, settings, settings.seed)
    drawn = samples.draws(game, settings["samples"], settings.seed)
    metrics |= samples.quality(drawn, bits, judge)
    if nats.has_latent(game):
        count = settings["probed"]
        train, test = (codes.means(game, part[:count]) for part in (digits.train, digits.test))
        errors = codes.neighbour_errors(train, digits.train_labels[:count], test, digits.test_labels[:count])
        metrics |= {"probe_accuracy": 100 - errors[5], "active_units": codes.active_units(test)}
    metrics |= {
        "parameters": runs.parameters(game),
        "seconds_per_iteration": sum(log["seconds"]) / settings["iterations"],
        "judge_accuracy": judge.accuracy,
    }
    return experiment.Outcome(
        metrics,
        arrays | {"samples": drawn[: samples.SHOWN]},
        f"bound, {settings['bound_draws']} draws" if nats.has_latent(game) else "exact",
        settings["iterations"],
        bits.description,
        bits.split,
        notes,
    )


def main():
    depths = integers("layers", FLAGS.layers, 0)
    if any(sizes.killed(FLAGS.variant, model, layers) for model in FLAGS.model for layers in depths):
        raise UserError(f"--variant={FLAGS.variant} is of pixelvae for --layers=0 alone: deeper ones die of its rate")
    for wanted in [runs.possible(each) for each in experiment.asked(EXPERIMENT, FLAGS.model, layers=depths)]:
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
