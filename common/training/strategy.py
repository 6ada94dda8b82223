"""Several devices or machines share every batch: tf.distribute under the same game, log and checkpoints.

    game = strategy.build(lambda: VAE(images), "mirrored")     # "single": nothing but a call
    fit(game, ...)

Each of R replicas computes the gradient of (mean loss over its B/R images) / R; summed over the replicas that is the
gradient of the mean over the whole batch. Replica r takes the images r B/R ... (r+1) B/R of a batch and the same part
of the noise that one device would draw for it (common.training.game.Noise), so the weights are those of a single device
up to the order of sums. Batch norm is the exception: it normalises over a replica's own images; the moving
statistics are averaged.

Keras's own `fit` cuts what it is fed along the first axis, which here is the steps of a program, not its images, and
several replicas may not update weights inside a graph loop or XLA. So the loop over epochs is ours (`fit` below, with
Keras's callbacks) and steps run one at a time, not compiled by XLA.
"""

import functools
import itertools
import json
import os
import pathlib
import re
import shutil

import keras
import tensorflow as tf

from common.errors import UserError
from common.training import checkpoints

NAMES = ("single", "mirrored", "multi_worker")


def build(make_game, name="single"):
    """The game that `make_game()` returns, its variables on all devices of strategy `name`."""
    devices = start(name)
    if devices is None:
        return make_game()
    with devices.scope(), tf.variable_creator_scope(_averaged):
        game = make_game()
    game.steps_done._value = tf.Variable(0, trainable=False, dtype=tf.int64)  # is read as a number: one, not mirrored
    game.fit = functools.partial(fit, game)  # what common.training.fit calls
    return game


@functools.cache
def start(name):
    """The strategy `name`, None for "single". Several workers find each other here: call it before anything computes.

    mirrored: all GPUs of this machine, else all its logical CPU devices. multi_worker: the processes that the
    environment variable TF_CONFIG names. Raises UserError for an unknown name and a missing or malformed TF_CONFIG.
    """
    if name == "single":
        return None
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker":
        worker()
        return tf.distribute.MultiWorkerMirroredStrategy()
    raise UserError(f"unknown --strategy={name}; choose one of {', '.join(NAMES)}")


def worker():
    """(type, index) of this process from TF_CONFIG; raises UserError if it is missing or malformed."""
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        kind, index = config["task"]["type"], int(config["task"]["index"])
        wrong = fault(config.get("cluster"), kind, index)
    except KeyError as error:
        wrong = f"there is no {error.args[0]}"
    except (AttributeError, TypeError, ValueError) as error:
        wrong = f"it cannot be read: {checkpoints.first_line(error)}"
    if wrong:
        raise UserError(
            "--strategy=multi_worker needs the environment variable TF_CONFIG in every process, such as "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}; '
            f"here {wrong}"
        )
    return kind, index


def fault(cluster, kind, index):
    """What is wrong with a TF_CONFIG of this cluster and this task, None if nothing is."""
    if not isinstance(cluster, dict) or not cluster:
        return "its cluster names no workers"
    for name, hosts in cluster.items():
        if name not in ("chief", "worker"):
            return f"its cluster has a {name}, but only a chief and workers train"
        if not isinstance(hosts, list) or not hosts or not all(re.fullmatch(r"\S+:\d+", str(h)) for h in hosts):
            return f"the {name} of its cluster is no list of host:port"
    if len(cluster.get("chief", [1])) != 1:
        return "its cluster has more than one chief"
    if kind not in cluster:
        return f"its task is a {kind}, which its cluster does not name"
    if not 0 <= index < len(cluster[kind]):
        return f"its task is {kind} {index}, but its cluster has {len(cluster[kind])} of them, counted from 0"
    return None


def is_chief(name):
    """Whether this process writes records: the only one, or the first of several workers."""
    if name != "multi_worker":
        return True
    kind, index = worker()
    has_chief = "chief" in json.loads(os.environ["TF_CONFIG"])["cluster"]
    return kind == "chief" or (kind == "worker" and index == 0 and not has_chief)


def folder(work, name):
    """The work folder of this process: `work` for the chief, else a folder inside with a copy of all that is there.

    All workers must start from one checkpoint, and after a kill theirs may be an epoch apart. The chief cannot write a
    new one before every worker takes part in its next step. `work` must lie where all workers see it.
    """
    work = pathlib.Path(work)
    if is_chief(name):
        return work
    own = work / "-".join(map(str, worker()))
    shutil.rmtree(own, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    # Callbacks keep more than the checkpoint: states on the way, rows of single steps, best weights.
    shutil.copytree(work, own, ignore=shutil.ignore_patterns("lock", "chief-*", "worker-*"))
    return own


def fit(game, feed, *, epochs, initial_epoch, steps_per_epoch, callbacks, **_):
    """In place of Keras's `fit`, with the arguments that common.training.fit gives it.

    feed yields programs (rows int32 [steps, draws, batch], seeds int32 [steps, 2]), the same in every process. Raises
    UserError if the batch is no multiple of the number of replicas.
    """
    callbacks = keras.callbacks.CallbackList(callbacks, model=game, epochs=epochs, steps=steps_per_epoch)
    step, programs = one_step(game), feed.as_numpy_iterator()
    callbacks.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        callbacks.on_epoch_begin(epoch)
        for number, (rows, seeds) in enumerate(itertools.islice(programs, steps_per_epoch)):
            callbacks.on_train_batch_begin(number)
            totals = [step(*rows_and_seed) for rows_and_seed in zip(rows, seeds, strict=True)]
            game.steps_done.assign_add(len(rows))
            logs = {name: sum(float(total[name]) for total in totals) / len(rows) for name in totals[0]}
            callbacks.on_train_batch_end(number, logs)
        callbacks.on_epoch_end(epoch, dict(logs))
    callbacks.on_train_end()


def one_step(game):
    """A function of (rows int [draws, B], seed int [2]): one step on all replicas, returns the mean logs."""
    devices = game.distribute_strategy
    replicas = devices.num_replicas_in_sync

    def on_replicas(rows, seed):
        logs = devices.run(game.one_step, args=(rows, seed))
        return {name: devices.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    compiled = on_replicas if game.run_eagerly else tf.function(on_replicas, autograph=False)

    def step(rows, seed):
        batch = rows.shape[-1]
        if batch % replicas:
            raise UserError(f"batch size {batch} is no multiple of the {replicas} replicas that share it")
        part = batch // replicas

        def of_replica(context):
            first = context.replica_id_in_sync_group * part
            return tf.constant(rows[:, first : first + part], tf.int32)

        return compiled(devices.experimental_distribute_values_from_function(of_replica), tf.constant(seed, tf.int32))

    return step


def _averaged(create, **arguments):
    """Float variables that no optimiser trains (batch norm's statistics): replicas that write different values average.

    Keras 3 leaves it undefined, and tf.distribute refuses such a write.
    """
    dtype = arguments.get("dtype")
    if arguments.get("trainable") is False and dtype is not None and tf.as_dtype(dtype).is_floating:
        arguments["aggregation"] = tf.VariableAggregation.MEAN
    return create(**arguments)
