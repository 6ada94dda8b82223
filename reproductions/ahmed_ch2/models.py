"""The models of Ahmed (2017), chapter 2, on binary MNIST: the rows of Table 2.1 that the thesis ran itself.

    ConvVAE         p(x|z) independent pixels                                    "Convolutional VAE"
    PixelVAE        p(x|z) a single masked stack on features of z                "PixelVAE"
    GatedPixelCNN   p(x) two gated stacks                                        "Gated PixelCNN"
    GatedPixelVAE   p(x|z) two gated stacks; z as upsampled features beside the image, or as a bias of every gate

The gated ones, and what all with a latent share (encoder, posterior, cost, warm-up), are in `common/models/pixels.py`;
the other two are here (sections 2.3 and appendix A).
"""

import keras

from common.models.pixels import VAE, GatedPixelCNN, GatedPixelVAE, check_sizes
from common.nets.causal import MaskedStack
from common.nets.weight_norm import normed_upsampler_28, one_by_one

__all__ = ["ConvVAE", "GatedPixelCNN", "GatedPixelVAE", "PixelVAE"]


class ConvVAE(VAE):
    """Convolutional VAE (2.3.1, appendix A): features of z, two 1x1 with ReLU, both joined, 1x1 to the logit."""

    def __init__(self, images, latent=64, width=32, **kwargs):
        z = keras.Input((latent,))
        first = one_by_one(width, "relu")(normed_upsampler_28(latent)(z))
        both = keras.layers.Concatenate()([first, one_by_one(width, "relu")(first)])
        decoder = keras.Model(z, one_by_one(1, scale=1.0, dtype="float32")(both), name="decoder")
        super().__init__(images, latent, (decoder,), **kwargs)
        self.decoder = decoder

    def decoder_logits(self, image, z):
        return self.decoder(z)


class PixelVAE(VAE):
    """Single-stack PixelVAE: 7x7 mask A, `layers` of filter_size x filter_size mask B on image and features of z."""

    def __init__(self, images, layers=12, width=32, filter_size=5, latent=64, **kwargs):
        check_sizes(filter_size, layers, width=width, latent=latent)
        upsampler, decoder = normed_upsampler_28(latent), MaskedStack(layers, width, filter_size, features=32)
        super().__init__(images, latent, (upsampler, decoder), **kwargs)
        self.upsampler, self.decoder = upsampler, decoder

    def decoder_logits(self, image, z):
        return self.decoder(image, self.upsampler(z))
