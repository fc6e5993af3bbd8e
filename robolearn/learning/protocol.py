"""What a training needs of a learner: iterations, a validation, and a state to go on from."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robolearn.agents.protocol import Agent
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.lifetime import Lives


@dataclass
class Iteration:
    """What a generation of evolution, or an iteration of deep RL, came to.

    Attributes:
        index: its number, from 0.
        metrics: named figures for the log.
    """

    index: int
    metrics: dict[str, float]


class Learner(Protocol):
    """Evolution or deep RL, moved on by one iteration at a time.

    Attributes:
        env: where it trains.
        agent: the kind of brain that it trains.
        best_genome: (g,) the best that was validated.
    """

    env: RobotVectorEnv
    agent: Agent
    best_genome: NDArray[np.float32]

    @property
    def iteration(self) -> int:
        """Number of iterations done: generations, or rollouts with their gradient steps."""
        ...

    @property
    def total_steps(self) -> int:
        """Control steps of all individuals so far."""
        ...

    @property
    def genome(self) -> NDArray[np.float32]:
        """The genome (g,) that the learner holds best now."""
        ...

    def step(self) -> Iteration:
        """Do one iteration."""
        ...

    def validate(self, env: RobotVectorEnv) -> tuple[Lives, bool]:
        """Try `genome` on the validation lives of `env`; return them, and whether it is best."""
        ...

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return (arrays, figures) to go on from."""
        ...

    def load_state(self, arrays: dict[str, NDArray[Any]], figures: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        ...
