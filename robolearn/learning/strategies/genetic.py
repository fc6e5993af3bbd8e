"""A genetic algorithm: the best live on, and their mutated children replace the others.

Truncation selection, Gaussian mutation and elitism as in Such et al. 2017, "Deep neuroevolution".
It needs no slope: where almost all genomes score alike and a few do something new, those few are
the parents of the next generation, while a gradient of the mean fitness would not feel them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.learning.strategies.openai_es import decayed
from robolearn.learning.strategies.protocol import State, copy_matching
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

    population: int = 128
    spread: float = 1.0
    sigma: float = 0.2
    sigma_decay: float = 1.0
    sigma_floor: float = 0.01
    parents: int = 16
    elites: int = 4

    def __post_init__(self) -> None:
        """Refuse impossible values with a `UserError` that names the key."""
        if self.population < 2:
            raise UserError(f"population: got {self.population}, expected at least 2")
        for key in ("spread", "sigma_floor"):
            if not getattr(self, key) >= 0:
                raise UserError(f"{key}: got {getattr(self, key)}, expected at least 0")
        if not self.sigma > 0:
            raise UserError(f"sigma: got {self.sigma}, expected more than 0")
        if not 0 < self.sigma_decay <= 1:
            raise UserError(f"sigma_decay: got {self.sigma_decay}, expected a factor in (0, 1]")
        if not 1 <= self.parents <= self.population:
            raise UserError(f"parents: got {self.parents}, expected 1 to {self.population}")
        if not 1 <= self.elites <= self.parents:
            raise UserError(f"elites: got {self.elites}, expected 1 to {self.parents} (parents)")


class Genetic:
    """The search: a whole population, whose best member stands for `mean`."""

    config_class = GeneticConfig

    def __init__(self, mean0: NDArray[Any], seed: int, config: GeneticConfig) -> None:
        """Spread the first population around the genome `mean0` (g,); `seed` >= 0 keys it all."""
        self.config = config
        self._seed = seed
        self._generation = 0
        noise = self._rng().standard_normal((config.population, np.size(mean0)), np.float32)
        noise[0] = 0.0
        self._genomes = (np.asarray(mean0) + config.spread * noise).astype(np.float32)

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
        """A copy of the best genome of the last generation, shape (g,); at first `mean0`.

        It is no mean: a population that explores several ways has none worth trying.
        """
        return self._genomes[0].astype(np.float64)

    @property
    def sigma(self) -> float:
        """Standard deviation of the mutations that this generation's children will get."""
        c = self.config
        return decayed(c.sigma, c.sigma_decay, c.sigma_floor, self._generation)

    def ask(self) -> NDArray[np.float32]:
        """Return genomes (population, g): first the elites, best first, then the children."""
        return self._genomes.astype(np.float32)

    def tell(self, fitness: NDArray[Any]) -> None:
        """Breed the next generation by the `fitness` (population,) of this one; NaN is the worst.

        Of equal genomes the one that stands first wins, so elites stay on a plateau.

        Raises:
            ValueError: the shape is wrong, or every fitness is NaN.
        """
        fitness = np.asarray(fitness, np.float64)
        if fitness.shape != (self.population,):
            raise ValueError(f"expected {self.population} fitness values, got {fitness.shape}")
        if np.isnan(fitness).all():
            raise ValueError(f"every fitness of the generation is NaN ({fitness.size} lives)")
        c, sigma = self.config, self.sigma
        best = np.argsort(-np.where(np.isnan(fitness), -np.inf, fitness), kind="stable")
        self._generation += 1
        rng = self._rng()
        children = c.population - c.elites
        mother = self._genomes[best[rng.integers(c.parents, size=children)]]
        noise = rng.standard_normal(mother.shape, np.float32)
        elites = self._genomes[best[: c.elites]]
        self._genomes = np.concatenate([elites, mother + np.float32(sigma) * noise])

    def state(self) -> State:
        """Return copies of all that the rest of the search depends on, seed included."""
        return {
            "seed": np.array([self._seed], np.int64),
            "generation": np.array([self._generation], np.int64),
            "genomes": self._genomes.copy(),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a saved state of the same hyperparameters.

        Raises:
            ValueError: an array is missing, unknown, or of the wrong shape.
        """
        arrays = copy_matching(state, self.state())
        self._seed = int(arrays["seed"][0])
        self._generation = int(arrays["generation"][0])
        self._genomes = arrays["genomes"]

    def _rng(self) -> np.random.Generator:
        return search_rng(self._seed, self._generation)
