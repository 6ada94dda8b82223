"""The CVAE-GAN on digits (report, sections 3.4 and 4): does it draw the digit that is asked for, and in many ways?

    python reproductions/guo/cvae_gan.py --variant=as_code
    python reproductions/guo/cvae_gan.py --variant=as_described

as_code: what the author ran; as_described: the algorithm of section 3.4 (Bao et al. 2017). Others change one thing.
From as_code: kl_scaled and kl_batch_mean, the KL times 1 / (392 B) and 1 / B. From as_described, what is left out:
no_features (pairwise f_D, f_C), no_gd (L_GD), no_gc (L_GC), no_discriminator, no_classifier, pixels_only (a CVAE);
gc_0.1 has L_GC a hundred times as heavy.
Ending in _50: trained for 50 epochs, the fewest that decide a claim, where 200 are out of reach.
"""

import numpy as np
from absl import flags

from common import experiment
from common.evaluation.judge import train_judge
from common.nets.precision import in_float32, precision
from common.training.fit import fit
from reproductions.guo import author, conditional, evaluation, models_cvae_gan, watch

flags.DEFINE_list("model", ["cvae_gan"], "cvae_gan.")
FLAGS = flags.FLAGS

WEIGHTS = {"kl": 3.0, "pairwise": 1.0, "mean_D": 1e-3, "mean_C": 1e-3, "pairwise_D": 1.0, "pairwise_C": 1.0}
CVAE_GAN = {
    "code": False, "latent": 100, "learning_rate": 1e-4, "init": "torch", "epochs": 200, "batch": 128,
    "precision": "float32",
    "samples": 10_000, "curve_samples": 2_000, "walks": 200, "drawn": (),
} | WEIGHTS  # fmt: skip
CODE = {"code": True, "kl": 1.0}
NO_D, NO_C = {"pairwise_D": 0.0, "mean_D": 0.0}, {"pairwise_C": 0.0, "mean_C": 0.0}
VARIANTS = {
    "as_described": {},
    "as_code": CODE,
    "kl_scaled": CODE | {"kl": 1 / (392 * 128)},
    "kl_batch_mean": CODE | {"kl": 1 / 128},
    "no_features": {"pairwise_D": 0.0, "pairwise_C": 0.0},
    "no_gd": {"mean_D": 0.0},
    "no_gc": {"mean_C": 0.0},
    "gc_0.1": {"mean_C": 0.1},
    "no_discriminator": NO_D,
    "no_classifier": NO_C,
    "pixels_only": NO_D | NO_C,
}
TRAINED_LONGER = ("as_code", "kl_scaled", "kl_batch_mean", "as_described", "gc_0.1", "no_discriminator",
                  "no_classifier", "pixels_only")  # fmt: skip
LONGER = {f"{name}_50": VARIANTS[name] | {"epochs": 50} for name in TRAINED_LONGER}
# Losses, in records as in the author's logs: E and G move together in that code, each with its own loss in the text.
NAMES = {
    "classifier": "loss_C", "discriminator": "loss_D", "autoencoder": "loss_G", "generator": "loss_G",
    "encoder": "loss_E", "mean_D": "loss_GD", "mean_C": "loss_GC",
}  # fmt: skip

EXPERIMENT = experiment.Experiment(
    text="guo",
    name="cvae_gan",
    script=__file__,
    models=models_cvae_gan.__file__,
    evaluation=("epochs", "samples", "curve_samples", "walks"),
    options={"cvae_gan": CVAE_GAN},
    scales={
        "smoke": {"cvae_gan": {"epochs": 1, "batch": 64, "samples": 200, "curve_samples": 100, "walks": 10}},
        "cpu": {"cvae_gan": {"epochs": 12, "precision": "bfloat16"}},
        "paper": {"cvae_gan": {"precision": "bfloat16"}},  # measured in float32, as every run
    },
    variants={name: {"cvae_gan": changes} for name, changes in (VARIANTS | LONGER).items()},
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
)


def build(settings, images):
    """The game of the variant."""
    classes = int(images.train_labels.max()) + 1
    shared = {name: settings[name] for name in ("latent", "learning_rate", "init")} | {"classes": classes}
    if settings["code"]:
        return models_cvae_gan.AsCode(images.train, images.train_labels, kl_weight=settings["kl"], **shared)
    weights = models_cvae_gan.Weights(**{name: settings[name] for name in WEIGHTS})
    return models_cvae_gan.CVAEGAN(images.train, images.train_labels, weights=weights, **shared)


def run(settings, images, work):
    """Trains, then: losses, samples of requested digits, walks between digits (F13), what z and the label decide."""
    evaluation.labelled(images)
    epochs, seed = settings["epochs"], settings.seed
    with precision(settings["precision"]):
        game = settings.build(lambda: build(settings, images))
    snapshots = {*watch.quarters(epochs, settings["drawn"]), *watch.along(epochs)}
    course, at = watch.Course(work, author.MOMENTS["cvae_gan"]), watch.AtEpochs(work, game.generator, snapshots)
    steps = epochs * max(1, len(images.train) // settings["batch"])
    log = fit(
        game, steps=steps, batch=settings["batch"], seed=seed, work=work, program_steps=1, jit=settings.jit,
        callbacks=[course, at],
    )  # fmt: skip
    game = in_float32(game, lambda: build(settings, images))
    judge = train_judge(images, experiment.judges_dir())
    z, labels = evaluation.normal(settings["samples"], game.latent, seed), np.arange(settings["samples"]) % game.classes
    code = np.eye(game.classes, dtype=np.float32)[labels]
    figures = settings.variant.startswith("as_")
    metrics, arrays = evaluation.on_the_way(game, at, (z, code), images, judge, settings, figures, labels)
    arrays |= (
        evaluation.curves(log, NAMES) | course.curves(NAMES) | {"grid_labels": np.int32(labels[: evaluation.SHOWN])}
    )
    metrics |= losses(log, arrays)
    with evaluation.drawing(game) as picture:
        fake = evaluation.drawn(picture, z, code)
        found, arrays["sample_labels"] = evaluation.quality(fake, images, judge, labels)
        metrics |= found | conditional.requested(arrays["sample_labels"], labels, game.classes)
        metrics["within_class_variance_ratio"] = found["within_class_variance"] / found["within_class_variance_test"]
        metrics |= conditional.on_test(game, picture, images, seed) | conditional.decided(game, picture, images, seed)
        walked, more = conditional.walks(game, picture, images, judge, settings)
    if figures:
        arrays |= more | conditional.panels(game, images, seed)
    return experiment.Outcome(
        metrics | walked | sizes(game), arrays, f"judge, {len(fake)} samples of given digits", steps,
        notes=evaluation.deviations(images, settings),
    )  # fmt: skip


def losses(log, arrays):
    """Claims 32 to 34: the ends of the losses, the first step's, and when C has learned."""
    metrics = {f"{out}_last": evaluation.tail(log[name]) for name, out in NAMES.items() if name in log}
    below = np.flatnonzero(arrays["curve_loss_C"] < 1e-3)
    metrics["loss_C_epochs_to_0.001"] = below[0] + 1 if len(below) else np.nan
    return metrics | {
        f"first_{name}": arrays[f"step_{name}"][0] for name in ("loss_G", "loss_D") if len(arrays["step_at"])
    }


def sizes(game):
    """Trained numbers of each network."""
    return {
        f"parameters_{name}": evaluation.parameters(network)
        for name, network in zip(
            "EGDC", (game.encoder, game.generator, game.discriminator, game.classifier), strict=True
        )
    }


def main():
    for wanted in [evaluation.enough(each) for each in experiment.asked(EXPERIMENT, FLAGS.model)]:
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
