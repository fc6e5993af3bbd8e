"""CMA-ES with the full covariance, for small genomes: it learns how elements belong together.

Hansen & Ostermeier 2001, in Hansen's own implementation, the package `cma`, with its default
constants. The noise is ours, keyed by (seed, generation), and so is the saved state: what the
search was told, from which it is lived through again. That needs none of the package's internals,
and costs a small part of the lives that it was told of. Its linear algebra is a BLAS's: unlike the
other strategies', its last digits may depend on the number of a BLAS's threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.learning.strategies.hyperparameters import Population, require, require_positive
from robolearn.learning.strategies.protocol import Array, State, copy_matching
from robolearn.learning.strategies.ranking import centred_ranks
from robolearn.learning.strategies.search import Search
from robolearn.learning.strategies.symmetric_noise import search_rng

# The eigenvectors of a covariance of 2000 elements take seconds.
LARGEST = 2000


@dataclass(frozen=True)
class CMAESConfig:
    """Hyperparameters of CMA-ES; lengths are in units of search.

    Attributes:
        population: genomes of a generation, at least 4.
        sigma: standard deviation of every element in generation 0.
    """

    population: Population = 32
    sigma: float = 0.1

    def __post_init__(self) -> None:
        """Refuse impossible values with a `UserError` that names the key."""
        require(self, "population", lambda value: value >= 4, "at least 4")
        require_positive(self, "sigma")


class CMAES(Search):
    """The search: mean, step size and covariance are the package's; what was told is kept."""

    config_class = CMAESConfig

    def __init__(self, mean0: Array, seed: int, config: CMAESConfig) -> None:
        """Start at the genome `mean0` (g,); `seed` >= 0 keys all the noise.

        Raises:
            UserError: the genome is too long for a full covariance.
        """
        if np.size(mean0) > LARGEST:
            raise UserError(
                f"learning.kind: cma_es searches genomes of at most {LARGEST} elements, this one "
                f"has {np.size(mean0)}; use sep_cma_es"
            )
        super().__init__(mean0, seed, config)
        self._begin(self._mean, ())

    @property
    def sigma(self) -> NDArray[np.float64]:
        """Standard deviations of the search distribution, shape (g,)."""
        return np.array(self._search.stds)

    def state(self) -> State:
        """Return the first mean and all ranks that were told, (generations, population)."""
        return {**super().state(), "mean0": self._mean0.copy(), "told": self._told_ranks()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state of the same hyperparameters, by telling all of it again.

        Raises:
            ValueError: an array is missing, unknown, or of the wrong shape.
        """
        generations = int(np.ravel(state.get("generation", 0))[0])
        told = np.empty((generations, self.population))
        arrays = copy_matching(state, {**self.state(), "told": told})
        self._seed = int(arrays["seed"][0])
        self._begin(arrays["mean0"], arrays["told"])

    def _begin(self, mean0: NDArray[np.float64], told: NDArray[np.float64] | tuple[()]) -> None:
        """Search from `mean0` (g,) through the generations whose ranks were `told`."""
        import cma

        self._mean0, self._mean = mean0.copy(), mean0.copy()
        self._generation = 0
        self._told: list[NDArray[np.float64]] = []
        self._asked: NDArray[np.float32] | None = None
        options = {
            "popsize": self.population,
            "randn": self._randn,
            "seed": np.nan,  # leave NumPy's global generator alone
            "verbose": -9,
        }
        # The package refuses one dimension; a second that nobody reads does no harm.
        start = np.append(mean0, 0.0) if mean0.size == 1 else mean0
        self._search = cma.CMAEvolutionStrategy(start, self.config.sigma, options)
        for ranks in told:
            self._tell(ranks)
            self._generation += 1

    def _randn(self, *shape: int) -> NDArray[np.float64]:
        return self._rng.standard_normal(shape)

    def _ask(self) -> NDArray[np.float32]:
        if self._asked is None:
            self._rng = search_rng(self._seed, self._generation)
            self._asked = np.asarray(self._search.ask(), np.float32)
        return self._asked[:, : self._mean.size].copy()

    def _tell(self, fitness: NDArray[np.float64]) -> None:
        self._ask()
        assert self._asked is not None
        ranks = centred_ranks(fitness)
        # What lived is the genome in single precision. `check_points`: none of them was injected.
        self._search.tell(list(self._asked.astype(np.float64)), list(-ranks), check_points=False)
        self._told.append(ranks)
        self._asked = None
        self._mean = np.array(self._search.mean[: self._mean.size], np.float64)

    def _told_ranks(self) -> NDArray[np.float64]:
        return np.array(self._told).reshape(len(self._told), self.population)
