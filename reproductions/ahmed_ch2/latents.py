"""Figure 2.5 of Ahmed (2017): digits in a latent plane, with a masked decoder and without.

    python reproductions/ahmed_ch2/latents.py --model=pixelvae,vae --latent=2,8,64

pixelvae: six gated 5x5 blocks on image and upsampled z; vae: the same encoder and upsampler, no masked layers. Codes
are posterior means; neighbours come from the training images. The fixed binary set has no labels, so the bits are one
own draw of MNIST. warm_up_5000: as long as the rows of Table 2.1 at cpu scale, by their second recipe.
"""

import functools

import numpy as np
from absl import flags

from common import experiment
from common.commandline import integers
from common.errors import UserError
from common.evaluation import nats
from reproductions.ahmed_ch2 import codes, models, runs, sizes

flags.DEFINE_list("model", ["pixelvae", "vae"], "pixelvae, vae.")
flags.DEFINE_list("latent", ["2", "4", "8", "16", "64"], "Latent dimensions, one run each.")
FLAGS = flags.FLAGS

PAPER = runs.TRAINING | runs.LATENT | {"bound_draws": 10, "altered": 2_000, "width": 32, "binarisation": "own_draw"}
OPTIONS = {"pixelvae": PAPER | {"layers": 6, "filter_size": 5}, "vae": PAPER}
SHORT = runs.SHORT | {"iterations": 3_000, "warm_up": 300, "width": 16}
SMOKE = {
    name: value
    for name, value in (runs.SMOKE | runs.SMOKE_LATENT | {"altered": 100, "width": 4}).items()
    if name in PAPER
}

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch2",
    name="latents",
    script=__file__,
    models=models.__file__,
    options=OPTIONS,
    scales={
        "smoke": {"pixelvae": SMOKE | {"layers": 2}, "vae": SMOKE},
        "cpu": {"pixelvae": SHORT, "vae": SHORT},
    },
    variants={
        "as_described": {},
        "dynamic": dict.fromkeys(("pixelvae", "vae"), {"binarisation": "dynamic"}),
        sizes.WARMED: runs.warmed(sizes.LONG, OPTIONS),
    },
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
    evaluation=("validation_images", "bound_draws", "altered"),
)
NETS = {"pixelvae": functools.partial(models.GatedPixelVAE, upsample=True), "vae": models.ConvVAE}


def run(settings, images, work):
    """Trains one net and reads its codes."""
    if images.train_labels is None or images.test_labels is None:
        raise UserError(f"data set '{images.name}' has no labels, and neighbours need them: choose --dataset=mnist")
    bits, digits = runs.bits_of(images, settings), runs.labelled(images)
    net = functools.partial(NETS[settings.model], latent=settings.key["latent"])
    game, _, notes = runs.trained(settings, net, bits, work)
    terms = nats.bound(game, bits.test, settings["bound_draws"], settings.seed)
    metrics = {f"{'nll_bound' if name == 'bound' else name}_nats": values.mean() for name, values in terms.items()}
    places = codes.means(game, digits.train[: len(bits.train)]), codes.means(game, bits.test)
    pair = places[0], bits.train_labels, places[1], bits.test_labels
    metrics |= {f"neighbour_error_{k}": error for k, error in codes.neighbour_errors(*pair).items()}
    metrics["information_nats"] = codes.information(*pair)
    metrics["silhouette"] = codes.silhouette(places[1], bits.test_labels)
    metrics |= codes.moves(game, bits.test[: settings["altered"]], bits.test_labels[: settings["altered"]])
    arrays = {"bound": terms["bound"]}
    if settings.key["latent"] == 2:
        arrays |= {"codes": places[1].astype(np.float16), "label": bits.test_labels}
    return experiment.Outcome(
        metrics,
        arrays,
        f"bound, {settings['bound_draws']} draws; neighbours of {len(bits.train):,} training codes",
        settings["iterations"],
        bits.description,
        bits.split,
        notes,
    )


def main():
    sizes_of_z = integers("latent", FLAGS.latent, 1)
    asked = experiment.asked(EXPERIMENT, FLAGS.model, latent=sizes_of_z)
    for wanted in [runs.possible(each, labels=True) for each in asked]:
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
