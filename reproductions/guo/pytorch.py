"""What PyTorch does otherwise than Keras, for networks that repeat the author's code: initial weights, batch norm,
padding.
"""

import keras
import numpy as np
import tensorflow as tf

from common.errors import UserError

layers = keras.layers


def initialise(network, how):
    """Draws the initial weights of `network` anew, from Keras's global seed, and returns the network.

    torch: kernels and biases of dense and convolutional layers ~ U(-b, b), b = 1 / sqrt(fan in), PyTorch's default.
    For PyTorch the fan in of a transposed convolution is its output channels times the kernel's area.
    dcgan: kernels ~ N(0, .02), batch norm's gamma ~ N(1, .02), biases 0 (Radford et al. 2016, section 4).
    keras: as Keras made them, Glorot's kernels and zero biases. Raises UserError for another word.
    """
    if how not in ("torch", "dcgan", "keras"):
        raise UserError(f"unknown init {how!r}; choose one of torch, dcgan, keras")
    for layer in network.layers:
        if how == "keras":
            continue
        if isinstance(layer, layers.BatchNormalization) and how == "dcgan":
            layer.gamma.assign(keras.random.normal(layer.gamma.shape, 1.0, 0.02, dtype=layer.gamma.dtype))
        if not hasattr(layer, "kernel"):
            continue
        bound = 1.0 / np.sqrt(np.prod(layer.kernel.shape[:-1]))  # Keras keeps a transposed kernel as [k, k, out, in]
        for weight in layer.trainable_weights:
            if how == "torch":
                weight.assign(keras.random.uniform(weight.shape, -bound, bound, dtype=weight.dtype))
            elif weight is layer.kernel:
                weight.assign(keras.random.normal(weight.shape, 0.0, 0.02, dtype=weight.dtype))
    return network


class BatchNorm(layers.BatchNormalization):
    """PyTorch's batch norm of maps [B, H, W, C]: running statistics keep 9/10 a step (its momentum .1), epsilon 1e-5.

    As there, the running variance divides by n - 1, n = B H W, and the batch's by n. One fused kernel: Keras's layer
    reads and writes the maps several times, and takes half the time of a generator on a CPU.
    """

    def __init__(self, **kwargs):
        super().__init__(momentum=0.9, epsilon=1e-5, **kwargs)

    def call(self, x, training=None, mask=None):
        if not training:
            return super().call(x, training=False)
        gamma, beta = (tf.cast(v, tf.float32) for v in (self.gamma, self.beta))
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=self.epsilon, is_training=True)
        for running, of_batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            running.assign(self.momentum * running + (1.0 - self.momentum) * of_batch)
        return y


def halving(filters, **kwargs):
    """PyTorch's 3x3 convolution of stride 2 with padding 1, on even sides: zeros above and left, where "same" has them
    below and right.
    """
    return [layers.ZeroPadding2D(((1, 0), (1, 0))), layers.Conv2D(filters, 3, 2, **kwargs)]


def adam(learning_rate, beta_1=0.9):
    """Adam with PyTorch's epsilon, 1e-8."""
    return keras.optimizers.Adam(learning_rate, beta_1, epsilon=1e-8)
