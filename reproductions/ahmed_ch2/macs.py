"""Multiply-accumulates of one image, counted from lists of layers: the cost column of Table 2.2, and Figure A.2.

A convolution costs  side^2 x taps x inputs x outputs.  "Unmasked" counts only the taps that a mask leaves, "dense" all
of them. At the centre tap of a mask with colour groups a third (A) or two thirds (B) of the weights are left.
"""

import math
from typing import NamedTuple


class Conv(NamedTuple):
    """One convolution: inputs -> outputs channels, size x size, on side x side outputs. A linear layer is 1x1 on 1x1.

    centre: None without a mask; else the share of the centre tap's weights that the mask leaves.
    """

    inputs: int
    outputs: int
    size: int
    side: int
    centre: float | None = None

    def macs(self, dense=False) -> float:
        taps = self.size**2
        if self.centre is not None and not dense:
            taps = self.size * (self.size // 2) + self.size // 2 + self.centre
        return self.side**2 * taps * self.inputs * self.outputs


def total(layers, dense=False) -> float:
    """Multiply-accumulates of a list of layers."""
    return math.fsum(layer.macs(dense) for layer in layers)


# --- The hierarchical network for 64 x 64 pixels (appendix A.0.5) -----------------------------------------------------

A, B, ONE_GROUP_A, ONE_GROUP_B = 1 / 3, 2 / 3, 0.0, 1.0


def residual(inputs, outputs, side, blocks=1):
    """`blocks` residual blocks of two 3x3; the first has a 1x1 shortcut if the width changes."""
    shortcut = [Conv(inputs, outputs, 1, side)] if inputs != outputs else []
    first = [Conv(inputs, outputs, 3, side), Conv(outputs, outputs, 3, side), *shortcut]
    return first + [Conv(outputs, outputs, 3, side)] * (2 * (blocks - 1))


def down(inputs, outputs, side):
    """A residual block that halves `side`: stride 2 in the second convolution and in the shortcut."""
    half = side // 2
    return [Conv(inputs, inputs, 3, side), Conv(inputs, outputs, 3, half), Conv(inputs, outputs, 1, half)]


def up(inputs, outputs, side):
    """A residual block that doubles `side`: convolutions to four times the channels, then depth to space."""
    wide = [Conv(inputs, 4 * outputs, size, side) for size in (3, 1)]
    return [*wide, Conv(outputs, outputs, 3, 2 * side)]


def masked(inputs, outputs, side, centre, size=3):
    """A gated masked residual block: two convolutions to the gate, one after it, a 1x1 shortcut if needed."""
    shortcut = [Conv(inputs, outputs, 1, side, centre)] if inputs != outputs else []
    gate = [Conv(inputs, outputs, size, side, centre)] * 2
    return [*gate, Conv(outputs, outputs, size, side, centre), *shortcut]


def hierarchical(z1=128, encoder=1, decoder=1, top=2, last_masked=3) -> dict[str, list[Conv]]:
    """The 64 x 64 network by parts; the defaults are the appendix's table.

    z1: channels of the lower latent. encoder, decoder: blocks at 32 x 32 in the bottom networks; top: blocks at each
    resolution of the upper ones. last_masked: filter size of the last masked block over z1. "posteriors" are the two
    layers that give mean and scale, which the table leaves out.
    """
    pixels = [
        Conv(48, 192, 5, 64, A),
        *3 * masked(384, 384, 64, B),
        Conv(384, 768, 1, 64, B),
    ]
    bottom_encoder = [
        Conv(48, 192, 1, 64),
        *residual(192, 192, 64), *down(192, 256, 64),
        *residual(256, 256, 32, encoder), *down(256, 512, 32),
        *residual(512, 512, 16, 3),
    ]  # fmt: skip
    bottom_decoder = [
        Conv(z1, 512, 1, 16),
        *residual(512, 512, 16, 3), *up(512, 256, 16),
        *residual(256, 256, 32, decoder), *up(256, 192, 32),
        *residual(192, 192, 64),
    ]  # fmt: skip
    top_encoder = [
        *residual(512, 512, 16, top), *down(512, 512, 16),
        *residual(512, 512, 8, top), *down(512, 512, 8),
        *residual(512, 512, 4, top),
    ]  # fmt: skip
    top_decoder = [
        Conv(512, 8192, 1, 1),
        *residual(512, 512, 4, top), *up(512, 512, 4),
        *residual(512, 512, 8, top), *up(512, 512, 8),
        *residual(512, 512, 16, top),
    ]  # fmt: skip
    latents = [
        Conv(z1, 512, 5, 16, ONE_GROUP_A),
        *masked(1024, 512, 16, ONE_GROUP_B), *masked(512, 512, 16, ONE_GROUP_B),
        *masked(512, 512, 16, ONE_GROUP_B, last_masked),
        Conv(512, 2 * z1, 1, 16, ONE_GROUP_B),
    ]  # fmt: skip
    return {
        "pixels": pixels, "bottom encoder": bottom_encoder, "bottom decoder": bottom_decoder,
        "top encoder": top_encoder, "top decoder": top_decoder, "latents": latents,
        "posteriors": [Conv(512, 2 * z1, 1, 16), Conv(8192, 1024, 1, 1)],
    }  # fmt: skip


def appendix() -> dict[str, list[Conv]]:
    """The network of the appendix's table."""
    return hierarchical()


def released() -> dict[str, list[Conv]]:
    """The released code's setting "64px_big"; it differs from the table in width of z1, blocks and one filter."""
    return hierarchical(z1=64, encoder=2, decoder=2, top=3, last_masked=1)


def whole(network, dense=False, posteriors=False) -> float:
    """Multiply-accumulates of encoder and decoder, one 64 x 64 image; the table's count is without `posteriors`."""
    return math.fsum(total(part, dense) for name, part in network.items() if posteriors or name != "posteriors")


def residual_blocks(part) -> int:
    """Unmasked residual blocks of a part of `hierarchical`: two 3x3 convolutions each."""
    return sum(layer.size == 3 and layer.centre is None for layer in part) // 2


# --- The networks for 28 x 28 digits (sections 2.4.1 and A.0.1) -------------------------------------------------------

SIDE = 28


def gated_stack(layers, width, size=5, channels=1) -> float:
    """The two-stack net: a 7x7 block, `layers` blocks of size x size and the head; vertical stacks at 28 rows."""

    def block(inputs, size, first):
        vertical = size * (size // 2) + size
        horizontal = size // 2 + (not first)
        return (vertical + horizontal) * inputs * 2 * width + (2 * width) ** 2 + width**2

    head = 2 * width * 2 * width + width
    return SIDE**2 * (block(channels, 7, True) + layers * block(width, size, False) + head)


def encoder(latent, convolutions=8) -> float:
    """The encoder of all latent models: 8 (code) or 9 (text) 3x3 convolutions and a linear layer."""
    sides = [(1, 32, 28), (32, 32, 14), (32, 32, 14), (32, 64, 7), (64, 64, 8), (64, 64, 4)]
    sides += [(64, 64, 4)] * (convolutions - 6)
    return total([*(Conv(i, o, 3, side) for i, o, side in sides), Conv(1024, 2 * latent, 1, 1)])


def upsampler(latent) -> float:
    """z to 32 features of 28 x 28; of a transposed convolution every input pixel meets nine taps."""
    sides = [(64, 64, 4)] * 3 + [(64, 64, 8), (64, 32, 7), (32, 32, 14), (32, 32, 14), (32, 32, 28)]
    return total([Conv(latent, 1024, 1, 1), *(Conv(i, o, 3, side) for i, o, side in sides)])


def gated_pixelvae(layers, width, size=5, latent=32) -> float:
    """Encoder, upsampler and a gated stack on the image and 32 features."""
    return encoder(latent) + upsampler(latent) + gated_stack(layers, width, size, channels=33)


def figure_a2() -> dict[str, float]:
    """The caption's three networks, width 32: "receptive field" is the half-width 3 + 2 L."""
    return {
        "PixelVAE, L = 2": gated_pixelvae(2, 32), "PixelCNN, L = 4": gated_stack(4, 32),
        "PixelCNN, L = 2": gated_stack(2, 32),
    }  # fmt: skip


def metrics() -> dict[str, float]:
    """Numbers for claims 18, 19 and 25 and the cost cell of Table 2.2."""
    table, code = appendix(), released()
    figure = list(figure_a2().values())
    blocks = {name: residual_blocks(table[name]) for name in
              ("bottom encoder", "bottom decoder", "top encoder", "top decoder")}  # fmt: skip
    return {
        "macs_appendix": whole(table),
        "macs_appendix_with_posteriors": whole(table, posteriors=True),
        "macs_appendix_dense": whole(table, dense=True),
        "macs_released": whole(code, posteriors=True),
        "macs_released_dense": whole(code, dense=True, posteriors=True),
        "macs_pixels_dense_share": total(code["pixels"], dense=True) / whole(code, dense=True, posteriors=True),
        "macs_pixels_share": total(table["pixels"]) / whole(table),
        "macs_over_gated_pixelcnn": whole(table) / 134e9,
        "macs_over_pixelrnn": whole(table) / 154e9,
        "macs_a2_pixelvae": figure[0],
        "macs_a2_pixelcnn_11": figure[1],
        "macs_a2_pixelcnn_7": figure[2],
        "macs_a2_ratio": figure[0] / figure[1],
        **{f"macs_appendix_{name.replace(' ', '_')}": total(part) for name, part in table.items()},
        **{f"blocks_{name.replace(' ', '_')}": count for name, count in blocks.items()},
    }
