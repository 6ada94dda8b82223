"""The networks and games of Guo (2023): sizes, first losses, who learns from what, moving averages, restarts.

Numbers called logged are the author's own first lines.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from marks import needs_data

from common import data
from common.errors import UserError
from common.probability.distributions import gaussian_kl
from common.probability.objectives import discriminator_loss
from common.training.fit import fit
from common.training.game import Noise
from reproductions.guo import evaluation, models_cvae_gan, models_gan, models_vae, pytorch

DIGIT, FACE = (28, 28, 1), (64, 64, 3)


def count(*networks):
    return evaluation.parameters(*networks)


def blank(shape, n=4):
    return np.zeros((n, *shape), np.uint8)


@pytest.fixture(scope="module")
def digits():
    """128 real digits in 28 x 28, with labels 0 to 9."""
    images = data.load("digits")
    return images.train[:128], images.train_labels[:128]


# --- Networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("networks", "shape", "latent", "discriminator", "generator"),
    [
        ("dense", DIGIT, 64, 267_009, 283_920),
        ("pooled", DIGIT, 100, 3_232_129, 336_323),
        ("faces", FACE, 100, 2_765_568, 3_576_704),
    ],
)
def test_parameter_counts_of_the_gans(networks, shape, latent, discriminator, generator):
    make_d, make_g = models_gan.NETWORKS[networks]
    assert (count(make_d(shape)), count(make_g(shape, latent))) == (discriminator, generator)


def test_parameter_counts_of_vae_and_cvae_gan():
    vae = models_vae.VAE(blank(DIGIT))
    assert count(vae.encoder, vae.decoder) == 404_244
    game = models_cvae_gan.AsCode(blank(DIGIT), np.zeros(4, int))
    assert count(game.encoder, game.generator) == 510_521
    assert (count(game.discriminator), count(game.classifier)) == (3_232_129, 3_241_354)
    described = models_cvae_gan.CVAEGAN(blank(DIGIT), np.zeros(4, int))
    assert count(described.encoder) == count(game.encoder) + 2 * 10 * 100  # the class enters both heads


def kinds(networks, shape):
    """Names of the layers of D and of G."""
    discriminator, generator = models_gan.NETWORKS[networks]
    return [{type(layer).__name__ for layer in net.layers} for net in (discriminator(shape), generator(shape, 100))]


@pytest.mark.parametrize(("networks", "shape"), [("radford", DIGIT), ("faces", FACE)])
def test_described_dcgan_keeps_the_five_rules(networks, shape):
    discriminator, generator = kinds(networks, shape)
    assert not {"MaxPooling2D", "Dense"} & (discriminator | generator)
    assert "BatchNorm" in discriminator & generator
    assert "Conv2DTranspose" in generator and "LeakyReLU" in discriminator


def test_coded_dcgan_breaks_them():
    discriminator, generator = kinds("pooled", DIGIT)
    assert {"MaxPooling2D", "Dense"} <= discriminator
    assert "BatchNorm" not in discriminator and "Conv2DTranspose" not in generator


def test_stride_two_padding_is_pytorchs():
    """3x3, stride 2, one row of zeros on every side: output i sees the input rows 2i - 1, 2i, 2i + 1."""
    net = models_gan.network("halving", (6, 6, 2), pytorch.halving(3))
    pytorch.initialise(net, "torch")
    kernel, bias = net.get_weights()
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 2)).astype(np.float32)
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    expected = np.empty((2, 3, 3, 3))
    for i in range(3):
        for j in range(3):
            seen = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            expected[:, i, j] = np.einsum("bijc,ijcf->bf", seen, kernel) + bias
    np.testing.assert_allclose(net(x), expected, atol=1e-5)


@pytest.mark.parametrize("precision_of", ["float32", "mixed_bfloat16"])
def test_batch_norm_is_keras_with_pytorchs_running_variance(precision_of):
    """Output and gradients of Keras's layer; the running variance takes a tenth of the one that divides by n - 1."""
    ours = pytorch.BatchNorm(dtype=precision_of)
    theirs = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=precision_of)
    x = 1 + 2 * np.random.default_rng(0).normal(size=(4, 3, 3, 2)).astype(np.float32)
    x = tf.cast(x, ours.compute_dtype)
    found = []
    for layer in (ours, theirs):
        layer.build(x.shape)
        layer.gamma.assign([1.5, 3.0])
        layer.beta.assign([0.5, -1.0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            value = tf.reduce_sum(tf.cast(y, tf.float32) ** 3)
        parts = [y, *tape.gradient(value, [x, layer.gamma, layer.beta]), layer.moving_mean]
        found.append([tf.cast(part, tf.float32).numpy() for part in parts])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    unbiased = tf.cast(x, tf.float32).numpy().reshape(-1, 2).var(axis=0, ddof=1)
    np.testing.assert_allclose(ours.moving_variance, 0.9 + 0.1 * unbiased, rtol=1e-5)


def test_transposed_layer_is_zero_insertion_and_full_convolution():
    """Claim 6: zeros between the pixels, correlation with the flipped kernel, cropped by the padding: to 1e-5."""
    layer = models_gan.up(3)
    x = np.random.default_rng(1).normal(size=(2, 5, 5, 2)).astype(np.float32)
    found = layer(x).numpy()
    kernel, bias = layer.get_weights()  # [4, 4, out, in]
    spread = np.zeros((2, 9, 9, 2))
    spread[:, ::2, ::2] = x
    full = np.pad(spread, [(0, 0), (3, 3), (3, 3), (0, 0)])
    flipped = kernel[::-1, ::-1]
    whole = np.empty((2, 12, 12, 3))
    for i in range(12):
        for j in range(12):
            whole[:, i, j] = np.einsum("bijc,ijfc->bf", full[:, i : i + 4, j : j + 4], flipped) + bias
    np.testing.assert_allclose(found, whole[:, 1:-1, 1:-1], atol=1e-5)


@pytest.mark.parametrize("layer", ["dense", "conv", "transposed"])
def test_torch_initial_weights_are_uniform_below_the_root_of_the_fan_in(layer):
    keras.utils.set_random_seed(3)
    made, shape, fan_in = {
        "dense": (keras.layers.Dense(400), (300,), 300),
        "conv": (keras.layers.Conv2D(80, 3), (8, 8, 60), 60 * 9),
        "transposed": (keras.layers.Conv2DTranspose(60, 4), (8, 8, 80), 60 * 16),  # PyTorch counts its outputs
    }[layer]
    for weights in pytorch.initialise(models_gan.network("one", shape, made), "torch").get_weights():
        bound = fan_in**-0.5
        assert np.abs(weights).max() <= bound
        assert np.abs(weights).max() > 0.9 * bound
        # The sd of a uniform draw: its sampling error is below 1/sqrt(n) of it; five of these, for 60 biases or more.
        assert weights.std() == pytest.approx(bound / 3**0.5, rel=5 * weights.size**-0.5)


def test_dcgan_initial_weights_and_an_unknown_word():
    keras.utils.set_random_seed(4)
    net = pytorch.initialise(models_gan.faces_generator(FACE, 100), "dcgan")
    norm = next(layer for layer in net.layers if isinstance(layer, keras.layers.BatchNormalization))
    gamma, kernel = norm.gamma.numpy(), net.layers[1].kernel.numpy()
    assert kernel.std() == pytest.approx(0.02, rel=0.01) and abs(kernel.mean()) < 1e-4
    assert gamma.mean() == pytest.approx(1, abs=0.005) and gamma.std() == pytest.approx(0.02, rel=0.2)
    with pytest.raises(UserError, match="unknown init 'xavier'"):
        pytorch.initialise(net, "xavier")


# --- First losses -----------------------------------------------------------------------------------------------------


def first(game, n):
    """What a game logs in its first step on its images 0 ... n - 1."""
    logs = [game.gradients(number, tf.range(n)[None], [1, 0])[1] for number in range(len(game.turns))]
    return {name: float(value) for values in logs for name, value in values.items()}


# Of PyTorch's initial weights, U(-1, 1) / sqrt(fan_in), drawn 48 times by our nets, on MNIST: VAE 551.3 with sd 2.4,
# Loss_G 3850 with sd 340, so that their means are known to .3 and 50 (of eight draws to 120, which would tell less).
# The logged 550.620 and 4462.52 are one draw each, by PyTorch itself: 0.3 and 1.8 sd from the means. Of Keras's initial
# weights, Glorot, eight draws: VAE 544.1 with sd .6, Loss_G 49,000 with sd 11,000.
DRAWS = 48


def first_losses(pixels):
    """float64 [DRAWS, 2]: the VAE's loss and the KL of a batch, which is Loss_G but for some 2 nats. Forward only."""
    vae, cvae_gan = models_vae.VAE(pixels), models_cvae_gan.AsCode(pixels, np.zeros(len(pixels), int))
    x = tf.constant(evaluation.floats(pixels))

    @tf.function
    def losses(eps):
        kl = gaussian_kl(*cvae_gan.posterior(x, training=True))
        return tf.reduce_mean(tf.add_n(vae.terms(x, eps))), tf.reduce_sum(kl)

    found = []
    for draw in range(1, DRAWS + 1):
        keras.utils.set_random_seed(draw)
        for net in (vae.encoder, vae.decoder, cvae_gan.encoder):
            pytorch.initialise(net, "torch")
        found.append(losses(tf.constant(evaluation.normal(len(x), vae.latent, draw))))
    return np.array(found, float)


def first_losses_are_as_logged(pixels, labels, lowest):
    """The means: of the VAE about 550, of Loss_G from `lowest` to 4.5e3; the logged ones within 2.5 sd of them."""
    found = first_losses(pixels)
    vae, loss_g = found.mean(axis=0)
    assert vae == pytest.approx(550, abs=3)
    assert lowest < loss_g < 4.5e3
    assert np.all(np.abs([550.620, 4462.52] - found.mean(axis=0)) < 2.5 * found.std(axis=0, ddof=1))
    keras.utils.set_random_seed(1)
    whole = first(models_cvae_gan.AsCode(pixels, labels), 128)
    assert 0 < whole["autoencoder"] - 128 * whole["kl"] < 3
    assert whole["discriminator"] == pytest.approx(1.3814, abs=0.06)
    assert whole["classifier"] == pytest.approx(0.6999, abs=0.02)


def test_first_losses_are_as_logged(digits):
    """On the embedded digits Loss_G has the mean 3797 and the sd 450, so that the bound is wider."""
    first_losses_are_as_logged(*digits, lowest=3.6e3)


def test_first_losses_tell_pytorchs_initial_weights_from_keras(digits):
    keras.utils.set_random_seed(1)
    vae = first(models_vae.VAE(digits[0], init="keras"), 128)
    assert vae["vae"] < 544.5 and vae["kl"] > 0.15
    assert first(models_cvae_gan.AsCode(*digits, init="keras"), 128)["autoencoder"] > 2e4


@needs_data
def test_first_losses_on_mnist_are_as_logged():
    images = data.load("mnist")
    first_losses_are_as_logged(images.train[:128], images.train_labels[:128], lowest=3.8e3)


# --- GAN --------------------------------------------------------------------------------------------------------------


def tiny_gan(networks="dense", **changes):
    keras.utils.set_random_seed(5)
    images = np.random.default_rng(0).integers(0, 256, (16, *DIGIT)).astype(np.uint8)
    return models_gan.GAN(images, networks, latent=6, learning_rate=1e-3, **changes)


def test_three_discriminator_turns_see_one_batch_and_fresh_noise():
    game = tiny_gan(d_steps=3)
    assert game.turns == (("discriminator",),) * 3 + (("generator",),)
    logs = [game.gradients(number, tf.range(8)[None], [1, 0])[1] for number in range(3)]
    assert len({float(values["D_x"]) for values in logs}) == 1
    assert len({float(values["D_Gz"]) for values in logs}) == 3


@pytest.mark.parametrize("saturating", [False, True])
def test_generator_loss_is_the_textbooks(saturating):
    game = tiny_gan(saturating=saturating)
    values = game.objectives({"image": tf.zeros((8, *DIGIT))}, Noise([1, 0], 1), ("generator",))
    fake = game.generator(Noise([1, 0], 1).normal(8, 6))
    d = tf.sigmoid(game.discriminator(fake)).numpy().astype(float)
    expected = np.mean(np.log(1 - d)) if saturating else -np.mean(np.log(d))
    assert float(values["generator"]) == pytest.approx(expected, rel=1e-5)


def test_batch_norm_in_the_discriminator_never_mixes_real_and_generated():
    """D(x) does not move when the generator changes; normalised together it would."""
    game = tiny_gan("pooled_norm")
    batch = {"image": tf.cast(game.images[:8], tf.float32) / 255}

    def d_x():
        return float(game.objectives(batch, Noise([1, 0]), ("discriminator",))["D_x"])

    before = d_x()
    game.generator.set_weights([5 * w for w in game.generator.get_weights()])
    assert d_x() == before
    real, fake = 2 * batch["image"] - 1, game.generator(Noise([1, 0]).normal(8, 6), training=True)
    together = game.discriminator(tf.concat([real, fake], 0), training=True)[:8]
    assert abs(float(tf.reduce_mean(tf.sigmoid(together))) - before) > 1e-4


def test_drawing_leaves_the_running_statistics_alone():
    game = tiny_gan("pooled")
    before = game.generator.get_weights()
    with evaluation.drawing(game) as picture:
        pictures = evaluation.drawn(picture, np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32))
        assert any(np.any(a != b) for a, b in zip(before, game.generator.get_weights(), strict=True))
    assert pictures.shape == (30, *DIGIT) and 0 <= pictures.min() < pictures.max() <= 1
    for a, b in zip(before, game.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_best_discriminator_of_a_toy():
    """Claim 40: gradient descent on the loss of D, a free logit at each of five points, ends at p / (p + p_g)."""
    p, q = np.array([0.1, 0.2, 0.4, 0.2, 0.1]), np.array([0.4, 0.3, 0.1, 0.1, 0.1])
    logits = tf.Variable(np.zeros(5))
    # The loss is a mean over draws: 10 of each, in their exact proportions.
    real, fake = (np.repeat(np.arange(5), np.rint(10 * law).astype(int)) for law in (p, q))

    @tf.function
    def descend():
        for _ in tf.range(2_000):
            with tf.GradientTape() as tape:
                loss = discriminator_loss(tf.gather(logits, real), tf.gather(logits, fake))
            logits.assign_sub(5.0 * tf.convert_to_tensor(tape.gradient(loss, logits)))
        return discriminator_loss(tf.gather(logits, real), tf.gather(logits, fake))

    loss = descend()
    best = p / (p + q)
    np.testing.assert_allclose(tf.sigmoid(logits), best, atol=1e-6)
    divergence = 0.5 * np.sum(p * np.log(p / (0.5 * (p + q))) + q * np.log(q / (0.5 * (p + q))))
    assert -float(loss) == pytest.approx(-np.log(4) + 2 * divergence, abs=1e-9)


# --- VAE --------------------------------------------------------------------------------------------------------------


def test_vae_terms_are_the_printed_ones(digits):
    """KL by log variances, as printed; the cross-entropy pixel by pixel; the squared error of the other likelihood."""
    keras.utils.set_random_seed(6)
    game = models_vae.VAE(digits[0], latent=3)
    x = tf.cast(digits[0][:5], tf.float32) / 255
    eps = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    reconstruction, kl = game.terms(x, tf.constant(eps))
    mu, v = np.split(game.encoder(tf.reshape(x, [5, -1])).numpy().astype(float), 2, axis=1)
    np.testing.assert_allclose(kl, 0.5 * np.sum(mu**2 + np.exp(v) - 1 - v, axis=1), rtol=1e-4)
    mean = game.picture((mu + np.exp(v / 2) * eps).astype(np.float32)).numpy().astype(float)
    pixels = x.numpy().astype(float)
    cross_entropy = -np.sum(pixels * np.log(mean) + (1 - pixels) * np.log(1 - mean), axis=(1, 2, 3))
    np.testing.assert_allclose(reconstruction, cross_entropy, rtol=1e-4)
    game.likelihood = "gaussian"
    np.testing.assert_allclose(
        game.terms(x, tf.constant(eps))[0], 0.5 * np.sum((pixels - mean) ** 2, axis=(1, 2, 3)), rtol=1e-4
    )


# --- CVAE-GAN ---------------------------------------------------------------------------------------------------------


def small(make, digits, **changes):
    """On the 12 x 12 centres of 24 digits."""
    keras.utils.set_random_seed(7)
    return make(digits[0][:24, 8:20, 8:20], digits[1][:24], latent=5, **changes)


def gradients(game):
    """{player: its gradients in the first step, flat float64}."""
    found = {}
    for number, turn in enumerate(game.turns):
        parts = game.gradients(number, tf.range(24)[None], [1, 0])[0]
        found |= {n: np.concatenate([np.ravel(g).astype(float) for g in p]) for n, p in zip(turn, parts, strict=True)}
    return found


def described(digits, **weights):
    """The game of the algorithm, its averages started: every class is among the 24 digits."""
    game = small(models_cvae_gan.CVAEGAN, digits, weights=models_cvae_gan.Weights(**weights))
    assert len(set(digits[1][:24])) == 10
    return game


def test_each_player_of_the_algorithm_hears_its_own_losses(digits):
    """E: l1 L_KL + l2 L_G. G: l2 L_G + l3 L_GD + l4 L_GC. D and C: their own, whatever the weights."""
    of, no_means = gradients(described(digits)), gradients(described(digits, mean_D=0.0, mean_C=0.0))
    np.testing.assert_array_equal(of["encoder"], no_means["encoder"])
    assert np.abs(of["generator"] - no_means["generator"]).max() > 1e-6
    no_pairs = gradients(described(digits, pairwise=0.0, mean_D=0.0, mean_C=0.0))
    assert np.abs(no_pairs["generator"]).max() == 0  # no cross-entropy of D or C reaches G
    for name in ("discriminator", "classifier"):
        np.testing.assert_array_equal(of[name], no_pairs[name])
    # E's gradient is that of the KL and that of the pairwise terms, each with its weight, and nothing else.
    no_kl = gradients(described(digits, kl=0.0))
    np.testing.assert_allclose(of["encoder"], no_pairs["encoder"] + no_kl["encoder"], atol=2e-4)
    assert np.abs(no_pairs["encoder"]).max() > 1e-3 and np.abs(no_kl["encoder"]).max() > 1e-3
    np.testing.assert_array_equal(of["generator"], no_kl["generator"])


def test_losses_of_the_algorithm_by_hand(digits):
    """Every logged loss from the four networks' outputs, in NumPy."""
    game = described(digits)
    values = {k: float(v) for k, v in game.gradients(0, tf.range(24)[None], [1, 0])[1].items()}
    x, labels = tf.cast(game.images, tf.float32) / 255, digits[1][:24]
    code, noise = tf.one_hot(labels, 10), Noise([1, 0], 0)
    mu, v = (t.numpy() for t in game.encoder([x, code], training=True))
    x_f = game.generator(np.concatenate([mu + np.exp(v / 2) * noise.normal(24, 5), code], 1))
    x_p = game.generator(np.concatenate([noise.normal(24, 5), code], 1))
    (d, c) = ([net(p) for p in (x, x_f, x_p)] for net in (game.discriminator, game.classifier))
    f_d, f_c = ([part[0].numpy().astype(float) for part in net] for net in (d, c))
    probability = [tf.sigmoid(part[1]).numpy().astype(float) for part in d]
    chosen = tf.nn.softmax(c[0][1]).numpy()[np.arange(24), labels]
    squares = [np.sum((a - b) ** 2) / 24 for a, b in ((x.numpy(), x_f.numpy()), (f_d[0], f_d[1]), (f_c[0], f_c[1]))]
    pairwise = 0.5 * sum(squares)
    kl = 0.5 * np.mean(np.sum(mu**2 + np.exp(v) - 1 - v, axis=1))
    mean_d = 0.5 * np.sum((f_d[0].mean(0) - f_d[2].mean(0)) ** 2)
    centres = [np.stack([f[labels == k].mean(0) for k in range(10)]) for f in (f_c[0], f_c[2])]
    mean_c = 0.5 * np.sum((centres[0] - centres[1]) ** 2)
    expected = {
        "classifier": -np.mean(np.log(chosen)),
        "discriminator": -np.mean(np.log(probability[0]) + np.log(1 - probability[1]) + np.log(1 - probability[2])),
        "encoder": 3 * kl + pairwise,
        "generator": pairwise + 1e-3 * mean_d + 1e-3 * mean_c,
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected, rel=1e-4)


def test_joint_loss_of_the_code_by_hand(digits):
    """Mean squared error, KL summed over the batch, and the cross-entropies of D and of C's ten sigmoids."""
    game = small(models_cvae_gan.AsCode, digits)
    values = {k: float(v) for k, v in game.gradients(2, tf.range(24)[None], [1, 0])[1].items()}
    x, code = tf.cast(game.images, tf.float32) / 255, np.eye(10, dtype=np.float32)[digits[1][:24]]
    mu, s = (t.numpy() for t in game.encoder(x, training=True))
    fake = game.generator(np.concatenate([mu + np.exp(s) * Noise([1, 0], 2).normal(24, 5), code], 1))
    d, c = (tf.sigmoid(net(fake)[1]).numpy().astype(float) for net in (game.discriminator, game.classifier))
    kl = 0.5 * np.sum(mu**2 + np.exp(2 * s) - 1 - 2 * s)  # over the batch, too
    cross_entropy = -np.mean(code * np.log(c) + (1 - code) * np.log(1 - c))
    expected = np.mean((fake - x) ** 2) + kl - np.mean(np.log(d)) + cross_entropy
    assert values["autoencoder"] == pytest.approx(expected, rel=1e-4)
    assert values["kl"] == pytest.approx(kl / 24, rel=1e-4)


def test_discriminator_of_the_code_never_sees_a_reconstruction_or_a_class(digits):
    game, other = small(models_cvae_gan.AsCode, digits), small(models_cvae_gan.AsCode, digits)
    other.labels = (other.labels + 1) % 10
    other.encoder.set_weights([2 * w for w in other.encoder.get_weights()])
    one, two = gradients(game), gradients(other)
    np.testing.assert_array_equal(one["discriminator"], two["discriminator"])
    assert np.abs(one["classifier"] - two["classifier"]).max() > 1e-6


def test_class_centres_follow_the_moving_average():
    """Three batches in which classes come and go, against NumPy; the value is 0 until the last class was seen."""
    random = np.random.default_rng(0)
    centres, decay, features = models_cvae_gan.ClassCentres(3, 4, decay=0.8), 0.8, 4
    expected, seen = np.zeros((2, 3, features)), np.zeros(3, bool)
    for labels in ([0, 0, 1], [1, 1, 0], [2, 0, 2], [1, 2, 2]):
        parts = random.normal(size=(2, 3, features)).astype(np.float32)
        value = centres.distance(tf.one_hot(labels, 3), *map(tf.constant, parts))
        for c in set(labels):
            means = parts[:, np.array(labels) == c].mean(1)
            expected[:, c] = decay * expected[:, c] + (1 - decay) * means if seen[c] else means
            seen[c] = True
        np.testing.assert_allclose(centres.real, expected[0], atol=1e-6)
        np.testing.assert_allclose(centres.fake, expected[1], atol=1e-6)
        wanted = 0.5 * np.sum((expected[0] - expected[1]) ** 2) if seen.all() else 0.0
        assert float(value) == pytest.approx(wanted, rel=1e-5)


def test_class_centres_send_the_whole_difference_to_the_fake_features_only():
    """d/df of 1/2 |m_c - m'_c|^2 with the average's value and the batch mean's slope: (m'_c - m_c) / n_c."""
    random, labels = np.random.default_rng(1), np.array([0, 1, 1])
    centres = models_cvae_gan.ClassCentres(2, 4)
    code = tf.one_hot(labels, 2)
    for _ in range(2):
        real, fake = (tf.constant(random.normal(size=(3, 4)).astype(np.float32)) for _ in range(2))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([real, fake])
            value = centres.distance(code, real, fake)
    difference = centres.fake.numpy() - centres.real.numpy()
    sizes = np.array([1, 2, 2])[:, None]
    np.testing.assert_allclose(tape.gradient(value, fake), difference[labels] / sizes, atol=1e-6)
    assert tape.gradient(value, real) is None


def test_class_centres_and_weights_survive_a_restart(digits, tmp_path):
    """Four steps in one go and in two parts: all weights, moving averages too, are bit-equal."""
    settings = {"batch": 12, "seed": 1, "progress": False, "program_steps": 1, "epoch_steps": 2, "jit": "eager"}
    whole = small(models_cvae_gan.CVAEGAN, digits)
    fit(whole, steps=4, work=tmp_path / "whole", **settings)
    for steps in (2, 4):
        parts = small(models_cvae_gan.CVAEGAN, digits)
        fit(parts, steps=steps, work=tmp_path / "parts", **settings)
    assert np.abs(whole.centres.real.numpy()).max() > 0
    assert int(whole.steps_done.value) == int(parts.steps_done.value) == 4
    for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
