"""Chapter 1, sections 1.5.2, 1.6 and 1.7, and note 2 of section 4.2.2: statements about networks, each in a few lines.

Float64 unless a Keras layer is what is checked.
"""

import keras
import numpy as np
import tensorflow as tf
from scipy import special

from common.nets.stacks import decoder_28, encoder_28, up
from common.probability.objectives import generator_loss


def feedforward(seed):
    """No. 50, section 1.5.2: four statements, largest differences.

    linear: a stack of linear layers against one linear map. softmax: |sum - 1|. gradient: back-propagation against
    central differences. adjoint: <conv x, y> - <x, tconv y>, relative (float32); sizes: outputs of the strided and the
    transposed layer that are not half and double.
    """
    rng = np.random.default_rng(seed)
    a, b, c = (rng.normal(size=(5, 5)) for _ in range(3))
    x = rng.normal(size=(7, 5))
    weights, target = tf.Variable(a), rng.normal(size=(7, 5))

    def loss(w):
        return tf.reduce_sum((tf.tanh(x @ w) @ b - target) ** 2)

    with tf.GradientTape() as tape:
        value = loss(weights)
    gradient, direction, h = tape.gradient(value, weights).numpy(), rng.normal(size=(5, 5)), 1e-6
    difference = (loss(a + h * direction) - loss(a - h * direction)) / (2 * h)
    down = keras.layers.Conv2D(3, 5, 2, "same", use_bias=False)
    image, maps = rng.normal(size=(2, 8, 8, 1)).astype("float32"), rng.normal(size=(2, 4, 4, 3)).astype("float32")
    small, raise_up = down(image), up(1, 5, None)
    large = raise_up(maps)
    raise_up.set_weights([down.get_weights()[0], np.zeros(1)])
    left, right = np.vdot(small, maps), np.vdot(image, raise_up(maps))
    return {
        "linear": np.abs(x @ a @ b @ c - x @ (a @ (b @ c))).max(),
        "softmax": np.abs(special.softmax(10 * x, axis=1).sum(1) - 1).max(),
        "gradient": abs(float(difference) - np.sum(gradient * direction)) / abs(float(difference)),
        "adjoint": abs(left - right) / np.linalg.norm(small) / np.linalg.norm(maps),
        "sizes": abs(small.shape[1] - 4) + abs(large.shape[1] - 8),
    }


def depth(seed, layers=50, width=64):
    """No. 51, section 1.5.2: batch norm and residual connections.

    bias_difference: batch norm's output with and without a bias before it. population_difference: output of one image
    under batch against population statistics. residual_error: output and gradient of 50 residual blocks whose last
    matrix is zero, against the identity. plain_gradient: norm of the gradient at the input over that at the output of
    50 plain ReLU layers (Glorot's initial weights).
    """
    rng = np.random.default_rng(seed)
    x, bias = rng.normal(size=(32, width)), rng.normal(size=width)
    odd = x[:8] + 1.0  # a batch that is not like the population

    def normalise(batch, mean, variance):
        return (batch - mean) / np.sqrt(variance + 1e-5)

    def own(batch):
        return normalise(batch, batch.mean(0), batch.var(0))

    inputs = tf.constant(x)
    sd = np.sqrt(2 / (width + width))
    plain, residual = inputs, inputs
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        plain = residual = inputs
        for _ in range(layers):
            matrix = tf.constant(sd * rng.normal(size=(width, width)))
            plain = tf.nn.relu(plain @ matrix)
            residual = residual + tf.nn.relu(residual @ matrix) @ tf.zeros((width, width), tf.float64)
    seed_gradient = tf.constant(rng.normal(size=x.shape))
    through_plain, through_residual = (tape.gradient(y, inputs, seed_gradient) for y in (plain, residual))
    return {
        "bias_difference": np.abs(own(x + bias) - own(x)).max(),
        "population_difference": np.abs(own(odd) - normalise(odd, x.mean(0), x.var(0))).max(),
        "residual_error": max(np.abs(residual - x).max(), np.abs(through_residual - seed_gradient).max()),
        "plain_gradient": np.linalg.norm(through_plain) / np.linalg.norm(seed_gradient),
    }


def recurrent(seed, steps=100, width=32, window=10, bound=1.0):
    """No. 54, section 1.6.1: h_t = tanh(W h_{t-1} + x_t), loss = a . h_T.

    sum_error: gradient by W of the unrolled net against the sum of its steps' contributions, relative.
    truncation_error: the same when only the last `window` steps count. clipped_excess: norm of the clipped gradient
    above `bound`. orthogonal_ratio, identity_ratio, random_ratio: norm of the gradient after 100 linear steps over the
    norm before, W orthogonal, the identity, or normal with sd .5/sqrt(width).
    """
    rng = np.random.default_rng(seed)
    orthogonal = np.linalg.qr(rng.normal(size=(width, width)))[0]
    inputs, a = 0.1 * rng.normal(size=(20, width)), rng.normal(size=width)
    w = tf.constant(orthogonal)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(w)
        copies = [tf.identity(w) for _ in inputs]  # one copy of W a step: their gradients are the contributions
        h = tf.zeros(width, tf.float64)
        for copy, x in zip(copies, inputs, strict=True):
            h = tf.tanh(tf.linalg.matvec(copy, h) + x)
        loss = tf.reduce_sum(a * h)
    whole = tape.gradient(loss, w).numpy()
    parts = [g.numpy() for g in tape.gradient(loss, copies)]
    clipped = whole * min(1.0, bound / np.linalg.norm(whole))
    random = 0.5 * rng.normal(size=(width, width)) / np.sqrt(width)
    matrices = {"orthogonal": orthogonal, "identity": np.eye(width), "random": random}
    after = {name: a @ np.linalg.matrix_power(matrix, steps) for name, matrix in matrices.items()}
    return {
        "sum_error": np.linalg.norm(whole - sum(parts)) / np.linalg.norm(whole),
        "truncation_error": np.linalg.norm(whole - sum(parts[-window:])) / np.linalg.norm(whole),
        "clipped_excess": max(0.0, np.linalg.norm(clipped) - bound),
    } | {f"{name}_ratio": np.linalg.norm(g) / np.linalg.norm(a) for name, g in after.items()}


def lstm(seed, units=5, inputs=3):
    """No. 55, section 1.6.2, equations 1.26 to 1.31 against Keras's cell (float32).

    i, f, o = sigma(W x + U h + b), g = tanh(W x + U h + b), c' = f c + i g, h' = o tanh(c').
    cell_error: largest difference of h' and c'. keep_error: change of c when the biases hold f = 1 and i = 0.
    """
    rng = np.random.default_rng(seed)
    cell = keras.layers.LSTMCell(units)
    cell.build((None, inputs))
    kernel, recurrent_kernel = rng.normal(size=(inputs, 4 * units)), rng.normal(size=(units, 4 * units))
    bias = rng.normal(size=4 * units)
    x, h, c = rng.normal(size=(2, inputs)), rng.normal(size=(2, units)), rng.normal(size=(2, units))

    def keras_cell(bias):
        cell.set_weights([kernel, recurrent_kernel, bias])
        new_h, (_, new_c) = cell(x.astype("float32"), [h.astype("float32"), c.astype("float32")])
        return new_h.numpy(), new_c.numpy()

    i, f, g, o = np.split(x @ kernel + h @ recurrent_kernel + bias, 4, axis=1)  # Keras's order of the blocks
    new_c = special.expit(f) * c + special.expit(i) * np.tanh(g)
    new_h = special.expit(o) * np.tanh(new_c)
    ours, theirs = (new_h, new_c), keras_cell(bias)
    held = bias.copy()
    held[:units], held[units : 2 * units] = -1e3, 1e3
    return {
        "cell_error": max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True)),
        "keep_error": np.abs(keras_cell(held)[1] - c.astype("float32")).max(),
    }


def generator_gradients():
    """No. 29, section 1.7: |gradient| by the logit of the two generator losses; their ratio is (1 - D)/D.

    ratio_error: largest relative error of that over D from 1e-4 to .9. kept: the non-saturating gradient at D = 1e-4;
    saturating: the other one there.
    """
    d = np.geomspace(1e-4, 0.9, 50)
    logits = tf.constant(special.logit(d))
    found = {}
    for name in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = generator_loss(logits, saturating=name)
        found[name] = np.abs(tape.gradient(loss, logits).numpy()) * len(d)  # the loss is a mean over the batch
    ratio = found[False] / found[True]
    return {
        "ratio_error": np.abs(ratio * d / (1 - d) - 1).max(), "kept": found[False][0], "saturating": found[True][0],
    }  # fmt: skip


def inverse_autoregressive(seed, dimensions=8, hidden=32):
    """No. 39, note 2 of section 4.2.2: u_i = (z_i - m_i(z_{<i})) exp(-s_i(z_{<i})).

    Given z, every u_i comes out of one pass of the masked net; given u, z needs as many passes as dimensions.
    Every m_i also takes z_{i-1} as it is: through saturated units alone the last passes would hardly move z.
    error: z after D passes; error_one_fewer: after D - 1 passes.
    """
    rng = np.random.default_rng(seed)
    owner = np.arange(hidden) % (dimensions - 1)
    u_mask, v_mask = np.arange(dimensions)[:, None] <= owner, owner[:, None] < np.arange(dimensions)
    first = rng.normal(size=(dimensions, hidden)) * u_mask
    mean, scale = (0.4 * rng.normal(size=(hidden, dimensions)) * v_mask for _ in range(2))
    z = rng.normal(size=dimensions)

    def pass_through(z):
        h = np.tanh(z @ first)
        return h @ mean + z @ np.eye(dimensions, k=1), 0.3 * h @ scale

    m, s = pass_through(z)
    u = (z - m) * np.exp(-s)
    guess, errors = np.zeros(dimensions), []
    for _ in range(dimensions):
        m, s = pass_through(guess)
        guess = m + u * np.exp(s)
        errors.append(np.abs(guess - z).max())
    return {"error": errors[-1], "error_one_fewer": errors[-2]}


def layer_counts():
    """Section 4.2.2: 3x3 layers in the VAE's encoder and decoder."""
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    return {
        name: sum(isinstance(layer, kinds) and layer.kernel_size == (3, 3) for layer in net.layers)
        for name, net in (("encoder", encoder_28(128)), ("decoder", decoder_28(64)))
    }


def metrics(seed):
    """{"c29_ratio_error": ...}: every check of this module."""
    found = {
        "c29": generator_gradients(), "c39": inverse_autoregressive(seed), "c50": feedforward(seed),
        "c51": depth(seed), "c54": recurrent(seed), "c55": lstm(seed), "s4_layers": layer_counts(),
    }  # fmt: skip
    return {f"{claim}_{name}": float(value) for claim, part in found.items() for name, value in part.items()}
