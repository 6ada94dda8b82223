"""Chapter 2's exact statements: multiply-accumulates, supports of gradients, recurrent nets, bounds."""

import common  # noqa: F401

# isort: split
import keras
import numpy as np
import pytest
import tensorflow as tf

from common.nets.causal import MaskedConv2D, raster_mask
from common.nets.gated import GatedStack
from common.nets.weight_norm import normed_encoder_28, normed_upsampler_28
from common.training.game import Noise
from reproductions.ahmed_ch2 import bounds, macs, recurrent, small_vae, supports


def test_the_cost_column_is_the_printed_one():
    """Anchors: the appendix network is the printed 63e9; the released setting and the dense counts are others."""
    found = {name: value / 1e9 for name, value in macs.metrics().items() if name.startswith("macs_")}
    assert found["macs_appendix"] == pytest.approx(62.88, abs=0.005)
    assert found["macs_appendix_with_posteriors"] == pytest.approx(62.92, abs=0.005)
    assert found["macs_appendix_dense"] == pytest.approx(90.5, abs=0.05)
    assert found["macs_released"] == pytest.approx(67.6, abs=0.05)
    assert found["macs_released_dense"] == pytest.approx(94.2, abs=0.06)
    pixels = macs.released()["pixels"]
    assert macs.total(pixels) / 1e9 == pytest.approx(26.6, abs=0.05)
    assert macs.total(pixels, dense=True) / 1e9 == pytest.approx(51.1, abs=0.05)
    figure = [value / 1e6 for value in macs.figure_a2().values()]
    assert figure == pytest.approx([149.3, 140.5, 74.6], abs=0.06)
    assert macs.gated_pixelvae(2, 32, 3) / 1e6 == pytest.approx(117.1, abs=0.06)


@pytest.mark.parametrize(("kind", "centre"), [("A", macs.A), ("B", macs.B)])
def test_unmasked_taps_are_those_of_a_real_mask(kind, centre):
    """Three colours: the mask that the layers apply, counted entry by entry, against the share used in the count."""
    mask = raster_mask(5, kind, 6, 9, groups=3)
    assert macs.Conv(6, 9, 5, 4, centre).macs() == pytest.approx(16 * mask.sum())
    assert macs.Conv(6, 9, 5, 4, centre).macs(dense=True) == 16 * 25 * 6 * 9
    one_group = raster_mask(3, kind, 2, 3)
    share = macs.ONE_GROUP_A if kind == "A" else macs.ONE_GROUP_B
    assert macs.Conv(2, 3, 3, 1, share).macs() == one_group.sum()


def multiplications(function, *inputs):
    """Multiply-accumulates of every convolution and matrix product in a function's graph, by their shapes."""
    graph = tf.function(function, autograph=False).get_concrete_function(*inputs).graph
    count = 0
    for operation in graph.get_operations():
        if operation.type == "Conv2D":
            kernel, outputs = operation.inputs[1].shape, operation.outputs[0].shape
            count += np.prod(kernel) * np.prod(outputs[:3])
        if operation.type == "Conv2DBackpropInput":  # a transposed convolution: each input pixel meets every tap
            kernel, pixels = operation.inputs[1].shape, operation.inputs[2].shape
            count += np.prod(kernel) * np.prod(pixels[:3])
        if operation.type == "MatMul":
            count += np.prod(operation.inputs[0].shape) * operation.outputs[0].shape[-1]
    return int(count)


@pytest.mark.parametrize(("layers", "width", "size", "channels"), [(2, 4, 5, 1), (3, 2, 3, 33)])
def test_the_count_of_a_gated_stack_is_that_of_its_graph(layers, width, size, channels):
    net = GatedStack(layers, width, size, channels=channels)
    counted = multiplications(net, tf.TensorSpec([1, 28, 28, channels]))
    # The graph leaves out the vertical stack's last row, which nothing needs, and adds v2h of the bias.
    vertical = sum(
        28 * (size_of * (size_of // 2) + size_of) * inputs * 2 * width
        for size_of, inputs in [(7, channels)] + [(size, width)] * layers
    )
    v2h = 28 * (2 * width) ** 2 * (layers + 1)
    of_bias = (layers + 1) * (2 * width) ** 2
    assert counted - of_bias + vertical + v2h == macs.gated_stack(layers, width, size, channels)


@pytest.mark.parametrize("convolutions", [8, 9])
def test_the_count_of_encoder_and_upsampler_is_that_of_their_graphs(convolutions):
    encoder = normed_encoder_28(10, convolutions)
    assert multiplications(encoder, tf.TensorSpec([1, 28, 28, 1])) == macs.encoder(5, convolutions)
    assert multiplications(normed_upsampler_28(5), tf.TensorSpec([1, 5])) == macs.upsampler(5)


def test_support_of_a_plain_convolution_is_its_window():
    with supports.float64():
        layer = supports.shaken(keras.layers.Conv2D(1, 3, padding="same"))
    seen = supports.support(layer, (2, 0), (6, 6))
    expected = np.zeros((6, 6), bool)
    expected[1:4, :2] = True
    np.testing.assert_array_equal(seen, expected)


def test_full_context_needs_the_predicted_depth():
    """Side 12 takes (12 - 4)/2 = 4 layers; 3 are not enough."""
    assert supports.full_context(12, 4) and not supports.full_context(12, 3)
    assert supports.depths([12]) == {"depth_12": 4, "depth_error": 0}


def test_supports_grow_and_blind_spots_are_the_predicted_ones():
    growth = supports.growth()
    assert growth["growth_error"] == growth["right_leaks"] == 0
    assert [growth[f"reach_{name}"] for name in ("first_layer", "one_layer", "two_layers", "four_layers")] == [
        3,
        5,
        7,
        11,
    ]
    assert growth["second_a_loses"] >= 1 and growth["first_b_leaks"] == 1
    blind = supports.blind_spots()
    assert blind["formula_error"] == blind["two_stacks_blind"] == blind["single_stack_leaks"] == 0
    assert blind["single_stack_blind"] == sum(range(1, 5))  # a wedge: d rows above, 5 - d columns are missed


def test_causality_finds_a_leak():
    """A net with a mask-B first layer sees its own pixel: the check must say so, for every pixel."""

    class Leaking:
        def __init__(self):
            self.layer = MaskedConv2D(1, 3, "B")
            self.layer.build((None, None, None, 1))
            self.trainable_variables = self.layer.trainable_variables

        def decoder_logits(self, image, z):
            return self.layer(image)

    found = supports.causality(Leaking())
    assert found["violations"] == 784 and 0 < found["seen"] < 0.01


def test_recurrent_nets_see_what_the_figures_say():
    side = 5
    found = recurrent.metrics(side)
    assert found["row_error"] == found["diagonal_error"] == found["skew_error"] == 0
    assert found["row_unseen"] > 0 and found["unshifted_leaks"] > 0
    assert found["masked_unseen"] == side * side * (side - 1) // 2  # the last column of all rows above


def test_order_of_bounds_and_latents_in_one_pass():
    found = bounds.metrics(5)
    assert found["c33_smallest_step_nats"] > 3 * found["c33_smallest_step_se_nats"] > 0
    assert found["c33_elbo_gap_nats"] > found["c33_final_gap_nats"] > 0
    assert found["c33_identity_error_nats"] < 1e-9
    assert found["c40_parallel_error"] < 1e-12 < 0.01 < found["c40_wrong_order"]


def test_the_smallest_step_is_that_of_the_means_with_its_error():
    """Means 0, 2, 1.5: the second step is -0.5, its values -2 and 1, so its error 1.5; a wrong order is negative."""
    step, error = bounds.smallest_step(np.zeros(2), np.array([2.0, 2.0]), np.array([0.0, 3.0]))
    assert step == pytest.approx(-0.5) and error == pytest.approx(1.5)


def test_two_levels_with_a_prior_that_ignores_its_latent_are_one_level():
    """If p(z1|z2) = N(0, I) and q(z2|x) = N(0, I), the two-level bound is the one-level bound, draw for draw."""
    keras.utils.set_random_seed(1)
    bits = np.zeros((4, 14, 14, 1), np.uint8)
    two, one = small_vae.SmallVAE(bits, levels=2), small_vae.SmallVAE(bits, levels=1)
    for variable in two.prior.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    kernel, bias = two.encoder.layers[-1].trainable_variables
    first = 2 * small_vae.LATENT
    kernel.assign(tf.concat([kernel[:, :first], tf.zeros_like(kernel[:, first:])], 1))
    bias.assign(tf.zeros_like(bias))
    for mine, theirs in zip(one.decoder.trainable_variables, two.decoder.trainable_variables, strict=True):
        mine.assign(theirs)
    hidden = list(
        zip(one.encoder.layers[0].trainable_variables, two.encoder.layers[0].trainable_variables, strict=True)
    )
    last = list(zip(one.encoder.layers[-1].trainable_variables, (kernel[:, :first], bias[:first]), strict=True))
    for mine, theirs in hidden + last:
        mine.assign(theirs)
    x = tf.constant((np.random.default_rng(0).random((3, 196)) < 0.3).astype(np.float32))
    noise = small_vae.normal(0, 5, 3, small_vae.LATENT + small_vae.TOP)
    np.testing.assert_allclose(two.elbo(x, noise), one.elbo(x, noise), rtol=1e-5)


def test_both_gradient_estimators_have_the_same_mean():
    """Score function and reparameterised: unbiased for one gradient, so only their variances may differ."""
    keras.utils.set_random_seed(1)
    vae = small_vae.SmallVAE(np.zeros((4, 14, 14, 1), np.uint8))
    x = tf.constant((np.random.default_rng(0).random((1, 196)) < 0.3).astype(np.float32))
    mean, log_sd = vae.posterior(x)
    noise = small_vae.normal(3, 20_000, 1, small_vae.LATENT)
    z = mean + tf.exp(log_sd) * noise
    with tf.GradientTape() as tape:
        tape.watch(z)
        log_p = vae.log_p(x, z)
        total = tf.reduce_sum(log_p)
    path = tape.gradient(total, z)[:, 0].numpy()
    score = ((log_p - tf.reduce_mean(log_p))[..., None] * noise * tf.exp(-log_sd))[:, 0].numpy()
    error = np.sqrt(path.var(0) + score.var(0)) / np.sqrt(20_000)
    assert np.all(np.abs(path.mean(0) - score.mean(0)) < 4.5 * error)
    assert small_vae.gradient_variances(vae, x, 0) > 10


def test_small_bits_keep_the_grey_mean():
    grey = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1)).astype(np.uint8)
    bits = small_vae.small_bits(grey, 1)
    assert bits.shape == (50, 14, 14, 1) and set(np.unique(bits)) == {0, 255}
    assert bits.mean() == pytest.approx(grey.mean(), abs=4)


def test_eight_draws_train_on_the_mean_of_eight_bounds():
    bits = np.random.default_rng(0).integers(0, 2, (6, 14, 14, 1)).astype(np.uint8) * np.uint8(255)
    vae, noise = small_vae.SmallVAE(bits, draws=8), Noise([1, 1], 0)
    assert vae.draws == small_vae.SmallVAE(bits).draws == 1  # batches a step takes: both see the same images
    loss = vae.objectives({"image": bits / np.float32(255)}, noise, ("vae",))["vae"]
    drawn = Noise([1, 1], 0).normal(6, 8, small_vae.LATENT + small_vae.TOP)
    x = bits.reshape(6, -1) / np.float32(255)
    each = [np.mean(vae.elbo(x, drawn[:, k][None])) for k in range(8)]
    np.testing.assert_allclose(loss, -np.mean(each), rtol=1e-5)
