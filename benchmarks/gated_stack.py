"""Milliseconds a training step of the bare gated stack: ours, and the same in PyTorch where it is installed.

    python benchmarks/gated_stack.py --maps=16 --blocks=12

A 7x7 and --blocks 5x5 blocks on binary images, cross-entropy, backward, Adam; batch 100. Nobody computes taps that a
mask would zero: both have 4x7 and 3x5 vertical filters, and 1x3 horizontal ones. Ours has weight normalisation on top,
as the models have it. PyTorch's layout is channels-last, its faster one. Each contender is a process of its own; they
take turns, and what counts is the ratio within a round. Prints one Markdown table row a contender.
"""

import argparse
import importlib.util
import json
import pathlib
import statistics
import subprocess
import sys
import time

BATCH, SIDE = 100, 28


def ours(maps, blocks, dtype):
    """A function that makes one step."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
    import common.start  # noqa: F401

    # isort: split
    import keras
    import tensorflow as tf

    from common.nets.gated import GatedStack
    from common.nets.precision import precision

    x = tf.cast(tf.random.stateless_uniform([BATCH, SIDE, SIDE, 1], [1, 2]) < 0.2, tf.float32)
    with precision(dtype):
        net = GatedStack(blocks, maps, 5)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(net.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(x, net(x))) / BATCH
        optimizer.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
        return loss

    return lambda: float(step())


def pytorch(maps, blocks, dtype, compiled):
    """A function that makes one step."""
    import torch
    from torch import nn
    from torch.nn import functional

    def gate(x):
        a, b = x.chunk(2, 1)
        return torch.tanh(a) * torch.sigmoid(b)

    class Block(nn.Module):
        def __init__(self, inputs, size, first):
            super().__init__()
            self.half, self.first = size // 2, first
            self.vertical = nn.Conv2d(inputs, 2 * maps, (size // 2 + 1, size))
            self.horizontal = nn.Conv2d(inputs, 2 * maps, (1, size // 2 + (not first)))
            self.v2h, self.out = nn.Conv2d(2 * maps, 2 * maps, 1), nn.Conv2d(maps, maps, 1)

        def forward(self, v, h):
            half = self.half
            p = self.vertical(functional.pad(v, (half, half, half, 0)))
            left = functional.pad(h, (half, 0, 0, 0))
            pre = self.horizontal(left[..., :-1] if self.first else left)
            new = self.out(gate(pre + functional.pad(self.v2h(p), (0, 0, 1, 0))))
            return gate(p), new if self.first else new + h

    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([Block(1, 7, True), *(Block(maps, 5, False) for _ in range(blocks))])
            self.head = nn.ModuleList([nn.Conv2d(maps, 2 * maps, 1) for _ in range(2)])
            self.logits = nn.Conv2d(maps, 1, 1)

        def forward(self, x):
            v, h = x[:, :, :-1], x
            for block in self.blocks:
                v, h = block(v, h)
            for layer in self.head:
                h = gate(layer(h))
            return self.logits(h)

    x = (torch.rand(BATCH, 1, SIDE, SIDE) < 0.2).float().to(memory_format=torch.channels_last)
    net = Stack().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    forward = torch.compile(net) if compiled else net

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            logits = forward(x)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), x, reduction="sum") / BATCH
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


CONTENDERS = {
    "torch": lambda *sizes: pytorch(*sizes, "float32", False),
    "torch_compile": lambda *sizes: pytorch(*sizes, "float32", True),
    "torch_bfloat16": lambda *sizes: pytorch(*sizes, "bfloat16", False),
    "ours": lambda *sizes: ours(*sizes, "float32"),
    "ours_bfloat16": lambda *sizes: ours(*sizes, "bfloat16"),
}


def serve(name, maps, blocks):
    """The child process: for every line "steps" on stdin, makes that many steps and answers their seconds."""
    step = CONTENDERS[name](maps, blocks)
    for line in sys.stdin:
        started, processor = time.perf_counter(), time.process_time()
        losses = [step() for _ in range(int(line))]
        answer = {"seconds": time.perf_counter() - started, "processor": time.process_time() - processor}
        print(json.dumps(answer | {"loss": losses[-1]}), flush=True)


class Child:
    """One contender's process, started and warmed up."""

    def __init__(self, name, options):
        command = [sys.executable, __file__, f"--maps={options.maps}", f"--blocks={options.blocks}", f"--serve={name}"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.name, self.rounds = name, []
        self.ask(2)

    def ask(self, steps):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(
            f"error: {self.name} ended without an answer; run it alone with --serve={self.name} to see why"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=int, default=16)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--contenders", default=",".join(CONTENDERS), help="the first is what the others are divided by"
    )
    parser.add_argument("--serve", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.maps, options.blocks)
        return
    names = options.contenders.split(",")
    if importlib.util.find_spec("torch") is None:
        print("not installed, left out: torch")
        names = [name for name in names if not name.startswith("torch")]
    children = [Child(name, options) for name in names]
    for _ in range(options.rounds):
        for child in children:
            child.rounds.append(child.ask(options.steps))
    print(f"\n{options.maps} maps, 7x7 and {options.blocks} 5x5 blocks, batch {BATCH}; {options.rounds} rounds of "
          f"{options.steps} steps, median; ratio to {names[0]} within a round\n")  # fmt: skip
    print("| contender | ms a step | ratio | processor ms a step |")
    print("|---|--:|--:|--:|")
    first = [r["seconds"] for r in children[0].rounds]
    for child in children:
        wall, processor = (
            statistics.median(1e3 * r[key] / options.steps for r in child.rounds) for key in ("seconds", "processor")
        )
        ratio = statistics.median(r["seconds"] / f for r, f in zip(child.rounds, first, strict=True))
        print(f"| {child.name} | {wall:.0f} | {ratio:.2f} | {processor:.0f} |", flush=True)
        child.process.stdin.close()
        child.process.wait()


if __name__ == "__main__":
    main()
