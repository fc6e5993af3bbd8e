"""The Gymnasium env for one individual: a batch of one, without its leading axis."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from robolearn.envs.vector_env import RENDER_MODES, RobotVectorEnv
from robolearn.errors import UserError
from robolearn.shifts import parse_shifts


class RobotEnv(gymnasium.Env):
    """One individual of one world and task; the card `envs/<name>/card.md` tells of both.

    Args:
        name: folder under `envs/`.
        render_mode: "rgb_array", "human" or None.
        shifts: what may happen to the body, as for `RobotVectorEnv`.
        life_s: length of life in s, past which no shift may begin; None takes the registered one.
            State it if you give `gymnasium.make` another `max_episode_steps`, which it keeps to
            itself.
        threads: of the physics; None takes every core.
        kwargs: as for `RobotVectorEnv`, but for `num_envs` and `autoreset_mode`.

    Raises:
        UserError: an unknown name or a value out of range, told in one line.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES}  # noqa: RUF012

    def __init__(
        self,
        name: str,
        render_mode: str | None = None,
        shifts: Any = (),
        life_s: float | None = None,
        threads: int | None = 1,
        **kwargs: Any,
    ):
        for fixed in ("num_envs", "autoreset_mode"):
            if fixed in kwargs:
                raise UserError(f"{fixed}: one individual has none; use gymnasium.make_vec")
        self.batch = RobotVectorEnv(
            name,
            num_envs=1,
            render_mode=render_mode,
            autoreset_mode=AutoresetMode.DISABLED,
            threads=threads,
            **kwargs,
        )
        world = self.batch.world
        registered = kwargs.get("max_episode_steps", world.definition.get("max_episode_steps"))
        if life_s is None and registered is not None:
            life_s = registered * world.control_step_s
        self.batch.schedule.life_s = life_s
        self.batch.schedule.set_plans(parse_shifts(shifts))
        self.render_mode = render_mode
        self.metadata = {
            "render_modes": self.batch.metadata["render_modes"],
            "render_fps": self.batch.metadata["render_fps"],
        }
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
