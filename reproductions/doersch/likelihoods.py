"""What a trained VAE says about images: the bound and its terms, log P(X), and bits (Sections 2.1 to 2.4.2).

All in nats per image, float64, one number an image unless it says otherwise. Noise of an image depends on its number
in the set, not on its batch.
"""

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from common.probability.distributions import (
    gaussian_kl,
    gaussian_log_prob,
    reparameterise,
    standard_normal_log_prob,
)
from common.probability.draws import fold_in, normal
from common.probability.likelihood import image_noise, pairwise_bernoulli_log_prob
from reproductions.doersch.models import flat

BATCH = 500


def over_batches(function, *arrays, batch=BATCH):
    """{name: [N, ...]} of function(*rows, numbers) -> {name: [B, ...]}, compiled to a graph and run batch by batch.

    arrays share their first axis; uint8 pixels 0..255 arrive as float32 in [0, 1]. numbers int32 [B]: rows' places.
    """
    compiled = tf.function(function, autograph=False, reduce_retracing=True)
    parts = []
    for first in range(0, len(arrays[0]), batch):
        rows = [as_float(array[first : first + batch]) for array in arrays]
        numbers = tf.range(first, first + len(rows[0]))
        parts.append({name: value.numpy() for name, value in compiled(*rows, numbers).items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def as_float(rows):
    """float32 tensor; uint8 pixels are divided by 255."""
    return tf.constant(rows.astype(np.float32) / (255 if rows.dtype == np.uint8 else 1))


def bound_terms(net, target, seen=None, seed=0):
    """{"cross_entropy", "kl", "negative_elbo"}, [N] each, one z an image: the terms of Eq. 5.

    target: the images X of log P(X|z), uint8 [N, H, W, 1]. seen: what Q is given, default the same. Grey targets give
    the soft loss of Section 4.1; 0/255 images the bound on log P.
    """

    def terms(target, seen, numbers):
        mean, log_sd = net.posterior(seen)
        z = reparameterise(mean, log_sd, image_noise([seed, 0], numbers, 1, [net.latent])[0])
        cross_entropy, kl = -net.log_likelihood(target, z), gaussian_kl(mean, log_sd)
        return {"cross_entropy": cross_entropy, "kl": kl, "negative_elbo": cross_entropy + kl}

    found = over_batches(terms, target, target if seen is None else seen)
    return {name: values.astype(np.float64) for name, values in found.items()}


def squared_errors(net, images, seed=0):
    """|X - f(z)|^2 [N] of a Gaussian output, one z an image."""

    def errors(image, numbers):
        mean, log_sd = net.posterior(image)
        z = reparameterise(mean, log_sd, image_noise([seed, 0], numbers, 1, [net.latent])[0])
        return {"error": tf.reduce_sum(tf.square(net.decoder(z) - flat(image)), axis=1)}

    return over_batches(errors, images)["error"]


def posteriors(net, images):
    """(means, log sds) of q(z|x), float64 [N, latent] each."""
    found = over_batches(lambda image, _: dict(zip(("mean", "log_sd"), net.posterior(image), strict=True)), images)
    return found["mean"].astype(np.float64), found["log_sd"].astype(np.float64)


def mean_image_cross_entropy(train, test):
    """Cross-entropy of the constant prediction "mean training image" on the grey test images, mean over them."""
    p = np.clip(train.reshape(len(train), -1).mean(0) / 255.0, 1e-6, 1 - 1e-6)
    x = test.reshape(len(test), -1).mean(0) / 255.0
    return float(-np.sum(x * np.log(p) + (1 - x) * np.log(1 - p)))


def entropy_floor(pixels):
    """sum_i H(x_i), the lowest cross-entropy that grey targets allow, mean over images; uint8 [N, ...]."""
    table = np.arange(256) / 255.0
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nan_to_num(table * np.log(table)) - np.nan_to_num((1 - table) * np.log(1 - table))
    return float(entropy[pixels].reshape(len(pixels), -1).sum(1).mean())


def importance_draws(net, bits, draws, seed, chunk=50, batch=100):
    """(log P(X|z) + log P(z) - log q(z|X), log P(X|z)) of `draws` draws of Q for each binary image (0/255).

    float64 [draws, N] each.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def one(number, image, numbers):
        mean, log_sd = net.posterior(image)
        z = reparameterise(mean, log_sd, image_noise(fold_in([seed, 1], number), numbers, chunk, [net.latent]))
        copies = tf.repeat(image[None], chunk, axis=0)
        log_p = net.log_likelihood(tf.reshape(copies, [-1, *image.shape[1:]]), tf.reshape(z, [-1, net.latent]))
        log_ratio = standard_normal_log_prob(z, batch_axes=2) - gaussian_log_prob(z, mean, log_sd, batch_axes=2)
        log_p = tf.reshape(log_p, [chunk, -1])
        return tf.stack([log_p + log_ratio, log_p])

    columns = []
    for first in range(0, len(bits), batch):
        image = as_float(bits[first : first + batch])
        numbers = tf.range(first, first + len(image))
        chunks = [one(tf.constant(k), image, numbers).numpy() for k in range(-(-draws // chunk))]
        columns.append(np.concatenate(chunks, axis=1)[:, :draws])
    return tuple(np.concatenate(columns, axis=2).astype(np.float64))


def prior_log_sums(net, bits, draws, seed, block=100):
    """(log sum w, log sum w^2) with w = P(x|z), z ~ N(0, I), per block of `block` draws: two [draws / block, N]."""
    images = as_float(bits)

    @tf.function(autograph=False)
    def sums(number):
        logits = net.decoder(normal([block, net.latent], fold_in([seed, 2], number)))
        logs = tf.cast(pairwise_bernoulli_log_prob(logits, images), tf.float64)
        return tf.reduce_logsumexp(logs, axis=0), tf.reduce_logsumexp(2.0 * logs, axis=0)

    found = [sums(tf.constant(k)) for k in range(draws // block)]
    return tuple(np.stack([each[i] for each in found]) for i in (0, 1))


def prior_against_q(log_weights, sums, block=100):
    """Sections 2.1 and 2.3: log P(X) from draws of the prior and of Q, of the same images.

    log_weights: of `importance_draws` [draws, N]; sums: `prior_log_sums` in blocks of `block`. Estimates from
    `block` draws of Q are compared with ones from 100 to all prior draws; the scatter with equally many draws each.
    """
    draws = block * len(sums[0])
    from_q = logsumexp(log_weights[:block], axis=0) - np.log(block)
    repeats = min(10, len(log_weights) // block, len(sums[0]))
    q_repeats = [logsumexp(log_weights[k * block : (k + 1) * block], axis=0) for k in range(repeats)]
    metrics = {"prior_draws": draws, "q_draws": block}
    size = block
    while size <= draws:
        prior = logsumexp(sums[0][: size // block], axis=0) - np.log(size)
        metrics[f"prior_log_p_{size}_nats"] = prior.mean()
        metrics[f"prior_below_q_{size}"] = np.mean(prior < from_q)
        size *= 10
    counted = min(10_000, draws) // block
    ess = np.exp(2 * logsumexp(sums[0][:counted], axis=0) - logsumexp(sums[1][:counted], axis=0))
    return metrics | {
        "prior_below_q": metrics[f"prior_below_q_{size // 10}"],
        "q_log_p_nats": from_q.mean(),
        "prior_scatter_over_q": np.median(np.std(sums[0][:repeats], axis=0) / np.std(q_repeats, axis=0)),
        "prior_ess_median": np.median(ess),
        "prior_ess_draws": counted * block,
    }


def bits_of(log_weights, log_likelihoods, kl):
    """Sections 2.3 and 2.4.2: the bound against log P(X), and the code length in its three parts.

    bits for z (KL to the prior) + bits for X given z (E_q[-log P(X|z)]) - penalty KL(Q || P(z|X)) = -log P(X).
    log_weights, log_likelihoods: `importance_draws` [draws, N]. kl: closed form, [N]. The penalty, E_q[log q - log P(z,
    X)] + log P(X), is of the first half of the draws with its own log P(X), and so are the bits for X; the right side
    is of the second half. So the two sides meet only if closed form, likelihood and weights fit together.
    """
    half = len(log_weights) // 2
    first, second = log_weights[:half], log_weights[half : 2 * half]
    log_p, variance = zip(*(estimate(part) for part in (first, second)), strict=True)
    given_z, drawn_kl = -log_likelihoods[:half].mean(0), log_likelihoods[:half] - first
    penalty = log_p[0] - first.mean(0)
    total = kl + given_z - penalty
    difference = total.mean() + log_p[1].mean()
    standard_error = np.sqrt((variance[0] + variance[1] + drawn_kl.var(0, ddof=1) / half).sum()) / len(kl)
    everything = logsumexp(log_weights, axis=0) - np.log(len(log_weights))
    elbo = log_likelihoods.mean(0) - kl
    return {
        "negative_elbo_binary_nats": -elbo.mean(),
        "log_p_nats": everything.mean(),
        "gap_nats": (everything - elbo).mean(),
        "elbo_below_log_p": np.mean(elbo <= everything),
        "code_z_nats": kl.mean(),
        "code_x_given_z_nats": given_z.mean(),
        "code_penalty_nats": penalty.mean(),
        "code_total_nats": total.mean(),
        "code_total_bits": total.mean() / np.log(2),
        "code_difference_in_standard_errors": abs(difference) / standard_error,
        "importance_ess_median": np.median(
            np.exp(2 * logsumexp(log_weights, axis=0) - logsumexp(2 * log_weights, axis=0))
        ),
    }


def estimate(log_weights):
    """(log mean w, squared standard error by the delta method), [N] each, of log weights [n, N]."""
    n = len(log_weights)
    scaled = np.exp(log_weights - log_weights.max(0))
    return logsumexp(log_weights, axis=0) - np.log(n), (scaled.std(0, ddof=1) / scaled.mean(0)) ** 2 / n


def information(mean, log_sd, count, seed):
    """E KL(q(z|x) || p(z)) = I_q(x; z) + KL(q(z) || p(z)) over the given images, q(z) their exact mixture.

    mean, log_sd: [N, D]. I_q by `count` draws of (x, z). Every term is at most log N, because q(z) >= q(z|x) / N.
    """
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(mean), min(count, len(mean)), replace=False)
    z = mean[rows] + np.exp(log_sd[rows]) * rng.normal(size=(len(rows), mean.shape[1]))
    precision = np.exp(-2 * log_sd)
    constant = -np.sum(mean**2 * precision / 2 + log_sd, axis=1)
    log_q = []
    for part, row in zip(np.array_split(z, -(-len(z) // 50)), np.array_split(rows, -(-len(z) // 50)), strict=True):
        logs = part @ (mean * precision).T - part**2 / 2 @ precision.T + constant  # [50, N], up to log(2 pi) D / 2
        log_q.append(logs[np.arange(len(row)), row] - (logsumexp(logs, axis=1) - np.log(len(mean))))
    mutual = np.concatenate(log_q).mean()
    kl = gaussian_kl(mean, log_sd).numpy().mean()
    return {"kl_nats": kl, "mutual_information_nats": mutual, "marginal_kl_nats": kl - mutual}


def active_units(mean, log_sd, least=0.01):
    """Latents with Var_x E_q[z] above `least` nats of use: how many, and the KL of all the others, per image."""
    variance = mean.var(0)
    per_unit = (mean**2 + np.expm1(2 * log_sd) - 2 * log_sd).mean(0) / 2
    return {"active_units": int(np.sum(variance > least)), "inactive_kl_nats": per_unit[variance <= least].sum()}
