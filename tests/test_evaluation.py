"""Sample metrics, sharpness and the judge against known answers and brute force."""

from dataclasses import replace

import numpy as np
import pytest
from marks import needs_data
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from common import data
from common.errors import UserError
from common.evaluation import judge as judges
from common.evaluation import samples, sharpness

RNG = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def _same_draws_in_any_order():
    RNG.bit_generator.state = np.random.default_rng(1).bit_generator.state


# --- samples ----------------------------------------------------------------------------------------------------------


def with_moments(mean, covariance, n=50):
    """Points whose sample mean and covariance (divided by n - 1) are exactly these."""
    x = RNG.normal(size=(n, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance_of_gaussians_with_known_answers():
    eye = np.eye(3)
    base = with_moments(np.zeros(3), eye)
    np.testing.assert_allclose(samples.frechet_distance(base, base), 0, atol=1e-10)
    np.testing.assert_allclose(samples.frechet_distance(base, base + [3, 4, 0]), 25)
    # N(0, I) against N(0, 4 I): per dimension (2 - 1)^2.
    np.testing.assert_allclose(samples.frechet_distance(base, with_moments(np.zeros(3), 4 * eye)), 3)


def test_frechet_distance_equals_the_matrix_root_form_also_where_covariances_do_not_commute():
    a, b = (RNG.normal(size=(40, 5)) @ RNG.normal(size=(5, 5)) for _ in range(2))
    covariances = [np.cov(f, rowvar=False) for f in (a, b)]
    cross = np.trace(np.real(sqrtm(covariances[0] @ covariances[1])))
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + sum(map(np.trace, covariances)) - 2 * cross
    np.testing.assert_allclose(samples.frechet_distance(a, b), expected, rtol=1e-8)
    np.testing.assert_allclose(samples.frechet_distance(b, a), expected, rtol=1e-8)


def test_frechet_distance_of_singular_covariances():
    flat = np.zeros((10, 4))
    flat[:, 0] = np.linspace(-1, 1, 10)
    sd = flat[:, 0].std(ddof=1)
    np.testing.assert_allclose(samples.frechet_distance(flat, 3 * flat), (2 * sd) ** 2)


def test_precision_and_recall_equal_brute_force():
    real, fake = RNG.normal(size=(70, 2)), 0.7 * RNG.normal(size=(60, 2)) + 0.8

    def share_inside(points, manifold, k):
        radii = np.sort(cdist(manifold, manifold), axis=1)[:, k]
        return np.mean([np.any(np.linalg.norm(manifold - p, axis=1) <= radii) for p in points])

    for k in (1, 3):
        expected = share_inside(fake, real, k), share_inside(real, fake, k)
        np.testing.assert_allclose(samples.precision_recall(real, fake, k), expected)
        assert 0.1 < min(expected) < max(expected) < 1


def test_precision_and_recall_of_equal_separate_and_collapsed_sets():
    real = RNG.normal(size=(200, 3))
    assert samples.precision_recall(real, real) == (1, 1)
    assert samples.precision_recall(real, real + 100) == (0, 0)
    collapsed = real[0] + 1e-3 * RNG.normal(size=(200, 3))  # one good sample again and again: quality without variety
    precision, recall = samples.precision_recall(real, collapsed)
    assert precision > 0.95 and recall < 0.05
    scattered = 10 * RNG.normal(size=(200, 3))  # covers everything, mostly with bad samples
    precision, recall = samples.precision_recall(real, scattered)
    assert precision < 0.2 and recall > 0.8


def test_nearest_distance_equals_brute_force_in_blocks(monkeypatch):
    monkeypatch.setattr(samples, "BLOCK", 100)
    images, training = RNG.uniform(size=(23, 4, 4, 1)), RNG.uniform(size=(31, 4, 4, 1))
    training[7] = images[11]
    expected = cdist(images.reshape(23, -1), training.reshape(31, -1), "sqeuclidean").min(1)
    found = samples.nearest_squared_distance(images, training)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert found[11] == 0
    pairs = cdist(training.reshape(31, -1), training.reshape(31, -1), "sqeuclidean")
    np.fill_diagonal(pairs, np.inf)
    others = samples.nearest_squared_distance(training, training, exclude_self=True)
    np.testing.assert_allclose(others, pairs.min(1), rtol=1e-10)


def test_class_entropy_and_coverage():
    one_hot = np.eye(10)[np.arange(1000) % 10]
    np.testing.assert_allclose(samples.class_entropy(one_hot), np.log(10))
    np.testing.assert_allclose(samples.class_entropy(one_hot[::10]), 0, atol=1e-12)
    assert samples.class_coverage(one_hot) == 10
    rare = np.eye(10)[np.r_[np.zeros(996, int), np.full(4, 3)]]
    assert samples.class_coverage(rare) == 1 and samples.class_coverage(rare, share=0.004) == 2


def test_sample_mistakes_are_named():
    good = np.zeros((5, 2))
    with pytest.raises(UserError, match="NaN"):
        samples.frechet_distance(good, np.full((5, 2), np.nan))
    with pytest.raises(UserError, match="N >= 4"):
        samples.precision_recall(good[:3], good, k=3)
    with pytest.raises(UserError, match="N >= 2"):
        samples.frechet_distance(good[:1], good)
    with pytest.raises(UserError, match="exclude_self"):
        samples.nearest_squared_distance(good, good[:3], exclude_self=True)


# --- sharpness --------------------------------------------------------------------------------------------------------


def test_sharpness_of_ramps_and_checks():
    flat = np.full((1, 8, 8), 0.3)
    ramp = np.broadcast_to(np.linspace(0, 0.7, 8), (1, 8, 8))  # slope .1 along columns only
    check = (np.indices((8, 8)).sum(0) % 2)[None].astype(float)  # every neighbour differs by 1, Laplacian +-4
    found = [float(sharpness.gradient_energy(x)[0]) for x in (flat, ramp, check)]
    np.testing.assert_allclose(found, [0, 0.01, 2], atol=1e-12)
    found = [float(sharpness.laplacian_variance(x)[0]) for x in (flat, ramp, check)]
    np.testing.assert_allclose(found, [0, 0, 16], atol=1e-12)


@pytest.mark.parametrize("measure", [sharpness.gradient_energy, sharpness.laplacian_variance])
def test_blur_lowers_sharpness_and_contrast_scales_it_by_its_square(measure):
    images = data.load("digits").test[:50] / 255.0
    blurred = sum(np.roll(images, s, axis) for s in (-1, 0, 1) for axis in (1, 2)) / 6
    assert np.all(measure(blurred) < measure(images))
    np.testing.assert_allclose(measure(0.5 * images), 0.25 * measure(images))
    np.testing.assert_allclose(measure(np.repeat(images, 3, -1)), measure(images))
    assert measure(images).shape == (50,)
    with pytest.raises(UserError, match="255"):
        measure((255 * images).astype(np.uint8))
    with pytest.raises(UserError, match="3x3"):
        measure(images[0, 0])


# --- judge ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(scope="module")
def judge(digits, work_dir):
    return judges.train_judge(digits, work_dir, seed=1, epochs=4)


def test_judge_learns_digits_and_says_how_well(judge, digits):
    x = digits.test / 255.0
    probabilities = judge.probabilities(x)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert judge.accuracy == np.mean(probabilities.argmax(1) == digits.test_labels)
    assert judge.accuracy > 0.93


def test_features_determine_the_probabilities(judge, digits):
    x = digits.test[:20] / 255.0
    kernel, bias = judge.model.get_layer("logits").get_weights()
    logits = judge.features(x) @ kernel + bias
    expected = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(judge.probabilities(x), expected / expected.sum(1, keepdims=True), atol=1e-5)


def test_probabilities_do_not_depend_on_the_batch(judge, digits):
    x = digits.test[:30] / 255.0
    np.testing.assert_allclose(judge.probabilities(x[4:5]), judge.probabilities(x)[4:5], atol=1e-5)


def test_judge_is_stored_whole_and_read_again(judge, digits, work_dir):
    stamp = judge.path.stat().st_mtime_ns
    again = judges.train_judge(digits, work_dir, seed=1, epochs=4)
    assert judge.path.stat().st_mtime_ns == stamp and again.accuracy == judge.accuracy
    assert digits.fingerprint in judge.path.name
    assert [p.name for p in work_dir.iterdir() if p.suffix != ".lock"] == [judge.path.name]


def test_damaged_file_is_trained_anew_to_the_same_judge(digits, tmp_path):
    small = replace(digits, train=digits.train[:320], train_labels=digits.train_labels[:320])
    first = judges.train_judge(small, tmp_path, seed=3, epochs=1)
    x = digits.test[:50] / 255.0
    expected = first.probabilities(x)
    whole = first.path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for damaged in (b"not a judge", flipped, whole[:middle]):
        first.path.write_bytes(damaged)
        with pytest.warns(UserWarning, match="damaged"):
            assert judges._stored(first.path) is None
    with pytest.warns(UserWarning, match="damaged"):
        again = judges.train_judge(small, tmp_path, seed=3, epochs=1)
    np.testing.assert_allclose(again.probabilities(x), expected, atol=1e-4)
    assert judges._stored(first.path) is not None


def test_shifts_move_each_image_by_whole_pixels_within_reach():
    images = np.zeros((200, 9, 9, 1), np.uint8)
    images[:, 4, 4] = 7
    moved = judges.shifted(images, [1, 2]).numpy()
    assert np.all(moved.sum((1, 2, 3)) == 7)
    places = np.argwhere(moved[..., 0])[:, 1:] - 4
    assert set(map(tuple, places)) == {(i, j) for i in range(-2, 3) for j in range(-2, 3)}
    np.testing.assert_array_equal(judges.shifted(images, [1, 2]), moved)


def test_judge_mistakes_are_named(judge, digits, tmp_path):
    x = digits.test[:3]
    for wrong in (x, x / 127.5 - 1.0, np.where(x > 300, 0.0, np.nan)):
        with pytest.raises(UserError, match=r"floats in \[0, 1\]"):
            judge.probabilities(wrong)
    with pytest.raises(UserError, match="28, 28, 1"):
        judge.features(x[..., 0] / 255.0)
    with pytest.raises(UserError, match="no labels"):
        judges.train_judge(replace(digits, train_labels=None), tmp_path)


@needs_data
def test_nearest_distances_of_mnist_have_their_known_median():
    mnist = data.load("mnist")
    images = mnist.test[:200] / 255.0
    nearest = samples.nearest_squared_distance(images, mnist.train[:1000] / 255.0)
    # Median over test images of the distance to the nearest of the first 1000 training images: 33 to 34.
    np.testing.assert_allclose(np.median(nearest), 33.5, atol=2.5)
