"""Captions of Table 4.2, Ahmed (2017): are frogs smooth and airplanes detailed? Statistics of the images, no model.

    python reproductions/ahmed_ch4/cifar_images.py --dataset=cifar10

The text explains which classes each model confuses by local detail. Three measures of detail for each class.
"""

import io

import numpy as np
from absl import flags
from PIL import Image

from common import experiment
from common.errors import UserError
from common.evaluation.sharpness import gradient_energy
from reproductions.ahmed_ch4.classes import CIFAR_CLASSES

flags.DEFINE_enum("model", "images", ["images"], "There is one: the images themselves.")

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch4",
    name="cifar_images",
    script=__file__,
    models=__file__,
    options={"images": {"each": 1_000}},
    scales={"smoke": {"images": {"each": 20}}},
    variants={"as_described": {}},
    datasets={"smoke": "digits", "cpu": "cifar10", "paper": "cifar10"},
)


def high_frequency_share(images):
    """Share of the spectrum's energy, mean taken out, above half the Nyquist frequency; [N, H, W, C] floats -> [N]."""
    grey = images.mean(-1)
    power = np.abs(np.fft.fft2(grey - grey.mean((1, 2), keepdims=True))) ** 2
    rows, columns = (np.abs(np.fft.fftfreq(size)) for size in grey.shape[1:])
    high = np.maximum(rows[:, None], columns) > 0.25
    return power[:, high].sum(1) / power.sum((1, 2))


def png_bytes(image):
    """Size of one uint8 image [H, W, C] as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, format="png", optimize=True)
    return buffer.tell()


def run(settings, images, work):
    """The share of every class in the test set, per cent, and means over the first `each` of its images."""
    if images.test_labels is None or len(np.unique(images.test_labels)) != len(CIFAR_CLASSES):
        raise UserError(f"data set '{images.name}' has no ten classes; choose cifar10")
    metrics = {}
    for label, name in enumerate(CIFAR_CLASSES):
        metrics[f"prevalence_{name}"] = 100 * np.mean(images.test_labels == label)
        pixels = images.test[images.test_labels == label][: settings["each"]]
        scaled = pixels / 255.0
        metrics[f"gradient_energy_{name}"] = gradient_energy(scaled).mean()
        metrics[f"high_frequency_share_{name}"] = high_frequency_share(scaled).mean()
        metrics[f"png_bytes_{name}"] = np.mean([png_bytes(image) for image in pixels])
    return experiment.Outcome(
        metrics, evaluator="gradient energy, spectrum, PNG", notes={"classes": "CIFAR-10's names"}
    )


def main():
    for wanted in experiment.asked(EXPERIMENT, ["images"]):
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
