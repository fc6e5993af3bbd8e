"""A reflex between the policy that is trained and the body, as it stands there in life."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from robolearn.agents.reflex import Reflexive


class UnderReflex(VecEnvWrapper):
    """Adds the reflex of a brain to the actions of the policy that is trained for it."""

    def __init__(self, venv: VecEnv, agent: Reflexive):
        super().__init__(venv)
        self._agent = agent
        self._everyone = np.ones(venv.num_envs, np.bool_)
        self._seen: Any = None

    def reset(self) -> NDArray[np.floating]:
        """Start new lives."""
        self._seen = self.venv.reset()
        return self._seen

    def step_async(self, actions: NDArray[np.floating]) -> None:
        """Pass on the sum of the policy's actions (n, a) and the reflex."""
        commands = np.array(actions, np.float32)
        self._agent.add(self._seen, self._everyone, commands)
        self.venv.step_async(commands)

    def step_wait(self) -> Any:
        """Advance."""
        answer = self.venv.step_wait()
        self._seen = answer[0]
        return answer
