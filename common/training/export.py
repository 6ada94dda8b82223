"""Takes a training out of TensorFlow, to a machine that has an accelerator and jax but no TensorFlow, and back.

    python -m common.training.export write FOLDER reproductions/doersch/digits.py --model=vae --scale=paper
    python FOLDER/run_exported.py FOLDER                        # there: numpy and jax only
    python -m common.training.export read FOLDER reproductions/doersch/digits.py --model=vae --scale=paper

`write` runs the script up to its training and writes the program instead of running it; `read` runs the script, loads
the trained weights where it would train, and goes on to evaluation and record. The flags must ask for one run, the
same for both: `read` compares settings, data, first weights and program, and refuses another training.

The program is many steps with the loop compiled in, or as many as callbacks want to see losses of. Its inputs are rows
and seeds, then what the function captured: data, weights, batch-norm statistics, optimiser slots; `artifact.py` says
how it becomes one of jax. Float32 products are computed in full float32 also where TF32 is the device's default, so
that a training means the same everywhere.
"""

import csv
import hashlib
import json
import math
import pathlib
import re
import runpy
import shutil
import sys

import numpy as np
import tensorflow as tf

from common import machine
from common.errors import UserError
from common.training import checkpoints
from common.training import fit as fit_module
from common.training.artifact import to_artifact

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNNER = "common/training/run_exported.py"  # needs jax: copied, not imported
SHIPPED = ("common/__init__.py", "common/errors.py", "common/data/feeds.py")  # what run_exported.py imports
COMPARED = {"steps": "number of steps", "epoch_steps": "steps an epoch", "batch": "batch size", "seed": "seed",
            "draws": "batches a step", "shuffle": "shuffle", "pixels": "training set", "shapes": "model"}  # fmt: skip
ANEW = "export again into an empty folder"


def export_program(game, folder, *, steps, batch, seed, epoch_steps, shuffle=True, keep=(), longest=200):
    """Writes `game`, as it is now, and its training of `steps` steps into `folder`.

    A program is the largest number of steps up to `longest` that divides an epoch and the training. keep: numbers of
    steps after which the runner keeps a copy of the state. Written again, the same training keeps its trained state.
    Raises UserError if jax or flatbuffers is missing or `folder` holds another export.
    """
    folder = pathlib.Path(folder)
    common_divisor = math.gcd(steps, epoch_steps)
    program_steps = max(d for d in range(1, min(longest, common_divisor) + 1) if common_divisor % d == 0)
    concrete, hlo, text = traced(game, program_steps, batch, "hlo_serialized", "hlo")
    artifact, updates, inputs = to_artifact(hlo)
    of_input, constants = inputs_of(game, concrete)
    if inputs != 2 + len(of_input) + len(constants):  # TensorFlow changed
        raise RuntimeError(f"the program has {inputs} inputs, 2 + {len(of_input)} + {len(constants)} were expected")
    logs = sorted(concrete.structured_outputs)  # tf.nest flattens a dict in this order
    start = {name: np.asarray(variables(game)[number]) for name, number in of_input.items()}
    meta = settings(game, steps=steps, batch=batch, seed=seed, epoch_steps=epoch_steps, shuffle=shuffle) | {
        "program_steps": program_steps, "keep": sorted(keep), "logs": logs,
        "updates": [[output, argument - 2] for output, argument in updates],
        "variables": of_input, "start": {name: digest(value) for name, value in start.items()},
        "constants": {name: digest(value) for name, value in constants.items()},
        "program": program_digest(text),
    }  # fmt: skip
    meta |= {"id": meta_id(meta), "artifact": hashlib.sha256(artifact).hexdigest()}
    if (folder / "meta.json").exists() and read_meta(folder)["id"] != meta["id"]:
        raise UserError(f"{folder} holds another export; choose an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "program.jaxexport").write_bytes(artifact)
    np.savez(folder / "constants.npz", **constants)
    np.savez(folder / "start.npz", id=meta["id"], steps_done=0, log=np.zeros((0, len(logs) + 1)), **start)
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))
    ship_runner(folder)


def settings(game, *, steps, batch, seed, epoch_steps, shuffle):
    """What can be said of a training before its program is traced; JSON's types alone."""
    return {
        "steps": steps, "epoch_steps": epoch_steps, "batch": batch, "seed": seed, "draws": game.draws,
        "shuffle": shuffle, "images": len(game.images), "pixels": digest(game.images),
        "shapes": [list(v.shape) for v in variables(game)],
    }  # fmt: skip


def digest(array):
    """16 hex digits of an array's type, shape and values."""
    array = np.ascontiguousarray(array)
    return hashlib.sha256(f"{array.dtype} {array.shape} ".encode() + array.tobytes()).hexdigest()[:16]


def program_digest(text):
    """16 hex digits of a program's HLO: of its instructions without names, in any order.

    Names hold running numbers, and XLA sorts by name: both depend on what the process made before.
    """
    text = re.sub(r", metadata=\{[^}]*\}", "", text.split("\n", 1)[1])  # the first line names the module
    lines = sorted(re.sub(r"%[\w.\-]+|[A-Za-z_][\w\-]*[._]\d[\w.\-]*", "%", line) for line in text.splitlines())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def meta_id(meta):
    """The id of an export, which all its states have: 16 hex digits of what meta.json says. run_exported has it too."""
    text = json.dumps({k: v for k, v in meta.items() if k not in ("id", "artifact")}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def traced(game, program_steps, batch, *stages):
    """(concrete function, its HLO in each of XLA's `stages`) of `game.program` on whole programs, with its loop."""
    game.step_function = game.one_step
    rows = tf.zeros([program_steps, game.draws, batch], tf.int32)
    seeds = tf.zeros([program_steps, 2], tf.int32)
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        program = tf.function(game.program, jit_compile=True)
        lowered = program.experimental_get_compiler_ir(rows, seeds)
        return program.get_concrete_function(rows, seeds), *(lowered(stage=stage) for stage in stages)
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(tf32)
        game.prepare_to_run()


def inputs_of(game, concrete):
    """What the program captured: {input: number of the game's variable}, {input: array that no step changes}."""
    place = {id(v.value.handle): number for number, v in enumerate(variables(game))}
    captured = {f"{number:04d}": tensor for number, tensor in enumerate(concrete.captured_inputs)}
    of_input = {name: place[id(tensor)] for name, tensor in captured.items() if id(tensor) in place}
    constants = {name: tensor for name, tensor in captured.items() if name not in of_input}
    if any(tensor.dtype == tf.resource for tensor in constants.values()):
        raise RuntimeError("the program uses a variable that is no weight, statistic or optimiser slot of the game")
    return of_input, {name: tensor.numpy() for name, tensor in constants.items()}


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
    """Loads what the runner saved into `game`; returns the steps done. Raises UserError if no whole state fits."""
    path, meta = pathlib.Path(folder) / file, read_meta(folder)
    of_game = variables(game)
    if meta["shapes"] != [list(v.shape) for v in of_game]:
        raise UserError(f"{folder} was exported from another model; give the flags it was exported with")
    saved = read_arrays(path, meta)
    for name, number in meta["variables"].items():
        of_game[number].assign(saved[name])
    game.steps_done.assign(int(saved["steps_done"]))
    return int(game.steps_done.value)


def read_arrays(path, meta):
    """{name: array} of a state; raises UserError if it is damaged or belongs to another export than `meta`."""
    if not path.exists() and path.name != "start.npz":
        raise UserError(f"no trained state {path}; run {path.parent / 'run_exported.py'} first")
    advice = ANEW if path.name == "start.npz" else "delete state.npz and run run_exported.py again"
    try:
        with np.load(path) as file:
            saved = {name: file[name] for name in file.files}
        shapes = {"steps_done": []} | {name: meta["shapes"][number] for name, number in meta["variables"].items()}
        if any(list(saved[name].shape) != shape for name, shape in shapes.items()) or saved["log"].ndim != 2:
            raise ValueError("arrays of other shapes")
    except Exception as error:  # numpy and zipfile raise many kinds for broken bytes
        raise UserError(f"{path} is damaged ({checkpoints.first_line(error)}); {advice}") from error
    if str(saved.get("id")) != meta["id"]:
        raise UserError(f"{path} belongs to another export than meta.json; {advice}")
    return saved


def read_meta(folder):
    """What the export wrote about itself; raises UserError if `folder` holds no export or a damaged one."""
    path = pathlib.Path(folder) / "meta.json"
    try:
        meta = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} holds no exported training ({checkpoints.first_line(error)}); {ANEW}") from error
    if not isinstance(meta, dict) or meta.get("id") != meta_id(meta):
        raise UserError(f"{path} is damaged or of older code; {ANEW}")
    return meta


def refuse_another(folder, meta, game, here):
    """Raises UserError if the export in `folder` is not that of `game`, untrained, with the settings `here`."""
    advice = f"give the flags it was exported with, or {ANEW}"
    for key, what in COMPARED.items():
        if meta[key] != here[key]:
            values = f": {meta[key]}, not {here[key]}" if isinstance(here[key], int) else ""
            raise UserError(f"{folder} was exported with another {what}{values}; {advice}")
    start, values = read_arrays(pathlib.Path(folder) / "start.npz", meta), variables(game)
    for name, number in meta["variables"].items():  # another processor may round the first weights otherwise
        if not np.allclose(start[name], values[number], rtol=1e-5, atol=1e-8):
            raise UserError(f"{folder} was exported with other first weights or another learning rate; {advice}")
    concrete, text = traced(game, meta["program_steps"], meta["batch"], "hlo")
    of_input, constants = inputs_of(game, concrete)
    found = (of_input, {name: digest(value) for name, value in constants.items()}, program_digest(text))
    if found != (meta["variables"], meta["constants"], meta["program"]):
        raise UserError(f"{folder} was exported with another program (options, code or TensorFlow version); {advice}")


class Written(Exception):
    """Ends a script at its training: the program is written."""


def writing_fit(folder):
    """A stand-in for common.training.fit.fit that exports the training and ends the script."""

    def fit(game, *, steps, batch, seed, work, epoch_steps=None, program_steps=20, shuffle=True, callbacks=(), **_):
        epoch_steps = epoch_steps or max(1, len(game.images) // (batch * game.draws))  # as common.training.fit has it
        ends = [min(steps, end + epoch_steps) for end in range(0, steps, epoch_steps)]  # of the epochs
        kept = set().union(*(kept_after(callback, ends) for callback in callbacks))
        longest = program_steps if any(hasattr(callback, "moments") for callback in callbacks) else 200
        export_program(game, folder, steps=steps, batch=batch, seed=seed, epoch_steps=epoch_steps, shuffle=shuffle,
                       keep=kept, longest=longest)  # fmt: skip
        raise Written

    return fit


def kept_after(callback, ends) -> set:
    """The steps after which `callback` needs the state; `ends`: the last steps of the epochs.

    Raises UserError for a callback that does more than keep states and single steps' losses.
    """
    if isinstance(callback, checkpoints.LastStates):
        return set(ends[-callback.count :])
    if getattr(callback, "only_watches", False):
        return {ends[epoch - 1] for epoch in getattr(callback, "epochs", ())}
    raise UserError(f"this training uses {type(callback).__name__}, which an exported program cannot call")


def reading_fit(folder, original):
    """A stand-in for common.training.fit.fit that takes the trained state from `folder` where it would train."""

    def fit(game, *, steps, batch, seed, work, epoch_steps=None, shuffle=True, callbacks=(), **rest):
        work, meta = pathlib.Path(work), read_meta(folder)
        epoch_steps = epoch_steps or max(1, len(game.images) // (batch * game.draws))
        sequence = {"steps": steps, "batch": batch, "seed": seed, "epoch_steps": epoch_steps, "shuffle": shuffle}
        refuse_another(folder, meta, game, settings(game, **sequence))
        state = read_arrays(pathlib.Path(folder) / "state.npz", meta)
        if int(state["steps_done"]) != steps:
            raise UserError(
                f"{folder} is trained for {state['steps_done']} of {steps} steps; run its run_exported.py again"
            )
        work.mkdir(parents=True, exist_ok=True)
        replay(game, folder, meta, state["log"], callbacks)
        import_state(game, folder)
        write_log(meta, state["log"], work / "log.csv")
        checkpoints.save(game, work)
        (work / "trained_on").write_text(trained_on(folder), encoding="utf-8")  # for who evaluates it again
        return original(game, **sequence, work=work, callbacks=callbacks, **rest)  # finds a finished training

    return fit


def trained_on(folder) -> str:
    """The device that trained what is in `folder`."""
    return str(read_arrays(pathlib.Path(folder) / "state.npz", read_meta(folder)).get("device", "another machine"))


def replay(game, folder, meta, log, callbacks):
    """Calls `callbacks` as the training would have: every program's losses, and the states that were kept."""
    per_epoch, epochs = meta["epoch_steps"] // meta["program_steps"], -(-meta["steps"] // meta["epoch_steps"])
    game.steps_done.assign(0)
    for callback in callbacks:
        callback.set_model(game)
        callback.set_params({"epochs": epochs, "steps": per_epoch})
        callback.on_train_begin()
    for epoch in range(epochs) if callbacks else ():
        for callback in callbacks:
            callback.on_epoch_begin(epoch)
        for batch, row in enumerate(log[epoch * per_epoch : (epoch + 1) * per_epoch]):
            done = (epoch * per_epoch + batch + 1) * meta["program_steps"]
            game.steps_done.assign(done)
            if done in meta["keep"]:
                import_state(game, folder, f"kept-{done:08d}.npz")
            for callback in callbacks:
                callback.on_train_batch_end(batch, dict(zip(meta["logs"], row, strict=False)))
        for callback in callbacks:
            callback.on_epoch_end(epoch)


def write_log(meta, log, path):
    """The log.csv that a training here would have written: a row an epoch."""
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
    original, hardware = fit_module.fit, machine.hardware
    fit_module.fit = writing_fit(folder) if verb == "write" else reading_fit(folder, original)
    if verb == "read":
        machine.hardware = lambda: hardware() | {"trained_on": trained_on(folder)}  # the record says both
    sys.argv = [script, *flags, "--rerun"]  # a record that is there already must not end the script before it trains
    try:
        runpy.run_path(script, run_name="__main__")
    except Written:
        print(f"written: {folder}; run it with: python {folder}/run_exported.py {folder}", flush=True)
    finally:
        fit_module.fit, machine.hardware = original, hardware


def fail(message):
    """Ends the process with one line on stderr and exit code 2."""
    sys.stderr.write(f"error: {message}\n")
    sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
