"""The smallest tasks a learner must solve, as vector envs without physics."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray


class Mirror(VectorEnv):
    """Act what you see, `size` numbers in [-1, 1]: reward = -mean (action - number)².

    A life is 8 steps long, and then cut off.

    Args:
        num_envs: number of individuals.
        cue_only: the numbers are seen at birth alone (then 0), so that they must be remembered.
        size: of the action.
    """

    max_episode_steps = 8
    ends_for_good = False

    def __init__(self, num_envs: int, cue_only: bool = False, size: int = 1):
        self.num_envs = num_envs
        self.size = size
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = Box(-np.inf, np.inf, (size + 1,), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        # The scale is wrong on purpose by a factor of two: networks must make up for it.
        scale = np.array([2.0] * size + [1.0], np.float32)
        self.task = SimpleNamespace(observation_scale=scale)
        self.cue_only = cue_only
        self.rng = np.random.default_rng(0)
        self.number = np.zeros((num_envs, size))
        self.step_count = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[NDArray, dict[str, Any]]:
        del options
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.number = self._draw()
        self.step_count = 0
        return self._observe(), self._infos(np.zeros(self.num_envs))

    def step(
        self, actions: NDArray
    ) -> tuple[NDArray, NDArray, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        reward = self._judge(actions)
        self.step_count += 1
        nobody = np.zeros(self.num_envs, np.bool_)
        infos = self._infos(1.0 + reward)
        if not self.cue_only:
            self.number = self._draw()
        observation = self._observe()
        if self.step_count < self.max_episode_steps:
            return observation, reward, nobody, nobody, infos
        final = {"final_obs": list(observation), "final_info": infos}
        observation, _ = self.reset()
        ends = (~nobody, nobody) if self.ends_for_good else (nobody, ~nobody)
        return observation, reward, *ends, {**infos, **final}

    def _judge(self, actions: NDArray) -> NDArray[np.float64]:
        return -((actions - self.number) ** 2).mean(axis=1)

    def _draw(self) -> NDArray[np.float64]:
        return self.rng.uniform(-1, 1, (self.num_envs, self.size))

    def _observe(self) -> NDArray[np.float32]:
        hidden = self.cue_only and self.step_count > 0
        seen = np.zeros_like(self.number) if hidden else self.number
        time = np.full((self.num_envs, 1), self.step_count / 8)
        return np.concatenate((seen, time), axis=1).astype(np.float32)

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
        return np.stack((self.number[:, 0], self.done), 1).astype(np.float32)


class Allowance(Mirror):
    """One unit of reward a step, whatever one does.

    Args:
        num_envs: number of individuals.
        ends_for_good: a life terminates after its 8 steps and is not cut off.
    """

    def __init__(self, num_envs: int, ends_for_good: bool):
        super().__init__(num_envs)
        self.ends_for_good = ends_for_good

    def _judge(self, actions: NDArray) -> NDArray[np.float64]:
        return np.ones(len(actions))
