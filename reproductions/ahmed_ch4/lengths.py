"""How long and how large the trainings behind a number are, and what that allows to say of a claim.

With them what a DCGAN's last states say: its AUPR scatters within a training, so one state is not the whole of it.
"""

import numpy as np

from common.reporting.claims import Measurement, measure
from common.reporting.tables import short

WHOLE = {  # lengths of the trainings at paper scale, as in ood.py and population.py; the text prints none
    "vae": ("epochs", 200), "pixelcnn": ("iterations", 200_000), "pixelvae": ("iterations", 200_000),
    "dcgan": ("iterations", 25_000), "normed_dcgan": ("iterations", 25_000),
}  # fmt: skip
# A pixel model decides a claim from as many iterations on as in chapter 2, and with paper scale's blocks and maps.
ENOUGH = 16_000
SIZES = {"pixelcnn": {"layers": 12, "width": 32}, "pixelvae": {"layers": 4, "width": 32}}


def shortened(records) -> str:
    """How far the trainings of `records` are shorter than those of paper scale: "pixelcnn: 3,000 of 200,000
    iterations"; "" where none is. Smoke says so itself.
    """
    found = {}
    for record in records:
        unit, full = WHOLE.get(record.settings["model"], ("", 0))
        length = record.settings["options"].get(unit, full)
        if length < full and record.scale != "smoke":
            found[record.settings["model"]] = f"{length:,} of {full:,} {unit}"
    return "; ".join(f"{model}: {length}" for model, length in found.items())


def too_small(records) -> str:
    """Why pixel models among `records` decide nothing: "pixelcnn with 3,000 iterations, 4 (not 12) layers"; else "".

    Smoke says so itself.
    """
    found = {}
    for record in records:
        model, options = record.settings["model"], record.settings["options"]
        iterations = options.get("iterations", ENOUGH)
        parts = [f"{iterations:,} iterations"] if iterations < ENOUGH else []
        for name, full in SIZES.get(model, {}).items():
            if options.get(name, full) < full:
                parts.append(f"{options[name]} (not {full}) {'maps' if name == 'width' else name}")
        if model in SIZES and parts and record.scale != "smoke":
            found[model] = f"{model} with {', '.join(parts)}"
    return "; ".join(found.values())


def of_trainings(records, value, reached=False, **fields) -> Measurement | None:
    """`measure`, with the length of trainings that are shorter than at paper scale as the reason.

    What rests on a pixel model that is `too_small` is undecided, and the number stands in the reason; `reached`: not
    so, for what such a model has reached, a longer training of a larger one reaches, too.
    """
    found = measure(records, value, **{"reason": shortened(records)} | fields)
    small = too_small(records)
    if found is None or reached or not small:
        return found
    numbers = " ".join(part for part in (", ".join(map(short, found.values)), found.text) if part)
    return Measurement(reason=f"measured {numbers}; {small}; decided from {ENOUGH:,} iterations and full sizes on")


def last_states(records) -> tuple[float, float] | None:
    """Lowest and highest AUPR of the last states of DCGANs, and of the states that count; None for other models."""
    names = ("aupr", "aupr_last_states_min", "aupr_last_states_max")
    if not records or names[1] not in records[0].metrics:
        return None
    ends = [r.metrics[name] for r in records for name in names]
    return min(ends), max(ends)


def by_both_logits(columns, rows) -> tuple[float, float]:
    """Mean AUPR of the DCGAN by the last state's logit, and by the logit averaged over the last states."""
    return float(np.mean(columns[0])), float(np.mean([r.metrics["aupr_logit_averaged"] for r in rows[0]]))


def both_scores(columns, rows) -> tuple[float, float]:
    """No. 17: the range of the two."""
    ends = [abs(mean - 10.0) for mean in by_both_logits(columns, rows)]
    return min(ends), max(ends)


def both_scores_shown(columns, rows) -> str:
    last, averaged = by_both_logits(columns, rows)
    return f"mean AUPR by the last state's logit {last:.2f}, by the logit averaged over the last states {averaged:.2f}"
