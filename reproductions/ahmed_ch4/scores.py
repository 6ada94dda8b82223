"""Scores of normality (section 4.2.1): larger = less normal. Noise depends on the image's number, not on its batch."""

import numpy as np
import tensorflow as tf

from common.data.binarise import own_draw
from common.data.binary import drawn
from common.evaluation import detection, nats
from common.probability.distributions import (
    bernoulli_log_prob,
    gaussian_kl,
    gaussian_log_prob,
    reparameterise,
    standard_normal_log_prob,
)
from common.probability.draws import fold_in
from common.probability.likelihood import image_noise

BATCH = 250


def posterior_draws(game, chunk):
    """A function of (seed int32 [2], images [B, 28, 28, 1], their numbers [B]), compiled once for all calls.

    It returns KL(q(z|x) || N(0, I)) [B], log p(x|z) and log p(x|z) p(z) / q(z|x), both [chunk, B], in nats.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def draw(seed, image, numbers):
        mean, log_sd = game.posterior(image)
        z = reparameterise(mean, log_sd, image_noise(seed, numbers, chunk, [game.latent]))
        logits = game.decoder(tf.reshape(z, [-1, game.latent]))
        logits = tf.reshape(logits, [chunk, -1, *image.shape[1:]])  # the last batch may be smaller
        log_p = bernoulli_log_prob(logits, image, batch_axes=2)
        log_ratio = standard_normal_log_prob(z, batch_axes=2) - gaussian_log_prob(z, mean, log_sd, batch_axes=2)
        return gaussian_kl(mean, log_sd), log_p, log_p + log_ratio

    return draw


def vae_scores(game, bits, elbo_samples, importance_samples, seed, chunk=8, draw=None):
    """{"elbo", "importance", "kl", "ess"}, float64 [N] in nats, of binary test images uint8 [N, 28, 28, 1].

    elbo: KL(q(z|x) || N(0, I)) - mean_l log p(x|z_l), KL in closed form, the first `elbo_samples` draws of z.
    importance: -L_k = -log (1/k) sum_i p(x|z_i) p(z_i) / q(z_i|x), k = `importance_samples` draws of z.
    ess: effective sample size of those weights. draw: a `posterior_draws` of the same chunk, to be used again.
    """
    draw, samples = draw or posterior_draws(game, chunk), max(elbo_samples, importance_samples)
    parts, seeds = {"elbo": [], "importance": [], "kl": [], "ess": []}, [fold_in([seed, 0], k) for k in range(samples)]
    for first in range(0, len(bits), BATCH):
        image = tf.cast(bits[first : first + BATCH], tf.float32)
        numbers = tf.range(first, first + len(image))
        chunks = [draw(each, image, numbers) for each in seeds[: -(-samples // chunk)]]
        kl = chunks[0][0].numpy().astype(np.float64)
        log_p = np.concatenate([c[1] for c in chunks])[:elbo_samples].astype(np.float64)
        log_w = np.concatenate([c[2] for c in chunks])[:importance_samples].astype(np.float64)
        log_sum = np.logaddexp.reduce(log_w)
        parts["elbo"].append(kl - log_p.mean(0))
        parts["importance"].append(np.log(len(log_w)) - log_sum)
        parts["kl"].append(kl)
        parts["ess"].append(np.exp(2 * log_sum - np.logaddexp.reduce(2 * log_w)))
    return {name: np.concatenate(values) for name, values in parts.items()}


def averaged_over_binarisations(game, grey, binarisations, seed):
    """-ELBO in nats [N], mean over own draws of the grey test images; one posterior sample each."""
    total, draw = 0.0, posterior_draws(game, 1)
    for number in range(binarisations):
        bits = own_draw(grey, 1000 * seed + number)
        total = total + vae_scores(game, bits, 1, 1, 1000 * seed + number, chunk=1, draw=draw)["elbo"]
    return total / binarisations


def pixel_scores(game, grey, options, seed):
    """Scores in nats [N] of grey test images under a PixelCNN or PixelVAE, by the bits that `vae_scores` gets.

    PixelCNN: {"nll", "nll_averaged"}, exact. PixelVAE: {"elbo", "importance", "kl", "ess", "elbo_averaged"} as for the
    VAE. averaged: over own draws of the test images, one posterior sample each. options: how many of each.
    """
    bits, others = drawn(grey, seed), [drawn(grey, 1000 * seed + k) for k in range(options["binarisations"])]
    if not nats.has_latent(game):
        return {"nll": nats.exact(game, bits), "nll_averaged": np.mean([nats.exact(game, each) for each in others], 0)}
    bound = nats.bound(game, bits, options["elbo_samples"], seed)
    more = nats.importance(game, bits, np.arange(len(bits)), options["importance_samples"], 8, seed).final
    averaged = np.mean([nats.bound(game, each, 1, 1000 * seed + k)["bound"] for k, each in enumerate(others)], 0)
    return {
        "elbo": bound["bound"], "importance": -more.estimate, "kl": bound["kl"], "ess": more.ess,
        "elbo_averaged": averaged,
    }  # fmt: skip


def discriminator_logits(game, grey):
    """The discriminator's logits [N] of grey test images uint8 [N, 28, 28, 1]; no batch statistics take part."""
    score = tf.function(lambda image: game.discriminator(image)[:, 0], autograph=False, reduce_retracing=True)
    batches = [grey[first : first + BATCH] for first in range(0, len(grey), BATCH)]
    return np.concatenate([score(tf.cast(b, tf.float32) / 255.0) for b in batches]).astype(np.float64)


def detected(found, headline, images, settings):
    """AUPR of every score in per cent, and for the `headline` score the other areas and the bootstrap interval."""
    positive = images.test_labels == settings.key["held_out"]
    metrics = {f"aupr_{name}": 100 * detection.average_precision(values, positive)
               for name, values in found.items() if name not in ("kl", "ess")}  # fmt: skip
    score = found[headline]
    interval = detection.bootstrap_interval(score, positive, replicates=500, seed=settings.seed)
    return {"aupr": metrics[f"aupr_{headline}"]} | metrics | {
        "aupr_low": 100 * interval.low,
        "aupr_high": 100 * interval.high,
        "aupr_trapezoid": 100 * detection.aupr_trapezoid(score, positive),
        "aupr_davis_goadrich": 100 * detection.aupr_davis_goadrich(score, positive),
        "aupr_negated": 100 * detection.average_precision(-score, positive),
        "auroc": 100 * detection.auroc(score, positive),
        "prevalence": 100 * detection.prevalence(positive),
        "lowest_aupr": 100 * detection.lowest_average_precision(positive.sum(), (~positive).sum()),
    }  # fmt: skip
