"""The VAE of the report, section 3.3: 784 - 256 - two latents - 256 - 784 on grey digits; 404,244 parameters."""

import numpy as np
import tensorflow as tf

from common.errors import UserError
from common.nets.stacks import dense_stack
from common.probability.distributions import bernoulli_log_prob, gaussian_kl, reparameterise
from common.probability.objectives import negative_elbo
from common.training.game import Game, Player
from reproductions.guo.pytorch import adam, initialise


class VAE(Game):
    """-ELBO(x) = -E_q[log p(x|z)] + beta KL(q(z|x) || N(0, I)), nats an image, one z an image.

        KL = 1/2 sum_j (mu_j^2 + e^{v_j} - 1 - v_j),   v: log variance,   z = mu + e^{v/2} eps

    likelihood: "bernoulli", the cross-entropy of grey pixels (not a density of them), or "gaussian", half the squared
    error of sigmoid outputs: unit variance, without its constant.
    """

    def __init__(self, images, latent=2, hidden=256, learning_rate=1e-3, beta=1.0, likelihood="bernoulli",
                 init="torch"):  # fmt: skip
        if likelihood not in ("bernoulli", "gaussian"):
            raise UserError(f"unknown likelihood {likelihood!r}; choose bernoulli or gaussian")
        self.latent, self.beta, self.likelihood = latent, beta, likelihood
        self.pixels = int(np.prod(images.shape[1:]))
        self.encoder = initialise(dense_stack(self.pixels, [hidden], 2 * latent, name="encoder"), init)
        self.decoder = initialise(dense_stack(latent, [hidden], self.pixels, name="decoder"), init)
        super().__init__(images, [Player("vae", (self.encoder, self.decoder), adam(learning_rate))])

    @property
    def generator(self):
        """The network that makes pictures of z."""
        return self.decoder

    def posterior(self, image):
        """(mean, log sd) of q(z|x), each [B, latent]; the network's second half is the log variance."""
        mean, log_variance = tf.split(self.encoder(tf.reshape(image, [-1, self.pixels])), 2, axis=-1)
        return mean, 0.5 * log_variance

    def terms(self, image, eps):
        """(reconstruction, KL) of each image, nats, [B] each; eps [B, latent] ~ N(0, I)."""
        mean, log_sd = self.posterior(image)
        logits, x = self.decoder(reparameterise(mean, log_sd, eps)), tf.reshape(image, [-1, self.pixels])
        if self.likelihood == "bernoulli":
            reconstruction = -bernoulli_log_prob(logits, x)
        else:
            reconstruction = 0.5 * tf.reduce_sum(tf.square(x - tf.sigmoid(logits)), axis=1)
        return reconstruction, gaussian_kl(mean, log_sd)

    def objectives(self, batch, noise, turn):
        image = batch["image"]
        reconstruction, kl = self.terms(image, noise.normal(image.shape[0], self.latent))
        loss = negative_elbo(-reconstruction, kl, self.beta)
        return {"vae": loss, "reconstruction": tf.reduce_mean(reconstruction), "kl": tf.reduce_mean(kl)}

    def picture(self, z):
        """Means of p(x|z) as images in [0, 1], [B, H, W, C]; what the report calls samples."""
        return tf.reshape(tf.sigmoid(self.decoder(z)), [-1, *self.images.shape[1:]])
