"""Ten thousand steps of violent actions, with and without shifts: nobody's physics diverges."""

import numpy as np
import pytest

from robolearn.definitions import definition_names
from robolearn.envs.vector_env import RobotVectorEnv

LEGS = ["front_left", "front_right", "rear_left", "rear_right"]
EARLY = {"uniform": [0.0, 1.0]}
SHIFTS = {
    "intact": [],
    "damage": [
        {
            "kind": "limb_damage",
            "leg": LEGS,
            "mode": ["dead", "locked", "amputated"],
            "onset_s": EARLY,
        }
    ],
    "shortened": [
        {"kind": "limb_damage", "leg": LEGS, "mode": "shortened", "fraction": [0.05, 0.3, 0.8]}
    ],
    "gain": [{"kind": "motor_gain", "target": ["all", *LEGS], "gain": {"uniform": [0.0, 3.0]}}],
}


@pytest.mark.slow
@pytest.mark.parametrize("shifts", SHIFTS.values(), ids=SHIFTS.keys())
@pytest.mark.parametrize("name", definition_names("envs"))
def test_random_actions_never_break_the_physics(name: str, shifts: list):
    env = RobotVectorEnv(name, 2, max_episode_steps=200, shifts=shifts)
    env.reset(seed=1)
    rng = np.random.default_rng(0)
    ends = 0
    for step in range(10_000):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        if step % 3 == 0:  # from one end of the range to the other
            action = np.sign(action)
        observation, reward, terminated, truncated, infos = env.step(action)
        assert not infos["unstable"].any()
        assert np.isfinite(observation).all()
        assert np.isfinite(reward).all()
        ends += (terminated | truncated).sum()
    assert ends >= 100  # lives were lived to their end, or to a fall
