"""What a walker may sense beside its joints, and be paid for beside its speed."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import robolearn  # noqa: F401  (registers the envs)


def test_a_walker_may_sense_its_last_action_and_be_paid_for_standing():
    env = gymnasium.make("robolearn/Quadruped-v0", sense_action=True, rewards={"alive": 0.3})
    plain = gymnasium.make("robolearn/Quadruped-v0")
    birth, usual = (body.reset(seed=0)[0] for body in (env, plain))
    last = slice(-14, -2)  # before the clock
    np.testing.assert_array_equal(birth[last], 0.0)
    np.testing.assert_array_equal(np.delete(birth, np.arange(last.start, last.stop)), usual)
    action = np.linspace(-1, 1, 12, dtype=np.float32)
    observation, reward, *_, info = env.step(action)
    _, without, *_ = plain.step(action)
    np.testing.assert_array_equal(observation[last], action)
    assert info["reward_alive"] == 0.3
    assert float(reward) == pytest.approx(float(without) + 0.3)
    np.testing.assert_array_equal(env.reset(seed=0)[0], birth)


def test_a_walker_may_sense_where_it_heads():
    env = gymnasium.make("robolearn/Quadruped-v0", sense_heading=True)
    env.reset(seed=0)
    simulation = env.unwrapped.batch.simulation
    half = np.deg2rad(30) / 2  # a yaw of 30° to the left
    simulation.qpos[:, 3:7] = [np.cos(half), 0.0, 0.0, np.sin(half)]
    heading = env.unwrapped.batch.task.observe()[0, -4:-2]  # before the clock
    np.testing.assert_allclose(heading, [0.5, np.sqrt(0.75)], atol=1e-6)


def test_a_new_life_knows_no_action_of_the_life_before():
    env = gymnasium.make_vec(
        "robolearn/Quadruped-v0",
        2,
        sense_action=True,
        max_episode_steps=3,
        autoreset_mode=AutoresetMode.NEXT_STEP,
    )
    birth, _ = env.reset(seed=0)
    for _ in range(4):  # the fourth step begins anew, and its action is lost
        observation, *_ = env.step(np.full((2, 12), 0.5, np.float32))
    np.testing.assert_array_equal(observation[:, -14:-2], birth[:, -14:-2])
    observation, *_ = env.step(np.full((2, 12), 0.25, np.float32))
    np.testing.assert_array_equal(observation[:, -14:-2], 0.25)
