"""Claims about twins that are frozen at the mean of what was learned, or yoked to other lives."""

import io
import math
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from rich.console import Console
from trot import PlasticTrot, Trot, condition, run

from robolearn.adaptation import paired_lives
from robolearn.adaptation.leaderboard import Member, make_leaderboard
from robolearn.adaptation.leaderboard_table import frozen_lines
from robolearn.adaptation.life_cache import LifeCache
from robolearn.adaptation.mean_freeze import MEAN_S, MeanFreeze
from robolearn.adaptation.protocol import Protocol
from robolearn.adaptation.protocol_file import load_protocol
from robolearn.adaptation.table import print_evaluation
from robolearn.adaptation.yoke import Yoke
from robolearn.agents.module_layout import Layout
from robolearn.agents.protocol import learned_of
from robolearn.agents.registry import make_agent
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.lifetime import live

LIMP = "motor_gain:all:0"
NOTHING = "motor_gain:all:1"
STEPS = 40
BRAINS = [
    ("hebbian", {"rule_speed": 1.0}),
    ("spiking", {"rule": "abcd", "homeostasis": True, "rule_speed": 1.0}),
    ("neuromodulated", {}),
    ("spiking", {"rule": "abcd", "rule_speed": 1.0, "division": "sides"}),
]


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


@pytest.mark.parametrize(("kind", "options"), BRAINS)
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
    evaluation = run(SwingingTrot(), shifts=(LIMP, NOTHING), life_s=3 * MEAN_S)
    metrics = condition(evaluation, NOTHING).metrics
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
    evaluation = run(SwingingTrot(), shifts=(NOTHING,), its={"onset": "birth"})
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


class DriftingTrot(Trot):
    """Walks as long as its weight moves, whichever way; every life moves it by steps of its own."""

    kind = "drifting_trot"
    is_plastic = True

    def new_state(self, n):
        return SimpleNamespace(
            pace=np.zeros((n, 1), np.float32),
            weight=np.zeros((n, 1), np.float32),
            last=np.zeros((n, 1), np.float32),
            steps=np.zeros(n, np.int64),
        )

    def reset(self, parameters, state, ids, rngs):
        super().reset(parameters, state, ids, rngs)
        state.pace[ids] = [[rng.uniform(0.5, 1.5)] for rng in rngs]
        state.weight[ids] = state.last[ids] = 0

    def learned(self, state):
        return {"weight": state.weight}

    def act(self, parameters, state, observation, feedback):
        own = (feedback.plastic & feedback.alive)[:, None]
        walks = self.is_right(state) | (state.steps == 0)[:, None]
        state.steps += feedback.alive
        state.last[:] = state.weight
        state.weight += own * state.pace
        return super().act(parameters, state, observation, feedback) * walks

    def is_right(self, state):
        return state.weight != state.last


class TunedTrot(DriftingTrot):
    """Walks as long as its weight is what its own pace made of it."""

    kind = "tuned_trot"

    def is_right(self, state):
        return np.isclose(state.weight, state.pace * state.steps[:, None], rtol=1e-3)


@pytest.mark.parametrize(("kind", "options"), BRAINS)
def test_a_yoked_brain_changes_as_its_donor_does(kind, options):
    agent = brain(kind, **options)
    start = 20
    end = np.array([start, STEPS, STEPS])
    free = lived(agent)
    yoked = lived(agent, Yoke(agent, np.array([0]), np.array([2]), end[:1]), end)
    for name, values in yoked.items():
        np.testing.assert_array_equal(values[:start], free[name][:start])
        np.testing.assert_array_equal(values[:, 1:], free[name][:, 1:])
        gained = values[start:, 0] - values[start - 1, 0]
        given = values[start:, 2] - values[start - 1, 2]
        np.testing.assert_allclose(gained, given, atol=1e-5)
    assert any(np.ptp(values[start:, 0], axis=0).any() for values in yoked.values())


@pytest.mark.parametrize("from_birth", [False, True])
def test_the_yoke_tells_learning_from_ones_own_life_from_moving_at_all(from_birth):
    its = {"yoke": True, "onset": "birth" if from_birth else "mid_life"}
    drifting, tuned = (
        condition(run(kind(), shifts=(NOTHING,), its=its), NOTHING).metrics
        for kind in (DriftingTrot, TunedTrot)
    )
    assert drifting["late_performance"] > 0.3
    assert drifting["frozen_late_performance"] < 0.1
    assert tuned["late_performance"] > 0.3
    assert tuned["yoked_late_performance"] < 0.1
    if not from_birth:  # the first step of a life is not given on
        alive = drifting["late_performance"]
        assert drifting["yoked_late_performance"] == pytest.approx(alive, rel=1e-6)
        assert drifting["yoked_plasticity_benefit"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(tuned["yoked_plasticity_benefit"])  # yoked and intact, it gets nowhere


def test_a_donor_is_another_life_that_meets_the_same_shift_at_the_same_time(monkeypatch):
    shifts_met, births = [], []

    class Watched(Yoke):
        def __call__(self, moment):
            bodies = moment.env.schedule.shifts_of
            for yoked, donor in zip(self._yoked, self._donors, strict=True):
                shifts_met.append((bodies(yoked), bodies(donor)))
                if moment.step == 0:
                    births.append(moment.env.simulation.qpos[[yoked, donor]])
            super().__call__(moment)

    monkeypatch.setattr(paired_lives, "Yoke", Watched)
    run(DriftingTrot(), shifts=("limb_damage:front_left:dead",), episodes=3, its={"yoke": True})
    assert all(own == of_donor for own, of_donor in shifts_met)
    assert {len(own) for own, _ in shifts_met} == {0, 1}
    assert all(np.abs(own - of_donor).max() > 1e-3 for own, of_donor in births)


def test_yoked_lives_depend_neither_on_batches_nor_on_the_cache(tmp_path):
    def metrics(**options):
        evaluation = run(DriftingTrot(), (LIMP, NOTHING), 3, its={"yoke": True}, **options)
        return [c.metrics for c in evaluation.conditions]

    at_once = metrics()
    assert all(math.isfinite(each["yoked_late_performance"]) for each in at_once)
    np.testing.assert_equal(metrics(max_rows=4), at_once)
    np.testing.assert_equal(metrics(max_rows=1), at_once)
    cached = {"cache": LifeCache(tmp_path / "lives.sqlite"), "traits": {"of": "test"}}
    np.testing.assert_equal(metrics(**cached), at_once)
    told = []
    np.testing.assert_equal(
        metrics(**cached, progress=lambda done, all_: told.append(done)), at_once
    )
    assert len(told) == 1  # nothing was lived again


def test_a_board_and_a_table_tell_of_the_yoke():
    evaluation = run(DriftingTrot(), shifts=(NOTHING,), life_s=3 * MEAN_S, its={"yoke": True})
    board = make_leaderboard([Member("drifting", [evaluation], ["runs/drifting"])])
    metrics = evaluation.conditions[0].metrics
    frozen, mean, yoked = (
        f"{metrics[f'{name}_late_performance']:.2f}" for name in ("frozen", "mean_frozen", "yoked")
    )
    (line,) = frozen_lines(board)
    assert line.endswith(f"yoked to another life {yoked}")
    assert f"{frozen} {mean} {yoked}" in printed(evaluation)
    from_birth = run(DriftingTrot(), (NOTHING,), its={"yoke": True, "onset": "birth"})
    yoked = from_birth.conditions[0].metrics["yoked_late_performance"]
    assert f"0.00 – {yoked:.2f}" in printed(from_birth)


def printed(evaluation):
    text = io.StringIO()
    print_evaluation(evaluation, Console(file=text, width=100))
    return text.getvalue()


def test_a_donor_that_has_fallen_gives_nothing_more():
    """Limp from 0.2 s on, all fall: the yoked weight stops where its donor's does."""
    weights, alive = [], []

    class Watched(DriftingTrot):
        def act(self, parameters, state, observation, feedback):
            weights.append(state.weight.copy())
            alive.append(feedback.alive.copy())
            return super().act(parameters, state, observation, feedback)

    run(Watched(), shifts=("motor_gain:all:0@0.2s",), its={"yoke": True}, life_s=4.0)
    yoked = [i for i, w in enumerate(weights) if len(w) == 8]  # 2 lives, 2 intact ones, 4 donors
    moved = np.diff(np.array([weights[i] for i in yoked]), axis=0)[..., 0]  # (T, n)
    lived_on = np.array([alive[i] for i in yoked])[:-1]
    fallen = ~lived_on[:, 4:]
    assert fallen.any()
    assert not fallen.all()
    assert not moved[:, :4][fallen].any()


@pytest.mark.parametrize(
    ("its", "message"),
    [
        ({"yoke": True, "episodes": 1}, "at least 2 episodes"),
        ({"yoke": True, "trials": 60}, "counted in seconds"),
        ({"yoke": "yes"}, "yoke must be true or false, got 'yes'"),
    ],
)
def test_a_yoke_that_cannot_be_is_refused(its, message):
    with pytest.raises(UserError, match=message):
        Protocol("own", (NOTHING,), **its)


def test_who_does_not_tell_what_was_learned_is_not_yoked(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(f"episodes: 2\nlife_s: 2\nyoke: true\nconditions: ['{NOTHING}']\n")
    assert load_protocol(own).yoke
    evaluation = run(PlasticTrot(), shifts=(NOTHING,), its={"yoke": True})
    assert math.isnan(evaluation.conditions[0].metrics["yoked_late_performance"])
    assert "it was not yoked" in printed(evaluation)
