"""The name of a run, a pure function of its settings: who knows the settings knows where the record lies."""

import re
from collections.abc import Mapping, Sequence

UNSAFE = re.compile(r"[^A-Za-z0-9._+=-]")


def record_name(
    scale: str, model: str, key: Mapping, variant: str, dataset: str, seed: int, changed: Sequence[tuple] = ()
) -> str:
    """cpu-vae-held_out0-as_described-mnist-s1, with "epochs=3" before the seed for an option that --set changed.

    key: what tells runs of one script apart; changed: (option, value) pairs. What no file name should hold becomes "_".
    """
    keys = [f"{name}{value}" for name, value in key.items()]
    changes = [f"{name}={value}" for name, value in changed]
    return UNSAFE.sub("_", "-".join([scale, model, *keys, variant, dataset, *changes, f"s{seed}"]))
