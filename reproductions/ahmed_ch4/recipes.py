"""The pixel models' columns of Table 4.1 by recipe of training: as described, and as chapter 2's rows are at cpu scale.

Chapter 4 prints no training, and at cpu scale the pixel models are short. What a longer training at a higher learning
rate makes of a column, beside what is printed, tells how much of the distance is the training.
"""

from common.reporting.records import Record
from common.reporting.tables import Table
from reproductions.ahmed_ch4.claims_formulas import printed
from reproductions.ahmed_ch4.selection import DIGITS, EXPLICIT, NATS, RECIPES, by_recipe

TITLES = {"vae": "VAE", "pixelvae": "PixelVAE", "pixelcnn": "PixelCNN"}


def recipes(records: list[Record], cells) -> Table:
    """Printed area, and for every recipe area, nats of both groups and KL; means of the digits that all recipes have."""
    titles = ["model", "held out", "printed", "learning rate", "iterations", "AUPR", "nats, rest", "nats, held out",
              "KL, rest"]  # fmt: skip
    rows, notes = [], []
    for model in EXPLICIT:
        scale = next((record.scale for record in cells.get(model, {}).values()), "")
        found = [by_recipe(records, model, scale, recipe) for recipe in reversed(RECIPES)]
        keys = sorted(set.intersection(*map(set, found)))
        if not keys:
            continue
        for key in keys:
            rows += [[TITLES[model], str(key[1]), *line(model, table[key])] for table in found]
        seed = keys[0][0]
        if [digit for s, digit in keys if s == seed] == list(DIGITS):
            means = [mean(model, [table[seed, digit] for digit in DIGITS]) for table in found]
            rows += [[TITLES[model], "mean", *row] for row in means]
    if rows:
        notes = ["AUPR in per cent; nats: exact for the PixelCNN, else a bound."]
    return Table("Pixel models by recipe of training", titles, rows, notes)
