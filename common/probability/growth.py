"""Are N draws enough? Importance-sampled log-likelihoods L_N beside those from fewer draws.

L_n grows with n in expectation (`likelihood`). Two halves of N draws give L_N and, without a further draw, E L_{N/2}:

    L_N = log( (n_a exp L_a + n_b exp L_b) / N ),    L_N >= (n_a L_a + n_b L_b) / N   for every image,

the second because the logarithm is concave. Where the two sides are close, more draws change nothing.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from common.errors import UserError
from common.probability.likelihood import LogLikelihood, importance_log_likelihood
from common.probability.memory import fitting_chunk, working_set


class Growth(NamedTuple):
    """final: L_N, effective sample size, standard error of every image. fewer: {n: L_n of every image} for n < N.

    chunk: draws at once; which draws they are depends on it, and it is less than asked for where memory was short.
    """

    final: LogLikelihood
    fewer: dict[int, np.ndarray]
    chunk: int


def grown_log_likelihood(log_weights: Callable, n: int, fewer=(10, 100), chunk=100, seed=1, inputs=(), batch=None):
    """`Growth` of the estimate from n draws: L_n, the mean of its two halves' estimates, and L_m of other draws.

    Arguments as in `likelihood.importance_log_likelihood`; m runs over `fewer`, where smaller than n / 2. Memory does
    not depend on n. A chunk that does not fit is halved, with a warning. Raises UserError for n or chunk < 1.
    """

    def estimate(draws, number):
        own = 1000 * (seed % 10**6) + number
        return _halving(lambda chunk: importance_log_likelihood(log_weights, draws, chunk, own, inputs, batch), size)

    if n < 1 or chunk < 1:
        raise UserError(
            f"importance sampling needs at least one draw in chunks of at least one; got n={n}, chunk={chunk}"
        )
    size = fitting_chunk(_bytes_of_one(log_weights, inputs, batch), min(chunk, n))
    if n == 1:
        return Growth(estimate(1, 0), {}, 1)
    sizes = n - n // 2, n // 2
    halves = [estimate(draws, number) for number, draws in enumerate(sizes)]
    small = {m: estimate(m, 2 + number).estimate for number, m in enumerate(fewer) if m < n // 2}
    mean = sum(draws * half.estimate for draws, half in zip(sizes, halves, strict=True)) / n
    return Growth(pooled(*halves, *sizes), small | {n // 2: mean}, size)


def _bytes_of_one(log_weights, inputs, batch) -> int:
    """Working set of one draw of one batch."""
    rows = [tf.TensorSpec([min(batch or len(x), len(x)), *np.shape(x)[1:]], np.asarray(x).dtype) for x in inputs]
    return working_set(lambda seed, *rows: log_weights(seed, 1, *rows), tf.TensorSpec([2], tf.int32), *rows)


def _halving(run: Callable, chunk: int):
    """run(chunk), again with half the chunk after every MemoryError, with a warning."""
    while True:
        try:
            return run(chunk)
        except MemoryError as error:
            if chunk == 1:
                raise UserError("one draw of one batch does not fit into memory; choose a smaller batch") from error
            chunk //= 2
            warnings.warn(f"out of memory: going on with chunks of {chunk} draws, so other draws", stacklevel=2)


def pooled(a: LogLikelihood, b: LogLikelihood, n_a: int, n_b: int) -> LogLikelihood:
    """The estimate from the draws of both, as if they had been one stream of n_a + n_b."""
    n = n_a + n_b
    log_sum = np.logaddexp(a.estimate + np.log(n_a), b.estimate + np.log(n_b))
    squares = [2 * (e.estimate + np.log(m)) - np.log(e.ess) for e, m in ((a, n_a), (b, n_b))]
    ess = np.clip(np.exp(2 * log_sum - np.logaddexp(*squares)), 1.0, n)
    return LogLikelihood(log_sum - np.log(n), ess, np.sqrt((1 / ess - 1 / n) * n / (n - 1)))
