"""Distributions, objectives and likelihood estimators against closed forms, TFP, Monte Carlo and brute force."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.stats import multivariate_normal

from common.errors import UserError
from common.probability import distributions as d
from common.probability import likelihood as like
from common.probability import objectives as o

tfd = tfp.distributions
RNG = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def _same_draws_in_any_order():
    RNG.bit_generator.state = np.random.default_rng(1).bit_generator.state


DTYPES = [(np.float32, 2e-5), (np.float64, 1e-12)]


def gaussian(dtype, batch=5, dims=7):
    return [tf.constant(RNG.normal(size=(batch, dims)), dtype) for _ in range(4)]


@pytest.mark.parametrize(("dtype", "rtol"), DTYPES)
@pytest.mark.parametrize("jit", [False, True])
def test_densities_and_kl_equal_tfp(dtype, rtol, jit):
    mean, log_sd, other, z = gaussian(dtype)
    q = tfd.MultivariateNormalDiag(mean, tf.exp(log_sd))
    prior = tfd.MultivariateNormalDiag(other, tf.exp(log_sd[::-1]))

    @tf.function(jit_compile=jit)
    def ours():
        return (
            d.gaussian_log_prob(z, mean, log_sd),
            d.standard_normal_log_prob(z),
            d.gaussian_kl(mean, log_sd),
            d.gaussian_kl(mean, log_sd, other, log_sd[::-1]),
            d.bernoulli_log_prob(mean[:, :, None], tf.cast(z > 0, tf.uint8)[:, :, None]),
        )

    standard = tfd.MultivariateNormalDiag(tf.zeros_like(mean), tf.ones_like(mean))
    bits = tfd.Independent(tfd.Bernoulli(logits=mean, dtype=dtype), 1)
    theirs = (
        q.log_prob(z),
        standard.log_prob(z),
        q.kl_divergence(standard),
        q.kl_divergence(prior),
        bits.log_prob(tf.cast(z > 0, dtype)),
    )
    for mine, reference in zip(ours(), theirs, strict=True):
        assert mine.dtype == dtype
        np.testing.assert_allclose(mine, reference, rtol=rtol)


def test_kl_equals_monte_carlo_within_three_standard_errors():
    mean, log_sd, _, _ = gaussian(np.float64)
    noise = tf.random.stateless_normal([20000, 5, 7], [1, 2], dtype=tf.float64)
    z = d.reparameterise(mean, log_sd, noise)
    ratio = d.gaussian_log_prob(z, mean, log_sd, batch_axes=2) - d.standard_normal_log_prob(z, batch_axes=2)
    ratio = ratio.numpy()
    error = ratio.std(axis=0, ddof=1) / np.sqrt(len(ratio))
    assert np.all(np.abs(ratio.mean(axis=0) - d.gaussian_kl(mean, log_sd)) < 3 * error)


def test_kl_of_an_almost_ignored_latent_keeps_its_digits():
    mean, log_sd = tf.fill([1, 1], 1e-5), tf.fill([1, 1], 1e-5)
    # KL = (m^2 + (e^{2l} - 1 - 2l)) / 2, about m^2/2 + l^2; float32 subtraction of s^2 - 1 alone would be off by 1e-7.
    np.testing.assert_allclose(d.gaussian_kl(mean, log_sd), [1.5e-10], rtol=0.02)


def test_kl_per_dimension_sums_to_kl():
    mean, log_sd, _, _ = gaussian(np.float64)
    parts = d.gaussian_kl(mean, log_sd, batch_axes=2)
    assert parts.shape == mean.shape
    np.testing.assert_allclose(tf.reduce_sum(parts, 1), d.gaussian_kl(mean, log_sd))


def test_kl_of_doerschs_scale_example():
    # Prior N(0, 9 I) with mean and sd scaled by 3 gives the same KL as the unscaled pair; facts: .79129.
    mean = tf.constant([[0.7, -0.3]], tf.float64)
    log_sd = 0.5 * tf.math.log(tf.constant([[0.2, 0.5]], tf.float64))
    log3 = tf.math.log(tf.constant(3.0, tf.float64))
    scaled = d.gaussian_kl(3 * mean, log_sd + log3, prior_log_sd=log3)
    np.testing.assert_allclose([d.gaussian_kl(mean, log_sd)[0], scaled[0]], 0.79129, atol=5e-6)


def test_bernoulli_soft_target_is_minus_cross_entropy():
    p, x = np.array([[0.2, 0.7]]), np.array([[0.5, 0.9]])
    expected = np.sum(x * np.log(p) + (1 - x) * np.log1p(-p))
    np.testing.assert_allclose(d.bernoulli_log_prob(np.log(p / (1 - p)), x), [expected])


def test_bernoulli_probabilities_of_all_images_sum_to_one_and_extremes_are_finite():
    images = np.array([[(i >> b) & 1 for b in range(8)] for i in range(256)])
    logits = np.broadcast_to(RNG.normal(size=8) * 3, images.shape)
    np.testing.assert_allclose(tf.reduce_logsumexp(d.bernoulli_log_prob(logits, images)), 0, atol=1e-12)
    np.testing.assert_array_equal(d.bernoulli_log_prob([[200.0], [-200.0]], [[0.0], [1.0]]), [-200.0, -200.0])


def test_reparameterised_gradient_of_a_quadratic_is_exact_in_mean():
    mean, log_sd = tf.Variable([[0.3, -1.0]], dtype=tf.float64), tf.Variable([[0.1, -0.4]], dtype=tf.float64)
    half = tf.random.stateless_normal([50000, 1, 2], [3, 4], dtype=tf.float64)
    noise = tf.concat([half, -half], 0)  # antithetic: E noise = 0 exactly
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(tf.reduce_sum(d.reparameterise(mean, log_sd, noise) ** 2, -1))
    by_mean, by_log_sd = tape.gradient(value, [mean, log_sd])
    np.testing.assert_allclose(by_mean, 2 * mean, rtol=1e-10)  # d/dm (m^2 + s^2)
    np.testing.assert_allclose(by_log_sd, 2 * tf.exp(2 * log_sd), rtol=0.02)


def test_negative_elbo_weights_kl_by_beta():
    np.testing.assert_allclose(o.negative_elbo(tf.constant([-10.0, -20.0]), tf.constant([1.0, 3.0]), beta=2.0), 19.0)


def gradient_by(loss, logit):
    logit = tf.constant(logit, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(logit)
        value = loss(logit)
    return tape.gradient(value, logit).numpy()


@pytest.mark.parametrize("logit", [-30.0, -5.0, 0.0, 2.0])
def test_generator_gradient_ratio_is_one_minus_d_over_d(logit):
    probability = 1 / (1 + np.exp(-logit))
    plain, saturating = (gradient_by(lambda a, s=s: o.generator_loss(a, saturating=s), logit) for s in (False, True))
    np.testing.assert_allclose([plain, saturating], [probability - 1, -probability], rtol=1e-12)
    np.testing.assert_allclose(plain / saturating, (1 - probability) / probability, rtol=1e-12)


def test_gan_losses_equal_logs_of_probabilities_and_stay_finite():
    a, b = RNG.normal(size=9), RNG.normal(size=9)
    p, q = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b))
    np.testing.assert_allclose(o.discriminator_loss(a, b), -np.log(p).mean() - np.log(1 - q).mean())
    smooth = -(0.9 * np.log(p) + 0.1 * np.log(1 - p)).mean() - np.log(1 - q).mean()
    np.testing.assert_allclose(o.discriminator_loss(a, b, real_label=0.9), smooth)
    np.testing.assert_allclose(o.generator_loss(b), -np.log(q).mean())
    np.testing.assert_allclose(o.generator_loss(b, saturating=True), np.log(1 - q).mean())
    np.testing.assert_allclose(o.discriminator_loss(tf.constant([-1e4]), tf.constant([1e4])), 2e4)
    np.testing.assert_allclose(o.discriminator_loss(tf.zeros([3]), tf.zeros([3])), 2 * np.log(2), rtol=1e-6)


def test_loss_of_the_best_discriminator_is_two_log_two_minus_two_jsd():
    # Two laws on {0, 1}: p = (3/4, 1/4), q = (1/4, 3/4). Best D = p/(p + q), i.e. logit log p - log q.
    p, q = np.array([0.75, 0.25]), np.array([0.25, 0.75])
    logit = np.log(p / q)
    jsd = 0.5 * np.sum(p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q)))
    loss = o.discriminator_loss(logit[[0, 0, 0, 1]], logit[[0, 1, 1, 1]])
    np.testing.assert_allclose(loss, 2 * np.log(2) - 2 * jsd, rtol=1e-12)
    assert o.discriminator_loss(1.1 * logit[[0, 0, 0, 1]], 1.1 * logit[[0, 1, 1, 1]]) > loss


@pytest.mark.parametrize("jit", [False, True])
def test_gradient_penalty_of_a_linear_and_of_a_quadratic_critic(jit):
    real, fake = (tf.constant(RNG.normal(size=(6, 2, 3))) for _ in range(2))
    u = tf.constant(RNG.uniform(size=6))
    w = tf.constant(RNG.normal(size=(2, 3)))

    @tf.function(jit_compile=jit)
    def penalties():
        linear = o.gradient_penalty(lambda x: tf.reduce_sum(w * x, [1, 2]), real, fake, u)
        return linear, o.gradient_penalty(lambda x: 0.5 * tf.reduce_sum(x * x, [1, 2]), real, fake, u)

    linear, quadratic = penalties()
    np.testing.assert_allclose(linear, (np.linalg.norm(w) - 1) ** 2, rtol=1e-10)
    mixed = u[:, None, None] * real + (1 - u[:, None, None]) * fake
    norms = np.linalg.norm(mixed.numpy().reshape(6, -1), axis=1)
    np.testing.assert_allclose(quadratic, np.mean((norms - 1) ** 2), rtol=1e-10)


def test_gradient_penalty_of_a_dead_critic_has_a_finite_derivative():
    scale = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        value = o.gradient_penalty(
            lambda x: scale * tf.reduce_sum(x, 1), tf.ones([2, 3]), tf.zeros([2, 3]), tf.fill([2], 0.5)
        )
    assert np.isfinite(tape.gradient(value, scale))
    np.testing.assert_allclose(value, 1.0, rtol=1e-4)


def test_gradient_penalty_trains_the_critic_to_unit_slope():
    slope = tf.Variable(3.0)
    x = tf.ones([4, 1])
    for _ in range(100):
        with tf.GradientTape() as tape:
            value = o.gradient_penalty(lambda x: slope * x, x, 2 * x, tf.fill([4], 0.3))
        slope.assign_sub(0.1 * tape.gradient(value, slope))
    np.testing.assert_allclose(slope, 1.0, atol=1e-3)


def test_wasserstein_losses():
    real, fake = np.array([1.0, 3.0]), np.array([0.0, 5.0, 1.0])
    np.testing.assert_allclose(o.wasserstein_critic_loss(real, fake), 0.0)
    np.testing.assert_allclose(o.wasserstein_generator_loss(fake), -2.0)


# --- likelihood: a linear-Gaussian model, where everything is known ---------------------------------------------------
# z ~ N(0, I_2), x | z ~ N(W z, s^2 I_3), so x ~ N(0, W W' + s^2 I) and z | x ~ N(mean, C), C = (I + W'W / s^2)^-1.

W = np.array([[1.0, 0.2], [-0.5, 0.8], [0.3, 0.4]])
SD = 0.5
X = RNG.multivariate_normal(np.zeros(3), W @ W.T + SD**2 * np.eye(3), size=6)
EXACT = multivariate_normal(np.zeros(3), W @ W.T + SD**2 * np.eye(3)).logpdf(X)
POSTERIOR_COV = np.linalg.inv(np.eye(2) + W.T @ W / SD**2)
NUMBERS = np.arange(6)


def encode(widen=1.0):
    """The best diagonal q, or one that is wider."""
    log_sd = 0.5 * np.log(1 / np.diag(np.linalg.inv(POSTERIOR_COV))) + np.log(widen)
    return lambda x: (x @ (W @ POSTERIOR_COV / SD**2), tf.constant(log_sd) + tf.zeros_like(x[:, :2]))


def log_p_given(x, z):
    return d.gaussian_log_prob(x, z @ W.T, tf.constant(np.log(SD), tf.float64))


def estimate(n, widen=1.2, x=X, numbers=NUMBERS, **options):
    weights = like.gaussian_log_weights(encode(widen), log_p_given)
    return like.importance_log_likelihood(weights, n, inputs=(x, numbers), **options)


@pytest.mark.parametrize("jit", [False, True])
def test_estimate_of_a_linear_gaussian_model_is_exact_within_its_error(jit):
    result = estimate(20000, chunk=999, jit_compile=jit)
    assert np.all(np.abs(result.estimate - EXACT) < 4 * result.standard_error)
    assert np.all(result.standard_error < 0.02)


def test_weights_of_the_exact_posterior_are_constant():
    # With one latent dimension the diagonal q is the posterior: every weight is p(x), ESS is n, the error 0.
    w = np.array([[1.0], [2.0]])
    x = RNG.normal(size=(3, 2))
    c = 1 / (1 + (w.T @ w).item())
    weights = like.gaussian_log_weights(
        lambda x: (x @ w * c, tf.fill([3, 1], tf.constant(0.5 * np.log(c), tf.float64))),
        lambda x, z: d.gaussian_log_prob(x, z @ w.T, tf.constant(0.0, tf.float64)),
    )
    result = like.importance_log_likelihood(weights, 40, chunk=16, inputs=(x, np.arange(3)))
    np.testing.assert_allclose(result.estimate, multivariate_normal(np.zeros(2), w @ w.T + np.eye(2)).logpdf(x))
    np.testing.assert_allclose(result.ess, 40)
    np.testing.assert_allclose(result.standard_error, 0, atol=1e-6)


def test_streaming_equals_one_array_of_all_weights():
    kept = []

    def keep(seed, chunk):
        logs = tf.random.stateless_normal([chunk, 4], seed, dtype=tf.float64) * 3 - 700
        tf.py_function(lambda v: kept.append(v.numpy()), [logs], [])
        return logs

    result = like.importance_log_likelihood(keep, 23, chunk=5)
    weights = np.exp(np.concatenate(kept) + 700)
    assert weights.shape == (23, 4)
    np.testing.assert_allclose(result.estimate, np.log(weights.mean(0)) - 700, rtol=1e-12)
    np.testing.assert_allclose(result.ess, weights.sum(0) ** 2 / (weights**2).sum(0), rtol=1e-9)
    error = weights.std(0, ddof=1) / np.sqrt(23) / weights.mean(0)
    np.testing.assert_allclose(result.standard_error, error, rtol=1e-9)


def test_estimate_grows_with_n_towards_log_p_and_starts_at_the_elbo():
    x, numbers = np.repeat(X[:1], 1500, 0), np.arange(1500)
    results = [estimate(n, widen=2.0, x=x, numbers=numbers).estimate for n in (1, 3, 10, 30)]
    means, errors = (np.array([f(r) for r in results]) for f in (np.mean, lambda r: r.std() / np.sqrt(1500)))
    assert np.all(np.diff(means) > 3 * errors[1:])
    assert means[-1] < EXACT[0]
    # n = 1 is the ELBO; its gap is KL(q || posterior), here in closed form through TFP.
    mean, log_sd = encode(2.0)(tf.constant(X[:1]))
    gap = tfd.MultivariateNormalDiag(mean, tf.exp(log_sd)).kl_divergence(
        tfd.MultivariateNormalTriL(mean, tf.linalg.cholesky(POSTERIOR_COV))
    )
    assert abs(means[0] - (EXACT[0] - gap.numpy().item())) < 4 * errors[0]


def test_standard_error_equals_the_scatter_of_independent_estimates():
    result = estimate(200, x=np.repeat(X[:1], 400, 0), numbers=np.arange(400))
    np.testing.assert_allclose(result.estimate.std(ddof=1), result.standard_error.mean(), rtol=0.12)


def test_estimate_does_not_depend_on_the_batch_but_images_get_their_own_noise():
    together = estimate(30, chunk=10)
    np.testing.assert_allclose(estimate(30, chunk=10, batch=4).estimate, together.estimate, rtol=1e-12)
    order = [4, 1, 0]
    some = estimate(30, chunk=10, x=X[order], numbers=NUMBERS[order])
    np.testing.assert_allclose(some.estimate, together.estimate[order], rtol=1e-12)
    assert not np.allclose(estimate(30, chunk=10, seed=2).estimate, together.estimate)
    noise = tf.function(like.image_noise)(tf.constant([1, 2]), tf.range(100), 50, [3]).numpy()
    assert abs(noise.mean()) < 4 / np.sqrt(noise.size) and abs(noise.var() - 1) < 4 * np.sqrt(2 / noise.size)
    between = np.corrcoef(noise.transpose(1, 0, 2).reshape(100, -1))
    assert np.abs(between - np.eye(100)).max() < 5.5 / np.sqrt(150)


def test_prior_sampling_needs_many_more_draws_than_the_posterior():
    def log_weights(seed, chunk):
        z = tf.random.stateless_normal([chunk, 2], seed, dtype=tf.float64)
        return d.gaussian_log_prob(X[None], (z @ W.T)[:, None], tf.constant(np.log(SD), tf.float64), batch_axes=2)

    prior = like.importance_log_likelihood(log_weights, 20000, chunk=1000)
    assert np.all(np.abs(prior.estimate - EXACT) < 4 * prior.standard_error)
    assert np.all(prior.ess < 0.6 * estimate(20000).ess)


def test_pairwise_bernoulli_equals_one_by_one():
    logits, x = RNG.normal(size=(5, 2, 3)), RNG.integers(0, 2, (4, 2, 3))
    one_by_one = d.bernoulli_log_prob(logits[:, None], x[None], batch_axes=2)
    np.testing.assert_allclose(like.pairwise_bernoulli_log_prob(logits, x), one_by_one, rtol=1e-12)


def test_too_large_chunk_is_halved_with_a_warning_until_it_fits():
    tried = []

    def log_weights(seed, chunk, x):
        tried.append(chunk)
        if chunk > 5:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return tf.random.stateless_normal([chunk, x.shape[0]], seed, dtype=tf.float64)

    with pytest.warns(UserWarning, match="chunks of (10|5) draws"):
        result = like.importance_log_likelihood(log_weights, 40, chunk=20, inputs=(np.zeros(7),), batch=3)
    assert tried[:3] == [20, 10, 5] and 20 not in tried[3:]
    assert np.isfinite(result.estimate).all() and result.estimate.shape == (7,)

    def hopeless(seed, chunk):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    with pytest.raises(UserError, match="smaller batch"), pytest.warns(UserWarning):
        like.importance_log_likelihood(hopeless, 4, chunk=4)


def test_weights_of_zero_and_mistakes():
    def half(seed, chunk):
        return tf.tile([[0.0, -np.inf]], [chunk, 1]) if chunk == 2 else tf.constant([[0.0, -np.inf]])

    result = like.importance_log_likelihood(half, 5, chunk=2)
    np.testing.assert_array_equal(result.estimate, [0, -np.inf])
    for n, chunk in ((0, 1), (5, 0)):
        with pytest.raises(UserError, match="at least one draw"):
            like.importance_log_likelihood(half, n, chunk)
    with pytest.raises(UserError, match="leading axis"):
        like.importance_log_likelihood(half, 3, inputs=(np.zeros(2), np.zeros(3)))
