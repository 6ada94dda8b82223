"""Milliseconds a training step: our games, and the same models in PyTorch and JAX where they are installed.

    python benchmarks/step_time.py --game=dense_vae --peers=torch,torch_compile,jax

Each contender is a process of its own, so that no library's threads wait for another's. Contenders take turns, round
after round, because machines are shared and drift; what counts is the ratio within a round. A round times `--steps`
steps after a warm-up that is not counted. Prints one Markdown table row a contender.
"""

import argparse
import importlib.util
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
GAMES = ("dense_vae", "conv_vae", "dcgan")
OURS = ("ours", "ours_jit_on", "ours_jit_off")
PEERS = ("torch", "torch_compile", "jax")


def contender(game, name):
    """A function that makes `steps` steps and returns (seconds, seconds waiting for data, images a step)."""
    if name.startswith("ours"):
        from benchmarks import ours

        return ours.contender(game, {"ours": "auto", "ours_jit_on": "on", "ours_jit_off": "off"}[name])
    if name.startswith("torch"):
        from benchmarks import peers_torch

        return peers_torch.contender(game, compiled=name == "torch_compile")
    from benchmarks import peers_jax

    return peers_jax.contender(game)


def serve(game, name):
    """The child process: for every line "steps" on stdin, times that many steps and answers in JSON."""
    run = contender(game, name)
    for line in sys.stdin:
        seconds, waiting, batch = run(int(line))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "waiting": waiting, "batch": batch, "peak_mb": peak}), flush=True)


class Child:
    """One contender's process, started and warmed up."""

    def __init__(self, game, name, warm_up):
        self.name, self.rounds = name, []
        command = [sys.executable, __file__, "--serve", game, name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        started = time.monotonic()
        self.ask(warm_up)
        self.compile_seconds = time.monotonic() - started

    def ask(self, steps):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line) | {"steps": steps}
        raise SystemExit(f"error: {self.name} ended without an answer; run it alone with --serve to see why")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(game, names, steps, rounds):
    """Times all contenders in turn and prints the table."""
    children = [Child(game, name, steps) for name in names]  # the same program as timed: nothing is traced again
    for _ in range(rounds):
        for child in children:
            child.rounds.append(child.ask(steps))
    print(f"\n{game}: {rounds} rounds of {steps} steps, median (min to max); ratio to {names[0]} within a round\n")
    print("| contender | ms a step | images/s | waiting for data | ratio | first call s | peak MB |")
    print("|---|---|---|---|---|---|---|")
    first = [r["seconds"] for r in children[0].rounds]
    for child in children:
        ms = sorted(1e3 * r["seconds"] / r["steps"] for r in child.rounds)
        ratios = [r["seconds"] / f for r, f in zip(child.rounds, first, strict=True)]
        rate = child.rounds[0]["batch"] * 1e3 / statistics.median(ms)
        waiting = 100 * sum(r["waiting"] for r in child.rounds) / sum(r["seconds"] for r in child.rounds)
        print(
            f"| {child.name} | {statistics.median(ms):.1f} ({ms[0]:.1f} to {ms[-1]:.1f}) | {rate:.0f} "
            f"| {waiting:.1f} % | {statistics.median(ratios):.2f} | {child.compile_seconds:.0f} "
            f"| {child.rounds[-1]['peak_mb']:.0f} |",
            flush=True,
        )
        child.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--game", default=",".join(GAMES))
    parser.add_argument("--ours", default="ours", help=f"of {', '.join(OURS)}")
    parser.add_argument("--peers", default=",".join(PEERS), help="those not installed are left out, and said")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, metavar=("GAME", "CONTENDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
        return
    peers = [p for p in options.peers.split(",") if p]
    missing = {p for p in peers if importlib.util.find_spec(p.split("_")[0]) is None}
    if missing:
        print(f"not installed, left out: {', '.join(sorted(missing))}")
    for game in options.game.split(","):
        compare(game, options.ours.split(",") + [p for p in peers if p not in missing], options.steps, options.rounds)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    main()
