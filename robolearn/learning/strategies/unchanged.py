"""No search at all: all are born with the first genome, for brains that learn in their lives.

There is one genome; what differs are its lives, `learning.lifetimes` of them: resets, shifts,
noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robolearn.learning.strategies.protocol import Array, State, copy_matching


@dataclass(frozen=True)
class UnchangedConfig:
    """No search has no hyperparameters."""


class Unchanged:
    """A strategy that asks for the same genome again and again, and counts the generations."""

    config_class = UnchangedConfig

    def __init__(self, mean0: Array, seed: int, config: UnchangedConfig) -> None:
        self._mean = np.array(mean0, np.float64)
        del seed, config  # nothing is drawn
        self._generation = 0

    @property
    def population(self) -> int:
        """Number of genomes of a generation: one."""
        return 1

    @property
    def generation(self) -> int:
        """Number of generations told so far."""
        return self._generation

    @property
    def mean(self) -> NDArray[np.float64]:
        """A copy of the genome, shape (g,), in units of search."""
        return self._mean.copy()

    def ask(self) -> NDArray[np.float32]:
        """Return the genome, shape (1, g), in units of search."""
        return self._mean[None].astype(np.float32)

    def tell(self, fitness: Array) -> None:
        """Count the generation; whatever the `fitness` (1,), nothing moves.

        Raises:
            ValueError: the shape is wrong, or every fitness is NaN.
        """
        if np.shape(fitness) != (1,):
            raise ValueError(f"expected fitness of shape (1,), got {np.shape(fitness)}")
        if np.isnan(fitness).all():
            raise ValueError("every fitness is NaN")
        self._generation += 1

    def state(self) -> State:
        """Return copies of genome and generation."""
        return {
            "mean": self.mean,
            "generation": np.array(self._generation, np.int64),
        }

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state.

        Raises:
            ValueError: an array is missing, unknown, or of the wrong shape.
        """
        loaded = copy_matching(state, self.state())
        self._mean = loaded["mean"]
        self._generation = int(loaded["generation"])
