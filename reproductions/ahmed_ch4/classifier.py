"""Section 4.1 of Ahmed (2017): without labels a model may learn features that it shares with the unseen class.

So the same question is put to a classifier of the nine other digits: is it less sure of an image of the tenth? It has
what the models of Table 4.1 do not have, labels; it sees the bits that the VAE of the same seed is scored on.

    python reproductions/ahmed_ch4/classifier.py --dataset=mnist --held_out=0,3
"""

import common.start  # noqa: F401, I001 (before TensorFlow)
import keras
import numpy as np
import tensorflow as tf
from scipy import special

from common import experiment
from common.data.binarise import own_draw
from common.nets.stacks import conv
from common.training.fit import fit
from common.training.game import Game, Player
from reproductions.ahmed_ch4 import ood, scores

FLAGS = ood.FLAGS
FLAGS.set_default("model", ["classifier"])

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch4",
    name="classifier",
    script=__file__,
    models=__file__,
    options={"classifier": {"epochs": 10, "batch": 100, "learning_rate": 1e-3}},
    scales={"smoke": {"classifier": {"epochs": 1, "batch": 20}}, "cpu": {"classifier": {"epochs": 3}}},
    variants={"as_described": {}},
    datasets=ood.EXPERIMENT.datasets,
    evaluation=("epochs",),
)


class Classifier(Game):
    """Three 3x3 convolutions, 128 ReLUs, nine logits; cross-entropy in nats on dynamically binarised images."""

    jit_on_cpu = False

    def __init__(self, images, labels, learning_rate):
        network = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                conv(32, strides=2),
                conv(32),
                conv(64, strides=2),
                keras.layers.Flatten(),
                keras.layers.Dense(128, "relu"),
                keras.layers.Dense(int(labels.max()) + 1),
            ],
            name="network",
        )
        player = Player("classifier", (network,), keras.optimizers.Adam(learning_rate, epsilon=1e-8))
        super().__init__(images, [player], labels=labels, binarisation="dynamic")
        self.network = network

    def objectives(self, batch, noise, turn):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["label"], self.network(batch["image"]))
        return {"classifier": tf.reduce_mean(losses)}


def run(settings, images, work):
    """Trains on the nine other digits; AUPR of how unsure the classifier is of a test image, per cent."""
    held_out = ood.without(images, settings)
    kept, labels = np.unique(held_out.train_labels, return_inverse=True)  # nine classes, numbered from 0

    def build():
        return Classifier(held_out.train, labels, settings["learning_rate"])

    game = settings.build(build)
    steps = settings["epochs"] * (len(held_out.train) // settings["batch"])
    log = fit(game, steps=steps, batch=settings["batch"], seed=settings.seed, work=work, jit=settings.jit)
    logits = logits_of(game.network, own_draw(images.test, settings.seed))
    found = unsure(logits)
    metrics = scores.detected(found, "max_softmax", images, settings)
    rest = images.test_labels != settings.key["held_out"]
    metrics["accuracy_rest"] = 100 * np.mean(kept[logits.argmax(1)][rest] == images.test_labels[rest])
    metrics["train_cross_entropy_nats"] = log["classifier"][-1]
    return experiment.Outcome(
        metrics,
        {"max_softmax": found["max_softmax"], "label": images.test_labels},
        evaluator="softmax of a classifier of the nine other classes",
        steps=steps,
        binarisation="dynamic in training; one own draw of the test set",
        split=f"test set, class {settings.key['held_out']} against the rest",
    )


def logits_of(network, bits) -> np.ndarray:
    """Logits float64 [N, 9] of binary images [N, 28, 28, 1]."""
    parts = [bits[first : first + scores.BATCH] for first in range(0, len(bits), scores.BATCH)]
    return np.concatenate([network(part.astype(np.float32)).numpy() for part in parts]).astype(np.float64)


def unsure(logits) -> dict[str, np.ndarray]:
    """{"max_softmax", "entropy"}: scores [N], larger = less sure, of logits [N, classes].

    max_softmax: -log max_k p_k = log(1 + sum_{k not max} exp(a_k - a_max)), which orders images as 1 - max_k p_k does,
    without that one's ties near 0.
    entropy: -sum_k p_k log p_k, nats.
    """
    log_p, ordered = special.log_softmax(logits, axis=1), np.sort(logits, axis=1)
    others = np.exp(ordered[:, :-1] - ordered[:, -1:]).sum(1)
    return {"max_softmax": np.log1p(others), "entropy": -(np.exp(log_p) * log_p).sum(1)}


def main():
    ood.run_all(EXPERIMENT, {"classifier": run})


if __name__ == "__main__":
    experiment.main(main)
