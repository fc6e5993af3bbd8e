"""The adapter to stable-baselines3 equals its own vector env of single envs, step by step."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecCheckNan, VecNormalize

from robolearn.envs.vector_env import RobotVectorEnv, env_ids
from robolearn.errors import UserError
from robolearn.learning.sb3_vec_env import SB3VecEnv

each_env = pytest.mark.parametrize("env_id", sorted(env_ids()))


def adapted(env_id: str, n: int, info_keys: tuple[str, ...] = (), **kwargs: Any) -> SB3VecEnv:
    envs = gymnasium.make_vec(env_id, n, autoreset_mode=AutoresetMode.SAME_STEP, **kwargs)
    return SB3VecEnv(envs, info_keys)


def singles(env_id: str, n: int, steps: int) -> DummyVecEnv:
    return DummyVecEnv(
        [lambda: Monitor(gymnasium.make(env_id, max_episode_steps=steps)) for _ in range(n)]
    )


@each_env
def test_it_equals_single_envs_in_a_monitor(env_id: str):
    n, steps = 3, 25
    ours = adapted(env_id, n, ("performance",), max_episode_steps=steps)
    theirs = singles(env_id, n, steps)
    for envs in (ours, theirs):
        envs.seed(5)
    assert np.array_equal(ours.reset(), np.asarray(theirs.reset()))
    rng, ends = np.random.default_rng(0), 0
    for _ in range(60):
        action = rng.uniform(-1, 1, (n, *(ours.action_space.shape or ()))).astype(np.float32)
        mine, expected = ours.step(action), theirs.step(action)
        arrays: Any = zip(mine[:3], expected[:3], strict=True)
        for a, b in arrays:
            assert np.array_equal(a, b)
            assert a.dtype == b.dtype
        for done, info, other in zip(mine[2], mine[3], expected[3], strict=True):
            assert info["performance"] == other["performance"]
            assert ("episode" in info) == ("terminal_observation" in info) == done
            if not done:
                continue
            ends += 1
            assert np.array_equal(info["terminal_observation"], other["terminal_observation"])
            assert info["TimeLimit.truncated"] == other["TimeLimit.truncated"]
            assert info["episode"]["r"] == pytest.approx(other["episode"]["r"], abs=2e-6)
            assert info["episode"]["l"] == other["episode"]["l"]
            assert set(other) <= set(info)
    assert ends > n


def test_a_fall_is_a_termination_and_a_long_life_a_truncation():
    envs = adapted("robolearn/Quadruped-v0", 2, max_episode_steps=20)
    envs.seed(0)
    envs.reset()
    assert isinstance(envs.env, RobotVectorEnv)
    ends: dict[int, tuple[int, dict[str, Any]]] = {}
    for step in range(20):
        if step == 10:
            envs.env.simulation.qpos[1, 2] = 0.05  # laid on the ground
        observation, _, done, infos = envs.step(np.zeros((2, 12), np.float32))
        observation = np.asarray(observation)
        for row in np.flatnonzero(done).tolist():
            ends.setdefault(row, (step, infos[row]))
            # What is returned is the first observation of the next life, not the last of this.
            assert not np.array_equal(observation[row], infos[row]["terminal_observation"])
    assert ends[1][0] == 10
    assert not ends[1][1]["TimeLimit.truncated"]
    assert ends[1][1]["reward_fall"] == -50.0
    assert ends[0][0] == 19
    assert ends[0][1]["TimeLimit.truncated"]
    assert ends[0][1]["episode"]["l"] == 20


def test_seeds_give_every_row_its_own_life_once():
    envs = adapted("robolearn/Reach-v0", 3)
    assert envs.seed(7) == [7, 8, 9]
    first = envs.reset()
    assert not np.array_equal(envs.reset(), first)  # a seed holds for one reset
    envs.seed(7)
    assert np.array_equal(envs.reset(), first)
    envs.seed(8)
    assert np.array_equal(envs.reset()[:2], first[1:])


def test_the_wrappers_of_stable_baselines3_fit():
    inner = adapted("robolearn/Reach-v0", 4, max_episode_steps=20)
    checked = VecCheckNan(VecNormalize(inner), raise_exception=True)
    checked.reset()
    infos: list[dict[str, Any]] = []
    for _ in range(20):
        infos = checked.step(np.zeros((4, 2), np.float32))[3]
    assert all(info["episode"]["l"] == 20 for info in infos)
    assert inner.env_is_wrapped(Monitor) == [True] * 4
    assert inner.env_is_wrapped(gymnasium.wrappers.ClipAction, [0, 1]) == [False] * 2
    assert inner.get_attr("num_envs", [0, 2]) == [4, 4]
    assert inner.has_attr("task")
    assert not inner.has_attr("tasks")
    assert inner.env_method("close") == [None] * 4


def test_what_cannot_be_is_refused_in_one_line():
    plain = gymnasium.make_vec("robolearn/Reach-v0", 2)
    with pytest.raises(UserError, match=r"autoreset_mode must be 'SameStep' .*, got 'NextStep'"):
        SB3VecEnv(plain)
    envs = adapted("robolearn/Reach-v0", 2)
    with pytest.raises(UserError, match="attribute 'x' belongs to all 2 individuals, not to 1"):
        envs.set_attr("x", 3, 1)
    with pytest.raises(UserError, match=r"method 'render' belongs to all 2 .*, not to \[0\]"):
        envs.env_method("render", indices=[0])
    envs.set_options({"reset_mask": [True, False]})
    with pytest.raises(UserError, match="options of a reset are not passed on"):
        envs.reset()


def reach_ppo(envs: Any) -> PPO:
    return PPO(
        "MlpPolicy", envs, n_steps=128, batch_size=256, n_epochs=6, learning_rate=1e-3,
        gamma=0.95, seed=0, device="cpu", policy_kwargs={"net_arch": [32, 32]},
    )  # fmt: skip


@pytest.mark.slow
def test_ppo_learns_to_reach_in_thirty_thousand_steps():
    model = reach_ppo(adapted("robolearn/Reach-v0", 16, max_episode_steps=200))

    def mean_return() -> float:
        test = adapted("robolearn/Reach-v0", 16, max_episode_steps=200)
        test.seed(1000)  # lives that training has not seen
        return float(np.mean(evaluate_policy(model, test, n_eval_episodes=16)[0]))

    before = mean_return()
    model.learn(30_000)
    after = mean_return()
    print(f"mean return {before:.2f} before, {after:.2f} after")
    # Four trials: who does nothing gets −8, who is on the target at once nearly 0.
    assert after > before + 2.0
    assert after > -6.0


@pytest.mark.slow
@each_env
@pytest.mark.parametrize("through", ["make", "make_vec"])
def test_ppo_trains_on_every_env(env_id: str, through: str):
    if through == "make":
        envs: Any = gymnasium.make(env_id)
        steps = 256
    else:
        envs, steps = adapted(env_id, 16), 2048
    model = PPO("MlpPolicy", envs, n_steps=steps // (1 if through == "make" else 16), seed=0)
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    model.learn(2 * steps)
    assert model.num_timesteps == 2 * steps
    after = model.policy.state_dict()
    assert any(not np.array_equal(after[name], value) for name, value in before.items())
    assert all(np.isfinite(value.numpy()).all() for value in after.values())
    action, _ = model.predict(envs.reset() if through == "make_vec" else envs.reset()[0])
    assert np.isfinite(action).all()


@each_env
def test_a_loop_from_the_documentation_of_gymnasium_runs(env_id: str):
    # https://gymnasium.farama.org/introduction/basic_usage/, with another id
    env = gymnasium.make(env_id)
    observation, info = env.reset()
    episode_over = False
    total_reward, steps = 0.0, 0
    while not episode_over:
        action = env.action_space.sample()
        observation, reward, terminated, truncated, info = env.step(action)
        total_reward += float(reward)
        steps += 1
        episode_over = terminated or truncated
    env.close()
    assert np.isfinite(total_reward)
    assert env.observation_space.contains(observation)
    assert isinstance(info, dict)
    assert env.spec is not None
    assert env.spec.max_episode_steps is not None
    assert 0 < steps <= env.spec.max_episode_steps


@each_env
def test_a_vector_loop_from_the_documentation_of_gymnasium_runs(env_id: str):
    # https://gymnasium.farama.org/introduction/basic_usage/ and .../api/vector/
    envs = gymnasium.make_vec(env_id, num_envs=3, max_episode_steps=30)
    _, infos = envs.reset(seed=42)
    ended = np.zeros(3, np.int64)
    for _ in range(70):
        actions = envs.action_space.sample()
        observations, rewards, terminations, truncations, infos = envs.step(actions)
        ended += terminations | truncations
        assert envs.observation_space.contains(observations)
        assert rewards.shape == (3,)
    envs.close()
    assert isinstance(infos, dict)
    assert (ended >= 2).all()
