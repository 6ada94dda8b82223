"""Section 2's distances between digits (Fig. 3), and Section 5's question what one column of pixels gives away.

    python reproductions/doersch/distances.py --dataset=mnist --seed=1,2,3

Nothing is trained. The seed only draws the binarised column.
"""

import numpy as np
from absl import flags

from common import experiment
from common.data.binarise import own_draw
from common.errors import UserError
from reproductions.doersch import pixels

flags.DEFINE_enum("model", "pixels", ["pixels"], "There is one: pixels.")

EXPERIMENT = experiment.Experiment(
    text="doersch",
    name="distances",
    script=__file__,
    models=pixels.__file__,
    options={"pixels": {"digit": 2, "patches": [2, 3, 4, 5, 6], "train_counts": [100, 1_000, 10_000, 60_000]}},
    scales={},
    variants={"as_described": {}},
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
)


def shifted_against_broken(digits, patches, arrays):
    """Fig. 3: readings of the half-pixel distance of all given digits, and their ratio to a gap of each patch size."""
    readings = pixels.distance_readings(digits)
    metrics = {}
    for name, values in readings.items():
        for point, value in zip(("min", "median", "max"), np.quantile(values, (0, 0.5, 1)), strict=True):
            metrics[f"c02_{name}_{point}"] = value
    for size in patches:
        broken = pixels.largest_break(digits, size)
        metrics[f"c02_ratio_patch{size}_median"] = np.median(readings["raw"] / broken)
        metrics[f"c02_ratio_patch{size}_share_above_1"] = np.mean(readings["raw"] > broken)
    figure = pixels.figure_3(digits)
    arrays["fig3"] = np.rint(255 * figure["images"]).astype(np.uint8)
    names = {"shift": "c02_figure_shift", "defect": "c02_figure_defect", "index": "c02_figure_index"}
    return metrics | {name: figure[key] for key, name in names.items()}


def nearest_training_images(images, digit, counts):
    """Section 2: distance to the nearest of n training images (draws of a perfect sampler) and the own half shift."""
    train, test = pixels.as_pixels(images.train), pixels.as_pixels(images.test)
    counts = sorted({min(count, len(train)) for count in counts})
    nearest, nearest_other = pixels.nearest_squared_distances(
        test, train, counts, images.test_labels, images.train_labels
    )
    shift, chosen = pixels.distance_readings(test)["raw"], images.test_labels == digit
    metrics = {f"c03_nearest_of_{n}": np.median(row) for n, row in zip(counts, nearest, strict=True)}
    return metrics | {
        "c02_other_class_nearer": np.mean(nearest_other < shift),
        "c02_other_class_nearer_digit": np.mean((nearest_other < shift)[chosen]),
        "c02_any_class_nearer": np.mean(nearest[-1] < shift),
        "c03_nearest_of_all": np.median(nearest[-1]),
        "c03_nearest_of_all_digit": np.median(nearest[-1][chosen]),
        "c03_half_shift": np.median(shift),
        "c03_half_shift_digit": np.median(shift[chosen]),
        "c03_ratio": np.median(nearest[-1]) / np.median(shift),
        "c03_ratio_digit": np.median(nearest[-1][chosen]) / np.median(shift[chosen]),
    }


def columns(images, seed):
    """Section 5: how many training images share their centre column, grey and binarised once, and their left half."""
    width = images.train.shape[2]
    rows = {
        "c32_grey_column": pixels.centre_column(images.train),
        "c32_left_half": images.train[:, :, : width // 2, 0].reshape(len(images.train), -1),
        "c33_binary_column": pixels.centre_column(own_draw(images.train, seed)),
    }
    return {f"{name}_{k}": v for name, row in rows.items() for k, v in pixels.uniqueness(row).items()}


def run(settings, images, work):
    """One record: Fig. 3, nearest neighbours, columns."""
    if images.train_labels is None or images.shape[1] % 2 or images.shape[2] != 1:
        raise UserError(f"'{images.name}' has no labels, colour or an odd width; take mnist, fashion_mnist or digits")
    arrays, digit = {}, settings["digit"]
    digits = pixels.as_pixels(images.train)[images.train_labels == digit]
    if not len(digits):
        raise UserError(f"'{images.name}' has no class {digit}; choose another with --set digit=0")
    metrics = shifted_against_broken(digits, settings["patches"], arrays)
    metrics |= nearest_training_images(images, digit, settings["train_counts"])
    metrics |= columns(images, settings.seed)
    return experiment.Outcome(metrics, arrays, "exact squared distances and counts", split="train and test")


def main():
    for wanted in experiment.asked(EXPERIMENT, ["pixels"]):
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
