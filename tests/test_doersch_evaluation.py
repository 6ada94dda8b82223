"""How the VAE tutorial's networks are measured: log P(X), bits, neighbours, on cases with known answers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp

from reproductions.doersch import completions, figures_networks, likelihoods, models

TRAINING = {"learning_rate": 1e-3, "beta_1": 0.9, "weight_decay": 0.0, "hidden": (9, 8, 7)}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (60, 6, 6, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def vae(images):
    """One latent, so that log P(X) is an integral on a line; weights large enough for z to matter."""
    keras.utils.set_random_seed(3)
    net = models.VAE(images, latent=1, **TRAINING)
    net.decoder.set_weights([2 * w for w in net.decoder.get_weights()])
    return net


@pytest.fixture(scope="module")
def exact(vae, images):
    """(binary images, log P(X) by the trapezoidal rule on 4001 points)."""
    bits = (images > 127).astype(np.uint8)[:20] * np.uint8(255)
    z = np.linspace(-9, 9, 4001)
    logits = vae.decoder(z[:, None].astype(np.float32)).numpy().astype(np.float64)
    x = bits.reshape(20, -1) / 255.0
    log_p = x @ logits.T - np.logaddexp(0, logits).sum(1)
    return bits, logsumexp(log_p - z**2 / 2 - 0.5 * np.log(2 * np.pi) + np.log(z[1] - z[0]), axis=1)


def test_both_samplers_reach_log_p(vae, exact):
    bits, log_p = exact
    weights, log_p_x_given_z = likelihoods.importance_draws(vae, bits, draws=2_000, seed=1, chunk=200)
    estimate, variance = likelihoods.estimate(weights)
    assert np.all(np.abs(estimate - log_p) < 5 * np.sqrt(variance) + 1e-3)
    sums, squares = likelihoods.prior_log_sums(vae, bits, draws=20_000, seed=1, block=1_000)
    prior = logsumexp(sums, axis=0) - np.log(20_000)
    ess = np.exp(2 * logsumexp(sums, axis=0) - logsumexp(squares, axis=0))
    assert np.all(np.abs(prior - log_p) < 5 / np.sqrt(ess))
    kl = likelihoods.bound_terms(vae, bits)["kl"]
    metrics = likelihoods.bits_of(weights, log_p_x_given_z, kl)
    assert -metrics["log_p_nats"] == pytest.approx(metrics["code_total_nats"], abs=0.1)
    assert metrics["code_difference_in_standard_errors"] < 4
    assert metrics["elbo_below_log_p"] == 1.0 and metrics["gap_nats"] > 0
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(60)
    mean, log_sd = (part.numpy().astype(np.float64) for part in vae.posterior(bits / np.float32(255)))
    at = (mean + np.exp(log_sd) * nodes).reshape(-1, 1).astype(np.float32)
    logits = vae.decoder(at).numpy().reshape(20, 60, -1).astype(np.float64)
    x = bits.reshape(20, 1, -1) / 255.0
    given = -((x * logits - np.logaddexp(0, logits)).sum(-1) @ node_weights / np.sqrt(2 * np.pi))
    error = np.sqrt((log_p_x_given_z[:1_000].var(0) / 1_000).sum()) / 20
    assert error < 3 and metrics["code_x_given_z_nats"] == pytest.approx(given.mean(), abs=4 * error)
    for wrong in (0 * kl, 1.5 * kl):  # a wrong closed form, or none, does not pass
        assert likelihoods.bits_of(weights, log_p_x_given_z, wrong)["code_difference_in_standard_errors"] > 4


def test_bound_terms_do_not_depend_on_the_batch(vae, images, monkeypatch):
    whole = likelihoods.bound_terms(vae, images, seed=2)
    monkeypatch.setattr(likelihoods.over_batches, "__defaults__", (7,))
    parts = likelihoods.bound_terms(vae, images, seed=2)
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-5)


def test_prior_draws_are_counted_in_the_right_blocks():
    sums = (np.log(100) + np.zeros((10, 3)), np.log(100) + np.zeros((10, 3)))  # all weights 1
    metrics = likelihoods.prior_against_q(np.random.default_rng(1).normal(0.5, 0.1, (300, 3)), sums)
    found = [metrics["prior_log_p_100_nats"], metrics["prior_log_p_1000_nats"]]
    np.testing.assert_allclose(found, 0, atol=1e-12)
    assert metrics["prior_ess_median"] == pytest.approx(1_000) and metrics["prior_below_q"] == 1.0


def test_mutual_information_at_its_ends():
    far = np.arange(8.0)[:, None] * 100
    found = likelihoods.information(far, np.full((8, 1), -1.0), 8, 1)
    assert found["mutual_information_nats"] == pytest.approx(np.log(8), abs=1e-6)
    same = likelihoods.information(np.zeros((8, 2)), np.zeros((8, 2)), 8, 1)
    assert same["mutual_information_nats"] == pytest.approx(0, abs=1e-9) and same["kl_nats"] == 0


def test_entropy_floor_and_mean_image_bound_the_cross_entropy(images):
    coin = np.full((2, 4, 4, 1), 128, np.uint8)
    assert likelihoods.entropy_floor(coin) == pytest.approx(16 * np.log(2), rel=1e-4)
    assert likelihoods.entropy_floor(np.array([[0, 255]], np.uint8)) == 0
    assert likelihoods.entropy_floor(images) < likelihoods.mean_image_cross_entropy(images, images)
    same = np.repeat(images[:1], 3, axis=0)
    assert likelihoods.mean_image_cross_entropy(same, same) == pytest.approx(likelihoods.entropy_floor(same), rel=1e-4)


def test_active_units_are_those_whose_mean_moves():
    mean = np.stack([np.linspace(-1, 1, 50), np.zeros(50)], axis=1)
    found = likelihoods.active_units(mean, np.full((50, 2), np.log(0.5)))
    assert found["active_units"] == 1
    assert found["inactive_kl_nats"] == pytest.approx((0.25 - 1 - np.log(0.25)) / 2)


@pytest.fixture(scope="module")
def cvae(images):
    keras.utils.set_random_seed(4)
    net = models.CVAE(images, latent=2, wiring="add", **TRAINING)
    net.decoder.set_weights([3 * w for w in net.decoder.get_weights()])  # so that z matters
    return net


def test_completed_images_keep_the_given_column(cvae, images):
    probability = np.arange(3 * 30).reshape(3, 30) / 100
    done = completions.completed(cvae, images[:3], probability)
    np.testing.assert_array_equal(done[:, :, 2], images[:3, :, 2] / np.float32(255))
    np.testing.assert_allclose(np.delete(done[..., 0], 2, axis=2).reshape(3, 30), probability, rtol=1e-6)


def test_error_of_one_draw_is_that_of_the_mean_plus_the_spread(cvae, images):
    """E |p - y|^2 = |E p - y|^2 + variance, and the mean distance of two draws is twice the variance."""

    class Judge:
        def probabilities(self, images):
            return np.eye(10)[np.arange(len(images)) % 3]  # three classes, a third each

    found = completions.many_draws(cvae, images, Judge(), draws=50, judged=4, seed=1)
    one = np.mean([completions.predictions(cvae, images, seed)["squared_error"].mean() for seed in range(5)])
    variance = found["pairwise_squared_distance"] / 2
    assert variance > 0.2 * one  # else this test says little
    assert one == pytest.approx(found["squared_error_of_mean"] + variance, rel=0.08)
    assert found["squared_error_of_best"] < one
    assert found["several_classes_share"] == 1.0 and found["classes_mean"] == 3


def test_a_copy_of_the_nearest_answer_counts_as_matching(images):
    class Data:
        train, test = images, images[:5]

    keras.utils.set_random_seed(5)
    net = models.Regressor(images, task="half", **TRAINING)
    answers = models.columns(tf.constant(images / 255.0), net.wanted).numpy()
    copied = completions.like_a_neighbour(net, Data, answers[:5], 5, many=40)
    averaged = completions.like_a_neighbour(net, Data, np.repeat(answers.mean(0)[None], 5, axis=0), 5, many=59)
    assert (copied["nearer_to_one_neighbour"], averaged["nearer_to_one_neighbour"]) == (1.0, 0.0)


def test_figure_8_halves_the_light_in_the_authors_noise(cvae):
    grey = np.full((60, 6, 6, 1), 153, np.uint8)  # .6
    arrays = completions.figure_8(cvae, grey, seed=1)
    noise = np.random.RandomState(1).uniform(size=(100, 1, 6, 1)).reshape(100, 6)[:60]
    np.testing.assert_array_equal(arrays["fig8_right_column"], noise < 0.6)
    np.testing.assert_array_equal(arrays["fig8_code_column"], noise < 0.3)
    drawn = figures_networks.with_column(arrays["fig8_code"], arrays["fig8_code_column"], place=2, drop=True)
    assert drawn.shape == (60, 6, 5, 3)  # one generated column is missing
