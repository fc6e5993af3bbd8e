"""The bookkeeping that the strategies share: they add `_ask`, `_tell` and what they remember.

A strategy names in `remembered` the arrays (attributes with an underscore before the name) that the
rest of its search depends on, beside seed, generation and mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.learning.strategies.protocol import Array, State, copy_matching
from robolearn.learning.strategies.symmetric_noise import search_rng


class Search(ABC):
    """A strategy but for the distribution that it moves; see `Strategy` for the contract."""

    config_class: type
    remembered: ClassVar[tuple[str, ...]] = ()

    def __init__(self, mean0: Array, seed: int, config: Any) -> None:
        """Start at the genome `mean0` (g,); `seed` >= 0 keys all the noise."""
        self.config = config
        self._seed = seed
        self._generation = 0
        self._mean = np.array(mean0, np.float64)
        self._drawn: tuple[tuple[int, int, int], NDArray[np.float32]] | None = None

    @property
    def population(self) -> int:
        """Number of genomes of a generation."""
        return self.config.population

    @property
    def generation(self) -> int:
        """Number of generations told so far."""
        return self._generation

    @property
    def mean(self) -> NDArray[np.float64]:
        """A copy of the centre of the search distribution, shape (g,)."""
        return self._mean.copy()

    def ask(self) -> NDArray[np.float32]:
        """Return the genomes (population, g) of this generation, the same until `tell`."""
        return self._ask()

    def tell(self, fitness: Array) -> None:
        """Move by the `fitness` (population,) of this generation; NaN counts as the worst.

        Raises:
            ValueError: the shape is wrong, or every fitness is NaN.
        """
        fitness = np.asarray(fitness, np.float64)
        if fitness.shape != (self.population,):
            raise ValueError(f"expected {self.population} fitness values, got {fitness.shape}")
        broken = np.isnan(fitness)
        if broken.all():
            raise ValueError(f"every fitness of the generation is NaN ({fitness.size} lives)")
        self._tell(np.where(broken, -np.inf, fitness))
        self._generation += 1

    def state(self) -> State:
        """Return copies of all that the rest of the search depends on, seed included."""
        return {
            "seed": np.array([self._seed], np.int64),
            "generation": np.array([self._generation], np.int64),
            "mean": self._mean.copy(),
            **{name: np.array(getattr(self, f"_{name}")) for name in self.remembered},
        }

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state of the same hyperparameters.

        Raises:
            ValueError: an array is missing, unknown, or of the wrong shape.
        """
        arrays = copy_matching(state, self.state())
        self._seed = int(arrays["seed"][0])
        self._generation = int(arrays["generation"][0])
        self._mean = arrays["mean"]
        for name in self.remembered:
            setattr(self, f"_{name}", arrays[name])

    def _noise(self, rows: int) -> NDArray[np.float32]:
        """Return this generation's standard normal noise (rows, g), kept from ask to tell.

        The array is shared: callers must not write to it.
        """
        key = (self._seed, self._generation, rows)
        if self._drawn is None or self._drawn[0] != key:
            rng = search_rng(self._seed, self._generation)
            self._drawn = key, rng.standard_normal((rows, self._mean.size), dtype=np.float32)
        return self._drawn[1]

    @abstractmethod
    def _ask(self) -> NDArray[np.float32]:
        """Return new arrays of the genomes (population, g)."""

    @abstractmethod
    def _tell(self, fitness: NDArray[np.float64]) -> None:
        """Move by `fitness` (population,): checked, no NaN; the generation is counted after it."""
