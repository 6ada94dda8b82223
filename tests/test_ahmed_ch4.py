"""Chapter 4's room: scores against brute force, traps of the held-out protocol, trivial scores, claims and command."""

import ast
import csv
import dataclasses
import itertools
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from marks import needs_data
from scipy import special, stats
from scripts import called

from common import data
from common.data.binarise import own_draw
from common.errors import UserError
from common.evaluation import detection
from common.probability.draws import fold_in
from common.probability.likelihood import image_noise
from common.reporting.claims import load_claims
from common.reporting.records import Record, load_all, load_scores, save_scores
from common.reporting.rooms import find_rooms
from common.reporting.verdicts import verdict
from reproductions.ahmed_ch4 import (
    baselines,
    bounds,
    cifar_images,
    claims,
    claims_models,
    densities,
    intervals,
    lengths,
    models,
    networks,
    notes,
    scores,
    selection,
    signs,
    states,
    tables,
)  # fmt: skip
from reproductions.ahmed_ch4.claims_formulas import printed
from reproductions.ahmed_ch4.classes import CIFAR_CLASSES

ROOT = pathlib.Path(__file__).parents[1]
ROWS = {claim.claim_id: claim for claim in load_claims(ROOT / "reproductions/ahmed_ch4/claims.csv")}
TRAIN_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)


class TinyGame:
    """Stands for the VAE where only its posterior and decoder count: 4 binary pixels, 2 latents, random weights."""

    latent = 2

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.e = 0.15 * rng.normal(size=(4, 4)).astype("float32")
        self.d = rng.normal(size=(2, 4)).astype("float32")

    def posterior(self, image):
        return tf.split(tf.reshape(image, [-1, 4]) @ self.e, 2, axis=-1)

    def decoder(self, z):
        return tf.reshape(z @ self.d, [-1, 2, 2, 1])


BITS = np.array(list(itertools.product((0, 1), repeat=4)), np.uint8).reshape(16, 2, 2, 1)


def true_log_p(game):
    """log p(x) of all 16 images: the integral over z on a grid."""
    axis = np.linspace(-6, 6, 241)
    z = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    logits, x = z @ game.d, BITS.reshape(16, 4)
    log_p = x @ logits.T - np.logaddexp(0, logits).sum(1)
    return special.logsumexp(log_p + stats.norm.logpdf(z).sum(1), axis=1) + 2 * np.log(axis[1] - axis[0])


def exact_elbo(game):
    """The ELBO of all 16 images: expectation over z by Gauss-Hermite nodes, KL in closed form."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    noise = np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 2)
    weight = np.outer(weights, weights).ravel() / (2 * np.pi)
    mean, log_sd = (part.numpy().astype(np.float64) for part in game.posterior(BITS.astype("float32")))
    logits = (mean[:, None] + np.exp(log_sd)[:, None] * noise) @ game.d
    x = BITS.reshape(16, 1, 4)
    log_p = (x * logits - np.logaddexp(0, logits)).sum(-1) @ weight
    return log_p - 0.5 * (mean**2 + np.exp(2 * log_sd) - 1 - 2 * log_sd).sum(1)


@pytest.fixture(scope="module")
def tiny():
    game = TinyGame()
    return game, scores.vae_scores(game, BITS, elbo_samples=4096, importance_samples=4096, seed=1, chunk=512)


def test_enumerated_images_have_total_probability_one():
    assert np.exp(true_log_p(TinyGame())).sum() == pytest.approx(1, abs=1e-3)  # of the reference itself


def test_elbo_score_is_the_exact_elbo(tiny):
    game, found = tiny
    np.testing.assert_allclose(-found["elbo"], exact_elbo(game), atol=0.15)  # sd of the mean of 4096 draws: about .03


def test_importance_score_is_log_p(tiny):
    game, found = tiny
    np.testing.assert_allclose(-found["importance"], true_log_p(game), atol=0.2)  # ELBO: up to 1.2 nats away
    assert (found["importance"] < found["elbo"]).all()  # the tighter bound
    assert ((found["ess"] >= 1) & (found["ess"] <= 4096)).all()


def test_scores_are_the_formulas_on_the_same_draws():
    """ELBO from the first 3 draws, L_6 from all, by NumPy and SciPy on the noise that `image_noise` gives."""
    game, seed, chunk = TinyGame(2), 7, 4
    found = scores.vae_scores(game, BITS, elbo_samples=3, importance_samples=6, seed=seed, chunk=chunk)
    numbers = tf.range(16)
    parts = [image_noise(fold_in([seed, 0], k), numbers, chunk, [2]) for k in range(2)]
    mean, log_sd = (part.numpy().astype(np.float64) for part in game.posterior(BITS.astype("float32")))
    z = mean + np.exp(log_sd) * np.concatenate(parts)[:6]
    p = special.expit(z @ game.d)
    log_p = stats.bernoulli.logpmf(BITS.reshape(16, 4), p).sum(-1)
    log_w = log_p + stats.norm.logpdf(z).sum(-1) - stats.norm.logpdf(z, mean, np.exp(log_sd)).sum(-1)
    kl = 0.5 * (mean**2 + np.exp(2 * log_sd) - 1 - 2 * log_sd).sum(1)
    np.testing.assert_allclose(found["kl"], kl, rtol=1e-4)
    np.testing.assert_allclose(found["elbo"], kl - log_p[:3].mean(0), rtol=1e-4)
    np.testing.assert_allclose(found["importance"], np.log(6) - special.logsumexp(log_w, axis=0), rtol=1e-4)


def test_last_batch_may_be_smaller(monkeypatch):
    game = TinyGame()
    whole = scores.vae_scores(game, BITS, 2, 4, seed=1, chunk=2)["elbo"]
    monkeypatch.setattr(scores, "BATCH", 5)
    np.testing.assert_allclose(scores.vae_scores(game, BITS, 2, 4, seed=1, chunk=2)["elbo"], whole, atol=1e-5)


def test_bound_rises_with_the_number_of_draws():
    game = TinyGame(1)
    means = [
        scores.vae_scores(game, np.repeat(BITS, 100, 0), 1, k, seed=1, chunk=min(k, 8))["importance"].mean()
        for k in (1, 4, 16, 64)
    ]
    assert np.all(np.diff(means) < 0), means  # scores are negative bounds


@pytest.fixture(scope="module")
def vae():
    keras.utils.set_random_seed(1)
    return models.VAE(np.zeros((1, 28, 28, 1), np.uint8), latent=8)


def test_vae_score_does_not_depend_on_the_batch(vae, monkeypatch):
    bits = (np.random.default_rng(0).random((5, 28, 28, 1)) < 0.2).astype(np.uint8)
    together = scores.vae_scores(vae, bits, 2, 4, seed=3, chunk=2)
    monkeypatch.setattr(scores, "BATCH", 1)
    alone = scores.vae_scores(vae, bits, 2, 4, seed=3, chunk=2)
    for name in ("elbo", "importance", "kl"):
        np.testing.assert_allclose(alone[name], together[name], atol=1e-4, err_msg=name)


@pytest.mark.parametrize("model", ["pixelcnn", "pixelvae"])
def test_pixel_models_are_scored_on_the_vaes_bits(model):
    """Shaken nets: the score is minus log p, or the ELBO's, of `own_draw`'s bits; averaged: of other draws."""
    grey = data.load("digits").test[:20]
    sizes = {"pixelcnn": {}, "pixelvae": {"latent": 3, "upsample": True}}[model]
    game = models.PIXELS[model](grey, binarisation="dynamic", layers=1, width=4, filter_size=3, **sizes)
    rng = np.random.default_rng(0)
    game.set_weights([w + rng.normal(size=w.shape, scale=0.05) for w in game.get_weights()])
    options = {"binarisations": 2, "elbo_samples": 64, "importance_samples": 64}
    found = scores.pixel_scores(game, grey, options, 3)
    bits = own_draw(grey, 3).astype(np.float32)
    if model == "pixelcnn":
        logits = game.decoder_logits(bits).numpy().astype(np.float64)
        np.testing.assert_allclose(found["nll"], (np.logaddexp(0, logits) - bits * logits).sum((1, 2, 3)), rtol=1e-5)
        each = [scores.pixel_scores(game, grey, options | {"binarisations": 1}, s)["nll"] for s in (3000, 3001)]
        np.testing.assert_allclose(found["nll_averaged"], np.mean(each, 0), rtol=1e-6)
        return
    mean, log_sd = (part.numpy() for part in game.posterior(bits))
    np.testing.assert_allclose(found["kl"], 0.5 * (mean**2 + np.exp(2 * log_sd) - 1 - 2 * log_sd).sum(1), rtol=1e-4)
    z = mean + np.exp(log_sd) * rng.normal(size=(64, *mean.shape)).astype(np.float32)
    logits = [game.decoder_logits(bits, each).numpy() for each in z]
    log_p = [(bits * each - np.logaddexp(0, each)).sum((1, 2, 3)) for each in logits]
    error = np.std(log_p, 0, ddof=1) / 8  # of a mean of 64 draws
    difference = found["elbo"] - (found["kl"] - np.mean(log_p, 0))
    assert (abs(difference) < 5 * np.sqrt(2) * error + 1e-3).all() and (error > 0).any()
    assert found["importance"].mean() < found["elbo"].mean() and (found["ess"] > 1).all()


def test_discriminator_score_does_not_depend_on_the_batch():
    keras.utils.set_random_seed(1)
    game = models.DCGAN(np.zeros((1, 28, 28, 1), np.uint8), latent=4)
    grey = np.random.default_rng(0).integers(0, 256, (6, 28, 28, 1)).astype(np.uint8)
    grey[3:] //= 8  # a batch of unlike images: batch statistics would show
    together = scores.discriminator_logits(game, grey)
    alone = np.concatenate([scores.discriminator_logits(game, grey[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(alone, together, atol=1e-4)
    assert np.ptp(together) > 1e-2  # the images do score differently


def test_batch_norm_sees_the_batch_only_where_it_should():
    """By running statistics an image's logit is its own; by the batch's it moves with the images around it."""
    keras.utils.set_random_seed(1)
    game = models.DCGAN(np.zeros((1, 28, 28, 1), np.uint8), latent=4, batch_norm=True)
    grey = np.random.default_rng(0).integers(0, 256, (6, 28, 28, 1)).astype(np.uint8)
    grey[3:] //= 8
    alone = np.concatenate([scores.discriminator_logits(game, grey[n : n + 1]) for n in range(6)])
    np.testing.assert_allclose(alone, scores.discriminator_logits(game, grey), atol=1e-5)
    mixed, pure = (game.discriminator(tf.cast(part, tf.float32) / 255, training=True)[:3] for part in (grey, grey[:3]))
    assert np.abs(mixed - pure).max() > 0.01


def test_sign_less_likely_images_score_higher():
    """Section 10 of any such study: the larger score must be the less normal image."""
    rng = np.random.default_rng(0)
    normal, odd = (rng.random((n, 8, 8, 1)) < p for n, p in ((400, 0.1), (40, 0.6)))
    grey = 255 * np.concatenate([normal, odd]).astype(np.uint8)
    positive = np.arange(440) >= 400
    found = baselines.scores(grey[:200], grey, components=3, em_iterations=3, seed=1)
    for name in ("ink", "total_variation", "bernoulli", "mixture"):
        assert detection.average_precision(found[name], positive) > 0.9, name
        assert detection.average_precision(-found[name], positive) < positive.mean(), name


def test_mixture_of_one_is_independent_pixels():
    bits = (np.random.default_rng(0).random((300, 12)) < np.linspace(0.1, 0.9, 12)).astype(np.float32)
    model = baselines.fit_mixture(bits, components=1, iterations=1, seed=5)
    p = (bits.sum(0) + 0.5) / 301
    np.testing.assert_allclose(model.probabilities[0], p, rtol=1e-6)
    np.testing.assert_allclose(model.log_prob(bits), stats.bernoulli.logpmf(bits, p).sum(1), atol=1e-4)


def test_mixture_sums_to_one_over_all_images():
    x = densities.all_images(6).astype(np.float32)
    model = baselines.fit_mixture(x[::3], components=4, iterations=5, seed=0)
    assert np.exp(model.log_prob(x)).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_em_never_lowers_its_objective_and_finds_two_clusters(seed, monkeypatch):
    monkeypatch.setattr(baselines, "ROWS", 64)  # several parts
    rng = np.random.default_rng(seed)
    kinds = rng.random((2, 16))
    bits = (rng.random((300, 16)) < kinds[rng.integers(0, 2, 300)]).astype(np.float32)
    trace = []
    model = baselines.fit_mixture(bits, components=2, iterations=25, seed=seed, trace=trace)
    assert np.diff(trace).min() > -1e-3  # float32 products
    assert trace[-1] > trace[0] + 10
    one = baselines.fit_mixture(bits, components=1, iterations=1, seed=seed)
    assert model.log_prob(bits).mean() > one.log_prob(bits).mean()


def test_total_variation_of_a_single_bright_pixel():
    image = np.zeros((1, 5, 5, 1), np.uint8)
    image[0, 2, 2] = 200
    assert baselines.total_variation(image) == 800
    image[0, 2, 2], image[0, 0, 0] = 0, 200
    assert baselines.total_variation(image) == 400


@pytest.mark.parametrize("held_out", range(10))
def test_held_out_class_is_never_trained_on(held_out):
    images = data.load("digits")
    kept = images.without_class(held_out)
    assert held_out not in kept.train_labels
    assert len(kept.train) == len(images.train) - np.sum(images.train_labels == held_out)
    np.testing.assert_array_equal(kept.test, images.test)


@needs_data
def test_mnist_class_counts():
    images = data.load("mnist")
    for held_out, count in enumerate(TRAIN_COUNTS):
        assert len(images.without_class(held_out).train) == 60_000 - count
    np.testing.assert_array_equal(
        np.bincount(images.test_labels), (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    )


def test_linear_gaussian_model_is_consistent():
    """Density against SciPy; with q = the posterior the bound is tight and every importance weight is p(x)."""
    rng = np.random.default_rng(4)
    model, x = bounds.example(rng, data=3, latent=1)
    covariance = model.w @ model.w.T + model.s**2 * np.eye(3)
    assert model.log_p(x) == pytest.approx(stats.multivariate_normal(cov=covariance).logpdf(x))
    mean, posterior = model.posterior_mean(x), model.posterior_covariance
    assert model.elbo(x, mean, posterior) == pytest.approx(model.log_p(x))
    assert model.elbo(x, mean + 0.3, posterior) < model.log_p(x) - 0.01
    sd = np.sqrt(np.diag(posterior))
    log_w = model.log_weights(x, mean + sd * rng.normal(size=(5, 1)), mean, sd)
    np.testing.assert_allclose(log_w, model.log_p(x))


def test_masked_net_sees_only_the_past():
    net, x = densities.Autoregressive(np.random.default_rng(0)), np.zeros(9)
    for pixel in range(9):
        changed = x.copy()
        changed[pixel] = 1
        same = np.isclose(net.log_conditionals(changed), net.log_conditionals(x), rtol=1e-12)
        assert same[:pixel].all() and not same[pixel:].any(), pixel


def test_a_table_factored_in_turn_gives_the_nets_conditionals_back():
    """In the net's own order they are what the net says; a table that does not sum to one shows in the product."""
    net, x = densities.Autoregressive(np.random.default_rng(0)), densities.all_images()
    log_p = net.log_conditionals(x)
    cube = np.exp(log_p.sum(1)).reshape((2,) * 9)
    factors = densities.in_turn(cube)
    np.testing.assert_allclose(factors.reshape(9, -1), np.exp(log_p).T, rtol=1e-9)
    np.testing.assert_allclose(densities.in_turn(cube.T).prod(0), cube.T, rtol=1e-12)
    other = densities.in_turn(cube.T)[0].ravel()[0]  # the last pixel comes first: p(x_9 = 0), not p(x_1 = 0)
    assert other == pytest.approx(cube[..., 0].sum()) and other != pytest.approx(cube[0].sum(), abs=1e-3)
    wrong = densities.in_turn(1.1 * cube)[0].ravel()
    assert wrong[0] + wrong[-1] == pytest.approx(1.1)


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_sequential_way_needs_every_pass(seed):
    found = networks.inverse_autoregressive(seed)
    assert found["error"] < 1e-12 and found["error_one_fewer"] > 1e-3


def test_parzen_is_a_mixture_of_normals():
    centres, x = np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([[0.5, 0.5]])
    each = stats.norm.pdf(x, centres, 0.7).prod(1)
    assert densities.parzen(x, centres, 0.7)[0] == pytest.approx(np.log(each.mean()))


def test_diluted_model_loses_ln_100_where_it_is_good_and_gains_where_it_is_bad():
    assert densities.diluted_model(np.array([-80.0]), 784)["c46_largest_loss"] == pytest.approx(np.log(100))
    assert densities.diluted_model(np.array([-1000.0]), 784)["c46_largest_loss"] < 0


def test_detail_measures_tell_smooth_from_rough():
    rows = np.arange(16)
    smooth = np.broadcast_to(np.sin(2 * np.pi * rows / 16)[:, None], (16, 16))[None, ..., None]
    rough = ((rows[:, None] + rows) % 2.0)[None, ..., None]
    assert cifar_images.high_frequency_share(smooth)[0] == pytest.approx(0, abs=1e-9)
    assert cifar_images.high_frequency_share(rough)[0] == pytest.approx(1)
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    assert cifar_images.png_bytes(noise) > 2 * cifar_images.png_bytes(np.zeros_like(noise))


def test_unit_statements_hold_at_another_seed():
    """The exact and Monte Carlo statements of chapter 1 that take no training, judged by their own claims."""
    found = bounds.metrics(2) | densities.chain_rule(2) | densities.counting(2) | densities.areas(2, guesses=20)
    record = Record("ahmed_ch4", "formulas", "f", {"scale": "cpu", "dataset": "mnist", "seed": 2}, found)
    wanted = ["C20", "C21", "C22", "C22b", "C23", "C24", "C24c", "C25", "C38", "C38b", "C43", "C43b", "C44", "C44b",
              "C47", "C47b", "C48", "C52", "C56", "s4_perfect"]  # fmt: skip
    words = {name: verdict(ROWS[name], claims.MEASURES[name]([record]))[0] for name in wanted}
    assert set(words.values()) == {"holds", "identity"}, words


@pytest.mark.parametrize(
    ("claim", "metrics", "word"),
    [
        ("C22b", {"c22_smallest_step": -1e-3, "c22_gap_1": 1.0, "c22_gap_64": 0.0}, "fails"),
        ("C46", {"c46_largest_loss": 4.61, "c46_loss_per_pixel": 0.006}, "fails"),
        ("C46", {"c46_largest_loss": 3.0, "c46_loss_per_pixel": 0.004}, "identity"),
        ("C39b", {"c39_error_one_fewer": 1e-7}, "fails"),
        ("C56", {"c56_sum_error": 0.0, "c56_order_error": 1e-3}, "fails"),
    ],
)
def test_what_cannot_be_otherwise_is_an_identity_that_a_wrong_code_breaks(claim, metrics, word):
    record = Record("ahmed_ch4", "formulas", "f", {"scale": "cpu", "dataset": "mnist", "seed": 1}, metrics)
    assert verdict(ROWS[claim], claims.MEASURES[claim]([record]))[0] == word


def test_what_one_small_net_says_decides_nothing():
    """C24b: undecided from two seeds, with the length in the reason; decided from three."""
    records = [
        Record(
            "ahmed_ch4", "formulas", f"f{seed}",
            {"model": "formulas", "scale": "cpu", "seed": seed, "options": {"steps": 1_000}},
            {"c24_vae_variance_ratio": 50.0 + seed},
        )
        for seed in (1, 2, 3)
    ]  # fmt: skip
    word, reason = verdict(ROWS["C24b"], claims.MEASURES["C24b"](records[:2]))
    assert word == "undecided" and "51" in reason and "2 seeds, decided from 3 on" in reason
    word, reason = verdict(ROWS["C24b"], claims.MEASURES["C24b"](records))
    assert word == "holds" and "small VAE: 1,000 of 3,000 steps" in reason


def expected_ids():
    """The printed ids of both tables and of the settings, and claims 1 to 56 but 30, which is a list of slips."""
    for table, rows, columns in (
        ("t41", range(10), ("skew", "vae", "pixelcnn", "pixelvae", "dcgan")),
        ("t42", CIFAR_CLASSES, ("skew", "iaf", "pixelcnnpp", "pixelvae", "dcgan")),
    ):
        yield from (f"{table}_{row}_{column}" for row in (*rows, "mean", "median") for column in columns)
    yield from ("fn4_iaf_epochs", "fn4_iaf_bpd", "s4_versions", "s4_vae_layers", "s4_perfect", "s4_iaf_levels")
    yield from (f"C{n:02d}" for n in range(1, 57) if n != 30)


def test_claims_file_covers_every_printed_id():
    room = {room.name: room for room in find_rooms(ROOT / "reproductions")}["ahmed_ch4"]
    ids = [claim.claim_id for claim in room.claims]
    assert not set(expected_ids()) - set(ids)
    told = set(room.measures) | set(room.not_run)
    assert not set(ids) - told, "claims with neither a measure nor a reason"
    assert not set(room.measures) & set(room.not_run)


def test_printed_summary_rows_follow_from_the_printed_cells():
    """Means and medians of Table 4.1 and 4.2 agree with their cells within the rounding of both."""
    for table, rows, columns in (
        ("t41", range(10), ("skew", "vae", "pixelcnn", "pixelvae", "dcgan")),
        ("t42", CIFAR_CLASSES, ("skew", "iaf", "pixelcnnpp", "pixelvae", "dcgan")),
    ):
        for column in columns:
            cells, mean, median = (printed(table, column, which) for which in (rows, ("mean",), ("median",)))
            assert cells.mean() == pytest.approx(mean[0], abs=0.0101), (table, column)
            assert np.median(cells) == pytest.approx(median[0], abs=0.0101), (table, column)


def fake(model, digit, aupr, seed=1, **metrics):
    """A record of one cell on MNIST at cpu scale."""
    return Record(
        "ahmed_ch4", "ood", f"{model}{digit}s{seed}",
        {"model": model, "variant": "as_described", "scale": "cpu", "dataset": "mnist", "seed": seed,
         "key": {"held_out": digit}, "options": {}},
        {"aupr": aupr, "aupr_low": aupr - 1, "aupr_high": aupr + 1, "prevalence": 10.0} | metrics,
        {"name": "mnist", "split": f"class {digit}", "binarisation": model}, evaluator=model,
    )  # fmt: skip


def test_means_need_all_ten_digits_and_their_order_ten_separated_differences():
    claim = ROWS["C01b"]
    noise = np.random.default_rng(0).normal(size=10)
    vae = [fake("vae", d, 30 + noise[d]) for d in range(10)]
    dcgan = [fake("dcgan", d, 12.0) for d in range(10)]
    measure = claims.MEASURES["C01b"]
    word, reason = verdict(claim, measure(vae + dcgan[:7]))
    assert word == "undecided" and "dcgan 7" in reason
    assert verdict(claim, measure(vae + dcgan))[0] == "holds"
    assert verdict(claim, measure(vae + [fake("dcgan", d, 40.0) for d in range(10)]))[0] == "fails"
    close = [fake("dcgan", d, 30 + 5 * (-1) ** d) for d in range(10)]
    assert verdict(claim, measure(vae + close))[0] == "not separated"


@pytest.mark.parametrize(("averaged", "word"), [(12.0, "holds"), (30.0, "not separated")])
@pytest.mark.parametrize("claim", ["C01b", "C02b"])
def test_a_pair_with_the_dcgan_holds_only_by_both_of_its_scores(claim, averaged, word):
    """By the last state's logit the DCGAN is far below; the logit averaged over the last states may not be."""
    vae = [fake("vae", d, 30 + d % 3) for d in range(10)]
    spread = {"aupr_last_states_min": 5.0, "aupr_last_states_max": 40.0, "aupr_last_states_sd": 1.0}
    dcgan = [fake("dcgan", d, 12.0, aupr_logit_averaged=averaged + d % 2, **spread) for d in range(10)]
    found = claims.MEASURES[claim](vae + dcgan)
    assert found.values[0] == pytest.approx(18.9 if claim == "C01b" else 19.0)
    assert verdict(ROWS[claim], found)[0] == word, found.interval


@pytest.mark.parametrize(
    ("aupr", "word"), [((40, 44, 42), "not separated"), ((36.0, 36.1, 35.9), "fails"), ((34, 44, 42), "holds")]
)
def test_a_level_is_compared_with_one_more_training(aupr, word):
    """33.85 is printed. 42 ± 2: one more training lands within 42 ± 9.9; 36 ± .1: within 36 ± .5."""
    records = [fake("vae", d, float(a), seed) for seed, a in enumerate(aupr, 1) for d in range(10)]
    assert verdict(ROWS["t41_mean_vae"], claims.MEASURES["t41_mean_vae"](records))[0] == word
    cell = dataclasses.replace(ROWS["t41_mean_vae"], claim_id="t41_5_vae")
    assert verdict(cell, claims.MEASURES["t41_5_vae"](records))[0] == word


def test_a_dcgan_columns_mean_and_median_have_the_scatter_of_its_states():
    """Ten cells of sd 5: the mean's is 5/sqrt(10). Median: of the lowest states, of the highest."""
    spread = {"aupr_last_states_sd": 5.0}
    rows = [fake("dcgan", d, 10.0 + d, aupr_last_states_min=5.0 + d, aupr_last_states_max=30.0 + d, **spread)
            for d in range(10)]  # fmt: skip
    half = 10 / np.sqrt(10)
    assert claims.MEASURES["t41_mean_dcgan"](rows).interval == pytest.approx((14.5 - half, 14.5 + half))
    assert claims.MEASURES["t41_median_dcgan"](rows).interval == pytest.approx((9.5, 34.5))
    assert verdict(ROWS["t41_mean_dcgan"], claims.MEASURES["t41_mean_dcgan"](rows))[0] == "not separated"  # 13.25
    near = [dataclasses.replace(r, metrics=r.metrics | {"aupr_last_states_sd": 0.5}) for r in rows]
    assert verdict(ROWS["t41_mean_dcgan"], claims.MEASURES["t41_mean_dcgan"](near))[0] == "fails"


@pytest.mark.parametrize("claim", ["C03b", "C05d"])
def test_an_order_within_one_digit_needs_three_trainings(claim):
    """Digits 1, 7 hardest and 0, 2 easiest, in every seed."""
    height = {1: 5.0, 7: 6.0, 0: 50.0, 2: 40.0}
    records = [fake("dcgan", d, height.get(d, 20.0), seed) for seed in (1, 2, 3) for d in range(10)]
    word, reason = verdict(ROWS[claim], claims.MEASURES[claim](records[:20]))
    assert word == "undecided" and "measured 2, 2" in reason
    assert verdict(ROWS[claim], claims.MEASURES[claim](records))[0] == "holds"


def trivial(seed=1, **levels):
    """Records of the scores without a network: a level for each, the rest at 5."""
    found = {f"aupr_{name}": float(levels.get(name, 5)) for name in selection.TRIVIAL}
    return [fake("trivial", d, found["aupr_mixture"], seed, nll_mixture_rest_nats=137.0, **found) for d in range(10)]


def test_scores_without_a_density_and_cheap_densities_are_two_comparisons():
    """The VAE is far above ink, edges and zlib, and no better than the mixture."""
    nll = {"nll_bound_rest_nats": 96.0}
    vae = [fake("vae", d, 38.0 + d % 2, seed, **nll) for seed in (1, 2, 3) for d in range(10)]
    others = [r for seed in (1, 2, 3) for r in trivial(seed, zlib=12, mixture=38.4 + seed / 10)]
    found = {name: claims.MEASURES[name](vae + others) for name in ("C19", "C19e")}
    assert found["C19"].values == pytest.approx((26.5, 26.5, 26.5)) and "compressed length, 12.00" in found["C19"].text
    assert found["C19e"].values == pytest.approx((0.0, -0.1, -0.2))
    assert [verdict(ROWS[name], one)[0] for name, one in found.items()] == ["fails", "not separated"]


def test_the_dcgan_is_compared_with_ink_by_both_of_its_scores():
    spread = {"aupr_last_states_min": 5.0, "aupr_last_states_max": 40.0, "aupr_last_states_sd": 1.0}
    dcgan = [fake("dcgan", d, 8.0 + d % 2, aupr_logit_averaged=15.0 + d % 2, **spread) for d in range(10)]
    found = claims.MEASURES["C19d"](dcgan + trivial(ink=12))
    assert found.values == pytest.approx((-3.5,)) and found.interval[0] < -3.5 < 3.5 < found.interval[1]
    assert verdict(ROWS["C19d"], found)[0] == "not separated"


def columns(rng=None, noise=None, **levels):
    """Records of ten digits a model: a level, a digit's own height, and a training's own noise."""
    rng, height = rng or np.random.default_rng(1), 10 * np.random.default_rng(0).normal(size=10)
    size = noise or {}
    return [fake(m, d, level + height[d] + size.get(m, 1) * rng.normal()) for m, level in levels.items()
            for d in range(10)]  # fmt: skip


@pytest.mark.parametrize(
    ("levels", "noise", "word"),
    [
        ({"vae": 34, "pixelvae": 30, "pixelcnn": 26}, {}, "undecided"),
        ({"vae": 34, "pixelvae": 30, "pixelcnn": 26, "dcgan": 13}, {}, "holds"),
        ({"vae": 34, "pixelvae": 26, "pixelcnn": 30, "dcgan": 13}, {}, "fails"),
        ({"vae": 34, "pixelvae": 30, "pixelcnn": 30, "dcgan": 13}, {}, "not separated"),
        # the step of the largest mean is the uncertain one: the smallest mean alone must not decide
        ({"vae": 34, "pixelvae": 31, "pixelcnn": 25, "dcgan": 9}, {"pixelcnn": 40}, "not separated"),
    ],
)
def test_order_of_four_models_needs_every_step(levels, noise, word):
    claim = ROWS["C01"]
    assert verdict(claim, claims.MEASURES["C01"](columns(noise=noise, **levels)))[0] == word


def test_best_by_mean_is_not_best_by_median():
    """One digit carries the VAE's mean; by median the PixelVAE leads. Two claims, two verdicts."""
    vae = [20, 21, 22, 23, 24, 26, 27, 28, 29, 400]
    pixelvae = [value + 1.5 for value in vae[:9]] + [40]
    found = [fake("vae", d, v) for d, v in enumerate(vae)] + [fake("pixelvae", d, v) for d, v in enumerate(pixelvae)]
    found += [fake(m, d, 10 + d / 10) for m in ("pixelcnn", "dcgan") for d in range(10)]
    mean, median = (claims.MEASURES[name](found) for name in ("C02", "C02c"))
    assert mean.values[0] > 0 > median.values[0]
    assert verdict(ROWS["C02"], mean)[0] == "not separated"  # one digit of ten
    assert verdict(ROWS["C02c"], median)[0] != "holds"


def test_likelihood_and_detection_are_compared_only_where_the_premise_holds():
    vae = [fake("vae", d, 34 + d, nll_bound_rest_nats=90.0, kl_rest_nats=22.0) for d in range(10)]
    pixelvae = [fake("pixelvae", d, 30 + d, nll_bound_rest_nats=84 + d / 9, kl_rest_nats=9 + d / 9) for d in range(10)]

    def pixelcnn(nats):
        return [fake("pixelcnn", d, 26 + 1.1 * d, nll_rest_nats=nats) for d in range(10)]

    assert verdict(ROWS["C18"], claims.MEASURES["C18"](vae + pixelcnn(83.0)))[0] == "holds"
    word, reason = verdict(ROWS["C18"], claims.MEASURES["C18"](vae + pixelcnn(95.0)))
    assert word == "undecided" and "not better here" in reason
    assert verdict(ROWS["C26"], claims.MEASURES["C26"](vae + pixelvae))[0] == "holds"
    assert verdict(ROWS["C18b"], claims.MEASURES["C18b"](vae + pixelvae))[0] == "holds"


WHOLE_SIZES = {"pixelcnn": {"layers": 12, "width": 32}, "pixelvae": {"layers": 4, "width": 32}}


def of_length(record, **options):
    """The record of a training with 16,000 iterations and the sizes of paper scale, but for `options`."""
    sizes = {"iterations": 16_000} | WHOLE_SIZES[record.settings["model"]] | options
    return dataclasses.replace(record, settings=record.settings | {"options": sizes})


@pytest.mark.parametrize(
    ("model", "options", "small"),
    [
        ("pixelcnn", {}, ""),
        ("pixelvae", {}, ""),
        ("pixelcnn", {"iterations": 3_000}, "pixelcnn with 3,000 iterations"),
        ("pixelcnn", {"iterations": 15_999}, "pixelcnn with 15,999 iterations"),
        ("pixelcnn", {"layers": 4}, "pixelcnn with 4 (not 12) layers"),
        ("pixelvae", {"iterations": 3_000, "width": 16}, "pixelvae with 3,000 iterations, 16 (not 32) maps"),
    ],
)
def test_short_or_small_pixel_models_decide_nothing(model, options, small):
    """Even the printed number; it stands in the reason. Smoke scale says so itself."""
    claim = ROWS[f"t41_5_{model}"]
    record = of_length(fake(model, 5, claim.printed_value), **options)
    assert lengths.too_small([fake("vae", 5, 1.0), record]) == small
    word, reason = verdict(claim, claims.MEASURES[claim.claim_id]([record]))
    if small:
        told = f"measured {claim.printed}; {small}; decided from 16,000 iterations and full sizes on"
        assert (word, reason) == ("undecided", told)
    else:
        assert word == "holds" and f"{model}: 16,000 of 200,000 iterations" in reason
    assert lengths.too_small([dataclasses.replace(record, settings=record.settings | {"scale": "smoke"})]) == ""


def test_notes_say_how_much_smaller_a_pixel_model_is():
    small = of_length(fake("pixelcnn", 5, 20.0), iterations=3_000, layers=4, width=16)
    (note,) = notes.origin({"pixelcnn": {5: small}})
    assert note.endswith("1 of ten digits, 3,000 of 200,000 iterations, 4 of 12 blocks, 16 of 32 maps.")
    (whole,) = notes.origin({"pixelcnn": {5: of_length(fake("pixelcnn", 5, 20.0), iterations=200_000)}})
    assert whole.endswith("1 of ten digits.")
    smoke = dataclasses.replace(small, settings=small.settings | {"scale": "smoke"})
    assert "blocks" not in notes.origin({"pixelcnn": {5: smoke}})[0]


def test_every_two_models_stand_among_the_differences():
    rng = np.random.default_rng(0)
    names = {"vae": ["elbo"], "pixelvae": ["elbo"], "pixelcnn": ["nll"], "dcgan": ["logit"],
             "trivial": ["mixture", "ink"]}  # fmt: skip
    label = np.arange(200) % 10
    scores = {m: {5: {"label": label} | {n: rng.normal(size=200) for n in each}} for m, each in names.items()}
    found = {row[0] for row in tables.differences(scores).rows}
    heads = [f"{model} {each[0]}" for model, each in names.items() if model != "trivial"]
    pairs = {frozenset(row.split(" - ")) for row in found}
    assert {frozenset(pair) for pair in itertools.combinations(heads, 2)} <= pairs
    assert {f"{head} - trivial mixture" for head in heads if head != "dcgan logit"} <= found


def test_what_a_small_model_reaches_counts():
    """C18b: the bound of a short PixelVAE is below a whole VAE's; a short VAE may still reach it. C26 may change."""
    vae = [fake("vae", d, 34.0, nll_bound_rest_nats=90.0 + d / 9, kl_rest_nats=22.0) for d in range(10)]
    pixelvae = [
        of_length(fake("pixelvae", d, 30.0, nll_bound_rest_nats=84.0, kl_rest_nats=9 + d / 9), iterations=3_000)
        for d in range(10)
    ]
    word, reason = verdict(ROWS["C18b"], claims.MEASURES["C18b"](vae + pixelvae))
    assert word == "holds" and "pixelvae: 3,000 of 200,000 iterations" in reason
    short = [dataclasses.replace(r, settings=r.settings | {"options": {"epochs": 10}}) for r in vae]
    longer = dataclasses.replace(short[5], metrics=short[5].metrics | {"nll_bound_rest_nats": 85.5})
    longer = dataclasses.replace(longer, settings=longer.settings | {"variant": "epochs_40", "options": {"epochs": 40}})
    word, reason = verdict(ROWS["C18b"], claims.MEASURES["C18b"]([*short, *pixelvae, longer]))
    assert word == "undecided" and "vae: 10 of 200 epochs; pixelvae: 3,000 of 200,000 iterations" in reason
    assert "digit 5 after 40 epochs 85.50" in reason and "measured 6.5" in reason
    word, reason = verdict(ROWS["C26"], claims.MEASURES["C26"](vae + pixelvae))
    assert word == "undecided" and reason.startswith("measured -12.50 KL of the rest, nats: pixelvae 9.5, vae 22.0")
    assert lengths.of_trainings(pixelvae, "aupr", across=selection.ACROSS_DIGITS).values == ()
    assert lengths.of_trainings(pixelvae, "aupr", reached=True, across=selection.ACROSS_DIGITS).values == (30.0,) * 10


@pytest.mark.parametrize(
    ("aupr", "low", "high", "interval", "words"),
    [
        (6.3, 6.2, 9.0, (6.2, 9.0), ("holds", "holds")),  # 6.00 is printed, tolerance 0.5
        (8.0, 5.95, 9.0, (5.95, 9.0), ("not separated", "holds")),
        (8.0, 6.1, 12.0, (6.1, 12.0), ("fails", "not separated")),  # guessing is 11.35
        (9.9, 6.1, 9.0, (6.1, 9.9), ("fails", "holds")),  # the state that counts belongs to the range
    ],
)
def test_a_dcgan_cell_has_the_range_of_its_last_states(aupr, low, high, interval, words):
    """The order below guessing is judged from three trainings; here all three are alike."""
    records = [fake("dcgan", 1, aupr, seed, aupr_last_states_min=low, aupr_last_states_max=high) for seed in (1, 2, 3)]
    cell, below = claims.MEASURES["t41_1_dcgan"](records[:1]), claims.MEASURES["C04b"](records)
    assert cell.interval == interval == below.interval
    assert (verdict(ROWS["t41_1_dcgan"], cell)[0], verdict(ROWS["C04b"], below)[0]) == words
    word, reason = verdict(ROWS["C04b"], claims.MEASURES["C04b"](records[:2]))
    assert word == "undecided" and "2 seeds, decided from 3 on" in reason
    other = fake("dcgan", 1, 7.0, 2, aupr_last_states_min=5.93, aupr_last_states_max=7.5)
    assert states.last_states([records[0], other]) == (5.93, interval[1])
    assert claims.MEASURES["t41_1_vae"]([fake("vae", 1, 6.3)]).interval is None


def test_the_largest_scale_with_all_digits_counts():
    """Three digits at paper scale do not replace ten at cpu scale, nor are they mixed with them."""
    cpu = [fake("vae", d, 40.0) for d in range(10)]

    def paper(digits):
        return [dataclasses.replace(r, settings=r.settings | {"scale": "paper"})
                for r in (fake("vae", d, 30.0) for d in digits)]  # fmt: skip

    assert claims.MEASURES["t41_mean_vae"](cpu + paper(range(3))).values == (40.0,)
    assert claims.MEASURES["t41_mean_vae"](cpu + paper(range(10))).values == (30.0,)
    assert claims.MEASURES["t41_1_vae"](cpu + paper(range(3))).values == (30.0,)


def test_lift_compares_both_areas_from_their_own_guessing():
    """A guessing score lifts neither area; a perfect one both wholly."""
    record = fake("vae", 0, 10.0, auroc=50.0)
    assert claims.lift(record) == 0
    assert claims.lift(fake("vae", 0, 100.0, auroc=100.0)) == 0
    assert claims.lift(fake("vae", 0, 32.5, auroc=75.0)) == pytest.approx(0.25)


def test_a_mixture_takes_no_more_components_than_images():
    with pytest.raises(UserError, match="components=6: a mixture of 5 images takes 1 to 5"):
        baselines.fit_mixture(np.zeros((5, 3), np.float32), 6, 1, 1)


def test_hardest_digits_are_counted():
    assert claims.among((1, 7), lowest=True)(np.array([9, 1, 8, 7, 6, 5, 4, 2, 9, 9])) == 2
    assert claims.among((2, 8), lowest=False)(np.array([9, 1, 8, 7, 6, 5, 4, 2, 7, 3])) == 1


def test_unknown_class_is_one_clear_line():
    with pytest.raises(UserError, match="no class 12"):
        data.load("digits").without_class(12)


RUNS = {  # flags, and what is set; test sets are no multiple of the scoring batch
    "classifier": ([], ["epochs=2"]),
    "vae": ([], ["epochs=1", "batch=250", "elbo_samples=2", "importance_samples=4", "binarisations=1"]),
    "pixelcnn": (["--jit=eager"], ["iterations=3", "binarisations=1"]),
    "pixelvae": (
        ["--jit=eager", "--variant=conditioned"],
        ["iterations=3", "elbo_samples=2", "importance_samples=4", "binarisations=1"],
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """{model: (record, arrays)} of real command lines at smoke scale, as short as can be."""
    folder = tmp_path_factory.mktemp("ahmed_ch4")
    fixed = ["--scale=smoke", "--held_out=2", f"--work_dir={folder}/work", f"--results_dir={folder}/results"]
    lines = [
        (
            f"ahmed_ch4.{'classifier' if model == 'classifier' else 'ood'}",
            [*fixed, f"--model={model}", *flags, *(f"--set={change}" for change in changes)],
        )
        for model, (flags, changes) in RUNS.items()
    ]
    for done in called(lines, folder):
        assert done.returncode == 0, done.stderr[-1000:]
    found = {record.settings["model"]: record for record in load_all(folder / "results", "ahmed_ch4")}
    return {model: (found[model], load_scores(folder / "results" / found[model].files["scores"])) for model in RUNS}


def test_command_line_makes_a_record_that_recomputes(made):
    record, arrays = made["vae"]
    positive = arrays["label"] == 2
    assert 100 * detection.average_precision(arrays["elbo"], positive) == pytest.approx(
        record.metrics["aupr"], abs=1e-3
    )
    assert record.metrics["prevalence"] == pytest.approx(100 * positive.mean())
    assert record.stand_in and "--set=epochs=1" in record.command


@pytest.mark.parametrize("model", ["pixelcnn", "pixelvae"])
def test_pixel_columns_at_the_command_line(made, model):
    """The record's metrics recompute from its scores; the z-conditioned variant runs too."""
    record, arrays = made[model]
    rest = arrays["label"] != 2
    score = arrays["nll" if model == "pixelcnn" else "elbo"].astype(float)
    m, name = record.metrics, "nll_rest_nats" if model == "pixelcnn" else "nll_bound_rest_nats"
    assert m[name] == pytest.approx(score[rest].mean(), rel=1e-3)
    assert m["aupr"] == pytest.approx(100 * detection.average_precision(score, ~rest), abs=0.1)
    assert record.steps == 3 and record.data["binarisation"].startswith("dynamic in training")
    if model == "pixelvae":
        assert m["kl_rest_nats"] == pytest.approx(arrays["kl"][rest].astype(float).mean(), rel=1e-2)
        assert m["nll_estimate_rest_nats"] == pytest.approx(arrays["importance"][rest].astype(float).mean(), rel=1e-3)


def test_tables_from_partial_records(tmp_path):
    """Two digits of one model: tables and figures appear, cells of what is not run stay empty, twice the same bytes."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 400)
    extra = dict.fromkeys(
        ("aupr_trapezoid", "aupr_davis_goadrich", "aupr_negated", "auroc", "lowest_aupr"), 10.0
    ) | {f"aupr_{name}": 20.0 for name in selection.TRIVIAL}  # fmt: skip
    records = []
    for digit in (1, 2):
        record = fake("trivial", digit, 20.0, **extra)
        path = f"scores/{record.name}.npz"
        save_scores(tmp_path / path, mixture=rng.normal(size=400), ink=rng.normal(size=400), label=labels)
        records.append(dataclasses.replace(record, files={"scores": path}))
    tables.make(records, tmp_path)
    first = {p.name: p.read_bytes() for p in (tmp_path / "ahmed_ch4").iterdir()}
    assert {"table_4_1.csv", "areas.md", "trivial_scores.csv", "precision_recall.png"} <= set(first)
    rows = list(csv.DictReader((tmp_path / "ahmed_ch4/table_4_1.csv").open()))
    assert rows[1]["mixture"] == "20" and rows[3]["mixture"] == "" and rows[1]["VAE, ELBO"] == ""
    assert rows[-2]["held out"] == "mean" and rows[-2]["mixture"] == "" and rows[-2]["printed VAE"] == "33.85"
    tables.make(records, tmp_path)
    assert first == {p.name: p.read_bytes() for p in (tmp_path / "ahmed_ch4").iterdir()}


def test_cells_of_several_seeds_have_their_mean_and_spread():
    """sd of 30, 40, 50 is 10; the digit with one seed has no row."""
    records = [fake("vae", 0, value, seed=seed) for seed, value in ((1, 40.0), (2, 30.0), (3, 50.0))]
    records += [fake("vae", 1, 6.0, seed=2)]
    shown = tables.one_seed(records, "vae")
    assert {digit: r.seed for digit, r in shown.items()} == {0: 2, 1: 2}
    (row,) = tables.seeds({"vae": shown}, {"vae": tables.other_seeds(records, "vae", shown)}).rows
    assert row[1:6] == ["0", 40.20, 3, pytest.approx(40.0), pytest.approx(10.0)] and row[6] == "30.00, 40.00, 50.00"


def test_a_longer_training_stands_beside_its_cell():
    """Cell and longer training of one seed and digit are two rows; a longer one without its cell is none."""

    def vae(digit, epochs, variant="as_described", seed=1):
        more = dict.fromkeys(("aupr_importance", "nll_bound_rest_nats", "nll_bound_held_out_nats", "kl_rest_nats",
                              "train_negative_elbo_nats"), 1.0)  # fmt: skip
        record = fake("vae", digit, float(epochs), seed, **more)
        record.settings.update(variant=variant, options={"epochs": epochs})
        return record

    longer = [vae(5, 40, "epochs_40"), vae(6, 40, "epochs_40"), vae(5, 40, "epochs_40", seed=2)]
    records = [vae(5, 10), vae(7, 10), *longer]
    cells = {"vae": tables.one_seed(records, "vae")}
    assert {digit: r.metrics["aupr"] for digit, r in cells["vae"].items()} == {5: 10.0, 7: 10.0}
    table = tables.lengths(records, cells)
    assert [row[:4] for row in table.rows] == [["5", 38.56, 10, 10.0], ["5", 38.56, 40, 40.0]]
    assert tables.lengths(records[:2], cells).rows == []


def pixel_cells(recipe, digits, shift, **options):
    """The PixelVAE's column by one recipe: 20 + digit + shift."""
    found = [
        fake("pixelvae", d, 20.0 + d + shift, nll_bound_rest_nats=86.0 - shift, nll_bound_held_out_nats=99.0,
             kl_rest_nats=0.1)
        for d in digits
    ]  # fmt: skip
    for record in found:
        record.settings.update(variant=recipe, options={"iterations": 16_000, "learning_rate": 1e-3} | options)
    return found


@pytest.mark.parametrize("shift", [4.0, -4.0])
def test_a_pixel_column_is_of_one_recipe_the_tuned_one_as_soon_as_it_has_ten_digits(shift):
    """Whichever is better; and never cells of both."""
    short = pixel_cells("as_described", range(10), 0.0)
    nine = pixel_cells("tuned", range(9), shift, learning_rate=3e-3)
    ten = pixel_cells("tuned", range(10), shift, learning_rate=3e-3)
    for records, mean in ((short, 24.5), (short + nine, 24.5), (short + ten, 24.5 + shift), (ten, 24.5 + shift)):
        cells = tables.one_seed(records, "pixelvae")
        assert np.mean([r.metrics["aupr"] for r in cells.values()]) == pytest.approx(mean)
        assert len({r.settings["variant"] for r in cells.values()}) == 1
    table = tables.recipes(short + nine, {"pixelvae": tables.one_seed(short + nine, "pixelvae")})
    assert [row[5] for row in table.rows] == [*map(str, range(9))] * 2, "digits that one recipe has alone are left out"
    table = tables.recipes(short + ten, {"pixelvae": tables.one_seed(short + ten, "pixelvae")})
    assert [(row[3], row[5]) for row in table.rows[10::11]] == [(1e-3, "mean"), (3e-3, "mean")]
    assert [row[6:9] for row in table.rows[10::11]] == [
        [29.99, pytest.approx(24.5 + s), pytest.approx(86.0 - s)] for s in (0.0, shift)
    ]
    assert tables.recipes(short, {"pixelvae": tables.one_seed(short, "pixelvae")}).rows == []


@pytest.mark.parametrize(("few", "word"), [((30, 21, 41), "holds"), ((30, 29, 70), "not separated")])
def test_few_images_are_compared_digit_by_digit(few, word):
    """Cells of 40, 30, 50; a tenth of the images: 10, 9, 9 less, or 10, 1 less and 20 more, which says nothing."""

    def on_a_tenth(digit, aupr, seed=1):
        record = dataclasses.replace(fake("vae", digit, float(aupr), seed), experiment="subsets")
        record.settings["options"] = {"share": 0.1}
        return record

    whole = [fake("vae", d, aupr) for d, aupr in ((0, 40.0), (2, 30.0), (5, 50.0))]
    tenth = [on_a_tenth(d, aupr) for d, aupr in zip((0, 2, 5), few, strict=True)]
    claim = ROWS["C33"]
    measured = claims.MEASURES["C33"]([*tenth, *whole, on_a_tenth(7, 1.0), on_a_tenth(0, 90.0, seed=2)])
    assert measured.values == (pytest.approx(np.mean(np.subtract(few, (40, 30, 50)))),)
    assert verdict(claim, measured)[0] == word, verdict(claim, measured)
    assert claims.MEASURES["C33"](whole) is None and claims.MEASURES["C33"]([*tenth[:1], *whole]) is None
    again = [
        dataclasses.replace(fake("vae", d, r.metrics["aupr"] + 6, 2)) for d, r in zip((0, 2, 5), whole, strict=True)
    ]
    assert claims.MEASURES["C33"]([*tenth, *whole, *again]).values == (pytest.approx(measured.values[0] - 3),)


@pytest.mark.parametrize(("few", "word"), [(130.0, "holds"), (155.0, "fails")])
def test_few_images_are_compared_by_likelihood_too(few, word):
    """The sentence: the unseen class is likelier where the images are few, so its negative bound is lower."""
    whole = [fake("vae", d, 40.0, nll_bound_held_out_nats=140.0 + d) for d in (0, 2, 5)]
    tenth = [dataclasses.replace(fake("vae", d, 30.0, nll_bound_held_out_nats=few + 1.1 * d), experiment="subsets")
             for d in (0, 2, 5)]  # fmt: skip
    assert verdict(ROWS["C33b"], claims.MEASURES["C33b"](whole + tenth))[0] == word


def test_records_of_another_set_neither_pair_with_mnist_nor_count_as_a_seed():
    """C33 pairs cells, C37 and the formulas take one value a seed: of MNIST where both sets have records."""

    def on_digits(record):
        return dataclasses.replace(record, data=record.data | {"name": "digits"})

    whole = [fake("vae", d, 40.0) for d in (0, 2)]
    tenth = [dataclasses.replace(fake("vae", d, 30.0), experiment="subsets") for d in (0, 2)]
    assert claims.MEASURES["C33"]([*map(on_digits, tenth), *whole]) is None
    lower = [on_digits(dataclasses.replace(r, metrics=r.metrics | {"aupr": 0.0})) for r in tenth]
    assert claims.MEASURES["C33"]([*tenth, *lower, *whole]).values == (-10.0,)
    populations = {"aupr_pure_minus_mixed": 16.0, "aupr_pure": 62.0, "aupr_mixed": 46.0, "aupr_running": 47.0}
    mnist = dataclasses.replace(fake("normed_dcgan", 2, 46.0, **populations), experiment="population")
    formulas = dataclasses.replace(fake("formulas", 0, 0.0, c43_last_error=0.0), experiment="formulas")
    for claim, record in (("C37", mnist), ("C43", formulas)):
        assert claims.MEASURES[claim]([on_digits(record), record]).records == (record,)


def on_disk(folder, records, arrays):
    """The records with raw scores below `folder`."""
    found = []
    for record, values in zip(records, arrays, strict=True):
        save_scores(folder / f"scores/{record.name}.npz", **values)
        found.append(dataclasses.replace(record, files={"scores": f"scores/{record.name}.npz"}))
    return found


def test_what_one_discriminator_leaks_is_shown_for_every_digit(tmp_path):
    """Batches of one class lift digit 2 alone: one training, so its 16 points stand beside the other nine's none."""
    rng, label = np.random.default_rng(0), np.arange(1_000) % 10
    mixed = rng.normal(size=1_000)
    pure = mixed + 3.0 * (label == 2)
    metrics = {"aupr_pure_minus_mixed": 16.0, "aupr_pure": 62.0, "aupr_mixed": 46.0, "aupr_running": 47.0}
    made = [dataclasses.replace(fake("normed_dcgan", 2, 46.0, seed, **metrics), experiment="population")
            for seed in (1, 2, 3)]  # fmt: skip
    records = on_disk(tmp_path, made, [{"pure": pure, "mixed": mixed, "running": mixed, "label": label}] * 3)
    gaps = claims_models.by_positives(load_scores(tmp_path / records[0].files["scores"]))
    assert gaps[2] > 30 and all(-10 < gap <= 0 for digit, gap in gaps.items() if digit != 2)
    one = claims.MEASURES["C37"](records[:1], results_dir=tmp_path)
    assert verdict(ROWS["C37"], one)[0] == "not separated" and "one discriminator" in one.reason
    assert verdict(ROWS["C37"], claims.MEASURES["C37"](records, results_dir=tmp_path))[0] == "holds"


def test_the_dcgans_mean_score_is_compared_by_both_logits(tmp_path):
    """By the last logit every held-out digit scores higher, by the averaged one digit 3 does not; one seed is one."""
    label = np.arange(200) % 10
    made, arrays = [], []
    for seed in (1, 2, 3):
        for digit in range(10):
            made.append(fake("dcgan", digit, 20.0, seed))
            higher = np.where(label == digit, 1.0, 0.0)
            arrays.append({"logit": higher, "logit_averaged": -higher if digit == 3 else higher, "label": label})
    records = on_disk(tmp_path, made, arrays)
    found = claims.MEASURES["C35d"](records, results_dir=tmp_path)
    assert found.values == (10, 10, 10) and found.interval == (9, 10)
    assert verdict(ROWS["C35d"], found)[0] == "not separated"
    assert verdict(ROWS["C35d"], claims.MEASURES["C35d"](records[:10], results_dir=tmp_path))[0] == "undecided"


def test_notes_name_the_machine_where_seeds_differ_in_it():
    def cell(seed, trained_on=""):
        return dataclasses.replace(fake("vae", 0, 40.0, seed), machine={"trained_on": trained_on})

    other = notes.where_trained({"vae": {0: cell(1)}}, {"vae": {0: [cell(2, "chip"), cell(3, "chip")]}})
    assert other == ["vae: seed 1 on a CPU; seeds 2, 3 on chip: they differ in the machine, too."]
    same = notes.where_trained({"vae": {0: cell(1)}}, {"vae": {0: [cell(2)]}})
    assert same == ["vae: seeds 1, 2 on a CPU: they differ in the seed alone."]


def test_a_column_near_its_baseline_is_told_by_its_standard_error():
    """No. 31 by the printed cells: three columns are within two standard errors of 10, the DCGAN's is not."""
    words = {name: verdict(ROWS[name], claims.MEASURES[name]([]))[0] for name in ("C31", "C31b", "C31c", "C31d")}
    assert words == {"C31": "holds", "C31b": "holds", "C31c": "holds", "C31d": "fails"}
    cells = printed("t42", "dcgan", CIFAR_CLASSES)
    expected = stats.ttest_1samp(cells, 10.0).statistic
    assert claims.MEASURES["C31d"]([]).values == (pytest.approx(abs(expected)),)


def test_subsets_keep_a_share_of_each_class_and_batches_their_kind():
    """In a process of its own: flags of two rooms do not fit into one."""
    code = """
import numpy as np
from common import data
from reproductions.ahmed_ch4 import population, subsets
images = data.load("digits")
for share in (1.0, 0.1):
    fewer = subsets.subset(images, share)
    counts = [np.bincount(labels) for labels in (fewer.train_labels, images.train_labels)]
    assert (counts[0] == np.maximum(1, np.round(share * counts[1]))).all(), counts
    assert len(np.unique(fewer.train.reshape(len(fewer.train), -1), axis=0)) == len(fewer.train)
assert (subsets.subset(images, 1.0).train == images.train).all() and fewer.test is images.test
order = np.random.default_rng(0).permutation(len(images.test))
for kinds, count in ((images.test_labels, 10), (np.zeros_like(images.test_labels), 1)):
    rows = population.batches(order, kinds, 8)
    assert (np.sort(np.concatenate(rows)) == np.arange(len(order))).all() and len(rows) > count
    assert all(len(set(kinds[each])) == 1 and 8 <= len(each) < 16 for each in rows)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_an_unsure_classifier_scores_higher():
    """1 - max softmax in order, and without its ties: two images that float64 calls certain are still told apart."""
    code = """
import numpy as np
from common.evaluation import detection
from reproductions.ahmed_ch4 import classifier
rng = np.random.default_rng(0)
sure, unsure = 8.0 * np.eye(9)[rng.integers(0, 9, 200)], rng.normal(size=(50, 9))
positive = np.arange(250) >= 200
for name, score in classifier.unsure(np.concatenate([sure + rng.normal(size=(200, 9)), unsure])).items():
    assert detection.average_precision(score, positive) > 0.9, name
    assert detection.average_precision(-score, positive) < positive.mean(), name
logits = rng.normal(size=(100, 9)) * 3
p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
assert (np.argsort(classifier.unsure(logits)["max_softmax"]) == np.argsort(1 - p.max(1))).all()
np.testing.assert_allclose(classifier.unsure(logits)["entropy"], -(p * np.log(p)).sum(1))
certain = classifier.unsure(np.array([[40.0, 0.0], [41.0, 0.0]]))["max_softmax"]
assert 0 < certain[1] < certain[0] and (1 - np.exp(-certain) == 0).all()
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(("level", "word"), [(60.0, "holds"), (38.0, "not separated"), (10.0, "fails")])
def test_a_classifier_is_compared_with_the_vae_digit_by_digit(level, word):
    noise = np.random.default_rng(0).normal(size=10)
    vae = [fake("vae", d, 38 + noise[d]) for d in range(10)]
    more = {"aupr_entropy": level, "accuracy_rest": 99.0}
    made = [dataclasses.replace(fake("classifier", d, level, **more), experiment="classifier") for d in range(10)]
    found = claims.MEASURES["C34"](vae + made)
    assert verdict(ROWS["C34"], found)[0] == word and f"9: {level:.1f} ({38 + noise[9]:.1f})" in found.text
    assert verdict(ROWS["C34"], claims.MEASURES["C34"](vae + made[:9]))[0] == "undecided"


def test_the_table_of_the_classifier_has_the_other_scores_of_each_digit():
    more = {"aupr_entropy": 61.0, "accuracy_rest": 99.0}
    made = [dataclasses.replace(fake("classifier", d, 60.0 + d, **more), experiment="classifier") for d in range(10)]
    vae = {d: fake("vae", d, 30.0 + d) for d in range(9)}
    lines = tables.classifier([*made, *vae.values()], {"vae": vae}).rows
    assert lines[3] == ["3", 33.0, None, 63.0, 61.0, 99.0] and lines[9][:2] == ["9", None]
    assert lines[10] == ["mean", None, None, 64.5, 61.0, 99.0]  # no mean of nine digits beside a mean of ten
    assert tables.classifier(list(vae.values()), {"vae": vae}).rows == []


def test_both_signs_of_the_logit_stand_beside_the_printed_column():
    """A column that is the printed one with the other sign is found by it; seeds of a digit stand side by side."""
    text = printed("t41", "dcgan", range(10))
    made = [fake("dcgan", d, 30 - 0.5 * text[d], aupr_negated=text[d]) for d in range(10)]
    again = fake("dcgan", 1, 40.0, seed=2, aupr_negated=8.0)
    told = signs.signs([*made, again], {"dcgan": dict(enumerate(made))})
    assert told.rows[1] == ["1", 6.0, "27.0 40.0", "6.0 8.0"] and told.rows[0][1:] == [44.16, "7.9", "44.2"]
    minus, plus = told.notes[-2:]
    assert minus.startswith("-logit") and "correlation -1.00" in minus
    assert plus.startswith("+logit") and "correlation 1.00" in plus and "0.1 points" in plus
    assert "correlation" not in " ".join(signs.signs(made[:9], {"dcgan": dict(enumerate(made[:9]))}).notes)
    assert signs.signs([], {}).rows == []


def test_a_classifier_at_the_command_line_finds_the_held_out_digit(made):
    """One pass over 8x8 digits: it knows the nine it saw, is less sure of the tenth, and the areas recompute."""
    record, arrays = made["classifier"]
    positive = arrays["label"] == 2
    area = 100 * detection.average_precision(arrays["max_softmax"].astype(float), positive)
    assert record.metrics["aupr"] == pytest.approx(area, abs=0.1)
    assert record.metrics["accuracy_rest"] > 70 and record.metrics["aupr"] > 1.5 * record.metrics["prevalence"]


def test_a_shortened_training_is_named_beside_paper_scales_length():
    """The lengths are those of the script; whole trainings, smoke and scores without a training say nothing."""
    options = {}
    for scripts in ("ood population classifier", "formulas"):  # flags of two rooms do not fit into one process
        code = f"from reproductions.ahmed_ch4 import {scripts.replace(' ', ', ')}\n"
        code += "".join(
            f"print({{m: dict(o) for m, o in {name}.EXPERIMENT.options.items()}})\n" for name in scripts.split()
        )
        told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        for line in told.stdout.splitlines():
            options |= ast.literal_eval(line)
    assert {model: options[model][unit] for model, (unit, _) in lengths.WHOLE.items()} == {
        model: full for model, (_, full) in lengths.WHOLE.items()
    }

    def record(model, scale="cpu", **options):
        settings = {"model": model, "scale": scale, "seed": 1, "options": options}
        return Record("ahmed_ch4", "ood", "r", settings, {})

    short = [record("pixelcnn", iterations=3_000), record("trivial", components=100), record("vae", epochs=200)]
    assert lengths.shortened(short) == "pixelcnn: 3,000 of 200,000 iterations"
    assert lengths.shortened([record("vae", epochs=10)]) == "vae: 10 of 200 epochs"
    assert lengths.shortened([*short[1:], record("dcgan", "smoke", iterations=20)]) == ""


def test_a_cell_with_one_training_borrows_the_spread_of_the_others():
    """sd 1 with 2 + 1 - 1 degrees of freedom; and over many columns it covers one more training 95 times in 100."""
    low, high = intervals.borrowed_interval(5.0, [[1.0, 3.0], [4.0, 4.0], [5.0]])
    assert (low + high) / 2 == pytest.approx(5.0)
    assert (high - low) / 2 == pytest.approx(4.3027 * 1.0 * np.sqrt(2), rel=1e-4)
    assert intervals.borrowed_interval(5.0, [[5.0], [2.0]]) is None
    rng, inside = np.random.default_rng(0), 0
    for _ in range(4_000):
        ours, printed = rng.normal(size=2)
        low, high = intervals.borrowed_interval(ours, [rng.normal(7, 1, 3), rng.normal(-2, 1, 3), [ours]])
        inside += low <= printed <= high
    assert inside / 4_000 == pytest.approx(0.95, abs=0.012)  # 3.5 standard errors
