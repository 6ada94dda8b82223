"""What a trained pixel model says about binary test images: exact, as a bound, by importance sampling.

All in nats an image, float64, one number an image. Images are uint8 of 0 and 255, [N, 28, 28, 1]. The noise of an
image depends on its number in the test set, not on its batch. Any game with `decoder_logits(image, z)` is measured;
one with a latent also has `latent` and `posterior(image)`.
"""

import numpy as np
import tensorflow as tf

from common.data.binary import require_binary
from common.probability.distributions import bernoulli_log_prob, gaussian_kl, reparameterise
from common.probability.growth import Growth, grown_log_likelihood
from common.probability.likelihood import gaussian_log_weights, image_noise
from common.probability.memory import fitting_chunk, working_set

BATCH = 50


def has_latent(game) -> bool:
    """Whether the model is a VAE; else its likelihood is exact."""
    return hasattr(game, "posterior")


def floats(bits) -> np.ndarray:
    """float32 0 and 1 of uint8 0 and 255; raises UserError for grey pixels."""
    return require_binary(bits, "the test images").astype(np.float32) / 255


def over_batches(function, image, batch=BATCH):
    """{name: [N]} float64 of function(image [B, ...], numbers int32 [B]) -> {name: [B]}, batch by batch.

    The last batch is filled up with its last image, so that one graph serves all.
    """
    batch, parts = min(batch, len(image)), []
    compiled = tf.function(function, autograph=False).get_concrete_function(
        tf.TensorSpec([batch, *image.shape[1:]]), tf.TensorSpec([batch], tf.int32)
    )
    for first in range(0, len(image), batch):
        numbers = np.minimum(np.arange(first, first + batch), len(image) - 1)
        found = compiled(tf.constant(image[numbers]), tf.constant(numbers, tf.int32))
        real = min(batch, len(image) - first)
        parts.append({name: value.numpy()[:real].astype(np.float64) for name, value in found.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def exact(game, bits) -> np.ndarray:
    """-log p(x) = -sum_i log p(x_i | x_<i) of a model without a latent, [N]."""

    def terms(image, numbers):
        return {"nll": -bernoulli_log_prob(game.decoder_logits(image, None), image)}

    return over_batches(terms, floats(bits))["nll"]


def exact_given(game, bits, labels) -> np.ndarray:
    """-log p(x|class) of a conditional PixelCNN, [N]."""

    def terms(image, numbers):
        classes = tf.one_hot(tf.gather(tf.constant(labels), numbers), game.classes)
        return {"nll": -bernoulli_log_prob(game.decoder_logits(image, classes), image)}

    return over_batches(terms, floats(bits))["nll"]


def bound(game, bits, draws=10, seed=1) -> dict[str, np.ndarray]:
    """{"bound", "kl", "reconstruction"}, [N] each: the negative ELBO with alpha = 1 and its two parts.

    -ELBO = KL(q(z|x) || N(0, I)) - mean_k log p(x|z_k),    KL in closed form, k = 1 ... draws
    """
    image = floats(bits)

    def terms(image, numbers, draws=draws):
        mean, log_sd = game.posterior(image)
        z = reparameterise(mean, log_sd, image_noise(tf.constant([seed, 1]), numbers, draws, [game.latent]))
        copies = tf.reshape(tf.repeat(image[None], draws, axis=0), [-1, *image.shape[1:]])
        log_p = bernoulli_log_prob(game.decoder_logits(copies, tf.reshape(z, [-1, game.latent])), copies)
        kl, reconstruction = gaussian_kl(mean, log_sd), -tf.reduce_mean(tf.reshape(log_p, [draws, -1]), 0)
        return {"bound": kl + reconstruction, "kl": kl, "reconstruction": reconstruction}

    one = [tf.TensorSpec([1, *image.shape[1:]]), tf.TensorSpec([1], tf.int32)]
    return over_batches(terms, image, fitting_chunk(working_set(terms, *one), BATCH, "images"))


def quick(game, bits, seed=1) -> np.ndarray:
    """Exact, or the bound from two draws, [N]: to choose among states, or to compare two copies of a model."""
    return bound(game, bits, 2, seed)["bound"] if has_latent(game) else exact(game, bits)


def cost_of_precision(trained, copy, bits, seed=1) -> float:
    """Mean nats by which `copy`, the float32 one, is worse on some images than `trained` in its own precision.

    Weights trained with bfloat16 products adapt to their rounding; what is reported is of the float32 copy.
    """
    return float(np.mean(quick(copy, bits, seed) - quick(trained, bits, seed)))


def importance(game, bits, numbers, draws, chunk=10, seed=1) -> Growth:
    """log p(x) of the images `numbers` of the test set, by `draws` draws of q(z|x); also from fewer draws.

        L_N = log (1/N) sum_k p(x|z_k) p(z_k) / q(z_k|x),    z_k ~ q(z|x)

    Streamed in chunks of `chunk` draws of a batch; raises UserError for draws or chunk < 1.
    """
    weights = gaussian_log_weights(game.posterior, lambda x, z: bernoulli_log_prob(game.decoder_logits(x, z), x))
    inputs = floats(bits[numbers]), np.asarray(numbers, np.int32)
    return grown_log_likelihood(weights, draws, chunk=chunk, seed=seed, inputs=inputs, batch=BATCH)


def standard_error(values) -> float:
    """Standard error of the mean over images; NaN for one image."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
