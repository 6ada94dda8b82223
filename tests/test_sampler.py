"""The sampler: cached logits are those of the full pass, images those of the naive sampler, frequencies the model's."""

import functools
import itertools
import types

import common  # noqa: F401

# isort: split
import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from common.nets import raster
from common.nets.causal import MaskedStack
from common.nets.gated import GatedStack
from common.nets.precision import precision
from common.probability.distributions import bernoulli_log_prob

BATCH, SIDE, LATENT, FEATURES = 5, 8, 3, 2

MAKERS = {
    "two stacks": functools.partial(GatedStack, 2, 6, 5),
    "two stacks, 7x7 alone": functools.partial(GatedStack, 0, 6),
    "z in the gates": functools.partial(GatedStack, 2, 6, 3, latent=LATENT),
    "features": functools.partial(GatedStack, 2, 6, 3, channels=1 + FEATURES),
    "features of the own place": functools.partial(GatedStack, 2, 6, 3, channels=1 + FEATURES, unmasked=True),
    "single stack": functools.partial(MaskedStack, 2, 6, 5),
    "single stack, 7x7 alone": functools.partial(MaskedStack, 0, 6),
    "single stack, features": functools.partial(MaskedStack, 2, 6, 3, features=FEATURES),
}


@functools.cache
def net(name, **kwargs):
    """A net with random weights, and biases that are not zero: outside the image a layer must see zeros, not these."""
    keras.utils.set_random_seed(3)
    made = MAKERS[name](**kwargs)
    rng = np.random.default_rng(4)
    for variable in made.variables:
        if variable.name == "bias":
            variable.assign(rng.normal(0, 0.7, variable.shape))
        if variable.name == "gain":
            variable.assign(1.5 * variable)
    return made


def given(name, batch=BATCH, side=SIDE, seed=1):
    """What the net is conditioned on."""
    if name == "z in the gates":
        return {"z": tf.random.stateless_normal([batch, LATENT], [seed, 1])}
    if "features" in name:
        return {"features": tf.random.stateless_normal([batch, side, side, FEATURES], [seed, 2])}
    return {}


@pytest.mark.parametrize("name", MAKERS)
def test_cached_logits_are_those_of_the_full_pass_and_images_those_of_the_naive_sampler(name):
    made, conditions = net(name), given(name)
    rng = np.random.default_rng(5)
    images = tf.constant(rng.integers(0, 2, (BATCH, SIDE, SIDE, 1)), tf.float32)
    uniforms = tf.constant(rng.random((BATCH, SIDE, SIDE)), tf.float32)
    full = raster.full_pass(made, images, **conditions)
    assert full.numpy().std() > 0.1
    np.testing.assert_allclose(raster.cached_logits(made)(images, **conditions), full, atol=1e-5)
    drawn = raster.cached(made)(uniforms, **conditions).numpy()
    np.testing.assert_array_equal(drawn, raster.naive(made)(uniforms, **conditions))
    assert set(np.unique(drawn)) == {0, 1}
    # fixed point: every pixel is the threshold of the logits of the finished image
    probability = tf.sigmoid(raster.full_pass(made, drawn, **conditions))[..., 0]
    np.testing.assert_array_equal(drawn[..., 0], uniforms < probability)


def test_the_compiled_sampler_draws_the_same_images():
    uniforms, name = tf.random.stateless_uniform([BATCH, 6, 5], [1, 2]), "z in the gates"  # not square
    drawn = [raster.cached(net(name), jit_compile=jit)(uniforms, **given(name)) for jit in (False, True)]
    np.testing.assert_array_equal(*drawn)


def test_images_are_drawn_as_often_as_the_model_says():
    """All 2^6 images of a 2 x 3 grid, 20,000 draws given one z: chi-squared below its 99.9 % quantile."""
    made, draws = net("z in the gates"), 20_000
    z = tf.random.stateless_normal([1, LATENT], [7, 1])
    images = np.array(list(itertools.product((0.0, 1.0), repeat=6)), np.float32).reshape(-1, 2, 3, 1)
    p = np.exp(bernoulli_log_prob(made(images, tf.repeat(z, len(images), 0)), images).numpy().astype(np.float64))
    uniforms = tf.random.stateless_uniform([draws, 2, 3], [8, 1])
    drawn = raster.cached(made)(uniforms, z=tf.repeat(z, draws, 0)).numpy().reshape(draws, 6)
    counts = np.bincount(drawn.astype(int) @ (2 ** np.arange(5, -1, -1)), minlength=64)
    assert ((counts - draws * p) ** 2 / (draws * p)).sum() < 103.4  # 63 degrees of freedom
    assert p.min() * draws > 5


def test_an_image_does_not_depend_on_its_batch_and_only_its_own_z_and_uniforms_change_it():
    made, draw = net("z in the gates"), raster.cached(net("z in the gates"))
    uniforms, z = tf.random.stateless_uniform([BATCH, SIDE, SIDE], [1, 2]), given("z in the gates")["z"]
    together = draw(uniforms, z=z).numpy()
    np.testing.assert_array_equal(draw(uniforms[2:4], z=z[2:4]), together[2:4])
    other = z + tf.constant([[0.0], [0], [8], [0], [0]])
    changed = (draw(uniforms, z=other).numpy() != together).any((1, 2, 3))
    assert changed.tolist() == [False, False, True, False, False]
    assert (
        raster.sample(types.SimpleNamespace(decoder=made), uniforms[..., None], z).numpy().tolist() == together.tolist()
    )


def test_the_sampler_follows_the_weights():
    made = MAKERS["two stacks"]()
    model = types.SimpleNamespace(decoder=made)
    uniforms = tf.random.stateless_uniform([2, SIDE, SIDE], [1, 2])
    before = raster.sample(model, uniforms).numpy()
    made.logits.bias.assign([50.0])
    assert before.mean() < 1 and (raster.sample(model, uniforms).numpy() == 1).all()


def test_a_decoder_of_independent_pixels_is_drawn_at_once():
    decoder = keras.Sequential([keras.Input((LATENT,)), keras.layers.Dense(16), keras.layers.Reshape((4, 4, 1))])
    z, uniforms = given("z in the gates")["z"], tf.random.stateless_uniform([BATCH, 4, 4], [1, 2])
    drawn = raster.sample(types.SimpleNamespace(decoder=decoder), uniforms, z)
    np.testing.assert_array_equal(drawn[..., 0], uniforms < tf.sigmoid(decoder(z)[..., 0]))


def test_users_mistakes_are_told_in_one_line():
    uniforms = tf.zeros([1, 4, 4])
    with precision("bfloat16"):
        fast = MAKERS["two stacks"]()
    with pytest.raises(UserError, match="float32 copy"):
        raster.cached(fast)(uniforms)
    with pytest.raises(UserError, match="z as features"):
        raster.cached(net("single stack"))(uniforms, z=tf.zeros([1, LATENT]))
