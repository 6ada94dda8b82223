"""What the room's tables share: a net's row, and notes on the judge that its numbers rest on."""

from common.reporting.tables import Table, over_seeds
from reproductions.guo.chosen import BAO, CVAE, DCGAN, GAN, RADFORD, VAE, VAE_TEXT, best, epochs, furthest, variant

NAMES = {
    GAN: "GAN", variant(GAN, "latent_2"): "GAN, 2 latents", DCGAN: "DCGAN, as in the code",
    RADFORD: "DCGAN, as described", VAE: "VAE", VAE_TEXT: "VAE, lr 1e-4", variant(VAE, "latent_32"): "VAE, 32 latents",
    CVAE: "CVAE-GAN, as in the code", BAO: "CVAE-GAN, as described",
}  # fmt: skip


def row(records, net, metrics, name=None, of=furthest) -> list | None:
    """[name, seeds, epochs, metrics ...] of a net at its largest scale, or None without records. of: as in `best`."""
    runs = best(records, net, of)
    if not runs:
        return None
    scale = f"{epochs(runs[0])} ({runs[0].scale})"
    return [name or NAMES[net], len(runs), scale, *(over_seeds(runs, metric) for metric in metrics)]


def table(title, columns, rows, *notes) -> Table | None:
    """A table of the rows that are not None; None without any."""
    rows = [each for each in rows if each is not None]
    return Table(title, columns, rows, list(notes)) if rows else None


HEAD = ["net", "seeds", "epochs (scale)"]


def accuracy(records, nets, metric, of=furthest) -> str:
    """ ".9929" or ".9929 and .9931": how often the networks that measure the nets are right on held-out images."""
    found = {r.metrics[metric] for net in nets for r in best(records, net, of) if metric in r.metrics}
    return " and ".join(sorted({f"{each:.4f}".removeprefix("0") for each in found}))


def judges(records, words, of=furthest) -> list[str]:
    """Notes on the judge of the rows {net: words}: its accuracy; of several each yardstick and its rows."""
    right, rows = accuracy(records, words, "judge_accuracy", of), {}
    notes = [f"The judge is right on {right} of the test digits."] if right else []
    for net, name in words.items():
        for halves in {r.metrics.get("frechet_test_halves") for r in best(records, net, of)} - {None}:
            rows.setdefault(halves, []).append(name)
    shown = "; ".join(f"{halves:.3g}: {' / '.join(names)}" for halves, names in sorted(rows.items()))
    return notes + ([f"Several judges; the halves of the test set are apart by {shown}."] if len(rows) > 1 else [])
