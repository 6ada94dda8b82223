"""The name of a run, a pure function of its settings: who knows the settings knows where the record lies."""

import hashlib
import re
from collections.abc import Mapping, Sequence

LONGEST = 160  # characters: a file name may have 255
UNSAFE = re.compile(r"[^A-Za-z0-9._+=-]")


def record_name(
    scale: str, model: str, key: Mapping, variant: str, dataset: str, seed: int, changed: Sequence[tuple] = ()
) -> str:
    """cpu-vae-held_out0-as_described-mnist-s1, with "epochs=3" before the seed for an option that --set changed.

    key: what tells runs of one script apart; changed: (option, value) pairs. What no file name should hold becomes "_",
    and what is longer is cut; then eight digits of a hash at the end still tell two names apart.
    """
    keys = [f"{name}{value}" for name, value in key.items()]
    changes = [f"{name}={value}" for name, value in changed]
    whole = "-".join([scale, model, *keys, variant, dataset, *changes, f"s{seed}"])
    name = UNSAFE.sub("_", whole)[:LONGEST]
    return name if name == whole else f"{name}-{hashlib.sha256(whole.encode(errors='replace')).hexdigest()[:8]}"
