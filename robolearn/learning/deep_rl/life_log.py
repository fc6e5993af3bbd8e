"""What came of the lives that ended while a learner of stable-baselines3 collected steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback

from robolearn.learning.sb3_vec_env import SB3VecEnv


class LifeLog(BaseCallback):
    """Notes return, length, end and mean performance of every life that ends.

    Args:
        venv: the individuals.
        span: control steps of a whole life; whoever falls early performs little.
    """

    def __init__(self, venv: SB3VecEnv, span: int):
        super().__init__()
        self._venv = venv
        self._span = span
        self._performance = np.zeros(venv.num_envs)
        self._ended: list[dict[str, float]] = []
        self._latest: dict[str, float] = dict.fromkeys(
            ("fitness/mean", "performance", "life_steps", "falls"), float("nan")
        )

    def means(self) -> dict[str, float]:
        """Return the means over the lives that ended since the last call; else the last ones.

        They are NaN as long as no life has ended. `unstable` is no mean: it is how many of those
        lives ended because the physics diverged.
        """
        ended, self._ended = self._ended, []
        if ended:
            self._latest = {
                name: float(np.mean([life[name] for life in ended])) for name in self._latest
            }
        return {**self._latest, "unstable": sum(life["unstable"] for life in ended)}

    def _on_step(self) -> bool:
        self.note(self.locals["dones"], self.locals["infos"])
        return True

    def note(self, done: NDArray[np.bool_], infos: list[dict[str, Any]]) -> None:
        """Note a control step: which lives ended with it, (n,), and what is told of each."""
        self._performance += np.where(done, 0.0, self._venv.told["performance"])
        for i in np.flatnonzero(done):
            info = infos[i]
            fell = not info["TimeLimit.truncated"]
            if not fell:  # the step of a fall counts nothing, as in `Lives`
                self._performance[i] += info["performance"]
            self._ended.append(
                {
                    "fitness/mean": info["episode"]["r"],
                    "performance": self._performance[i] / self._span,
                    "life_steps": info["episode"]["l"],
                    "falls": float(fell),
                    "unstable": float(info["unstable"]),
                }
            )
            self._performance[i] = 0.0
