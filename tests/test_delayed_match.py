"""Delayed match to sample: what is shown when, what is pinned, and what counts as an answer."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robolearn.envs.cue_holder import cue_holder
from robolearn.envs.delayed_match import DelayedMatch
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError

TRIAL = 50  # control steps: 10 sample, 10 delay, 10 test, 20 window


def make(n: int = 16, **kwargs: Any) -> RobotVectorEnv:
    env = RobotVectorEnv("delayed_match", n, autoreset_mode="Disabled", **kwargs)
    assert isinstance(env.task, DelayedMatch)
    return env


def live(env: RobotVectorEnv, trials: int, act=None, seed: int = 0) -> dict[str, NDArray]:
    """Return observations (steps, n, o) as `seen` and infos (steps, n); the player's by default."""
    act = act or cue_holder(env)
    observation, _ = env.reset(seed=seed)
    steps = []
    for _ in range(trials * env.task.trial_steps):
        seen = observation
        observation, reward, _, _, infos = env.step(act(observation))
        steps.append({**infos, "seen": seen, "reward": reward})
    return {key: np.stack([step[key] for step in steps]) for key in steps[0]}


def always(env: RobotVectorEnv, value: float):
    action = np.full(env.action_space.shape, value, np.float32)
    return lambda _: action


def test_a_trial_shows_sample_delay_test_and_nothing_more():
    life = live(make(), 4)
    cue = life["seen"][..., :2].reshape(4, TRIAL, 16, 2)
    sample, test = np.divmod(life["context"].reshape(4, TRIAL, 16), 2)
    for part, shown in ((slice(0, 10), sample), (slice(20, 30), test)):
        assert np.array_equal(cue[:, part], np.eye(2)[shown[:, part]])
    assert not cue[:, 10:20].any()
    assert not cue[:, 30:].any()


def test_all_four_types_of_trial_come_equally_often_and_none_foretells_the_next():
    context = live(make(n=64), 40)["context"][::TRIAL]  # (trials, n)
    share = np.bincount(context.ravel(), minlength=4) / context.size
    assert share == pytest.approx(0.25, abs=0.03)
    pairs = np.bincount((4 * context[:-1] + context[1:]).ravel(), minlength=16) / context[1:].size
    assert pairs == pytest.approx(1 / 16, abs=0.02)


def test_the_pinned_lever_tells_nothing_of_the_cue_whatever_the_motor_does():
    env = make()
    random = np.random.default_rng(0)
    life = live(env, 3, lambda _: random.uniform(-1, 1, (16, 1)).astype(np.float32))
    lever = life["seen"][..., 2:].reshape(3, TRIAL, 16, 2)
    pinned = lever[:, :31]  # the observation of the step in which it becomes free, too
    assert np.array_equal(pinned, np.broadcast_to(pinned[:, :1], pinned.shape))
    assert not pinned[..., 1].any()
    assert np.abs(pinned[..., 0]).max() <= 0.01
    assert lever[:, 31:, :, 1].all()


def test_the_player_that_holds_the_cue_is_right_in_all_trials():
    for rule in ("non_match", "match"):
        life = live(make(rule=rule), 8)
        end = life["trial_end"]
        assert end.sum() == 8 * 16
        assert life["correct"][end].all()
        assert life["error"][end].max() < 0.02
        assert life["performance"].mean() == 1
        differ = np.isin(life["context"], (1, 2))
        assert np.array_equal(life["wanted"] > 0, differ == (rule == "non_match"))


def test_who_does_not_hold_the_cue_is_right_by_chance():
    env = make(n=64)
    life = live(env, 40, always(env, 0.6))
    end = life["trial_end"]
    assert life["correct"][end].mean() == pytest.approx(0.5, abs=0.03)
    assert life["error"][end].mean() == pytest.approx(1, abs=0.06)


def test_the_reward_is_the_error_of_the_answer_at_the_end_of_a_trial():
    env = make()
    life = live(env, 2, always(env, 0.3))
    assert np.array_equal(life["reward"], np.where(life["trial_end"], -life["error"], 0))
    right = life["trial_end"] & (life["wanted"] > 0)
    # 0.3 of the torque: 0.15 rad, half the way to the mark.
    assert life["error"][right] == pytest.approx(0.5, abs=0.01)
    assert life["answer"][right] == pytest.approx(0.5, abs=0.01)
    assert not life["reward"].reshape(2, TRIAL, 16)[:, :-1].any()


def test_only_the_last_part_of_the_window_is_judged():
    env = make()
    steps = iter(range(TRIAL))

    def late(_: NDArray) -> NDArray[np.float32]:
        return np.full((16, 1), 0.6 if next(steps) >= 45 else -1.0, np.float32)

    early = live(env, 1, late)["answer"][39]
    assert not early.any()


def test_times_are_parameters():
    env = make(cue_s=0.1, delay_s=1.0, hold_s=0.3, window_s=0.5, judged_s=0.1)
    assert env.task.trial_steps == 5 + 50 + 5 + 15 + 25
    life = live(env, 2)
    assert life["correct"][life["trial_end"]].all()
    assert not life["seen"][6:55, :, :2].any()
    assert not life["seen"][:75, :, 3].any()


def test_the_rule_can_be_reversed_in_mid_life():
    life = live(make(shifts=["rewarded_side:other@4s"], max_episode_steps=400), 8)
    correct = life["correct"][life["trial_end"]].reshape(8, 16)
    assert correct[:4].all()
    assert not correct[4:].any()
    assert life["error"][-1] == pytest.approx(2, abs=0.02)


def test_a_weak_motor_falls_short_of_the_mark():
    life = live(make(shifts=["motor_gain:all:0.5"]), 2)
    assert np.abs(life["answer"][-1]) == pytest.approx(0.5, abs=0.01)
    assert life["correct"][-1].all()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"judged_s": 0.5}, "judged_s = 0.5: expected at most window_s = 0.4"),
        ({"delay_s": 0.005}, "must each last a control step of 0.02 s"),
        ({"rule": "non_mach"}, "did you mean 'non_match'"),
        ({"mark_rad": 0.7}, "mark_rad"),
    ],
)
def test_mistakes_are_told_in_one_line(kwargs: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message) as error:
        make(**kwargs)
    assert "\n" not in str(error.value)
