"""What an experiment needs of the images, told before anything trains."""

import functools

import numpy as np

from common.data import load
from common.errors import UserError

UNLABELLED = "binarized_mnist"
GREY_28 = (UNLABELLED, "digits", "fashion_mnist", "mnist")  # known to be so, and not read for the check
SURE = 250  # images that each of them has in both parts


@functools.cache  # every run of a command asks, mostly of one data set
def needs(name, data_dir=None, side=28, channels=1, train=1, test=1, varied=False, labels=False):
    """Raises UserError unless data set `name` has at least so many images, of this size and these channels.

    side, channels: None for any. varied: some class must have test images that differ, and there must be two classes;
    sets without labels pass. labels: they do not pass.
    """
    listed = name in GREY_28 and not (labels and name == UNLABELLED)
    if listed and (side or 28, channels or 1) == (28, 1) and max(train, test) <= SURE:
        return
    images = load(name, data_dir)
    height, width, found = images.shape
    if (side or height, side or width, channels or found) != images.shape:
        colour = {1: "grey ", 3: "colour "}.get(channels, "")
        known = "mnist, digits or " if (side, channels) == (28, 1) else ""
        raise UserError(
            f"'{name}' has images of {height}x{width}x{found}; this experiment takes {colour}{side or height}x"
            f"{side or width} ones: {known}folder:PATH@{side or height} of {colour}images"
        )
    if len(images.train) < train or len(images.test) < test:
        raise UserError(
            f"'{name}' has {len(images.train)} training and {len(images.test)} test images; this experiment needs at "
            f"least {train} and {test}: add images (the last tenth of a folder is its test set)"
        )
    if labels and (images.train_labels is None or images.test_labels is None):
        raise UserError(
            f"'{name}' has no labels, which this experiment needs: choose mnist or digits, or put each class of a "
            "folder into a folder of its own"
        )
    if varied and images.test_labels is not None:
        classes = [images.test[images.test_labels == label] for label in np.unique(images.test_labels)]
        if len(classes) < 2 or not any(np.ptp(each, axis=0).any() for each in classes):
            raise UserError(
                f"the test images of '{name}' need two classes, and two images of one class that differ: add images "
                "(the last tenth of each class is its test set)"
            )
