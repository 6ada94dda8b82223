"""The training step on toy games of every shape (tests/games.py): whose weights move and how far, and that a compiler
or the number of steps in a call changes nothing. Also what feeds it: rows and noise.
"""

import functools
import itertools

import games
import keras
import numpy as np
import pytest
import tensorflow as tf

from common.data import feeds
from common.errors import UserError
from common.training.fit import fit, read_log
from common.training.game import Noise

every_game = pytest.mark.parametrize("name", games.GAMES)
N, BATCH, STEPS = 64, 8, 4


def first_steps(game, steps=STEPS, batch=BATCH):
    """(rows, seeds) of the first `steps` steps as tensors."""
    rows, seeds = next(feeds.programs(N, batch, 7, 0, steps, steps, steps, game.draws))
    return tf.constant(rows), tf.constant(seeds)


def trainable(game):
    """{player: [array of each of its variables]}."""
    return {name: [v.numpy().copy() for v in player.variables] for name, player in game.players.items()}


def assert_same_state(game, other, **tolerance):
    for (path, value), (_, expected) in zip(games.state(game), games.state(other), strict=True):
        np.testing.assert_allclose(value, expected, err_msg=path, **(tolerance or {"rtol": 0, "atol": 0}))


# One step


@every_game
def test_a_step_is_gradient_descent_of_every_player_by_hand(name):
    game, by_hand = games.make(name, games.sgd), games.make(name, games.sgd)
    rows, seeds = first_steps(game)
    logs = game.one_step(rows[0], seeds[0])
    for number, turn in enumerate(by_hand.turns):
        noise = Noise(seeds[0], number)
        picked = rows[0, min(number, by_hand.draws - 1)].numpy()
        image = games.toy_images(N)[0][picked].astype(np.float32) / 255
        if by_hand.binarisation == "dynamic":
            image = (noise.uniform(*image.shape).numpy() < image).astype(np.float32)
        batch = {"image": tf.constant(image)}
        if by_hand.labels is not None:
            batch["label"] = tf.constant(games.toy_images(N)[1][picked], tf.int32)
        moved = []
        for player in turn:  # the players of a turn move together: all gradients first
            again, variables = Noise(seeds[0], number), by_hand.players[player].variables
            again.calls = noise.calls
            with tf.GradientTape() as tape:
                loss = by_hand.objectives(batch, again, turn)[player]
            moved += [(v, v - games.RATE * g) for v, g in zip(variables, tape.gradient(loss, variables), strict=True)]
        for variable, value in moved:
            variable.assign(value)
        if number == len(by_hand.turns) - 1:  # of several turns of a player the last is logged
            np.testing.assert_allclose(logs[player], loss, rtol=1e-5)
    for player, values in trainable(game).items():
        for value, expected in zip(values, trainable(by_hand)[player], strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6, err_msg=player)


@every_game
def test_a_player_moves_its_own_variables_and_no_others(name):
    game = games.make(name, games.sgd)
    rows, seeds = first_steps(game)
    for player in game.players:
        game.turns = ((player,),)
        before = trainable(game)
        game.one_step(rows[0], seeds[0])
        for other, values in trainable(game).items():
            changed = [not np.array_equal(now, then) for now, then in zip(values, before[other], strict=True)]
            assert all(changed) if other == player else not any(changed), (player, other)


@every_game
def test_the_gradient_reaches_every_parameter(name):
    game = games.make(name)
    sizes = {}
    for rows, seed in zip(*first_steps(game, 2, 16), strict=True):
        for number, turn in enumerate(game.turns):
            gradients, _ = game.gradients(number, rows, seed)
            for player, of_player in zip(turn, gradients, strict=True):
                for variable, gradient in zip(game.players[player].variables, of_player, strict=True):
                    sizes[variable.path] = sizes.get(variable.path, 0) + np.abs(gradient)
    assert len(sizes) == len(game.trainable_variables)
    for path, size in sizes.items():
        assert np.all(size > 1e-9), path


def test_every_critic_turn_sees_its_own_batch_and_the_generator_the_last():
    game = games.make("wgan_gp")
    rows, seeds = first_steps(game)
    seen, objectives = [], game.objectives

    def spy(batch, noise, turn):
        seen.append((turn, batch["image"].numpy()))
        return objectives(batch, noise, turn)

    game.objectives = spy
    game.one_step(rows[0], seeds[0])
    assert [turn for turn, _ in seen] == [("critic",)] * 3 + [("generator",)]
    images = games.toy_images(N)[0] / np.float32(255)
    for (_, image), number in zip(seen, (0, 1, 2, 2), strict=True):
        np.testing.assert_array_equal(image, images[rows[0, number].numpy()])
    assert len(np.unique(rows[0])) == 3 * BATCH  # three different batches


def test_the_optimisers_of_all_players_count_their_own_turns():
    game = games.make("wgan_gp")
    game.prepare_to_run("eager")
    game.program(*first_steps(game))
    assert [int(p.optimizer.iterations) for p in game.players.values()] == [3 * STEPS, STEPS]


# Many steps, compiled or not


@functools.cache
def after_program(name, jit):
    """(logs, state) after one program of STEPS steps."""
    game = games.make(name, games.sgd)
    game.prepare_to_run(jit)
    program = game.program if jit == "eager" else tf.function(game.program)
    logs = {key: float(value) for key, value in program(*first_steps(game)).items()}
    return logs, games.state(game)


@every_game
@pytest.mark.parametrize("jit", ["on", "off"])
def test_a_compiled_step_computes_what_plain_python_computes(name, jit):
    logs, state = after_program(name, jit)
    expected_logs, expected_state = after_program(name, "eager")
    assert logs == pytest.approx(expected_logs, rel=1e-5, abs=1e-5)
    for (path, value), (_, expected) in zip(state, expected_state, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5, err_msg=path)


@every_game
def test_a_program_of_many_steps_is_its_steps_one_by_one(name):
    logs, state = after_program(name, "eager")
    game = games.make(name, games.sgd)
    single = [game.one_step(*step) for step in zip(*first_steps(game), strict=True)]
    assert logs == pytest.approx({key: np.mean([log[key] for log in single]) for key in single[0]}, rel=1e-6)
    for (path, value), (_, expected) in zip(games.state(game), state, strict=True):
        np.testing.assert_array_equal(value, expected, err_msg=path)


def test_turns_of_one_player_do_not_race_without_xla():
    """The same step from the same state, again and again: TensorFlow's dependency optimizer once broke every tenth."""
    game = games.make("wgan_gp", games.sgd)
    (rows, *_), (seed, *_) = first_steps(game)
    start, step, ends = [v.numpy().copy() for v in game.weights], tf.function(game.one_step), []
    for _ in range(60):
        for variable, value in zip(game.weights, start, strict=True):
            variable.assign(value + 0.0)  # a fresh array: TensorFlow may keep and overwrite the one it is given
        step(rows, seed)
        ends.append(b"".join(v.numpy().tobytes() for v in game.weights))
    assert len(set(ends)) == 1


def test_unknown_jit_and_binarisation_are_the_users_mistakes():
    with pytest.raises(UserError, match="--jit=fast"):
        games.make("vae").prepare_to_run("fast")
    with pytest.raises(UserError, match="unknown binarisation 'soft'"):
        games.Game(games.toy_images()[0], [], binarisation="soft")


# Rows


@pytest.mark.parametrize(("n", "batch", "draws"), [(64, 8, 1), (50, 8, 3), (10, 10, 2)])
def test_rows_are_a_pure_function_of_seed_and_step(n, batch, draws):
    def steps(first, last, per_program):
        programs = list(feeds.programs(n, batch, 5, first, last, 7, per_program, draws))
        return np.concatenate([rows for rows, _ in programs]), np.concatenate([seeds for _, seeds in programs])

    rows, seeds = steps(0, 40, 3)
    assert rows.shape == (40, draws, batch) and rows.dtype == np.int32
    np.testing.assert_array_equal(seeds, [[5, step] for step in range(40)])
    for first, last, per_program in [(0, 40, 20), (13, 40, 3), (39, 40, 1)]:
        again, again_seeds = steps(first, last, per_program)
        np.testing.assert_array_equal(again, rows[first:last])
        np.testing.assert_array_equal(again_seeds, seeds[first:last])
    per_pass = n // batch
    passes = rows.reshape(-1, batch)[: 40 * draws // per_pass * per_pass].reshape(-1, per_pass * batch)
    for one in passes:  # each pass visits a row at most once, and all of them where batches fill the set
        assert len(np.unique(one)) == per_pass * batch and one.min() >= 0 and one.max() < n
    assert n == 10 or not np.array_equal(passes[0], passes[1])


def test_no_program_crosses_the_end_of_an_epoch():
    numbers = [seeds[:, 1] for _, seeds in feeds.programs(64, 8, 1, 5, 24, 10, 4)]
    assert [list(n) for n in numbers] == [
        [5, 6, 7, 8],
        [9],
        [10, 11, 12, 13],
        [14, 15, 16, 17],
        [18, 19],
        [20, 21, 22, 23],
    ]
    assert feeds.programs_per_epoch(10, 4) == 3


def test_without_shuffling_rows_come_in_order():
    rows = list(itertools.islice(feeds.batches(10, 4, 1, shuffle=False), 3))
    np.testing.assert_array_equal(rows, [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3]])


# Noise


def draws_of(seed, turn=0):
    noise = Noise(tf.constant(seed), turn)
    return noise.uniform(100), noise.normal(100)


def test_noise_differs_between_seeds_steps_turns_and_calls_and_repeats_otherwise():
    places = [((1, 0), 0), ((1, 1), 0), ((2, 0), 0), ((0, 1), 0), ((1, 0), 1), ((1, 1), 1)]
    uniforms = [draws_of(seed, turn)[0].numpy() for seed, turn in places]
    noise = Noise(tf.constant((1, 0)))
    uniforms += [noise.uniform(100).numpy() for _ in range(2)][1:]  # the second call
    correlation = np.corrcoef(uniforms) - np.eye(len(uniforms))
    assert np.abs(correlation).max() < 0.5  # 5 standard deviations of 100 independent draws
    np.testing.assert_array_equal(draws_of((1, 0))[0], uniforms[0])


def test_noise_does_not_depend_on_the_compiler():
    compiled = tf.function(draws_of, jit_compile=True)((1, 5), 2)
    plain = draws_of((1, 5), 2)
    np.testing.assert_array_equal(compiled[0], plain[0])
    np.testing.assert_allclose(compiled[1], plain[1], rtol=1e-5, atol=1e-6)  # log and cos may round otherwise


def test_noise_has_the_moments_of_its_law():
    noise, n = Noise(tf.constant((3, 1))), 200_000
    normal, uniform = noise.normal(n).numpy(), noise.uniform(n).numpy()
    for values, mean, variance, fourth in [(normal, 0, 1, 3), (uniform, 0.5, 1 / 12, 1 / 80)]:
        assert abs(values.mean() - mean) < 5 * np.sqrt(variance / n)
        assert abs(values.var() - variance) < 5 * np.sqrt((fourth - variance**2) / n)
    assert uniform.min() >= 0 and uniform.max() < 1


def test_dynamic_binarisation_is_unbiased_and_new_in_every_step():
    game, n = games.make("vae"), 4000
    rows = tf.zeros([n], tf.int32)
    images = [game.prepare(rows, Noise(tf.constant((1, step))))["image"].numpy() for step in (0, 1)]
    grey = games.toy_images(N)[0][0] / 255
    for image in images:
        assert set(np.unique(image)) <= {0.0, 1.0}
        assert np.all(np.abs(image.mean(0) - grey) <= 5 * np.sqrt(grey * (1 - grey) / n) + 1e-9)
    assert not np.array_equal(*images)


# The exact likelihood


def test_the_probabilities_of_an_autoregressive_game_sum_to_one_before_and_after_training(tmp_path):
    keras.utils.set_random_seed(1)
    images = games.toy_images(N, side=3)[0]
    game = games.Autoregressive(images, games.adam)
    every = tf.constant(list(itertools.product([0.0, 1.0], repeat=9)), tf.float32)
    before = game.log_prob(every).numpy()
    fit(game, steps=40, batch=16, seed=1, work=tmp_path, jit="off", progress=False)
    after = game.log_prob(every).numpy()
    assert np.exp(before).sum() == pytest.approx(1, abs=1e-5)
    assert np.exp(after).sum() == pytest.approx(1, abs=1e-5)
    log = read_log(tmp_path / "log.csv")["ar"]
    assert log[-1] < log[0] - 0.05  # it learned something
