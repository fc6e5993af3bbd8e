"""The Gymnasium env for one individual: a batch of one, without its leading axis."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from robolearn.envs.vector_env import RobotVectorEnv


class RobotEnv(gymnasium.Env):
    """One individual of one world and task; arguments as for `RobotVectorEnv`."""

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 50}

    def __init__(self, name: str, render_mode: str | None = None, **kwargs: Any):
        self.batch = RobotVectorEnv(
            name,
            num_envs=1,
            render_mode=render_mode,
            autoreset_mode=AutoresetMode.DISABLED,
            threads=1,
            **kwargs,
        )
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": self.batch.metadata["render_fps"]}
        self.observation_space = self.batch.single_observation_space
        self.action_space = self.batch.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray, dict[str, Any]]:
        """Start a new life; `seed` renews the random streams."""
        super().reset(seed=seed)
        observation, infos = self.batch.reset(seed=seed)
        self._np_random = self.batch.row_stream(0)
        return observation[0], _first_row(infos)

    def step(
        self, action: NDArray[np.floating]
    ) -> tuple[NDArray, float, bool, bool, dict[str, Any]]:
        """Advance by one control step.

        Raises:
            UserError: an action of another shape, or that is not finite.
        """
        observation, reward, terminated, truncated, infos = self.batch.step(
            np.asarray(action)[None]
        )
        return (
            observation[0],
            float(reward[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            _first_row(infos),
        )

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture (h, w, 3), or show one in mode "human"."""
        frames = self.batch.render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Free the renderer."""
        self.batch.close()


def _first_row(infos: dict[str, Any]) -> dict[str, Any]:
    return {key: value[0].item() for key, value in infos.items() if not key.startswith("_")}
