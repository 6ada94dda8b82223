"""The GANs of the report: one game, and the networks of GAN and DCGAN on digits and of the DCGAN on faces.

    min_G max_D V(D, G) = E_x log D(x) + E_z log(1 - D(G(z))),   z ~ N(0, I)                 (report, section 3.1)

    networks       who, where                                                parameters D, G
    dense          GAN, digits                                               267,009, 283,920
    pooled         DCGAN, digits, as_code: max pooling and dense layers in   3,232,129, 336,323
                   D, no batch norm in D, no transposed convolution in G
    strided        `pooled` with strided convolutions in place of pooling
    pooled_norm    `pooled` with batch norm in D after both convolutions
    radford        DCGAN, digits, as_described: the five rules of section
                   3.2 on 28 x 28
    faces          DCGAN, 64 x 64, PyTorch's tutorial: obeys the rules       2,765,568, 3,576,704
    faces_bare     `faces` without batch norm

Discriminators end in a logit, generators in tanh: pixels are taken to 2x - 1. The report's sigmoid and its logarithms
are in the losses, from logits, so that nothing is clipped.
"""

import keras
import tensorflow as tf

from common.errors import UserError
from common.probability.objectives import discriminator_loss, generator_loss
from common.training.game import Game, Player
from reproductions.guo.pytorch import BatchNorm, adam, halving, initialise

layers = keras.layers


def leaky():
    return layers.LeakyReLU(0.2)


def up(filters, **kwargs):
    """A transposed 4x4 convolution that doubles the side."""
    return layers.Conv2DTranspose(filters, 4, 2, "same", **kwargs)


def network(name, shape, *parts):
    """The layers in a row; `parts` are layers or lists of layers. The last one computes in float32."""
    flat = [layer for part in parts for layer in (part if isinstance(part, list) else [part])]
    return keras.Sequential([keras.Input(shape), *flat], name=name)


def dense_discriminator(shape):
    """pixels -> 256 -> 256 -> logit, LeakyReLU."""
    return network(
        "discriminator", shape, layers.Flatten(), layers.Dense(256), leaky(), layers.Dense(256), leaky(), logit()
    )


def dense_generator(shape, latent):
    """z -> 256 -> 256 -> pixels, ReLU, tanh."""
    pixels = shape[0] * shape[1] * shape[2]
    return network(
        "generator", (latent,), layers.Dense(256, "relu"), layers.Dense(256, "relu"),
        layers.Dense(pixels, "tanh", dtype="float32"), layers.Reshape(shape),
    )  # fmt: skip


def logit():
    return layers.Dense(1, dtype="float32")


def pooled_trunk(norm=False, strided=False):
    """Two 3x3 convolutions to 32 and 64 maps, each halved by max pooling (strided: by its stride), then 1024 units.

    The trunk of D in the MNIST DCGAN and of D and C in the CVAE-GAN.
    """
    stages = []
    for filters in (32, 64):
        stages += halving(filters) if strided else [layers.Conv2D(filters, 3, padding="same")]
        stages += ([BatchNorm()] if norm else []) + [leaky()] + ([] if strided else [layers.MaxPooling2D(2)])
    return [*stages, layers.Flatten(), layers.Dense(1024), leaky()]


def pooled_discriminator(shape, **changes):
    return network("discriminator", shape, pooled_trunk(**changes), logit())


def wide_generator(shape, latent):
    """z -> dense -> one map of twice the side -> 3x3 convolutions to 64 and 32 maps -> 3x3 of stride 2, tanh."""
    side, channels = 2 * shape[0], shape[2]
    return network(
        "generator", (latent,), layers.Dense(side**2), layers.Reshape((side, side, 1)), BatchNorm(), layers.ReLU(),
        layers.Conv2D(64, 3, padding="same"), BatchNorm(), layers.ReLU(),
        layers.Conv2D(32, 3, padding="same"), BatchNorm(), layers.ReLU(),
        halving(channels, activation="tanh", dtype="float32"),
    )  # fmt: skip


def radford_discriminator(shape):
    """28 x 28 -> 14 -> 7 by 4x4 strides, then one 7x7 kernel to the logit; no pooling, no dense layer."""
    return network(
        "discriminator", shape, layers.Conv2D(64, 4, 2, "same"), leaky(),
        layers.Conv2D(128, 4, 2, "same"), BatchNorm(), leaky(),
        layers.Conv2D(1, shape[0] // 4, dtype="float32"), layers.Flatten(),
    )  # fmt: skip


def radford_generator(shape, latent):
    """z as 1 x 1 map -> 7x7 transposed -> 7 x 7 x 256 -> 14 x 14 x 128 -> 28 x 28, tanh."""
    return network(
        "generator", (latent,), layers.Reshape((1, 1, latent)),
        layers.Conv2DTranspose(256, shape[0] // 4), BatchNorm(), layers.ReLU(),
        up(128), BatchNorm(), layers.ReLU(),
        up(shape[2], activation="tanh", dtype="float32"),
    )  # fmt: skip


def faces_discriminator(shape, norm=True):
    """64 -> 32 -> 16 -> 8 -> 4 by 4x4 strides, 64 to 512 maps, then a 4x4 kernel to the logit; no biases."""
    stages = [layers.Conv2D(64, 4, 2, "same", use_bias=False), leaky()]
    for filters in (128, 256, 512):
        stages += [layers.Conv2D(filters, 4, 2, "same", use_bias=False)] + ([BatchNorm()] if norm else []) + [leaky()]
    return network(
        "discriminator", shape, stages, layers.Conv2D(1, 4, use_bias=False, dtype="float32"), layers.Flatten()
    )


def faces_generator(shape, latent, norm=True):
    """z -> 4 x 4 x 512 -> 8 x 8 x 256 -> 16 x 16 x 128 -> 32 x 32 x 64 -> 64 x 64 x 3, tanh; no biases."""

    def between():
        return [BatchNorm(), layers.ReLU()] if norm else [layers.ReLU()]

    stages = [layers.Reshape((1, 1, latent)), layers.Conv2DTranspose(512, 4, use_bias=False), *between()]
    for filters in (256, 128, 64):
        stages += [up(filters, use_bias=False), *between()]
    return network(
        "generator", (latent,), stages,
        up(shape[2], activation="tanh", use_bias=False, dtype="float32"),
    )  # fmt: skip


NETWORKS = {
    "dense": (dense_discriminator, dense_generator),
    "pooled": (pooled_discriminator, wide_generator),
    "strided": (lambda shape: pooled_discriminator(shape, strided=True), wide_generator),
    "pooled_norm": (lambda shape: pooled_discriminator(shape, norm=True), wide_generator),
    "radford": (radford_discriminator, radford_generator),
    "faces": (faces_discriminator, faces_generator),
    "faces_bare": (
        lambda shape: faces_discriminator(shape, norm=False),
        lambda shape, latent: faces_generator(shape, latent, norm=False),
    ),
}


class GAN(Game):
    """D minimises -E log D(x) - E log(1 - D(G(z))); G minimises -E log D(G(z)), or, saturating, E log(1 - D(G(z))).

    The report prints the saturating loss (section 3.1, Algorithm 1), its code has the other. d_steps: updates of D on
    one batch of images, each with fresh z, before one of G. Batch norm sees real and generated images in separate
    passes, and always with the batch's own statistics.
    """

    def __init__(self, images, networks, latent, learning_rate, beta_1=0.9, d_steps=1, saturating=False, init="torch"):
        if networks not in NETWORKS:
            raise UserError(f"unknown networks {networks!r}; choose one of {', '.join(NETWORKS)}")
        self.latent, self.saturating = latent, saturating
        self.jit_on_cpu = networks == "dense"
        shape = tuple(images.shape[1:])
        discriminator, generator = NETWORKS[networks]
        self.discriminator = initialise(discriminator(shape), init)
        self.generator = initialise(generator(shape, latent), init)
        players = [
            Player(name, (net,), adam(learning_rate, beta_1))
            for name, net in (("discriminator", self.discriminator), ("generator", self.generator))
        ]
        super().__init__(images, players, turns=(("discriminator",),) * d_steps + (("generator",),))

    def objectives(self, batch, noise, turn):
        z = noise.normal(batch["image"].shape[0], self.latent)
        fake = self.generator(z, training=True)
        if turn == ("generator",):
            logits = self.discriminator(fake, training=True)
            return {"generator": generator_loss(logits, self.saturating), "D_Gz_after": mean_of(logits)}
        real_logits = self.discriminator(2.0 * batch["image"] - 1.0, training=True)
        fake_logits = self.discriminator(tf.stop_gradient(fake), training=True)
        return {
            "discriminator": discriminator_loss(real_logits, fake_logits),
            "D_x": mean_of(real_logits),
            "D_Gz": mean_of(fake_logits),
        }

    def picture(self, z, training=True):
        """G(z) as images in [0, 1], [B, H, W, C]; training: batch norm by the batch, as in the report's figures."""
        return 0.5 + 0.5 * self.generator(z, training=training)


def mean_of(logits):
    """The mean probability D = sigmoid(logit) of a batch."""
    return tf.reduce_mean(tf.sigmoid(logits))
