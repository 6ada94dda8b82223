"""Log-densities, divergences and reparameterised draws on plain tensors.

Conventions, the same in every text: natural logarithms (nats), **sum** over pixels and latent dimensions, one number
per image. A Gaussian is given by its mean and its **log standard deviation** (not log variance). All functions work
in float32 and float64, eagerly and under XLA. `batch_axes` is the number of leading axes that are kept: 1 for [B,
...] -> [B], 2 for importance samples [k, B, ...] -> [k, B]; on a latent [B, D] it is also the way to the unsummed
terms per dimension ([B, D] -> [B, D]).
"""

import math

import tensorflow as tf

LOG_TWO_PI = math.log(2.0 * math.pi)


def sum_event(terms, batch_axes: int = 1):
    """Sum over all but the first `batch_axes` axes."""
    return tf.reduce_sum(terms, axis=list(range(batch_axes, terms.shape.rank)))


def bernoulli_log_prob(logits, x, batch_axes: int = 1):
    """log p(x) of independent Bernoulli pixels with logits a:  sum_i  x_i a_i - log(1 + exp(a_i))   [nats].

    logits: [B, ...]; x: same shape or broadcastable, any dtype. Returns [B]. Stable for large |a|.
    For soft targets 0 < x < 1 the value is **minus the cross-entropy**, i.e. the mean of log p(X') over X' ~
    Bernoulli(x): no log-density of x. Its largest possible value is then -sum_i H(x_i) < 0 (Doersch, Section 4: grey
    pixels as probabilities).
    """
    logits = tf.convert_to_tensor(logits)
    x = tf.cast(x, logits.dtype)
    return sum_event(x * logits - tf.nn.softplus(logits), batch_axes)


def gaussian_log_prob(z, mean, log_sd, batch_axes: int = 1):
    """log N(z; mean, sd^2 I) = -sum_j [ (z_j - m_j)^2 / (2 s_j^2) + log s_j + log(2 pi)/2 ]   [nats].

    z, mean, log_sd: broadcastable to [B, ...]. Returns [B].
    """
    log_sd = tf.convert_to_tensor(log_sd)
    standard = (z - mean) * tf.exp(-log_sd)
    return -sum_event(0.5 * tf.square(standard) + log_sd + 0.5 * LOG_TWO_PI, batch_axes)


def standard_normal_log_prob(z, batch_axes: int = 1):
    """log N(z; 0, I), the prior of every plain VAE here.  z: [B, ...] -> [B] nats."""
    return -sum_event(0.5 * (tf.square(z) + LOG_TWO_PI), batch_axes)


def gaussian_kl(mean, log_sd, prior_mean=0.0, prior_log_sd=0.0, batch_axes: int = 1):
    """KL( N(m, s^2) || N(m0, s0^2) ) of diagonal Gaussians in closed form; the default prior is N(0, I)   [nats].

        KL = sum_j [ (m_j - m0_j)^2 / s0_j^2 + s_j^2 / s0_j^2 - 1 - log(s_j^2 / s0_j^2) ] / 2

    For N(0, I) this is Doersch, Eq. 7:  (tr S + m.m - D - log det S) / 2.  mean, log_sd: [B, ...] -> [B].
    s^2 - 1 is taken as expm1(2 log s), which keeps full precision where a latent is ignored (s near 1, KL near 0).
    """
    log_ratio = 2.0 * (tf.convert_to_tensor(log_sd) - prior_log_sd)
    shift = (mean - prior_mean) * tf.exp(-tf.cast(prior_log_sd, log_ratio.dtype))
    return 0.5 * sum_event(tf.square(shift) + tf.math.expm1(log_ratio) - log_ratio, batch_axes)


def reparameterise(mean, log_sd, noise):
    """z = mean + exp(log_sd) * noise, noise ~ N(0, I) (Doersch, Eq. 10): a draw that lets gradients reach the encoder.

    The caller draws the noise (a stateless seed, so that the same run is bit-equal). A leading sample axis
    broadcasts: noise [k, B, D] with mean [B, D] gives [k, B, D].
    """
    return mean + tf.exp(log_sd) * noise
