"""The suite's games, timed through the very program that `fit` runs."""

import time

import numpy as np
import tensorflow as tf

from common.data import feeds
from reproductions.ahmed_ch4 import models as ahmed_ch4
from reproductions.doersch import models as doersch

PIXELS = (np.random.default_rng(0).random((6000, 28, 28, 1)) < 0.2).astype(np.uint8) * 255
BATCH = {"dense_vae": 100, "conv_vae": 100, "dcgan": 64}
GAMES = {
    "dense_vae": lambda: doersch.VAE(PIXELS, learning_rate=1e-3, beta_1=0.9, weight_decay=0.0),
    "conv_vae": lambda: ahmed_ch4.VAE(PIXELS, binarisation="dynamic"),
    "dcgan": lambda: ahmed_ch4.DCGAN(PIXELS),
}


def contender(game, jit):
    model, batch = GAMES[game](), BATCH[game]
    model.prepare_to_run(jit)
    program = tf.function(model.program)

    def run(steps):
        waiting, started = 0.0, time.monotonic()
        feed = feeds.programs(len(PIXELS), batch, 1, 0, steps, steps, 20)
        for _ in range(-(-steps // 20)):
            asked = time.monotonic()
            rows, seeds = (tf.constant(a) for a in next(feed))
            waiting += time.monotonic() - asked
            logs = program(rows, seeds)
            _ = {name: float(value) for name, value in logs.items()}
        return time.monotonic() - started, waiting, batch

    return run
