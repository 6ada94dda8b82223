"""Compute precision of the layers built inside a `with` block."""

import contextlib
from collections.abc import Callable

import keras

from common.errors import UserError

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


@contextlib.contextmanager
def precision(name):
    """Layers built inside compute in `name`: "float32", or "bfloat16" with weights and optimiser state in float32.

    For training only: on processors with bfloat16 units (AMX, AVX512_BF16) and accelerators a convolution step takes
    about half the time. Likelihoods are evaluated in float32 (`in_float32`).
    """
    if name not in POLICIES:
        raise UserError(f"unknown precision {name!r}; choose one of {', '.join(POLICIES)}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def in_float32(game: keras.Model, build: Callable[[], keras.Model]) -> keras.Model:
    """A float32 copy of a trained game, by `build` outside of any `with precision`: what is reported is of it.

    Weights trained with bfloat16 products adapt to their rounding (`common.evaluation.nats.cost_of_precision`).
    """
    copy = build()
    copy.set_weights(game.get_weights())
    return copy
