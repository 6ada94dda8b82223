"""Values of the command line, checked: whole numbers, one of a few names, a setting that --set changes."""

import ast
import math
from collections.abc import Mapping

from common.errors import UserError

LARGEST = 2**31 - 1  # of seeds and counts: TensorFlow's int32


def one_of(what: str, value, known):
    """Raises UserError unless `value` is one of `known`."""
    if value not in known:
        raise UserError(f"unknown {what} {value!r}; choose one of {', '.join(map(str, known))}")


def parse_change(text: str, options: Mapping):
    """("latent", 10) from "latent=10"; the value must have the type of the option's own value."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text}: write it as name=value")
    one_of("field in --set:", name, options)
    old = options[name]
    try:
        new = value if isinstance(old, str) else ast.literal_eval(value)
    except (ValueError, SyntaxError):
        new = None
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        new = float(new)
    if type(new) is not type(old):
        raise UserError(f"--set {name}={value}: {type(old).__name__} expected, as in {name}={old}")
    if isinstance(new, int | float) and not isinstance(new, bool):
        lowest = min(old, 1 if isinstance(old, int) else 0)  # of counts and rates
        if not lowest <= new < math.inf:
            raise UserError(f"--set {name}={value}: a finite number of at least {lowest} expected")
        if isinstance(new, int) and new > LARGEST:
            raise UserError(f"--set {name}={value}: a whole number of at most {LARGEST} expected")
    return name, new


def integers(flag: str, values, least: int, most: float = math.inf):
    """[1, 2] from ["1", "2"]; raises UserError for anything else, for nothing, and outside of least to most."""
    try:
        found = [int(v) for v in values]
    except ValueError:
        found = []
    if not found:
        raise UserError(f"--{flag}={','.join(values)}: whole numbers separated by commas expected")
    for value in found:
        if not least <= value <= most:
            end = f" to {most}" if most < math.inf else ""
            raise UserError(f"--{flag}={value}: whole numbers from {least}{end} expected")
    return found
