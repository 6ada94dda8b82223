"""Section 4.4 of Ahmed (2017): is an unseen class likelier where a powerful model meets few data?

The VAE of Table 4.1 on a share of the training images, for as many steps as all of them are given; what is scored, and
how, is as in `ood.py`, whose rows stand for all images.

    python reproductions/ahmed_ch4/subsets.py --dataset=mnist --held_out=0,2,5
"""

import dataclasses

import numpy as np

from common import experiment
from common.errors import UserError
from reproductions.ahmed_ch4 import ood

FLAGS = ood.FLAGS
FLAGS.set_default("model", ["vae"])
FLAGS.set_default("held_out", ["0", "2", "5"])

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch4",
    name="subsets",
    script=__file__,
    models=ood.models.__file__,
    options={"vae": ood.EXPERIMENT.options["vae"] | {"share": 0.1}},
    scales={scale: {"vae": options["vae"]} for scale, options in ood.EXPERIMENT.scales.items()},
    variants={"as_described": {}, "share_30": {"vae": {"share": 0.3}}},
    datasets=ood.EXPERIMENT.datasets,
    evaluation=ood.EXPERIMENT.evaluation,
)


def run(settings, images, work):
    """`ood.run_vae` on a share of the training images; `epochs` counts passes over all, so the steps stay as many."""
    ood.without(images, settings)  # tells what cannot be run
    if not 0 < settings["share"] <= 1:
        raise UserError(f"share={settings['share']:g}: a number above 0 and at most 1 expected")
    fewer = subset(images, settings["share"])
    epochs = round(settings["epochs"] * len(images.train) / len(fewer.train))
    return ood.run_vae(dataclasses.replace(settings, options=settings.options | {"epochs": epochs}), fewer, work)


def subset(images, share):
    """A share of each class's training images, spread evenly over their order in the file; all test images."""
    kept = []
    for label in np.unique(images.train_labels):
        rows = np.flatnonzero(images.train_labels == label)
        kept.append(rows[np.linspace(0, len(rows) - 1, max(1, round(share * len(rows)))).astype(int)])
    rows = np.sort(np.concatenate(kept))
    return dataclasses.replace(images, train=images.train[rows], train_labels=images.train_labels[rows])


def main():
    ood.run_all(EXPERIMENT, {"vae": run})


if __name__ == "__main__":
    experiment.main(main)
