"""The models of Ahmed (2017), chapter 2: parameter counts, the bound, gradients, precision, resume."""

import functools
import itertools
import math

import common  # noqa: F401

# isort: split
import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from common.data import feeds
from common.errors import UserError
from common.models import pixels
from common.nets.precision import precision
from common.probability.distributions import bernoulli_log_prob
from common.probability.likelihood import gaussian_log_weights, importance_log_likelihood
from common.training.fit import fit
from common.training.game import Noise
from reproductions.ahmed_ch2 import models

BATCH, LATENT, WIDTH = 6, 4, 4
RANDOM = np.random.default_rng(1)
ROWS = np.linspace(0.02, 0.9, 28)[:, None]  # how often a pixel of each column is 1
IMAGES = (RANDOM.random((24, 28, 28, 1)) < ROWS).astype(np.uint8) * np.uint8(255)
LABELS = np.arange(24) % 3

MAKERS = {
    "conv_vae": functools.partial(models.ConvVAE, latent=LATENT, width=WIDTH),
    "pixelvae": functools.partial(models.PixelVAE, layers=2, width=WIDTH, filter_size=3, latent=LATENT),
    "gated_pixelvae": functools.partial(models.GatedPixelVAE, layers=1, width=WIDTH, filter_size=3, latent=LATENT),
    "gated_pixelvae_up": functools.partial(
        models.GatedPixelVAE, layers=1, width=WIDTH, filter_size=3, latent=LATENT, upsample=True
    ),
    "gated_pixelcnn": functools.partial(models.GatedPixelCNN, layers=1, width=WIDTH, filter_size=3),
    "by_class": functools.partial(models.GatedPixelCNN, layers=1, width=WIDTH, filter_size=3, labels=LABELS),
}
VAES = tuple(name for name in MAKERS if "cnn" not in name and name != "by_class")


def make(name, **kwargs):
    keras.utils.set_random_seed(5)
    return MAKERS[name](IMAGES, **kwargs)


@functools.cache
def shared(name):
    """A game whose weights no test changes; biases are not zero."""
    game, rng = make(name), np.random.default_rng(2)
    for variable in game.trainable_variables:
        if variable.name == "bias":
            variable.assign(rng.normal(0, 0.1, variable.shape))
    return game


def count(variables):
    return sum(math.prod(variable.shape) for variable in variables)


def test_parameter_counts_of_the_rows_without_upsampling():
    """Facts 3.6, recounted: encoder 218,272 + decoder 222,962 = 441,234, weight-norm gains included."""
    game = models.GatedPixelVAE(IMAGES, layers=12, width=16, filter_size=5, latent=16)
    assert (count(game.encoder.variables), count(game.decoder.variables)) == (218_272, 222_962)
    nine = models.GatedPixelVAE(IMAGES, layers=0, width=16, latent=16, encoder_convs=9)
    assert count(nine.encoder.variables) == 218_272 + 36_992


@pytest.mark.parametrize("filter_size, expected", [(3, 668_738), (5, 742_466)])
def test_parameter_count_of_the_row_with_upsampling(filter_size, expected):
    """The number in the authors' notes, to the unit: 3x3 layers, although the flag said 5 (facts 8.3)."""
    game = models.GatedPixelVAE(IMAGES, layers=2, width=32, filter_size=filter_size, latent=32, upsample=True)
    assert count(game.players["vae"].variables) == expected


def objectives(game, seed=(3, 0), rows=range(BATCH)):
    noise = Noise(tf.constant(seed))
    return game.objectives(game.prepare(tf.constant(list(rows)), noise), noise, tuple(game.players))


@pytest.mark.parametrize("name", VAES)
def test_the_bound_is_the_cross_entropy_plus_the_kl_in_closed_form(name):
    """Every term by hand in float64, from the very draw of z."""
    game = shared(name)
    values = objectives(game)
    image = IMAGES[:BATCH].astype(np.float64) / 255
    mean, log_sd = (t.numpy().astype(np.float64) for t in game.posterior(image.astype(np.float32)))
    epsilon = Noise(tf.constant([3, 0])).normal(BATCH, LATENT).numpy()
    z = mean + np.exp(log_sd) * epsilon
    logits = game.decoder_logits(image.astype(np.float32), z.astype(np.float32)).numpy().astype(np.float64)
    p = 1 / (1 + np.exp(-logits))
    cross_entropy = -np.sum(np.where(image == 1, np.log(p), np.log1p(-p)), (1, 2, 3))
    kl = -0.5 * np.sum(1 + 2 * log_sd - mean**2 - np.exp(2 * log_sd), 1)
    assert float(values["kl"]) == pytest.approx(kl.mean(), rel=1e-4) and kl.mean() > 0.01
    assert float(values["negative_elbo"]) == pytest.approx((cross_entropy + kl).mean(), rel=1e-5)
    assert float(values["vae"]) == pytest.approx(cross_entropy.mean(), rel=1e-5)  # first step: the KL has no weight


def test_the_weight_of_the_kl_rises_with_the_optimisers_steps():
    game, weights = make("conv_vae", warm_up=4), []
    iterations = game.players["vae"].optimizer.iterations
    for done in (0, 1, 2, 4, 400):
        iterations.assign(done)
        weights.append(float(game.kl_weight()))
    assert weights == [0, 0.25, 0.5, 1, 1]
    iterations.assign(1)
    values = game.one_step(tf.range(2)[None], tf.constant([1, 1]))
    cross_entropy = float(values["negative_elbo"] - values["kl"])
    assert float(values["vae"]) == pytest.approx(cross_entropy + 0.25 * float(values["kl"]), rel=1e-6)
    assert float(game.kl_weight()) == 0.5
    assert float(make("conv_vae", warm_up=0).kl_weight()) == 1


def test_log_sd_is_clipped():
    game = make("conv_vae")
    game.encoder.layers[-1].bias.assign(np.full(2 * LATENT, 100.0))
    assert (game.posterior(tf.zeros([1, 28, 28, 1]))[1].numpy() == 7).all()


def test_the_pixelcnns_loss_is_the_exact_negative_log_likelihood():
    game = shared("gated_pixelcnn")
    image = IMAGES[:BATCH] / np.float32(255)
    logits = game.decoder_logits(image).numpy().astype(np.float64)
    log_p = -np.logaddexp(0, np.where(image == 1, -logits, logits)).sum((1, 2, 3))
    assert float(objectives(game)["pixelcnn"]) == pytest.approx(-log_p.mean(), rel=1e-5)


def test_a_conditional_pixelcnn_sees_the_label_of_its_image():
    game = shared("by_class")
    assert game.classes == 3
    image = np.repeat(IMAGES[:1] / np.float32(255), 3, 0)
    logits = game.decoder_logits(image, tf.eye(3)).numpy()
    assert (np.abs(logits[0] - logits[1]) > 0).all() and (np.abs(logits[0] - logits[2]) > 0).all()
    log_p = -np.logaddexp(0, np.where(image == 1, -logits, logits)).sum((1, 2, 3))
    for label in range(3):
        game.labels = tf.constant([label] * 24)
        assert float(objectives(game, rows=[0])["pixelcnn"]) == pytest.approx(-log_p[label], rel=1e-5)
    game.labels = tf.constant(LABELS, tf.int32)


@pytest.mark.parametrize("name", MAKERS)
def test_gradients_reach_every_parameter_and_a_step_lowers_the_loss(name):
    game = make(name, **({"warm_up": 0} if name in VAES else {}))
    rows, seed = tf.range(3)[None], tf.constant([1, 0])
    (player,) = game.players.values()
    before = [variable.numpy() for variable in player.variables]
    (gradients,), values = game.gradients(0, rows, seed)
    for variable, gradient in zip(player.variables, gradients, strict=True):
        assert gradient is not None and np.isfinite(gradient).all() and np.abs(gradient).max() > 0, variable.path
    player.optimizer.apply(gradients, player.variables)
    noise = Noise(seed)
    after = game.objectives(game.prepare(rows[0], noise), noise, tuple(game.players))
    assert float(after[player.name]) < float(values[player.name]) - 0.1
    moved = max(np.abs(v.numpy() - old).max() for v, old in zip(player.variables, before, strict=True))
    assert moved == pytest.approx(1e-3, rel=0.01)  # the first step of Adam is its rate


def test_every_element_of_a_gradient_is_clipped_to_one():
    variable, optimizer = keras.Variable([0.0, 0.0]), pixels.adam(1.0)
    optimizer.build([variable])
    for gradient in ([1.0, 0.5], [1000.0, 0.5]):
        optimizer.apply([tf.constant(gradient)], [variable])
    np.testing.assert_allclose(variable, [-2, -2], rtol=1e-5)  # Adam saw the gradient 1 twice, not 1 and 1000


def test_eager_graph_and_xla_give_the_same_loss_and_gradients():
    """Of the PixelCNN, which needs no noise: XLA draws other noise from the same seed."""
    game = shared("by_class")
    rows, seed = tf.range(3)[None], tf.constant([1, 0])

    def run():
        (gradients,), values = game.gradients(0, rows, seed)
        return [values["pixelcnn"], *gradients]

    eager = run()
    for compiled in (False, True):
        for value, expected in zip(tf.function(run, jit_compile=compiled)(), eager, strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def log_likelihoods(game, image, z):
    """log p(x|z) [nats] of images of 0 and 1."""
    return bernoulli_log_prob(game.decoder_logits(image, z), image).numpy()


@pytest.mark.parametrize("name", ["gated_pixelvae", "gated_pixelcnn"])
def test_bfloat16_moves_a_likelihood_of_80_nats_by_less_than_a_twentieth_of_a_nat(name):
    """The same weights, trained for a few steps; in proportion, for these images have more nats."""
    exact = make(name, optimizer=pixels.adam(1e-2), **({"warm_up": 0} if name in VAES else {}))
    for number in range(5):
        exact.one_step(tf.range(8)[None], tf.constant([1, number]))
    with precision("bfloat16"):
        fast = make(name)
    fast.set_weights(exact.get_weights())
    image = (np.random.default_rng(9).random((100, 28, 28, 1)) < ROWS).astype(np.float32)
    z = tf.random.stateless_normal([100, LATENT], [1, 2]) if name in VAES else None
    expected = log_likelihoods(exact, image, z)
    assert abs(expected.mean() + 784 * np.log(2)) > 3  # training has moved it away from p = 1/2
    assert 0 < abs(np.mean(log_likelihoods(fast, image, z) - expected)) < 0.05 / 80 * -expected.mean()


def test_bound_estimate_and_exact_likelihood_are_in_jensens_order():
    """One latent dimension: log p(x) = log int p(x|z) N(z; 0, 1) dz by quadrature. ELBO < L_8 < L_400 = log p(x)."""
    keras.utils.set_random_seed(5)
    game = models.GatedPixelVAE(IMAGES, layers=0, width=2, filter_size=3, latent=1)
    for layer in (layer for net in [*game.decoder.blocks, game.decoder] for layer in net.of_z):
        layer.gain.assign(3 * layer.gain)  # z matters
    image, numbers = IMAGES[:2] / np.float32(255), np.arange(2)
    grid = np.linspace(-8, 8, 401)
    exact = []
    for x in image:
        log_p = log_likelihoods(game, np.repeat(x[None], len(grid), 0), grid[:, None].astype(np.float32))
        joint = log_p.astype(np.float64) - grid**2 / 2 - math.log(2 * math.pi) / 2
        exact.append(special.logsumexp(joint) + math.log(grid[1] - grid[0]))
    weights = gaussian_log_weights(game.posterior, lambda x, z: bernoulli_log_prob(game.decoder_logits(x, z), x))
    found = {n: importance_log_likelihood(weights, n, 80, inputs=(image, numbers)).estimate for n in (8, 400)}
    elbo = -float(objectives(game, rows=[0] * 20 + [1] * 20)["negative_elbo"])
    assert elbo < found[8].mean() < found[400].mean() + 0.1
    np.testing.assert_allclose(found[400], exact, atol=0.3)


def test_averaged_weights_and_the_falling_rate_survive_an_interruption(tmp_path):
    """Interrupted and resumed equals uninterrupted; the average is the recursion's, by hand."""
    images = IMAGES[:, :6, :6]

    def game():
        keras.utils.set_random_seed(5)
        return models.GatedPixelCNN(images, 0, 2, optimizer=pixels.adam(1e-2, decay_steps=6, average=0.5))

    def train(game, steps):
        fit(game, steps=steps, batch=4, seed=1, work=tmp_path, epoch_steps=3, program_steps=3, progress=False,
            jit="eager")  # fmt: skip
        pixels.use_average(game)
        return game.get_weights()

    whole, average = game(), None
    states = [[v.numpy() for v in whole.trainable_variables]]
    for rows, seeds in feeds.programs(24, 4, 1, 0, 6, 3, 1):
        whole.one_step(tf.constant(rows[0]), tf.constant(seeds[0]))
        states.append([v.numpy() for v in whole.trainable_variables])
        average = states[-1] if average is None else [(a + s) / 2 for a, s in zip(average, states[-1], strict=True)]
    largest = [max(np.abs(b - a).max() for a, b in zip(*pair, strict=True)) for pair in itertools.pairwise(states)]
    assert largest[5] < 0.3 * largest[0]  # half a cosine: 7 % of the rate at the last of six steps

    train(game(), 3)
    resumed, again = game(), game()
    weights = train(resumed, 6)
    for variable, expected in zip(resumed.trainable_variables, average, strict=True):
        np.testing.assert_allclose(variable, expected, atol=1e-5)
    for a, b in zip(weights, train(again, 6), strict=True):  # finished: what the checkpoint holds
        np.testing.assert_array_equal(a, b)


def test_without_an_average_the_weights_stay():
    game = make("conv_vae")
    before = game.get_weights()
    pixels.use_average(game)
    for a, b in zip(before, game.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_users_mistakes_are_told_in_one_line():
    grey = np.full((4, 28, 28, 1), 7, np.uint8)
    for maker in MAKERS.values():
        kwargs = {"labels": [0, 1, 0, 1]} if "labels" in maker.keywords else {}
        with pytest.raises(UserError, match="binary pixels"):
            maker(grey, **kwargs)
    models.GatedPixelCNN(grey, 0, 2, binarisation="dynamic")
    for maker, wrong, message in [
        (models.ConvVAE, {"encoder_convs": 7}, "choose 8"),
        (models.PixelVAE, {"filter_size": 4}, "odd number"),
        (models.GatedPixelCNN, {"layers": -1}, "layers is too small"),
        (models.GatedPixelVAE, {"latent": 0}, "latent is too small"),
    ]:
        with pytest.raises(UserError, match=message):
            maker(IMAGES, **wrong)
