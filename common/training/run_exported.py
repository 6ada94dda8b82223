"""Runs an exported training with numpy and jax alone, on any device that jax knows: no TensorFlow, no Keras.

    python run_exported.py FOLDER --seconds=240

FOLDER is what `python -m common.training.export write` made; it holds this file too, and is all that has to travel.
A call goes on where the last one stopped, saves its state as it goes, and ends when the training is done or its
seconds are over: exit code 0 if it is done, 3 if there is more to do, 2 if the folder is damaged, 1 if a loss is not
finite. `export read` takes it back into Keras.
"""

import argparse
import dataclasses
import hashlib
import json
import pathlib
import sys
import time

import jax
import numpy as np
from jax import export

from common.data import feeds

MORE_TO_DO = 3
AHEAD = 100  # steps given to the device before one waits for their losses: small programs would wait longer than run
ANEW = "export again into an empty folder"


def run(folder, seconds=float("inf"), save_every=60.0):
    """Trains for at most `seconds`; returns the number of steps done and of all steps."""
    folder, started = pathlib.Path(folder), time.monotonic()
    jax.config.update("jax_enable_x64", True)
    meta = read_meta(folder)
    inputs, done, log = load(folder)
    program = compiled(folder, meta)
    per_program, last_saved, begun = meta["program_steps"], started, done
    programs = feeds.programs(
        meta["images"], meta["batch"], meta["seed"], done, meta["steps"], meta["steps"], per_program, meta["draws"],
        meta["shuffle"],
    )  # fmt: skip
    waiting, before = [], time.monotonic()  # losses of programs that the device has been given, newest last
    over = seconds <= 0
    while done < meta["steps"] and not over:
        outputs = program(*next(programs), *inputs)
        for output, argument in meta["updates"]:
            inputs[argument] = outputs[output]
        waiting.append(outputs[: len(meta["logs"])])
        done += per_program
        over = time.monotonic() - started >= seconds
        to_keep = done in meta["keep"] or done == meta["steps"]
        if over or to_keep or len(waiting) * per_program >= AHEAD:
            values = np.array([[float(value) for value in row] for row in waiting])  # waits until they have ended
            now = time.monotonic()
            log += [[*row, (now - before) / len(values)] for row in values.tolist()]
            waiting, before = [], now
            if not np.isfinite(values).all():
                sys.exit(f"error: a loss is not finite in one of the steps before {done}; the last saved state is kept")
            if to_keep or now - last_saved > save_every:
                save(folder, meta, inputs, done, log)
                last_saved = before = time.monotonic()
                print(f"{done} of {meta['steps']} steps, {last_saved - started:.0f} s", flush=True)
    save(folder, meta, inputs, done, log)
    report(done - begun, log[len(log) - (done - begun) // per_program :], per_program)
    return done, meta["steps"]


def read_meta(folder):
    """What the export says about itself; a folder that is no export, or a damaged one, ends the process."""
    files = ("meta.json", "program.jaxexport", "constants.npz", "start.npz")
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        fail(f"{folder} is no exported training: it lacks {', '.join(missing)}; {ANEW}")
    try:
        meta = json.loads((folder / "meta.json").read_text())
    except ValueError:
        meta = None
    if not isinstance(meta, dict) or meta.get("id") != meta_id(meta):
        fail(f"{folder / 'meta.json'} is damaged or of older code; {ANEW}")
    return meta


def meta_id(meta):
    """As in common.training.export, which is not here."""
    text = json.dumps({k: v for k, v in meta.items() if k not in ("id", "artifact")}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def compiled(folder, meta):
    """The program as a jax function; the state it updates is given away to it (its memory is used again)."""
    artifact = (folder / "program.jaxexport").read_bytes()
    if hashlib.sha256(artifact).hexdigest() != meta.get("artifact"):
        fail(f"{folder / 'program.jaxexport'} is damaged; {ANEW}")
    exported = export.deserialize(artifact)
    platform = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
    exported = dataclasses.replace(exported, platforms=(platform,))  # the module inside names no device
    return jax.jit(exported.call, donate_argnums=[2 + argument for _, argument in meta["updates"]])


def load(folder):
    """(inputs of the program, steps done, log rows) of the last saved state, or of the start."""
    folder = pathlib.Path(folder)
    meta = read_meta(folder)
    arrays = read_arrays(folder / "constants.npz", meta["constants"], ANEW)
    path, advice = folder / "state.npz", "delete it to train from the start"
    if not path.exists():
        path, advice = folder / "start.npz", ANEW
    saved = read_arrays(path, [*meta["variables"], "steps_done", "log"], advice)
    if str(saved.get("id")) != meta["id"]:
        fail(f"{path} belongs to another export than meta.json; {advice}")
    arrays |= {name: saved[name] for name in meta["variables"]}
    return [jax.numpy.asarray(arrays[name]) for name in sorted(arrays)], int(saved["steps_done"]), saved["log"].tolist()


def read_arrays(path, names, advice):
    """{name: array} of an npz file; a damaged one, or one that lacks some of `names`, ends the process."""
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # numpy and zipfile raise many kinds for broken bytes
        fail(f"{path} is damaged ({error}); {advice}")
    missing = sorted(set(names) - set(arrays))
    if missing:
        fail(f"{path} is damaged (it lacks {', '.join(missing[:3])}); {advice}")
    return arrays


def fail(message):
    """Ends the process with one line on stderr and exit code 2."""
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    sys.exit(2)


def save(folder, meta, inputs, done, log):
    """Writes the state whole or not at all, and once more under its own name where the training asks to keep it."""
    arrays = {name: np.asarray(inputs[int(name)]) for name in meta["variables"]}
    names = ["state.npz"] + ([f"kept-{done:08d}.npz"] if done in meta["keep"] else [])
    for name in reversed(names):
        temporary = folder / f"writing-{name}"
        rows = np.array(log, np.float64).reshape(-1, len(meta["logs"]) + 1)
        np.savez(temporary, id=meta["id"], steps_done=done, log=rows, device=jax.devices()[0].device_kind, **arrays)
        temporary.replace(folder / name)


def report(steps, log, per_program):
    """How fast it went; the first program of a call holds the compilation."""
    if len(log) < 2:
        return
    seconds = [row[-1] for row in log]
    rest = sum(seconds[1:]) / (len(log) - 1) / per_program
    print(f"{steps} steps in {sum(seconds):.1f} s on {jax.devices()[0].device_kind}: first program {seconds[0]:.1f} s, "
          f"then {1000 * rest:.3f} ms a step", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this long, state saved")
    parser.add_argument("--save_every", type=float, default=60.0, help="seconds between saved states")
    flags = parser.parse_args()
    done, steps = run(flags.folder, flags.seconds, flags.save_every)
    print(f"{done} of {steps} steps done", flush=True)
    sys.exit(0 if done == steps else MORE_TO_DO)


if __name__ == "__main__":
    main()
