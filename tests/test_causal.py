"""Causal nets: who sees whom, exactly, by gradients and flipped pixels; probabilities that sum to one by brute force.

Biases are random and not zero: with zero ones a leak through them would go unseen.
"""

import itertools

import common  # noqa: F401

# isort: split
import keras
import numpy as np
import pytest
import tensorflow as tf

from common.nets.causal import MaskedConv2D, MaskedStack, raster_mask
from common.nets.convolve import convolve
from common.nets.gated import GatedStack, gate
from common.nets.precision import precision
from common.nets.weight_norm import NormedConv2D, NormedDense, NormedUp, one_by_one
from common.probability.distributions import bernoulli_log_prob

LATENT, FEATURES = 3, 2
SIDE = 7


def shaken(net, seed=1):
    """The same net with random biases and gains."""
    rng = np.random.default_rng(seed)
    for variable in net.variables:
        if variable.name == "bias":
            variable.assign(rng.normal(0, 0.5, variable.shape))
        if variable.name == "gain":
            variable.assign(variable * rng.uniform(0.7, 1.5, variable.shape))
    return net


def gated(blocks=2, size=3, first=3, **kwargs):
    keras.utils.set_random_seed(blocks + size)
    return shaken(GatedStack(blocks, 4, size, first=first, **kwargs))


def single(blocks=2, size=3, first=3, **kwargs):
    keras.utils.set_random_seed(blocks + size)
    return shaken(MaskedStack(blocks, 16, size, first=first, **kwargs))


def beside(net):
    """Images -> logits, given features that go in beside the image, or in a single stack beside its first layer."""

    def call(x):
        features = tf.repeat(tf.random.stateless_normal([1, *x.shape[1:3], FEATURES], [3, 4]), x.shape[0], 0)
        return net(x, features) if isinstance(net, MaskedStack) else net(tf.concat([x, features], -1))

    return call


def given(net, z):
    """Images -> logits, given one z [1, D] for all images."""
    return lambda x: net(x, tf.repeat(z, x.shape[0], 0))


KINDS = {
    "single": lambda *sizes: single(2, *sizes),
    "single, features": lambda *sizes: beside(single(2, *sizes, features=FEATURES)),
    "gated": lambda *sizes: gated(2, *sizes),
    "gated, no 5x5": lambda *sizes: gated(0, *sizes),
    "gated, z in the gates": lambda *sizes: given(
        gated(2, *sizes, latent=LATENT), tf.random.stateless_normal([1, LATENT], [1, 2])
    ),
    "gated, class": lambda *sizes: given(gated(2, *sizes, latent=10), tf.one_hot([4], 10)),
    "gated, features": lambda *sizes: beside(gated(2, *sizes, channels=1 + FEATURES)),
    "gated, features of the own place": lambda *sizes: beside(gated(2, *sizes, channels=1 + FEATURES, unmasked=True)),
}  # filter size and first filter size -> a function of images [B, H, W, 1] to logits; what it is given is fixed


def jacobian(net, inputs):
    """|d logit_i / d input_j| summed over channels: [pixels, pixels], or [pixels, D] of inputs [1, D]."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        logits = tf.reshape(net(inputs), [-1])
    found = np.abs(tape.jacobian(logits, inputs).numpy()[:, 0])
    return found.reshape(len(logits), -1, inputs.shape[-1]).sum(-1) if inputs.shape.rank == 4 else found


@pytest.mark.parametrize("kind", KINDS)
def test_no_logit_depends_on_its_own_pixel_or_on_later_ones(kind):
    found = jacobian(KINDS[kind](3, 5), tf.random.stateless_normal([1, SIDE, SIDE, 1], [5, 6]))
    assert found[np.triu_indices(SIDE**2)].max() == 0
    assert (found[np.arange(1, SIDE**2), np.arange(SIDE**2 - 1)] > 0).mean() > 0.5  # on the pixel before, mostly


@pytest.mark.parametrize("kind, compiled", [*((kind, False) for kind in KINDS), ("gated, z in the gates", True)])
def test_a_flipped_pixel_leaves_the_logits_up_to_itself_bit_for_bit(kind, compiled):
    pixels = SIDE**2
    x = np.random.default_rng(1).integers(0, 2, (1, pixels)).astype(np.float32)
    copies, flipped = np.repeat(x, pixels, 0), np.abs(x - np.eye(pixels, dtype=np.float32))
    logits = tf.function(KINDS[kind](5, 7), jit_compile=compiled)
    before, after = (logits(x.reshape(-1, SIDE, SIDE, 1)).numpy().reshape(pixels, pixels) for x in (copies, flipped))
    changed = before != after
    assert not changed[np.tril_indices(pixels)].any()
    assert changed[np.arange(pixels - 1), np.arange(1, pixels)].mean() > 0.5


def support(net, side):
    """Offsets (rows up, columns to the right) that the logit in the last row, at the centre column, depends on."""
    row, column = side - 1, side // 2
    x = tf.constant(np.random.default_rng(2).uniform(0.1, 1, (1, side, side, 1)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logit = net(x)[0, row, column, 0]
    seen = tape.gradient(logit, x).numpy()[0, ..., 0] != 0
    return {(row - r, c - column) for r, c in zip(*np.nonzero(seen), strict=True)}


@pytest.mark.parametrize("blocks, size, first", [(0, 5, 7), (1, 3, 7), (2, 3, 3), (1, 5, 7), (3, 3, 7)])
def test_two_stacks_see_every_earlier_pixel_within_reach(blocks, size, first):
    """Half a filter a layer: first//2 + blocks * (size//2) to both sides and in the own row, one row more upwards."""
    reach = first // 2 + blocks * (size // 2)
    above = set(itertools.product(range(1, reach + 2), range(-reach, reach + 1)))
    assert support(gated(blocks, size, first), 2 * reach + 5) == above | {(0, -left) for left in range(1, reach + 1)}


@pytest.mark.parametrize("blocks, size, first", [(0, 5, 7), (1, 3, 7), (2, 3, 3), (1, 5, 7), (3, 3, 7)])
def test_the_single_stack_has_the_blind_spot_of_the_derivation(blocks, size, first):
    """Of the row dr above, columns up to the sum of the min(dr, layers) largest half-widths are seen, no further."""
    net = single(blocks, size, first)
    for variable in net.variables:
        variable.assign(tf.abs(variable) + 0.01)  # no ReLU is off, no path cancels another
    halves = [first // 2] + [size // 2] * blocks
    reach = sum(halves)
    rows = {dr: sum(halves[: min(dr, len(halves))]) for dr in range(1, reach + 1)}
    expected = {(dr, dc) for dr, right in rows.items() for dc in range(-reach, right + 1)}
    found = support(net, 2 * reach + 5)
    assert found == expected | {(0, -left) for left in range(1, reach + 1)}
    blind = set(itertools.product(range(1, reach + 1), range(-reach, reach + 1))) - found
    assert bool(blind) == (blocks > 0)  # one layer alone has none


@pytest.mark.parametrize("layer, size, kind, groups", [
    (0, 7, "A", 1), (1, 5, "B", 1), (2, 3, "A", 3), (3, 5, "B", 3), (4, 1, "B", 3),
])  # fmt: skip
def test_masks_are_raster_order_and_colour_order(layer, size, kind, groups):
    """Entry by entry from the definition; one group: (k^2 - 1)/2 taps in A, one more in B."""
    inputs, outputs = 3, 6
    mask = np.zeros((size, size, inputs, outputs))
    mask[: size // 2 + 1] = raster_mask(size, kind, inputs, outputs, groups)
    for r, c, i, o in np.ndindex(mask.shape):
        before = (r, c) < (size // 2, size // 2)
        own = (r, c) == (size // 2, size // 2)
        allowed = i % groups <= o % groups if kind == "B" else i % groups < o % groups
        assert mask[r, c, i, o] == (before or (own and allowed))
    if groups == 1:
        assert mask[..., 0, 0].sum() == (size**2 - 1) // 2 + (kind == "B")


def test_colours_of_a_pixel_come_in_the_order_red_green_blue():
    """Through a mask A and two mask B layers: green sees red of its own pixel, blue both, red none, no one itself."""
    keras.utils.set_random_seed(1)
    stack = [MaskedConv2D(6, 3, "A", 3), MaskedConv2D(9, 3, "B", 3, "tanh"), MaskedConv2D(3, 1, "B", 3)]
    x = tf.random.stateless_normal([1, 5, 5, 3], [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for layer in stack:
            y = layer(y)
        y = tf.reshape(y, [-1])
    sees = tape.jacobian(y, x).numpy().reshape(75, 75) != 0  # inputs and outputs in the order row, column, colour
    for colour in range(3):  # the pixel in the middle
        i = 3 * 12 + colour
        assert sees[i, 36 : 36 + colour].all() and not sees[i, i:].any()
    assert not sees[np.triu_indices(75)].any()


def test_a_masked_tap_has_no_gradient_and_no_say_in_the_norm():
    """Masked first, normalised then: ||w|| is the gain, whatever stands at the masked taps of v."""
    keras.utils.set_random_seed(1)
    layer = shaken(MaskedConv2D(4, 5, "A"))
    x = tf.random.stateless_normal([2, 6, 6, 3], [1, 2])
    target = tf.random.stateless_normal([2, 6, 6, 4], [3, 4])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) * target)
    gradient = tape.gradient(loss, layer.v.value).numpy()
    mask = np.zeros((5, 5), bool)
    mask[:3] = raster_mask(5, "A", 1, 1)[..., 0, 0]
    assert (gradient[~mask] == 0).all() and (gradient[mask] != 0).all()
    norm = np.sqrt(np.sum(np.square(layer.kernel()), (0, 1, 2)))
    np.testing.assert_allclose(norm, layer.gain, rtol=1e-5)
    before = layer(x).numpy()
    layer.v.assign(np.where(mask[:, :, None, None], layer.v, 1e3))
    np.testing.assert_array_equal(layer(x), before)


@pytest.mark.parametrize("layer, shape", [
    (MaskedConv2D(4, 3, "B"), (2, 6, 6, 3)), (NormedConv2D(4), (2, 6, 6, 3)), (NormedConv2D(4, 2), (2, 6, 6, 3)),
    (NormedUp(4), (2, 3, 3, 3)), (NormedDense(4), (2, 3)), (one_by_one(4), (2, 5, 5, 3)),
])  # fmt: skip
def test_weight_norm_starts_at_the_initial_weights_and_does_not_see_the_length_of_v(layer, shape):
    """w = g v/||v||: at first w = v; v -> 7 v changes nothing; so the gradient by v is orthogonal to v."""
    layer.build((None, *shape[1:]))
    np.testing.assert_allclose(layer.kernel(), layer.live(layer.v.value), rtol=1e-5, atol=1e-7)
    shaken(layer)
    layer.activation = tf.tanh  # no zero gradients
    x = tf.random.stateless_normal(shape, [1, 2])
    before = layer(x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) ** 2)
    gradient, gain = tape.gradient(loss, [layer.v.value, layer.gain.value])
    along = tf.reduce_sum(gradient * layer.v, list(range(len(layer.v.shape) - 1)))
    assert np.abs(along).max() < 1e-4 * np.abs(gradient).max() < 1e-4 * 1e4 and (gain.numpy() != 0).all()
    layer.v.assign(7 * layer.v)
    np.testing.assert_allclose(layer(x), before, rtol=1e-4, atol=1e-5)


def test_initial_weights_have_the_standard_deviations_of_the_released_code():
    """sqrt(4/(fan in + fan out)); fans halved if masked; sqrt(2/...) in a last layer; 1/in in linear layers."""
    wide = 200
    cases = [
        (NormedConv2D(wide), (None, 8, 8, wide), np.sqrt(4 / (18 * wide))),
        (MaskedConv2D(wide, 3, "B"), (None, 8, 8, wide), np.sqrt(4 / (9 * wide))),
        (NormedUp(wide), (None, 8, 8, wide), 2 * np.sqrt(2 / (9 * wide))),
        (one_by_one(wide), (None, 8, 8, wide), np.sqrt(4 / (2 * wide))),
        (one_by_one(wide + 1, scale=1.0), (None, 8, 8, wide), np.sqrt(2 / (2 * wide + 1))),
        (NormedDense(wide + 1), (None, wide), np.sqrt(1 / wide)),
    ]
    for layer, shape, sd in cases:
        keras.utils.set_random_seed(3)
        layer.build(shape)
        v = layer.v.numpy()
        assert v.std() == pytest.approx(sd, rel=0.02)
        assert np.abs(v).max() == pytest.approx(np.sqrt(3) * sd, rel=0.02)  # uniform
        assert not layer.bias.numpy().any()
    square = NormedDense(20)
    square.build((None, 20))
    np.testing.assert_allclose(square.v.numpy() @ square.v.numpy().T, np.eye(20), atol=1e-5)
    for block in gated(1, latent=4).blocks:  # two square maps side by side in each
        for layer in block.of_z:
            for half in np.split(layer.v.numpy(), 2, 1):
                np.testing.assert_allclose(half @ half.T, np.eye(4), atol=1e-5)


def test_the_transposed_convolution_is_the_adjoint_of_the_convolution_of_stride_2():
    """<conv x, y> = <x, up y> with one zero on every side."""
    keras.utils.set_random_seed(1)
    down, up = NormedConv2D(3, 2, activation=None), NormedUp(2, activation=None)
    x, y = tf.random.stateless_normal([2, 8, 10, 2], [1, 2]), tf.random.stateless_normal([2, 4, 5, 3], [3, 4])
    down.build(x.shape), up.build(y.shape)
    kernel = np.random.default_rng(1).normal(size=(3, 3, 2, 3))
    for layer, v in ((down, kernel), (up, kernel.transpose(0, 1, 3, 2))):
        layer.v.assign(v)
        layer.gain.assign(np.sqrt(np.sum(np.square(v), (0, 1, 2))))
    assert down(x).shape == y.shape and up(y).shape == x.shape
    assert float(tf.reduce_sum(down(x) * y)) == pytest.approx(float(tf.reduce_sum(x * up(y))), rel=1e-4)


@pytest.mark.parametrize("padding, size", [
    ((2, 0, 2, 2), (3, 5)), ((0, 0, 2, 0), (1, 3)), ((3, 0, 3, 3), (4, 7)), ((0, 0, 0, 0), (1, 1)),
    ((1, 1, 1, 1), (3, 3)),
])  # fmt: skip
@pytest.mark.parametrize("compiled", [False, True])
def test_convolve_is_tensorflows_convolution_in_value_and_gradients(padding, size, compiled):
    top, bottom, left, right = padding
    x, kernel = tf.random.stateless_normal([2, 6, 7, 3], [1, 2]), tf.random.stateless_normal([*size, 3, 4], [3, 4])

    def reference(x, kernel):
        return tf.nn.conv2d(x, kernel, 1, [[0, 0], [top, bottom], [left, right], [0, 0]])

    def run(convolution):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = convolution(x, kernel)
            loss = tf.reduce_sum(y**3)
        return [y, *tape.gradient(loss, [x, kernel])]

    ours = tf.function(lambda: run(lambda x, k: convolve(x, k, padding)), jit_compile=compiled)()
    for value, expected in zip(ours, run(reference), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_z_in_the_gates_reaches_every_pixel():
    net = gated(latent=LATENT)
    x = tf.random.stateless_normal([1, SIDE, SIDE, 1], [1, 2])
    found = jacobian(lambda z: net(x, z), tf.random.stateless_normal([1, LATENT], [3, 4]))
    assert found.min() > 0


def features_seen(net):
    """[pixels, pixels]: what each logit depends on of the features."""
    x = tf.random.stateless_normal([1, SIDE, SIDE, 1], [1, 2])
    return jacobian(net(x), tf.random.stateless_normal([1, SIDE, SIDE, FEATURES], [3, 4])) > 0


def test_the_code_masks_the_features_of_z_like_pixels():
    """So the first pixel sees nothing of z, exactly, and no pixel its own place (facts 3.5)."""
    net = gated(channels=1 + FEATURES)
    seen = features_seen(lambda x: lambda f: net(tf.concat([x, f], -1)))
    assert not seen[0].any()
    assert not seen[np.triu_indices(SIDE**2)].any()
    assert seen[1:].any(1).all()


def test_unmasked_features_are_seen_at_the_own_place_too():
    net = gated(channels=1 + FEATURES, unmasked=True)
    seen = features_seen(lambda x: lambda f: net(tf.concat([x, f], -1)))
    assert np.diag(seen).all()
    assert not seen[np.triu_indices(SIDE**2, 1)].any()
    assert net.count_params() == gated(channels=1 + FEATURES).count_params()


def test_the_single_stack_sees_features_of_its_own_place():
    net = single(features=FEATURES)
    seen = features_seen(lambda x: lambda f: net(x, f))
    assert np.diag(seen).mean() > 0.8  # the rest are ReLUs that are off
    assert not seen[np.triu_indices(SIDE**2, 1)].any()


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_of_all_images_of_a_small_grid_sum_to_one(kind):
    """p(x) > 0 of all 2^9 images of 3 x 3; given z, features or class, for the one that is fixed."""
    net = KINDS[kind](3, 3)
    images = np.array(list(itertools.product((0.0, 1.0), repeat=9)), np.float32).reshape(-1, 3, 3, 1)
    log_p = bernoulli_log_prob(net(images), images).numpy().astype(np.float64)
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-5)
    assert log_p.std() > 0.1


def test_the_gate():
    a, b = np.random.default_rng(1).normal(size=(2, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(gate(tf.concat([a, b], -1)), np.tanh(a) / (1 + np.exp(-b)), rtol=1e-5)


def test_bfloat16_nets_keep_float32_weights_and_logits():
    with precision("bfloat16"):
        fast = gated(latent=LATENT)
    exact = gated(latent=LATENT)
    exact.set_weights(fast.get_weights())
    x, z = tf.random.stateless_normal([8, SIDE, SIDE, 1], [1, 2]), tf.random.stateless_normal([8, LATENT], [3, 4])
    y, expected = fast(x, z), exact(x, z)
    assert {v.dtype for v in fast.variables} == {"float32"} and y.dtype == tf.float32
    assert fast.blocks[0].vertical(x).dtype == fast.head[0](x[..., :1] + tf.zeros(4)).dtype == tf.bfloat16
    assert 0 < np.abs(y - expected).max() < 0.05 * np.abs(expected).max()
