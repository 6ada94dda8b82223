"""How CVAE and regressor complete a digit from its centre column, or from its left half (Section 5, Fig. 8).

A prediction is an image of probabilities; in a completed image the given columns are the true grey ones. The CVAE's
prediction is one decoded draw z ~ N(0, I) unless said otherwise.
"""

import numpy as np
import tensorflow as tf

from common.evaluation.samples import BLOCK
from common.evaluation.sharpness import gradient_energy
from common.probability.distributions import bernoulli_log_prob, gaussian_kl, reparameterise
from common.probability.likelihood import image_noise
from reproductions.doersch import models
from reproductions.doersch.likelihoods import entropy_floor, over_batches


def has_latent(net):
    return isinstance(net, models.CVAE)


def uniforms(net, count, seed):
    """U(0, 1) for the binary condition, float32 [count, numbers in X]."""
    size = net.images.shape[1] * len(net.given)
    return np.random.default_rng([seed, 8]).random((count, size), np.float32)


def logits(net, x, z):
    return net.logits(x, z) if has_latent(net) else net.logits(x)


def predictions(net, images, seed):
    """Losses in nats and the prediction for each image, with one fresh condition: {name: [N]} and "probability" [N, Y].

    negative_elbo is the CVAE's bound on log P(Y|X); for the regressor it is the cross-entropy, its log P(Y|X).
    """
    latent = net.latent if has_latent(net) else 1

    def terms(image, uniform, numbers):
        x, y = net.condition(image, uniform), net.target(image)
        noise = image_noise([seed, 3], numbers, 2, [latent])
        shown, z, kl = noise[0], None, tf.zeros(tf.shape(image)[:1])
        if has_latent(net):
            mean, log_sd = net.posterior(x, image)
            z, kl = reparameterise(mean, log_sd, noise[1]), gaussian_kl(mean, log_sd)
        cross_entropy = -bernoulli_log_prob(logits(net, x, z), y)
        p = tf.sigmoid(logits(net, x, shown))
        wrong = ((p > 0.95) & (y < 0.5)) | ((p < 0.05) & (y > 0.5))
        return {
            "cross_entropy": cross_entropy,
            "kl": kl,
            "negative_elbo": cross_entropy + kl,
            "squared_error": tf.reduce_sum(tf.square(p - y), axis=1),
            "blurred": tf.reduce_mean(tf.cast((p > 0.1) & (p < 0.9), tf.float32), axis=1),
            "sure_and_wrong": tf.reduce_mean(tf.cast(wrong, tf.float32), axis=1),
            "probability": p,
        }

    return over_batches(terms, images, uniforms(net, len(images), seed))


def completed(net, images, probability):
    """Images float32 [N, H, W, 1]: the true grey columns that were given, the predicted ones elsewhere."""
    done = images.astype(np.float32) / 255
    done[:, :, net.wanted, 0] = probability.reshape(len(images), images.shape[1], len(net.wanted))
    return done


def overfit(net, images, count, seed):
    """Test and (the first `count`) training images: losses, blur and wrong certainty, and their differences."""
    test, train = (predictions(net, part, seed) for part in (images.test, images.train[:count]))
    metrics = {}
    for name in ("cross_entropy", "kl", "negative_elbo"):
        metrics |= {f"test_{name}_nats": test[name].mean(), f"train_{name}_nats": train[name].mean()}
    floor = entropy_floor(images.train[:count, :, net.wanted])
    return test, metrics | {
        "blurred_share": test["blurred"].mean(),
        "squared_error": test["squared_error"].mean(),
        "cross_entropy_test_minus_train": metrics["test_cross_entropy_nats"] - metrics["train_cross_entropy_nats"],
        "train_cross_entropy_above_floor": metrics["train_cross_entropy_nats"] - floor,
        "sure_and_wrong_test": test["sure_and_wrong"].mean(),
        "sure_and_wrong_train": train["sure_and_wrong"].mean(),
        "sure_and_wrong_ratio": test["sure_and_wrong"].mean() / max(train["sure_and_wrong"].mean(), 1e-9),
        "predicted_pixels": len(net.wanted) * images.shape[0],
    }


def appearance(net, images, test, judge):
    """Sharpness (mean gradient energy over that of the truth) of whole and right half, and the judge's confidence."""
    done, truth = completed(net, images.test, test["probability"]), images.test.astype(np.float32) / 255
    half = images.shape[1] // 2
    best = judge.probabilities(np.clip(done, 0, 1)).max(axis=1)
    return {
        "sharpness": gradient_energy(done).mean() / gradient_energy(truth).mean(),
        "sharpness_right": gradient_energy(done[:, :, half:]).mean() / gradient_energy(truth[:, :, half:]).mean(),
        "judge_confidence": best.mean(),
        "judge_confidence_truth": judge.probabilities(truth).max(axis=1).mean(),
        "judge_accuracy": judge.accuracy,
    }


def many_draws(net, test_images, judge, draws, judged, seed, batch=25):
    """`draws` completions of each column: error of their mean and of the best, spread, classes the judge sees.

    The judge looks at those of the first `judged` images. A class counts for a column where it has over a tenth.
    """

    def drawn(image, uniform, numbers):
        x, y = net.condition(image, uniform), net.target(image)
        z = tf.transpose(image_noise([seed, 4], numbers, draws, [net.latent]), [1, 0, 2])
        p = tf.sigmoid(logits(net, tf.repeat(x, draws, axis=0), tf.reshape(z, [-1, net.latent])))
        return tf.reshape(p, [-1, draws, y.shape[1]]), y

    def completions(image, uniform, numbers):
        p, y = drawn(image, uniform, numbers)
        mean = tf.reduce_mean(p, axis=1)
        spread = tf.reduce_sum(tf.math.reduce_variance(p, axis=1), axis=1)
        return {
            "mean": tf.reduce_sum(tf.square(mean - y), axis=1),
            "best": tf.reduce_min(tf.reduce_sum(tf.square(p - y[:, None]), axis=2), axis=1),
            "pairwise": 2 * spread * draws / (draws - 1),  # mean of |p_i - p_j|^2 over pairs
        }

    noise = uniforms(net, len(test_images), seed)
    errors = over_batches(completions, test_images, noise, batch=batch)
    shown = over_batches(lambda *rows: {"p": drawn(*rows)[0]}, test_images[:judged], noise[:judged], batch=batch)["p"]
    classes = []
    for image, p in zip(test_images, shown, strict=False):
        done = completed(net, np.repeat(image[None], draws, axis=0), p)
        counts = np.bincount(judge.probabilities(done).argmax(axis=1), minlength=10)
        classes.append(np.sum(counts > 0.1 * draws))
    return {
        "squared_error_of_mean": errors["mean"].mean(),
        "squared_error_of_best": errors["best"].mean(),
        "pairwise_squared_distance": errors["pairwise"].mean(),
        "several_classes_share": np.mean(np.array(classes) >= 2),
        "classes_mean": np.mean(classes),
    }


def like_a_neighbour(net, images, probability, count, many=50):
    """Section 5: is a prediction nearer to the answer of the nearest training input, or to the mean of `many` answers?

    Squared distances over the predicted pixels; probability: predictions for the test images, [N, Y].
    """
    train, test = (part.astype(np.float32) / 255 for part in (images.train, images.test[:count]))
    inputs, questions = (part[:, :, net.given].reshape(len(part), -1) for part in (train, test))
    answers = train[:, :, net.wanted].reshape(len(train), -1)
    norms, nearer = np.sum(inputs**2, axis=1), []
    rows = max(1, BLOCK // len(train))
    for first in range(0, len(test), rows):
        order = np.argpartition(norms - 2 * questions[first : first + rows] @ inputs.T, many, axis=1)
        for row, candidates in enumerate(order[:, :many], first):
            distances = np.sum((inputs[candidates] - questions[row]) ** 2, axis=1)
            one, mean = answers[candidates[distances.argmin()]], answers[candidates].mean(0)
            to = [np.sum((probability[row] - answer) ** 2) for answer in (one, mean)]
            nearer.append(to[0] < to[1])
    return {"nearer_to_one_neighbour": np.mean(nearer)}


def figure_8(net, test_images, seed, shown=60):
    """Raw material of Fig. 8 for the first test images, uint8: completions [60, H, Y columns] and columns [60, H].

    The condition noise is the figure's own: NumPy seed 1, shape (100, 1, H, 1). "code": times 2, as in the author's
    figure; "right": times 1, as in training. Both nets get the same columns.
    """
    test_images = test_images[:shown]
    height = test_images.shape[1]
    noise = np.random.RandomState(1).uniform(size=(100, 1, height, 1)).reshape(100, height)[: len(test_images)]
    grey = test_images[:, :, net.given[0], 0] / 255.0
    arrays = {"fig8_truth": test_images[..., 0]}
    for name, largest in (("code", 2.0), ("right", 1.0)):
        bits = (grey > largest * noise).astype(np.float32)

        def complete(x, numbers):
            z = image_noise([seed, 5], numbers, 1, [net.latent])[0] if has_latent(net) else None
            return {"p": tf.sigmoid(logits(net, x, z))}

        p = over_batches(complete, bits)["p"].reshape(len(bits), height, -1)
        arrays |= {f"fig8_{name}": np.rint(255 * p).astype(np.uint8), f"fig8_{name}_column": bits.astype(np.uint8)}
    return arrays
