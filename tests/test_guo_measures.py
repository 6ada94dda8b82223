"""Measures of texture, diversity and latent spaces: constructed cases with known answers, and MNIST's own numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marks import needs_data
from scipy.spatial.distance import pdist

from common import data
from common.errors import UserError
from common.evaluation import diversity, latents, samples, sharpness, texture


def dot(row, column, size=5):
    """One white pixel on black, [1, size, size]."""
    image = np.zeros((1, size, size))
    image[0, row, column] = 1
    return image


# Texture


def test_edge_variance_of_single_pixels_by_hand():
    """Inside: -4 once and 1 four times, mean 0. In the corner two of the ones fall outside, so the mean is -2/25."""
    assert texture.edge_variance(dot(2, 2)) == pytest.approx([20 / 25])
    assert texture.edge_variance(dot(0, 0)) == pytest.approx([18 / 25 - (2 / 25) ** 2])


def test_edge_variance_sees_the_border_that_sharpness_leaves_out():
    lit = np.ones((1, 8, 8))
    assert sharpness.laplacian_variance(lit) == 0
    laplacian = np.zeros((8, 8))
    laplacian[[0, -1]] -= 1
    laplacian[:, [0, -1]] -= 1
    assert texture.edge_variance(lit) == pytest.approx([laplacian.var()])


def test_edge_variance_averages_colours_and_scales_with_the_square_of_contrast():
    x = np.random.default_rng(1).uniform(size=(3, 9, 9, 3))
    by_colour = [texture.edge_variance(x[..., c]) for c in range(3)]
    np.testing.assert_allclose(texture.edge_variance(x), np.mean(by_colour, axis=0))
    np.testing.assert_allclose(texture.edge_variance(x / 2), texture.edge_variance(x) / 4)


def test_grey_fraction_counts_lit_pixels_below_the_upper_threshold():
    x = np.array([0.0, 0.05, 0.2, 0.5, 0.95, 1.0, 0.9, 0.1, 0.89]).reshape(1, 3, 3)
    assert texture.grey_fraction(x) == pytest.approx(3 / 6)  # .2, .5 and .89 of those six above .1
    assert np.isnan(texture.grey_fraction(np.zeros((1, 3, 3))))


def test_border_mean_takes_three_rows_above_and_below():
    x = np.zeros((2, 28, 28))
    x[:, 3:25] = 1
    assert texture.border_mean(x) == 0
    x[0, 0] = 1
    assert texture.border_mean(x) == pytest.approx(28 / (2 * 6 * 28))


def test_texture_refuses_bytes():
    with pytest.raises(UserError, match="floats"):
        texture.edge_variance(np.zeros((1, 5, 5), np.uint8))


@needs_data
def test_numbers_of_the_mnist_test_set():
    images = data.load("mnist")
    x = images.test.astype(np.float64)[..., 0] / 255
    assert texture.edge_variance(x).mean() == pytest.approx(0.1576, abs=5e-5)
    assert texture.border_mean(x) == pytest.approx(0.0054, abs=5e-5)
    assert texture.grey_fraction(x) == pytest.approx(0.489, abs=5e-4)
    assert diversity.within_class_variance(x, images.test_labels) == pytest.approx(0.0531, abs=5e-5)


# Diversity


def test_entropy_and_coverage_of_the_published_collapsed_grids():
    """36 threes, 59 eights and a five; 25 threes and 71 eights: H = .715 and .573 nats."""
    first, second = np.repeat([3, 8, 5], [36, 59, 1]), np.repeat([3, 8], [25, 71])
    assert diversity.label_entropy(first) == pytest.approx(0.715, abs=5e-4)
    assert diversity.label_entropy(second) == pytest.approx(0.573, abs=5e-4)
    assert (diversity.label_coverage(first), diversity.label_coverage(second)) == (3, 2)


def test_labels_and_sure_probabilities_give_one_entropy_and_one_coverage():
    labels = np.random.default_rng(2).integers(0, 7, 500)
    sure = np.eye(10)[labels]
    assert diversity.label_entropy(labels) == pytest.approx(samples.class_entropy(sure))
    assert diversity.label_coverage(labels) == samples.class_coverage(sure) == 7
    assert diversity.label_entropy(np.arange(10)) == pytest.approx(np.log(10))
    assert str(diversity.label_entropy([3, 3])) == "0.0"


def test_a_class_counts_from_one_per_cent_on():
    labels = np.repeat([0, 1, 2], [9_801, 100, 99])
    assert diversity.label_coverage(labels) == 2
    with pytest.raises(UserError, match="labels"):
        diversity.class_shares([0, 10])


def test_within_class_variance_is_zero_for_templates_and_the_noise_otherwise():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(10), 20)
    templates = rng.uniform(size=(10, 6, 6))[labels]
    assert diversity.within_class_variance(templates, labels) == pytest.approx(0, abs=1e-15)
    signs = np.tile([1.0, -1.0], 100)[:, None, None]
    assert diversity.within_class_variance(templates + 0.1 * signs, labels) == pytest.approx(0.01)
    assert np.isnan(diversity.within_class_variance(templates[:2], np.array([0, 1])))


def test_mean_pairwise_distance_is_that_of_all_pairs():
    x = np.random.default_rng(4).normal(size=(60, 7))
    assert diversity.mean_pairwise_distance(x) == pytest.approx(pdist(x).mean())
    assert diversity.mean_pairwise_distance(np.eye(5)) == pytest.approx(np.sqrt(2))


def test_duplicated_pairs_are_counted_once_within_the_radius():
    x = np.random.default_rng(5).uniform(size=(20, 8, 8))
    assert diversity.duplicated_pairs(x) == 0
    near, far = x[:1] + 0.019, x[1:2] + 0.021
    assert diversity.duplicated_pairs(np.concatenate([x, x[:1], near, far])) == 3  # copy, near, and copy with near
    assert diversity.duplicated_pairs(np.zeros((10, 8, 8))) == 45


# Latents


def test_probes_find_separate_classes_and_nothing_in_noise():
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 4, 400)
    z = 8 * np.eye(4)[labels] + rng.normal(size=(400, 4))
    assert latents.neighbour_accuracy(z, labels) == latents.linear_accuracy(z, labels) == 1
    noise = rng.normal(size=(400, 4))
    for probe in (latents.neighbour_accuracy, latents.linear_accuracy):
        assert probe(noise, labels) == pytest.approx(0.25, abs=0.1)  # guessing; sd .022


def test_neighbours_separate_an_exclusive_or_that_a_line_cannot():
    z = np.random.default_rng(7).normal(size=(600, 2))
    labels = (z[:, 0] * z[:, 1] > 0).astype(int)
    assert latents.neighbour_accuracy(z, labels) > 0.9
    assert latents.linear_accuracy(z, labels) < 0.65


def test_probes_leave_out_rare_classes_and_refuse_to_praise_a_single_one():
    z, labels = np.random.default_rng(8).normal(size=(50, 2)), np.zeros(50, int)
    labels[:3] = 1
    assert np.isnan(latents.neighbour_accuracy(z, labels))  # only class 0 has five members
    with pytest.raises(UserError, match="latents"):
        latents.linear_accuracy(z, labels[:10])


def test_active_units_move_with_the_image():
    means = np.random.default_rng(9).normal(size=(1_000, 5)) * [1, 0.2, 0.05, 0.0, 0.5]
    assert latents.active_units(means + 3) == 3  # variances 1, .04, .0025, 0, .25 around any mean


def test_variance_shares_of_sums_and_products():
    rng = np.random.default_rng(10)
    a, b = rng.normal(size=(6, 1, 4)), rng.normal(size=(1, 10, 4))
    z, label, both, total = latents.variance_shares(a + b)
    va, vb = a.var(axis=0).mean(), b.var(axis=1).mean()
    assert total == pytest.approx(va + vb)
    assert (z, label, both) == pytest.approx((va / total, vb / total, 0), abs=1e-12)
    assert latents.variance_shares(0 * a + b)[:3] == pytest.approx((0, 1, 0), abs=1e-12)  # z ignored: a collapse
    centred = (a - a.mean(axis=0)) * (b - b.mean(axis=1, keepdims=True))
    assert latents.variance_shares(centred)[:3] == pytest.approx((0, 0, 1), abs=1e-12)
    assert np.isnan(latents.variance_shares(np.ones((3, 3, 2))).z)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 6))
def test_variance_shares_are_shares(seed, rows, columns):
    shares = latents.variance_shares(np.random.default_rng(seed).normal(size=(rows, columns, 3)))
    assert min(shares) >= -1e-12 and sum(shares[:3]) == pytest.approx(1)


def test_explained_by_z_is_the_variance_along_z_over_the_data():
    rng = np.random.default_rng(11)
    pictures = rng.uniform(size=(8, 10, 5, 5))
    by_hand = np.mean([pictures[:, c].var(axis=0).mean() for c in range(10)])
    assert latents.explained_by_z(pictures, 0.05) == pytest.approx(by_hand / 0.05)
    assert latents.explained_by_z(pictures[:1].repeat(8, axis=0), 0.05) == pytest.approx(0, abs=1e-15)


def test_walks_on_a_line_a_half_circle_and_a_jump():
    t = np.linspace(0, 1, 9)
    line = np.stack([t, 2 * t], axis=-1)
    jump = np.where(t[:, None] > 0.5, 1.0, 0.0) * np.ones(2)
    angle = np.pi * t
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    walks = np.stack([line, jump, circle, np.zeros((9, 2))])
    np.testing.assert_allclose(latents.step_evenness(walks), [1, 8, 1, np.nan], rtol=1e-6)
    chords = 8 * 2 * np.sin(np.pi / 16) / 2  # eight chords of the half circle over its diameter
    np.testing.assert_allclose(latents.path_length(walks), [1, 1, chords, np.nan], rtol=1e-6)


def test_label_changes_and_monotone_walks():
    np.testing.assert_array_equal(latents.label_changes([[1, 1, 1, 7], [1, 7, 1, 7], [3, 3, 3, 3]]), [1, 3, 0])
    rising, dipping, falling = [0, 0.2, 0.195, 1], [0, 0.5, 0.3, 1], [1, 0.5, 0.2, 0]
    assert latents.monotone_share([rising, dipping, falling]) == pytest.approx(1 / 3)
    assert latents.monotone_share([dipping], slack=0.25) == 1
