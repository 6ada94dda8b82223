"""Sentences below the tables and figures: where numbers come from and what they cannot say."""

import numpy as np

from common.reporting.tables import where_trained as by_machine
from reproductions.ahmed_ch4.lengths import shortened, smaller


def origin(cells, length=True) -> list[str]:
    """Notes: data, scale, seed, length and size behind every model's column; length: False where rows differ in it."""
    parts = []
    for model, found in cells.items():
        record = next(iter(found.values()))
        data = record.data["name"] + (f" (stand-in: {record.data['stand_in']})" if record.stand_in else "")
        trained = shortened([record]).partition(": ")[2] if length else ""
        said = [f"{record.scale} scale", data, f"seed {record.seed}", f"{len(found)} of ten digits", trained]
        said += smaller(record) if record.scale != "smoke" else []
        parts.append(f"{model}: {', '.join(filter(None, said))}")
    return ["Measured: " + "; ".join(parts) + "."]


def where_trained(cells, others) -> list[str]:
    """A sentence for every model with several seeds: whether they differ in the seed alone, or in the machine, too."""
    told = []
    for model, found in others.items():
        words = list(by_machine(r for digit, more in found.items() for r in (cells[model][digit], *more)).values())
        if len(words) > 1:
            told.append(f"{model}: {'; '.join(words)}: they differ in the machine, too.")
        elif words:
            told.append(f"{model}: {words[0]}: they differ in the seed alone.")
    return told


def place_note(cells) -> list[str]:
    """What may make a PixelVAE without a code better than a PixelCNN of as many blocks; not tested."""
    kl, better = [], []
    for digit, record in cells.get("pixelvae", {}).items():
        other = cells.get("pixelcnn", {}).get(digit)
        if other and record.settings["options"].get("layers") == other.settings["options"].get("layers"):
            kl.append(record.metrics["kl_rest_nats"])
            better.append(other.metrics["nll_rest_nats"] - record.metrics["nll_bound_rest_nats"])
    if not better or np.mean(kl) > 1 or np.mean(better) < 1:
        return []
    return [
        f"With a KL of {np.mean(kl):.2f} nats z says next to nothing, yet the PixelVAE is {np.mean(better):.1f} nats "
        "better than the PixelCNN of as many blocks. Likely why (not tested): its features of z, even of a constant "
        "one, are a map of the place, a bias for each pixel, which the PixelCNN lacks. It is no leak: the map is the "
        "same for every image."
    ]
