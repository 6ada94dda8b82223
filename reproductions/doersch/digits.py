"""The tutorial's experiments on MNIST: the VAE of Section 4.1, the CVAE and the regressors of Sections 4.2 and 5.

    python reproductions/doersch/digits.py --model=vae,cvae,regressor --seed=1,2,3
    python reproductions/doersch/digits.py --model=half_regressor --variant=as_code

vae: whole digits. cvae, regressor: the digit from its centre column, binarised. half_cvae, half_regressor: the right
half from the left, which the text tried first. models.py says what the variants are; `resampled` is as_described with
binary targets drawn anew in every step, which the text says grey targets stand for.
"""

import numpy as np
from absl import flags

from common import experiment
from common.data.binarise import own_draw
from common.errors import UserError
from common.evaluation.judge import train_judge
from common.training.fit import fit
from reproductions.doersch import completions, likelihoods, models, samples

flags.DEFINE_list("model", ["vae", "cvae", "regressor"], "vae, cvae, regressor, half_cvae, half_regressor.")
FLAGS = flags.FLAGS

NETS = {
    "vae": models.VAE,
    "cvae": models.CVAE,
    "regressor": models.Regressor,
    "half_cvae": models.CVAE,
    "half_regressor": models.Regressor,
}
# Batch, iterations (60,000) and learning rate are the author's; the text gives none. What the text leaves open is
# filled with today's standard.
TRAINING = {
    "epochs": 100, "batch": 100, "shuffle": True, "learning_rate": 1e-3, "beta_1": 0.9, "weight_decay": 0.0,
    "init": "he", "targets": "soft",
}  # fmt: skip
LATENT = {"latent": 30, "log_sd_input": "h3"}
CONDITIONAL = {"wiring": "concat", "encoder_sees": "target"}
COLUMN = {"task": "column", "condition_noise_max": 1.0}
HALF = COLUMN | {"task": "half"}
CODE = {"beta_1": 0.0, "weight_decay": 5e-4, "init": "sparse15", "shuffle": False}
# Of the evaluation: images for importance sampling and neighbours, draws of Q and of the prior, samples for the judge.
MEASURED = {"scored": 10_000, "q_draws": 5_000, "prior_draws": 100_000, "samples": 10_000}
COMPLETED = {"scored": 10_000, "completions": 100, "judged": 1_000}
EVALUATION = ("epochs", *sorted(MEASURED | COMPLETED))  # options that leave a training as it is, or prolong it

EXPERIMENT = experiment.Experiment(
    text="doersch",
    name="digits",
    script=__file__,
    models=models.__file__,
    evaluation=EVALUATION,
    options={
        "vae": TRAINING | LATENT | MEASURED,
        "cvae": TRAINING | LATENT | CONDITIONAL | COLUMN | COMPLETED,
        "regressor": TRAINING | COLUMN | COMPLETED,
        "half_cvae": TRAINING | LATENT | CONDITIONAL | HALF | COMPLETED,
        "half_regressor": TRAINING | HALF | COMPLETED,
    },
    scales={
        "smoke": {
            "vae": {"epochs": 2, "scored": 100, "q_draws": 200, "prior_draws": 1_000, "samples": 200},
            **{n: {"epochs": 2, "scored": 100, "completions": 10, "judged": 5} for n in NETS if n != "vae"},
        },
        "cpu": {
            "vae": {"scored": 1_000, "q_draws": 1_000},
            **{n: {"scored": 1_000, "judged": 200} for n in NETS if n != "vae"},
        },
    },
    variants={
        "as_described": {},
        "as_code": {
            name: CODE
            | ({} if "regressor" in name else {"log_sd_input": "a3"})
            | ({"wiring": "add"} if "cvae" in name else {})
            for name in NETS
        },
        "resampled": dict.fromkeys(NETS, {"targets": "resampled"}),
    },
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
)

NOT_OF_THE_NET = {"batch", "shuffle", *EVALUATION}


def trained(settings, images, work):
    """(net, log {name: [value an epoch]}, steps) after the training that `settings` ask for."""
    samples.require_labels(images)
    if images.shape[1] % 2 or images.shape[2] != 1:
        raise UserError(f"'{images.name}' has colour or an odd width; take grey images such as mnist or digits")
    arguments = {name: value for name, value in settings.options.items() if name not in NOT_OF_THE_NET}
    net = settings.build(lambda: NETS[settings.model](images.train, seed=settings.seed, **arguments))
    steps = settings["epochs"] * (len(images.train) // settings["batch"])
    log = fit(
        net, steps=steps, batch=settings["batch"], seed=settings.seed, work=work, shuffle=settings["shuffle"],
        program_steps=50, jit=settings.jit,
    )  # fmt: skip
    return net, log, steps


def run_vae(settings, images, work):
    """Section 4.1: the bound on grey and binary digits, log P(X) by Q and by the prior, samples, lines through z."""
    net, log, steps = trained(settings, images, work)
    judge, count, seed = train_judge(images, experiment.judges_dir()), settings["scored"], settings.seed
    bits = own_draw(images.test, 1)[:count] * np.uint8(255)  # the same for every run: trainings are compared on it
    soft = {"test": images.test, "train": images.train[:10_000]}
    metrics = {
        f"{where}_{name}_nats": values.mean()
        for where, part in soft.items()
        for name, values in likelihoods.bound_terms(net, part, seed=seed).items()
    }
    metrics["mean_image_cross_entropy_nats"] = likelihoods.mean_image_cross_entropy(images.train, images.test)
    metrics["entropy_floor_test_nats"] = likelihoods.entropy_floor(images.test)
    grey_q = likelihoods.bound_terms(net, bits, seen=images.test[:count], seed=seed)
    metrics["negative_elbo_binary_grey_q_nats"] = grey_q["negative_elbo"].mean()
    log_weights, log_p = likelihoods.importance_draws(net, bits, settings["q_draws"], seed)
    metrics |= likelihoods.bits_of(log_weights, log_p, likelihoods.bound_terms(net, bits, seed=seed)["kl"])
    sums = likelihoods.prior_log_sums(net, bits, settings["prior_draws"], seed)
    metrics |= likelihoods.prior_against_q(log_weights, sums)
    train_posteriors = likelihoods.posteriors(net, images.train)
    metrics |= likelihoods.information(*train_posteriors, 1_000, seed) | likelihoods.active_units(*train_posteriors)
    drawn = samples.prior_samples(net, settings["samples"], seed)
    metrics |= samples.quality(drawn, images.test, judge) | samples.nearest_training(drawn, images, count)
    metrics |= samples.class_lines(net, train_posteriors[0], images.train_labels, judge)
    arrays = curves(log) | {"fig7": np.rint(255 * drawn[:100, :, :, 0]).astype(np.uint8)}
    return outcome(net, metrics, arrays, log, steps, f"{settings['q_draws']} draws of Q, {count} images; judge")


def run_completion(settings, images, work):
    """Section 5: losses, blur, sharpness, the judge's confidence, the spread of completions, and Fig. 8."""
    net, log, steps = trained(settings, images, work)
    judge, count, seed = train_judge(images, experiment.judges_dir()), settings["scored"], settings.seed
    test, metrics = completions.overfit(net, images, 10_000, seed)
    metrics |= completions.appearance(net, images, test, judge)
    metrics["squared_error_scored"] = test["squared_error"][:count].mean()
    metrics |= completions.like_a_neighbour(net, images, test["probability"], count)
    if completions.has_latent(net):
        metrics |= completions.many_draws(
            net, images.test[:count], judge, settings["completions"], settings["judged"], seed
        )
    arrays = curves(log)
    if settings["task"] == "column":
        arrays |= completions.figure_8(net, images.test, seed)
    return outcome(net, metrics, arrays, log, steps, f"one fresh condition an image; {count} images; judge")


def curves(log):
    """What training logged, float32 [epochs] each."""
    return {f"curve_{name}": np.float32(values) for name, values in log.items() if name != "seconds"}


def outcome(net, metrics, arrays, log, steps, evaluator):
    """The run's outcome, with the smallest fall of the training loss from one tenth of the training to the next."""
    loss = log["negative_elbo"] if "negative_elbo" in log else log["cross_entropy"]
    tenths = [part.mean() for part in np.array_split(loss, min(10, len(loss)))]
    metrics["last_epoch_loss_nats"] = loss[-1]
    metrics["parameters"] = sum(int(np.prod(v.shape)) for v in net.players["trained"].variables)
    metrics["smallest_fall_nats"] = -np.diff(tenths).max() if len(tenths) > 1 else 0.0
    how = "grey in the soft loss; binary images: one own draw"
    return experiment.Outcome(metrics, arrays, evaluator, steps, how, "official test set; 10,000 training images")


def main():
    for wanted in experiment.asked(EXPERIMENT, FLAGS.model):
        experiment.execute(EXPERIMENT, run_vae if wanted.model == "vae" else run_completion, wanted)


if __name__ == "__main__":
    experiment.main(main)
