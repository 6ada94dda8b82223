"""What an experiment needs of the images, told before anything trains."""

import functools

import numpy as np

from common.data import load
from common.errors import UserError

GREY_28 = ("binarized_mnist", "digits", "fashion_mnist", "mnist")  # known to have all of it, so not read for the check


@functools.cache  # every run of a command asks, mostly of one data set
def needs(name, data_dir=None, side=28, channels=1, train=1, test=1, varied=False):
    """Raises UserError unless data set `name` has at least so many images, of this size and these channels.

    side, channels: None for any. varied: some class must have test images that differ, and there must be two classes;
    sets without labels pass, for what needs labels says so itself.
    """
    if name in GREY_28:
        return
    images = load(name, data_dir)
    height, width, found = images.shape
    if (side or height, side or width, channels or found) != images.shape:
        raise UserError(
            f"'{name}' has images of {height}x{width}x{found}; this experiment takes grey {side}x{side} ones: mnist, "
            f"digits or folder:PATH@{side} of grey images"
        )
    if len(images.train) < train or len(images.test) < test:
        raise UserError(
            f"'{name}' has {len(images.train)} training and {len(images.test)} test images; this experiment needs at "
            f"least {train} and {test}: add images (the last tenth of a folder is its test set)"
        )
    if varied and images.test_labels is not None:
        classes = [images.test[images.test_labels == label] for label in np.unique(images.test_labels)]
        if len(classes) < 2 or not any(np.ptp(each, axis=0).any() for each in classes):
            raise UserError(
                f"the test images of '{name}' need two classes, and two images of one class that differ: add images "
                "(the last tenth of each class is its test set)"
            )
