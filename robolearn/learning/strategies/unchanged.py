"""No search at all: all are born with the first genome, for brains that learn in their lives.

There is one genome; what differs are its lives, `learning.lifetimes` of them: resets, shifts,
noise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robolearn.learning.strategies.search import Search


@dataclass(frozen=True)
class UnchangedConfig:
    """No search has no hyperparameters."""


class Unchanged(Search):
    """A strategy that asks for the same genome again and again, and counts the generations."""

    config_class = UnchangedConfig

    @property
    def population(self) -> int:
        """Number of genomes of a generation: one."""
        return 1

    def _ask(self) -> NDArray[np.float32]:
        return self._mean[None].astype(np.float32)

    def _tell(self, fitness: NDArray[np.float64]) -> None:
        """Move nothing."""
