"""The smallest tasks a learner must solve, as vector envs without physics."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray


class Mirror(VectorEnv):
    """Act what you see, one number in [-1, 1]: reward = -(action - number)²; lives of 8 steps.

    Args:
        num_envs: number of individuals.
        cue_only: the number is seen at birth alone (then 0), so that it must be remembered.
    """

    max_episode_steps = 8

    def __init__(self, num_envs: int, cue_only: bool = False):
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = Box(-np.inf, np.inf, (2,), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (1,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        # The scale is wrong on purpose by a factor of two: networks must make up for it.
        self.task = SimpleNamespace(observation_scale=np.array([2.0, 1.0], np.float32))
        self.cue_only = cue_only
        self.rng = np.random.default_rng(0)
        self.number = np.zeros(num_envs)
        self.step_count = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[NDArray, dict[str, Any]]:
        del options
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.number = self.rng.uniform(-1, 1, self.num_envs)
        self.step_count = 0
        return self._observe(), self._infos(np.zeros(self.num_envs))

    def step(
        self, actions: NDArray
    ) -> tuple[NDArray, NDArray, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        reward = -((actions[:, 0] - self.number) ** 2)
        self.step_count += 1
        nobody = np.zeros(self.num_envs, np.bool_)
        infos = self._infos(1.0 + reward)
        if not self.cue_only:
            self.number = self.rng.uniform(-1, 1, self.num_envs)
        observation = self._observe()
        if self.step_count < self.max_episode_steps:
            return observation, reward, nobody, nobody, infos
        final = {"final_obs": list(observation), "final_info": infos}
        observation, _ = self.reset()
        return observation, reward, nobody, ~nobody, {**infos, **final}

    def _observe(self) -> NDArray[np.float32]:
        hidden = self.cue_only and self.step_count > 0
        seen = np.zeros(self.num_envs) if hidden else self.number
        return np.stack((seen, np.full(self.num_envs, self.step_count / 8)), 1).astype(np.float32)

    def _infos(self, performance: NDArray) -> dict[str, Any]:
        everyone = np.ones(self.num_envs, np.bool_)
        return {
            "performance": performance,
            "_performance": everyone,
            "unstable": ~everyone,
            "_unstable": everyone,
        }


class FlippingMirror(Mirror):
    """Mirror, but in every fourth life the motors are reversed; lives of 16 steps.

    Seen are the number and what the motors did last; without what they were told to do, that says
    nothing. Whether they are reversed is in `shift_state`.
    """

    max_episode_steps = 16

    def __init__(self, num_envs: int):
        super().__init__(num_envs)
        self.flipped = np.zeros(num_envs, np.bool_)
        self.done = np.zeros(num_envs)  # what the motors did

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[NDArray, dict[str, Any]]:
        self.done = np.zeros(self.num_envs)
        answer = super().reset(seed=seed, options=options)
        self.flipped = self.rng.uniform(size=self.num_envs) < 0.25
        return answer

    def step(
        self, actions: NDArray
    ) -> tuple[NDArray, NDArray, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        self.done = np.where(self.flipped, -1.0, 1.0) * actions[:, 0]
        return super().step(self.done[:, None])

    def shift_state(self) -> NDArray[np.float32]:
        return self.flipped[:, None].astype(np.float32)

    def _observe(self) -> NDArray[np.float32]:
        return np.stack((self.number, self.done), 1).astype(np.float32)
