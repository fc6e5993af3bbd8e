"""Observations and rewards as the networks see them: stable-baselines3's VecNormalize.

Its statistics are arrays here: they go into checkpoints, and into the genome of the actor.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from robolearn.agents.policy_kernel import INPUT_LIMIT

Arrays = dict[str, NDArray[Any]]


class Normaliser(VecNormalize):
    """Divides observations by what was seen, or by fixed scales; rewards by their returns' spread.

    Args:
        venv: the individuals.
        scale: (u,) typical magnitudes of the observation's elements.
        observations: whether running statistics take the place of the scales.
        rewards: whether rewards are divided.
        gamma: discount of the returns.
    """

    def __init__(
        self,
        venv: VecEnv,
        scale: NDArray[np.floating],
        *,
        observations: bool,
        rewards: bool,
        gamma: float,
    ):
        super().__init__(venv, norm_reward=rewards, clip_obs=float(INPUT_LIMIT), gamma=gamma)
        self._scale = np.asarray(scale, np.float64)
        if not observations:
            self.obs_rms = _Fixed(self._scale)

    def genes(self) -> Arrays:
        """Return the genes `normaliser.mean` and `normaliser.log_std`, (u,), over the scales."""
        statistics: Any = self.obs_rms
        std = np.sqrt(statistics.var + self.epsilon)
        return {
            "normaliser.mean": statistics.mean / self._scale,
            "normaliser.log_std": np.log(std / self._scale),
        }

    def state(self) -> Arrays:
        """Return copies of all statistics."""
        return {
            f"{which}.{name}": np.array(getattr(statistics, name), np.float64)
            for which, statistics in self._statistics().items()
            for name in ("mean", "var", "count")
        }

    def load_state(self, arrays: Arrays) -> None:
        """Go on from what `state` returned.

        Raises:
            KeyError: an array is missing.
            ValueError: it has another shape.
        """
        for which, statistics in self._statistics().items():
            for name in ("mean", "var", "count"):
                old, new = getattr(statistics, name), arrays[f"{which}.{name}"]
                if np.shape(old) != new.shape:
                    raise ValueError(
                        f"{which}.{name} has shape {new.shape}, expected {np.shape(old)}"
                    )
                setattr(statistics, name, new.copy() if new.shape else new[()])

    def _statistics(self) -> dict[str, Any]:
        return {"observation": self.obs_rms, "return": self.ret_rms}


class _Fixed(RunningMeanStd):
    """Statistics that stay as they are: no mean, and the scales for deviations."""

    def __init__(self, scale: NDArray[np.float64]):
        super().__init__(shape=scale.shape)
        self.var = scale**2

    def update(self, arr: NDArray[Any]) -> None:
        """Learn nothing."""
