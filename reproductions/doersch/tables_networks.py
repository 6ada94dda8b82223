"""Tables of the trained networks: the bound of every net, completions, the size of z, training choices, Fig. 8."""

from pathlib import Path

import numpy as np

from common.reporting.claims import Measurement
from common.reporting.records import load_scores
from common.reporting.tables import Table, over_seeds, with_spread
from reproductions.doersch.claims_lengths import lengths, shortened
from reproductions.doersch.figures_networks import LABEL_OF_INIT, LABELS
from reproductions.doersch.selection import chosen

BOUNDS = {
    "-ELBO, test": "test_negative_elbo_nats", "-ELBO, training": "train_negative_elbo_nats",
    "cross-entropy": "test_cross_entropy_nats", "KL": "test_kl_nats",
}  # fmt: skip
SAMPLES = {
    "Fréchet": "frechet", "precision": "precision", "recall": "recall", "active units": "active_units",
    "KL of the others": "inactive_kl_nats",
}  # fmt: skip
VAE = {
    "-ELBO of bits": "negative_elbo_binary_nats", "log P(X) of bits >=": "log_p_nats", "ESS": "importance_ess_median",
} | SAMPLES  # fmt: skip
COMPLETIONS = {
    "squared error": "squared_error", "of the best": "squared_error_of_best", "of the mean": "squared_error_of_mean",
    "sharpness": "sharpness", "blurred": "blurred_share", "judge's confidence": "judge_confidence",
    "several digits": "several_classes_share",
}  # fmt: skip
CHOICES = {
    "loss, epoch 1": "loss_after_1_nats", "epoch 5": "loss_after_5_nats", "-ELBO, test": "test_negative_elbo_nats",
    "cross-entropy": "test_cross_entropy_nats", "KL": "test_kl_nats", "squared error": "test_squared_error",
}  # fmt: skip
LATENTS = BOUNDS | SAMPLES
GREY = "Nats an image; targets are grey pixels as soft bits, so no loss falls below the pixels' entropy."
FINISHED = "-ELBO, training: the first 10,000 training images, by the finished net."


def write(records, folder) -> None:
    """All tables for which there are records, into `folder`; what has no record yet is left out."""
    nets = {(model, variant): chosen(records, experiment="digits", model=model, variant=variant)
            for model in LABELS for variant in ("as_described", "as_code", "resampled")}  # fmt: skip
    tables = {
        "networks": of_vaes({net: runs for net, runs in nets.items() if net[0] == "vae"}),
        "completions": of_completions({net: runs for net, runs in nets.items() if net[0] != "vae"}),
        "latent_sizes": sweep(records),
        "choices": choices(records),
    }
    for name, table in tables.items():
        if table is not None and table.rows:
            table.write(folder / name)


def of_vaes(nets) -> Table | None:
    """Sections 2 and 4.1: bounds, log P(X) and samples of the VAE; None without any."""
    runs = next(filter(None, nets.values()), None)
    if runs is None:
        return None
    notes = [
        f"{GREY} It is {over_seeds(runs, 'entropy_floor_test_nats')} nats for the test images.",
        f"Bits: {runs[0].settings['options']['scored']:,} test images binarised once. log P(X) of bits: importance "
        f"sampling, L_k with k = {runs[0].settings['options'].get('q_draws', 0):,} draws of Q, a lower bound; ESS: "
        "effective sample size of these draws, median over images; the fewer, the looser the bound can be.",
        f"{FINISHED} {samples_note(runs[0])} training images.",
    ]
    return Table("The VAE: bounds and samples", *rows(nets, BOUNDS | VAE), notes)


def of_completions(nets) -> Table:
    """Sections 4.2 and 5: a column or half of the image given."""
    notes = [
        f"{GREY} A regressor's -ELBO is its cross-entropy. Levels compare only within a task. {FINISHED}",
        "Squared error from the truth: of one completion, of the best and of the mean of many draws of z. Sharpness: "
        "gradient energy over that of the truth. Blurred: share of completed pixels between .1 and .9. Several digits: "
        "share of columns for which the judge sees two digits or more in over a tenth of the draws each.",
    ]
    return Table("Completions by CVAE and regressor", *rows(nets, BOUNDS | COMPLETIONS), notes)


def samples_note(record) -> str:
    """What samples and latents are measured on; ends where the images of the active units are named."""
    count = record.settings["options"].get("samples", 0)
    return (
        f"Samples in the features of a judge: Fréchet distance of {count:,} samples to the first {count:,} test images "
        f"(the distance falls with their number), precision and recall of the first {min(count, 5_000):,} of each. "
        "Active units: latents whose posterior mean has a variance above .01 over the images; KL of the others: summed "
        "over all latents below that, nats an image, which is not small where they are many; both on"
    )


def rows(nets, columns) -> tuple[list, list]:
    """Titles and one row a net: (model, variant), seeds, epochs, metrics with their spread over the seeds."""
    found = []
    for (model, variant), runs in nets.items():
        if runs:
            head = [f"{LABELS[model]}, {variant}", len(runs), length(runs[0])]
            found.append([*head, *(over_seeds(runs, metric) for metric in columns.values())])
    return ["net", "seeds", "epochs (scale)", *columns], found


def length(record) -> str:
    """ "100 (cpu)"; of a shortened training "10 of 100 (cpu)"."""
    epochs, whole = lengths(record)
    return f"{epochs} of {whole} ({record.scale})" if shortened(record) else f"{epochs} ({record.scale})"


def sweep(records) -> Table:
    """Section 4.1: one row a size of z and kind of initial weights."""
    found, runs_of_all = [], []
    for init, words in LABEL_OF_INIT.items():
        runs = chosen(records, experiment="latents", model=init, variant="as_described")
        runs_of_all += runs
        for size in sorted({r.settings["key"]["latent"] for r in runs}):
            same = [r for r in runs if r.settings["key"]["latent"] == size]
            cells = (over_seeds(same, metric) for metric in LATENTS.values())
            found.append([str(size), words, len(same), length(same[0]), *cells])
    notes = [
        f"{GREY} Slower is not yet worse: claims C23 to C27 ask for whole trainings.",
        "-ELBO, training: the mean over the last epoch while it trained, of all training images; the tables of other "
        "nets have the finished net's.",
    ]
    if found:
        notes.append(f"{samples_note(runs_of_all[0])} test images.")
    return Table("The size of z", ["size", "initial weights", "seeds", "epochs (scale)", *LATENTS], found, notes)


def choices(records) -> Table:
    """Learning rates, initial weights and depths, units and optimisers, sigma of a Gaussian output.

    One row a choice and variant: as_described has no addition to its name.
    """
    nets = {}
    for r in chosen(records, experiment="choices"):
        nets.setdefault((r.settings["model"], r.settings["variant"]), []).append(r)
    found = []
    for (model, variant), same in nets.items():
        cells = (over_seeds(same, metric) for metric in CHOICES.values())
        name = model.replace("_", " ") + (f", {variant}" if variant != "as_described" else "")
        found.append([name, len(same), length(same[0]), *cells])
    notes = [f"{GREY} Of a Gaussian output (sigma) they are densities, and no other row's."]
    return Table("Training choices of the VAE", ["choice", "seeds", "epochs (scale)", *CHOICES], found, notes)


def conditions(records, results_dir) -> Table:
    """Fig. 8: what conditions drawn with noise up to 2, as in the author's figure, do to nets that trained with 1.

    One row a net and noise, from the completions and columns of the 60 digits of the figure, mean over the seeds. The
    truth is that of the predicted columns; numbers are over the digits.
    """
    found = []
    for variant in ("as_described", "as_code"):
        for model in ("cvae", "regressor"):
            runs = chosen(records, experiment="digits", model=model, variant=variant)
            scores = [load_scores(Path(results_dir) / r.files["scores"]) for r in runs]
            for noise, largest in (("right", "1"), ("code", "2")) if runs else ():
                cells = [over_runs(column) for column in zip(*(of_figure_8(s, noise) for s in scores), strict=True)]
                found.append([f"{LABELS[model]}, {variant}", largest, len(runs), *cells])
    notes = [
        "The first 60 test digits, one draw of the condition (NumPy seed 1), the same for all nets and both noises; "
        "one z a column. With noise up to 2, as in the author's figure, a pixel is lit half as often as in training.",
        "Lit: given pixels that are 1, of 28. Ink: sum of the completed pixels over that of the true ones. Squared "
        "error an image, from the truth; its rise is taken digit by digit, the standard error is over the digits.",
    ]
    columns = ["net", "noise up to", "seeds", "lit", "ink", "squared error", "rise from 1", "standard error"]
    return Table("Conditions of Fig. 8", columns, found, notes)


def of_figure_8(scores, noise) -> list:
    """[lit pixels, ink over the truth's, squared error, its rise from noise up to 1, standard error of the rise]."""
    truth = scores["fig8_truth"] / 255.0
    truth = np.delete(truth, truth.shape[2] // 2 - 1, axis=2)
    completed = {name: scores[f"fig8_{name}"] / 255.0 for name in ("right", "code")}
    errors = {name: ((p - truth) ** 2).sum(axis=(1, 2)) for name, p in completed.items()}
    rise = errors["code"] - errors["right"]
    lit, ink = scores[f"fig8_{noise}_column"].sum(axis=1).mean(), completed[noise].sum() / truth.sum()
    more = [rise.mean(), rise.std(ddof=1) / np.sqrt(len(rise))] if noise == "code" else [np.nan, np.nan]
    return [lit, ink, errors[noise].mean(), *more]


def over_runs(values) -> str | None:
    """Mean and spread over the seeds; None where there is nothing to compare with."""
    found = Measurement(tuple(float(value) for value in values))
    return None if np.isnan(found.mean) else with_spread(found.mean, found.spread)
