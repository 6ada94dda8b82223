"""How long, how large and how many the trainings behind a number are, and what that allows to say of a claim."""

import functools

from common.reporting.claims import Measurement, measure
from common.reporting.tables import short

WHOLE = {  # lengths of the trainings at paper scale, as in the scripts; the text prints none
    "vae": ("epochs", 200), "pixelcnn": ("iterations", 200_000), "pixelvae": ("iterations", 200_000),
    "dcgan": ("iterations", 25_000), "normed_dcgan": ("iterations", 25_000), "formulas": ("steps", 3_000),
    "classifier": ("epochs", 10),
}  # fmt: skip
# A pixel model decides a claim from as many iterations on as in chapter 2, and with paper scale's blocks and maps.
ENOUGH = 16_000
SEEDS = 3  # an order within one digit, and what one small net says, is judged from as many trainings on
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


def smaller(record) -> list[str]:
    """["4 of 12 blocks", "16 of 32 maps"]: in what a pixel model is smaller than at paper scale, if it is."""
    options, called = record.settings["options"], {"layers": "blocks", "width": "maps"}
    sizes = SIZES.get(record.settings["model"], {}).items()
    return [f"{options[name]} of {full} {called[name]}" for name, full in sizes if options.get(name, full) < full]


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
    return Measurement(
        reason=f"measured {numbers(found)}; {small}; decided from {ENOUGH:,} iterations and full sizes on"
    )


def numbers(found: Measurement) -> str:
    """The values and the text of a measurement that decides nothing, for its reason."""
    return " ".join(part for part in (", ".join(map(short, found.values)), found.text) if part)


def from_three_seeds(measured):
    """The same measure, undecided for fewer than SEEDS trainings; its numbers stand in the reason."""

    @functools.wraps(measured)
    def found(*records, **folder) -> Measurement | None:
        one = measured(*records, **folder)
        if one is None or not one.values or one.n >= SEEDS:
            return one
        ends = f" [{', '.join(map(short, one.interval))}]" if one.interval else ""
        seeds = f"{one.n} seed{'s' * (one.n > 1)}, decided from {SEEDS} on"
        parts = (f"measured {numbers(one)}{ends}", seeds, one.reason)
        return Measurement(reason="; ".join(part for part in parts if part))

    return found
