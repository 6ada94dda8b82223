"""Takes a training out of TensorFlow, to a machine that has an accelerator and jax but no TensorFlow, and back.

    python -m common.training.export write FOLDER reproductions/doersch/digits.py --model=vae --scale=paper
    python FOLDER/run_exported.py FOLDER                        # there: numpy and jax only
    python -m common.training.export read FOLDER reproductions/doersch/digits.py --model=vae --scale=paper

`write` runs the script up to its training and writes the program instead of running it; `read` runs the script, loads
the trained weights where it would train, and goes on to evaluation and record. The flags must ask for one run.

The program is many steps with the loop compiled in. TensorFlow gives its HLO, which becomes StableHLO inside a
`jax.export` artifact. Its inputs are rows and seeds, then what the function captured: data, weights, batch-norm
statistics, optimiser slots. The HLO says which output is the new value of which input. Float32 products are computed
in full float32 also where TF32 is the device's default, so that a training means the same everywhere.
"""

import csv
import dataclasses
import json
import math
import pathlib
import re
import runpy
import shutil
import sys

import numpy as np
import tensorflow as tf

from common.errors import UserError
from common.training import checkpoints
from common.training import fit as fit_module

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNNER = "common/training/run_exported.py"  # needs jax: copied, not imported
SHIPPED = ("common/__init__.py", "common/errors.py", "common/data/feeds.py")  # what run_exported.py imports
DTYPES = {"f32": "float32", "f64": "float64", "bf16": "bfloat16", "f16": "float16", "s32": "int32", "s64": "int64",
          "u8": "uint8", "u32": "uint32", "u64": "uint64", "pred": "bool"}  # fmt: skip


def export_program(game, folder, *, steps, batch, seed, epoch_steps, shuffle=True, keep=(), longest=200):
    """Writes `game`, as it is now, and its training of `steps` steps into `folder`.

    A program is the largest number of steps up to `longest` that divides an epoch and the training. keep: numbers of
    steps after which the runner keeps a copy of the state. Raises UserError if jax or flatbuffers is missing.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    common_divisor = math.gcd(steps, epoch_steps)
    program_steps = max(d for d in range(1, min(longest, common_divisor) + 1) if common_divisor % d == 0)
    concrete, hlo = traced(game, program_steps, batch)
    artifact, updates, inputs = to_artifact(hlo)
    captured = concrete.captured_inputs
    if inputs != 2 + len(captured):
        raise RuntimeError(f"the program has {inputs} inputs, {2 + len(captured)} were expected")  # TensorFlow changed
    place = {id(v.value.handle): number for number, v in enumerate(variables(game))}
    of_input = {number: place[id(tensor)] for number, tensor in enumerate(captured) if id(tensor) in place}
    constants = {n: tensor for n, tensor in enumerate(captured) if n not in of_input}
    if any(tensor.dtype == tf.resource for tensor in constants.values()):
        raise RuntimeError("the program uses a variable that is no weight, statistic or optimiser slot of the game")
    values = [np.asarray(v) for v in variables(game)]
    logs = sorted(concrete.structured_outputs)  # tf.nest flattens a dict in this order
    (folder / "program.jaxexport").write_bytes(artifact)
    np.savez(folder / "constants.npz", **{f"{n:04d}": tensor.numpy() for n, tensor in constants.items()})
    start = {f"{n:04d}": values[number] for n, number in of_input.items()}
    np.savez(folder / "start.npz", steps_done=0, log=np.zeros((0, len(logs) + 1)), **start)
    meta = {
        "steps": steps, "program_steps": program_steps, "epoch_steps": epoch_steps, "batch": batch, "seed": seed,
        "draws": game.draws, "shuffle": shuffle, "images": len(game.images), "keep": sorted(keep), "logs": logs,
        "updates": [[output, argument - 2] for output, argument in updates],
        "variables": {f"{n:04d}": number for n, number in of_input.items()},
        "shapes": [list(value.shape) for value in values],
    }  # fmt: skip
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))
    ship_runner(folder)


def traced(game, program_steps, batch):
    """(concrete function, serialised HLO) of `game.program` on whole programs, compiled with its loop."""
    game.step_function = game.one_step
    rows = tf.zeros([program_steps, game.draws, batch], tf.int32)
    seeds = tf.zeros([program_steps, 2], tf.int32)
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        program = tf.function(game.program, jit_compile=True)
        return program.get_concrete_function(rows, seeds), program.experimental_get_compiler_ir(rows, seeds)(
            stage="hlo_serialized"
        )
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(tf32)
        game.prepare_to_run()


def to_artifact(hlo):
    """Serialised HLO -> (jax.export artifact, [(output, input it updates)], number of inputs)."""
    try:
        import flatbuffers  # noqa: F401 (jax.export writes with it)
        import jax
        from jax import export
    except ImportError as error:
        raise UserError(f"an export needs jax and flatbuffers: pip install jax flatbuffers ({error})") from error
    try:  # parts of jax that no public name gives
        from jax._src.interpreters import mlir
        from jaxlib import _jax, xla_client
        from jaxlib.mlir import ir
        from jaxlib.mlir.dialects import stablehlo
    except ImportError as error:
        raise UserError(
            f"this version of jax, {jax.__version__}, is not supported; constraints.txt names one that is ({error})"
        ) from error

    computation = xla_client.XlaComputation(hlo)
    header = computation.as_hlo_text().split("\n", 1)[0]
    updates = [(int(o), int(i)) for o, i in re.findall(r"\{(\d+)\}: \((\d+),", header)]
    layout = re.search(r"entry_computation_layout=\{\((.*)\)->\((.*)\)\}", header)

    def types(text):
        found = re.findall(r"\b([a-z]+\d*)\[([\d,]*)\]", text)
        return [jax.ShapeDtypeStruct([int(d) for d in dims.split(",") if d], DTYPES[kind]) for kind, dims in found]

    jax.config.update("jax_enable_x64", True)
    inputs, outputs = types(layout.group(1)), types(layout.group(2))
    with mlir.make_ir_context() as context:
        context.allow_unregistered_dialects = True
        module = ir.Module.parse(_jax.mlir.xla_computation_to_mlir_module(computation))
        erase_copies(module.operation)
        portable = stablehlo.serialize_portable_artifact(module, stablehlo.get_minimum_version())
    # jax makes the shell, a function of the same types; the module inside it is exchanged.
    zeros = jax.jit(lambda *_: tuple(jax.numpy.zeros(output.shape, output.dtype) for output in outputs))
    exported = dataclasses.replace(
        export.export(zeros)(*inputs), mlir_module_serialized=portable, module_kept_var_idx=tuple(range(len(inputs)))
    )
    return exported.serialize(), updates, len(inputs)


def erase_copies(operation):
    """HLO's copies inside loops have no counterpart in StableHLO; a value is its own copy."""
    for region in operation.regions:
        for block in region.blocks:
            for inner in list(block.operations):
                erase_copies(inner.operation)
                if inner.operation.name == "mhlo.copy":
                    inner.operation.results[0].replace_all_uses_with(inner.operation.operands[0])
                    inner.operation.erase()


def variables(game):
    """All a training changes but its number of steps, in an order that does not depend on names."""
    of_optimisers = [v for optimizer in game.player_optimizers for v in optimizer.variables]
    return [v for v in game.variables if v is not game.steps_done] + of_optimisers


def ship_runner(folder):
    """The runner and what it imports, so that the folder is all that travels."""
    shutil.copyfile(ROOT / RUNNER, folder / "run_exported.py")
    for name in SHIPPED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "common/data/__init__.py").write_text("")  # the package's own imports stay behind


def import_state(game, folder, file="state.npz"):
    """Loads a state that the runner saved in `folder` into `game`; returns the number of steps done.

    Raises UserError if there is none, or if the game has other variables than the exported one.
    """
    path = pathlib.Path(folder) / file
    meta = read_meta(folder)
    if not path.exists():
        raise UserError(f"no trained state {path}; run {pathlib.Path(folder) / 'run_exported.py'} first")
    of_game = variables(game)
    if meta["shapes"] != [list(v.shape) for v in of_game]:
        raise UserError(f"{folder} was exported from another model; give the flags it was exported with")
    with np.load(path) as saved:
        for name, number in meta["variables"].items():
            of_game[number].assign(saved[name])
        game.steps_done.assign(int(saved["steps_done"]))
    return int(game.steps_done.value)


def read_meta(folder):
    """What the export wrote about itself; raises UserError if `folder` holds no export."""
    try:
        return json.loads((pathlib.Path(folder) / "meta.json").read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} holds no exported training ({checkpoints.first_line(error)})") from error


class Written(Exception):
    """Ends a script at its training: the program is written."""


def writing_fit(folder):
    """A stand-in for common.training.fit.fit that exports the training and ends the script."""

    def fit(game, *, steps, batch, seed, work, epoch_steps=None, shuffle=True, callbacks=(), **_):
        epoch_steps = epoch_steps or max(1, len(game.images) // (batch * game.draws))
        last = [callback for callback in callbacks if isinstance(callback, checkpoints.LastStates)]
        if len(last) < len(callbacks):
            raise UserError("this training uses callbacks, which an exported program cannot call")
        epochs = -(-steps // epoch_steps)
        kept = {min(steps, (epoch + 1) * epoch_steps) for each in last for epoch in range(epochs)[-each.count :]}
        export_program(game, folder, steps=steps, batch=batch, seed=seed, epoch_steps=epoch_steps, shuffle=shuffle,
                       keep=kept)  # fmt: skip
        raise Written

    return fit


def reading_fit(folder, original):
    """A stand-in for common.training.fit.fit that takes the trained state from `folder` where it would train."""

    def fit(game, *, steps, work, callbacks=(), **rest):
        work, meta = pathlib.Path(work), read_meta(folder)
        for callback in callbacks:
            callback.folder.mkdir(parents=True, exist_ok=True)
            for kept in meta["keep"][-callback.count :]:
                import_state(game, folder, f"kept-{kept:08d}.npz")
                epoch = -(-kept // meta["epoch_steps"]) - 1
                game.save_weights(callback.folder / f"{epoch:06d}.weights.h5", overwrite=True)
        done = import_state(game, folder)
        if done != steps:
            raise UserError(f"{folder} is trained for {done} of {steps} steps; run its run_exported.py again")
        work.mkdir(parents=True, exist_ok=True)
        write_log(folder, meta, work / "log.csv")
        checkpoints.save(game, work)
        return original(game, steps=steps, work=work, callbacks=callbacks, **rest)  # finds a finished training

    return fit


def write_log(folder, meta, path):
    """The log.csv that a training here would have written: a row an epoch."""
    with np.load(pathlib.Path(folder) / "state.npz") as saved:
        log = saved["log"]
    per_epoch = meta["epoch_steps"] // meta["program_steps"]
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        names = [*meta["logs"], "seconds"]
        writer.writerow(["epoch", *sorted(names)])
        for epoch, first in enumerate(range(0, len(log), per_epoch)):
            rows = log[first : first + per_epoch]
            values = dict(zip(names, [*rows[:, :-1].mean(0), rows[:, -1].sum()], strict=True))
            writer.writerow([epoch, *(float(values[name]) for name in sorted(names))])


def main(arguments):
    if len(arguments) < 3 or arguments[0] not in ("write", "read"):
        fail("use: python -m common.training.export write|read FOLDER SCRIPT [its flags]")
    verb, folder, script, *flags = arguments
    if not pathlib.Path(script).is_file():
        fail(f"no script {script}; name one such as reproductions/doersch/digits.py")
    original = fit_module.fit
    fit_module.fit = writing_fit(folder) if verb == "write" else reading_fit(folder, original)
    sys.argv = [script, *flags, "--rerun"]  # a record that is there already must not end the script before it trains
    try:
        runpy.run_path(script, run_name="__main__")
    except Written:
        print(f"written: {folder}; run it with: python {folder}/run_exported.py {folder}", flush=True)
    finally:
        fit_module.fit = original


def fail(message):
    """Ends the process with one line on stderr and exit code 2."""
    sys.stderr.write(f"error: {message}\n")
    sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
