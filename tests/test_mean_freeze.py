"""Claims about twins that are frozen at the mean of what was learned before the onset."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from trot import Trot, condition, run

from robolearn.adaptation.leaderboard import Member, make_leaderboard
from robolearn.adaptation.leaderboard_table import frozen_lines
from robolearn.adaptation.mean_freeze import MEAN_S, MeanFreeze
from robolearn.agents.module_layout import Layout
from robolearn.agents.protocol import learned_of
from robolearn.agents.registry import make_agent
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.lifetime import live

LIMP = "motor_gain:all:0"
STEPS = 40


class SwingingTrot(Trot):
    """Walks by a weight that swings between 0 and 2 with every step, and holds it once frozen."""

    kind = "swinging_trot"
    is_plastic = True

    def new_state(self, n):
        return SimpleNamespace(steps=np.zeros(n, np.int64), weight=np.zeros((n, 1), np.float32))

    def learned(self, state):
        return {"weight": state.weight}

    def act(self, parameters, state, observation, feedback):
        state.steps += 1
        now = 2.0 * (state.steps % 2)[:, None]
        state.weight[:] = np.where(feedback.plastic[:, None], now, state.weight)
        # As plastic as it is, its gait is that of the mean weight, 1; a frozen 0 or 2 spoils it.
        effective = np.where(feedback.plastic[:, None], 1.0, state.weight)
        return super().act(parameters, state, observation, feedback) * (effective == 1.0)


def lived(agent, listen=None, frozen_from: ArrayLike = STEPS):
    """Return the learned arrays after every step of three lives, {name: (T, n, ...)}."""
    env = RobotVectorEnv("quadruped", 3, max_episode_steps=STEPS, autoreset_mode="Disabled")
    rng = np.random.default_rng(0)
    genomes = np.stack([agent.genome.initial(rng) for _ in range(3)])
    seen: dict[str, list[np.ndarray]] = {}

    def listener(moment):
        if listen is not None:
            listen(moment)
        for name, values in (learned_of(agent, moment.state) or {}).items():
            seen.setdefault(name, []).append(values.copy())

    live(env, agent, agent.express(genomes), [0, 1, 2], frozen_from=frozen_from, listener=listener)
    return {name: np.stack(values) for name, values in seen.items()}


def brain(kind, division=None, **options):
    task = RobotVectorEnv("quadruped").task
    sizes = task.observation_size, task.action_size, task.observation_scale
    modules = Layout(**task.modules(division)) if division else None
    return make_agent(kind, *sizes, modules=modules, **options)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("hebbian", {"rule_speed": 1.0}),
        ("spiking", {"rule": "abcd", "homeostasis": True, "rule_speed": 1.0}),
        ("neuromodulated", {}),
        ("spiking", {"rule": "abcd", "rule_speed": 1.0, "division": "sides"}),
    ],
)
def test_what_was_learned_is_put_at_its_mean_and_stays_there(kind, options):
    agent = brain(kind, **options)
    free = lived(agent)
    end = np.array([20, 30, 30])
    chosen = np.array([True, True, False])
    frozen = lived(agent, MeanFreeze(agent, end, chosen, 10), end)
    changed = False
    for name, values in frozen.items():
        for row in range(3):
            np.testing.assert_array_equal(
                values[: end[row] - 1, row], free[name][: end[row] - 1, row]
            )
            wanted = free[name][end[row] - 1, row]
            if chosen[row]:
                mean = free[name][end[row] - 10 : end[row], row].mean(axis=0, dtype=np.float64)
                changed = changed or not np.allclose(mean, wanted, atol=1e-6)
                wanted = mean
            after = values[end[row] - 1 :, row]
            np.testing.assert_allclose(after, np.broadcast_to(wanted, after.shape), atol=1e-6)
    assert changed  # the mean is not the last value


def test_fewer_steps_than_asked_for_are_averaged_over_all_there_are():
    agent = brain("hebbian", rule_speed=1.0)
    free = lived(agent)["weights"]
    end = np.array([5, 0, 7])
    frozen = lived(agent, MeanFreeze(agent, end, np.ones(3, np.bool_), 100), end)["weights"]
    np.testing.assert_allclose(frozen[-1, 0], free[:5, 0].mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(frozen[-1, 1], frozen[0, 1])  # from birth: left as it was born


def test_a_swing_that_an_instant_would_catch_is_averaged_out():
    """The instant says that all depends on plasticity, the mean that nothing does."""
    evaluation = run(SwingingTrot(), shifts=(LIMP, "motor_gain:all:1"), life_s=3 * MEAN_S)
    metrics = condition(evaluation, "motor_gain:all:1").metrics
    assert metrics["late_performance"] > 0.3
    assert metrics["frozen_late_performance"] < 0.1
    assert metrics["mean_frozen_late_performance"] > 0.9 * metrics["late_performance"]
    assert metrics["mean_plasticity_benefit"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(metrics["plasticity_benefit"])
    fallen = condition(evaluation, LIMP).metrics  # which no plasticity saves
    assert fallen["mean_plasticity_benefit"] == pytest.approx(0, abs=0.1 * fallen["late_reference"])
    board = make_leaderboard([Member("swinging", [evaluation], ["runs/swinging"])])
    after, instant, mean = (
        np.mean([c.metrics[f"{prefix}late_performance"] for c in evaluation.conditions])
        for prefix in ("", "frozen_", "mean_frozen_")
    )
    assert frozen_lines(board) == [
        f"swinging: after {after:.2f}, frozen at the onset {instant:.2f}, "
        f"at the mean of the 2 s before {mean:.2f}"
    ]


def test_from_birth_there_is_no_mean():
    evaluation = run(SwingingTrot(), shifts=("motor_gain:all:1",), its={"onset": "birth"})
    assert math.isnan(evaluation.conditions[0].metrics["mean_frozen_late_performance"])


def test_a_leaderboard_sets_no_mean_over_some_conditions_beside_one_over_all():
    timed = ("motor_gain:all:1@0s", "motor_gain:all:1@1s")
    evaluation = run(SwingingTrot(), shifts=timed)
    told = [math.isfinite(c.metrics["mean_frozen_late_performance"]) for c in evaluation.conditions]
    assert sorted(told) == [False, True]
    board = make_leaderboard([Member("swinging", [evaluation], ["runs/swinging"])])
    (line,) = frozen_lines(board)
    assert "frozen at the onset" in line
    assert "mean" not in line


def test_brains_that_do_not_tell_what_they_learned_have_the_instant_alone(learned):
    for result in learned.conditions:
        assert math.isfinite(result.metrics["frozen_late_performance"])
        assert math.isnan(result.metrics["mean_frozen_late_performance"])
        assert math.isnan(result.metrics["mean_plasticity_benefit"])
