"""Choices that Section 4.1 says matter little or much: learning rate, initial weights, sizes, ReLU and Adam; and sigma.

    python reproductions/doersch/choices.py --model=lr_0.01,lr_0.003,lr_0.001,lr_0.0003,lr_0.0001 --seed=1,2,3
    python reproductions/doersch/choices.py --model=relu_adam_0.001,sigmoid_sgd_0.0001

Each `--model` is the VAE of models.py with one thing changed. What is measured is the loss after each epoch and the
bound on the test images, nothing by a judge.
"""

from absl import flags

from common import experiment
from common.errors import UserError
from common.training.fit import fit, read_log
from reproductions.doersch import likelihoods, models

BASE = {
    "epochs": 100, "batch": 100, "learning_rate": 1e-3, "beta_1": 0.9, "weight_decay": 0.0, "init": "he",
    "hidden": (1000, 500, 250), "activation": "relu", "optimizer": "adam", "sigma": 0.0,
}  # fmt: skip
SIZES = {"three_layers": (1000, 500, 250), "two_layers": (500, 500), "one_layer": (400,)}
RATES = {"adam": (3e-3, 1e-3, 3e-4), "sgd": (1e-3, 1e-4, 1e-5)}  # of the loss summed over pixels
CHOICES = (
    {f"lr_{rate:g}": {"learning_rate": rate, "epochs": 1} for rate in (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)}
    | {f"{init}_{size}": {"init": init, "hidden": units} for init in models.INITIAL for size, units in SIZES.items()}
    | {
        f"{activation}_{optimizer}_{rate:g}": {
            "activation": activation, "optimizer": optimizer, "learning_rate": rate, "epochs": 20
        }
        for activation in ("relu", "sigmoid")
        for optimizer, rates in RATES.items()
        for rate in rates
    }
    | {f"sigma_{sigma:g}": {"sigma": sigma, "epochs": 20} for sigma in (0.05, 0.1, 0.2, 0.5, 1.0)}
)  # fmt: skip

flags.DEFINE_list("model", [f"lr_{rate}" for rate in ("0.01", "0.003", "0.001", "0.0003", "0.0001")],
                  "One or more of " + ", ".join(CHOICES))  # fmt: skip
FLAGS = flags.FLAGS
EVALUATOR = "training loss; one z a test image"

EXPERIMENT = experiment.Experiment(
    text="doersch",
    name="choices",
    script=__file__,
    models=models.__file__,
    evaluation=("epochs",),
    options={name: BASE | choice for name, choice in CHOICES.items()},
    scales={
        "smoke": dict.fromkeys(CHOICES, {"epochs": 1}),
        "cpu": {name: {"epochs": min((BASE | choice)["epochs"], 5)} for name, choice in CHOICES.items()},
    },
    # Adam's beta_1 and the weight decay of the code, not its other switches: no as_code of digits.py.
    variants={"as_described": {}, "code_optimizer": dict.fromkeys(CHOICES, {"beta_1": 0.0, "weight_decay": 5e-4})},
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
)


def run(settings, images, work):
    """Training loss after each epoch; -ELBO, KL and reconstruction on the grey test images. A run may diverge."""
    arguments = {name: value for name, value in settings.options.items() if name not in ("epochs", "batch")}
    net = settings.build(lambda: models.VAE(images.train, **arguments))
    steps = settings["epochs"] * (len(images.train) // settings["batch"])
    try:
        log = fit(
            net, steps=steps, batch=settings["batch"], seed=settings.seed, work=work, program_steps=50, jit=settings.jit
        )
    except UserError as error:
        if " became " not in str(error):  # a loss that is not finite is a finding here
            raise
        past = read_log(work / "log.csv") if (work / "log.csv").exists() else {}
        notes = {"diverged": str(error)}
        return experiment.Outcome({"diverged": 1.0} | after_epochs(past), {}, EVALUATOR, steps, notes=notes)
    found = likelihoods.bound_terms(net, images.test, seed=settings.seed)
    metrics = {f"test_{name}_nats": values.mean() for name, values in found.items()}
    if settings["sigma"]:
        error = likelihoods.squared_errors(net, images.test, settings.seed)
        metrics["test_squared_error"] = error.mean()
    arrays = {"curve_negative_elbo": log["negative_elbo"]}
    return experiment.Outcome({"diverged": 0.0} | metrics | after_epochs(log), arrays, EVALUATOR, steps)


def after_epochs(log):
    """{"loss_after_5_nats": ...}: the training loss averaged over epoch 1, 5, 20 and the last."""
    losses = log.get("negative_elbo", [])
    epochs = sorted({1, 5, 20, len(losses)} & set(range(1, len(losses) + 1)))
    return {f"loss_after_{epoch}_nats": losses[epoch - 1] for epoch in epochs}


def main():
    for wanted in experiment.asked(EXPERIMENT, FLAGS.model):
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
