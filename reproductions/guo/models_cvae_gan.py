"""The CVAE-GAN of the report, section 3.4: what its code trains (`AsCode`) and what its algorithm says (`CVAEGAN`).

    E(x[, c]) -> mean, log of the spread of q(z|x[, c]), 100 latents      G(z, c) -> image in [0, 1]
    D(x) -> real or not      C(x) -> class      f_D, f_C: their 1024 units before the last layer

The networks are those of the code. The algorithm adds what the code lacks: the class c as an input of E, a softmax in
C, and its own losses for each of the four players. The algorithm is Bao et al. (2017), whom the report means where it
says "Zhao et al."; weights and norms, which it leaves out, are theirs as far as a public reproduction tells them.
"""

import dataclasses

import keras
import tensorflow as tf

from common.errors import UserError
from common.probability.distributions import gaussian_kl, reparameterise
from common.probability.objectives import discriminator_loss, generator_loss
from common.training.game import Game, Player
from reproductions.guo.models_gan import mean_of, pooled_trunk, up
from reproductions.guo.pytorch import BatchNorm, adam, halving, initialise

layers = keras.layers


def encoder(shape, latent, classes=0):
    """Image, and one-hot class if `classes`, -> two linear heads [B, latent]; 14 x 14 x 16, then 7 x 7 x 32 twice."""
    image = x = keras.Input(shape)
    for layer in [
        *halving(16), BatchNorm(), layers.LeakyReLU(0.2),
        *halving(32), BatchNorm(), layers.LeakyReLU(0.2),
        layers.Conv2D(32, 3, padding="same"), BatchNorm(), layers.LeakyReLU(0.2), layers.Flatten(),
    ]:  # fmt: skip
        x = layer(x)
    inputs = [image]
    if classes:
        inputs.append(keras.Input((classes,)))
        x = layers.Concatenate()([x, inputs[1]])
    heads = [layers.Dense(latent, name=name, dtype="float32")(x) for name in ("mean", "spread")]
    return keras.Model(inputs if classes else image, heads, name="encoder")


def generator(shape, latent, classes):
    """[B, latent + classes] -> 7 x 7 x 32, linear, -> 14 x 14 x 16, ReLU, -> image, sigmoid; no batch norm."""
    side = shape[0] // 4
    return keras.Sequential(
        [
            keras.Input((latent + classes,)),
            layers.Dense(side * side * 32),
            layers.Reshape((side, side, 32)),
            up(16, activation="relu"),
            up(shape[2], activation="sigmoid", dtype="float32"),
        ],
        name="generator",
    )


def judging(shape, outputs, name):
    """D or C: image -> (features [B, 1024], logits [B, outputs])."""
    image = x = keras.Input(shape)
    for layer in pooled_trunk():
        x = layer(x)
    return keras.Model(image, [x, layers.Dense(outputs, name="logits", dtype="float32")(x)], name=name)


class Networks(Game):
    """What both variants share: the four networks, and how images are encoded and decoded."""

    jit_on_cpu = False
    encoder_sees_class = False

    def build_networks(self, images, latent, classes, init):
        shape = tuple(images.shape[1:])
        if shape[0] != shape[1] or shape[0] % 4:
            raise UserError(
                f"the CVAE-GAN takes square images whose side is a multiple of 4, not {shape[0]}x{shape[1]}"
            )
        self.latent, self.classes = latent, classes
        self.encoder = initialise(encoder(shape, latent, classes if self.encoder_sees_class else 0), init)
        self.generator = initialise(generator(shape, latent, classes), init)
        self.discriminator = initialise(judging(shape, 1, "discriminator"), init)
        self.classifier = initialise(judging(shape, classes, "classifier"), init)

    def one_hot(self, labels):
        return tf.one_hot(labels, self.classes)

    def picture(self, z, code):
        """G(z, c), images in [0, 1] [B, H, W, C]; code [B, classes]: one-hot c, or a mixture of two."""
        return self.generator(tf.concat([z, code], 1))


class AsCode(Networks):
    """The author's code: C, then D, then E and G jointly, in every step.

        L_C  = mean over images and classes of the cross-entropy of ten sigmoids with one-hot c, on real images
        L_D  = -E log D(x) - E log(1 - D(G(u))),   u ~ N(0, I_110): noise also where the class should stand
        L_EG = |G(z, c) - x|^2 / (B 784) + w sum_B KL(q(z|x) || N(0, I)) - E log D(G(z, c)) + CE(C(G(z, c)), c)

    The squared error is a mean over images and pixels while the KL, with w = 1, is a sum over the batch: against the
    ELBO of a Gaussian of unit variance, the KL weighs 392 B times too much, and the posterior collapses. kl_weight = w.
    E's second head is the log standard deviation.
    """

    def __init__(self, images, labels, latent=100, classes=10, learning_rate=1e-4, kl_weight=1.0, init="torch"):
        self.kl_weight = kl_weight
        self.build_networks(images, latent, classes, init)
        networks = {
            "classifier": (self.classifier,),
            "discriminator": (self.discriminator,),
            "autoencoder": (self.encoder, self.generator),
        }
        players = [Player(name, nets, adam(learning_rate)) for name, nets in networks.items()]
        super().__init__(images, players, labels=labels, turns=tuple((name,) for name in networks))

    def posterior(self, image, labels=None, training=False):
        """(mean, log sd) of q(z|x), [B, latent] each; this encoder does not see the class."""
        return self.encoder(image, training=training)

    def objectives(self, batch, noise, turn):
        image, code = batch["image"], self.one_hot(batch["label"])
        count = image.shape[0]
        if turn == ("classifier",):
            return {"classifier": sigmoid_cross_entropy(self.classifier(image)[1], code)}
        if turn == ("discriminator",):
            fake = self.generator(noise.normal(count, self.latent + self.classes))
            real_logits, fake_logits = self.discriminator(image)[1], self.discriminator(tf.stop_gradient(fake))[1]
            return {
                "discriminator": discriminator_loss(real_logits, fake_logits),
                "D_x": mean_of(real_logits),
                "D_Gu": mean_of(fake_logits),
            }
        mean, log_sd = self.posterior(image, training=True)
        fake = self.picture(reparameterise(mean, log_sd, noise.normal(count, self.latent)), code)
        mse, kl = tf.reduce_mean(tf.square(fake - image)), tf.reduce_mean(gaussian_kl(mean, log_sd))
        logits = self.discriminator(fake)[1]
        whole_batch = float(count * self.distribute_strategy.num_replicas_in_sync)
        loss = mse + self.kl_weight * whole_batch * kl + generator_loss(logits)
        loss += sigmoid_cross_entropy(self.classifier(fake)[1], code)
        return {"autoencoder": loss, "mse": mse, "kl": kl, "D_x_f": mean_of(logits)}


@dataclasses.dataclass(frozen=True)
class Weights:
    """lambda_1 ... lambda_4 of Bao et al. (2017), and switches for the parts that an ablation leaves out.

    pairwise_D, pairwise_C: the feature terms of L_G. The report prints no weight.
    """

    kl: float = 3.0
    pairwise: float = 1.0
    mean_D: float = 1e-3
    mean_C: float = 1e-3
    pairwise_D: float = 1.0
    pairwise_C: float = 1.0


class ClassCentres(keras.layers.Layer):
    """Moving averages of f_C's mean for each class, of real and of generated images: two of [classes, features].

        m_c <- decay m_c + (1 - decay) mean of the batch's features of class c        (classes in the batch only)

    A class's first mean starts its average. They are weights of the game, so a resumed run has them. The decay is not
    published.
    """

    def __init__(self, classes, features, decay=0.9):
        super().__init__(name="class_centres", dtype="float32")
        self.classes, self.decay = classes, decay
        kwargs = {"initializer": "zeros", "trainable": False, "aggregation": "mean"}
        self.real = self.add_weight(name="real", shape=(classes, features), **kwargs)
        self.fake = self.add_weight(name="fake", shape=(classes, features), **kwargs)
        self.seen = self.add_weight(name="seen", shape=(classes,), **kwargs)
        self.built = True

    def distance(self, code, real_features, fake_features):
        """1/2 sum_c |m_c(x) - m_c(G(z, c))|^2 after moving both averages by this batch; 0 until every class was seen.

        code: one-hot [B, classes]; features [B, features]. The value has the averages; the gradient reaches the fake
        features only, as if the batch's mean stood alone: through the average it would be 1 - decay times that.
        """
        counts = tf.reduce_sum(code, 0)
        share = tf.math.divide_no_nan(code, counts)  # of the image in the mean of its class
        present, seen = counts > 0, tf.convert_to_tensor(self.seen) > 0
        real, real_mean = self._moved(self.real, share, real_features, present, seen)
        fake, fake_mean = self._moved(self.fake, share, fake_features, present, seen)
        seen |= present
        self.real.assign(real)
        self.fake.assign(fake)
        self.seen.assign(tf.cast(seen, tf.float32))
        fake = tf.stop_gradient(fake - fake_mean) + fake_mean
        started = tf.cast(tf.reduce_all(seen), tf.float32)
        return started * 0.5 * tf.reduce_sum(tf.square(tf.stop_gradient(real) - fake))

    def _moved(self, average, share, features, present, seen):
        """(the moved average, the batch's class means), [classes, features] each."""
        mean = tf.matmul(share, features, transpose_a=True)
        old = tf.convert_to_tensor(average)
        moved = tf.where(seen[:, None], self.decay * old + (1.0 - self.decay) * mean, mean)
        return tf.where(present[:, None], moved, old), mean


class CVAEGAN(Networks):
    """The report's algorithm (Bao et al. 2017): four players, four losses, all computed before any player moves.

        z ~ q(z|x, c),  x_f = G(z, c),  z_p ~ N(0, I),  x_p = G(z_p, c);   |.|^2: sum over dimensions, mean over images
        L_C  = -E log P(c|x)                                                             C moves by L_C
        L_D  = -E [log D(x) + log(1 - D(x_f)) + log(1 - D(x_p))]                         D by L_D
        L_KL = E KL(q(z|x, c) || N(0, I))
        L_G  = 1/2 (|x - x_f|^2 + |f_D(x) - f_D(x_f)|^2 + |f_C(x) - f_C(x_f)|^2)         E by l1 L_KL + l2 L_G
        L_GD = 1/2 |E f_D(x) - E f_D(x_p)|^2
        L_GC = 1/2 sum_c |m_c(x) - m_c(x_p)|^2, moving averages                          G by l2 L_G + l3 L_GD + l4 L_GC

    The "asymmetric" training: no cross-entropy of D or C ever reaches E or G, and E hears nothing of L_GD and L_GC. A
    player's loss moves that player's networks only. E's second head is the log variance. weights: `Weights`.
    """

    encoder_sees_class = True

    def __init__(self, images, labels, latent=100, classes=10, learning_rate=1e-4, weights=Weights(), init="torch"):
        self.weights_of_losses = weights
        self.build_networks(images, latent, classes, init)
        self.centres = ClassCentres(classes, self.classifier.output_shape[0][-1])
        names = ("classifier", "discriminator", "generator", "encoder")
        super().__init__(images, [Player(n, (getattr(self, n),), adam(learning_rate)) for n in names], labels=labels)

    def posterior(self, image, labels, training=False):
        """(mean, log sd) of q(z|x, c), [B, latent] each; labels int [B]."""
        mean, log_variance = self.encoder([image, self.one_hot(labels)], training=training)
        return mean, 0.5 * log_variance

    def objectives(self, batch, noise, turn):
        x, labels = batch["image"], batch["label"]
        weight, count = self.weights_of_losses, x.shape[0]
        code = self.one_hot(labels)
        mean, log_sd = self.posterior(x, labels, training=True)
        kl = tf.reduce_mean(gaussian_kl(mean, log_sd))
        x_f = self.picture(reparameterise(mean, log_sd, noise.normal(count, self.latent)), code)
        x_p = self.picture(noise.normal(count, self.latent), code)
        (d_x, real), (d_f, recon), (d_p, prior) = (self.discriminator(image) for image in (x, x_f, x_p))
        (c_x, classes), (c_f, _), (c_p, _) = (self.classifier(image) for image in (x, x_f, x_p))
        pairwise = half_squared(x - x_f) + weight.pairwise_D * half_squared(d_x - d_f)
        pairwise += weight.pairwise_C * half_squared(c_x - c_f)
        mean_d = half_squared((tf.reduce_mean(d_x, 0) - tf.reduce_mean(d_p, 0))[None])
        mean_c = self.centres.distance(code, tf.cast(c_x, tf.float32), tf.cast(c_p, tf.float32))
        return {
            "classifier": tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, classes)),
            "discriminator": discriminator_loss(real, recon) + tf.reduce_mean(tf.nn.softplus(prior)),
            "generator": weight.pairwise * pairwise + weight.mean_D * mean_d + weight.mean_C * mean_c,
            "encoder": weight.kl * kl + weight.pairwise * pairwise,
            "kl": kl, "pairwise": pairwise, "mean_D": mean_d, "mean_C": mean_c,
            "D_x": mean_of(real), "D_x_f": mean_of(recon), "D_x_p": mean_of(prior),
        }  # fmt: skip


def half_squared(difference):
    """1/2 |difference|^2, summed over all but the first axis, mean over that."""
    difference = tf.cast(difference, tf.float32)
    return 0.5 * tf.reduce_mean(tf.reduce_sum(tf.square(difference), axis=list(range(1, difference.shape.rank))))


def sigmoid_cross_entropy(logits, targets):
    """Cross-entropy of independent sigmoids, mean over images and outputs, nats."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))
