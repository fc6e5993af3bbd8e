"""The gait clock of running tasks, which Gymnasium's have not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError

CLOCK_HZ = 1.5


@pytest.mark.parametrize("name", ["ant", "half_cheetah"])
def test_the_clock_tells_the_time_of_life_and_nothing_else_changes(name: str):
    plain, clocked = RobotVectorEnv(name, 2), RobotVectorEnv(name, 2, clock_hz=CLOCK_HZ)
    step_s = clocked.world.control_step_s
    for life in range(2):  # it begins anew with every life
        bare, observation = plain.reset(seed=life)[0], clocked.reset(seed=life)[0]
        for step in range(5):
            phase = 2 * np.pi * CLOCK_HZ * step * step_s
            assert_allclose(observation[:, -2:], [[np.sin(phase), np.cos(phase)]] * 2, atol=1e-6)
            assert_array_equal(observation[:, :-2], bare)
            action = np.full((2, clocked.world.model.nu), 0.3, np.float32)
            bare, observation = plain.step(action)[0], clocked.step(action)[0]
    assert clocked.task.observation_slices[-1].name == "clock"
    assert clocked.task.observation_scale.size == observation.shape[1]


def test_a_clock_that_stands_still_is_refused():
    with pytest.raises(UserError, match="clock_hz"):
        RobotVectorEnv("ant", 1, clock_hz=0.0)
