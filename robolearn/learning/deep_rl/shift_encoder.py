"""What RMA knows of the shifts in training: beside the observation, and as a latent."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from torch import nn


class WithShiftState(VecEnvWrapper):
    """Observations [observation, shift state], (n, u + k).

    It stands above the normaliser: the shift state is bounded as it is.

    Args:
        venv: the individuals.
        env: the vector env that tells their `shift_state`.
    """

    def __init__(self, venv: VecEnv, env: Any):
        self._env = env
        self._state = env.shift_state()
        self.shift_size = self._state.shape[1]
        size = int(np.prod(venv.observation_space.shape or ())) + self.shift_size
        super().__init__(venv, Box(-np.inf, np.inf, (size,), np.float32))

    def reset(self) -> NDArray[np.float32]:
        """Start new lives."""
        return self._joined(self.venv.reset())

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Advance; the last observation of a life has the shifts that acted before it."""
        observation, reward, done, infos = self.venv.step_wait()
        for i in np.flatnonzero(done):
            parts = (infos[i]["terminal_observation"], self._state[i])
            infos[i]["terminal_observation"] = np.concatenate(parts, dtype=np.float32)
        return self._joined(observation), reward, done, infos

    def _joined(self, observation: Any) -> NDArray[np.float32]:
        self._state = self._env.shift_state()
        return np.concatenate((observation, self._state), axis=1, dtype=np.float32)


class ShiftEncoder(BaseFeaturesExtractor):
    """Turns [u, shift state] into [u, z], z = tanh(W ... tanh(W shift state)).

    It has no biases: z is 0 on an intact body, and where nothing is known yet.

    Args:
        observation_space: of [u, shift state].
        shift_size: elements k of the shift state.
        hidden: units of the layers before the latent.
        latent: elements of z.
    """

    def __init__(self, observation_space: Box, shift_size: int, hidden: Sequence[int], latent: int):
        inputs = observation_space.shape[0] - shift_size
        super().__init__(observation_space, inputs + latent)
        self._inputs = inputs
        sizes = [shift_size, *hidden, latent]
        layers: list[nn.Module] = []
        for pre, post in pairwise(sizes):
            layers += [nn.Linear(pre, post, bias=False), nn.Tanh()]
        self.encoder = nn.Sequential(*layers)

    def split(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return u (n, u) and the true z (n, z) for observations (n, u + k)."""
        inputs = observations[:, : self._inputs]
        return inputs, self.encoder(observations[:, self._inputs :])

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Return what the policy gets, (n, u + z), for observations (n, u + k)."""
        return torch.cat(self.split(observations), dim=1)
