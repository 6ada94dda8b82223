"""The pixel models' columns of Table 4.1 by recipe of training: as described, and tuned for short trainings.

The text prints no training, and at cpu scale the pixel models are trained for a small part of paper scale's iterations.
What a longer training at a higher learning rate makes of a column tells how much of its distance to the printed one is
the training.
"""

import numpy as np

from common.reporting.records import Record
from common.reporting.tables import Table
from reproductions.ahmed_ch4.claims_formulas import printed
from reproductions.ahmed_ch4.claims_models import nats
from reproductions.ahmed_ch4.notes import origin
from reproductions.ahmed_ch4.selection import DIGITS, RECIPES, by_recipe

TITLES = {"pixelcnn": "PixelCNN", "pixelvae": "PixelVAE"}
COLUMNS = ["model", "z", "iterations", "learning rate", "KL warm-up", "held out", "printed", "AUPR", "nats, rest",
           "nats, held out", "KL, rest"]  # fmt: skip


def recipes(records: list[Record], cells) -> Table:
    """AUPR in per cent, nats of both groups of test images, and KL, of every digit that has run by both recipes."""
    rows, notes = [], []
    for model, title in TITLES.items():
        scale = next((record.scale for record in cells.get(model, {}).values()), "")
        both = [by_recipe(records, model, scale, recipe) for recipe in reversed(RECIPES)]
        seed = min((seed for seed, _ in both[0].keys() & both[1].keys()), default=None)
        digits = [digit for digit in DIGITS if all((seed, digit) in found for found in both)]
        for found in both if digits else []:
            nets = {digit: found[seed, digit] for digit in digits}
            rows += of_one_recipe(title, model, nets)
            notes += origin({model: nets})
    notes.append("AUPR in per cent. Nats: exact for the PixelCNN, a bound for the PixelVAE; rest: nine digits.")
    return Table("Pixel models of Table 4.1 by recipe of training", COLUMNS, rows, notes)


def of_one_recipe(title: str, model: str, nets: dict[int, Record]) -> list[list]:
    """A row a digit, and their mean if there are ten."""
    settings = next(iter(nets.values())).settings["options"]
    place = {None: None, True: "beside the image", False: "in every gate"}[settings.get("upsample")]
    how = [title, place, settings["iterations"], settings["learning_rate"], settings.get("warm_up")]
    names = ("aupr", nats(model, "rest"), nats(model, "held_out"), "kl_rest_nats")
    measured = [[r.metrics.get(name) for name in names] for r in nets.values()]
    lines = [[*how, str(digit), *row] for digit, row in zip(nets, with_printed(model, nets, measured), strict=True)]
    if len(lines) == len(DIGITS):
        columns = zip(*measured, strict=True)
        means = [None if None in column else float(np.mean(column)) for column in columns]
        lines.append([*how, "mean", *with_printed(model, ["mean"], [means])[0]])
    return lines


def with_printed(model: str, places, measured: list[list]) -> list[list]:
    """The rows, each behind its printed area."""
    return [[float(cell), *row] for cell, row in zip(printed("t41", model, places), measured, strict=True)]
