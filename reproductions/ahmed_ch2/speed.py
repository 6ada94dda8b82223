"""No. 16, section 2.4.1: few masked layers train and draw faster. Two untrained nets, timed in turns in one process."""

import time

import numpy as np
import tensorflow as tf

from reproductions.ahmed_ch2 import macs, models, samples

REPEATS = 3


def metrics(drawn=100, batch=100, width=16, deep=12, shallow=2) -> dict[str, float]:
    """PixelVAE of `shallow` layers over PixelCNN of `deep`: step time, time to draw `drawn` images, MACs; ratios.

    Medians of REPEATS timings each, first calls left out; a step ends when its losses are there. seconds_*: of the two
    nets.
    """
    bits = (np.random.default_rng(0).random((batch, 28, 28, 1)) < 0.13).astype(np.uint8) * np.uint8(255)
    games = {
        "shallow": models.GatedPixelVAE(bits, shallow, width, 5, 64, upsample=True),
        "deep": models.GatedPixelCNN(bits, deep, width, 5),
    }
    rows, seed = tf.range(batch)[None], tf.constant([1, 1])
    steps = {name: tf.function(game.one_step, autograph=False) for name, game in games.items()}
    works = {
        "step": {name: lambda step=step: [float(v) for v in step(rows, seed).values()] for name, step in steps.items()},
        "draw": {name: lambda game=game: samples.draws(game, drawn) for name, game in games.items()},
    }
    found = {}
    for work, of_nets in works.items():
        seconds = {name: [] for name in of_nets}
        for repeat in range(REPEATS + 1):
            for name, run in of_nets.items():
                started = time.perf_counter()
                run()
                if repeat:
                    seconds[name].append(time.perf_counter() - started)
        medians = {name: float(np.median(values)) for name, values in seconds.items()}
        found |= {f"seconds_{work}_{name}": value for name, value in medians.items()}
        found[f"ratio_{work}"] = medians["shallow"] / medians["deep"]
    found["ratio_macs"] = macs.gated_pixelvae(shallow, width, latent=64) / macs.gated_stack(deep, width)
    return found
