"""What a conditional generator makes of z and class: the requested digit, walks between digits, who decides what.

Games of models_cvae_gan.py, trained; `picture(z, code)` draws by `evaluation.drawing`.
"""

import numpy as np
import tensorflow as tf

from common.evaluation import diversity, latents
from common.probability.distributions import gaussian_kl
from reproductions.guo import evaluation


def requested(found, labels, classes):
    """Claim 24: share of samples in which the judge sees the digit that was asked for."""
    right = found == labels[: len(found)]
    each = {f"requested_accuracy_{c}": right[labels[: len(found)] == c].mean() for c in range(classes)}
    return {"requested_accuracy": right.mean()} | each


def posterior(game, images, labels):
    """(mean, log sd) of q(z|x[, c]) [N, latent] of uint8 images by running statistics of batch norm."""
    found = [
        game.posterior(tf.constant(evaluation.floats(images[i : i + 500])), tf.constant(labels[i : i + 500]))
        for i in range(0, len(images), 500)
    ]
    return tuple(np.concatenate([part.numpy() for part in parts]) for parts in zip(*found, strict=True))


def on_test(game, picture, images, seed):
    """Claims 27, 31, 33 and 34 on the test images: KL, reconstruction, what D makes of each kind, C's accuracy."""
    x, labels, code = evaluation.floats(images.test), images.test_labels, np.eye(game.classes, dtype=np.float32)
    mean, log_sd = posterior(game, images.test, labels)
    rebuilt = evaluation.drawn(picture, mean, code[labels])
    u = evaluation.normal(len(x), game.latent + game.classes, seed)
    z = np.float32(mean + np.exp(log_sd) * evaluation.normal(len(x), game.latent, seed + 1))
    shown = {
        "D_x": x,
        "D_x_f": evaluation.drawn(picture, z, code[labels]),
        "D_x_p": evaluation.drawn(picture, u[:, : game.latent], code[labels]),
        "D_Gu": evaluation.drawn(picture, u[:, : game.latent], u[:, game.latent :]),
    }
    train = evaluation.floats(images.train)
    means = np.stack([train[images.train_labels == c].mean(axis=0) for c in range(game.classes)])
    logits = game.classifier.predict(x, batch_size=500, verbose=0)[1]
    return {
        "test_kl_nats": float(tf.reduce_mean(gaussian_kl(mean, log_sd))),
        "active_units": latents.active_units(mean),
        "reconstruction_mse": np.mean((x - rebuilt) ** 2),
        "class_mean_mse": np.mean((x - means[labels]) ** 2),
        "classifier_accuracy": np.mean(logits.argmax(axis=1) == labels),
    } | {
        name: tf.sigmoid(game.discriminator.predict(pictures, batch_size=500, verbose=0)[1]).numpy().mean()
        for name, pictures in shown.items()
    }


def decided(game, picture, images, seed, count=200):
    """Claim 27: how much of the picture z decides and how much the label; every z with every label."""
    z, code = evaluation.normal(count, game.latent, seed + 2), np.eye(game.classes, dtype=np.float32)
    pictures = evaluation.drawn(picture, np.repeat(z, game.classes, axis=0), np.tile(code, (count, 1)))
    pictures = pictures.reshape(count, game.classes, *pictures.shape[1:])
    real = diversity.within_class_variance(evaluation.floats(images.test), images.test_labels)
    shares = latents.variance_shares(pictures)
    return {
        "z_explained": latents.explained_by_z(pictures, real),
        "z_share": shares.z, "label_share": shares.label, "both_share": shares.both,
    }  # fmt: skip


def encoded_pairs(game, images, count, seed):
    """`count` pairs of test images of two classes each: rows [count, 2], and one z of each, [count, 2, latent]."""
    random = np.random.default_rng([seed, 10])
    rows = []
    while len(rows) < count:
        pair = random.integers(len(images.test), size=2)
        if images.test_labels[pair[0]] != images.test_labels[pair[1]]:
            rows.append(pair)
    rows = np.array(rows)
    mean, log_sd = posterior(game, images.test[rows.ravel()], images.test_labels[rows.ravel()])
    z = mean + np.exp(log_sd) * evaluation.normal(len(mean), game.latent, seed + 3)
    return rows, z.reshape(count, 2, -1).astype(np.float32)


def walks(game, picture, images, judge, settings):
    """Claim 26 and F13b: nine pictures, t = 0, 1/8 ... 1, from one digit to another; and where only z or only c moves.

    evenness: longest over mean step. length: Euclidean distance of the ends. reached: the judge's p(c2) at the end.
    """
    rows, z = encoded_pairs(game, images, settings["walks"], settings.seed)
    code = np.eye(game.classes, dtype=np.float32)[images.test_labels[rows]]
    t = np.linspace(0, 1, 9, dtype=np.float32)[None, :, None]
    metrics, arrays = {}, {}
    for name, z_moves, c_moves in (("both", 1, 1), ("z", 1, 0), ("label", 0, 1)):
        line = [
            (1 - t * moves) * ends[:, :1] + t * moves * ends[:, 1:] for ends, moves in ((z, z_moves), (code, c_moves))
        ]
        path = evaluation.drawn(picture, *(part.reshape(-1, part.shape[-1]) for part in line))
        reached = judge.probabilities(path)[np.arange(len(path)), np.repeat(images.test_labels[rows[:, 1]], 9)]
        path, reached = path.reshape(len(rows), 9, *path.shape[1:]), reached.reshape(len(rows), 9)
        metrics |= {
            f"walk_{name}_monotone": latents.monotone_share(reached),
            f"walk_{name}_reached": reached[:, -1].mean(),
            f"walk_{name}_evenness": np.nanmedian(latents.step_evenness(path)),
            f"walk_{name}_length": latents.steps(path[:, [0, -1]]).mean(),
        }
        if name == "both":
            real = evaluation.floats(images.test)[rows[:10]]
            shown = np.concatenate([real[:, :1], path[:10, 1:], real[:, 1:]], axis=1)
            arrays = {"walk": evaluation.pixels(shown), "walk_probability": np.float32(reached[:10, 1:])}
    return metrics, arrays


def panels(game, images, seed):
    """F13a: every digit with eight draws of the prior. F13c: the z of one training image a row, with every label."""
    code = np.eye(game.classes, dtype=np.float32)
    rows = np.arange(10)
    mean, log_sd = posterior(game, images.train[rows], images.train_labels[rows])
    z = np.float32(mean + np.exp(log_sd) * evaluation.normal(10, game.latent, seed + 4))
    draws = evaluation.normal(game.classes * 8, game.latent, seed + 5)
    with evaluation.drawing(game) as picture:
        classes = evaluation.drawn(picture, draws, np.repeat(code, 8, axis=0))
        swapped = evaluation.drawn(picture, np.repeat(z, game.classes, axis=0), np.tile(code, (10, 1)))
    shape = images.shape
    return {
        "classes": evaluation.pixels(classes.reshape(game.classes, 8, *shape)),
        "labels_swapped": evaluation.pixels(swapped.reshape(10, game.classes, *shape)),
    }
