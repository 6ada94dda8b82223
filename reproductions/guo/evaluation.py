"""What is measured on the pictures of every model of the report: quality, variety, latent space; and on its losses.

Pictures are float32 [N, H, W, C] in [0, 1]. Classes and features are a judge's. `fake` are samples, `real` test images.
"""

import contextlib

import numpy as np
import tensorflow as tf
from scipy import stats

from common import experiment
from common.data.needs import needs
from common.errors import UserError
from common.evaluation import diversity, latents, texture
from common.evaluation.samples import frechet_distance, nearest_squared_distance, precision_recall
from common.training.checkpoints import load_whole
from reproductions.guo import watch

BATCH = 100  # pictures drawn together: batch norm takes its statistics from them
FEW = 5_000  # of precision and recall, latents
PAIRS = 2_000  # of pairwise and nearest distances
SHOWN = 100  # pictures of a model in a record


def labelled(images, side=28):
    """Raises UserError, before any training, unless `images` are grey, of this side, and labelled."""
    if images.shape != (side, side, 1):
        height, width, channels = images.shape
        raise UserError(
            f"'{images.name}' has images of {height}x{width}x{channels}; this experiment takes grey {side}x{side} "
            f"ones: mnist, digits or folder:PATH@{side} of grey images"
        )
    if images.train_labels is None or images.test_labels is None:
        raise UserError(
            f"'{images.name}' has no labels, which the judge of samples needs; put each class into a folder of its own"
        )


def enough(settings, train=32, test=4, side=28):
    """The settings of a run, before it trains; raises UserError if the judge gets less than a batch of images, none
    of `side` that are grey and labelled (None: any), or no spread of features or pictures.
    """
    own = {"channels": None} if side is None else {"labels": True}
    needs(settings.dataset, experiment.FLAGS.data_dir, side, train=train, test=test, varied=True, **own)
    for name in {"samples", "curve_samples"} & settings.options.keys():
        if settings[name] < test:
            raise UserError(f"{name}={settings[name]}: at least {test} expected, for a spread")
    return settings


def floats(pixels):
    """uint8 pixels as float32 in [0, 1]."""
    return pixels.astype(np.float32) / 255


def normal(count, size, seed):
    """Draws of N(0, I) for an evaluation, float32 [count, size]; other numbers than those of the training."""
    return np.random.default_rng([seed, 9]).normal(size=(count, size)).astype(np.float32)


@contextlib.contextmanager
def drawing(game, **arguments):
    """`game.picture` compiled. Batch norm's running statistics, which drawing by batch statistics moves, are put back
    at the end.
    """
    before = game.generator.get_weights()
    try:
        yield tf.function(lambda *inputs: game.picture(*inputs, **arguments), reduce_retracing=True)
    finally:
        game.generator.set_weights(before)


def drawn(picture, *inputs):
    """`picture(*inputs)` BATCH by BATCH, as an array clipped to [0, 1]; inputs: arrays [N, ...]; picture: compiled."""
    parts = (picture(*(a[i : i + BATCH] for a in inputs)).numpy() for i in range(0, len(inputs[0]), BATCH))
    return np.clip(np.concatenate(list(parts)), 0.0, 1.0).astype(np.float32)


def frechet(fake, real_features, judge):
    """Fréchet distance of the judge's features, of equal numbers of samples and test images."""
    count = min(len(fake), len(real_features))
    return frechet_distance(judge.features(fake[:count]), real_features[:count])


def appearance(pictures):
    """Sharpness, grey pixels and border light, to be read together."""
    return {
        "edge_variance": texture.edge_variance(pictures).mean(),
        "grey_fraction": texture.grey_fraction(pictures),
        "border_mean": texture.border_mean(pictures),
    }


def variety(labels, classes):
    """Entropy of the judge's labels, and how many classes have a hundredth of them or more."""
    return {
        "label_entropy_nats": diversity.label_entropy(labels, classes),
        "classes": diversity.label_coverage(labels, classes),
    }


def quality(fake, images, judge, requested=None):
    """({metric: number}, the judge's labels uint8 [N]) of samples against as many test images.

    requested: the classes that were asked for, int [N]; the variance within a class is then over these.
    """
    count = min(len(fake), len(images.test))
    fake, real, few = fake[:count], floats(images.test[:count]), min(count, FEW)
    features, real_features = judge.features(fake), judge.features(real)
    probabilities = judge.probabilities(fake)
    labels, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    precision, recall = precision_recall(real_features[:few], features[:few])
    metrics = {
        "frechet": frechet_distance(features, real_features),
        "frechet_test_halves": frechet_distance(real_features[: count // 2], real_features[count // 2 :]),
        "precision": precision,
        "recall": recall,
        "sure": np.mean(probabilities.max(axis=1) > 0.9),
        "judge_accuracy": judge.accuracy,
        "nearest_test": nearest(fake[:PAIRS], real),
    }
    metrics |= variety(labels, classes) | {
        f"share_{c}": share for c, share in enumerate(diversity.class_shares(labels, classes))
    }
    of = labels if requested is None else requested[:count]
    sets = {"": (fake, features, of), "_test": (real, real_features, images.test_labels[:count])}
    for suffix, (pictures, points, classes_of) in sets.items():
        found = appearance(pictures) | {
            "mean_pairwise_distance": diversity.mean_pairwise_distance(points[:PAIRS]),
            "nearest_within": nearest(pictures[:PAIRS], pictures[:PAIRS], exclude_self=True),
            "within_class_variance": diversity.within_class_variance(pictures, classes_of),
        }
        metrics |= {name + suffix: value for name, value in found.items()}
    return metrics, labels.astype(np.uint8)


def on_the_way(game, at, inputs, images, judge, settings, grids=True, requested=None):
    """(metrics, arrays) of the generator after the drawn epochs, and its Fréchet distance along the training.

    at: `watch.AtEpochs`; inputs: what pictures are drawn from, (z,) or (z, code), the same at every epoch. The game's
    generator is as before at the end. The distances along the way are of fewer samples, so not those of the quarters.
    """
    epochs, arrays, metrics, distances = settings["epochs"], {}, {}, []
    few, real = settings["curve_samples"], judge.features(floats(images.test))
    drawn_at, along = at.all_or_none(watch.quarters(epochs, settings["drawn"])), at.kept(watch.along(epochs))
    with drawing(game) as picture:
        for number, epoch in enumerate(drawn_at, 1):
            load_whole(game.generator, at.path(epoch))
            fake = drawn(picture, *inputs)
            found = {"frechet": frechet(fake, real, judge)} | glance(fake, judge, requested)
            metrics |= {f"{name}_q{number}": value for name, value in found.items()}
            if grids or number == len(drawn_at):
                arrays[f"grid_q{number}"] = pixels(fake[:SHOWN])
        for epoch in along:
            load_whole(game.generator, at.path(epoch))
            distances.append(frechet(drawn(picture, *(a[:few] for a in inputs)), real, judge))
    near = [epoch for epoch, distance in zip(along, distances, strict=True) if distance <= 1.1 * min(distances)]
    metrics["epochs_to_best"] = near[0] if near else np.nan
    metrics |= {f"frechet_after_{epoch}": distance for epoch, distance in zip(along, distances, strict=True)}
    arrays |= {"grid_epochs": np.int32(drawn_at), "frechet_epochs": np.int32(along)}
    return metrics, arrays | {"frechet_curve": np.float32(distances)}


def glance(fake, judge, requested=None):
    """The cheap numbers of `quality`, for samples on the way; requested: the classes asked for, or None."""
    probabilities = judge.probabilities(fake)
    labels = probabilities.argmax(axis=1)
    metrics = variety(labels, probabilities.shape[1]) | appearance(fake)
    metrics["within_class_variance"] = diversity.within_class_variance(fake, labels if requested is None else requested)
    if requested is not None:
        metrics["requested_accuracy"] = np.mean(labels == requested)
    return metrics


def nearest(pictures, others, exclude_self=False):
    """Mean Euclidean distance, over pixels, to the nearest of `others`."""
    return np.sqrt(nearest_squared_distance(pictures, others, exclude_self)).mean()


def latent_space(picture, latent, judge, seed, count=FEW, walks=300, points=17):
    """How the prior's z is laid out, by the judge's labels of the pictures, and how even a walk between two z is.

    z_label_changes: mean over straight lines between two draws. z_path_length: of the judge's features along them, over
    the straight distance. z_label_share_max: share of the most frequent label, which a constant guess would reach.
    """
    walks = min(walks, count)
    z = normal(count, latent, seed)
    labels = judge.probabilities(drawn(picture, z)).argmax(axis=1)
    ends = normal(2 * walks, latent, seed + 1).reshape(2, walks, 1, latent)
    t = np.linspace(0, 1, points, dtype=np.float32)[:, None]
    path = drawn(picture, ((1 - t) * ends[0] + t * ends[1]).reshape(-1, latent))
    walked = judge.probabilities(path).argmax(axis=1).reshape(walks, points)
    return {
        "z_neighbour_accuracy": latents.neighbour_accuracy(z, labels),
        "z_linear_accuracy": latents.linear_accuracy(z, labels),
        "z_label_share_max": np.bincount(labels).max() / len(labels),
        "z_label_changes": latents.label_changes(walked).mean(),
        "z_path_length": np.nanmean(latents.path_length(judge.features(path).reshape(walks, points, -1))),
    }


def tail(values):
    """Mean over the last 10 epochs; of shorter trainings than 50 over the last fifth."""
    return float(np.mean(values[-max(1, min(10, len(values) // 5)) :]))


def course(log, names):
    """Level, direction and steadiness of losses over the epochs; log {name: [epochs]}, names {logged: in the record}.

    first: mean of the first fifth. slope: per epoch, least squares. log_step: mean |log of the ratio of neighbours|.
    """
    metrics = {}
    for name, out in names.items():
        values = np.asarray(log[name])
        epochs, fifth = np.arange(len(values)), max(1, len(values) // 5)
        metrics |= {
            f"{out}_last": tail(values),
            f"{out}_first": values[:fifth].mean(),
            f"{out}_last_fifth": values[-fifth:].mean(),
            f"{out}_spearman": stats.spearmanr(epochs, values).statistic if np.ptp(values) > 0 else np.nan,
            f"{out}_slope": np.polyfit(epochs, values, 1)[0] if len(values) > 1 else np.nan,
            f"{out}_log_step": np.mean(np.abs(np.diff(np.log(np.maximum(np.abs(values), 1e-12))))) if len(values) > 1
            else np.nan,
        }  # fmt: skip
    return metrics


def curves(log, names):
    """{"curve_<name>": float32 [epochs]}: means over each epoch, under the record's names."""
    return {f"curve_{names.get(name, name)}": np.float32(values) for name, values in log.items() if name != "seconds"}


def parameters(*networks):
    """How many trained numbers the networks have."""
    return sum(int(np.prod(v.shape)) for network in networks for v in network.trainable_variables)


def pixels(pictures):
    """Pictures as uint8, without a last axis of one channel: what a record keeps."""
    found = np.rint(255 * pictures).astype(np.uint8)
    return found[..., 0] if found.shape[-1] == 1 else found


def deviations(images, settings):
    """What differs from the author's run, for a record's notes."""
    left, of = len(images.train) % settings["batch"], len(images.train)
    return (
        {"last_batch": f"batches are full: {left} of {of} images are left out of a pass, others in each"}
        if left
        else {}
    )
