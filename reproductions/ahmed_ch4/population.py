"""Section 4.2.2 of Ahmed (2017): with batch norm a discriminator scores an image by the images around it.

The DCGAN of Table 4.1 with batch norm in its discriminator, which the text leaves out for that reason. Its logit scores
the test images three times: in batches of one class, in mixed batches, and by running statistics.

    python reproductions/ahmed_ch4/population.py --dataset=mnist --held_out=2
"""

import common.start  # noqa: F401, I001 (before TensorFlow)
import numpy as np
import tensorflow as tf

from common import experiment
from common.evaluation import detection
from common.nets.precision import in_float32, precision
from common.training.fit import fit
from reproductions.ahmed_ch4 import models, ood, scores

FLAGS = ood.FLAGS
FLAGS.set_default("model", ["normed_dcgan"])
FLAGS.set_default("held_out", ["2"])

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch4",
    name="population",
    script=__file__,
    models=models.__file__,
    options={
        "normed_dcgan": {
            "iterations": 25_000, "batch": 64, "learning_rate": 2e-4, "beta_1": 0.5, "latent": 128,
            "precision": "float32", "scored_at_once": 64,
        },
    },
    scales={
        "smoke": {"normed_dcgan": {"iterations": 20, "batch": 32, "scored_at_once": 16}},
        "cpu": {"normed_dcgan": {"iterations": 2_000, "precision": "bfloat16"}},
    },
    variants={"as_described": {}},
    datasets=ood.EXPERIMENT.datasets,
    evaluation=("scored_at_once",),
)  # fmt: skip


def run(settings, images, work):
    """Trains without the held-out class; AUPR of minus the logit, per cent, by what the batch holds."""
    held_out, seed = ood.without(images, settings), settings.seed

    def build():
        return models.DCGAN(
            held_out.train, settings["latent"], settings["learning_rate"], settings["beta_1"], batch_norm=True
        )

    with precision(settings["precision"]):
        game = settings.build(build)
    steps = settings["iterations"]
    fit(
        game, steps=steps, batch=settings["batch"], seed=seed, work=work, epoch_steps=min(steps, 50),
        program_steps=min(steps, 20), jit=settings.jit,
    )  # fmt: skip
    game = in_float32(game, build)
    order = np.random.default_rng(seed).permutation(len(images.test))
    by_class = order[np.argsort(images.test_labels[order], kind="stable")]
    at_once, labels = settings["scored_at_once"], images.test_labels
    found = {
        "running": -scores.discriminator_logits(game, images.test),
        "mixed": -batch_logits(game, images.test, batches(order, np.zeros_like(labels), at_once)),
        "pure": -batch_logits(game, images.test, batches(by_class, labels, at_once)),
    }
    metrics = {
        f"aupr_{name}": 100 * detection.average_precision(score, labels == settings.key["held_out"])
        for name, score in found.items()
    }
    return experiment.Outcome(
        metrics | {"aupr_pure_minus_mixed": metrics["aupr_pure"] - metrics["aupr_mixed"]},
        found | {"label": labels},
        evaluator=f"discriminator logit in batches of {at_once}",
        steps=steps,
        split=f"test set, class {settings.key['held_out']} against the rest",
    )


def batches(order, kinds, at_once) -> list[np.ndarray]:
    """`order`, cut into batches of one kind each, of `at_once` rows or a few more: none is small."""
    found = []
    for kind in np.unique(kinds):
        rows = order[kinds[order] == kind]
        found += np.array_split(rows, max(1, len(rows) // at_once))
    return found


def batch_logits(game, grey, rows) -> np.ndarray:
    """The discriminator's logits [N] of grey images uint8 [N, 28, 28, 1], each batch normalised by its own moments."""
    score = tf.function(
        lambda image: game.discriminator(image, training=True)[:, 0], autograph=False, reduce_retracing=True
    )
    logits = np.empty(len(grey))
    for batch in rows:
        logits[batch] = score(tf.cast(grey[batch], tf.float32) / 255.0)
    return logits


def main():
    ood.run_all(EXPERIMENT, {"normed_dcgan": run})


if __name__ == "__main__":
    experiment.main(main)
