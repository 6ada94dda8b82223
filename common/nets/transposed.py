"""Transposed convolution of stride 2, written as a convolution that every device runs fast."""

import keras
import numpy as np
import tensorflow as tf


class TransposedConv2D(keras.layers.Layer):
    """Doubles the resolution: function, kernel layout and padding of Keras's Conv2DTranspose(strides=2, "same").

    XLA's CPU backend runs the input gradient of a strided convolution (which a transposed convolution is) at 2 to 3
    GFLOP/s. Each of the four output phases (row parity, column parity) is an ordinary convolution of the input with
    the kernel's entries of that parity; the four are computed as one convolution to 4 x filters channels, followed by
    depth-to-space. Entries that a phase does not use are zero and cost (2 * taps / size)^2 of the work at most.

    kernel [size, size, filters, channels in]; [B, H, W, C] -> [B, 2H, 2W, filters].
    """

    def __init__(self, filters, size, activation=None, use_bias=True, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.filters, self.size, self.use_bias = filters, size, use_bias
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(self.size, self.size, self.filters, shape[-1]), initializer=self.kernel_initializer
        )
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x):
        y = tf.nn.conv2d(x, phase_kernel(tf.convert_to_tensor(self.kernel)), 1, self.padding())
        y = tf.nn.depth_to_space(y, 2)
        if self.use_bias:
            y = y + self.bias
        return self.activation(y)

    def compute_output_shape(self, shape):
        return (shape[0], *(None if side is None else 2 * side for side in shape[1:3]), self.filters)

    def padding(self):
        before, after = reach(self.size)
        return [[0, 0], [before, after], [before, after], [0, 0]]


def reach(size):
    """(rows above, rows below) of the input that an output pixel pair of a transposed convolution of stride 2 sees.

    With "same" padding the output o takes input i by kernel entry k = o + crop - 2 i, where crop = (size - 2) // 2.
    """
    crop = max(size - 2, 0) // 2
    taps = range(size)
    offsets = [(parity + crop - k) / 2 for parity in (0, 1) for k in taps if (parity + crop - k) % 2 == 0]
    return int(-min(offsets)), int(max(offsets))


def phase_kernel(kernel):
    """[size, size, filters, C] -> [taps, taps, C, 4 * filters]: the kernels of the four phases side by side."""
    size, filters = kernel.shape[0], kernel.shape[2]
    crop = max(size - 2, 0) // 2
    before, after = reach(size)
    taps = before + after + 1
    select = np.zeros((2, taps, size), kernel.dtype.as_numpy_dtype)  # which kernel entry phase p uses at tap t
    for parity in (0, 1):
        for tap in range(taps):
            k = parity + crop - 2 * (tap - before)
            if 0 <= k < size:
                select[parity, tap, k] = 1.0
    phases = tf.einsum("pak,qbl,klfc->abcpqf", select, select, kernel)
    return tf.reshape(phases, [taps, taps, kernel.shape[3], 4 * filters])
