"""The gated two-stack net without a blind spot (van den Oord et al. 2016b; step by step as in Ahmed 2017, chapter 2).

Two stacks of features. V at (r, c) has seen rows 0..r whole, H what is before (r, c) in raster order. A block, with
k x k the filter and d the width:

    P[r]  = vertical convolution of V, rows r - k//2 .. r                               d_in -> 2d
    V'    = gate(P + z)                                                                 2d -> d
    H'    = gate(horizontal convolution of H + v2h(P[r-1]) + z)                         1 x (k//2 + 1) and 1x1 -> d
    H''   = 1x1(H') + H          (without H in the first block)

gate(a, b) = tanh(a) sigmoid(b); z is a linear map of the latent, one for each gate. P[r-1] is the row above: that H
sees it only shifted by one row is all that keeps the net causal. P[-1] has seen no pixel, it is the bias. The first
block is 7x7 and its horizontal taps end left of the pixel (mask A); in later blocks they end at the pixel (mask B).
The head works on H: two gated 1x1, and 1x1 to the logits.
"""

import keras
import numpy as np
import tensorflow as tf

from common.nets.causal import centre_mask
from common.nets.convolve import convolve, pad
from common.nets.weight_norm import Normed, NormedDense, one_by_one, uniform

layers = keras.layers


def gate(x):
    """tanh(a) sigmoid(b) of x = [a, b] on the last axis."""
    a, b = tf.split(x, 2, axis=-1)
    return tf.tanh(a) * tf.sigmoid(b)


class Vertical(Normed):
    """P: k x k convolution over the rows up to the pixel's own, [B, H, W, in] -> [B, H, W, filters], without bias.

    v [k, k, in, filters] holds the masked rows below too, as texts count parameters; they are never computed.
    """

    def __init__(self, filters, size, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.size = filters, size

    def build(self, shape):
        self.add_kernel((self.size, self.size, shape[-1], self.filters), uniform(4.0))

    def live(self, v):
        return v[: self.size // 2 + 1]

    def call(self, x):
        half = self.size // 2
        return convolve(x, self.kernel(), (half, 0, half, half))


class Horizontal(Normed):
    """1 x k convolution that ends left of the pixel (kind "A") or at it ("B"), [B, H, W, in] -> [.., filters], no bias.

    unmasked: of the last so many input channels the pixel's own place is seen in kind "A" too.
    """

    def __init__(self, filters, size, kind, unmasked=0, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.size, self.kind, self.unmasked = filters, size, kind, unmasked
        self.taps = size // 2 + (kind == "B" or unmasked > 0)

    def build(self, shape):
        own = centre_mask(self.kind, shape[-1], self.filters)
        own[shape[-1] - self.unmasked :] = 1
        self.mask = np.concatenate([np.ones((1, self.size // 2, *own.shape), np.float32), own[None, None]], 1)
        self.add_kernel((1, self.size, shape[-1], self.filters), uniform(4.0))

    def live(self, v):
        return v[:, : self.taps] * self.mask[:, : self.taps]

    def call(self, x):
        half = self.size // 2
        if self.taps == half:  # all taps lie left of the pixel: of x moved one column to the right
            x = tf.pad(x, pad(0, 0, 1, 0))[:, :, :-1]
        return convolve(x, self.kernel(), (0, 0, self.taps - 1, 0))


def linear(shape, dtype=None):
    """Initial weights [latent, 2 width] of two linear maps side by side, each orthogonal if square."""
    half = (shape[0], shape[1] // 2)
    kinds = [keras.initializers.Orthogonal() if half[0] == half[1] else uniform(1.0, "fan_in") for _ in range(2)]
    return tf.concat([kind(half, dtype) for kind in kinds], 1)


class GatedBlock(layers.Layer):
    """One block: V [B, H - 1, W, in], H [B, H, W, in], z [B, latent] or None -> V', H'' of `width` channels.

    The last row of V would feed the row below the image; it is left out.
    unmasked: of the last so many channels of H the pixel's own place is seen, in the first block too.
    """

    def __init__(self, inputs, width, size, latent=0, first=False, unmasked=0, **kwargs):
        super().__init__(**kwargs)
        self.residual = not first
        self.vertical = Vertical(2 * width, size)
        self.horizontal = Horizontal(2 * width, size, "A" if first else "B", unmasked)
        self.v2h, self.out = one_by_one(2 * width), one_by_one(width)
        self.of_z = [NormedDense(2 * width, kernel_initializer=linear) for _ in range(2 if latent else 0)]
        inputs_of = [(self.vertical, inputs), (self.horizontal, inputs), (self.v2h, 2 * width), (self.out, width)]
        for layer, channels in inputs_of + [(layer, latent) for layer in self.of_z]:
            layer.build((None, None, None, channels))
        self.built = True

    def biases(self, z=None):
        """What is added to both gates, [2 width] each, or [B, 1, 1, 2 width] given z.

        v2h sees P before z is added, but with its bias.
        """
        v, h = self.vertical.bias, self.horizontal.bias + self.v2h(self.vertical.bias)
        if z is None:
            return v, h
        return tuple(bias + layer(z)[:, None, None] for bias, layer in zip((v, h), self.of_z, strict=True))

    def call(self, v, h, z=None):
        v_bias, h_bias = self.biases(z)
        p = self.vertical(v)
        above = tf.pad(self.v2h.product(p), pad(1, 0, 0, 0))  # row r takes P[r - 1]
        new = self.out(gate(self.horizontal(h) + above + h_bias))
        return gate(p + v_bias), new + h if self.residual else new


class GatedStack(layers.Layer):
    """p(x|z): a 7x7 block, `blocks` blocks of size x size, and a head: [B, H, W, channels], z -> logits [B, H, W, 1].

    channels: 1, or 1 + features of z beside the image. They are masked like pixels (as the released code does), so
    that the first pixel sees none and no pixel those of its own place; unmasked=True lets it see those.
    latent > 0: z [B, latent] is a bias of every gate, the head's too. A one-hot class is such a z.
    Logits are float32. The reach is first // 2 + blocks * (size // 2) pixels to each side.
    """

    def __init__(self, blocks, width, size=5, channels=1, latent=0, unmasked=False, first=7, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [GatedBlock(channels, width, first, latent, True, (channels - 1) * unmasked)]
        self.blocks += [GatedBlock(width, width, size, latent) for _ in range(blocks)]
        for layer in self.blocks[-1].of_z[:1]:
            layer.trainable = False  # V of the last block feeds nothing; texts count its parameters all the same
        self.head = [one_by_one(2 * width), one_by_one(2 * width)]
        self.of_z = [NormedDense(2 * width, kernel_initializer=linear) for _ in range(2 if latent else 0)]
        self.logits = one_by_one(1, scale=1.0, dtype="float32")
        for layer in [*self.head, self.logits]:
            layer.build((None, None, None, width))
        for layer in self.of_z:
            layer.build((None, latent))
        self.built = True

    def call(self, x, z=None):
        v, h = x[:, :-1], x
        for block in self.blocks:
            v, h = block(v, h, z)
        return self.of_h(h, self.head_biases(z))

    def head_biases(self, z=None):
        """What is added to the gates of the head, [2 width] each, or [B, 1, 1, 2 width] given z."""
        if z is None:
            return [layer.bias for layer in self.head]
        return [layer.bias + of_z(z)[:, None, None] for layer, of_z in zip(self.head, self.of_z, strict=True)]

    def of_h(self, h, biases):
        """Logits of H [B, H, W, width]."""
        for layer, bias in zip(self.head, biases, strict=True):
            h = gate(layer.product(h) + bias)
        return self.logits(h)
