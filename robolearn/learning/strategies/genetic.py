"""A genetic algorithm: the best live on, and their mutated children replace the others.

Truncation selection, Gaussian mutation and elitism as in Such et al. 2017, "Deep neuroevolution".
It needs no slope: where almost all genomes score alike and a few do something new, those few are
the parents of the next generation, while a gradient of the mean fitness would not feel them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.learning.strategies.hyperparameters import (
    Population,
    decayed,
    require,
    require_factor,
    require_not_negative,
    require_positive,
)
from robolearn.learning.strategies.protocol import Array
from robolearn.learning.strategies.search import Search
from robolearn.learning.strategies.symmetric_noise import search_rng


@dataclass(frozen=True)
class GeneticConfig:
    """Hyperparameters of the genetic algorithm; lengths are in units of search.

    Attributes:
        population: genomes of a generation, at least 2.
        spread: standard deviation of the first population around the first genome.
        sigma: standard deviation of a mutation in generation 0.
        sigma_decay: factor on sigma per generation, in (0, 1].
        sigma_floor: sigma never falls below it (a sigma that starts below it stays as it is).
        parents: genomes that have children, from 1 to population.
        elites: of the parents, how many live on unchanged, from 1 to parents; they are judged
            anew in every generation.
    """

    population: Population = 128
    spread: float = 1.0
    sigma: float = 0.2
    sigma_decay: float = 1.0
    sigma_floor: float = 0.01
    parents: int = 16
    elites: int = 4

    def __post_init__(self) -> None:
        """Refuse impossible values with a `UserError` that names the key."""
        require(self, "population", lambda value: value >= 2, "at least 2")
        require_not_negative(self, "spread sigma_floor")
        require_positive(self, "sigma")
        require_factor(self, "sigma_decay")
        if not 1 <= self.parents <= self.population:
            raise UserError(f"parents: got {self.parents}, expected 1 to {self.population}")
        if not 1 <= self.elites <= self.parents:
            raise UserError(f"elites: got {self.elites}, expected 1 to {self.parents} (parents)")


class Genetic(Search):
    """The search: a whole population, whose best member stands for the mean.

    `mean` is the best genome of the last generation, at first `mean0`: a population that explores
    several ways has no mean worth trying.
    """

    config_class = GeneticConfig
    remembered = ("genomes",)

    def __init__(self, mean0: Array, seed: int, config: GeneticConfig) -> None:
        """Spread the first population around the genome `mean0` (g,); `seed` >= 0 keys it all."""
        super().__init__(mean0, seed, config)
        noise = search_rng(seed, 0).standard_normal(
            (config.population, self._mean.size), np.float32
        )
        noise[0] = 0.0
        self._genomes = (self._mean + config.spread * noise).astype(np.float32)

    @property
    def sigma(self) -> float:
        """Standard deviation of the mutations that this generation's children will get."""
        c = self.config
        return decayed(c.sigma, c.sigma_decay, c.sigma_floor, self._generation)

    def _ask(self) -> NDArray[np.float32]:
        """Return first the elites, best first, then the children."""
        return np.array(self._genomes, np.float32)

    def _tell(self, fitness: NDArray[np.float64]) -> None:
        """Breed the next generation; of equals the one that stands first wins.

        So elites stay on a plateau.
        """
        c = self.config
        best = np.argsort(-fitness, kind="stable")
        rng = search_rng(self._seed, self._generation + 1)
        children = c.population - c.elites
        mothers = self._genomes[best[rng.integers(c.parents, size=children)]]
        noise = rng.standard_normal(mothers.shape, np.float32)
        elites = self._genomes[best[: c.elites]]
        self._genomes = np.concatenate([elites, mothers + np.float32(self.sigma) * noise])
        self._mean = self._genomes[0].astype(np.float64)
