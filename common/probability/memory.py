"""How many draws at once fit into memory: told before anything runs, because an overfull machine kills the process."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from common.errors import UserError

SEVERAL = 4  # tensors live side by side, and scratch space of the kernels: peak over the largest operation


def working_set(function: Callable, *inputs) -> int:
    """Bytes that the largest operation of function(*inputs) reads and writes, from the graph: nothing is computed.

    inputs: tensors or `tf.TensorSpec`s with known shapes.
    """
    graph = tf.function(function, autograph=False).get_concrete_function(*inputs).graph
    return max(sum(map(_bytes, [*operation.inputs, *operation.outputs])) for operation in graph.get_operations())


def _bytes(tensor) -> int:
    elements = tensor.shape.num_elements() if tensor.shape.rank is not None else None
    return (elements or 0) * (tensor.dtype.size or 0)


def free_bytes() -> float:
    """Memory that can still be used without swapping; infinite where it is not known (no /proc)."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return math.inf


def fitting_chunk(bytes_of_one: float, chunk: int, what="draws") -> int:
    """`chunk`, halved until so many `what` of `bytes_of_one` each fit into free memory; warns if it was halved.

    Raises UserError if one does not fit.
    """
    needed, free, fitting = SEVERAL * bytes_of_one, free_bytes(), chunk
    while fitting * needed > free:
        if fitting == 1:
            raise UserError(
                f"one of the {what} needs about {_gigabytes(needed)} and {_gigabytes(free)} are free; choose a smaller "
                "model or batch"
            )
        fitting //= 2
    if fitting < chunk:
        warnings.warn(
            f"a chunk of {chunk} {what} needs about {_gigabytes(chunk * needed)} and {_gigabytes(free)} are free: "
            f"going on with chunks of {fitting}",
            stacklevel=2,
        )
    return fitting


def _gigabytes(size: float) -> str:
    return f"{size / 2**30:.3g} GB"
