"""Standard stacks: what several texts build their models from.

Their outputs are float32 also where the layers inside compute in bfloat16 (common.nets.precision).
"""

import keras

layers = keras.layers


def dense_stack(inputs, units, outputs, activation="relu", kernel_initializer="glorot_uniform", name=None):
    """Dense layers of `units`, each with `activation`, then a linear layer; [B, inputs] -> [B, outputs]."""
    hidden = [layers.Dense(n, activation, kernel_initializer=kernel_initializer) for n in units]
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            *hidden,
            layers.Dense(outputs, kernel_initializer=kernel_initializer, dtype="float32"),
        ],
        name=name,
    )


def conv(filters, strides=1, size=3, activation="relu"):
    """A `size` x `size` convolution with He's initial weights, zero-padded to keep (or halve) the resolution."""
    return layers.Conv2D(filters, size, strides, "same", activation=activation, kernel_initializer="he_uniform")


def up(filters, size=3, activation="relu"):
    """A transposed convolution of stride 2 that doubles the resolution."""
    return layers.Conv2DTranspose(filters, size, 2, "same", activation=activation, kernel_initializer="he_uniform")


def encoder_28(outputs, channels=1, name="encoder"):
    """Eight 3x3 convolutions, [B, 28, 28, channels] -> [B, outputs] (VGG-like; Ahmed 2017, appendix A, sec. 4.2.2)."""
    return keras.Sequential(
        [
            keras.Input((28, 28, channels)),
            conv(32),
            conv(32, strides=2),
            conv(32),
            conv(64, strides=2),
            layers.ZeroPadding2D(((0, 1), (0, 1))),  # 7x7 -> 8x8
            conv(64),
            conv(64, strides=2),
            conv(64),
            conv(64),
            layers.Flatten(),
            layers.Dense(outputs, dtype="float32"),
        ],
        name=name,
    )


def decoder_28(latent, channels=1, name="decoder"):
    """Eight 3x3 layers and a 1x1 output, [B, latent] -> logits [B, 28, 28, channels] (Ahmed 2017, appendix A)."""
    return keras.Sequential(
        [
            keras.Input((latent,)),
            layers.Dense(4 * 4 * 64, "relu", kernel_initializer="he_uniform"),
            layers.Reshape((4, 4, 64)),
            conv(64),
            conv(64),
            up(64),
            conv(64),
            layers.Cropping2D(((0, 1), (0, 1))),  # 8x8 -> 7x7
            up(32),
            conv(32),
            up(32),
            conv(32),
            layers.Conv2D(channels, 1, dtype="float32"),
        ],
        name=name,
    )
