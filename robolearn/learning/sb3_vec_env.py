"""A Gymnasium vector env as stable-baselines3 wants one.

    envs = gymnasium.make_vec("robolearn/Reach-v0", num_envs=64, autoreset_mode="SameStep")
    PPO("MlpPolicy", SB3VecEnv(envs)).learn(100_000)

Importing this module loads stable-baselines3 and torch: import it where they are used.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

from robolearn.errors import UserError


class SB3VecEnv(VecEnv):
    """`n` individuals of a vector env in one stable-baselines3 `VecEnv`.

    It equals a `DummyVecEnv` of single envs in a `Monitor`, step by step, but for the infos of
    steps in which no life ends: `n` full dictionaries a step would cost more than the physics of a
    small world, so they hold only what `info_keys` names. In the step in which a life ends, its
    info holds all that the env told of that step, and

        terminal_observation: the last observation (o,) of the life; the one returned is the first
            of the next.
        TimeLimit.truncated: whether the life was cut off, so that its value goes on.
        episode: total reward "r", steps "l" and seconds "t" since this object was made.

    `seed(s)` gives row i of the next reset the seed s + i.

    Attributes:
        told: the vector env's infos of the last step, arrays (n,) by name: what row-wise infos
            would have to be looped over for.

    Args:
        env: with the autoreset mode SAME_STEP.
        info_keys: names of arrays in the env's infos that every step's info is to hold.

    Raises:
        UserError: another autoreset mode.
    """

    def __init__(self, env: VectorEnv, info_keys: Sequence[str] = ()):
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise UserError(
                f"autoreset_mode must be {AutoresetMode.SAME_STEP.value!r} for stable-baselines3, "
                f"got {mode.value if isinstance(mode, AutoresetMode) else mode!r}"
            )
        self.env = env
        self.info_keys = tuple(info_keys)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.told: dict[str, Any] = {}
        self._actions: NDArray[np.floating] | None = None
        self._return = np.zeros(env.num_envs)
        self._length = np.zeros(env.num_envs, np.int64)
        self._born = time.time()

    def reset(self) -> NDArray[np.floating]:
        """Start new lives in all rows, with the seeds of `seed` if it was called; (n, o)."""
        if any(self._options):
            raise UserError(f"options of a reset are not passed on, got {self._options}")
        seeds = None if all(seed is None for seed in self._seeds) else self._seeds
        # A list is what our vector envs take; Gymnasium's annotation says the same.
        observation, infos = self.env.reset(seed=seeds)  # pyright: ignore[reportArgumentType]
        self._return[:] = 0.0
        self._length[:] = 0
        self.reset_infos = [self._row(infos, i, self.info_keys) for i in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return np.asarray(observation)

    def step_async(self, actions: NDArray[np.floating]) -> None:
        """Note the actions (n, a)."""
        self._actions = actions

    def step_wait(
        self,
    ) -> tuple[NDArray[np.floating], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Advance; return observation (n, o), reward (n,), done (n,) and an info for each."""
        observation, reward, terminated, truncated, infos = self.env.step(self._actions)
        self.told = infos
        done = np.asarray(terminated | truncated)
        self._return += reward
        self._length += 1
        rows = [self._row(infos, i, self.info_keys) for i in range(self.num_envs)]
        for i in np.flatnonzero(done):
            final = infos["final_info"]
            names = [key for key in final if not key.startswith("_")]
            rows[i] = {
                **self._row(final, int(i), names),
                "terminal_observation": infos["final_obs"][i],
                "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
                "episode": {
                    "r": round(float(self._return[i]), 6),
                    "l": int(self._length[i]),
                    "t": round(time.time() - self._born, 6),
                },
            }
        self._return[done] = 0.0
        self._length[done] = 0
        return observation, np.asarray(reward, np.float32), done, rows

    def close(self) -> None:
        """Close the vector env."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return the vector env's attribute, once for each of `indices`."""
        return [getattr(self.env, attr_name) for _ in self._rows(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the vector env.

        Raises:
            UserError: some of the individuals are to have another than the rest.
        """
        self._check_all(f"attribute {attr_name!r}", indices)
        setattr(self.env, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the vector env once; return its value for each individual.

        Raises:
            UserError: it is to be called for some of the individuals.
        """
        self._check_all(f"method {method_name!r}", indices)
        value = getattr(self.env, method_name)(*method_args, **method_kwargs)
        return [value] * self.num_envs

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Return, for each of `indices`, whether it is as if wrapped: in a `Monitor` it is."""
        return [issubclass(wrapper_class, Monitor) for _ in self._rows(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return a picture (h, w, 3) of every individual, if the env has a render mode."""
        frames = self.env.render()
        return [None] * self.num_envs if frames is None else [np.asarray(f) for f in frames]

    @staticmethod
    def _row(infos: dict[str, Any], row: int, names: Iterable[str]) -> dict[str, Any]:
        return {name: infos[name][row] for name in names}

    def _rows(self, indices: VecEnvIndices) -> Iterable[int]:
        return self._get_indices(indices)

    def _check_all(self, what: str, indices: VecEnvIndices) -> None:
        if set(self._rows(indices)) != set(range(self.num_envs)):
            raise UserError(f"{what} belongs to all {self.num_envs} individuals, not to {indices}")
