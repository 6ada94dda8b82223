"""The VAE on digits with two latents (report, sections 3.3 and 4): its loss, its pictures and its latent space.

    python reproductions/guo/vae.py --variant=as_code --seed=1,2,3
    python reproductions/guo/vae.py --variant=as_text

as_code: learning rate 1e-3, which made the printed numbers; as_text: the printed 1e-4. The other variants change one
thing of as_code: latent_*, beta_*, squared_error (a Gaussian likelihood) and lr_*, to see what blurs its pictures.
"""

import common.start  # noqa: F401, I001 (before TensorFlow)
import numpy as np
import tensorflow as tf
from absl import flags
from scipy import stats

from common import experiment
from common.evaluation import latents
from common.evaluation.judge import train_judge
from common.training.checkpoints import load_whole
from common.training.fit import fit
from reproductions.guo import author, evaluation, models_vae, watch

flags.DEFINE_list("model", ["vae"], "vae.")
FLAGS = flags.FLAGS
FLAGS.set_default("variant", "as_code")

VAE = {
    "latent": 2, "hidden": 256, "learning_rate": 1e-3, "beta": 1.0, "likelihood": "bernoulli", "init": "torch",
    "epochs": 200, "batch": 128, "samples": 10_000, "curve_samples": 2_000, "drawn": (),
}  # fmt: skip
EXPERIMENT = experiment.Experiment(
    text="guo",
    name="vae",
    script=__file__,
    models=models_vae.__file__,
    evaluation=("epochs", "samples", "curve_samples"),
    options={"vae": VAE},
    scales={"smoke": {"vae": {"epochs": 4, "samples": 200, "curve_samples": 100}}},
    variants={
        "as_code": {},
        "as_text": {"vae": {"learning_rate": 1e-4}},
        **{f"latent_{size}": {"vae": {"latent": size}} for size in (10, 32)},
        **{f"beta_{beta:g}": {"vae": {"beta": beta}} for beta in (0.25, 4.0)},
        "squared_error": {"vae": {"likelihood": "gaussian"}},
        **{f"lr_{rate:g}": {"vae": {"learning_rate": rate}} for rate in (3e-4, 3e-3)},
    },
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
)
OF_THE_NET = ("latent", "hidden", "learning_rate", "beta", "likelihood", "init")
MANIFOLD = np.linspace(0.05, 0.95, 20)  # probabilities of the grid's z in each direction


def on_test(images, seed):
    """What OnTest calls after every epoch: loss, reconstruction and KL on the test images, nats, one z an image."""
    test, draws = tf.constant(images.test), {}

    @tf.function
    def terms(game, pictures, eps):
        return game.terms(tf.cast(pictures, tf.float32) / 255.0, eps)

    def measure(game):
        draws.setdefault("eps", tf.constant(evaluation.normal(len(images.test), game.latent, seed)))
        found = terms(game, test, draws["eps"])
        reconstruction, kl = (float(tf.reduce_mean(values)) for values in found)
        return {"test_loss": reconstruction + game.beta * kl, "test_reconstruction": reconstruction, "test_kl": kl}

    return measure


def first_batch(game, images, settings):
    """The loss of one batch before any update, nats, as the author's first line has it."""
    x = tf.constant(evaluation.floats(images.train[: settings["batch"]]))
    eps = tf.constant(evaluation.normal(len(x), game.latent, settings.seed))
    reconstruction, kl = game.terms(x, eps)
    return float(tf.reduce_mean(reconstruction + game.beta * kl))


def run(settings, images, work):
    """Trains, then: losses, samples on the way, latent space and manifold at the best epoch on the test set."""
    evaluation.labelled(images)
    epochs, seed = settings["epochs"], settings.seed
    game = settings.build(lambda: build(settings, images))
    metrics = {"first_batch_loss_nats": first_batch(game, images, settings)}
    snapshots = {*watch.quarters(epochs, settings["drawn"]), *watch.along(epochs)}
    course, at = watch.Course(work, author.MOMENTS["vae"]), watch.AtEpochs(work, game.generator, snapshots)
    test = watch.OnTest(work, on_test(images, seed))
    steps = epochs * max(1, len(images.train) // settings["batch"])
    log = fit(
        game, steps=steps, batch=settings["batch"], seed=seed, work=work, program_steps=1, jit=settings.jit,
        callbacks=[course, at, test],
    )  # fmt: skip
    judge, found, z = (
        train_judge(images, experiment.judges_dir()),
        test.columns(),
        evaluation.normal(settings["samples"], game.latent, seed),
    )
    metrics |= losses(log, found) | {"parameters": evaluation.parameters(*game.networks)}
    way, arrays = evaluation.on_the_way(
        game, at, (z,), images, judge, settings, settings.variant in ("as_code", "as_text")
    )
    with evaluation.drawing(game) as picture:
        good, arrays["sample_labels"] = evaluation.quality(evaluation.drawn(picture, z), images, judge)
    best = build(settings, images)
    load_whole(best, test.best_path)
    in_z, more = latent_space(game, best, images, judge, settings)
    return experiment.Outcome(
        metrics | way | good | in_z,
        arrays | more | evaluation.curves(log | found, {"vae": "loss"}) | course.curves({"vae": "loss"}),
        f"one z a test image; judge, {len(z)} samples",
        steps,
        "grey pixels as probabilities",
        notes=evaluation.deviations(images, settings) | {"best": "the best epoch is chosen on the test set, as it was"},
    )


def build(settings, images):
    return models_vae.VAE(images.train, **{name: settings[name] for name in OF_THE_NET})


def losses(log, test):
    """Claims 19 and 20: test losses after the first, the best and the last epoch; training loss of the last, nats."""
    best = int(np.argmin(test["test_loss"]))
    names = {"test_loss": "loss", "test_reconstruction": "reconstruction", "test_kl": "kl"}
    return {
        **{f"test_{out}_nats": test[name][-1] for name, out in names.items()},
        **{f"best_test_{out}_nats": test[name][best] for name, out in names.items()},
        "best_epoch": best + 1,
        "first_test_loss_nats": test["test_loss"][0],
        "train_loss_nats": log["vae"][-1],
        "train_kl_nats": log["kl"][-1],
    }


def latent_space(game, best, images, judge, settings):
    """Claims 4 and 18. Last epoch: one z of each test image (F7), classes among them; best epoch: the manifold (F9)."""
    x, seed = evaluation.floats(images.test), settings.seed
    mean, log_sd = (values.numpy() for values in game.posterior(tf.constant(x)))
    z = mean + np.exp(log_sd) * evaluation.normal(len(x), game.latent, seed)
    with evaluation.drawing(game) as picture:
        metrics = evaluation.latent_space(picture, game.latent, judge, seed, min(evaluation.FEW, settings["samples"]))
    metrics |= {
        "test_z_neighbour_accuracy": latents.neighbour_accuracy(z, images.test_labels),
        "test_z_linear_accuracy": latents.linear_accuracy(z, images.test_labels),
        "active_units": latents.active_units(mean),
    }
    arrays = {"scatter_z": np.float32(z), "scatter_labels": images.test_labels.astype(np.uint8)}
    if game.latent == 2:
        found, arrays["manifold"] = manifold(best, judge)
        metrics |= found
    return metrics, arrays


def manifold(game, judge):
    """F9: decodes of (Phi^-1(u_j), Phi^-1(u_i)), row i, column j; how evenly its rows and columns change."""
    u = stats.norm.ppf(MANIFOLD).astype(np.float32)
    z = np.stack(np.meshgrid(u, u), axis=-1).reshape(-1, 2)
    with evaluation.drawing(game) as picture:
        pictures = evaluation.drawn(picture, z)
    grid = pictures.reshape(len(u), len(u), *pictures.shape[1:])
    walks = np.concatenate([grid, np.swapaxes(grid, 0, 1)])
    labels = judge.probabilities(pictures).argmax(axis=1).reshape(len(u), len(u))
    metrics = {
        "manifold_step_evenness": np.nanmean(latents.step_evenness(walks)),
        "manifold_label_changes": latents.label_changes(np.concatenate([labels, labels.T])).mean(),
    }
    return metrics, evaluation.pixels(pictures)


def main():
    for wanted in [evaluation.enough(each) for each in experiment.asked(EXPERIMENT, FLAGS.model)]:
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
