"""The VAE tutorial's networks: wiring, initial weights, loss and penalty against numpy and closed forms."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scripts import called

from common.errors import UserError
from common.nets.initialisers import Sparse
from common.training.game import Noise
from reproductions.doersch import models

TRAINING = {"learning_rate": 1e-3, "beta_1": 0.9, "weight_decay": 0.0}
SMALL = TRAINING | {"hidden": (9, 8, 7)}
NETS = {
    "vae": lambda images, **more: models.VAE(images, latent=3, **SMALL | more),
    "cvae": lambda images, **more: models.CVAE(images, latent=3, **SMALL | more),
    "cvae_add": lambda images, **more: models.CVAE(images, latent=3, wiring="add", **SMALL | more),
    "regressor": lambda images, **more: models.Regressor(images, **SMALL | more),
    "half_cvae": lambda images, **more: models.CVAE(images, latent=3, task="half", **SMALL | more),
    "half_regressor": lambda images, **more: models.Regressor(images, task="half", **SMALL | more),
}


@pytest.fixture(autouse=True)
def fixed_seed():
    keras.utils.set_random_seed(7)


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (40, 6, 6, 1)).astype(np.uint8)


class FixedNoise:
    """Noise that a test knows beforehand."""

    def __init__(self, normal, uniform=None):
        self.given = {"normal": normal, "uniform": uniform}

    def normal(self, *shape):
        return tf.reshape(tf.constant(self.given["normal"], tf.float32), shape)

    def uniform(self, *shape):
        return tf.reshape(tf.constant(self.given["uniform"], tf.float32), shape)


def count(net):
    return sum(int(np.prod(v.shape)) for v in net.players["trained"].variables)


def test_parameter_counts_of_the_authors_nets():
    digits = np.zeros((1, 28, 28, 1), np.uint8)
    assert count(models.VAE(digits, **TRAINING)) == 2_844_844
    assert count(models.CVAE(digits, wiring="add", **TRAINING)) == 3_506_316
    assert count(models.CVAE(digits, wiring="add", encoder_sees="full_grey", **TRAINING)) == 3_534_316
    assert count(models.Regressor(digits, **TRAINING)) == 2_100_756
    assert count(models.VAE(digits, latent=2, **TRAINING)) == 2_823_788


def test_the_condition_is_the_column_left_of_the_middle_and_the_target_the_others():
    numbered = tf.reshape(tf.range(28 * 28), (1, 28, 28, 1))
    given, wanted = models.split(numbered, "column")
    assert given == [13]
    np.testing.assert_array_equal(models.columns(numbered, given)[0], np.arange(28) * 28 + 13)
    without = np.delete(np.arange(28 * 28).reshape(28, 28), 13, axis=1)
    np.testing.assert_array_equal(models.columns(numbered, wanted)[0], without.reshape(-1))
    given, wanted = models.split(numbered, "half")
    assert (given, wanted) == (list(range(14)), list(range(14, 28)))


@pytest.mark.parametrize("noise_max", [1.0, 2.0])
def test_binary_condition_has_the_grey_value_as_its_mean(noise_max):
    uniform = tf.constant((np.arange(1000) + 0.5) / 1000, tf.float32)[:, None]
    grey = tf.constant([[0.0, 0.25, 0.5, 1.0]])
    shares = tf.reduce_mean(models.binary(grey, uniform, noise_max), axis=0)
    np.testing.assert_allclose(shares, grey[0] / noise_max, atol=1e-3)


@pytest.mark.parametrize("reads", ["a3", "h3"])
def test_log_sd_reads_the_last_hidden_layer_before_or_after_its_relu(reads):
    encoder = models.encoder(5, 2, (9, 8, 7), log_sd_input=reads)
    encoder.get_layer("encode3").bias.assign(np.full(7, -1e3))  # a3 far below 0, h3 = 0 for every input
    mean, log_sd = encoder(np.random.default_rng(2).normal(size=(4, 5)))
    assert np.ptp(mean, axis=0).max() == 0
    assert (np.ptp(log_sd, axis=0).min() > 0.01) == (reads == "a3")


def test_the_condition_is_summed_before_the_second_relu_of_the_encoder():
    encoder = models.encoder(5, 2, (9, 8, 7), added=True)
    y, c2 = tf.random.stateless_normal((4, 5), (1, 1)), tf.random.stateless_normal((4, 8), (1, 2))
    encode2 = encoder.get_layer("encode2")
    shifted = encoder([y, c2])[0].numpy()
    encode2.bias.assign_add(c2[0])  # for row 0 the summand is a bias
    np.testing.assert_allclose(encoder([y, tf.zeros_like(c2)])[0][0], shifted[0], rtol=1e-5)


@pytest.mark.parametrize("latents, printed", [(1, 15.0), (2, 29.1), (3, 42.4), (4, 54.8), (5, 66.5)])
def test_sparse_weights_leave_the_expected_number_of_units_alive(latents, printed):
    alive = [(Sparse(seed=s)((latents, 250)).numpy() != 0).any(axis=0).sum() for s in range(40)]
    share = 1 - (1 - 15 / 250) ** latents
    assert 250 * share == pytest.approx(printed, abs=0.06)
    assert np.mean(alive) == pytest.approx(250 * share, abs=4 * np.sqrt(250 * share * (1 - share) / 40))


def test_sparse_weights_are_normal_where_they_are_not_zero():
    kernel = Sparse(seed=3)((784, 1000)).numpy()
    kept = kernel[kernel != 0]
    assert (kernel != 0).sum(axis=1).mean() == pytest.approx(15, abs=4 * np.sqrt(15 / 784))
    assert kept.std() == pytest.approx(0.1, rel=4 / np.sqrt(2 * len(kept)))
    assert abs(kept.mean()) < 4 * 0.1 / np.sqrt(len(kept))
    assert not np.array_equal(kernel, Sparse(seed=4)((784, 1000)))


def test_units_without_weights_stay_dead(images):
    net = models.VAE(images, latent=1, init="sparse15", log_sd_input="a3", hidden=(40, 40, 100), **TRAINING)
    rows, seed = tf.range(40)[None], tf.constant([1, 0])
    (gradients,), _ = net.gradients(0, rows, seed)
    variables = net.players["trained"].variables
    decode4 = net.decoder.get_layer("decode4")
    dead = (decode4.kernel.numpy() == 0).all(axis=0)
    assert 50 < dead.sum() < 100
    found = {id(v): g.numpy() for v, g in zip(variables, gradients, strict=True)}
    assert not found[id(decode4.bias)][dead].any() and not found[id(decode4.kernel)][:, dead].any()
    assert found[id(decode4.bias)][~dead].any()


@pytest.mark.parametrize("name", NETS)
def test_the_gradient_reaches_every_parameter(name, images):
    net = NETS[name](images)
    (gradients,), _ = net.gradients(0, tf.range(40)[None], tf.constant([1, 0]))
    for variable, gradient in zip(net.players["trained"].variables, gradients, strict=True):
        assert gradient is not None and np.abs(gradient).max() > 0, variable.path


@pytest.mark.parametrize("name", NETS)
def test_weight_decay_pulls_kernels_only_and_is_not_reported(name, images):
    net = NETS[name](images, weight_decay=5e-4)
    variables = net.players["trained"].variables
    with tf.GradientTape() as tape:
        penalty = net.penalty()
    for variable, gradient in zip(variables, tape.gradient(penalty, variables), strict=True):
        if variable.name == "kernel":
            np.testing.assert_allclose(gradient, 5e-4 * variable.numpy(), rtol=1e-5, atol=1e-9)
        else:
            assert gradient is None
    _, logs = net.gradients(0, tf.range(40)[None], tf.constant([1, 0]))
    reported = logs.get("negative_elbo", logs["cross_entropy"])
    assert float(logs["trained"] - reported) == pytest.approx(float(penalty), rel=1e-3)


def layer(network, name, x):
    kernel, bias = network.get_layer(name).get_weights()
    return x @ kernel.astype(np.float64) + bias


def relu(a):
    return np.maximum(a, 0)


def cross_entropy(logits, x):
    p = 1 / (1 + np.exp(-logits))
    return -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=1).mean()


def normal_kl(mean, log_sd):
    return np.sum(mean**2 / 2 + np.exp(2 * log_sd) / 2 - log_sd - 0.5, axis=1).mean()


def test_negative_elbo_of_the_vae_is_the_authors_formula(images):
    net = NETS["vae"](images, log_sd_input="a3")
    x, eps = images[:10] / 255.0, np.random.default_rng(3).normal(size=(10, 3))
    h = relu(layer(net.encoder, "encode2", relu(layer(net.encoder, "encode1", x.reshape(10, -1)))))
    a3 = layer(net.encoder, "encode3", h)
    mean, log_sd = layer(net.encoder, "mean", relu(a3)), layer(net.encoder, "log_sd", a3)
    h = mean + np.exp(log_sd) * eps
    for name in ("decode4", "decode3", "decode2"):
        h = relu(layer(net.decoder, name, h))
    expected = cross_entropy(layer(net.decoder, "decode1", h), x.reshape(10, -1)) + normal_kl(mean, log_sd)
    logs = net.objectives({"image": tf.constant(x, tf.float32)}, FixedNoise(eps), ("trained",))
    assert float(logs["negative_elbo"]) == pytest.approx(expected, rel=1e-5)


def test_negative_elbo_of_the_cvae_adds_the_condition_twice(images):
    net = NETS["cvae_add"](images, log_sd_input="a3")
    grey, rng = images[:10, :, :, 0] / 255.0, np.random.default_rng(4)
    eps, uniform = rng.normal(size=(10, 3)), rng.random((10, 6))
    x, y = (grey[:, :, 2] > uniform).astype(float), np.delete(grey, 2, axis=2).reshape(10, -1)
    c2 = layer(net.condition_net, "input2", relu(layer(net.condition_net, "input1", x)))
    c4 = layer(net.condition_net, "input4", relu(layer(net.condition_net, "input3", relu(c2))))
    a3 = layer(net.encoder, "encode3", relu(layer(net.encoder, "encode2", relu(layer(net.encoder, "encode1", y))) + c2))
    mean, log_sd = layer(net.encoder, "mean", relu(a3)), layer(net.encoder, "log_sd", a3)
    h = relu(layer(net.decoder, "decode4", mean + np.exp(log_sd) * eps) + c4)
    h = relu(layer(net.decoder, "decode2", relu(layer(net.decoder, "decode3", h))))
    expected = cross_entropy(layer(net.decoder, "decode1", h), y) + normal_kl(mean, log_sd)
    image = tf.constant(grey[..., None], tf.float32)
    logs = net.objectives({"image": image}, FixedNoise(eps, uniform), ("trained",))
    assert float(logs["negative_elbo"]) == pytest.approx(expected, rel=1e-5)


def test_fresh_conditions_in_every_step_and_the_same_for_the_same_step(images):
    net = NETS["regressor"](images)
    image = tf.constant(images[:20], tf.float32) / 255
    draws = [net.drawn_condition(image, Noise(tf.constant([1, step]))).numpy() for step in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert 0.2 < np.mean(draws[0] != draws[2]) < 0.5  # 2 p (1 - p) averaged over uniform p is 1/3


def test_gaussian_output_has_the_normalising_constant(images):
    net = NETS["vae"](images, sigma=0.5)
    image, z = tf.constant(images[:5], tf.float32) / 255, tf.zeros((5, 3))
    error = np.sum((models.flat(image) - net.decoder(z)).numpy() ** 2, axis=1)
    expected = -error / (2 * 0.25) - 36 / 2 * np.log(2 * np.pi * 0.25)
    np.testing.assert_allclose(net.log_likelihood(image, z), expected, rtol=1e-5)


def test_unknown_choices_are_named_in_one_line(images):
    with pytest.raises(UserError, match="unknown init 'glorot'; choose one of sparse15, he"):
        NETS["vae"](images, init="glorot")
    with pytest.raises(UserError, match="unknown log_sd_input"):
        NETS["vae"](images, log_sd_input="h2")


def test_one_command_line_makes_one_record(tmp_path):
    """On a folder of few images, so that the judge is trained in a moment."""
    for c, n in itertools.product("0123456789", range(12)):
        (tmp_path / "images" / c).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(12 * int(c) + n).integers(0, 256, (28, 28)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / c / f"{n}.png")
    flags = ["--scale=smoke", "--model=half_regressor", f"--dataset=folder:{tmp_path}/images", "--jit=eager"]
    flags += ["--set=epochs=1", "--set=batch=10", f"--work_dir={tmp_path}/work", f"--results_dir={tmp_path}/results"]
    (done,) = called([("doersch.digits", flags)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("results/records/doersch/digits/*.json"))) == 1
