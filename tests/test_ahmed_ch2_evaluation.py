"""Chapter 2's numbers of nats: estimators on models with a known answer, binary data, memory, draws and codes."""

import common  # noqa: F401

# isort: split
import keras
import numpy as np
import pytest
import tensorflow as tf
from marks import needs_data
from scipy.special import logsumexp
from scipy.stats import bernoulli, norm

from common import data
from common.data import binary, cache
from common.data.images import Images
from common.errors import UserError
from common.evaluation import nats
from common.models import pixels
from common.probability import growth, memory
from common.probability import likelihood as like
from common.probability.growth import grown_log_likelihood, pooled
from common.probability.likelihood import gaussian_log_weights
from common.training.checkpoints import save_whole
from common.training.fit import fit
from reproductions.ahmed_ch2 import bounds, codes, evaluation, models, runs, samples

# --- Estimators on a linear-Gaussian model ----------------------------------------------------------------------------


def test_estimate_is_log_p_within_its_error_and_grows_with_the_draws():
    x, log_p, elbo, encode, log_p_given = bounds.linear_gaussian(seed=3, images=200)
    weights = gaussian_log_weights(encode, log_p_given)
    found = grown_log_likelihood(weights, 3_001, (1, 10), 500, 1, (x, np.arange(200)))
    assert np.all(np.abs(found.final.estimate - log_p) < 5 * found.final.standard_error)
    assert np.mean(np.abs(found.final.estimate - log_p) < 2 * found.final.standard_error) > 0.9
    assert list(found.fewer) == [1, 10, 1_500]
    means = [elbo.mean(), *(values.mean() for values in found.fewer.values()), found.final.estimate.mean()]
    assert abs(means[1] - means[0]) < 4 * (found.fewer[1] - elbo).std() / np.sqrt(200)  # one draw: the ELBO
    assert np.all(np.diff(means[1:]) > 0) and means[-1] < log_p.mean() + 0.01
    assert np.all(found.final.estimate >= found.fewer[1_500] - 1e-12)  # for every image, because log is concave


def test_two_halves_are_one_stream():
    """The halves' draws put together by hand, against NumPy on all weights at once."""
    rng = np.random.default_rng(0)
    logs = 40 * rng.normal(size=(13, 5)) - 700

    def estimate(part):
        sums, n = logsumexp(part, axis=0), len(part)
        ess = np.exp(2 * sums - logsumexp(2 * part, axis=0))
        return like.LogLikelihood(sums - np.log(n), ess, None)

    both = pooled(estimate(logs[:7]), estimate(logs[7:]), 7, 6)
    weights = np.exp(logs - logs.max(0))
    np.testing.assert_allclose(both.estimate, np.log(weights.mean(0)) + logs.max(0), rtol=1e-12)
    np.testing.assert_allclose(both.ess, weights.sum(0) ** 2 / (weights**2).sum(0), rtol=1e-9)
    error = weights.std(0, ddof=1) / np.sqrt(13) / weights.mean(0)
    np.testing.assert_allclose(both.standard_error, error, rtol=1e-6)


def test_chunks_are_all_that_memory_holds():
    """No tensor of the graph has more draws than a chunk, whatever N is."""
    seen = []

    def weights(seed, chunk):
        seen.append(chunk)
        return tf.random.stateless_normal([chunk, 3], seed, dtype=tf.float64)

    grown_log_likelihood(weights, 5_000, (), 7)
    assert max(seen) == 7


@pytest.mark.parametrize(("n", "chunk"), [(0, 1), (-3, 1), (5, 0)])
def test_no_draws_is_one_clear_line(n, chunk):
    with pytest.raises(UserError, match="at least one draw"):
        grown_log_likelihood(lambda seed, chunk: tf.zeros([chunk, 1]), n, (), chunk)


def test_what_does_not_fit_is_halved_with_a_warning_before_it_runs(monkeypatch):
    ran = []

    def weights(seed, chunk, x):
        big = tf.random.stateless_normal([chunk, x.shape[0], 1_000], seed)
        tf.py_function(lambda: ran.append(chunk), [], [])
        return tf.reduce_mean(big, -1)

    monkeypatch.setattr(memory, "free_bytes", lambda: 1.1e6)  # one draw of 4 images: 16 kB in, 16 kB out, SEVERAL times
    with pytest.warns(UserWarning, match="a chunk of 64 draws needs about .* GB are free: going on with chunks of 8"):
        found = grown_log_likelihood(weights, 64, (), 64, inputs=(np.zeros((4, 1)),))
    assert set(ran) == {8} and np.isfinite(found.final.estimate).all()
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e3)
    with pytest.raises(UserError, match="choose a smaller model or batch"):
        grown_log_likelihood(weights, 64, (), 64, inputs=(np.zeros((4, 1)),))


@pytest.mark.parametrize("error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "out of memory")])
def test_an_allocation_that_fails_is_halved_with_a_warning(monkeypatch, error):
    tried = []

    def weights(seed, chunk):
        if len(tried) < 100 and chunk > 5:
            tried.append(chunk)
            raise error
        return tf.random.stateless_normal([chunk, 2], seed, dtype=tf.float64)

    monkeypatch.setattr(growth, "_bytes_of_one", lambda *_: 0)
    with pytest.warns(UserWarning, match="chunks of 5 draws"):
        found = grown_log_likelihood(weights, 40, (), 20)
    assert tried[:2] == [20, 10] and np.isfinite(found.final.estimate).all()


def test_free_memory_and_working_set_are_those_of_this_machine():
    assert 2**20 < memory.free_bytes() < 2**50
    spec = tf.TensorSpec([10, 100], tf.float32)
    assert memory.working_set(lambda x: tf.matmul(x, tf.ones([100, 50])), spec) == 4 * (10 * 100 + 100 * 50 + 10 * 50)


# --- The chapter's evaluation, on models whose likelihoods can be had another way -------------------------------------


class TinyVAE:
    """One latent, 28 x 28 pixels, of which only the first four have anything to do with z; log p(x) by quadrature."""

    latent = 1

    def posterior(self, image):
        pixels = tf.reshape(image, [-1, 784])[:, :4]
        return tf.reduce_sum(pixels, 1, keepdims=True) * 0.5 - 1.0, 0.0 * pixels[:, :1] - 0.3

    def decoder_logits(self, image, z):
        first = z * tf.constant([[1.0, -0.5, 2.0, 0.3]])
        return tf.reshape(tf.concat([first, tf.zeros([tf.shape(z)[0], 780])], 1), [-1, 28, 28, 1])


def some_bits(count, seed=0):
    return (np.random.default_rng(seed).random((count, 28, 28, 1)) < 0.5).astype(np.uint8) * np.uint8(255)


def quadrature(bits):
    """(log p(x), -ELBO, KL) of TinyVAE, float64 [N] each, on a grid of z."""
    x = bits.reshape(-1, 784)[:, :4] / 255.0
    z = np.linspace(-9, 9, 4_001)
    log_p = bernoulli.logpmf(x[:, None], 1 / (1 + np.exp(-z[:, None] * [1.0, -0.5, 2.0, 0.3]))).sum(-1)
    log_p += 780 * np.log(0.5)
    step, mean, sd = np.log(z[1] - z[0]), x.sum(1)[:, None] * 0.5 - 1.0, np.exp(-0.3)
    kl = 0.5 * (mean[:, 0] ** 2 + sd**2 - 1 - 2 * np.log(sd))
    expected = (np.exp(norm.logpdf(z, mean, sd) + step) * log_p).sum(1)
    return logsumexp(log_p + norm.logpdf(z) + step, axis=1), kl - expected, kl


def test_bound_and_estimate_of_a_vae_equal_quadrature():
    bits = some_bits(120)
    log_p, negative_elbo, kl = quadrature(bits)
    terms = nats.bound(TinyVAE(), bits, draws=400)
    np.testing.assert_allclose(terms["kl"], kl, rtol=1e-5)
    np.testing.assert_allclose(terms["bound"], terms["kl"] + terms["reconstruction"], rtol=1e-7)
    assert abs((terms["bound"] - negative_elbo).mean()) < 0.02 and np.abs(terms["bound"] - negative_elbo).max() < 0.35
    numbers = evaluation.spread_out(40, 120)
    found = nats.importance(TinyVAE(), bits, numbers, 2_000, chunk=100)
    assert np.all(np.abs(found.final.estimate - log_p[numbers]) < 5 * found.final.standard_error + 1e-4)


def test_reported_estimate_is_the_bound_of_all_images_minus_the_gap_of_some():
    bits = some_bits(60)
    options = {"bound_draws": 50, "estimate_images": 20, "estimate_draws": 400, "chunk": 50}
    metrics, arrays = evaluation.likelihoods(TinyVAE(), bits, options)
    log_p, negative_elbo, _ = quadrature(bits)
    assert metrics["nll_estimate_nats"] == pytest.approx(-log_p.mean(), abs=4 * metrics["gap_se_nats"] + 0.02)
    assert metrics["nll_bound_nats"] == pytest.approx(negative_elbo.mean(), abs=0.05)
    assert metrics["gap_nats"] == pytest.approx(metrics["nll_bound_nats"] - metrics["nll_estimate_nats"])
    assert 1 <= metrics["ess_smallest"] <= metrics["ess_median"] <= 400
    assert metrics["gain_over_10_nats"] > metrics["gain_over_100_nats"] > metrics["gain_over_200_nats"] > 0
    np.testing.assert_array_equal(arrays["estimated"], np.arange(0, 60, 3))


def test_exact_likelihood_is_the_sum_of_pixels_and_noise_belongs_to_the_image(monkeypatch):
    keras.utils.set_random_seed(2)
    bits = some_bits(7)
    game = models.GatedPixelCNN(bits, 1, 3)
    logits = game.decoder_logits(tf.constant(bits / 255.0, tf.float32)).numpy().astype(np.float64)
    expected = -bernoulli.logpmf(bits // 255, 1 / (1 + np.exp(-logits))).sum((1, 2, 3))
    np.testing.assert_allclose(nats.exact(game, bits), expected, rtol=1e-5)
    whole = nats.bound(TinyVAE(), bits, draws=2)["bound"]
    monkeypatch.setattr(nats, "BATCH", 3)
    np.testing.assert_allclose(nats.bound(TinyVAE(), bits, draws=2)["bound"], whole, rtol=1e-6)


# --- Data -------------------------------------------------------------------------------------------------------------


def grey_set(count=60):
    grey = np.random.default_rng(1).integers(0, 256, (count, 28, 28, 1)).astype(np.uint8)
    return Images("toy", grey, grey[:12], np.arange(count) % 10, np.arange(12) % 10)


def test_own_draw_is_the_same_for_all_and_dynamic_keeps_training_images_grey():
    images = grey_set()
    own, dynamic = binary.binary_images(images, "own_draw"), binary.binary_images(images, "dynamic")
    assert len(own.train) == 50 and len(own.validation) == 10  # the last sixth is not trained on
    np.testing.assert_array_equal(own.test, dynamic.test)
    np.testing.assert_array_equal(own.train_labels, images.train_labels[:50])
    np.testing.assert_array_equal(dynamic.train, images.train[:50])
    assert set(np.unique(own.train)) == set(np.unique(dynamic.validation)) == {0, 255}
    assert abs(own.train.mean() - images.train[:50].mean()) < 2  # of 0..255: the draw keeps the grey mean
    descriptions = {binary.binary_images(images, kind).description for kind in ("own_draw", "dynamic")}
    assert len(descriptions | {binary.WORDS["fixed"]}) == 3  # what keeps their records apart


def test_grey_where_binary_is_required_is_one_clear_line_and_so_is_the_reverse():
    with pytest.raises(UserError, match="grey values in 'toy' where binary ones are required"):
        binary.binary_images(grey_set(), "fixed")
    bits = some_bits(12)
    with pytest.raises(UserError, match="'bits' is binary already: choose grey images for --variant=dynamic"):
        binary.binary_images(Images("bits", bits, bits), "dynamic")
    with pytest.raises(UserError, match="grey values in 'the test images'"):
        nats.exact(None, grey_set().test)
    with pytest.raises(UserError, match="unknown binarisation 'none'"):
        binary.binary_images(grey_set(), "none")


def test_validation_bits_that_are_not_the_originals_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "binarized_mnist").mkdir()
    packed = tmp_path / "binarized_mnist" / "binarized_mnist_packed.npz"
    np.savez(packed, valid=np.zeros((10_000, 98), np.uint8))
    with pytest.raises(UserError, match="not the original ones"):
        binary.fixed_validation(str(tmp_path))
    packed.unlink()
    with pytest.raises(UserError, match="validation images of 'binarized_mnist' were not found"):
        binary.fixed_validation(str(tmp_path))


@needs_data
def test_the_fixed_set_and_its_validation_images():
    bits = binary.binary_images(data.load("binarized_mnist"), "fixed")
    assert [len(part) for part in (bits.train, bits.validation, bits.test)] == [50_000, 10_000, 10_000]
    assert all(binary.is_binary(part) for part in (bits.train, bits.validation, bits.test))
    assert cache.read("binarized_mnist-validation") is not None
    ink = (bits.test > 0).mean((1, 2, 3))  # sorted by class: ones, which have the least ink, stand after 980 zeros
    assert ink[:980].mean() > 1.5 * ink[980 : 980 + 1135].mean()
    assert 0.9 < (samples.spread(bits.test, 500) > 0).mean() / ink.mean() < 1.1
    known = {image.tobytes() for image in bits.train}
    assert not any(image.tobytes() in known for image in bits.validation[:500])


# --- Training options, draws, codes -----------------------------------------------------------------------------------


def test_state_with_the_lowest_validation_bound_is_chosen(tmp_path):
    bits = some_bits(20)
    keras.utils.set_random_seed(1)
    game, paths, values = models.GatedPixelCNN(bits, 0, 2), [], []
    for number, shift in enumerate((0.5, 0.0, 3.0)):  # the bits are fair coins: bias 0 is best
        for variable in game.trainable_variables:
            variable.assign(tf.zeros_like(variable) + shift * (variable.name == "bias"))
        game.steps_done.assign(number)
        paths.append(tmp_path / f"{number}.weights.h5")
        save_whole(game, paths[-1])
        values.append(nats.exact(game, bits).mean())
    assert values[1] == pytest.approx(784 * np.log(2), rel=1e-5) and np.argmin(values) == 1
    assert runs.choose(game, paths, bits, 1) == "after 1 iterations, the best of 3 on 20 images"
    assert nats.exact(game, bits).mean() == pytest.approx(values[1])


def test_averaged_weights_are_those_of_the_optimiser_whatever_keras_does_at_the_end(tmp_path):
    """Keras's fit itself swaps weights for averages when it ends; the order of variables must not matter."""
    bits = some_bits(20)
    keras.utils.set_random_seed(1)
    game = models.GatedPixelVAE(bits, 1, 3, 3, 2, upsample=True, optimizer=pixels.adam(average=0.9))
    fit(game, steps=3, batch=5, seed=1, work=tmp_path, jit="eager", progress=False)
    pixels.use_average(game)
    optimizer = game.players["vae"].optimizer
    averages = optimizer._model_variables_moving_average
    assert len(averages) == len(game.players["vae"].variables)
    for variable, average in zip(game.players["vae"].variables, averages, strict=True):
        assert variable.shape == average.shape
        np.testing.assert_array_equal(variable, average)
    before = [v.numpy() for v in game.trainable_variables]
    pixels.use_average(game)
    assert all(np.array_equal(a, b) for a, b in zip(before, game.trainable_variables, strict=True))


def test_a_checkpoint_of_another_architecture_is_one_clear_line(tmp_path):
    bits = some_bits(10)
    fit(models.GatedPixelCNN(bits, 1, 3), steps=1, batch=5, seed=1, work=tmp_path, jit="eager", progress=False)
    with pytest.raises(UserError, match="belongs to another architecture"):
        fit(models.GatedPixelCNN(bits, 1, 4), steps=2, batch=5, seed=1, work=tmp_path, jit="eager", progress=False)


def test_patches_are_coded_one_to_one():
    images = some_bits(3)
    found = samples.patch_codes(images)
    assert found.shape == (3, 24, 24)
    for image, row, column in ((0, 0, 0), (2, 23, 11)):
        patch = images[image, row : row + 5, column : column + 5, 0].ravel() > 0
        assert found[image, row, column] == np.sum(patch * 2 ** np.arange(25))
    seen = samples.seen_patches(images[:2])
    assert samples.unseen_share(images[:2], seen) == 0.0
    assert samples.unseen_share(images[2:], seen) > 0.99  # 25 fair coins hardly ever fall alike
    assert np.isnan(samples.unseen_share(np.zeros_like(images), seen))


def test_draws_follow_the_uniforms_and_the_model():
    """A net whose logits are its bias: pixels are 1 where u < sigmoid(bias)."""
    bits = some_bits(4)
    game = models.GatedPixelVAE(bits, 0, 2, latent=2)
    for variable in game.decoder.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    game.decoder.logits.bias.assign([-1.0])
    drawn = samples.draws(game, 30, seed=4)
    assert drawn.shape == (30, 28, 28, 1) and set(np.unique(drawn)) == {0, 255}
    p = 1 / (1 + np.e)
    assert abs(drawn.mean() / 255 - p) < 5 * np.sqrt(p * (1 - p) / drawn.size)
    np.testing.assert_array_equal(drawn, samples.draws(game, 30, seed=4))
    assert np.mean(drawn != samples.draws(game, 30, seed=5)) > 0.2


def test_neighbours_information_and_silhouette_at_their_ends():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    apart = 100.0 * labels[:, None] + rng.normal(size=(400, 2))
    mixed = rng.normal(size=(400, 2))
    assert codes.neighbour_errors(apart[:200], labels[:200], apart[200:], labels[200:]) == {1: 0, 5: 0, 15: 0}
    errors = codes.neighbour_errors(mixed[:200], labels[:200], mixed[200:], labels[200:])
    assert all(60 < error < 90 for error in errors.values())
    found = [codes.information(c[:200], labels[:200], c[200:], labels[200:]) for c in (apart, mixed)]
    assert np.log(4) - 0.1 < found[0] < np.log(4) and found[1] < 0.05
    assert codes.silhouette(apart, labels) > 0.95 and codes.silhouette(mixed, labels) < 0.05
    assert codes.active_units(apart) == 2 and codes.active_units(np.zeros((10, 3))) == 0


def test_moves_are_those_of_the_image_over_the_class_spread():
    """An encoder whose mean is the centre of mass: a shift by a pixel moves it by exactly one."""

    class Centre:
        latent = 2

        def posterior(self, image):
            grid = tf.cast(tf.stack(tf.meshgrid(tf.range(28), tf.range(28), indexing="ij"), -1), tf.float32)
            ink = tf.reduce_sum(image, (1, 2))
            mean = tf.reduce_sum(image * grid, (1, 2)) / ink
            return mean, tf.zeros_like(mean)

    bits = np.zeros((20, 28, 28, 1), np.uint8)
    labels = np.arange(20) % 2
    for number, label in enumerate(labels):
        bits[number, 10 + 4 * label : 13 + 4 * label, 9:12] = 255
    found = codes.moves(Centre(), bits, labels)
    assert found["move_shift"] == pytest.approx(1 / 2)  # class means lie four rows apart: two from their mean
    assert found["move_flips"] > 0
    np.testing.assert_array_equal(codes.shifted(bits, 1, 0)[:, 1:], bits[:, :-1])
    np.testing.assert_array_equal(codes.shifted(bits, 0, -1)[:, :, :-1], bits[:, :, 1:])


def test_bounds_exact_numbers_codes_and_draws_do_not_retrace(caplog):
    """TensorFlow logs it at the fifth trace of a function. Left out: the importance estimate, which traces four times
    a call, and draws of many batch sizes.
    """

    def retraced():
        return [line for line in caplog.messages if "triggered tf.function retracing" in line]

    net = models.GatedPixelCNN(some_bits(4), layers=0, width=2)
    for number in range(6):
        bits = some_bits(3 + number)
        nats.bound(TinyVAE(), bits, draws=1 + number)
        nats.exact(net, bits)
        codes.means(TinyVAE(), bits)
        samples.draws(net, 3, seed=number)
    assert not retraced()
    for _ in range(6):
        tf.function(lambda: tf.constant(1))()
    assert retraced()  # what is looked for would be seen
