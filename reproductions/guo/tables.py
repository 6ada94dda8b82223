"""The room's tables, made from records: `make` is called by `python -m common.reporting tables`.

The author's numbers stand in rows of their own, named "the author's ...". Those grids hold 64 to 100 images, whose
digits are named by nearest neighbours, so a Fréchet distance is not given for them.
"""

from pathlib import Path

import numpy as np

from common.reporting.tables import Table, over_seeds
from reproductions.guo import author, figures, figures_frechet, pictures, tables_logs, values
from reproductions.guo.chosen import (
    BAO,
    CVAE,
    DCGAN,
    FACES,
    GAN,
    GAN_TEXT,
    LONGER,
    RADFORD,
    VAE,
    best,
    epochs,
    longer,
    of_net,
    scores,
    steps_an_epoch,
    variant,
)
from reproductions.guo.tables_rows import HEAD, NAMES, accuracy, judges, row, table

SAMPLES = {  # column: (metric of a record, statistic of the author's grids or None)
    "Fréchet": ("frechet", None),
    "precision": ("precision", None),
    "recall": ("recall", None),
    "H, nats": ("label_entropy_nats", "label_entropy_nats"),
    "K": ("classes", None),
    "edge variance": ("edge_variance", "edge_variance"),
    "grey": ("grey_fraction", "grey_fraction"),
    "border": ("border_mean", "border_mean"),
    "nearest real": ("nearest_test", "nearest_real"),
    "nearest other": ("nearest_within", "nearest_within"),
}


def make(records, results_dir: str | Path) -> None:
    """Write tables and figures below <results>/guo; what has no record yet is left out."""
    folder = Path(results_dir) / "guo"
    made = {
        "samples": samples(records),
        "collapse": collapse(records),
        "why_the_dcgan_collapses": dcgan_ablation(records),
        "why_the_cvae_gan_collapses": cvae_gan_ablation(records, results_dir),
        "saturating_loss": saturating(records),
        "vae_blur": vae_sweep(records),
        "faces": faces(records),
        "gan_settings": settings(records),
        "requested_digits": requested_digits(records),
        "author_vae_epochs": tables_logs.by_value(records, results_dir),
        "author_ranges": tables_logs.by_range(records, results_dir),
        "author_trends": tables_logs.trends(records, results_dir),
    }
    for name, found in made.items():
        if found is not None and found.rows:
            found.write(folder / name)
    figures.draw(records, results_dir)
    figures_frechet.draw(records, results_dir)
    pictures.draw(records, results_dir)


def samples(records) -> Table | None:
    """Every measure of every net on digits, the real digits, and the author's grids."""
    metrics = [metric for metric, _ in SAMPLES.values()]
    rows = [row(records, net, metrics) for net in NAMES]
    known = next((best(records, net)[0] for net in NAMES if best(records, net)), None)
    if known is None:
        return None
    real = {"frechet_test_halves" if m == "frechet" else f"{m}_test": m for m in metrics}
    of_real = {m: known.metrics.get(name) for name, m in real.items()}
    rows.append(["real test digits", "", "", *(of_real[m] for m in metrics)])
    for (run, epoch), found in author.grids().items():
        if run in author.RUNS and epoch == author.EPOCHS[run]:
            cells = [found.get(statistic) for _, statistic in SAMPLES.values()]
            rows.append([f"the author's {run.replace('_', '-').upper()} grid", "", f"{epoch}", *cells])
    return table(
        "Samples of every net, measured", [*HEAD, *SAMPLES], rows,
        "Fréchet distance, precision and recall in the features of a judge; of real digits: the distance of the two "
        "halves of the test set, 5,000 images each, so higher than of twice as many. H: entropy of the judged digits "
        "(at most 2.303); K: digits with at least 1 %. Edge variance alone misleads, for speckle raises it; grey "
        "fraction and light at the border stand beside it. Nearest: mean Euclidean distances over the pixels; nearest "
        "real is no better for being small, as each digit has its own: real ones from "
        f"{values.real_digits()['nearest_test'].min():.2f} to {values.real_digits()['nearest_test'].max():.2f}, "
        f"evenly mixed {values.real_digits()['nearest_test'].mean():.2f}; the "
        "other one is among 2,000 of ours, among some hundred on the author's grids, where it is farther for that.",
        *judges(records, NAMES),
    )  # fmt: skip


def collapse(records) -> Table | None:
    """Collapse counted over seeds: how many of n, with the digits' entropy of every seed."""
    rows, nets = [], [variant(GAN, name) for name in ("as_code", "as_described", "latent_2", *list(GAN_WORDS)[1:])]
    nets += [DCGAN, longer(DCGAN), *(variant(DCGAN, name) for name in DCGAN_CHANGES), RADFORD]
    nets += [variant(RADFORD, name) for name in CHANGE_WORDS if name not in DCGAN_CHANGES]
    nets += [VAE, CVAE, longer(CVAE), BAO, longer(BAO)]
    for net in nets:
        runs = best(records, net, of_net)
        if not runs:
            continue
        m = [r.metrics for r in runs]
        rows.append([
            "/".join(net.split("/")[1:]), len(runs), f"{epochs(runs[0])} ({runs[0].scale})",
            f"{sum(map(values.few_classes, m))} of {len(m)}", f"{sum(map(values.all_classes, m))} of {len(m)}",
            " ".join(f"{each['classes']:.0f}" for each in m),
            " ".join(f"{each['label_entropy_nats']:.2f}" for each in m),
        ])  # fmt: skip
    if not rows:
        return None
    for run, epoch in (("gan", 200), ("dcgan", 50), ("dcgan", 100), ("vae", 200), ("cvae_gan", 200)):
        found = author.grid(run, epoch)
        seen = sum(found[f"share_{digit}"] >= 0.01 for digit in range(10))
        rows.append(
            [f"the author's {run} grid", 1, str(epoch), "", "", str(seen), f"{found['label_entropy_nats']:.2f}"]
        )
    return table(
        "Collapse, counted over seeds",
        [*HEAD, "fewer than 5 digits", "9 digits or more, H >= 2", "K by seed", "H by seed, nats"], rows,
        "A digit counts from 1 % of the samples on; of a grid of some hundred images that is one image. Trained on the "
        "saturating loss (gan/as_described, dcgan/saturating) the generators never drew a digit: precision 0, see "
        "*Saturating against non-saturating loss*.",
        *judges(records, {net: "/".join(net.split("/")[1:]) for net in nets}, of_net),
    )  # fmt: skip


GAN_WORDS = {
    "as_code": "lr 2e-4, batch 100 (printed)", "lr_0.0001": "lr 1e-4", "lr_0.0004": "lr 4e-4", "batch_50": "batch 50",
    "batch_200": "batch 200", "dcgan_settings": "lr 3e-4, batch 128", "radford_settings": "beta1 .5, batch 128",
}  # fmt: skip
DCGAN_CHANGES = ("one_step", "strided", "batch_norm", "saturating")
CHANGE_WORDS = {
    "one_step": "one step of D for one of G", "strided": "strides instead of pooling", "batch_norm": "batch norm in D",
    "saturating": "saturating loss", "three_steps": "three steps of D for one of G",
    "printed_rates": "the printed lr 3e-4 and beta1 .9",
}  # fmt: skip


def dcgan_ablation(records) -> Table | None:
    """Why the MNIST DCGAN collapses: one change each from the code, and from the description back."""
    metrics = ("classes", "label_entropy_nats", "frechet", "frechet_inference", "precision", "d_loss_last",
               "g_loss_last", "g_loss_slope", "D_Gz_last")  # fmt: skip
    nets = [(DCGAN, "as in the code"), (longer(DCGAN), "as in the code, longer")]
    for net, words in [(variant(DCGAN, c), f"code, but {CHANGE_WORDS[c]}") for c in DCGAN_CHANGES]:
        nets += [(net, words), *([(longer(net), f"{words}, longer")] if net in LONGER else [])]
    nets += [(RADFORD, "as described")]
    nets += [(variant(RADFORD, c), f"described, but {CHANGE_WORDS[c]}") for c in CHANGE_WORDS if c not in DCGAN_CHANGES]
    rows = []
    for net, words in nets:
        found = row(records, net, metrics, words, of_net)
        if found:
            runs = best(records, net, of_net)
            count = f"{sum(values.few_classes(r.metrics) for r in runs)} of {len(runs)}"
            rows.append([*found[:3], count, *found[3:]])
    return table(
        "Why the DCGAN on digits collapses", [*HEAD, "collapsed", "K", "H, nats", "Fréchet", "running", "precision",
                                              "d_loss", "g_loss", "g slope", "D(G(z))"], rows,
        "One change each; rows of other epochs than their base (the first row, or *as described*) differ from it in "
        "that and in the precision of training, too, and one seed against 1 of 3 separates nothing. Collapsed: fewer "
        "than five digits with 1 %; at precision 0 no digit was ever drawn. Running: the Fréchet distance with batch "
        "norm's running statistics in place of the batch's own. Losses: means of the last ten epochs (of "
        "shorter runs the last fifth); slope: nats an epoch.",
        *judges(records, dict(nets), of_net),
    )  # fmt: skip


CVAE_WORDS = {
    CVAE: "as in the code", variant(CVAE, "kl_batch_mean"): "code, but KL averaged over the batch (weight 1/B)",
    variant(CVAE, "kl_scaled"): "code, but KL at the weight of the ELBO (1/(392 B))",
    BAO: "as described (Bao et al.)",
    variant(BAO, "no_features"): "described, without pairwise features",
    variant(BAO, "no_gd"): "described, without L_GD", variant(BAO, "no_gc"): "described, without L_GC",
    variant(BAO, "gc_0.1"): "described, L_GC a hundred times as heavy",
    variant(BAO, "no_discriminator"): "described, without D",
    variant(BAO, "no_classifier"): "described, without C", variant(BAO, "pixels_only"): "described, pixels only",
}  # fmt: skip


def cvae_gan_rows() -> dict[str, str]:
    """{net: words} of the ablation: below a net its longer training."""
    words = {}
    for net, said in CVAE_WORDS.items():
        words |= {net: said} | ({longer(net): f"{said}, longer"} if net in LONGER else {})
    return words


def right_digits(records, net, results_dir) -> str:
    """Variance in a digit over the pictures kept that show the digit asked for, and how many do; means over seeds."""
    runs = best(records, net, of_net)
    found = [values.of_right_digits(r.metrics | scores(r, results_dir)) for r in runs]
    found = [each for each in found if each is not None]
    if not found:
        return ""
    ratio, _, right, kept = np.mean(found, axis=0)
    return f"{ratio:.2f} ({right:.0f} of {kept:.0f})"


def cvae_gan_ablation(records, results_dir) -> Table | None:
    """Why the CVAE-GAN collapses: the weight of the KL; then the algorithm part by part."""
    metrics = ("within_class_variance_ratio", "z_explained", "test_kl_nats", "active_units", "requested_accuracy",
               "reconstruction_mse", "frechet", "precision", "recall", "edge_variance")  # fmt: skip
    rows = []
    for net, words in cvae_gan_rows().items():
        found = row(records, net, metrics, words, of_net)
        if found:
            rows.append([*found[:4], right_digits(records, net, results_dir), *found[4:]])
    class_mean = over_seeds(best(records, CVAE) or best(records, BAO), "class_mean_mse")
    return table(
        "Why the CVAE-GAN collapses", [*HEAD, "variance in a digit", "in right digits", "by z", "KL, nats", "active",
                                       "requested digit", "error", "Fréchet", "precision", "recall", "edge variance"],
        rows,
        "Variance in a digit and variance by z: over that of the real digits. KL an image; active: latents whose mean "
        f"moves. Error: mean squared, a pixel, of G(E(x), c); the mean image of the class has {class_mean}. In the "
        "code a mean over pixels and images stands beside a KL summed over the batch: 392 B times the ELBO's weight. "
        "After few epochs only the posterior has collapsed (KL, active), not yet the pictures. Variance in a digit and "
        "by z count a picture of another digit than the one asked for as variety: real digits, whatever is asked for, "
        f"would have {whatever_is_asked():.2f}, and more than that is noise. In right digits: over those of a hundred "
        "pictures kept in which the judge sees the digit asked for (how many of them).",
        *judges(records, cvae_gan_rows(), of_net),
    )  # fmt: skip


def whatever_is_asked() -> float:
    """Variance of all real digits over that within a digit: what a net has that draws well and ignores the label."""
    real = author.grid("mnist_test", 0)
    return real["pixel_variance"] / real["within_class_variance"]


def saturating(records) -> Table | None:
    """The text's generator loss against the code's, for both GANs."""
    metrics = ("frechet", "precision", "recall", "label_entropy_nats", "classes", "d_loss_last", "g_loss_last",
               "D_Gz_last")  # fmt: skip
    nets = {
        GAN: "GAN, -log D(G(z)) (code)", GAN_TEXT: "GAN, log(1 - D(G(z))) (text)",
        DCGAN: "DCGAN, -log D(G(z)) (code)", variant(DCGAN, "saturating"): "DCGAN, log(1 - D(G(z))) (text)",
    }  # fmt: skip
    return table(
        "Saturating against non-saturating loss", [*HEAD, "Fréchet", "precision", "recall", "H, nats", "K", "d_loss",
                                                   "g_loss", "D(G(z))"],
        [row(records, net, metrics, words, of_net) for net, words in nets.items()],
        "The report prints the saturating loss; its code minimises the other. g_loss is the loss that is minimised, so "
        "its values compare within a kind only. One draw's gradients differ by the factor D / (1 - D).",
        *judges(records, nets, of_net),
    )  # fmt: skip


def vae_sweep(records) -> Table | None:
    """Size of z, weight of the KL, likelihood and learning rate of the VAE."""
    metrics = ("edge_variance", "grey_fraction", "frechet", "precision", "recall", "test_loss_nats",
               "test_reconstruction_nats", "test_kl_nats", "test_z_neighbour_accuracy")  # fmt: skip
    words = {
        "as_code": "2 latents, beta 1, Bernoulli, lr 1e-3", "latent_10": "10 latents", "latent_32": "32 latents",
        "beta_4": "beta 4", "beta_0.25": "beta .25", "squared_error": "squared error", "lr_0.003": "lr 3e-3",
        "lr_0.0003": "lr 3e-4", "as_text": "lr 1e-4 (the text's)",
    }  # fmt: skip
    return table(
        "What makes the VAE's pictures blurred", [*HEAD, "edge variance", "grey", "Fréchet", "precision", "recall",
                                                  "test loss", "reconstruction", "KL", "5-NN of z"],
        [row(records, variant(VAE, name), metrics, text) for name, text in words.items()],
        "One change each from the first row. Losses in nats an image; of squared error they are another likelihood's. "
        f"Edge variance of real digits {over_seeds(best(records, VAE), 'edge_variance_test')}.",
        *judges(records, {variant(VAE, name): text for name, text in words.items()}),
    )  # fmt: skip


def faces(records) -> Table | None:
    """The DCGAN on faces and its ablations, on stand-in data."""
    metrics = ("frechet", "precision", "recall", "edge_ratio", "pairwise_ratio", "duplicated_pairs", "d_loss_last",
               "g_loss_last")  # fmt: skip
    words = {"as_described": "tutorial DCGAN (text and code)", "no_batch_norm": "without batch norm",
             "mnist_net": "the MNIST code's network at 64 x 64", "flips": "with mirrored faces"}  # fmt: skip
    runs = best(records, FACES)
    notes = [f"Stand-in data, not the author's crawl: {runs[0].stand_in or runs[0].data['name']}."] if runs else []
    halves = f"{over_seeds(runs, 'frechet_halves')}" if runs else ""
    return table(
        "Faces", [*HEAD, "Fréchet", "precision", "recall", "edge ratio", "pairwise ratio", "duplicates", "d_loss",
                  "g_loss"],
        [row(records, variant(FACES, name), metrics, text, of_net) for name, text in words.items()]
        + [row(records, longer(FACES), metrics, "tutorial DCGAN, trained longer", of_net)],
        *notes,
        steps_an_epoch(records),
        f"Fréchet distance between real faces, training against held-out: {halves}. Edge ratio and pairwise ratio: "
        "generated over real. Features of a network trained here to tell by how much a face is turned, and right on "
        f"{accuracy(records, [variant(FACES, name) for name in words], 'feature_accuracy')} of the held-out faces.",
    )  # fmt: skip


def settings(records) -> Table | None:
    """Claim 35: learning rate and batch size of the GAN around the printed setting."""
    metrics = ("frechet", "precision", "recall", "label_entropy_nats", "d_loss_last", "g_loss_last", "epochs_to_best")
    return table(
        "Learning rate and batch of the GAN", [*HEAD, "Fréchet", "precision", "recall", "H, nats", "d_loss", "g_loss",
                                               "epochs to within 10 % of the best"],
        [row(records, variant(GAN, name), metrics, text) for name, text in GAN_WORDS.items()],
        "The report speaks of a grid search; its code has no trace of one. Epochs to within 10 % of the best: of the "
        "epochs whose distance is known, which for exported trainings are the quarters or the last alone.",
        *judges(records, {variant(GAN, name): text for name, text in GAN_WORDS.items()}),
    )  # fmt: skip


def requested_digits(records) -> Table | None:
    """Share of the requested digits that came, digit by digit, ours and on the author's grids."""
    metrics = ["requested_accuracy", *(f"requested_accuracy_{digit}" for digit in range(10))]
    rows = [row(records, net, metrics) for net in (CVAE, BAO)]
    if not any(rows):
        return None
    for epoch in (50, 100, 150, 200):
        found, asked = author.grid("cvae_gan", epoch), np.bincount(author.grid_labels(epoch), minlength=10)
        cells = [f"{found['requested_accuracy']:.3f}", *(f"{found[m]:.2f} of {n}" for m, n in
                                                         zip(metrics[1:], asked, strict=True))]  # fmt: skip
        rows.append(["the author's grid", "", str(epoch), *cells])
    return table(
        "The requested digit, as shares", [*HEAD, "all", *map(str, range(10))], rows,
        "Ours by the judge, 10,000 samples; the author's by nearest neighbours, with the number asked for.",
        *judges(records, {net: NAMES[net] for net in (CVAE, BAO)}),
    )  # fmt: skip
