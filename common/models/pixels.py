"""Pixel models of binary images with a gated two-stack decoder, which two texts train, and what a latent adds.

    GatedPixelCNN   p(x) two gated stacks (van den Oord et al. 2016b)
    GatedPixelVAE   p(x|z) two gated stacks; z as upsampled features beside the image, or as a bias of every gate
    VAE             what models with a latent share; a text's own subclass says its decoder

With a latent z, the cost of an image is, in nats,

    C = -log p(x|z) + alpha KL(q(z|x) || N(0, I)),   z ~ q(z|x), one draw,

alpha rising linearly from 0 to 1 over the first `warm_up` steps. The bound, "negative_elbo", has alpha = 1. Adam,
every element of a gradient clipped to [-1, 1] (released code of PixelVAE).
"""

import keras
import numpy as np
import tensorflow as tf

from common.errors import UserError
from common.nets.gated import GatedStack
from common.nets.weight_norm import normed_encoder_28, normed_upsampler_28
from common.probability.distributions import bernoulli_log_prob, gaussian_kl, reparameterise
from common.probability.objectives import negative_elbo
from common.training.game import Game, Player


def adam(learning_rate=1e-3, decay_steps=0, average=0.0):
    """Adam as in the released code. Two options for short trainings, off in the text's own:

    decay_steps: the rate falls to zero along half a cosine over so many steps. average: decay of a moving average of
    the weights, as 0.999; see `use_average`.
    """
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps) if decay_steps else learning_rate
    return keras.optimizers.Adam(rate, epsilon=1e-8, clipvalue=1.0, use_ema=average > 0, ema_momentum=average)


def use_average(game):
    """Sets the weights of a trained game to their moving average; does nothing if there is none. Repeatable."""
    for player in game.players.values():
        player.optimizer.finalize_variable_values(player.variables)


def binary(images, binarisation):
    """Raises UserError for grey pixels that training would take as they are."""
    if binarisation != "dynamic" and not np.isin(images, (0, 255)).all():
        raise UserError(
            "these models need binary pixels, and some images are grey; "
            "choose the data set binarized_mnist or --set binarisation=dynamic"
        )


def check_sizes(filter_size, layers, **counts):
    """Raises UserError for a filter without a centre and for counts that are none."""
    if filter_size < 1 or filter_size % 2 == 0:
        raise UserError(f"filter_size={filter_size}: an odd number expected, so that a filter has a centre")
    for name, count in {"layers": layers + 1, **counts}.items():
        if count < 1:
            raise UserError(f"{name} is too small; layers count from 0, width and latent from 1")


def with_centre(settings):
    """The settings of a run, before it trains; raises UserError for a filter that its draws cannot be made with.

    The cached sampler keeps the columns that a filter reaches to its left, and a filter of 1 reaches none.
    """
    size = settings.options.get("filter_size", 3)
    if size < 3 or size % 2 == 0:
        raise UserError(f"filter_size={size}: an odd number of at least 3 expected")
    return settings


class VAE(Game):
    """What the models with a latent share: posterior, cost and warm-up. A subclass says `decoder_logits(image, z)`."""

    jit_on_cpu = False

    def __init__(self, images, latent, decoders, encoder_convs=8, warm_up=10_000, binarisation="fixed", optimizer=None):
        binary(images, binarisation)
        if encoder_convs not in (8, 9):
            raise UserError(f"encoder_convs={encoder_convs}: choose 8 (released code) or 9 (text)")
        self.latent, self.warm_up = latent, warm_up
        encoder = normed_encoder_28(2 * latent, encoder_convs)
        super().__init__(images, [Player("vae", (encoder, *decoders), optimizer or adam())], binarisation=binarisation)
        self.encoder = encoder

    def posterior(self, image):
        """(mean, log sd) of q(z|x), [B, latent] each, of binary images [B, 28, 28, 1].

        log sd is clipped to [-7, 7]: at the start of the warm-up nothing else holds it.
        """
        mean, log_sd = tf.split(self.encoder(image), 2, axis=-1)
        return mean, tf.clip_by_value(log_sd, -7.0, 7.0)

    def decoder_logits(self, image, z):
        """Logits [B, 28, 28, 1] of p(x_i = 1 | x_<i, z) at every pixel i, all in one pass."""
        raise NotImplementedError

    def kl_weight(self):
        """alpha: 0 at the first step, 1 from step `warm_up` on. The optimiser counts the steps."""
        done = tf.cast(self.players["vae"].optimizer.iterations, tf.float32)
        return tf.minimum(1.0, done / self.warm_up) if self.warm_up else tf.constant(1.0)

    def objectives(self, batch, noise, turn):
        image = batch["image"]
        mean, log_sd = self.posterior(image)
        z = reparameterise(mean, log_sd, noise.normal(image.shape[0], self.latent))
        log_likelihood = bernoulli_log_prob(self.decoder_logits(image, z), image)
        kl = gaussian_kl(mean, log_sd)
        return {
            "vae": negative_elbo(log_likelihood, kl, self.kl_weight()),
            "negative_elbo": negative_elbo(log_likelihood, kl),
            "kl": tf.reduce_mean(kl),
        }


class GatedPixelVAE(VAE):
    """Gated PixelVAE: a 7x7 block and `layers` blocks of filter_size x filter_size.

    upsample=True: features of z go in beside the image (appendix A). The released code masks them like pixels;
    unmasked=True lets a pixel see those of its own place. upsample=False: z is a bias of every gate, the row
    "without upsampling".
    """

    def __init__(self, images, layers=12, width=16, filter_size=5, latent=16, upsample=False, unmasked=False, **kwargs):
        check_sizes(filter_size, layers, width=width, latent=latent)
        if upsample:
            upsampler = normed_upsampler_28(latent)
            decoder = GatedStack(layers, width, filter_size, channels=1 + 32, unmasked=unmasked)
        else:
            upsampler, decoder = None, GatedStack(layers, width, filter_size, latent=latent)
        super().__init__(images, latent, (upsampler, decoder) if upsample else (decoder,), **kwargs)
        self.upsampler, self.decoder = upsampler, decoder

    def decoder_logits(self, image, z):
        if self.upsampler is None:
            return self.decoder(image, z)
        features = self.upsampler(z)
        return self.decoder(tf.concat([tf.cast(image, features.dtype), features], -1))


class GatedPixelCNN(Game):
    """p(x) = prod_i p(x_i | x_<i), exact: a gated 7x7 block, `layers` blocks of filter_size x filter_size, no latent.

    With labels, p(x|class): the one-hot class is a bias of every gate (section 1.6.3).
    """

    jit_on_cpu = False

    def __init__(self, images, layers=12, width=32, filter_size=5, labels=None, binarisation="fixed", optimizer=None):
        binary(images, binarisation)
        check_sizes(filter_size, layers, width=width)
        self.classes = 0 if labels is None else int(np.max(labels)) + 1
        decoder = GatedStack(layers, width, filter_size, latent=self.classes)
        player = Player("pixelcnn", (decoder,), optimizer or adam())
        super().__init__(images, [player], labels=labels, binarisation=binarisation)
        self.decoder = decoder

    def decoder_logits(self, image, z=None):
        """Logits [B, 28, 28, 1] of p(x_i = 1 | x_<i); z: one-hot classes [B, classes] of a conditional model."""
        return self.decoder(image, z)

    def objectives(self, batch, noise, turn):
        image = batch["image"]
        z = tf.one_hot(batch["label"], self.classes) if self.classes else None
        return {"pixelcnn": -tf.reduce_mean(bernoulli_log_prob(self.decoder_logits(image, z), image))}
