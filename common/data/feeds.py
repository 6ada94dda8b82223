"""Row orders: which images a training step sees, as a pure function of (seed, step).

Images stay on the device; what travels to it is row numbers. A killed run that resumes at step s asks for the
rows from s on and gets what the uninterrupted run would have seen.
"""

import numpy as np

from common.errors import UserError


def pass_order(n, batch, seed, number, shuffle=True):
    """Row order of pass `number` over n images: int64 [n // batch, batch]; a remainder that fills no batch is out."""
    order = np.random.default_rng([seed, number]).permutation(n) if shuffle else np.arange(n)
    return order[: n // batch * batch].reshape(-1, batch)


def batches(n, batch, seed, first=0, shuffle=True):
    """Yields int64 [batch] row numbers, batch after batch, pass after pass, from batch number `first` on, for ever."""
    if not 1 <= batch <= n:
        raise UserError(f"batch size {batch} does not fit a training set of {n} images; choose 1 to {n}")
    per_pass = n // batch
    number, offset = divmod(first, per_pass)
    while True:
        yield from pass_order(n, batch, seed, number, shuffle)[offset:]
        number, offset = number + 1, 0


def programs(n, batch, seed, first, last, per_epoch, per_program, draws=1, shuffle=True):
    """Yields (rows, seeds) of the programs that make steps `first` to `last` (excluded).

    rows int32 [steps, draws, batch], `draws` batches a step; seeds int32 [steps, 2] = (run seed, step number).
    No program crosses the end of an epoch of `per_epoch` steps, so that what is logged and saved there is whole.
    """
    source = batches(n, batch, seed, first * draws, shuffle)
    step = first
    while step < last:
        end = min(last, step + per_program, (step // per_epoch + 1) * per_epoch)
        rows = np.stack([next(source) for _ in range((end - step) * draws)])
        numbers = np.arange(step, end)
        yield (
            rows.reshape(end - step, draws, batch).astype(np.int32),
            np.stack([np.full_like(numbers, seed), numbers], axis=1).astype(np.int32),
        )
        step = end


def programs_per_epoch(per_epoch, per_program):
    """How many programs make one epoch of `per_epoch` steps."""
    return -(-per_epoch // per_program)
