"""Layers against Keras's own, adjointness, the text's list of layers, and what precision() leaves behind."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from common.nets.precision import precision
from common.nets.stacks import decoder_28, dense_stack, encoder_28
from common.nets.transposed import TransposedConv2D

FILTERS, CHANNELS = 3, 2


def pair(size):
    """Our layer and Keras's with the same random weights."""
    keras.utils.set_random_seed(size)
    ours = TransposedConv2D(FILTERS, size, activation="tanh")
    keras_own = keras.layers.Conv2DTranspose(FILTERS, size, 2, "same", activation="tanh")
    weights = np.random.randn(size, size, FILTERS, CHANNELS) / size, np.random.randn(FILTERS)
    for layer in (ours, keras_own):
        layer.build((None, 4, 5, CHANNELS))
        layer.set_weights(weights)
    return ours, keras_own, tf.constant(np.random.randn(2, 4, 5, CHANNELS), tf.float32)


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_transposed_convolution_is_kerass_in_value_and_in_every_gradient(size):
    *both, x = pair(size)
    target = tf.constant(np.random.randn(2, 8, 10, FILTERS), tf.float32)
    values, gradients = [], []
    for layer in both:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y * target)
        values.append(y)
        gradients.append(tape.gradient(loss, [x, layer.kernel, layer.bias]))
    np.testing.assert_allclose(*values, rtol=1e-5, atol=1e-5)
    for ours, expected in zip(*gradients, strict=True):
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
    assert both[0].compute_output_shape((None, 4, None, CHANNELS)) == (None, 8, None, FILTERS)


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_transposed_convolution_is_the_adjoint_of_the_convolution(size):
    """<conv x, y> = <x, tconv y> for all x, y: what its name says."""
    layer, _, y = pair(size)
    layer.activation = keras.activations.linear
    layer.bias.assign(tf.zeros(FILTERS))
    x = tf.constant(np.random.randn(2, 8, 10, FILTERS), tf.float32)
    convolved = tf.nn.conv2d(x, tf.convert_to_tensor(layer.kernel), 2, "SAME")
    assert float(tf.reduce_sum(convolved * y)) == pytest.approx(float(tf.reduce_sum(x * layer(y))), rel=1e-4, abs=1e-4)


def shapes(model, kind):
    """[(filters, kernel size, output shape)] of the layers of one kind."""
    return [
        (layer.filters, layer.kernel_size, tuple(layer.output.shape[1:]))
        for layer in model.layers
        if isinstance(layer, kind)
    ]


def test_the_encoder_has_the_eight_convolutions_of_the_text():
    encoder = encoder_28(128)
    sizes = [(32, 28), (32, 14), (32, 14), (64, 7), (64, 8), (64, 4), (64, 4), (64, 4)]
    assert shapes(encoder, keras.layers.Conv2D) == [(f, (3, 3), (s, s, f)) for f, s in sizes]
    assert encoder.output_shape == (None, 128)
    convolutions = [(1, 32), (32, 32), (32, 32), (32, 64), *[(64, 64)] * 4]
    assert encoder.count_params() == sum(9 * a * b + b for a, b in convolutions) + (4 * 4 * 64 + 1) * 128


def test_the_decoder_has_eight_layers_of_3x3_and_a_1x1_output():
    decoder = decoder_28(64)
    both = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    sizes = [(64, 4), (64, 4), (64, 8), (64, 8), (32, 14), (32, 14), (32, 28), (32, 28)]
    *eight, last = shapes(decoder, both)
    assert eight == [(f, (3, 3), (s, s, f)) for f, s in sizes]
    assert last == (1, (1, 1), (28, 28, 1))
    ups = shapes(decoder, keras.layers.Conv2DTranspose)
    assert [shape[0] for _, _, shape in ups] == [8, 14, 28]


@pytest.mark.parametrize("build", [lambda: encoder_28(8), lambda: decoder_28(784 // 98)], ids=["encoder", "decoder"])
def test_bfloat16_nets_keep_float32_weights_and_outputs_and_agree_with_their_float32_copy(build):
    keras.utils.set_random_seed(1)
    with precision("bfloat16"):
        fast = build()
    exact = build()
    exact.set_weights(fast.get_weights())
    assert {layer.compute_dtype for layer in fast.layers[:-1]} == {"bfloat16"}
    assert {v.dtype for v in fast.variables} == {"float32"}
    x = np.random.default_rng(0).random((4, *fast.inputs[0].shape[1:]), np.float32)
    y, expected = fast(x), exact(x)
    assert y.dtype == expected.dtype == tf.float32
    scale = np.abs(expected).max()
    assert 0 < np.abs(y - expected).max() < 0.05 * scale  # bfloat16 rounds by 0.4 %; eight layers of it


def test_precision_is_restored_after_the_block_even_after_an_error():
    before = keras.config.dtype_policy()
    with pytest.raises(ZeroDivisionError), precision("bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        1 / 0  # noqa: B018
    assert keras.config.dtype_policy() == before
    with precision("bfloat16"), precision("float32"):
        assert keras.config.dtype_policy().name == "float32"
    assert keras.config.dtype_policy() == before
    with pytest.raises(UserError, match="unknown precision 'half'; choose one of float32, bfloat16"), precision("half"):
        pass


def test_a_dense_stack_is_its_matrices_one_after_the_other():
    net = dense_stack(3, (5, 4), 2)
    x = np.random.default_rng(0).random((6, 3), np.float32)
    *hidden, (kernel, bias) = [layer.get_weights() for layer in net.layers]
    y = x
    for w, b in hidden:
        y = np.maximum(y @ w + b, 0)
    np.testing.assert_allclose(net(x), y @ kernel + bias, rtol=1e-5, atol=1e-6)
