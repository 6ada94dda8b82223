"""The models of Ahmed (2017), chapter 4, MNIST: a convolutional VAE and a DCGAN (section 4.2.2).

PixelCNN and PixelVAE, the other two columns of Table 4.1, are chapter 2's: the gated nets of common/models/pixels.py.
"""

import keras
import tensorflow as tf

from common.models.pixels import GatedPixelCNN, GatedPixelVAE
from common.nets.stacks import decoder_28, encoder_28, up
from common.probability.distributions import bernoulli_log_prob, gaussian_kl, reparameterise
from common.probability.objectives import discriminator_loss, generator_loss
from common.training.game import Game, Player

layers = keras.layers
PIXELS = {"pixelcnn": GatedPixelCNN, "pixelvae": GatedPixelVAE}
SIZES = ("layers", "width", "filter_size", "latent", "upsample", "warm_up")  # arguments of PIXELS


class VAE(Game):
    """8 + 8 convolutions of 3x3, diagonal Gaussian posterior, N(0, I) prior, Bernoulli likelihood (section 4.2.2).

    -ELBO(x) = -E_q[log p(x|z)] + KL(q(z|x) || N(0, I)), one draw of z for each image, nats.
    """

    jit_on_cpu = False

    def __init__(self, images, latent=64, learning_rate=1e-3, **kwargs):
        self.latent = latent
        encoder, decoder = encoder_28(2 * latent), decoder_28(latent)
        player = Player("vae", (encoder, decoder), keras.optimizers.Adam(learning_rate, epsilon=1e-8))
        super().__init__(images, [player], **kwargs)
        self.encoder, self.decoder = encoder, decoder

    def posterior(self, image):
        """(mean, log sd) of q(z|x), each [B, latent], of images [B, 28, 28, 1]."""
        return tf.split(self.encoder(image), 2, axis=-1)

    def objectives(self, batch, noise, turn):
        image = batch["image"]
        mean, log_sd = self.posterior(image)
        z = reparameterise(mean, log_sd, noise.normal(image.shape[0], self.latent))
        cross_entropy = -tf.reduce_mean(bernoulli_log_prob(self.decoder(z), image))
        kl = tf.reduce_mean(gaussian_kl(mean, log_sd))
        return {"vae": cross_entropy + kl, "kl": kl}


def generator(latent=128, name="generator"):
    """z -> 4x4x256, transposed 5x5 stride 2: 128, crop to 7x7, 64, 1; batch norm + ReLU between; logits of grey."""
    return keras.Sequential(
        [
            keras.Input((latent,)),
            layers.Dense(4 * 4 * 256),
            layers.Reshape((4, 4, 256)),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            up(128, 5, None),
            layers.Cropping2D(((0, 1), (0, 1))),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            up(64, 5, None),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2DTranspose(1, 5, 2, "same", activation="sigmoid", dtype="float32"),
        ],
        name=name,
    )


def discriminator(batch_norm=False, name="discriminator"):
    """5x5 stride 2: 64, 128, 256, LeakyReLU .2, linear logit; without batch norm, which would leak the population.

    batch_norm: after the second and third convolution, as in Radford et al.: what section 4.2.2 warns of.
    """
    stages = []
    for filters in (64, 128, 256):
        stages.append(layers.Conv2D(filters, 5, 2, "same"))
        if batch_norm and filters > 64:
            stages.append(layers.BatchNormalization(momentum=0.9))
        stages.append(layers.LeakyReLU(0.2))
    return keras.Sequential(
        [keras.Input((28, 28, 1)), *stages, layers.Flatten(), layers.Dense(1, dtype="float32")], name=name
    )


class DCGAN(Game):
    """Radford et al.'s DCGAN on grey digits; the discriminator's logit is the score of normality (section 4.2.2).

    batch_norm: in the discriminator, too; real and generated images are then batches of their own.
    """

    jit_on_cpu = False

    def __init__(self, images, latent=128, learning_rate=2e-4, beta_1=0.5, batch_norm=False, **kwargs):
        self.latent, self.batch_norm = latent, batch_norm
        players = [
            Player(name, (network,), keras.optimizers.Adam(learning_rate, beta_1, epsilon=1e-8))
            for name, network in (("discriminator", discriminator(batch_norm)), ("generator", generator(latent)))
        ]
        super().__init__(images, players, turns=(("discriminator",), ("generator",)), **kwargs)
        (self.discriminator,), (self.generator,) = players[0].networks, players[1].networks

    def objectives(self, batch, noise, turn):
        image = batch["image"]
        fake = self.generator(noise.normal(image.shape[0], self.latent), training=True)
        if turn == ("generator",):
            return {"generator": generator_loss(self.discriminator(fake, training=True))}
        both = (image, tf.stop_gradient(fake))
        if self.batch_norm:
            logits = [self.discriminator(each, training=True) for each in both]
        else:
            logits = tf.split(self.discriminator(tf.concat(both, 0)), 2)
        return {"discriminator": discriminator_loss(*logits)}
