"""The shift of the rewarded side pays at the arm that it names, of two arms and of four."""

from typing import Any

import numpy as np
import pytest

from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError


def make(n: int, name: str = "tmaze", **kwargs: Any) -> RobotVectorEnv:
    kwargs = {"autoreset_mode": "Disabled", "max_episode_steps": 10_000, **kwargs}
    return RobotVectorEnv(name, n, **kwargs)


def test_the_shift_moves_the_pay_to_the_other_arm_and_back():
    shift = ["rewarded_side:other@6s-12s"]
    shifted, plain = (
        make(16, trials=100, switch_trials=None, max_episode_steps=300, shifts=s)
        for s in (shift, [])
    )
    shifted.reset(seed=0)
    plain.reset(seed=0)
    still = np.zeros((16, 2), np.float32)
    for step in range(150):
        here, there = (env.step(still)[4]["rewarded"] for env in (shifted, plain))
        assert np.array_equal(here, 1 - there if 60 <= step < 120 else there)


@pytest.mark.parametrize("cue", ["none", "delayed"])
@pytest.mark.parametrize("side", ["other", 0, 1, 2, 3])
def test_the_shift_moves_the_pay_to_any_of_four_arms_and_back(side: str | int, cue: str):
    # Trials end by timeout after a second, and the life's own switch comes among them.
    life: dict[str, Any] = {"trials": 16, "trial_s": 1.0, "switch_trials": [3, 12], "cue": cue}
    shifted, plain = (
        make(24, "double_tmaze", max_episode_steps=160, shifts=shifts, **life)
        for shifts in ([f"rewarded_side:{side}@5s-10s"], [])
    )
    shifted.reset(seed=0)
    plain.reset(seed=0)
    still = np.zeros((24, 2), np.float32)
    for step in range(150):
        here, there = shifted.step(still)[4], plain.step(still)[4]
        arm, lit = there["rewarded"], there["context"]
        if 50 <= step < 100:
            own = (arm - lit) % 4  # as counted from the lit arm
            arm = ((3 - own if side == "other" else side) + lit) % 4
        assert np.array_equal(here["rewarded"], arm)


def test_the_arm_that_a_shift_rewards_is_the_one_that_pays():
    for side, arm in enumerate(("left_left", "left_right", "right_left", "right_right")):
        env = make(
            4, "double_tmaze", trials=3, switch_trials=[1, 1], shifts=[f"rewarded_side:{side}"]
        )
        env.reset(seed=0)
        place = env.world.model.site(arm).pos[:2]
        for _ in range(3):
            env.simulation.qpos[:, :2] = place
            infos = env.step(np.zeros((4, 2), np.float32))[4]
            assert (infos["chosen"] == side).all()
            assert (infos["food"] == 1.0).all()


@pytest.mark.parametrize(
    ("name", "side", "message"),
    [
        ("tmaze", "2", "side must be a number from 0 to 1, as there are 2 arms, or 'other', got 2"),
        ("double_tmaze", "4", "number from 0 to 3, as there are 4 arms, or 'other', got 4"),
        ("double_tmaze", "-1", "side must be a number from 0 to .*, got -1.0, or 'other'"),
        ("double_tmaze", "otehr", "side must be a number .*, got 'otehr', or 'other'"),
        ("double_tmaze", "left_left", "side must be a number .*, got 'left_left', or 'other'"),
        ("double_tmaze", "0..9", "number from 0 to 3, as there are 4 arms, or 'other', got 9"),
        ("avoid", "1", "shift 'rewarded_side' does not apply to avoid"),
    ],
)
def test_a_side_that_a_maze_does_not_have_is_refused(name: str, side: str, message: str):
    with pytest.raises(UserError, match=message) as error:
        make(1, name, shifts=[f"rewarded_side:{side}"])
    assert "\n" not in str(error.value)


def test_two_rewarded_sides_contradict():
    with pytest.raises(UserError, match="rewarded_side:1 contradicts rewarded_side:other"):
        make(1, "double_tmaze", shifts=["rewarded_side:1@5s", "rewarded_side:other@8s"])
    make(1, "double_tmaze", shifts=["rewarded_side:1@5s-8s", "rewarded_side:other@8s"])
