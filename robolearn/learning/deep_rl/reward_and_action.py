"""The last reward and the last action among the observations, for learners with a memory."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper


class RewardAndAction(VecEnvWrapper):
    """Observations [observation, reward, action], (n, o + 1 + a); both are zero at birth."""

    def __init__(self, venv: VecEnv):
        size = sum(space.shape[0] for space in (venv.observation_space, venv.action_space))  # pyright: ignore[reportOptionalSubscript]
        super().__init__(venv, Box(-np.inf, np.inf, (size + 1,), np.float32))
        self._actions = np.zeros((venv.num_envs, *(venv.action_space.shape or ())), np.float32)

    def reset(self) -> NDArray[np.float32]:
        """Start new lives."""
        return self._joined(self.venv.reset(), np.zeros(self.num_envs), 0.0 * self._actions)

    def step_async(self, actions: NDArray[np.floating]) -> None:
        """Note the actions (n, a) and pass them on."""
        self._actions = np.asarray(actions, np.float32)
        self.venv.step_async(actions)

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Advance; the last observation of a life has its last reward and action."""
        observation, reward, done, infos = self.venv.step_wait()
        for i in np.flatnonzero(done):
            row = slice(i, i + 1)
            last = np.asarray(infos[i]["terminal_observation"])[None]
            infos[i]["terminal_observation"] = self._joined(last, reward[row], self._actions[row])[
                0
            ]
        lives_on = ~done
        joined = self._joined(observation, reward * lives_on, self._actions * lives_on[:, None])
        return joined, reward, done, infos

    def _joined(
        self, observation: Any, reward: NDArray[Any], action: NDArray[Any]
    ) -> NDArray[np.float32]:
        return np.concatenate((observation, reward[:, None], action), axis=1).astype(np.float32)
