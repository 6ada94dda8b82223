"""The DCGAN on faces, 64 x 64 in colour (report, sections 3.2 and 4): are its faces sharp, and are they all different?

    python reproductions/guo/faces.py
    python reproductions/guo/faces.py --dataset=folder:PATH@64

The author's crawl was never published. The default set stands in for it, and no number of the report can be matched
image for image; any folder of images can take its place. as_described is the author's net, PyTorch's tutorial, which
keeps the report's rules. Others change one thing: mnist_net (the pooled net of the MNIST code), no_batch_norm, flips
(mirrored faces, too, at the same number of updates). as_described_62: on 9,000 faces as many updates as 20 epochs of
the author's 27,648, the fewest that decide a claim.
"""

import dataclasses

import numpy as np
from absl import flags

from common import experiment
from common.data import Images
from common.errors import UserError
from common.evaluation import diversity
from common.evaluation.judge import train_judge
from common.evaluation.samples import frechet_distance, precision_recall
from common.nets.precision import in_float32, precision
from common.training.checkpoints import load_whole
from common.training.fit import fit
from reproductions.guo import author, evaluation, models_gan, watch

flags.DEFINE_list("model", ["dcgan"], "dcgan.")
FLAGS = flags.FLAGS

DCGAN = {
    "networks": "faces", "latent": 100, "learning_rate": 2e-4, "beta_1": 0.5, "d_steps": 1, "saturating": False,
    "init": "dcgan", "epochs": 50, "batch": 128, "precision": "float32", "flips": False, "faces": 10**9,
    "samples": 2_000, "feature_epochs": 3, "drawn": (),
}  # fmt: skip
EXPERIMENT = experiment.Experiment(
    text="guo",
    name="faces",
    script=__file__,
    models=models_gan.__file__,
    evaluation=("epochs", "samples", "feature_epochs"),
    options={"dcgan": DCGAN},
    scales={
        "smoke": {
            "dcgan": {"epochs": 4, "batch": 8, "faces": 16, "samples": 32, "feature_epochs": 1},
        },
        # Begun as twelve epochs, so these are the weights on the way that there are.
        "cpu": {"dcgan": {"epochs": 20, "drawn": (6, 12, 15, 20), "precision": "bfloat16"}},
    },
    variants={
        "as_described": {},
        "mnist_net": {"dcgan": {"networks": "pooled", "init": "torch"}},
        "no_batch_norm": {"dcgan": {"networks": "faces_bare"}},
        "flips": {"dcgan": {"flips": True}},
        "as_described_62": {"dcgan": {"epochs": 62, "drawn": (16, 31, 47, 62)}},
    },
    datasets={"smoke": "faces64", "cpu": "anime_faces", "paper": "anime_faces"},
)
OF_THE_NET = ("networks", "latent", "learning_rate", "beta_1", "d_steps", "saturating", "init")
NAMES = {"discriminator": "d_loss", "generator": "g_loss"}
SIDE = 64


def features_of(images, epochs):
    """A judge of how many quarter turns an image is turned: features of faces without any labels.

    Like any fixed features they give distances that compare with each other only.
    """
    turned = {part: turns(getattr(images, part)) for part in ("train", "test")}
    labels = {f"{part}_labels": np.repeat(np.arange(4), len(getattr(images, part))) for part in turned}
    return train_judge(
        Images(name=f"{images.name}, turned", **turned, **labels), experiment.judges_dir(), epochs=epochs
    )


def turns(pictures):
    """uint8 [4 N, H, W, C]: all pictures, then all turned by one, two and three quarters."""
    return np.concatenate([np.rot90(pictures, quarter, axes=(1, 2)) for quarter in range(4)])


def run(settings, images, work):
    """Trains, then: losses, faces from fixed noise on the way, distances to held-out faces, sharpness and variety."""
    if images.shape[:2] != (SIDE, SIDE):
        height, width = images.shape[:2]
        raise UserError(
            f"'{images.name}' has images of {height}x{width}; the nets take {SIDE}x{SIDE}: folder:PATH@{SIDE}"
        )
    images = dataclasses.replace(images, train=images.train[: settings["faces"]], train_labels=None, train_factors=None)
    epochs, seed, drawn_at = settings["epochs"], settings.seed, watch.quarters(settings["epochs"], settings["drawn"])
    pictures = images.train
    if settings["flips"]:
        pictures = np.concatenate([pictures, pictures[:, :, ::-1]])

    def build():
        return models_gan.GAN(pictures, **{name: settings[name] for name in OF_THE_NET})

    with precision(settings["precision"]):
        game = settings.build(build)
    course, at = watch.Course(work, author.MOMENTS["faces"]), watch.AtEpochs(work, game.generator, drawn_at)
    epoch_steps = max(1, len(images.train) // settings["batch"])
    log = fit(
        game, steps=epochs * epoch_steps, batch=settings["batch"], seed=seed, work=work, epoch_steps=epoch_steps,
        program_steps=1, jit=settings.jit, callbacks=[course, at],
    )  # fmt: skip
    game = in_float32(game, build)
    metrics, arrays = measured(game, at, drawn_at, images, settings)
    metrics |= evaluation.course(log, NAMES | {"D_x": "D_x", "D_Gz": "D_Gz"})
    for network in (game.discriminator, game.generator):
        metrics[f"parameters_{network.name}"] = evaluation.parameters(network)
    return experiment.Outcome(
        metrics,
        arrays | evaluation.curves(log, NAMES) | course.curves(NAMES),
        "features of a net that tells quarter turns; held-out faces",
        epochs * epoch_steps,
        split="held-out faces",
        notes=evaluation.deviations(images, settings) | {"noise": "D's and G's turn of a step have each its own z"},
    )


def measured(game, at, drawn_at, images, settings):
    """Claims 12 and 13: generated faces against as many held-out ones; what training faces would score beside it."""
    judge, random = features_of(images, settings["feature_epochs"]), np.random.default_rng([settings.seed, 11])
    z = evaluation.normal(settings["samples"], game.latent, settings.seed)
    count = min(len(z), len(images.test), len(images.train))
    real = evaluation.floats(images.test[:count])
    features = judge.features(real)
    others = judge.features(evaluation.floats(images.train[random.permutation(len(images.train))[:count]]))
    drawn_at = at.all_or_none(drawn_at)
    metrics, arrays = {}, {"grid_epochs": np.int32(drawn_at), "real": evaluation.pixels(real[:64])}
    with evaluation.drawing(game) as picture:
        if not drawn_at:  # no weights on the way, as after an exported training: those of the end
            fake = evaluation.drawn(picture, z)
        for number, epoch in enumerate(drawn_at, 1):
            load_whole(game.generator, at.path(epoch))
            fake = evaluation.drawn(picture, z)
            metrics[f"frechet_q{number}"] = frechet_distance(judge.features(fake[:count]), features)
            if settings.variant == "as_described" or number == len(drawn_at):
                arrays[f"grid_q{number}"] = evaluation.pixels(fake[:64])
    found = judge.features(fake[:count])
    precision_, recall = precision_recall(features, found)
    appearance = {"": evaluation.appearance(fake[:count]), "_test": evaluation.appearance(real)}
    metrics |= {name + suffix: value for suffix, values in appearance.items() for name, value in values.items()}
    return metrics | {
        "frechet": frechet_distance(found, features),
        "frechet_halves": frechet_distance(others, features),
        "edge_ratio": metrics["edge_variance"] / metrics["edge_variance_test"],
        "pairwise_ratio": diversity.mean_pairwise_distance(found) / diversity.mean_pairwise_distance(features),
        "duplicated_pairs": diversity.duplicated_pairs(fake),
        "duplicated_pairs_test": diversity.duplicated_pairs(real),
        "precision": precision_,
        "recall": recall,
        "n_train": len(images.train),
        "feature_accuracy": judge.accuracy,
    }, arrays


def main():
    asked = experiment.asked(EXPERIMENT, FLAGS.model)
    for wanted in [evaluation.enough(each, train=8, side=None) for each in asked]:  # 8: each is turned four times
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
