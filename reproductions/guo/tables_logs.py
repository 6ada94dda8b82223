"""The author's epochs beside ours. The VAE's losses are compared by value; those of the adversarial games by range and
trend, never by value: they depend on how far two players are from each other, not on how good the pictures are.

Sets of faces differ in size, so that theirs are compared by updates: for an epoch stands a stretch of 216 of them.
"""

import numpy as np
from scipy import stats

from common.reporting.tables import Table
from reproductions.guo import author
from reproductions.guo.chosen import CVAE, DCGAN, FACES, GAN, VAE, best, curve, scores, steps_an_epoch

NETS = {"gan": GAN, "dcgan": DCGAN, "faces": FACES, "vae": VAE, "cvae_gan": CVAE}
LOSSES = {
    "gan": ("d_loss", "g_loss", "D_x", "D_Gz"),
    "dcgan": ("d_loss", "g_loss", "D_x", "D_Gz"),
    "faces": ("d_loss", "g_loss", "D_x", "D_Gz", "D_Gz_after"),
    "cvae_gan": ("loss_D", "loss_C", "loss_G"),
}
OF_VAE = ("loss", "test_loss", "test_reconstruction", "test_kl")
ENDS = (5, 10, 20, 30, 40, 50, 100, 150, 200)  # last epochs, from 1, of windows that leave no epoch out
FEWEST = 3  # epochs of a window: a range of less says little
OF_FACES = (
    "Faces: an epoch is a stretch of 216 updates, as the author's is, in ours too; his is the mean of five batches, "
    "every 50 updates, ours of those logged in that stretch, which are the first of each epoch of ours, the last, and "
    "every 50th between."
)
POINTS = (1, 2, 5, 10, 20, 30, 50, 100, 150, 200)


def curves(records, results_dir, run: str, name: str) -> np.ndarray:
    """One loss by epoch (`chosen.curve`) of our runs of the author's code: [seeds, epochs]; [0, 0] without records.

    Of faces by stretches of as many updates as an epoch of the author's has.
    """
    by_epoch = stretches if run == "faces" else curve
    found = [by_epoch(record, results_dir, name) for record in best(records, NETS[run])]
    found = [values for values in found if len(values)]
    shortest = min(map(len, found), default=0)
    return np.array([values[:shortest] for values in found]).reshape(len(found), shortest)


def stretches(record, results_dir, name: str) -> np.ndarray:
    """Mean of what was logged of a loss in each whole stretch of 216 updates, float64 [stretches]."""
    arrays, size = scores(record, results_dir), author.STEPS_AN_EPOCH["faces"]
    if f"step_{name}" not in arrays:
        return np.empty(0)
    at, values = (arrays["step_at"] - 1) // size, arrays[f"step_{name}"].astype(np.float64)
    whole = record.steps // size
    sums, counts = (np.bincount(at, weights, minlength=whole)[:whole] for weights in (values, None))
    return sums / counts


def origin(records, runs) -> str:
    """Which runs the numbers come from."""
    parts = []
    for run in runs:
        found = best(records, NETS[run])
        if found:
            seeds = f"{len(found)} seed{'s' * (len(found) > 1)}"
            parts.append(f"{run}: {found[0].scale} scale, {found[0].data['name']}, {seeds}")
    return "Ours: " + "; ".join(parts) + "."


def by_value(records, results_dir) -> Table | None:
    """The VAE after some epochs: the author's loss, our mean and range over seeds, the difference, nats an image."""
    rows = []
    for name in OF_VAE:
        theirs, ours = author.by_epoch("vae", name), curves(records, results_dir, "vae", name)
        for epoch in POINTS:
            if epoch <= min(ours.shape[1], len(theirs)):
                at = ours[:, epoch - 1]
                mean = float(at.mean())
                rows.append([name, epoch, float(theirs[epoch - 1]), mean, float(at.min()), float(at.max()),
                             mean - float(theirs[epoch - 1])])  # fmt: skip
    if not rows:
        return None
    notes = [
        origin(records, ["vae"]),
        "Nats an image. loss: training, the mean of five batches an epoch before their update, the author's and ours.",
    ]
    columns = ["loss", "epoch", "the author", "ours", "ours, lowest seed", "ours, highest seed", "difference"]
    return Table("The author's VAE epochs beside ours", columns, rows, notes)


def windows(common: int) -> list[tuple[int, int]]:
    """[(first, last)] of the windows up to epoch `common`; what is left at the end joins the last, if it is short."""
    ends = [end for end in ENDS if end < common]
    if ends and common - ends[-1] < FEWEST:
        del ends[-1]
    return list(zip([1, *(end + 1 for end in ends)], [*ends, common], strict=True)) if common >= FEWEST else []


def apart(theirs, ours) -> float | None:
    """Median of ours minus that of the author's, over the width of his range; None where that is a point."""
    width = np.ptp(theirs)
    return float((np.median(ours) - np.median(theirs)) / width) if width > 0 else None


def by_range(records, results_dir) -> Table | None:
    """Range and median of every adversarial loss in windows of epochs, the author's and ours over all seeds."""
    rows = []
    for run, names in LOSSES.items():
        for name in names:
            theirs, ours = author.by_epoch(run, name), curves(records, results_dir, run, name)
            for first, last in windows(min(ours.shape[1], len(theirs))):
                a, b = theirs[first - 1 : last], ours[:, first - 1 : last]
                cells = [float(of(each)) for each in (a, b) for of in (np.min, np.median, np.max)]
                rows.append([run, name, f"{first} to {last}", *cells, apart(a, b)])
    if not rows:
        return None
    notes = [
        origin(records, LOSSES),
        "An epoch: the mean of the batches whose loss the author printed, before their update (GAN and DCGAN one, "
        "CVAE-GAN five), and of the same ones of ours.",
        "Apart: our median minus the author's, over the width of his range (highest minus lowest); below -1 or above 1 "
        "the two lie farther from each other than his epochs do. Empty where all of his are equal.",
        OF_FACES,
        steps_an_epoch(records),
    ]
    columns = ["run", "loss", "epochs", *(f"{who}, {what}" for who in ("author", "ours")
                                          for what in ("lowest", "median", "highest")), "apart"]  # fmt: skip
    return Table("Adversarial losses in windows of epochs, the author's beside ours", columns, rows, notes)


def trends(records, results_dir) -> Table | None:
    """Rank correlation with the epoch over the epochs that both have, and the mean over the last of them."""
    rows = []
    for run, names in LOSSES.items():
        for name in names:
            theirs, ours = author.by_epoch(run, name), curves(records, results_dir, run, name)
            common = min(ours.shape[1], len(theirs))
            if common < 3:
                continue
            theirs, ours, time = theirs[:common], ours[:, :common], np.arange(common)
            rho = [stats.spearmanr(time, curve).statistic for curve in (theirs, *ours)]
            rows.append(
                [run, name, common, float(rho[0]), float(np.mean(rho[1:])), *_ends(theirs), *_ends(ours.mean(axis=0))]
            )
    if not rows:
        return None
    notes = [
        origin(records, LOSSES),
        "Trend: Spearman's rank correlation with the epoch, over the epochs that both have; ours: mean over seeds. "
        "Fifths: means over the first and the last fifth of these epochs.",
        OF_FACES,
        steps_an_epoch(records),
    ]
    columns = ["run", "loss", "epochs", "trend, author", "trend, ours", "author, first fifth", "author, last fifth",
               "ours, first fifth", "ours, last fifth"]  # fmt: skip
    return Table("Adversarial losses: trends, the author's beside ours", columns, rows, notes)


def _ends(curve) -> tuple[float, float]:
    fifth = max(1, len(curve) // 5)
    return float(curve[:fifth].mean()), float(curve[-fifth:].mean())
