"""Section 1.6.3 of Ahmed (2017): class-conditional draws, the label as a linear map into every gate (claim 44).

    python reproductions/ahmed_ch2/labels.py

A Gated PixelCNN whose gates get the one-hot class, by the code that gives them z in the PixelVAE without upsampling.
Bits: one own draw of MNIST, for the fixed binary set has no labels. tuned_16000: as long as the rows of Table 2.1 at
cpu scale, by the recipe for short trainings.
"""

import functools

import numpy as np
from absl import flags

from common import experiment
from common.errors import UserError
from common.evaluation import nats
from common.evaluation.judge import train_judge
from reproductions.ahmed_ch2 import models, runs, samples, sizes

flags.DEFINE_enum("model", "conditional", ["conditional"], "There is one: conditional.")

OPTIONS = {
    "conditional": runs.TRAINING
    | {"layers": 12, "width": 32, "filter_size": 5, "per_class": 100, "binarisation": "own_draw", "states": 1}
}

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch2",
    name="labels",
    script=__file__,
    models=models.__file__,
    options=OPTIONS,
    scales={
        "smoke": {"conditional": {
            "iterations": 40, "batch": 20, "every": 20, "decay": True, "layers": 1, "width": 4, "per_class": 2,
        }},
        "cpu": {"conditional": runs.SHORT | {"iterations": 2_000, "layers": 4, "width": 16}},
    },
    variants={
        "as_described": {},
        "dynamic": {"conditional": {"binarisation": "dynamic"}},
        sizes.TUNED: runs.tuned(sizes.LONG, OPTIONS),
    },
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
    evaluation=("validation_images", "per_class"),
)  # fmt: skip


def run(settings, images, work):
    """Trains on labelled digits; draws `per_class` of each class; asks the judge."""
    if images.train_labels is None:
        raise UserError(f"data set '{images.name}' has no labels to condition on: choose --dataset=mnist")
    bits = runs.bits_of(images, settings)
    judge = train_judge(runs.labelled(images), experiment.judges_dir())
    net = functools.partial(models.GatedPixelCNN, labels=bits.train_labels)
    game, _, notes = runs.trained(settings, net, bits, work)
    notes.pop("float32", None)  # measured without the class, so it is no cost of this net
    wanted = np.repeat(np.arange(game.classes), settings["per_class"])
    uniforms = np.random.default_rng([settings.seed, 3]).random((len(wanted), 28, 28, 1), np.float32)
    drawn = samples.pixels(game, np.eye(game.classes, dtype=np.float32)[wanted], uniforms)
    seen = judge.probabilities(drawn.astype(np.float32) / 255).argmax(axis=1)
    nll = nats.exact_given(game, bits.test, bits.test_labels)
    metrics = {"agreement": np.mean(seen == wanted), "nll_nats": nll.mean(), "judge_accuracy": judge.accuracy}
    shown = np.concatenate([drawn[wanted == c][:8] for c in range(game.classes)])
    return experiment.Outcome(
        metrics, {"samples": shown, "nll": nll}, "exact given the class; judge", settings["iterations"],
        bits.description, bits.split, notes,
    )  # fmt: skip


def main():
    for wanted in [runs.possible(each, labels=True) for each in experiment.asked(EXPERIMENT, ["conditional"])]:
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
