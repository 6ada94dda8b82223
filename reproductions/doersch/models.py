"""The networks of Doersch (2016): VAE (Section 4.1), conditional VAE and regressor (Sections 4.2 and 5).

The text gives neither sizes nor settings. The layer sizes here are those of the author's code, in both variants:

    encoder 784-1000-500-250, two heads to 30 latents; decoder 30-250-500-1000-784; ReLU; sigmoid cross-entropy.

What differs between text (as_described) and code (as_code) is an argument, so that each difference can be tried alone:

    argument             as_described         as_code
    beta_1               .9                   0: Caffe's Adam without `momentum`
    weight_decay         0                    5e-4, L2, added to the gradient of every kernel, not of biases
    init                 he                   sparse15: some 15 nonzero weights leave a unit
    log_sd_input         h3, after the ReLU   a3, before it; the mean reads h3 in both
    wiring               concat (X to Q, P)   add: a network of X, summed in at encode2 and decode4
    (shuffle)            yes                  no: the file's order, pass after pass (an argument of `fit`)

Loss, mean over images, nats:  -ELBO = cross-entropy summed over pixels + KL(q(z|x) || N(0, I)), Eq. 5 with Eq. 7. The
grey pixel is the target (Section 4.1), so the cross-entropy has a floor of about 45.5 nats.
"""

import keras
import numpy as np
import tensorflow as tf

from common.data.binarise import own_draw
from common.errors import UserError
from common.nets.initialisers import Sparse
from common.probability.distributions import bernoulli_log_prob, gaussian_kl, gaussian_log_prob, reparameterise
from common.training.game import Game, Player

layers = keras.layers

HIDDEN = (1000, 500, 250)
TARGETS = {"soft": "none", "resampled": "dynamic", "fixed": "own_draw"}  # text's word for pixels: name in the suite
OPTIMIZERS = {
    "adam": lambda rate, beta_1: keras.optimizers.Adam(rate, beta_1, epsilon=1e-8),
    "sgd": lambda rate, momentum: keras.optimizers.SGD(rate, momentum),
}
# Initial kernels: before a ReLU; the linear layers inside (mu, logsd, input4); the output. A new object a layer.
INITIAL = {
    "sparse15": {
        "hidden": Sparse,
        "linear": lambda: keras.initializers.RandomNormal(stddev=0.1),
        "output": Sparse,
    },
    "he": {
        "hidden": keras.initializers.HeNormal,
        "linear": keras.initializers.GlorotUniform,
        "output": keras.initializers.GlorotUniform,
    },
}


def choose(what, name, known):
    """known[name]; raises UserError for a name that is not there."""
    if name not in known:
        raise UserError(f"unknown {what} {name!r}; choose one of {', '.join(known)}")
    return known[name]


def dense(units, init, name, role="hidden"):
    """A linear layer with the initial kernel of its role (see INITIAL); biases start at 0."""
    return layers.Dense(units, kernel_initializer=choose("init", init, INITIAL)[role](), name=name)


def encoder(pixels, latent, hidden=HIDDEN, init="he", log_sd_input="h3", activation="relu", added=False):
    """[B, pixels] -> mean and log sd of q(z|x), [B, latent] each.

    log_sd_input: "h3" (last hidden layer after its activation) or "a3" (before it). added: a second input c2 [B,
    hidden[1]] is summed into the second layer before its activation.
    """
    inputs = [keras.Input((pixels,))] + ([keras.Input((hidden[1],))] if added else [])
    h = inputs[0]
    for number, units in enumerate(hidden, 1):
        a = dense(units, init, f"encode{number}")(h)
        if added and number == 2:
            a = layers.Add()([a, inputs[1]])
        h = layers.Activation(activation)(a)
    mean = dense(latent, init, "mean", "linear")(h)
    log_sd = dense(latent, init, "log_sd", "linear")(choose("log_sd_input", log_sd_input, {"h3": h, "a3": a}))
    return keras.Model(inputs if added else inputs[0], [mean, log_sd], name="encoder")


def decoder(inputs, pixels, hidden=HIDDEN, init="he", activation="relu", added=False):
    """[B, inputs] -> logits [B, pixels]. added: a second input c4 [B, hidden[-1]] is summed into the first layer."""
    ins = [keras.Input((inputs,))] + ([keras.Input((hidden[-1],))] if added else [])
    a = dense(hidden[-1], init, f"decode{len(hidden) + 1}")(ins[0])
    if added:
        a = layers.Add()([a, ins[1]])
    return keras.Model(ins if added else ins[0], after_first(a, pixels, hidden, init, activation), name="decoder")


def after_first(a, pixels, hidden, init, activation="relu"):
    """The decoder from its first pre-activation a [B, hidden[-1]] on: activation, the other layers, logits."""
    h = layers.Activation(activation)(a)
    for number, units in reversed(list(enumerate(hidden[:-1], 2))):
        h = layers.Activation(activation)(dense(units, init, f"decode{number}")(h))
    return dense(pixels, init, "decode1", "output")(h)


def condition_path(inputs, hidden=HIDDEN, init="he"):
    """X [B, inputs] -> c2 [B, hidden[1]], before its ReLU, and c4 [B, hidden[2]], linear (as_code's input1 to 4)."""
    x = keras.Input((inputs,))
    h = layers.ReLU()(dense(hidden[0], init, "input1")(x))
    c2 = dense(hidden[1], init, "input2")(h)
    h = layers.ReLU()(dense(hidden[2], init, "input3")(layers.ReLU()(c2)))
    return keras.Model(x, [c2, dense(hidden[2], init, "input4", "linear")(h)], name="condition")


class Net(Game):
    """What the three nets share: one player, cross-entropy of grey pixels, weight decay outside the reported loss."""

    def __init__(self, images, networks, learning_rate, beta_1, weight_decay, targets="soft", optimizer="adam", seed=0):
        self.weight_decay = weight_decay
        binarisation = choose("targets", targets, TARGETS)
        if binarisation == "own_draw":
            images = own_draw(images, seed) * np.uint8(255)
        player = Player("trained", networks, choose("optimizer", optimizer, OPTIMIZERS)(learning_rate, beta_1))
        super().__init__(images, [player], binarisation=binarisation)

    def logs(self, cross_entropy, kl=None):
        """The trained loss, and what is reported: -ELBO and its two terms, or the cross-entropy alone; [B] -> means."""
        values = {"cross_entropy": tf.reduce_mean(cross_entropy)}
        if kl is not None:
            values["kl"] = tf.reduce_mean(kl)
            values["negative_elbo"] = values["cross_entropy"] + values["kl"]
        return {"trained": values.get("negative_elbo", values["cross_entropy"]) + self.penalty()} | values

    def penalty(self):
        """weight_decay / 2 * sum of squared kernels, whose gradient is weight_decay * W; biases are left out."""
        if not self.weight_decay:
            return 0.0
        kernels = [v for v in self.players["trained"].variables if v.name == "kernel"]
        return 0.5 * self.weight_decay * tf.add_n([tf.reduce_sum(tf.square(k)) for k in kernels])


class VAE(Net):
    """Section 4.1: -ELBO(x) = sum_pixels cross-entropy(x, logits(z)) + KL(q(z|x) || N(0, I)), one z an image.

    sigma: 0 for the Bernoulli output; else a Gaussian output N(f(z), sigma^2 I) with f linear (Section 2.4.3).
    """

    def __init__(self, images, latent=30, hidden=HIDDEN, init="he", log_sd_input="h3", activation="relu", sigma=0.0,
                 **training):  # fmt: skip
        self.latent, self.sigma = latent, sigma
        pixels = int(np.prod(images.shape[1:]))
        networks = (
            encoder(pixels, latent, hidden, init, log_sd_input, activation),
            decoder(latent, pixels, hidden, init, activation),
        )
        super().__init__(images, networks, **training)
        self.encoder, self.decoder = networks

    def posterior(self, image):
        """(mean, log sd) of q(z|x), [B, latent] each, of images [B, H, W, 1] in [0, 1]."""
        return self.encoder(flat(image))

    def log_likelihood(self, image, z):
        """log P(x|z) [B]; for grey x under the Bernoulli output minus the cross-entropy."""
        output = self.decoder(z)
        if self.sigma:
            return gaussian_log_prob(flat(image), output, tf.math.log(self.sigma))
        return bernoulli_log_prob(output, flat(image))

    def objectives(self, batch, noise, turn):
        image = batch["image"]
        mean, log_sd = self.posterior(image)
        z = reparameterise(mean, log_sd, noise.normal(image.shape[0], self.latent))
        return self.logs(-self.log_likelihood(image, z), gaussian_kl(mean, log_sd))


# What is given and what is to be predicted, as columns of an image of width w. The text's centre is left of the middle.
TASKS = {
    "column": lambda w: ([w // 2 - 1], [c for c in range(w) if c != w // 2 - 1]),
    "half": lambda w: (list(range(w // 2)), list(range(w // 2, w))),
}


def flat(image):
    """[B, ...] -> [B, pixels], row by row."""
    return tf.reshape(image, [-1, int(np.prod(image.shape[1:]))])


def columns(image, chosen):
    """Columns of images [B, H, W, 1] -> [B, H * len(chosen)], row by row."""
    return flat(tf.gather(image, chosen, axis=2))


def binary(grey, uniform, noise_max=1.0):
    """1 where the grey value is above noise_max * u: P(1) = grey / noise_max. Section 5 has noise_max = 1."""
    return tf.cast(grey > noise_max * uniform, tf.float32)


class Completion(Net):
    """A net that is given columns X of a digit and predicts the rest, Y (Section 5).

    task: "column": X = the centre column, binarised anew in every step; Y = the other 27 columns. "half": X = the left
    half, grey; Y = the right half. condition_noise_max: u is uniform up to it (the author's figure has 2, not 1).
    """

    def __init__(self, images, networks, task, condition_noise_max, **training):
        self.task, self.condition_noise_max = task, condition_noise_max
        self.given, self.wanted = split(images, task)
        super().__init__(images, networks, **training)

    def condition(self, image, uniform):
        """X [B, H * given columns] of images [B, H, W, 1] in [0, 1]; uniform: U(0, 1) draws of the same shape."""
        grey = columns(image, self.given)
        return grey if self.task == "half" else binary(grey, uniform, self.condition_noise_max)

    def target(self, image):
        """Y [B, H * wanted columns]."""
        return columns(image, self.wanted)

    def drawn_condition(self, image, noise):
        """X with fresh noise of the training step."""
        return self.condition(image, noise.uniform(image.shape[0], image.shape[1] * len(self.given)))


def split(images, task):
    """(given columns, wanted columns) of images [N, H, W, 1]; raises UserError for an unknown task."""
    return choose("task", task, TASKS)(images.shape[2])


def sizes(images, task):
    """(numbers in X, numbers in Y)."""
    return tuple(images.shape[1] * len(part) for part in split(images, task))


class CVAE(Completion):
    """-ELBO(y|x) = cross-entropy(y, logits(z, x)) + KL(q(z|x, y) || N(0, I)); z does not depend on x (Section 3).

    wiring "concat": encoder of (x, y), decoder of (x, z). "add": c2, c4 = condition_path(x), summed into encode2 and
    decode4. encoder_sees: "target" (y) or "full_grey" (the whole grey image, column included: the first commit).
    """

    def __init__(self, images, latent=30, hidden=HIDDEN, init="he", log_sd_input="h3", wiring="concat",
                 encoder_sees="target", task="column", condition_noise_max=1.0, **training):  # fmt: skip
        self.latent, self.wiring, self.encoder_sees = latent, wiring, encoder_sees
        given, wanted = sizes(images, task)
        seen = choose("encoder_sees", encoder_sees, {"target": wanted, "full_grey": given + wanted})
        added = choose("wiring", wiring, {"concat": False, "add": True})
        beside = 0 if added else given
        networks = (
            encoder(beside + seen, latent, hidden, init, log_sd_input, added=added),
            decoder(beside + latent, wanted, hidden, init, added=added),
        ) + ((condition_path(given, hidden, init),) if added else ())
        super().__init__(images, networks, task, condition_noise_max, **training)
        self.encoder, self.decoder = networks[:2]
        self.condition_net = networks[2] if added else None

    def posterior(self, x, image):
        """(mean, log sd) of q(z|x, y), [B, latent] each, of X [B, C] and the image it belongs to."""
        seen = self.target(image) if self.encoder_sees == "target" else flat(image)
        return self.encoder([seen, self.condition_net(x)[0]] if self.condition_net else tf.concat([x, seen], 1))

    def logits(self, x, z):
        """Logits of Y [B, H * wanted columns] from X [B, C] and z [B, latent]."""
        return self.decoder([z, self.condition_net(x)[1]] if self.condition_net else tf.concat([x, z], 1))

    def objectives(self, batch, noise, turn):
        image = batch["image"]
        x = self.drawn_condition(image, noise)
        mean, log_sd = self.posterior(x, image)
        z = reparameterise(mean, log_sd, noise.normal(image.shape[0], self.latent))
        cross_entropy = -bernoulli_log_prob(self.logits(x, z), self.target(image))
        return self.logs(cross_entropy, gaussian_kl(mean, log_sd))


class Regressor(Completion):
    """The CVAE's condition path and decoder without z: cross-entropy(y, logits(x)) alone, the same in both variants."""

    def __init__(self, images, hidden=HIDDEN, init="he", task="column", condition_noise_max=1.0, **training):
        given, wanted = sizes(images, task)
        c4 = keras.Input((hidden[-1],))
        path, rest = condition_path(given, hidden, init), keras.Model(c4, after_first(c4, wanted, hidden, init))
        super().__init__(images, (path, rest), task, condition_noise_max, **training)
        self.condition_net, self.rest = path, rest

    def logits(self, x):
        """Logits of Y [B, H * wanted columns] from X [B, C]."""
        return self.rest(self.condition_net(x)[1])

    def objectives(self, batch, noise, turn):
        image = batch["image"]
        logits = self.logits(self.drawn_condition(image, noise))
        return self.logs(-bernoulli_log_prob(logits, self.target(image)))
