"""A game: networks that learn together, each player with its own loss and optimiser, and one compiled training step.

A VAE has one player, a GAN two, a CVAE-GAN four. A subclass says what is optimised (`objectives`) and nothing else:

    class VAE(Game):
        def objectives(self, batch, noise, turn):
            ...
            return {"vae": loss, "kl": kl}      # one loss for each player of the turn; the rest is logged

The step gathers its rows from the images on the device, scales and binarises them there, draws its noise from a
stateless seed and updates the players of each turn.
"""

import dataclasses

import keras
import tensorflow as tf

from common.data.binarise import KINDS
from common.data.binary import require_binary
from common.errors import UserError
from common.probability import draws

# Where a player moves twice in a step, TensorFlow's dependency optimizer (2.21) lets the second turn read weights while
# the first still writes them. It must be off before the first graph runs.
tf.config.optimizer.set_experimental_options({"dependency_optimization": False})


@dataclasses.dataclass(frozen=True)
class Player:
    """Networks that one loss trains with one optimiser."""

    name: str
    networks: tuple
    optimizer: keras.optimizers.Optimizer

    @property
    def variables(self):
        return [v for network in self.networks for v in network.trainable_variables]


class Noise:
    """The random numbers of one training step, a pure function of (run seed, step, turn, place in the code).

    Under a distribution strategy each replica draws for the whole batch and keeps its own part, so the noise of an
    image does not depend on how many devices share the batch.
    """

    def __init__(self, seed, turn=0):
        self.seed = draws.fold_in(tf.cast(seed, tf.int32), turn)
        self.calls = 0

    def uniform(self, *shape):
        """U[0, 1) draws; the first axis of `shape` is the batch."""
        return draws.as_uniform(self._bits(shape))

    def normal(self, *shape):
        """N(0, 1) draws; the first axis of `shape` is the batch."""
        return tf.squeeze(draws.as_normal(self._bits([shape[0], 2, *shape[1:]]), axis=1), 1)

    def _bits(self, shape):
        self.calls += 1
        seed = draws.fold_in(self.seed, self.calls)
        context = tf.distribute.get_replica_context()
        replicas = context.num_replicas_in_sync if context else 1
        if replicas == 1:
            return draws.bits(shape, seed)
        first = context.replica_id_in_sync_group * shape[0]
        return draws.bits([replicas * shape[0], *shape[1:]], seed)[first : first + shape[0]]


class Game(keras.Model):
    """Base of all trained models.

    images: uint8 [N, H, W, C], kept on the device. labels: int [N] or None.
    binarisation: one of `common.data.binarise.KINDS`; "dynamic" draws x = 1[u < pixel/255] anew in every step.
    players: the players; turns: who moves together, in order. (("critic",),) * 5 + (("generator",),) is five critic
    updates, then one of the generator. draws: how many batches a step consumes; turn k sees batch min(k, draws - 1).
    jit_on_cpu: whether XLA compiles the step on CPU, found by benchmark for each game (benchmarks/README.md); on an
    accelerator it always does.
    """

    draws = 1
    jit_on_cpu = True

    def __init__(self, images, players, labels=None, turns=None, binarisation="none"):
        super().__init__()
        if binarisation not in KINDS:
            raise UserError(f"unknown binarisation {binarisation!r}; choose one of {', '.join(KINDS)}")
        if binarisation in ("fixed", "own_draw"):
            require_binary(images, "the training images")
        self.players = {player.name: player for player in players}
        self.turns = turns or (tuple(self.players),)
        self.binarisation = binarisation
        # Attributes that Keras saves with the weights: networks, optimisers, and the number of steps done.
        self.networks = [network for player in players for network in player.networks]
        self.player_optimizers = [player.optimizer for player in players]
        for player in players:
            player.optimizer.build(player.variables)
        self.steps_done = self.add_weight(
            name="steps_done", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.images = tf.constant(images)
        self.labels = None if labels is None else tf.constant(labels, tf.int32)
        self.built = True
        self.prepare_to_run()  # Keras saves the optimisers of a compiled model in another order: compile from the start

    def objectives(self, batch, noise, turn):
        """{name: scalar}: the loss (mean over the batch) of every player in `turn`, and whatever else is to be logged.

        batch: {"image": float32 [B, H, W, C] in [0, 1], "label": int32 [B] if the game has labels}; noise: `Noise`;
        turn: names of the players that move.
        """
        raise NotImplementedError

    def prepare(self, rows, noise):
        """The batch of `rows` int32 [B]: gathered, scaled to [0, 1] and binarised on the device."""
        image = tf.cast(tf.gather(self.images, rows), tf.float32) / 255.0
        if self.binarisation == "dynamic":
            image = tf.cast(noise.uniform(*image.shape) < image, tf.float32)
        batch = {"image": image}
        if self.labels is not None:
            batch["label"] = tf.gather(self.labels, rows)
        return batch

    def gradients(self, number, rows, seed):
        """([gradients of each player of turn `number`], what is logged) on rows int32 [draws, B]; seed int32 [2]."""
        turn, noise = self.turns[number], Noise(seed, number)
        batch = self.prepare(rows[min(number, self.draws - 1)], noise)
        replicas = self.distribute_strategy.num_replicas_in_sync
        with tf.GradientTape(persistent=True) as tape:
            values = self.objectives(batch, noise, turn)
            losses = {name: values[name] / replicas for name in turn}  # summed over replicas by the optimiser
        return [tape.gradient(losses[name], self.players[name].variables) for name in turn], values

    def one_step(self, rows, seed):
        """One training step: every turn in order. Returns what is logged, {name: scalar}."""
        logs = {}
        for number, turn in enumerate(self.turns):
            gradients, values = self.gradients(number, rows, seed)
            for name, gradient in zip(turn, gradients, strict=True):
                player = self.players[name]
                player.optimizer.apply(gradient, player.variables)
            logs.update(values)
        return logs

    def program(self, rows, seeds):
        """Many steps in one call: rows int32 [steps, draws, B], seeds int32 [steps, 2] -> mean of what is logged.

        On CPU the loop stays outside the compiled step: XLA's CPU backend runs convolutions inside a compiled loop
        over ten times slower. For export the whole program is compiled.
        """
        steps = tf.shape(rows)[0]
        _, totals = tf.while_loop(
            lambda i, _: i < steps,
            lambda i, totals: (i + 1, tf.nest.map_structure(tf.add, totals, self.step_function(rows[i], seeds[i]))),
            (1, self.step_function(rows[0], seeds[0])),
        )
        return {name: total / tf.cast(steps, total.dtype) for name, total in totals.items()}

    def train_step(self, data):
        """Keras calls this with one program's row numbers and seeds."""
        rows, seeds = data
        logs = self.program(rows, seeds)
        self.steps_done.assign_add(tf.shape(rows, out_type=tf.int64)[0])
        return logs

    def prepare_to_run(self, jit="auto"):
        """How a step runs: "auto" (XLA where it pays), "on", "off" (graph without XLA) or "eager" (plain Python)."""
        if jit not in ("auto", "on", "off", "eager"):
            raise UserError(f"unknown --jit={jit}; choose auto, on, off or eager")
        compiled = {"on": True, "off": False, "eager": False}.get(jit)
        if compiled is None:
            compiled = self.jit_on_cpu or bool(tf.config.list_logical_devices("GPU"))
        self.step_function = tf.function(self.one_step, jit_compile=True) if compiled else self.one_step
        # The step is compiled, the loop around it is not; so Keras must not compile the whole.
        self.compile(optimizer=self.player_optimizers[0], jit_compile=False, run_eagerly=jit == "eager")
