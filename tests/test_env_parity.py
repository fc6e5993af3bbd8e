"""Our Ant and HalfCheetah are Gymnasium's v5, bit for bit, one by one and as a batch."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray

import robolearn  # noqa: F401  (registers the ids)

SEEDS = 20
STEPS = 200

each_twin = pytest.mark.parametrize("name", ["ant", "half_cheetah"])

OURS = {"ant": "robolearn/Ant-v0", "half_cheetah": "robolearn/HalfCheetah-v0"}
THEIRS = {
    "ant": ("Ant-v5", {"include_cfrc_ext_in_observation": False, "contact_cost_weight": 0}),
    "half_cheetah": ("HalfCheetah-v5", {}),
}
# Theirs is the norm of one vector, a BLAS call that some processors round otherwise.
ULPS = {"distance_from_origin": 4e-16}
# Keys of their info, beside those of `reward_ctrl`, that ours has under the same name.
INFO = {
    "ant": (
        *("reward_forward", "reward_survive", "distance_from_origin"),
        *("x_position", "y_position", "x_velocity", "y_velocity"),
    ),
    "half_cheetah": ("reward_forward", "x_position", "x_velocity"),
}
MOTORS = {"ant": 8, "half_cheetah": 6}


def gymnasium_twin(name: str, **kwargs: Any) -> gymnasium.Env:
    env_id, own = THEIRS[name]
    return gymnasium.make(env_id, **own, **kwargs)


def actions_of(seed: int, name: str = "ant", steps: int = STEPS) -> NDArray[np.float32]:
    """Return (steps, motors): violent enough that some ants leave the healthy heights."""
    shape = (steps, MOTORS[name])
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@each_twin
def test_the_single_env_repeats_the_original(name: str):
    ours, theirs = gymnasium.make(OURS[name]), gymnasium_twin(name)
    ends = 0
    for seed in range(SEEDS):
        assert np.array_equal(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0])
        for action in actions_of(seed, name):
            observation, reward, terminated, truncated, info = ours.step(action)
            expected = theirs.step(action)
            assert np.array_equal(observation, expected[0])
            assert observation.dtype == expected[0].dtype
            assert (reward, terminated, truncated) == expected[1:4]
            for key in INFO[name]:
                assert info[key] == pytest.approx(expected[4][key], rel=ULPS.get(key, 0), abs=0), (
                    key
                )
            assert info["reward_control"] == expected[4]["reward_ctrl"]
            if terminated or truncated:
                ends += 1
                assert np.array_equal(ours.reset()[0], theirs.reset()[0])
    assert (ends > 0) == (name == "ant")  # nothing ends the life of a cheetah


def ours_and_theirs(
    name: str, mode: AutoresetMode, max_episode_steps: int
) -> tuple[VectorEnv, VectorEnv]:
    ours = gymnasium.make_vec(
        OURS[name], SEEDS, max_episode_steps=max_episode_steps, autoreset_mode=mode
    )
    theirs = SyncVectorEnv(
        [lambda: gymnasium_twin(name, max_episode_steps=max_episode_steps)] * SEEDS,
        autoreset_mode=mode,
    )
    return ours, theirs


@each_twin
@pytest.mark.parametrize(
    "mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]
)
def test_the_vector_env_repeats_the_original_across_resets(name: str, mode: AutoresetMode):
    # Short lives, so that every row is reset often, by falls and by the end of its time.
    ours, theirs = ours_and_theirs(name, mode, max_episode_steps=60)
    actions = np.stack([actions_of(seed, name) for seed in range(SEEDS)], axis=1)  # (steps, n, a)
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
            for key in INFO[name]:
                theirs_last = expected[4]["final_info"][key]
                np.testing.assert_allclose(
                    step[4]["final_info"][key][done], theirs_last[done], rtol=ULPS.get(key, 0)
                )
        if done.any() and mode is AutoresetMode.DISABLED:
            options = {"reset_mask": done}
            assert np.array_equal(ours.reset(options=options)[0], theirs.reset(options=options)[0])
    assert (falls > 0) == (name == "ant")
    assert truncations > 0


def test_the_fast_variant_is_another_ant():
    exact, fast = (gymnasium.make("robolearn/Ant-v0", variant=v) for v in (None, "fast"))
    first = [env.reset(seed=0)[0] for env in (exact, fast)]
    assert np.array_equal(*first)
    last = [env.step(actions_of(0)[0])[0] for env in (exact, fast)]
    assert not np.array_equal(*last)
