"""Doersch's statements that need no trained network: distances, columns, maps of a normal law, gradients; claims."""

import numpy as np
import pytest
from scipy import stats

from common.reporting.claims import load_claims
from common.reporting.records import Record
from common.reporting.rooms import ROOMS
from common.reporting.verdicts import verdict
from reproductions.doersch import claims, gradients, mappings, pixels, posteriors, tables_networks, two_modes

IMAGES = np.random.default_rng(0).uniform(size=(40, 6, 6)).astype(np.float32)


def test_half_pixel_shift_moves_the_centre_of_mass_by_half_a_pixel():
    image = np.zeros((1, 9, 9), np.float32)
    image[0, 3:5, 2:6] = 0.7
    for axis in (1, 2):
        before, after = (
            np.sum(each * np.moveaxis(np.arange(9.0)[:, None, None], 0, axis)) / each.sum()
            for each in (image, pixels.half_pixel_shift(image))
        )
        assert after - before == pytest.approx(0.5, abs=1e-6)
    assert pixels.half_pixel_shift(image).sum() == pytest.approx(image.sum(), rel=1e-6)


def test_distance_of_one_lit_pixel_is_three_quarters():
    """A single pixel of 1 becomes four of 1/4: (3/4)^2 + 3 (1/4)^2 = 3/4."""
    image = np.zeros((1, 6, 6), np.float32)
    image[0, 2, 2] = 1
    readings = pixels.distance_readings(image)
    assert readings["raw"][0] == pytest.approx(0.75)
    assert readings["relative"][0] == pytest.approx(0.75)
    assert readings["full_pixel_rms"][0] == pytest.approx(np.sqrt(2 / 36))


@pytest.mark.parametrize("size", (1, 2, 5))
def test_patch_ink_is_the_distance_to_the_blanked_image(size):
    ink = pixels.patch_ink(IMAGES[:1], size)[0]
    for (row, column), found in np.ndenumerate(ink):
        assert found == pytest.approx(np.sum((IMAGES[0] - pixels.blanked(IMAGES[0], size, row, column)) ** 2), abs=1e-5)


def test_nearest_distances_match_brute_force():
    draw = np.random.default_rng(1)
    base = draw.uniform(size=(2300, 6, 6)).astype(np.float32)
    labels, base_labels = draw.integers(3, size=40), draw.integers(3, size=2300)
    nearest, other = pixels.nearest_squared_distances(IMAGES, base, (7, 1500, 2300), labels, base_labels)
    exact = np.sum((IMAGES[:, None] - base) ** 2, axis=(2, 3))
    for row, count in zip(nearest, (7, 1500, 2300), strict=True):
        np.testing.assert_allclose(row, exact[:, :count].min(1), atol=1e-5)
    exact[labels[:, None] == base_labels] = np.inf
    np.testing.assert_allclose(other, exact.min(1), atol=1e-5)


def test_uniqueness_counts_rows_not_values():
    rows = np.array([[0, 0], [0, 0], [1, 0], [0, 1], [1, 1], [1, 1]], np.uint8)
    assert pixels.uniqueness(rows) == {"unique_share": 2 / 6, "distinct": 4, "all_zero": 2}


def test_figure_3_cuts_the_stroke():
    cross = np.zeros((1, 20, 20), np.float32)
    cross[0, 9:11, 2:18] = 1
    found = pixels.figure_3(cross, printed_defect=0.12)
    assert pixels.pieces(found["images"][0]) == 1
    assert pixels.pieces(found["images"][1]) == 2
    assert found["defect"] == pytest.approx(0.12, abs=0.01)


def test_ring_has_the_exact_radius_law():
    z = np.random.default_rng(2).normal(size=(100_000, 2))
    x = mappings.ring(z)
    radius = np.linalg.norm(x, axis=1)
    assert stats.kstest((radius - 1) * 10, stats.rayleigh.cdf).pvalue > 0.01
    assert radius.min() > 1
    np.testing.assert_allclose(np.arctan2(*x.T), np.arctan2(*z.T), atol=1e-12)


def test_inverse_conditional_cdfs_reach_the_mixture():
    assert mappings.universality(seed=3) > 0.01
    mixture = mappings.PlaneMixture()
    x = mixture.from_normal(np.random.default_rng(4).normal(size=(50_000, 2)))
    mean = mixture.weights @ mixture.means
    spread = mixture.means - mean
    covariance = np.tensordot(mixture.weights, mixture.covariances + spread[:, :, None] * spread[:, None], 1)
    np.testing.assert_allclose(x.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.03)


def test_prior_scale_pairings():
    """Section 2.4.3: N(0, lambda^2 I) goes with lambda, N(0, lambda I) with its root, and not as printed."""
    mean, variance = np.array([0.7, -0.3]), np.array([0.2, 0.5])
    assert mappings.diagonal_kl(mean, variance) == pytest.approx(0.79129, abs=1e-5)
    for pair in ((9.0, 3.0), (3.0, 3.0**0.5)):
        assert mappings.scaled_model(*pair, mean, variance) == pytest.approx((0.7912925, 1.0), abs=1e-6)
    kl, input_sd = mappings.scaled_model(3.0, 3.0, mean, variance)
    assert kl == pytest.approx(0.97268, abs=1e-5)
    assert input_sd == pytest.approx(3**-0.5)


def test_rotation_keeps_the_likelihood_and_moves_the_best_bound():
    x = np.array([0.5, -0.2, 0.4])
    plain, turned = mappings.RotatedDecoder(0.0), mappings.RotatedDecoder(0.8)
    assert turned.log_marginal(x) == pytest.approx(plain.log_marginal(x), abs=1e-10)
    assert plain.best_elbo(x) - turned.best_elbo(x) > 0.1
    assert plain.best_elbo(x) < plain.log_marginal(x)


def test_reparameterised_gradient_is_unbiased_and_the_plain_sample_blocks():
    found = gradients.reparameterisation(seed=1, draws=20_000)
    assert found["forward_difference"] == 0
    assert found["blocked_gradient"] == 0
    assert found["open_gradient"] > 0.01
    assert found["z_score"] < 3
    assert found["variance_ratio"] > 1


def test_closed_form_kl():
    found = gradients.closed_form_kl(seed=1, draws=20_000)
    assert found["z_score"] < 3
    assert found["tfp_difference"] < 1e-10


def test_weights_of_the_two_terms():
    assert gradients.sigma_as_weight(seed=1) < 1e-12
    assert gradients.replicated_pixels(seed=1) < 1e-12
    assert gradients.padded_latent(seed=1, padded=500) < 1e-4


def test_discrete_latents_have_no_pathwise_gradient():
    found = gradients.discrete_latent(seed=1)
    assert found["sampled_gradient"] == 0
    assert found["expected_gradient"] > 0.01
    assert found["unmoved_share"] > 0.99
    assert found["identity_difference"] < 1e-12


def test_regressor_answers_between_the_modes_and_the_cvae_at_them():
    found = two_modes.two_modes(seed=1, steps=1000)
    assert found["regressor_error"] < 0.02
    assert found["regressor_near_modes"] == 0
    assert found["cvae_near_modes"] > 0.5


def test_every_measure_has_its_claim():
    known = {claim.claim_id: claim for claim in load_claims(ROOMS / "doersch" / "claims.csv")}
    assert set(claims.MEASURES) <= set(known)
    assert not set(claims.MEASURES) & set(claims.NOT_RUN)
    assert {f"C{n:02}" for n in range(1, 45)} <= {name[:3] for name in known}
    assert all(known[name].kind == "quoted" for name in claims.NOT_RUN if name not in ("C02b", "C16"))


def trained(experiment, model, epochs, variant="as_described", key=None, **metrics):
    """A record of a trained net on MNIST at cpu scale."""
    settings = {"model": model, "variant": variant, "scale": "cpu", "seed": 1, "key": key or {}}
    settings["options"] = {"epochs": epochs, "q_draws": 1_000, "scored": 1_000}
    name = f"{model}-{variant}-{key}"
    return Record("doersch", experiment, name, settings, metrics, {"name": "mnist", "stand_in": ""})


def test_small_sizes_are_compared_for_equally_long_trainings_only():
    """C24 takes both initial weights: of 100 and 10 epochs there is no number."""

    def sweep(init, epochs):
        levels = {1: 150.0, 2: 135.0, 3: 120.0, 30: 100.0}
        return [trained("latents", init, epochs, key={"latent": n}, test_negative_elbo_nats=v)
                for n, v in levels.items()]  # fmt: skip

    found = claims.MEASURES["C24"]
    unequal = found(sweep("he", 100) + sweep("sparse15", 10))
    assert (unequal.values, unequal.reason) == ((), "epochs differ: he 100, sparse15 10")
    assert found(sweep("he", 100) + sweep("sparse15", 100)).values == (20.0,)
    short = found(sweep("he", 10) + sweep("sparse15", 10))
    assert not short.values and short.reason.startswith("measured 20 after 10 of 100 epochs, one seed (he 20.00, ")


def test_choices_of_two_variants_are_two_rows():
    records = [trained("choices", "lr_0.001", 1, variant, loss_after_1_nats=loss)
               for variant, loss in (("as_described", 156.0), ("code_optimizer", 190.0))]  # fmt: skip
    rows = [row[:2] + row[3:4] for row in tables_networks.choices(records).rows]
    assert rows == [["lr 0.001", 1, "156"], ["lr 0.001, code_optimizer", 1, "190"]]


def test_what_q_sees_must_not_decide_about_grey_targets():
    """C20: pairings of 1.1, 2.3 and 3.8 nats give no verdict; on one side of 2 the one nearest to 2 is the value."""

    def measured(grey_q, bits):
        of_grey = {"negative_elbo_binary_grey_q_nats": 98.6, "negative_elbo_binary_nats": 97.1, "log_p_nats": -89.2}
        of_bits = {"negative_elbo_binary_grey_q_nats": grey_q, "negative_elbo_binary_nats": bits, "log_p_nats": -88.5}
        return claims.MEASURES["C20"]([
            trained("digits", "vae", 100, **of_grey), trained("digits", "vae", 100, "resampled", **of_bits)
        ])  # fmt: skip

    mixed = measured(97.5, 94.8)
    assert not mixed.values and mixed.reason.endswith("one seed: the pairings lie on both sides of 2 nats")
    assert "digits 1.10, both see binary ones 2.30, each what it was trained with 3.80" in mixed.reason
    assert "0.70 apart" in mixed.reason
    assert measured(98.5, 97.0).values == (pytest.approx(1.6),) and measured(94.0, 92.0).values == (pytest.approx(4.6),)


def test_an_unprinted_unit_decides_nothing():
    """C02a: a sum over pixels and other readings are told, and are no verdict."""
    known = {claim.claim_id: claim for claim in load_claims(ROOMS / "doersch" / "claims.csv")}
    ends = {f"c02_{n}_{end}": 5.8 for n in ("raw", "pixel_mean", "relative", "per_row") for end in ("min", "max")}
    word, reason = verdict(known["C02a"], claims.MEASURES["C02a"]([trained("distances", "pixels", 0, **ends)]))
    assert word == "undecided" and "sum 5.8 to 5.8" in reason


def test_nearest_normal_law_of_a_normal_posterior_is_itself_and_of_two_far_modes_is_one_of_them():
    """KL(N(m, v) || P) = log 2 where P is that law with weight 1/2 and another far away."""
    grid = posteriors.GRID
    one, two = (stats.norm.logpdf(grid, m, 0.2) for m in (-2, 2))
    for log_density, expected in ((one, 0), (np.logaddexp(one, two) - np.log(2), np.log(2))):
        log_posterior = log_density - np.log(np.exp(log_density).sum())
        assert posteriors.best_normal_kl(log_posterior) == pytest.approx(expected, abs=1e-6)


def test_log_p_on_the_grid_is_that_of_a_linear_normal_model():
    """f(z) = 1.2 z + .3: X ~ N(.3, 1.2^2 + s^2)."""
    x = np.linspace(-2, 2, 9, dtype=np.float32)[:, None]
    exact = stats.norm.logpdf(x[:, 0], 0.3, np.hypot(1.2, posteriors.OUTPUT_SD))
    found = posteriors.log_p_of_grid(lambda z: 1.2 * z + 0.3, x)
    np.testing.assert_allclose(found, exact, atol=1e-4)


def test_training_raises_log_p_and_the_bound_pays_for_normal_posteriors():
    found = posteriors.posterior_shapes(seed=1, steps=1000, scored=20)
    entropy = 0.5 * np.log(2 * np.pi * np.e * posteriors.MODE_SD**2) + np.log(2)
    for name in ("bound", "likelihood"):
        assert -entropy - 0.5 < found[f"log_p_{name}"] < -entropy + 0.5
    assert found["log_p_bound"] < found["log_p_likelihood"]
    assert 0 < found["best_kl_bound"] < found["best_kl_likelihood"]
