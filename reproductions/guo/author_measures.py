"""What the author's own logs and sample grids say about the sentences, in the names of our runs' metrics.

Grids hold 64 to 100 images and their digits are named by nearest neighbours; a Fréchet distance of so few means nothing
and is not given.
"""

import math

import numpy as np

from common.evaluation.diversity import SEEN
from reproductions.guo import author, evaluation

BATCH = 128  # of the CVAE-GAN and of the faces


def grid_metrics(run: str) -> dict[str, float]:
    """The last grid's statistics, the first one's as `_q1`, MNIST's whole test set as `_test`; classes from shares."""
    epochs = sorted(epoch for name, epoch in author.grids() if name == run)
    last, real = author.grid(run, epochs[-1]), author.grid("mnist_test", 0)
    found = {name: value for name, value in last.items() if not name.startswith("nearest")}
    found |= {f"{name}_q1": value for name, value in author.grid(run, epochs[0]).items()}
    names = ("edge_variance", "grey_fraction", "border_mean", "within_class_variance")
    found |= {f"{name}_test": real[name] for name in names}
    found["classes"] = sum(last[f"share_{digit}"] >= SEEN for digit in range(10))
    return found | {"nearest_test": last["nearest_real"], "nearest_within": last["nearest_within"]}


def epochs_to(bound: float, curve: np.ndarray) -> float:
    """Epochs until a curve is below `bound`; infinity if it never is."""
    below = np.flatnonzero(curve < bound)
    return float(below[0] + 1) if len(below) else math.inf


def of_vae() -> dict[str, float]:
    """Test losses of the last, best and first epoch, nats an image."""
    test = author.test_lines()
    best = int(np.argmin(test["test_loss"]))
    found = {"best_epoch": best + 1, "first_test_loss_nats": test["test_loss"][0]}
    for name, curve in test.items():
        found |= {f"{name}_nats": curve[-1], f"best_{name}_nats": curve[best]}
    return found | {"first_batch_loss_nats": author.lines("vae")["loss"][0]}


def of_cvae_gan() -> dict[str, float]:
    """Losses, and what they bound: all four terms of Loss_G are at least 0 and its KL is a sum over the batch.

    kl_bound_nats: the last line's Loss_G / 128, nats an image, from above. D_x_f_bound: with the squared error of a
    decoder that knows the class only, -log D(x_f) is at most Loss_G minus that error; geometric mean, from below.
    """
    loss = author.last("cvae_gan", "loss_G")
    last_line = author.lines("cvae_gan")["loss_G"][-1]
    real = author.grid("mnist_test", 0)["within_class_variance"]
    return {
        "kl_bound_nats": last_line / BATCH,
        "D_x_f_bound": np.exp(-(loss - real)),
        "first_loss_G": author.lines("cvae_gan")["loss_G"][0],
        "loss_C_epochs_to_0.001": epochs_to(1e-3, author.by_epoch("cvae_gan", "loss_C")),
        "within_class_variance_ratio": author.grid("cvae_gan", 200)["within_class_variance"] / real,
        "within_class_variance_ratio_q1": author.grid("cvae_gan", 50)["within_class_variance"] / real,
    }


def of_faces() -> dict[str, float]:
    """How many images 216 batches of 128 may hold, the last one being of any size."""
    batches = author.STEPS_AN_EPOCH["faces"]
    return {"images_at_least": (batches - 1) * BATCH + 1, "images_at_most": batches * BATCH}


def measured(run: str) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """(metrics, curves by epoch) of one of the author's runs."""
    losses = [loss for loss in author.lines(run) if loss not in ("epoch", "step")]
    curves = {loss: author.by_epoch(run, loss) for loss in losses}
    metrics = evaluation.course(curves, {loss: loss for loss in curves})  # as ours
    if run != "faces":
        metrics |= grid_metrics(run)
    extra = {"vae": of_vae, "cvae_gan": of_cvae_gan, "faces": of_faces}.get(run)
    metrics |= extra() if extra else {}
    return metrics, {f"curve_{loss}": curve for loss, curve in curves.items()}
