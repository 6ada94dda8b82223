"""What z and the label decide: Guo's measures of conditional games, latent spaces and the way, on games made by hand.

The hand-made world: images of 4 x 4 pixels and four digits. Row 0 holds the digit, one pixel white. Row 2 holds z, each
latent as a grey value. A judge reads row 0, an encoder reads row 2, so that every number has a known answer.
"""

import warnings
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from common.training.checkpoints import save_whole
from reproductions.guo import conditional, evaluation, watch

with pytest.MonkeyPatch.context() as patch:  # a script's flag would clash with that of another in this process
    patch.setattr(flags, "DEFINE_list", lambda *_: None)
    from reproductions.guo import vae

CLASSES = LATENT = 4
GREY, STEP = 100 / 255, 20 / 255  # z = 0, and how much brighter z = 1 is
LOG_SD = -1.5


def images(count, seed):
    """(uint8 [count, 4, 4, 1], labels): z whole numbers from -3 to 3; the last two latents are 0 in all of them."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    pixels = np.zeros((count, 4, 4, 1), np.uint8)
    pixels[np.arange(count), 0, labels] = 255
    pixels[:, 2, :, 0] = 100
    pixels[:, 2, :2, 0] = 100 + 20 * random.integers(-3, 4, (count, 2))
    return pixels, labels


def in_z(pictures):
    """The z that row 2 of pictures [..., 4, 4, 1] shows."""
    return (pictures[..., 2, :, 0] - GREY) / STEP


class World:
    """A conditional game whose pictures depend on what `by` names; its encoder refuses labels of other images."""

    latent, classes = LATENT, CLASSES

    def __init__(self, by="z and label", log_sd=LOG_SD):
        self.by, self.log_sd, self.generator = by, log_sd, keras.Sequential([keras.Input((1,))])
        self.discriminator = SimpleNamespace(predict=lambda x, **_: (None, 20.0 * self.like_a_digit(x)))
        self.classifier = SimpleNamespace(predict=lambda x, **_: (None, x[:, 0, :, 0] @ MISTAKEN))

    def picture(self, z, code):
        row_0 = code if "label" in self.by else tf.fill(tf.shape(code), 1 / CLASSES)
        row_2 = GREY + STEP * z if "z" in self.by else tf.fill(tf.shape(z), GREY)
        empty = tf.zeros_like(z)
        return tf.stack([row_0, empty, row_2, empty], axis=1)[..., None]

    def posterior(self, image, labels):
        image = image.numpy()
        np.testing.assert_array_equal(image[:, 0, :, 0].argmax(axis=1), labels)
        mean = tf.constant(in_z(image), tf.float32)
        return mean, tf.fill(tf.shape(mean), tf.constant(self.log_sd, tf.float32))

    def like_a_digit(self, x):
        """1 if exactly one pixel of row 0 is white and the others are black, else -1; [N, 1]."""
        ends = np.sort(x[:, 0, :, 0], axis=1)[:, ::-1]
        return np.where(np.all(ends == [1, 0, 0, 0], axis=1), 1.0, -1.0)[:, None].astype(np.float32)


MISTAKEN = np.diag([1.0, 1, 1, 0])  # makes logits that take every 3 for a 0
JUDGE = SimpleNamespace(probabilities=lambda x: x[:, 0, :, 0], features=lambda x: x.reshape(len(x), -1))


@pytest.fixture(scope="module")
def world():
    """600 training and 600 test images, more than the encoder takes at once."""
    (train, train_labels), (test, test_labels) = images(600, 1), images(600, 2)
    return SimpleNamespace(
        train=train, train_labels=train_labels, test=test, test_labels=test_labels, shape=train.shape[1:]
    )


def of(measure, game, *arguments, **more):
    with evaluation.drawing(game) as picture:
        return measure(game, picture, *arguments, **more)


SETTINGS = type("Settings", (dict,), {"seed": 5})(walks=40)


def walked(game, world):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN")  # of walks along which nothing moves
        metrics, arrays = of(conditional.walks, game, world, JUDGE, SETTINGS)
    ends = conditional.encoded_pairs(game, world, SETTINGS["walks"], SETTINGS.seed)
    return metrics, arrays, *ends


# --- Walks: claim 26 and F13b -----------------------------------------------------------------------------------------


def test_pairs_are_of_two_digits_and_z_is_that_of_their_images(world):
    rows, z = conditional.encoded_pairs(World(log_sd=-20.0), world, 40, seed=5)
    labels = world.test_labels[rows]
    assert np.all(labels[:, 0] != labels[:, 1])
    np.testing.assert_allclose(z, in_z(evaluation.floats(world.test[rows])), atol=1e-4)
    noise = conditional.encoded_pairs(World(), world, 400, seed=5)
    spread = noise[1] - in_z(evaluation.floats(world.test[noise[0]]))
    assert spread.std() == pytest.approx(np.exp(LOG_SD), rel=0.05)  # 3,200 draws: five times their error


def test_a_walk_through_z_and_label_is_the_straight_line_between_two_images(world):
    metrics, arrays, rows, z = walked(World(log_sd=-20.0), world)
    real = evaluation.floats(world.test[rows])
    way = np.sqrt(np.sum((real[:, 1] - real[:, 0]) ** 2, axis=(1, 2, 3)))
    z_way = STEP * np.linalg.norm(z[:, 1] - z[:, 0], axis=1)
    assert metrics["walk_both_length"] == pytest.approx(way.mean(), rel=1e-4)
    assert metrics["walk_z_length"] == pytest.approx(z_way.mean(), rel=1e-4)
    assert metrics["walk_label_length"] == pytest.approx(np.sqrt(2), rel=1e-4)
    for part in ("both", "z", "label"):
        assert metrics[f"walk_{part}_evenness"] == pytest.approx(1, abs=1e-3)
    reached = {part: metrics[f"walk_{part}_reached"] for part in ("both", "z", "label")}
    assert reached == pytest.approx({"both": 1, "z": 0, "label": 1}, abs=1e-6)
    # F13b: the first image itself, the decodes of t = 1/8 ... 1, the second image; p(second digit) is t.
    np.testing.assert_array_equal(arrays["walk"][:, 0], world.test[rows[:10, 0], ..., 0])
    np.testing.assert_array_equal(arrays["walk"][:, 9], world.test[rows[:10, 1], ..., 0])
    np.testing.assert_array_equal(arrays["walk"][:, 8], arrays["walk"][:, 9])
    middle = (real[:10, 0] + real[:10, 1]) / 2
    np.testing.assert_allclose(arrays["walk"][:, 4], 255 * middle[..., 0], atol=0.6)
    np.testing.assert_allclose(arrays["walk_probability"], np.tile(np.arange(1, 9) / 8, (10, 1)), atol=1e-6)


def test_where_the_label_decides_everything_z_leads_nowhere(world):
    metrics, *_ = walked(World("label"), world)
    assert metrics["walk_z_length"] == 0 and np.isnan(metrics["walk_z_evenness"])
    assert metrics["walk_label_length"] == metrics["walk_both_length"] == pytest.approx(np.sqrt(2))
    assert (metrics["walk_z_reached"], metrics["walk_label_reached"]) == (0, 1)
    assert metrics["walk_label_monotone"] == 1


def test_where_z_decides_everything_the_label_leads_nowhere(world):
    metrics, _, _, z = walked(World("z"), world)
    assert metrics["walk_label_length"] == 0 and np.isnan(metrics["walk_label_evenness"])
    way = STEP * np.linalg.norm(z[:, 1] - z[:, 0], axis=1).mean()
    assert metrics["walk_z_length"] == metrics["walk_both_length"] == pytest.approx(way, rel=1e-4)
    assert metrics["walk_both_reached"] == metrics["walk_label_reached"] == 1 / CLASSES


# --- Who decides, and reconstructions: claims 24, 27, 31, 33, 34 ------------------------------------------------------


def test_what_z_and_label_explain(world):
    """Of z alone, of the label alone, and of their sum, whose parts lie in rows of their own."""
    real = np.mean([world.test[world.test_labels == c].var(axis=0).mean() for c in range(CLASSES)]) / 255**2
    z = evaluation.normal(200, LATENT, 5 + 2)
    by_z, by_label = STEP**2 * z.var(axis=0).sum() / 16, (CLASSES - 1) / CLASSES / 16  # variances, mean over 16 pixels
    for by, (a, b) in {"z": (1, 0), "label": (0, 1), "z and label": (1, 1)}.items():
        found = of(conditional.decided, World(by), world, seed=5)
        assert found["z_explained"] == pytest.approx(a * by_z / real, rel=1e-3, abs=1e-12)
        shares = [found[f"{part}_share"] for part in ("z", "label", "both")]
        total = a * by_z + b * by_label
        assert shares == pytest.approx([a * by_z / total, b * by_label / total, 0], rel=1e-3, abs=1e-6)


def class_mean_error(world):
    means = np.stack([world.train[world.train_labels == c].mean(axis=0) for c in range(CLASSES)])
    return np.mean((world.test - means[world.test_labels]) ** 2) / 255**2


def test_reconstructions_of_z_and_label_are_exact_and_of_the_label_no_better_than_the_class_mean(world):
    exact, collapsed = (of(conditional.on_test, World(by), world, 5) for by in ("z and label", "label"))
    assert exact["class_mean_mse"] == collapsed["class_mean_mse"] == pytest.approx(class_mean_error(world), rel=1e-4)
    assert exact["reconstruction_mse"] < 1e-10
    grey = np.mean((world.test[:, 2] / 255 - GREY) ** 2) / 4  # row 2 is one of four; the others are right
    assert collapsed["reconstruction_mse"] == pytest.approx(grey, rel=1e-4)
    assert grey == pytest.approx(class_mean_error(world), rel=0.02)  # the mean z of a digit is 0 but for chance


def test_kl_active_units_and_the_classifier_by_hand(world):
    found = of(conditional.on_test, World(), world, 5)
    mean = in_z(evaluation.floats(world.test))
    kl = 0.5 * np.sum(mean**2 + np.exp(2 * LOG_SD) - 1 - 2 * LOG_SD, axis=1).mean()
    assert found["test_kl_nats"] == pytest.approx(kl, rel=1e-4)
    assert found["active_units"] == 2
    assert found["classifier_accuracy"] == np.mean(world.test_labels != 3)


def test_each_kind_of_picture_is_what_its_name_says(world):
    """D believes in one-hot rows: in images, reconstructions and prior samples; not in decodes of noise for a class."""
    found = of(conditional.on_test, World(), world, 5)
    assert [found[name] for name in ("D_x", "D_x_f", "D_x_p")] == pytest.approx([1, 1, 1])
    assert found["D_Gu"] < 0.2  # noise cut to [0, 1] is one-hot by chance only, if three are below 0 and one above 1
    bright = World()  # D takes bright latents for real: reconstructions follow q(z|x), prior samples N(0, I)
    bright.like_a_digit = lambda x: np.where(in_z(x)[:, 2:].max(axis=1) < 0.9, 1.0, -1.0)[:, None].astype(np.float32)
    found = of(conditional.on_test, bright, world, 5)
    assert found["D_x"] == pytest.approx(1)
    assert found["D_x_f"] == pytest.approx(0.99999**2, abs=1e-3)  # .9 is four sd of q away
    assert found["D_x_p"] == pytest.approx(0.816**2, abs=0.06)  # of N(0, 1), each of two: P(z < .9) = .816; sd .019


def test_requested_digits_are_counted_by_the_digit_asked_for():
    found, asked = np.array([0, 1, 1, 2, 2, 2]), np.array([0, 1, 2, 2, 2, 2, 0, 1])
    shares = conditional.requested(found, asked, 3)
    wanted = {"": 5 / 6, "_0": 1, "_1": 1, "_2": 0.75}
    assert shares == pytest.approx({f"requested_accuracy{digit}": share for digit, share in wanted.items()})


def test_panels_have_a_digit_a_row_and_a_z_a_row(world):
    """F13a: row c shows c, with eight z. F13c: row i has the z of training image i; under its own label, the image."""
    found = conditional.panels(World(log_sd=-20.0), world, seed=5)
    assert found["classes"].shape == (4, 8, 4, 4) and found["labels_swapped"].shape == (10, 4, 4, 4)
    np.testing.assert_array_equal(found["classes"][:, :, 0].argmax(axis=-1), np.tile(np.arange(4)[:, None], 8))
    assert len(np.unique(found["classes"][:, :, 2].reshape(32, 4), axis=0)) > 28  # grey values of four latents
    np.testing.assert_array_equal(found["labels_swapped"][:, :, 0].argmax(axis=-1), np.tile(np.arange(4), (10, 1)))
    own = found["labels_swapped"][np.arange(10), world.train_labels[:10]]
    np.testing.assert_array_equal(own, world.train[:10, ..., 0])


# --- Latent spaces: claims 4 and 18, F9 -------------------------------------------------------------------------------


def test_columns_of_the_manifold_are_the_first_latent_and_its_steps_are_even():
    """A decoder that paints Phi(z_1) on the left and Phi(z_2) on the right: the quantiles themselves."""

    def picture(z):
        return tf.reshape(0.5 * (1 + tf.math.erf(z / np.sqrt(2))), [-1, 1, 2, 1])

    game = SimpleNamespace(generator=keras.Sequential([keras.Input((1,))]), picture=picture)
    judge = SimpleNamespace(probabilities=lambda x: np.stack([x[:, 0, 0, 0] < 0.3, x[:, 0, 0, 0] >= 0.3], axis=1))
    metrics, pictures = vae.manifold(game, judge)
    u = np.linspace(0.05, 0.95, 20)
    grid = pictures.reshape(20, 20, 2)  # row, column, latent
    np.testing.assert_allclose(grid[..., 0], 255 * np.tile(u, (20, 1)), atol=0.6)
    np.testing.assert_allclose(grid[..., 1], 255 * np.tile(u[:, None], 20), atol=0.6)
    assert metrics["manifold_step_evenness"] == pytest.approx(1, abs=1e-3)
    assert metrics["manifold_label_changes"] == 0.5  # once in each row, never in a column


def signs(x):
    """A judge of two classes: whether the first latent is above 0."""
    above = in_z(x)[:, 0] > 0
    return np.stack([~above, above], axis=1).astype(float)


def painted(z):
    return World("z").picture(z, tf.zeros_like(z))


def test_latent_space_of_a_linear_decoder():
    """Classes split by a plane; features on straight lines; labels change where the first latent's sign does."""
    judge = SimpleNamespace(probabilities=signs, features=lambda x: in_z(x))
    found = evaluation.latent_space(painted, LATENT, judge, seed=3, count=400, walks=100)
    z, ends = evaluation.normal(400, LATENT, 3), evaluation.normal(200, LATENT, 4).reshape(2, 100, LATENT)
    assert found["z_linear_accuracy"] > 0.97 and found["z_neighbour_accuracy"] > 0.85
    above = np.mean(z[:, 0] > 0)
    assert found["z_label_share_max"] == pytest.approx(max(above, 1 - above))
    assert found["z_label_changes"] == pytest.approx(np.mean((ends[0, :, 0] > 0) != (ends[1, :, 0] > 0)), abs=0.011)
    assert found["z_path_length"] == pytest.approx(1, abs=1e-3)
    folded = SimpleNamespace(probabilities=signs, features=lambda x: np.abs(in_z(x)[:, :1]))
    a, b = np.abs(ends[:, :, 0])
    turned = np.sign(ends[0, :, 0]) != np.sign(ends[1, :, 0])  # such walks go to 0 and back: |a| + |b| over ||a| - |b||
    long = np.where(turned, (a + b) / np.abs(a - b), 1)
    found = evaluation.latent_space(painted, LATENT, folded, seed=3, count=400, walks=100)
    assert 0.8 * long.mean() < found["z_path_length"] <= long.mean() + 1e-3  # a walk of 17 points cuts its corner


def test_latent_space_of_a_decoder_that_ignores_z():
    judge = SimpleNamespace(probabilities=signs, features=lambda x: in_z(x))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        found = evaluation.latent_space(lambda z: painted(tf.zeros_like(z)), LATENT, judge, 3, count=50, walks=20)
    assert found["z_label_share_max"] == 1 and found["z_label_changes"] == 0
    assert all(np.isnan(found[f"z_{name}"]) for name in ("linear_accuracy", "neighbour_accuracy", "path_length"))


# --- Along a training -------------------------------------------------------------------------------------------------

SHIFTS = (0.4, 0.3, 0.2, 0.1, 0.08, 0.052, 0.05, 0.06)  # what the generator adds to every pixel after each of 8 epochs


class Brightened:
    """A game that adds its one weight to the pictures it is given."""

    def __init__(self):
        self.generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)], name="generator")

    def shift(self, value):
        self.generator.set_weights([np.float32([[value]])])

    def picture(self, z, code=None):
        return z + self.generator.weights[0][0, 0]


@pytest.fixture
def way(world, tmp_path):
    """A finished training of 8 epochs whose pictures are the test images, dimmed, plus SHIFTS; weights now: 0.25."""
    game = Brightened()
    at = watch.AtEpochs(tmp_path, game.generator, range(1, 9))
    for epoch, value in enumerate(SHIFTS, 1):
        game.shift(value)
        save_whole(game.generator, at.path(epoch))
    game.shift(0.25)
    dimmed = SimpleNamespace(test=world.test // 2)  # no pixel plus a shift is above 1
    return game, at, dimmed


def test_distances_on_the_way_belong_to_their_epochs(way):
    """Pictures that are the real ones plus a constant: a Fréchet distance of its square for each of 16 pixels."""
    game, at, dimmed = way
    settings = {"epochs": 8, "drawn": (), "curve_samples": 300}
    z = evaluation.floats(dimmed.test)
    metrics, arrays = evaluation.on_the_way(game, at, (z,), dimmed, JUDGE, settings, grids=False)
    np.testing.assert_array_equal(arrays["frechet_epochs"], range(1, 9))
    wanted = 16 * np.square(SHIFTS)
    np.testing.assert_allclose([metrics[f"frechet_after_{epoch}"] for epoch in range(1, 9)], wanted, rtol=1e-3)
    np.testing.assert_allclose(arrays["frechet_curve"], wanted, rtol=1e-3)
    np.testing.assert_array_equal(arrays["grid_epochs"], [2, 4, 6, 8])
    np.testing.assert_allclose([metrics[f"frechet_q{q}"] for q in (1, 2, 3, 4)], wanted[1::2], rtol=1e-3)
    assert metrics["epochs_to_best"] == 6  # .052 squared is within 10 % of .05 squared, which comes an epoch later
    np.testing.assert_allclose(arrays["grid_q4"], np.rint(255 * (z[:100, ..., 0] + 0.06)), atol=1)
    assert "grid_q1" not in arrays
    assert float(game.generator.get_weights()[0][0, 0]) == 0.25


def test_requested_digits_on_the_way_are_those_asked_for(way, world):
    game, at, dimmed = way
    z, asked = evaluation.floats(dimmed.test), world.test_labels.copy()
    asked[:150] = (asked[:150] + 1) % CLASSES  # a quarter is another digit than asked for
    settings = {"epochs": 8, "drawn": (3, 8), "curve_samples": 100}
    metrics, arrays = evaluation.on_the_way(game, at, (z, asked), dimmed, JUDGE, settings, requested=asked)
    assert metrics["requested_accuracy_q1"] == metrics["requested_accuracy_q2"] == 0.75
    np.testing.assert_array_equal(arrays["grid_epochs"], [3, 8])
    np.testing.assert_allclose(arrays["grid_q1"], np.rint(255 * (z[:100, ..., 0] + 0.2)), atol=1)
    shares = np.bincount(world.test_labels, minlength=CLASSES) / 600
    assert metrics["label_entropy_nats_q1"] == pytest.approx(-np.sum(shares * np.log(shares)))


# --- Samples ----------------------------------------------------------------------------------------------------------


def test_quality_counts_the_digits_that_the_judge_sees(world):
    """120 pictures: 70 of the 0, 49 of the 2, one of the 3, which is less than a hundredth; beside 120 test images."""
    labels = np.repeat([0, 2, 3], [70, 49, 1])
    fake = World().picture(evaluation.normal(120, LATENT, 1), np.eye(4, dtype=np.float32)[labels]).numpy()
    judge = SimpleNamespace(**vars(JUDGE), accuracy=0.99)
    found, seen = evaluation.quality(np.clip(fake, 0, 1), world, judge)
    np.testing.assert_array_equal(seen, labels)
    assert [found[f"share_{c}"] for c in range(4)] == pytest.approx([70 / 120, 0, 49 / 120, 1 / 120])
    assert found["classes"] == 2
    p = np.array([70, 49, 1]) / 120
    assert found["label_entropy_nats"] == pytest.approx(-np.sum(p * np.log(p)))
    assert found["sure"] == 1 and found["judge_accuracy"] == 0.99
    copies, _ = evaluation.quality(evaluation.floats(world.test), world, judge)
    assert copies["frechet"] == pytest.approx(0, abs=1e-4) and copies["nearest_test"] == pytest.approx(0, abs=1e-3)
    assert copies["precision"] == copies["recall"] == 1
    four, _ = evaluation.quality(np.tile(evaluation.floats(world.test[:4]), (30, 1, 1, 1)), world, judge)
    assert four["precision"] == 1 and four["recall"] < 0.2  # all are real images, few real images are among them
    for name in ("edge_variance", "border_mean", "within_class_variance"):
        assert copies[name] == pytest.approx(copies[f"{name}_test"])
