"""Layers with weight normalisation:  w = g v / ||v||  (Salimans & Kingma 2016, Eq. 2).

The norm runs over all inputs of an output unit. The gain g starts at the norm of the initial v, so that the initial
weights are those of the initialiser; nothing depends on data. A mask is applied to v first: a masked tap is in neither
the weight nor the norm, and gets no gradient. (Normalising over masked taps too gives them gradients, and the scale of
the others drifts.) Weights and norm are float32, also where the layer computes in bfloat16.

Initial weights are uniform (Ahmed 2017, chapter 2, released code): sd^2 = scale / (mean of fan in and fan out) with
scale 2 before a ReLU or a gate and 1 in a last layer, twice that if about half the taps are masked; linear layers
sd^2 = 1 / fan in, orthogonal if square; biases 0.
"""

import keras
import tensorflow as tf

from common.nets.convolve import pad


def uniform(scale, mode="fan_avg"):
    """U(-a, a) of variance scale / fan."""
    return keras.initializers.VarianceScaling(scale, mode, "uniform")


class Normed(keras.layers.Layer):
    """A layer whose kernel [..., out] has weight normalisation, and a bias [out]."""

    def __init__(self, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)

    def add_kernel(self, shape, initializer):
        """Adds v, gain and bias; `live` must be ready."""
        self.v = self.add_weight(name="v", shape=shape, initializer=initializer, autocast=False)
        norm = tf.sqrt(sum_of_squares(self.live(tf.convert_to_tensor(self.v))))
        self.gain = self.add_weight(
            name="gain", shape=shape[-1:], initializer=lambda shape, dtype: tf.reshape(norm, shape), autocast=False
        )
        self.bias = self.add_weight(name="bias", shape=shape[-1:], initializer="zeros")

    def live(self, v):
        """What of v is computed with: masked layers leave taps out here."""
        return v

    def kernel(self):
        """The weights in use, in the layer's compute dtype."""
        v = self.live(tf.convert_to_tensor(self.v))
        norm = tf.math.rsqrt(tf.maximum(sum_of_squares(v), 1e-12))  # an output that sees nothing has weights 0, not nan
        return tf.cast(v * (norm * self.gain), self.compute_dtype)


def sum_of_squares(v):
    """[..., out] -> [1, ..., out]."""
    return tf.reduce_sum(tf.square(v), axis=list(range(v.shape.rank - 1)), keepdims=True)


class NormedDense(Normed):
    """x W + b on the last axis: [..., in] -> [..., units]. On images it is a 1x1 convolution, as a matrix product."""

    def __init__(self, units, activation=None, kernel_initializer=None, **kwargs):
        super().__init__(activation, **kwargs)
        self.units, self.kernel_initializer = units, kernel_initializer

    def build(self, shape):
        linear = keras.initializers.Orthogonal() if shape[-1] == self.units else uniform(1.0, "fan_in")
        self.add_kernel((shape[-1], self.units), self.kernel_initializer or linear)

    def product(self, x):
        """x W."""
        return tf.tensordot(x, self.kernel(), 1)

    def call(self, x):
        return self.activation(self.product(x) + self.bias)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.units)


def one_by_one(filters, activation=None, scale=2.0, **kwargs):
    """A 1x1 convolution [..., in] -> [..., filters]."""
    return NormedDense(filters, activation, uniform(scale), **kwargs)


class NormedConv2D(Normed):
    """3x3 convolution with one zero on every side, stride 1 or 2: [B, H, W, in] -> [B, ~H/stride, ~W/stride, filters].

    Keras's "same" pads even sizes at the right and bottom only when the stride is 2.
    """

    def __init__(self, filters, strides=1, activation="relu", **kwargs):
        super().__init__(activation, **kwargs)
        self.filters, self.strides = filters, strides

    def build(self, shape):
        self.add_kernel((3, 3, shape[-1], self.filters), uniform(2.0))

    def call(self, x):
        if self.strides > 1:
            x = tf.pad(x, pad(1, 1, 1, 1))
        padding = "VALID" if self.strides > 1 else "SAME"
        return self.activation(tf.nn.conv2d(x, self.kernel(), self.strides, padding) + self.bias)

    def compute_output_shape(self, shape):
        sides = (None if side is None else (side - 1) // self.strides + 1 for side in shape[1:3])
        return (shape[0], *sides, self.filters)


class NormedUp(Normed):
    """Transposed 3x3 convolution of stride 2, the adjoint of NormedConv2D's: [B, H, W, in] -> [B, 2H, 2W, filters].

    v [3, 3, in, filters]; output o takes input i by tap k = o - 2i + 1. Of the even rows and columns one tap is used,
    of the odd ones two.
    """

    def __init__(self, filters, activation="relu", **kwargs):
        super().__init__(activation, **kwargs)
        self.filters = filters

    def build(self, shape):
        self.add_kernel((3, 3, shape[-1], self.filters), uniform(8.0, "fan_in"))

    def call(self, x):
        size = [tf.shape(x)[0], 2 * x.shape[1] + 1, 2 * x.shape[2] + 1, self.filters]
        y = tf.nn.conv2d_transpose(x, tf.einsum("hwio->hwoi", self.kernel()), size, 2, "VALID")
        return self.activation(y[:, 1:, 1:] + self.bias)  # explicit padding would be ten times slower in bfloat16

    def compute_output_shape(self, shape):
        return (shape[0], *(None if side is None else 2 * side for side in shape[1:3]), self.filters)


def normed_encoder_28(outputs, convolutions=8, name="encoder"):
    """[B, 28, 28, 1] -> [B, outputs]: 8 (released code) or 9 (text) 3x3 convolutions (Ahmed 2017, appendix A)."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            NormedConv2D(32),
            NormedConv2D(32, strides=2),
            NormedConv2D(32),
            NormedConv2D(64, strides=2),
            keras.layers.ZeroPadding2D(((0, 1), (0, 1))),  # 7x7 -> 8x8
            NormedConv2D(64),
            NormedConv2D(64, strides=2),
            *(NormedConv2D(64) for _ in range(convolutions - 6)),
            keras.layers.Flatten(),
            NormedDense(outputs, dtype="float32"),
        ],
        name=name,
    )


def normed_upsampler_28(latent, name="upsampler"):
    """[B, latent] -> features [B, 28, 28, 32]: linear and eight 3x3 layers, all ReLU (Ahmed 2017, appendix A)."""
    return keras.Sequential(
        [
            keras.Input((latent,)),
            NormedDense(4 * 4 * 64, "relu"),
            keras.layers.Reshape((4, 4, 64)),
            NormedConv2D(64),
            NormedConv2D(64),
            NormedUp(64),
            NormedConv2D(64),
            keras.layers.Cropping2D(((0, 1), (0, 1))),  # 8x8 -> 7x7
            NormedUp(32),
            NormedConv2D(32),
            NormedUp(32),
            NormedConv2D(32),
        ],
        name=name,
    )
