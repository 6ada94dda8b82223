"""GAN and DCGAN on digits (report, sections 3.1, 3.2 and 4): do they collapse, which is better, which more stable?

    python reproductions/guo/gan.py --model=gan --variant=as_code --seed=1,2,3
    python reproductions/guo/gan.py --model=dcgan --variant=one_step

gan: as_code minimises -log D(G(z)); as_described the text's log(1 - D(G(z))). dcgan: as_code pools, has dense layers,
no batch norm in D, and moves D three times a step; as_described keeps the text's five rules. The other variants change
one thing at a time: from as_code one_step, strided, batch_norm, saturating (dcgan) and latent_2, lr_*, batch_* (gan);
from as_described three_steps, printed_rates. Ending in _40: trained for 40 epochs, where 100 are out of reach.
dcgan_settings and radford_settings are the GAN at the learning rate, beta_1 and batch of the two DCGANs.
"""

from absl import flags

from common import experiment
from common.evaluation.judge import train_judge
from common.nets.precision import in_float32, precision
from common.training.fit import fit
from reproductions.guo import author, evaluation, models_gan, watch

flags.DEFINE_list("model", ["gan", "dcgan"], "gan, dcgan.")
FLAGS = flags.FLAGS

MEASURED = {"samples": 10_000, "curve_samples": 2_000, "drawn": ()}  # drawn: epochs; () is after each quarter
GAN = {
    "networks": "dense", "latent": 64, "learning_rate": 2e-4, "beta_1": 0.9, "d_steps": 1, "saturating": True,
    "init": "torch", "epochs": 200, "batch": 100, "precision": "float32",
}  # fmt: skip
# What the text leaves open is Radford et al.'s: learning rate, beta_1, initial weights, and their non-saturating loss.
DCGAN = GAN | {
    "networks": "radford", "latent": 100, "beta_1": 0.5, "saturating": False, "init": "dcgan", "epochs": 100,
    "batch": 128,
}  # fmt: skip
GAN_CODE = {"saturating": False}
DCGAN_CODE = {"networks": "pooled", "learning_rate": 3e-4, "beta_1": 0.9, "d_steps": 3, "init": "torch"}
# What may make it collapse. Their base does so within 40 epochs, so they are trained as long, too.
SUSPECTS = {"one_step": {"d_steps": 1}, "strided": {"networks": "strided"}, "batch_norm": {"networks": "pooled_norm"}}
NAMES = {"discriminator": "d_loss", "generator": "g_loss"}  # of the losses, in records as in the author's logs

EXPERIMENT = experiment.Experiment(
    text="guo",
    name="gan",
    script=__file__,
    models=models_gan.__file__,
    evaluation=("epochs", "samples", "curve_samples"),
    options={"gan": GAN | MEASURED, "dcgan": DCGAN | MEASURED},
    scales={
        "smoke": {
            "gan": {"epochs": 4, "samples": 200, "curve_samples": 100},
            "dcgan": {"epochs": 1, "batch": 64, "samples": 100, "curve_samples": 100},
        },
        "cpu": {"dcgan": {"epochs": 8, "precision": "bfloat16"}},
    },
    variants={
        "as_described": {},
        "as_code": {"gan": GAN_CODE, "dcgan": DCGAN_CODE},
        "latent_2": {"gan": GAN_CODE | {"latent": 2}},
        "dcgan_settings": {"gan": GAN_CODE | {"batch": 128, "learning_rate": 3e-4}},
        "radford_settings": {"gan": GAN_CODE | {"batch": 128, "beta_1": 0.5}},
        **{f"lr_{rate:g}": {"gan": GAN_CODE | {"learning_rate": rate}} for rate in (1e-4, 4e-4)},
        **{f"batch_{size}": {"gan": GAN_CODE | {"batch": size}} for size in (50, 200)},
        "as_code_40": {"dcgan": DCGAN_CODE | {"epochs": 40}},
        **{name: {"dcgan": DCGAN_CODE | change} for name, change in SUSPECTS.items()},
        **{f"{name}_40": {"dcgan": DCGAN_CODE | change | {"epochs": 40}} for name, change in SUSPECTS.items()},
        "saturating": {"dcgan": DCGAN_CODE | {"saturating": True}},
        "three_steps": {"dcgan": {"d_steps": 3}},
        "printed_rates": {"dcgan": {"learning_rate": 3e-4, "beta_1": 0.9}},
    },
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
)
OF_THE_NET = ("networks", "latent", "learning_rate", "beta_1", "d_steps", "saturating", "init")


def trained(settings, images, work):
    """(float32 game, log {name: [epochs]}, steps, Course, AtEpochs) after the training that `settings` ask for."""
    epochs = settings["epochs"]
    snapshots = {*watch.quarters(epochs, settings["drawn"]), *watch.along(epochs)}

    def build():
        return models_gan.GAN(images.train, **{name: settings[name] for name in OF_THE_NET})

    with precision(settings["precision"]):
        game = settings.build(build)
    course, at = watch.Course(work, author.MOMENTS[settings.model]), watch.AtEpochs(work, game.generator, snapshots)
    steps = epochs * max(1, len(images.train) // settings["batch"])
    log = fit(
        game, steps=steps, batch=settings["batch"], seed=settings.seed, work=work, jit=settings.jit,
        program_steps=1, callbacks=[course, at],
    )  # fmt: skip
    return in_float32(game, build), log, steps, course, at


def run(settings, images, work):
    """Losses, samples on the way and at the end, their quality by the judge, and the latent space."""
    evaluation.labelled(images)
    game, log, steps, course, at = trained(settings, images, work)
    judge, seed = train_judge(images, experiment.judges_dir()), settings.seed
    z = evaluation.normal(settings["samples"], game.latent, seed)
    metrics, arrays = evaluation.on_the_way(
        game, at, (z,), images, judge, settings, grids=settings.variant in ("as_code", "as_described")
    )
    with evaluation.drawing(game) as picture:
        fake = evaluation.drawn(picture, z)
        found, arrays["sample_labels"] = evaluation.quality(fake, images, judge)
        found |= evaluation.latent_space(picture, game.latent, judge, seed, min(evaluation.FEW, len(z)))
    with evaluation.drawing(game, training=False) as picture:
        real = judge.features(evaluation.floats(images.test))
        found["frechet_inference"] = evaluation.frechet(evaluation.drawn(picture, z), real, judge)
    metrics |= found | evaluation.course(log, NAMES | {"D_x": "D_x", "D_Gz": "D_Gz"})
    for network in (game.discriminator, game.generator):
        metrics[f"parameters_{network.name}"] = evaluation.parameters(network)
    arrays |= evaluation.curves(log, NAMES) | course.curves(NAMES)
    return experiment.Outcome(
        metrics, arrays, f"judge, {len(fake)} samples by batch statistics", steps,
        notes=evaluation.deviations(images, settings),
    )  # fmt: skip


def main():
    for wanted in [evaluation.enough(each) for each in experiment.asked(EXPERIMENT, FLAGS.model)]:
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
