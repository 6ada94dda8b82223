"""Two logical devices, and two processes on loopback, train what one device trains on the same global batches."""

import functools
import json
import os
import pathlib
import socket
import subprocess
import sys

import games
import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from common.training import strategy
from common.training.fit import fit, read_log

GAMES = ("vae", "wgan_gp")
STEPS, STOP, BATCH = 5, 2, 8


def momentum():
    """Has slots, and no division that blows up rounding where a gradient is nearly zero."""
    return keras.optimizers.SGD(0.05, momentum=0.9)


def train(name, work, steps, devices="single"):
    game = strategy.build(functools.partial(games.make, name, momentum), devices)
    fit(game, steps=steps, batch=BATCH, seed=3, work=strategy.folder(work, devices), epoch_steps=1, program_steps=1,
        jit="off", progress=False)  # fmt: skip
    return game


def environment(**more):
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | more


def of_process(folder):
    """[(path, array)] of the states and {game: log} that a subprocess left in `folder`."""
    logs = {name: read_log(folder / name / "log.csv") for name in GAMES}
    return {name: np.load(folder / f"{name}.npz") for name in GAMES}, logs


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    work = tmp_path_factory.mktemp("single")
    states = {name: games.state(train(name, work / name, STEPS)) for name in GAMES}
    return states, {name: read_log(work / name / "log.csv") for name in GAMES}


def assert_equal_to_single(single, folder):
    states, logs = of_process(folder)
    for name in GAMES:
        for number, (path, expected) in enumerate(single[0][name]):
            np.testing.assert_allclose(states[name][str(number)], expected, rtol=1e-5, atol=1e-5, err_msg=path)
        for key, values in single[1][name].items():
            if key != "seconds":
                assert logs[name][key] == pytest.approx(values, rel=1e-5, abs=1e-5), (name, key)
                assert len(values) == STEPS


def test_two_mirrored_devices_train_what_one_trains_also_over_a_stop(single, tmp_path):
    subprocess.run([sys.executable, __file__, "mirrored", tmp_path], env=environment(), check=True, timeout=300)
    assert_equal_to_single(single, tmp_path)
    done = np.load(tmp_path / "dcgan.npz")
    assert all(np.isfinite(done[key]).all() for key in done.files)


def test_two_workers_train_what_one_trains_also_over_a_stop(single, tmp_path):
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("localhost", 0))
        cluster = {"worker": [f"localhost:{each.getsockname()[1]}" for each in (first, second)]}
    workers = []
    for index in (1, 0):
        task = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        command = [sys.executable, __file__, "multi_worker", tmp_path]
        workers.append(subprocess.Popen(command, env=environment(TF_CONFIG=task)))
    assert [each.wait(timeout=300) for each in workers] == [0, 0]
    assert_equal_to_single(single, tmp_path)


def test_a_strategy_that_cannot_start_is_told_in_one_line(monkeypatch):
    with pytest.raises(UserError, match="unknown --strategy=tpu; choose one of single, mirrored, multi_worker"):
        strategy.start("tpu")
    for config in (None, "{", '{"cluster": {}}'):
        monkeypatch.delenv("TF_CONFIG", raising=False)
        if config is not None:
            monkeypatch.setenv("TF_CONFIG", config)
        with pytest.raises(UserError, match="needs the environment variable TF_CONFIG"):
            strategy.start("multi_worker")


WORKERS = ["a:1", "b:2"]


@pytest.mark.parametrize(
    ("cluster", "task", "words"),
    [
        ({"worker": WORKERS}, {"type": "worker", "index": 5}, "worker 5, but its cluster has 2 of them"),
        ({"worker": WORKERS}, {"type": "worker", "index": -1}, "worker -1, but its cluster has 2 of them"),
        ({"worker": WORKERS}, {"type": "chief", "index": 0}, "its task is a chief, which its cluster does not name"),
        ({"worker": WORKERS}, {"type": ["worker"], "index": 0}, "it cannot be read"),
        ({"worker": WORKERS}, "worker", "it cannot be read"),
        ({"worker": WORKERS}, {"type": "worker"}, "there is no index"),
        (["a:1", "b:2"], {"type": "worker", "index": 0}, "its cluster names no workers"),
        (None, {"type": "worker", "index": 0}, "its cluster names no workers"),
        ({"worker": "a:1"}, {"type": "worker", "index": 0}, "the worker of its cluster is no list of host:port"),
        ({"worker": ["a", "b"]}, {"type": "worker", "index": 0}, "the worker of its cluster is no list of host:port"),
        ({"worker": []}, {"type": "worker", "index": 0}, "the worker of its cluster is no list of host:port"),
        ({"worker": WORKERS, "ps": ["c:3"]}, {"type": "ps", "index": 0}, "only a chief and workers train"),
        ({"chief": WORKERS}, {"type": "chief", "index": 0}, "more than one chief"),
    ],
)
def test_a_tf_config_that_cannot_work_is_told_in_one_line(monkeypatch, cluster, task, words):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task} if cluster else {"task": task}))
    with pytest.raises(UserError, match="needs the environment variable TF_CONFIG") as error:
        strategy.start("multi_worker")
    assert words in str(error.value) and "\n" not in str(error.value)


def test_the_chief_alone_keeps_the_work_folder_and_the_others_start_from_its_checkpoint(monkeypatch, tmp_path):
    (tmp_path / "last").mkdir()
    for file in ("checkpoint.weights.h5", "steps.csv", "last/000002.weights.npz", "lock"):
        (tmp_path / file).write_bytes(b"of the chief")
    seen = []
    for index in (0, 1):
        monkeypatch.setenv(
            "TF_CONFIG", json.dumps({"cluster": {"worker": WORKERS}, "task": {"type": "worker", "index": index}})
        )
        (tmp_path / "worker-1").mkdir(exist_ok=True)
        (tmp_path / "worker-1/checkpoint.weights.h5").write_bytes(b"an epoch older")
        seen.append((strategy.is_chief("multi_worker"), strategy.folder(tmp_path, "multi_worker")))
    assert seen == [(True, tmp_path), (False, tmp_path / "worker-1")]
    assert (tmp_path / "worker-1/checkpoint.weights.h5").read_bytes() == b"of the chief"
    kept = sorted(str(path.relative_to(tmp_path / "worker-1")) for path in (tmp_path / "worker-1").rglob("*.*"))
    assert kept == [
        "checkpoint.weights.h5",
        "last/000002.weights.npz",
        "steps.csv",
    ]  # what callbacks kept, too; no lock


def in_subprocess(devices, folder):
    """Trains both games to STOP, then from their checkpoints to the end; the chief leaves their states in `folder`."""
    if devices == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    assert strategy.start(devices).num_replicas_in_sync == 2
    for name in GAMES:
        train(name, folder / name, STOP, devices)
        state = games.state(train(name, folder / name, STEPS, devices))
        if strategy.is_chief(devices):
            np.savez(folder / f"{name}.npz", **{str(number): value for number, (_, value) in enumerate(state)})
    if devices == "mirrored":  # batch norm: replicas write different statistics
        state = games.state(train("dcgan", folder / "dcgan", 2, devices))
        np.savez(folder / "dcgan.npz", **{str(number): value for number, (_, value) in enumerate(state)})
        try:
            fit(games_of_odd_batch(devices), steps=1, batch=7, seed=1, work=folder / "odd", progress=False)
        except UserError as error:
            assert "batch size 7 is no multiple of the 2 replicas" in str(error)  # noqa: PT017
        else:
            raise AssertionError("an odd batch was split")


def games_of_odd_batch(devices):
    return strategy.build(functools.partial(games.make, "vae", momentum), devices)


if __name__ == "__main__":
    in_subprocess(sys.argv[1], pathlib.Path(sys.argv[2]))
