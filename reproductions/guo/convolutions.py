"""Section 3.2: wide and fractionally strided convolutions, and how the DCGAN's layers change sides and channels.

A convolution here is the true one, y[o] = sum_i x[i] k[o - i]: correlation with the flipped kernel. For one channel:

    wide                   every overlap counts: side n + k - 1                              ("full" in scipy)
    fractionally strided   s - 1 zeros between neighbouring pixels, wide, then p pixels cut off each side:
                           side (n - 1) s + k - 2 p
    transposed             the transpose of the matrix by which a strided convolution acts; both above are such
"""

import keras
import numpy as np
import tensorflow as tf
from scipy import signal

from common.nets.transposed import TransposedConv2D
from reproductions.guo import models_gan

CASES = tuple((k, s, p) for s in (1, 2, 3) for k in (3, 4, 5) for p in (0, 1) if k >= s)  # kernel, stride, cut
LAYERS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, TransposedConv2D)


def zeros_inserted(image, stride):
    """[H, W] with stride - 1 zeros between neighbours: [(H - 1) s + 1, (W - 1) s + 1]."""
    spread = np.zeros([(side - 1) * stride + 1 for side in image.shape])
    spread[::stride, ::stride] = image
    return spread


def wide(image, kernel):
    """Wide convolution: [H, W] with [k, k] -> [H + k - 1, W + k - 1]."""
    return signal.convolve2d(image, kernel, mode="full")


def fractionally_strided(image, kernel, stride, cut=0):
    """Zeros inserted, then wide, then `cut` pixels off each side."""
    full = wide(zeros_inserted(image, stride), kernel)
    return full[cut : len(full) - cut, cut : full.shape[1] - cut]


def keras_transposed(image, kernel, stride, cut=0):
    """The same by Keras: Conv2DTranspose without padding, then cut."""
    tensor, weights = (tf.constant(a[None, :, :, None] if a is image else a[:, :, None, None]) for a in (image, kernel))
    found = keras.ops.conv_transpose(tensor, weights, stride, "valid").numpy()[0, :, :, 0]
    return found[cut : len(found) - cut, cut : found.shape[1] - cut]


def matrix_of_strided(side, kernel, stride, pad):
    """The matrix [outputs, side^2] by which the strided correlation with `kernel` (a network's "convolution") acts."""
    columns = []
    for pixel in range(side**2):
        basis = np.zeros((side, side))
        basis.flat[pixel] = 1
        columns.append(signal.correlate2d(np.pad(basis, pad), kernel, "valid")[::stride, ::stride].ravel())
    return np.stack(columns, axis=1)


def claim_6(seed):
    """Largest differences: fractionally strided = Keras's transposed convolution = the transposed matrix; stride 1 =
    wide; our layer of stride 2. Side of the strided and of the wide output of a 4 x 4 map with a 4 x 4 kernel.
    """
    draw = np.random.default_rng(seed)
    keras_error, wide_error, adjoint_error, layer_error = [], [], [], []
    for k, s, p in CASES:
        image, kernel = draw.normal(size=(4, 4)), draw.normal(size=(k, k))
        found = fractionally_strided(image, kernel, s, p)
        keras_error.append(np.abs(found - keras_transposed(image, kernel, s, p)).max())
        matrix = matrix_of_strided(len(found), kernel, s, p)
        adjoint_error.append(np.abs(found.ravel() - matrix.T @ image.ravel()).max())
        if (s, p) == (1, 0):
            wide_error.append(np.abs(found - wide(image, kernel)).max())
        if (k, s, p) == (4, 2, 1):
            layer = TransposedConv2D(1, 4, use_bias=False)
            layer.build((None, 4, 4, 1))
            layer.kernel.assign(kernel[:, :, None, None])
            layer_error.append(np.abs(found - layer(image[None, :, :, None].astype("float32"))[0, :, :, 0]).max())
    image, kernel = draw.normal(size=(4, 4)), draw.normal(size=(4, 4))
    return {
        "c06_keras_error": max(keras_error),
        "c06_adjoint_error": max(adjoint_error),
        "c06_wide_error": max(wide_error),
        "c06_layer_error": max(layer_error),
        "c06_fractional_side": len(fractionally_strided(image, kernel, 2, 1)),
        "c06_wide_side": len(wide(image, kernel)),
    }


def demonstration():
    """Arrays of the demonstration: one 3 x 3 map, one 3 x 3 kernel, the wide and the fractionally strided result."""
    image = np.array([[1.0, 0.2, 0.6], [0.4, 0.9, 0.1], [0.7, 0.3, 0.8]])
    kernel = np.array([[0.25, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 0.25]])
    return {
        "demo_input": image,
        "demo_kernel": kernel,
        "demo_zeros_inserted": zeros_inserted(image, 2),
        "demo_fractional": fractionally_strided(image, kernel, 2),
        "demo_wide": wide(image, kernel),
    }


def maps_of(network):
    """[(side, channels)] after every convolution of a generator, in its order."""
    shapes = [layer.output.shape for layer in network.layers if isinstance(layer, LAYERS)]
    return [(shape[1], shape[3]) for shape in shapes]


def claim_38():
    """Each layer halves the channels and doubles the side: the share of layers after the first for which that is so."""
    networks = {
        "faces": models_gan.faces_generator((64, 64, 3), 100),
        "described": models_gan.radford_generator((28, 28, 1), 100),
        "mnist_code": models_gan.wide_generator((28, 28, 1), 100),
    }
    found = {}
    for name, network in networks.items():
        sides, channels = np.array(maps_of(network), float).T
        found[f"c38_doubled_{name}"] = np.mean(sides[1:] == 2 * sides[:-1])
        found[f"c38_halved_{name}"] = np.mean(2 * channels[1:] == channels[:-1])
        found[f"c38_halved_hidden_{name}"] = np.mean(2 * channels[1:-1] == channels[:-2])
        found[f"c38_last_side_{name}"] = sides[-1]
    return found
