"""Masked convolutions of a single stack: pixels in raster order, each sees those before it (van den Oord et al. 2016a).

Such a stack has a blind spot. Of the row dr above, a pixel sees columns up to the sum of the min(dr, layers) largest
half-widths to its right and no further: what lies beyond is before it in raster order and never reaches it. The
two-stack net (common.nets.gated) has none.
"""

import keras
import numpy as np
import tensorflow as tf

from common.nets.convolve import convolve
from common.nets.weight_norm import Normed, one_by_one, uniform


def centre_mask(kind, inputs, outputs, groups=1):
    """What an output channel may see of its own pixel: float32 [inputs, outputs] of 0 and 1.

    Channels belong to colours in the order R, G, B by index mod `groups`. Kind "A" (on the image): colours before its
    own; "B" (on features): its own too. With one group: nothing, everything.
    """
    before, after = np.arange(inputs)[:, None] % groups, np.arange(outputs) % groups
    return {"A": before < after, "B": before <= after}[kind].astype(np.float32)


def raster_mask(size, kind, inputs, outputs, groups=1):
    """float32 [size // 2 + 1, size, inputs, outputs]: the rows above, and of the own row what is left of the centre.

    The rows below the centre, which a mask of size x size would zero, are left out altogether.
    """
    mask = np.ones((size // 2 + 1, size, inputs, outputs), np.float32)
    mask[-1, size // 2] = centre_mask(kind, inputs, outputs, groups)
    mask[-1, size // 2 + 1 :] = 0
    return mask


class MaskedConv2D(Normed):
    """A size x size convolution (size odd) that sees only earlier pixels: [B, H, W, in] -> [B, H, W, filters].

    v [size, size, in, filters] holds the masked taps too, as texts count parameters, but they are never computed: the
    convolution has size // 2 + 1 rows.
    """

    def __init__(self, filters, size, kind, groups=1, activation=None, **kwargs):
        super().__init__(activation, **kwargs)
        self.filters, self.size, self.kind, self.groups = filters, size, kind, groups

    def build(self, shape):
        self.mask = raster_mask(self.size, self.kind, shape[-1], self.filters, self.groups)
        self.add_kernel((self.size, self.size, shape[-1], self.filters), uniform(4.0))

    def live(self, v):
        return v[: self.size // 2 + 1] * self.mask

    def call(self, x):
        half = self.size // 2
        return self.activation(convolve(x, self.kernel(), (half, 0, half, half)) + self.bias)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.filters)


class MaskedStack(keras.layers.Layer):
    """A single-stack decoder p(x|z) with ReLU (Ahmed 2017, chapter 2, "traditional"): (image, features of z) -> logits.

        h = relu(7x7 A (x));  h = [h, features];  h = relu(kxk B (h)) (+ h from the second on), `layers` times;
        two 1x1 with ReLU;  1x1 to one logit

    image [B, H, W, 1], features [B, H, W, F] or None -> [B, H, W, 1], float32. The features are not masked.
    """

    def __init__(self, layers, width=32, size=5, features=0, first=7, **kwargs):
        super().__init__(**kwargs)
        self.first = MaskedConv2D(width, first, "A", activation="relu")
        self.blocks = [MaskedConv2D(width, size, "B", activation="relu") for _ in range(layers)]
        self.head = [one_by_one(width, "relu"), one_by_one(width, "relu"), one_by_one(1, scale=1.0, dtype="float32")]
        self.first.build((None, None, None, 1))
        for number, layer in enumerate([*self.blocks, *self.head]):
            layer.build((None, None, None, width + features * (number == 0)))
        self.built = True

    def call(self, image, features=None):
        h = self.first(image)
        if features is not None:
            h = tf.concat([h, features], -1)
        for number, block in enumerate(self.blocks):
            h = block(h) + h if number else block(h)
        for layer in self.head:
            h = layer(h)
        return h
