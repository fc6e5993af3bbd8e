"""robolearn/Ant-v0 is Gymnasium's Ant-v5, bit for bit, one by one and as a batch."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray

import robolearn  # noqa: F401  (registers the ids)

SEEDS = 20
STEPS = 200

TERMS = ("reward_forward", "reward_survive")
STATE = ("x_position", "y_position", "distance_from_origin", "x_velocity", "y_velocity")


def gymnasium_ant(**kwargs: Any) -> gymnasium.Env:
    return gymnasium.make(
        "Ant-v5", include_cfrc_ext_in_observation=False, contact_cost_weight=0, **kwargs
    )


def actions_of(seed: int, steps: int = STEPS) -> NDArray[np.float32]:
    """Return (steps, 8): violent enough that some ants leave the healthy heights."""
    return np.random.default_rng(seed).uniform(-1, 1, (steps, 8)).astype(np.float32)


def test_the_single_env_repeats_ant_v5():
    ours, theirs = gymnasium.make("robolearn/Ant-v0"), gymnasium_ant()
    ends = 0
    for seed in range(SEEDS):
        assert np.array_equal(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0])
        for action in actions_of(seed):
            observation, reward, terminated, truncated, info = ours.step(action)
            expected = theirs.step(action)
            assert np.array_equal(observation, expected[0])
            assert observation.dtype == expected[0].dtype
            assert (reward, terminated, truncated) == expected[1:4]
            for key in (*STATE, *TERMS):
                assert info[key] == expected[4][key], key
            assert info["reward_control"] == expected[4]["reward_ctrl"]
            if terminated or truncated:
                ends += 1
                assert np.array_equal(ours.reset()[0], theirs.reset()[0])
    assert ends > 0


def ours_and_theirs(mode: AutoresetMode, max_episode_steps: int) -> tuple[VectorEnv, VectorEnv]:
    ours = gymnasium.make_vec(
        "robolearn/Ant-v0", SEEDS, max_episode_steps=max_episode_steps, autoreset_mode=mode
    )
    theirs = SyncVectorEnv(
        [lambda: gymnasium_ant(max_episode_steps=max_episode_steps)] * SEEDS, autoreset_mode=mode
    )
    return ours, theirs


@pytest.mark.parametrize(
    "mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]
)
def test_the_vector_env_repeats_ant_v5_across_resets(mode: AutoresetMode):
    # Short lives, so that every row is reset often, by falls and by the end of its time.
    ours, theirs = ours_and_theirs(mode, max_episode_steps=60)
    actions = np.stack([actions_of(seed) for seed in range(SEEDS)], axis=1)  # (steps, n, 8)
    assert np.array_equal(ours.reset(seed=5)[0], theirs.reset(seed=5)[0])
    falls = truncations = 0
    for action in actions:
        step, expected = ours.step(action), theirs.step(action)
        for mine, its in zip(step[:4], expected[:4], strict=True):
            assert np.array_equal(mine, its)
            assert mine.dtype == its.dtype
        done = step[2] | step[3]
        falls, truncations = falls + step[2].sum(), truncations + step[3].sum()
        if done.any() and mode is AutoresetMode.SAME_STEP:
            for row in np.flatnonzero(done):
                assert np.array_equal(step[4]["final_obs"][row], expected[4]["final_obs"][row])
            for key in STATE:
                theirs_last = expected[4]["final_info"][key]
                assert np.array_equal(step[4]["final_info"][key][done], theirs_last[done])
        if done.any() and mode is AutoresetMode.DISABLED:
            options = {"reset_mask": done}
            assert np.array_equal(ours.reset(options=options)[0], theirs.reset(options=options)[0])
    assert falls > 0
    assert truncations > 0


def test_the_fast_variant_is_another_ant():
    exact, fast = (gymnasium.make("robolearn/Ant-v0", variant=v) for v in (None, "fast"))
    first = [env.reset(seed=0)[0] for env in (exact, fast)]
    assert np.array_equal(*first)
    last = [env.step(actions_of(0)[0])[0] for env in (exact, fast)]
    assert not np.array_equal(*last)
