"""Which records a claim or a table takes: one model's column of Table 4.1 (ood.py), and what ten digits need.

The classifier's column comes from classifier.py.
"""

import numpy as np

from common.reporting.claims import Measurement
from common.reporting.records import Record, of_one_set, select
from common.reporting.rooms import SCALES

DIGITS = range(10)
MODELS = ("vae", "dcgan")
EXPLICIT = ("vae", "pixelvae", "pixelcnn")  # models with a likelihood, in the printed order of their means
ALL = (*EXPLICIT, "dcgan")
SIMPLE, DENSITIES = ("ink", "total_variation", "zlib"), ("bernoulli", "mixture")
TRIVIAL = {  # scores without a network, and what they are called on pages
    "ink": "ink", "total_variation": "total variation", "zlib": "compressed length",
    "bernoulli": "independent pixels", "mixture": "mixture of 100",
}  # fmt: skip
ACROSS_DIGITS = {"split": "each held-out digit has its own positives"}
ACROSS_MODELS = ACROSS_DIGITS | {
    "binarisation": "binary images for the VAE, grey ones for the DCGAN and some trivial scores, as in the text",
    "evaluator": "each model has its own score",
}
# Variants of a pixel model's training at cpu scale: a column takes the first that has run for all ten digits at a seed,
# whichever is better; else the last. The order was fixed before any training by `tuned` had ended.
RECIPES = ("tuned", "as_described")
TEN_TRAININGS = "ten trainings a model on ten training sets; Student's interval over the digits holds their spread"


def lettered(claim: str, letters: str, models, function) -> dict:
    """{"C03": function("vae"), "C03c": function("pixelvae"), ...}: one row for each model; a: no letter."""
    return {claim + letter.replace("a", ""): function(m) for letter, m in zip(letters, models, strict=True)}


def table(records, model: str, scale: str) -> dict[tuple[int, int], Record]:
    """{(seed, held-out digit): record} of one model at one scale by one of RECIPES, on MNIST if it is there."""
    each = [by_recipe(records, model, scale, recipe) for recipe in RECIPES]
    return next((cells for cells in each if seeds_of_ten(cells)), each[-1])


def by_recipe(records, model: str, scale: str, recipe: str) -> dict[tuple[int, int], Record]:
    """The same by one recipe.

    All with the same settings: of records from before and after a change of the defaults, the more numerous count.
    """
    experiment = "classifier" if model == "classifier" else "ood"
    found = select(records, experiment=experiment, model=model, variant=recipe, scale=scale)
    options = [r.settings["options"] for r in found]
    found = [r for r in found if r.settings["options"] == max(options, key=options.count)]
    return {(r.seed, r.settings["key"]["held_out"]): r for r in of_one_set(found)}


def seeds_of_ten(*tables) -> list[int]:
    """Seeds at which all tables {(seed, digit): record} have all ten digits."""
    seeds = sorted({seed for cells in tables for seed, _ in cells})
    return [s for s in seeds if all((s, digit) in cells for cells in tables for digit in DIGITS)]


def largest(records, model: str) -> dict[tuple[int, int], Record]:
    """The same at the largest scale that has any record of the model."""
    return next((cells for scale in SCALES if (cells := table(records, model, scale))), {})


def complete(records, *models: str) -> list[list[list[Record]]]:
    """For every seed at which all `models` have all ten digits: [model][digit] records; at the largest such scale."""
    for scale in SCALES:
        tables = [table(records, model, scale) for model in models]
        if whole := seeds_of_ten(*tables):
            return [[[cells[seed, digit] for digit in DIGITS] for cells in tables] for seed in whole]
    return []


def on_fewer_images(records) -> list[tuple[Record, list[Record]]]:
    """[(the VAE on a tenth of the images, the same cell on all of them, every seed)]: digits at the first seed that
    has any on a tenth.
    """
    cells, pairs = largest(records, "vae"), {}
    for few in select(records, experiment="subsets", model="vae", variant="as_described"):
        digit = few.settings["key"]["held_out"]
        whole = [r for (_, d), r in sorted(cells.items()) if d == digit]
        if whole and (few.scale, few.data["name"]) == (whole[0].scale, whole[0].data["name"]):
            pairs[few.seed, digit] = few, whole
    first = min((seed for seed, _ in pairs), default=None)
    return [pair for (seed, _), pair in sorted(pairs.items()) if seed == first]


def unfinished(records, models) -> Measurement | None:
    """Says how many digits there are, so that nothing is claimed of a mean over fewer than ten."""
    counts = {model: len({digit for _, digit in largest(records, model)}) for model in models}
    if not any(counts.values()):
        return None
    shown = ", ".join(f"{model} {count}" for model, count in counts.items())
    return Measurement(reason=f"needs all ten held-out digits at one seed; there are: {shown}")


def auprs(rows) -> np.ndarray:
    """AUPR of the headline score for every record, per cent."""
    return np.array([r.metrics["aupr"] for r in rows])
