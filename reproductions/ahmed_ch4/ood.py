"""Table 4.1 of Ahmed (2017), section 4.3.1: is a held-out digit less likely under a model of the other nine?

For every held-out digit c a model is trained on the training images of the nine other digits, without labels. The whole
test set is scored; a score is larger where the model finds an image less normal. Test images of c are the positives,
and the area under the precision-recall curve (AUPR) says how well the score finds them.

    python reproductions/ahmed_ch4/ood.py --dataset=mnist --model=vae --held_out=0,3
"""

import numpy as np
from absl import flags

from common import experiment
from common.commandline import integers
from common.data.binarise import own_draw
from common.data.binary import drawn
from common.errors import UserError
from common.evaluation import detection, nats
from common.models.pixels import adam, with_centre
from common.nets.precision import in_float32, precision
from common.training.checkpoints import LastStates, load_whole
from common.training.fit import fit
from reproductions.ahmed_ch4 import baselines, models, scores

MODELS = ["vae", "pixelcnn", "pixelvae", "dcgan", "trivial"]
flags.DEFINE_list("model", MODELS, ", ".join(MODELS) + " (scores that need no network).")
flags.DEFINE_list("held_out", [str(c) for c in range(10)], "Held-out classes, one run each.")
FLAGS = flags.FLAGS

# Chapter 2's nets and its released code's training; the depth is not given. cpu: shorter, narrower, rate falling to 0.
PIXELS = {
    "iterations": 200_000, "batch": 100, "learning_rate": 1e-3, "decay": False,
    "precision": "float32", "binarisations": 8, "width": 32, "filter_size": 5,
}  # fmt: skip
PIXELVAE = {"layers": 4, "latent": 64, "upsample": True, "warm_up": 10_000}
CONDITIONED = {"upsample": False, "latent": 16}
BOUNDS = {"elbo_samples": 16, "importance_samples": 64}
SHORT = {"iterations": 3_000, "decay": True, "precision": "bfloat16", "width": 16, "binarisations": 4}
SMOKE = {"iterations": 20, "batch": 20, "layers": 1, "width": 4, "binarisations": 2}

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch4",
    name="ood",
    script=__file__,
    models=models.__file__,
    # The text gives no training settings: Adam 1e-3, batch 100, 200 epochs; the GAN after Radford et al.
    options={
        "vae": {
            "epochs": 200, "batch": 100, "learning_rate": 1e-3, "latent": 64, "binarisation": "dynamic",
            "precision": "float32", "elbo_samples": 16, "importance_samples": 64, "binarisations": 8,
        },
        "pixelcnn": PIXELS | {"layers": 12},
        "pixelvae": PIXELS | PIXELVAE | BOUNDS,
        "dcgan": {
            "iterations": 25_000, "batch": 64, "learning_rate": 2e-4, "beta_1": 0.5, "latent": 128,
            "precision": "float32", "last": 10, "last_every": 100,
        },
        "trivial": {"components": 100, "em_iterations": 15},
    },
    scales={
        "smoke": {
            "vae": {"epochs": 1, "batch": 50, "elbo_samples": 4, "importance_samples": 8, "binarisations": 2},
            "pixelcnn": SMOKE,
            "pixelvae": SMOKE | {"latent": 4, "warm_up": 10, "elbo_samples": 2, "importance_samples": 2},
            "dcgan": {"iterations": 20, "batch": 32, "last": 2, "last_every": 5},
            "trivial": {"components": 20, "em_iterations": 5},
        },
        "cpu": {
            "vae": {"epochs": 10, "precision": "bfloat16", "importance_samples": 16, "binarisations": 4},
            "pixelcnn": SHORT | {"layers": 4},
            "pixelvae": SHORT | {"warm_up": 300, "importance_samples": 16},
            "dcgan": {"iterations": 2_000, "precision": "bfloat16", "last_every": 50},
        },
    },
    variants={
        "as_described": {},
        "conditioned": {"pixelvae": CONDITIONED},
        "tuned": {  # for short trainings, as chapter 2's rows at cpu scale; z in every gate survives this rate
            "pixelcnn": {"iterations": 4_000, "learning_rate": 3e-3},
            "pixelvae": CONDITIONED | {"iterations": 4_000, "learning_rate": 3e-3, "warm_up": 1_250},
        },
        "epochs_40": {"vae": {"epochs": 40}},  # does the cpu scale's short training explain a cell?
    },
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
    evaluation=("epochs", "elbo_samples", "importance_samples", "binarisations"),
)  # fmt: skip


def run_vae(settings, images, work):
    """The VAE's bounds on the test images, binarised once for all models that are compared."""
    held_out = without(images, settings)

    def build():
        return models.VAE(
            held_out.train, settings["latent"], settings["learning_rate"], binarisation=settings["binarisation"]
        )

    with precision(settings["precision"]):
        game = settings.build(build)
    steps = settings["epochs"] * (len(held_out.train) // settings["batch"])
    log = fit(game, steps=steps, batch=settings["batch"], seed=settings.seed, work=work, jit=settings.jit)
    game = in_float32(game, build)
    bits = own_draw(images.test, settings.seed)
    found = scores.vae_scores(game, bits, settings["elbo_samples"], settings["importance_samples"], settings.seed)
    found["elbo_averaged"] = scores.averaged_over_binarisations(
        game, images.test, settings["binarisations"], settings.seed
    )
    metrics = scores.detected(found, "elbo", images, settings)
    rest = images.test_labels != settings.key["held_out"]
    parts = {"kl": found["kl"], "reconstruction": found["elbo"] - found["kl"]}
    metrics |= {f"aupr_{name}": 100 * detection.average_precision(part, ~rest) for name, part in parts.items()}
    metrics |= {
        "nll_bound_rest_nats": found["elbo"][rest].mean(),
        "nll_bound_held_out_nats": found["elbo"][~rest].mean(),
        "nll_estimate_rest_nats": found["importance"][rest].mean(),
        "kl_rest_nats": found["kl"][rest].mean(),
        "train_negative_elbo_nats": log["vae"][-1],
    }
    return experiment.Outcome(
        metrics,
        found | {"label": images.test_labels},
        evaluator=f"ELBO, {settings['elbo_samples']} posterior samples; L_{settings['importance_samples']}",
        steps=steps,
        binarisation=f"{settings['binarisation']} in training; one own draw of the test set",
        split=f"test set, class {settings.key['held_out']} against the rest",
    )


def run_pixels(settings, images, work):
    """PixelCNN, exact, and PixelVAE, by its bounds; on the bits that the VAE is tested on."""
    held_out = without(images, settings)
    steps, sizes = settings["iterations"], {k: v for k, v in settings.options.items() if k in models.SIZES}

    def build():
        optimizer = adam(settings["learning_rate"], steps if settings["decay"] else 0)
        return models.PIXELS[settings.model](held_out.train, binarisation="dynamic", optimizer=optimizer, **sizes)

    with precision(settings["precision"]):
        game = settings.build(build)
    log = fit(
        game, steps=steps, batch=settings["batch"], seed=settings.seed, work=work, epoch_steps=min(steps, 500),
        jit=settings.jit,
    )  # fmt: skip
    copy = in_float32(game, build)
    found = scores.pixel_scores(copy, images.test, settings, settings.seed)
    headline, name = ("nll", "nll") if "nll" in found else ("elbo", "nll_bound")
    exact, rest = headline == "nll", images.test_labels != settings.key["held_out"]
    metrics = scores.detected(found, headline, images, settings) | {
        f"{name}_rest_nats": found[headline][rest].mean(),
        f"{name}_held_out_nats": found[headline][~rest].mean(),
        "train_nats": log["pixelcnn" if exact else "negative_elbo"][-1],
        "float32_cost_nats": nats.cost_of_precision(game, copy, drawn(images.test[::20], settings.seed)),
    }
    if not exact:
        parts = {"kl": found["kl"], "reconstruction": found["elbo"] - found["kl"]}
        metrics |= {f"aupr_{name}": 100 * detection.average_precision(part, ~rest) for name, part in parts.items()}
        metrics["nll_estimate_rest_nats"] = found["importance"][rest].mean()
        metrics["kl_rest_nats"] = found["kl"][rest].mean()
    return experiment.Outcome(
        metrics, found | {"label": images.test_labels}, steps=steps,
        evaluator="exact" if exact else f"ELBO, {settings['elbo_samples']} posterior samples",
        binarisation="dynamic in training; one own draw of the test set",
        split=f"test set, class {settings.key['held_out']} against the rest",
    )  # fmt: skip


def run_dcgan(settings, images, work):
    """Minus the discriminator's logit, at the end and averaged over the last states; grey images."""
    held_out = without(images, settings)

    def build():
        return models.DCGAN(held_out.train, settings["latent"], settings["learning_rate"], settings["beta_1"])

    with precision(settings["precision"]):
        game = settings.build(build)
    steps, every = settings["iterations"], settings["last_every"]
    last = LastStates(work, settings["last"])
    fit(
        game, steps=steps, batch=settings["batch"], seed=settings.seed, work=work, epoch_steps=every,
        program_steps=min(every, 20), jit=settings.jit, callbacks=[last],
    )  # fmt: skip
    game = in_float32(game, build)
    found, logits = {}, []
    for path in last.paths():
        load_whole(game, path)
        logits.append(scores.discriminator_logits(game, images.test))
    found["logit"], found["logit_averaged"] = -logits[-1], -np.mean(logits, 0)
    metrics = scores.detected(found, "logit", images, settings)
    positive = images.test_labels == settings.key["held_out"]
    over_time = [100 * detection.average_precision(-logit, positive) for logit in logits]
    metrics |= {"aupr_last_states_sd": np.std(over_time), "aupr_last_states_min": min(over_time)}
    metrics["aupr_last_states_max"] = max(over_time)
    return experiment.Outcome(
        metrics,
        found | {"label": images.test_labels},
        evaluator="discriminator logit",
        steps=steps,
        split=f"test set, class {settings.key['held_out']} against the rest",
    )


def run_trivial(settings, images, work):
    """Scores that need no network, which the text does not print: ink, edges, compressed length, Bernoulli mixtures."""
    held_out = without(images, settings)
    found = baselines.scores(
        held_out.train, images.test, settings["components"], settings["em_iterations"], settings.seed
    )
    metrics = scores.detected(found, "mixture", images, settings)
    rest = images.test_labels != settings.key["held_out"]
    metrics["nll_mixture_rest_nats"] = found["mixture"][rest].mean()
    return experiment.Outcome(
        metrics,
        found | {"label": images.test_labels},
        evaluator="trivial scores",
        binarisation="one own draw of the training and test set; grey for edges and compressed length",
        split=f"test set, class {settings.key['held_out']} against the rest",
    )


def without(images, settings):
    """The images without the held-out class in training; raises UserError, before it, for what cannot be run."""
    if images.shape != (28, 28, 1):
        height, width, channels = images.shape
        raise UserError(
            f"'{images.name}' has images of {height}x{width}x{channels}; this experiment takes grey 28x28 ones: mnist, "
            "digits or folder:PATH@28 of grey images"
        )
    held_out = images.without_class(settings.key["held_out"])
    if not 0 < np.sum(images.test_labels == settings.key["held_out"]) < len(images.test_labels):
        raise UserError(f"the test set needs images of class {settings.key['held_out']} and others; add some")
    return held_out


RUNS = {"vae": run_vae, "pixelcnn": run_pixels, "pixelvae": run_pixels, "dcgan": run_dcgan, "trivial": run_trivial}


def run_all(described, runs):
    """Every held-out class, model and seed that the flags ask for; runs: {model: function}."""
    asked = experiment.asked(described, FLAGS.model, held_out=integers("held_out", FLAGS.held_out, 0, 9))
    for wanted in [with_centre(each) for each in asked]:
        experiment.execute(described, runs[wanted.model], wanted)


def main():
    run_all(EXPERIMENT, RUNS)


if __name__ == "__main__":
    experiment.main(main)
