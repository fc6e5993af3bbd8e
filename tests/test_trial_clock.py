"""Claims about shifts that begin between two trials: whose noise they bring, and which cannot."""

import dataclasses

import numpy as np
import pytest

from robolearn.adaptation.paired_lives import INTACT
from robolearn.adaptation.protocol_file import load_protocol
from robolearn.adaptation.protocol_run import evaluate
from robolearn.adaptation.trial_clock import TrialClock
from robolearn.config import load_config
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.lifetime import NEVER, Moment, live
from robolearn.shifts import parse_shifts
from robolearn.worlds import load_world
from robolearn.zoo import build_agent, make_env

TRIALS = 10


def keys_after_trials(seeds: list[int], texts: list[str], trials: int) -> list[list[int]]:
    """Return the keys of the random streams that act in each life when `trials` have ended."""
    n = len(seeds)
    env = RobotVectorEnv("tmaze", n, max_episode_steps=100, autoreset_mode="Disabled", threads=1)
    env.reset(seed=list[int | None](seeds))
    plans, never = parse_shifts(texts), np.full(n, NEVER)
    clock = TrialClock(env.world, [plans] * n, np.array(seeds), never, TRIALS)
    yes = np.ones(n, np.bool_)
    infos = {"trial_end": yes, "trial_score": np.ones(n)}
    for step in range(trials):
        clock(Moment(step, env, None, np.zeros((n, 2), np.float32), np.zeros(n), infos, yes))
    return [[active.key for active in row] for row in env.schedule.active]


def test_the_noise_of_a_life_is_that_of_its_seed_in_whatever_row():
    twin, other, twin_too = keys_after_trials([7, 8, 7], ["sensor_noise:all:0.5@2s"], 2)
    assert twin == twin_too != other
    assert keys_after_trials([8, 7], ["sensor_noise:all:0.5@2s"], 2) == [other, twin]


def test_shifts_that_begin_together_or_come_back_bring_noise_of_their_own():
    texts = ["sensor_noise:all:0.5@1s-2s", "sensor_noise:all:0.5@3s", "sensor_bias:all:0.5@3s"]
    (first,), (again, bias) = (keys_after_trials([7], texts, trials)[0] for trials in (1, 3))
    assert len({first, again, bias}) == 3


def test_lives_under_a_random_shift_do_not_depend_on_batches():
    config = load_config("tmaze_reward_hebbian")
    agent = build_agent(config, make_env(config, 1, config.env.life_s))
    protocol = load_protocol("reversal").with_shifts(["sensor_noise:all:0.5@2s"])
    parameters = {**protocol.parameters, "trials": TRIALS}
    protocol = dataclasses.replace(protocol, trials=TRIALS, parameters=parameters, episodes=2)
    genome = np.zeros(agent.genome.size, np.float32)
    options = {"variant": None, **config.env.parameters}
    small, large = (
        evaluate("tmaze", agent, genome, protocol, env_options=options, max_rows=rows, threads=1)
        for rows in (3, 128)
    )
    assert small.lives == large.lives
    steps = {name: [] for name in (INTACT, "sensor_noise:all:0.5@2s")}
    for life in large.lives:
        steps[life.condition].append(life.steps)
    intact, noisy = steps.values()
    assert intact != noisy  # so there was noise to tell batches apart


@pytest.mark.parametrize(
    ("env", "text", "message"),
    [
        ("tmaze", "push:1@5s", "push is over after a time in seconds"),
        ("tmaze", "push:1", "push is over after a time in seconds"),
        ("reach", "probe:no_feedback@5s", "probe acts from the next trial on, one too late"),
    ],
)
def test_shifts_that_no_clock_of_trials_can_time_are_refused(env, text, message):
    own = load_protocol("reversal").with_shifts([text])
    with pytest.raises(UserError, match=message) as caught:
        own.conditions(load_world(env))
    assert str(caught.value).startswith(f"{text}: protocol reversal (own shifts) counts time in")
    in_seconds = dataclasses.replace(own, trials=None, life_s=60.0)
    assert in_seconds.conditions(load_world(env))


def test_who_is_frozen_after_some_trials_has_learned_from_the_last_of_them():
    config = load_config("tmaze_reward_hebbian")
    env = make_env(config, 2, 40.0)
    agent = build_agent(config, env)
    frozen_from = np.array([3, NEVER])  # twins but for that
    clock = TrialClock(env.world, [(), ()], np.array([0, 0]), frozen_from, TRIALS)
    weights, ended = [], []

    def listen(moment: Moment) -> None:
        clock(moment)
        weights.append(moment.state.weight.copy())
        ended.append(moment.infos["trial_end"][0])

    genomes = np.zeros((2, agent.genome.size), np.float32)
    live(
        env, agent, agent.express(genomes), [0, 0],
        frozen_from=clock.frozen_from_step, listener=listen,
    )  # fmt: skip
    third = np.flatnonzero(ended)[2]
    np.testing.assert_array_equal(*weights[third + 1])
    assert (weights[third + 1] != weights[third]).any()  # the lesson of the third trial
    assert (weights[-1][1] != weights[-1][0]).any()
    np.testing.assert_array_equal(weights[-1][0], weights[third + 1][0])
