"""A judge: a small convolutional classifier, trained here, by which samples are measured.

It answers what a sample shows (`probabilities`) and where it lies among real images (`features`, for Fréchet
distance and precision/recall). Its own test accuracy belongs in every record that used it. It must know all classes:
train it on the whole set, also where the generative model never saw one of them.
"""

import os
import tempfile
import warnings
import zipfile
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from common.data import Images, cache, feeds
from common.errors import UserError

FEATURES = 128
SHIFT = 2  # pixels; training images move by up to this much in each direction
LEARNING_RATE = 2e-3
SCORED_AT_ONCE = 500
RECIPE = 1  # raise it with any change here that changes the weights, so that files of the old recipe are not read


@dataclass(frozen=True)
class Judge:
    """A trained classifier. accuracy: share of test images classified rightly, in [0, 1]. path: where it is stored."""

    model: keras.Model
    accuracy: float
    path: Path

    def probabilities(self, images) -> np.ndarray:
        """Class probabilities [N, classes] of images [N, H, W, C], floats in [0, 1]; UserError for other images."""
        logits = self._batched(self.model, images)
        return tf.nn.softmax(logits).numpy()

    def features(self, images) -> np.ndarray:
        """Penultimate layer [N, 128], after its ReLU, of images [N, H, W, C], floats in [0, 1]."""
        return self._batched(self._up_to_features, images)

    @cached_property
    def _up_to_features(self) -> keras.Model:
        return keras.Model(self.model.input, self.model.get_layer("features").output)

    def _batched(self, model, images) -> np.ndarray:
        images = np.asarray(images)
        shape = tuple(self.model.input.shape[1:])
        if images.shape[1:] != shape:
            raise UserError(f"this judge takes images [N, {', '.join(map(str, shape))}]; got {list(images.shape)}")
        if images.dtype.kind != "f" or not (images.min(initial=0) >= -1e-4 and images.max(initial=1) <= 1 + 1e-4):
            raise UserError(
                "the judge takes floats in [0, 1]: divide uint8 pixels by 255, map tanh outputs by (x + 1)/2"
            )
        return model.predict(images.astype(np.float32), batch_size=SCORED_AT_ONCE, verbose=0)


def build(shape, classes: int, seed: int) -> keras.Model:
    """Two blocks of two 3x3 convolutions (32, then 64 maps; the first of each halves the image), features, logits."""

    def block(x, maps, strides, number):
        start = keras.initializers.HeNormal(seed=1000 * seed + number)
        x = keras.layers.Conv2D(maps, 3, strides, padding="same", use_bias=False, kernel_initializer=start)(x)
        return keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))

    inputs = x = keras.Input(shape)
    for number, (maps, strides) in enumerate([(32, 2), (32, 1), (64, 2), (64, 1)]):
        x = block(x, maps, strides, number)
    start = keras.initializers.HeNormal(seed=1000 * seed + 4)
    x = keras.layers.Dense(FEATURES, use_bias=False, kernel_initializer=start)(keras.layers.Flatten()(x))
    x = keras.layers.ReLU(name="features")(keras.layers.BatchNormalization(momentum=0.9)(x))
    start = keras.initializers.GlorotUniform(seed=1000 * seed + 5)
    return keras.Model(inputs, keras.layers.Dense(classes, kernel_initializer=start, name="logits")(x))


def shifted(images, seed):
    """Move each image by its own whole number of pixels, at most SHIFT each way; what comes in is 0.  [B, H, W, C]"""
    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [SHIFT, SHIFT], [SHIFT, SHIFT], [0, 0]])
    corner = tf.random.stateless_uniform([2, tf.shape(images)[0], 1], seed, 0, 2 * SHIFT + 1, tf.int32)
    rows = tf.gather(padded, corner[0] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(rows, corner[1] + tf.range(width), axis=2, batch_dims=1)


def _batches(images: Images, seed: int, steps: int, batch: int) -> tf.data.Dataset:
    """(pixels in [0, 1], labels) of every step: order and shifts are pure functions of (seed, step)."""
    pixels, labels = tf.constant(images.train), tf.constant(images.train_labels)
    rows = np.stack(list(islice(feeds.batches(len(images.train), batch, seed), steps)))

    def step(number, rows):
        x = shifted(tf.gather(pixels, rows), tf.stack([tf.constant(seed, tf.int64), number]))
        return tf.cast(x, tf.float32) / 255.0, tf.gather(labels, rows)

    return tf.data.Dataset.from_tensor_slices((np.arange(steps), rows)).map(step).prefetch(4)


def train_judge(images: Images, work_dir, seed: int = 1, epochs: int = 8, verbose: int = 0) -> Judge:
    """The judge of a labelled data set: from work_dir if it is stored there, else trained (MNIST: some minutes).

    Adam with one cosine from LEARNING_RATE to 0, cross-entropy, batch 128 (32 for sets under 10,000 images). The
    file name holds all that decides the outcome: data fingerprint, recipe, epochs, seed. A file that cannot be read is
    trained anew, with a warning. verbose: as in `keras.Model.fit`. Raises UserError where the set has no labels.
    """
    if images.train_labels is None or images.test_labels is None:
        raise UserError(f"data set '{images.name}' has no labels; a judge needs them (choose a labelled set)")
    path = Path(work_dir) / f"judge-{images.fingerprint}-r{RECIPE}-e{epochs}-s{seed}.keras"
    with cache.held(path.with_suffix(".lock"), "choose another --work_dir"):  # one trains, others wait for it
        model = _stored(path)
        if model is None:
            _store(_trained(images, seed, epochs, verbose), path)
            model = _stored(path)  # as everyone after this run will have it
    probabilities = Judge(model, float("nan"), path).probabilities(images.test.astype(np.float32) / 255.0)
    return Judge(model, float(np.mean(probabilities.argmax(1) == images.test_labels)), path)


def _trained(images: Images, seed: int, epochs: int, verbose: int) -> keras.Model:
    batch = 128 if len(images.train) >= 10_000 else 32
    per_epoch = len(images.train) // batch
    model = build(images.shape, int(images.train_labels.max()) + 1, seed)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * per_epoch)
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=bool(tf.config.list_physical_devices("GPU")),  # on two cores XLA took 1.1 to 3 times as long
    )
    data = _batches(images, seed, epochs * per_epoch, batch)
    model.fit(data, shuffle=False, epochs=epochs, steps_per_epoch=per_epoch, verbose=verbose)
    return model


def _stored(path: Path) -> keras.Model | None:
    if not path.exists():
        return None
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        warnings.warn(f"{path} is damaged ({type(error).__name__}); the judge is trained anew", stacklevel=3)
        return None


def _store(model: keras.Model, path: Path):
    """Whole or not at all: written beside its place under another name, then moved there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        temporary = Path(folder) / "judge.keras"
        model.save(temporary)
        os.replace(temporary, path)
