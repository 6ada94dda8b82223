"""How good samples of a trained VAE are: a judge's confidence, distances, and lines through z (Section 4.1, Fig. 7)."""

import numpy as np
import tensorflow as tf

from common.errors import UserError
from common.evaluation.samples import class_entropy, frechet_distance, nearest_squared_distance, precision_recall
from reproductions.doersch.likelihoods import over_batches


def require_labels(images):
    """Raises UserError, before the training, where the judge would ask in vain for labels after it."""
    if images.train_labels is None or images.test_labels is None:
        raise UserError(
            f"'{images.name}' has no labels, which the judge needs; put each class into a folder of its own"
        )


def decoded(net, z):
    """Means of P(x|z) as images, float32 [N, H, W, 1] in [0, 1], of z [N, latent]; what the text calls samples."""
    shape = tuple(net.images.shape[1:])
    found = over_batches(lambda z, _: {"mean": tf.sigmoid(net.decoder(z))}, z.astype(np.float32))
    return found["mean"].reshape(len(z), *shape)


def prior_samples(net, count, seed):
    """`count` decoded draws of N(0, I)."""
    return decoded(net, np.random.default_rng([seed, 7]).normal(size=(count, net.latent)))


def quality(samples, test, judge, neighbours=3):
    """Fréchet distance, precision and recall in the judge's features, and its confidence, samples against test images.

    samples float [N, H, W, 1], test uint8; the larger set is cut to the size of the smaller: Fréchet distance and
    confidence are of all that is left, precision and recall of the first 5,000. The Fréchet distance of two disjoint
    halves of the test images says what a perfect sampler would score at half the size.
    """
    count = min(len(samples), len(test))
    real, fake = test[:count].astype(np.float32) / 255, samples[:count]
    real_features, fake_features = judge.features(real), judge.features(fake)
    few = min(count, 5_000)
    precision, recall = precision_recall(real_features[:few], fake_features[:few], neighbours)
    confidence = {"samples": judge.probabilities(fake), "test": judge.probabilities(real)}
    metrics = {
        "frechet": frechet_distance(real_features, fake_features),
        "frechet_test_halves": frechet_distance(real_features[: count // 2], real_features[count // 2 :]),
        "precision": precision,
        "recall": recall,
        "class_entropy_nats": class_entropy(confidence["samples"]),
        "judge_accuracy": judge.accuracy,
    }
    for name, probabilities in confidence.items():
        best = probabilities.max(axis=1)
        metrics |= {f"sure_{name}": np.mean(best > 0.9), f"between_{name}": np.mean(best < 0.8)}
    return metrics | {"between_ratio": metrics["between_samples"] / max(metrics["between_test"], 1 / count)}


def class_lines(net, means, labels, judge, points=21):
    """Section 4.1's cause of in-between digits: along the lines that join class means of E_q[z], how sure is the judge?

    The least sure point of each line: median, smallest and share below .8 over the lines.
    """
    classes = np.unique(labels)
    centres = np.stack([means[labels == c].mean(0) for c in classes])
    pairs = [(i, j) for i in range(len(classes)) for j in range(i)]
    t = np.linspace(0, 1, points)[:, None]
    z = np.concatenate([(1 - t) * centres[i] + t * centres[j] for i, j in pairs])
    lowest = judge.probabilities(decoded(net, z)).max(axis=1).reshape(len(pairs), points).min(axis=1)
    return {"line_median": np.median(lowest), "line_min": lowest.min(), "line_below": np.mean(lowest < 0.8)}


def nearest_training(samples, images, count):
    """Median squared distance to the nearest training image, of samples and of test images (no verdict hangs on it)."""
    train = images.train.astype(np.float32) / 255
    test = images.test[:count].astype(np.float32) / 255
    return {
        "nearest_train_samples": np.median(nearest_squared_distance(samples[:count], train)),
        "nearest_train_test": np.median(nearest_squared_distance(test, train)),
    }
