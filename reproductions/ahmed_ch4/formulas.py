"""Ahmed (2017), chapter 1 and section 4.2.3: the statements that need no model of chapter 4, checked one by one.

    python reproductions/ahmed_ch4/formulas.py --seed=1,2,3

Most numbers are exact or closed forms against Monte Carlo; five need a small VAE, which is trained on the way.
"""

import numpy as np
from absl import flags

from common import experiment
from common.data.binarise import own_draw
from reproductions.ahmed_ch4 import baselines, bounds, densities, networks, small_vae

flags.DEFINE_enum("model", "formulas", ["formulas"], "There is one: formulas.")

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch4",
    name="formulas",
    script=__file__,
    models=small_vae.__file__,
    options={"formulas": {"steps": 3_000, "test_images": 2_000, "train_images": 10_000}},
    scales={"smoke": {"formulas": {"steps": 50, "test_images": 200}}, "cpu": {"formulas": {"steps": 1_000}}},
    variants={"as_described": {}},
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
)


def run(settings, images, work):
    """One record with the numbers of every statement, named after its place in claims.csv."""
    bits = own_draw(images.test[: settings["test_images"]], settings.seed)
    metrics = bounds.metrics(settings.seed) | densities.metrics(settings.seed) | networks.metrics(settings.seed)
    metrics |= diluted(images, bits, settings)
    metrics |= small_vae.metrics(images, bits, settings["steps"], settings.seed, work, settings.jit)
    return experiment.Outcome(
        metrics,
        evaluator="closed forms, enumeration, Monte Carlo",
        steps=2 * settings["steps"],
        binarisation="dynamic in training; one own draw of the test set",
    )


def diluted(images, bits, settings):
    """No. 46: a mixture of ten Bernoullis, diluted with 99 % noise."""
    train = own_draw(images.train[: settings["train_images"]], settings.seed)
    flat = [part.reshape(len(part), -1).astype(np.float32) for part in (train, bits)]
    model = baselines.fit_mixture(flat[0], components=10, iterations=5, seed=settings.seed)
    return densities.diluted_model(model.log_prob(flat[1]), flat[1].shape[1])


def main():
    for wanted in experiment.asked(EXPERIMENT, ["formulas"]):
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
