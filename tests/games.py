"""Toy games that every test of the training core is run on: small enough to check by hand, of the shapes texts need.

vae: one player. wgan_gp: three critic turns, each with its own batch, then one of the generator; a gradient inside the
loss. dcgan: convolutions, a strided transposed convolution and batch norm. cvae_gan: four players with four losses in
one turn, labels, and one loss that must not reach the others. autoregressive: exact likelihood.

Activations are smooth, so that every parameter has a gradient.
"""

import itertools

import keras
import numpy as np
import tensorflow as tf

from common.nets.transposed import TransposedConv2D
from common.probability import objectives as losses
from common.probability.distributions import bernoulli_log_prob, gaussian_kl, reparameterise
from common.training.game import Game, Player

layers = keras.layers
SIDE, LATENT, CLASSES = 4, 3, 3


def toy_images(n=64, side=SIDE, seed=0):
    """Grey uint8 [n, side, side, 1]: a bright half, left or right or all, on noise; and its class [n]."""
    random = np.random.default_rng(seed)
    labels = random.integers(CLASSES, size=n)
    grey = random.uniform(0, 0.4, (n, side, side, 1))
    grey[labels != 1, :, : side // 2] += 0.5
    grey[labels != 0, :, side // 2 :] += 0.5
    return (grey * 255).astype(np.uint8), labels


def mlp(inputs, outputs, units=8, bias=True):
    """[B, inputs] -> [B, outputs] through one tanh layer."""
    return keras.Sequential([keras.Input((inputs,)), layers.Dense(units, "tanh"), layers.Dense(outputs, use_bias=bias)])


class VAE(Game):
    """-ELBO of a dense VAE on dynamically binarised pixels."""

    def __init__(self, images, optimizer, labels=None):
        self.encoder, self.decoder = mlp(SIDE**2, 2 * LATENT), mlp(LATENT, SIDE**2)
        super().__init__(images, [Player("vae", (self.encoder, self.decoder), optimizer())], binarisation="dynamic")

    def objectives(self, batch, noise, turn):
        x = tf.reshape(batch["image"], [-1, SIDE**2])
        mean, log_sd = tf.split(self.encoder(x), 2, axis=-1)
        z = reparameterise(mean, log_sd, noise.normal(*mean.shape))
        kl = gaussian_kl(mean, log_sd)
        return {"vae": losses.negative_elbo(bernoulli_log_prob(self.decoder(z), x), kl), "kl": tf.reduce_mean(kl)}


class WGANGP(Game):
    """Wasserstein GAN with gradient penalty: three critic updates, each on its own batch, to one of the generator."""

    draws = 3

    def __init__(self, images, optimizer, labels=None):
        self.critic, self.generator = mlp(SIDE**2, 1, bias=False), mlp(LATENT, SIDE**2)  # a bias would cancel
        players = [Player("critic", (self.critic,), optimizer()), Player("generator", (self.generator,), optimizer())]
        super().__init__(images, players, turns=(("critic",),) * 3 + (("generator",),))

    def objectives(self, batch, noise, turn):
        real = tf.reshape(batch["image"], [-1, SIDE**2])
        fake = tf.sigmoid(self.generator(noise.normal(batch["image"].shape[0], LATENT)))
        if turn == ("generator",):
            return {"generator": losses.wasserstein_generator_loss(self.critic(fake))}
        fake = tf.stop_gradient(fake)
        uniforms = noise.uniform(batch["image"].shape[0])
        penalty = losses.gradient_penalty(self.critic, real, fake, uniforms)
        distance = losses.wasserstein_critic_loss(self.critic(real), self.critic(fake))
        return {"critic": distance + 10.0 * penalty, "penalty": penalty}


class DCGAN(Game):
    """Convolutions and batch norm in both networks; both players move in one step, one after the other."""

    def __init__(self, images, optimizer, labels=None):
        self.discriminator = keras.Sequential(
            [
                keras.Input((SIDE, SIDE, 1)),
                layers.Conv2D(4, 3, 2, "same", use_bias=False),  # batch norm would cancel a bias
                layers.BatchNormalization(momentum=0.9),
                layers.Activation("tanh"),
                layers.Flatten(),
                layers.Dense(1),
            ]
        )
        self.generator = keras.Sequential(
            [
                keras.Input((LATENT,)),
                layers.Dense(8, use_bias=False),
                layers.Reshape((1, 1, 8)),
                layers.BatchNormalization(momentum=0.9),
                layers.Activation("tanh"),
                layers.Conv2DTranspose(4, 2, 2, "same", activation="tanh"),
                TransposedConv2D(1, 4, activation="sigmoid"),
            ]
        )
        players = [Player(name, (getattr(self, name),), optimizer()) for name in ("discriminator", "generator")]
        super().__init__(images, players, turns=(("discriminator",), ("generator",)))

    def objectives(self, batch, noise, turn):
        fake = self.generator(noise.normal(batch["image"].shape[0], LATENT), training=True)
        if turn == ("generator",):
            return {"generator": losses.generator_loss(self.discriminator(fake, training=True))}
        real_logits = self.discriminator(batch["image"], training=True)
        fake_logits = self.discriminator(tf.stop_gradient(fake), training=True)
        return {"discriminator": losses.discriminator_loss(real_logits, fake_logits)}


class CVAEGAN(Game):
    """Encoder, generator, discriminator and classifier learn in one turn, each from its own loss (after Bao et al.)."""

    def __init__(self, images, optimizer, labels):
        self.encoder, self.generator = mlp(SIDE**2 + CLASSES, 2 * LATENT), mlp(LATENT + CLASSES, SIDE**2)
        self.discriminator, self.classifier = mlp(SIDE**2, 1), mlp(SIDE**2, CLASSES)
        names = ("encoder", "generator", "discriminator", "classifier")
        players = [Player(name, (getattr(self, name),), optimizer()) for name in names]
        super().__init__(images, players, labels=labels)

    def objectives(self, batch, noise, turn):
        x = tf.reshape(batch["image"], [-1, SIDE**2])
        code = tf.one_hot(batch["label"], CLASSES)
        mean, log_sd = tf.split(self.encoder(tf.concat([x, code], 1)), 2, axis=-1)
        z = reparameterise(mean, log_sd, noise.normal(*mean.shape))
        fake = tf.sigmoid(self.generator(tf.concat([z, code], 1)))
        distance = tf.reduce_mean(tf.reduce_sum(tf.square(fake - x), 1))
        kl = tf.reduce_mean(gaussian_kl(mean, log_sd))

        def cross_entropy(of):
            logits = self.classifier(of)
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(batch["label"], logits))

        return {
            "encoder": kl + distance,
            "generator": distance + losses.generator_loss(self.discriminator(fake)) + cross_entropy(fake),
            "discriminator": losses.discriminator_loss(self.discriminator(x), self.discriminator(fake)),
            "classifier": cross_entropy(x),
        }


class Autoregressive(Game):
    """p(x) = prod_i p(x_i | x_1 ... x_{i-1}), binary pixels in raster order; one network for all of them."""

    def __init__(self, images, optimizer, labels=None):
        self.pixels = images[0].size
        self.network = mlp(2 * self.pixels - 1, 1)
        super().__init__(images, [Player("ar", (self.network,), optimizer())], binarisation="dynamic")

    def log_prob(self, x):
        """Exact log p(x), nats; x [B, pixels] of 0 and 1 -> [B]."""
        d = self.pixels
        earlier = tf.constant(np.tri(d, d - 1, -1, np.float32))  # row i: the pixels before i; the last is never seen
        context = x[:, None, : d - 1] * earlier
        place = tf.broadcast_to(tf.eye(d), [tf.shape(x)[0], d, d])
        logits = self.network(tf.reshape(tf.concat([context, place], 2), [-1, 2 * d - 1]))
        return bernoulli_log_prob(tf.reshape(logits, [-1, d]), x)

    def objectives(self, batch, noise, turn):
        return {"ar": -tf.reduce_mean(self.log_prob(tf.reshape(batch["image"], [-1, self.pixels])))}


GAMES = {"vae": VAE, "wgan_gp": WGANGP, "dcgan": DCGAN, "cvae_gan": CVAEGAN, "autoregressive": Autoregressive}


def adam():
    """The optimiser of most tests: it has slots, which a resumed run must find again."""
    return keras.optimizers.Adam(1e-2, epsilon=1e-8)


RATE = 0.02


def sgd():
    """The optimiser whose update is one line by hand; a small step, for in a large one rounding grows."""
    return keras.optimizers.SGD(RATE)


def make(name, optimizer=adam, seed=1, n=64):
    """A fresh toy game on fresh weights, the same for the same seed."""
    keras.utils.set_random_seed(seed)
    images, labels = toy_images(n)
    return GAMES[name](images, optimizer, labels=labels)


def state(game):
    """Every number a training changes: [(path, array)] of weights, batch-norm statistics and optimiser slots."""
    return [(v.path, v.numpy().copy()) for v in [*game.weights, *optimizer_variables(game)]]


def optimizer_variables(game):
    """The optimiser variables of all players."""
    return list(itertools.chain.from_iterable(o.variables for o in game.player_optimizers))
