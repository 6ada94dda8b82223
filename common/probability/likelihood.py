"""Monte Carlo estimates of log p(x) by importance sampling, streamed: memory does not grow with the number of draws.

With weights w_i = p(x, z_i) / q(z_i|x), z_i ~ q (importance sampling; Burda et al. 2016, Eq. 8), or w_i = p(x|z_i),
z_i ~ p(z) (prior sampling; Doersch, Section 2), the estimate from n draws is

    L_n = log (1/n) sum_i w_i,    E L_n <= E L_{n+1} <= log p(x),

a lower bound in expectation, whatever q. Kept while streaming are log sum w and log sum w^2, per image, in float64.
They also give

    effective sample size   ESS = (sum w)^2 / sum w^2,  between 1 and n;
    standard error of L_n   sqrt( (1/ESS - 1/n) n / (n - 1) ),

the second by the delta method (sd of the mean weight over the mean weight). It says how L_n scatters, and
understates that when ESS is small: a heavy weight that was never drawn leaves no trace in it.

**Noise.** Seeds are stateless: the same seed and chunk give the same estimate. Noise of an image depends on (seed,
chunk number, number of the image in its set), not on the batch it is scored in (`image_noise`). The simpler choice,
one noise for all images, is invariant too, but makes the errors of all images move together, so that their mean over
a test set would not settle with the number of images. Prior sampling does share its draws among images, because only
then one decoded z serves them all (`pairwise_bernoulli_log_prob`); the standard error of a mean over images must not
be computed there as if images were independent.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from common.errors import UserError
from common.probability import draws
from common.probability.distributions import gaussian_log_prob, reparameterise, standard_normal_log_prob


class LogLikelihood(NamedTuple):
    """Per image, float64 [N]: estimate of log p(x) [nats], effective sample size, standard error of the estimate."""

    estimate: np.ndarray
    ess: np.ndarray
    standard_error: np.ndarray


def importance_log_likelihood(
    log_weights: Callable,
    n: int,
    chunk: int = 100,
    seed: int = 1,
    inputs: tuple = (),
    batch: int | None = None,
    jit_compile: bool | None = None,
) -> LogLikelihood:
    """L_n for every image, from n draws in chunks of `chunk`.

    log_weights(seed, chunk, *inputs) -> [chunk, B]: fresh log weights in nats; seed is an int32 tensor [2] for the
    stateless random functions, chunk a Python int. inputs: arrays with one leading axis of N images, such as the
    images and their numbers; they are cut into batches of `batch` (default: all at once; the last is filled up, so
    that one compilation serves all) and passed on. Without inputs log_weights is called as it stands. jit_compile:
    compile the loop with XLA; default: only where there is a GPU, because XLA's CPU convolutions are slow inside loops.
    A chunk that does not fit into memory is halved, with a warning (the draws are then others). Raises UserError for
    n or chunk < 1.
    """
    if n < 1 or chunk < 1:
        raise UserError(
            f"importance sampling needs at least one draw in chunks of at least one; got n={n}, chunk={chunk}"
        )
    if jit_compile is None:
        jit_compile = bool(tf.config.list_physical_devices("GPU"))
    chunk = min(chunk, n)
    sums, parts = None, []
    for rows, real in _batches(inputs, batch):
        while True:
            sums = sums or _streamed_sums(log_weights, n, chunk, jit_compile)
            try:
                parts.append(np.stack([s.numpy() for s in sums(_seed(seed), *rows)])[:, :real])
                break
            except tf.errors.ResourceExhaustedError as error:
                if chunk == 1:
                    raise UserError("one draw of one batch does not fit into memory; choose a smaller batch") from error
                chunk, sums = chunk // 2, None
                warnings.warn(f"out of memory: going on with chunks of {chunk} draws, so other draws", stacklevel=2)
    return _from_sums(*np.concatenate(parts, axis=1), n)


def _seed(seed: int):
    return tf.constant([seed, 0], tf.int32)


def _batches(inputs: tuple, batch: int | None):
    """Yield (tensors of one batch, how many of its images are real); the last batch repeats its last image."""
    if not inputs:
        yield (), None
        return
    count = len(inputs[0])
    if not count or any(len(array) != count for array in inputs):
        raise UserError(f"inputs must share one leading axis of at least one image; got {[len(a) for a in inputs]}")
    batch = min(batch or count, count)
    for start in range(0, count, batch):
        rows = np.minimum(np.arange(start, start + batch), count - 1)
        yield tuple(tf.constant(np.asarray(array)[rows]) for array in inputs), min(batch, count - start)


def _streamed_sums(log_weights: Callable, n: int, chunk: int, jit_compile: bool):
    """Compile (seed, *inputs) -> (log sum w, log sum w^2), [B] each: a loop over whole chunks, then the remainder."""
    whole, remainder = divmod(n, chunk)

    def log_sums(number, seed, size, inputs):
        fresh = draws.fold_in(seed, number)
        logs = tf.cast(log_weights(fresh, size, *inputs), tf.float64)
        return tf.reduce_logsumexp(logs, axis=0), tf.reduce_logsumexp(2.0 * logs, axis=0)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def sums(seed, *inputs):
        def add(number, *running):
            return number + 1, *map(_log_add_exp, running, log_sums(number, seed, chunk, inputs))

        # One iteration at a time: chunks do not need each other, and parallel ones would be in memory together.
        start = (tf.constant(1), *log_sums(tf.constant(0), seed, chunk, inputs))
        number, *running = tf.while_loop(lambda number, *_: number < whole, add, start, parallel_iterations=1)
        if remainder:
            running = map(_log_add_exp, running, log_sums(number, seed, remainder, inputs))
        return tuple(running)

    return sums


def _log_add_exp(a, b):
    """log(exp a + exp b); a weight of zero (minus infinity) on both sides stays minus infinity."""
    return tf.reduce_logsumexp(tf.stack([a, b]), axis=0)


def _from_sums(log_sum, log_sum_of_squares, n: int) -> LogLikelihood:
    with np.errstate(invalid="ignore"):  # all weights zero: estimate -inf, ESS nan
        ess = np.clip(np.exp(2.0 * log_sum - log_sum_of_squares), 1.0, n)
    scatter = np.sqrt((1.0 / ess - 1.0 / n) * n / (n - 1)) if n > 1 else np.full_like(ess, np.nan)
    return LogLikelihood(log_sum - np.log(n), ess, scatter)


def image_noise(seed, numbers, chunk: int, shape, dtype=tf.float32):
    """N(0, 1) noise [chunk, B, *shape], a function of (seed, number of each image) and not of the batch.

    seed: int32 [2], as passed to log_weights. numbers: int [B], the place of each image in its set.
    One small random call per image: about 15 per cent of the time of a dense decoder 50-500-784 on two cores.
    """

    def one(number):
        return tf.cast(draws.normal([chunk, *shape], draws.fold_in(seed, number)), dtype)

    noise = tf.map_fn(one, tf.cast(numbers, tf.int32), fn_output_signature=tf.TensorSpec([chunk, *shape], dtype))
    return tf.einsum("bk...->kb...", noise)


def gaussian_log_weights(encode: Callable, log_likelihood: Callable) -> Callable:
    """The log weights of a VAE with q(z|x) = N(mean, sd^2 I) and prior N(0, I), for `importance_log_likelihood`:

        log w = log p(x|z) + log N(z; 0, I) - log N(z; mean, sd^2 I),   z = mean + sd * noise.

    encode(x [B, ...]) -> (mean, log_sd), [B, D] each. log_likelihood(x [M, ...], z [M, D]) -> [M] nats.
    Returns log_weights(seed, chunk, x, numbers) -> [chunk, B]; pass inputs=(images, numbers of the images in their
    set).
    """

    def log_weights(seed, chunk, x, numbers):
        mean, log_sd = encode(x)
        z = reparameterise(mean, log_sd, image_noise(seed, numbers, chunk, mean.shape[1:], mean.dtype))
        copies = tf.repeat(x[None], chunk, axis=0)
        log_p = log_likelihood(_merge(copies), _merge(z))
        log_ratio = standard_normal_log_prob(z, batch_axes=2) - gaussian_log_prob(z, mean, log_sd, batch_axes=2)
        return tf.reshape(log_p, [chunk, -1]) + log_ratio

    return log_weights


def _merge(x):
    """[k, B, ...] -> [k B, ...]."""
    return tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], axis=0))


def pairwise_bernoulli_log_prob(logits, x):
    """log p(x_b | z_i) of every decoded draw and every image, as one matrix product:  a_i . x_b - sum_d softplus(a_id).

    logits: [k, ...] decoded from k draws of the prior; x: [B, ...]. Returns [k, B] nats: the log weights of prior
    sampling.
    """
    logits = tf.reshape(logits, [tf.shape(logits)[0], -1])
    x = tf.cast(tf.reshape(x, [tf.shape(x)[0], -1]), logits.dtype)
    return tf.matmul(logits, x, transpose_b=True) - tf.reduce_sum(tf.nn.softplus(logits), axis=1, keepdims=True)
