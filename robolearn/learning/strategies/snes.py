"""SNES: the natural gradient of a Gaussian with one width for every element of the genome.

Wierstra, Schaul, Glasmachers, Sun, Peters & Schmidhuber 2014, "Natural evolution strategies"
(separable NES: utilities, exponential change of sigma, default rates). Mirrored sampling is ours.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robolearn.learning.strategies.hyperparameters import (
    Population,
    decayed,
    require_factor,
    require_not_negative,
    require_positive,
)
from robolearn.learning.strategies.protocol import Array
from robolearn.learning.strategies.ranking import by_place
from robolearn.learning.strategies.search import Search
from robolearn.learning.strategies.symmetric_noise import check_population, mirror


@dataclass(frozen=True)
class SNESConfig:
    """Hyperparameters of SNES; lengths are in units of search.

    Attributes:
        population: genomes of a generation, even.
        sigma: standard deviation of every element in generation 0.
        sigma_floor: no standard deviation falls below it.
        sigma_learning_rate: step of log sigma. None: (3 + ln g) / (5 sqrt(g)).
        learning_rate: step of the mean, in natural gradients.
        learning_rate_decay: factor on the learning rate per generation, in (0, 1].
        learning_rate_floor: the learning rate never falls below it.
        weight_decay: coefficient of the penalty weight_decay / 2 |mean|^2 on the mean utility.
    """

    population: Population = 128
    sigma: float = 0.1
    sigma_floor: float = 0.0
    sigma_learning_rate: float | None = None
    learning_rate: float = 1.0
    learning_rate_decay: float = 1.0
    learning_rate_floor: float = 0.1
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        """Refuse impossible values with a `UserError` that names the key."""
        check_population(self.population)
        require_positive(self, "sigma learning_rate")
        require_factor(self, "learning_rate_decay")
        require_not_negative(
            self, "sigma_floor sigma_learning_rate learning_rate_floor weight_decay"
        )


class SNES(Search):
    """The search: the mean, and one standard deviation for every element."""

    config_class = SNESConfig
    remembered = ("sigma",)

    def __init__(self, mean0: Array, seed: int, config: SNESConfig) -> None:
        """Start at the genome `mean0` (g,); `seed` >= 0 keys all the noise."""
        super().__init__(mean0, seed, config)
        self._sigma = np.full_like(self._mean, config.sigma)
        size = self._mean.size
        self.sigma_learning_rate = (
            (3 + math.log(size)) / (5 * math.sqrt(size))
            if config.sigma_learning_rate is None
            else config.sigma_learning_rate
        )
        self._utility = utilities(config.population)

    @property
    def sigma(self) -> NDArray[np.float64]:
        """A copy of the standard deviations, shape (g,)."""
        return self._sigma.copy()

    def _ask(self) -> NDArray[np.float32]:
        return mirror(self._mean, self._sigma, self._noise(self.population // 2))

    def _tell(self, fitness: NDArray[np.float64]) -> None:
        c = self.config
        pairs = self.population // 2
        noise = self._noise(pairs)
        utility = by_place(fitness, self._utility)
        plus, minus = utility[:pairs], utility[pairs:]
        # einsum and not @: its order of summation does not depend on the threads of a BLAS.
        of_mean = np.einsum("k,kg->g", (plus - minus).astype(np.float32), noise)
        # sum u (z^2 - 1): the utilities sum to zero, so the 1 drops out.
        of_sigma = np.einsum("k,kg,kg->g", (plus + minus).astype(np.float32), noise, noise)
        rate = decayed(
            c.learning_rate, c.learning_rate_decay, c.learning_rate_floor, self._generation
        )
        self._mean += rate * self._sigma * (of_mean - c.weight_decay * self._sigma * self._mean)
        widened = self._sigma * np.exp(0.5 * self.sigma_learning_rate * of_sigma)
        self._sigma = np.maximum(widened, min(c.sigma_floor, c.sigma))


def utilities(population: int) -> NDArray[np.float64]:
    """Return the utility of each place, the best first, (population,): of zero sum.

    max(0, ln(population / 2 + 1) - ln k) for k = 1, 2, ..., divided by their sum, less
    1 / population.
    """
    places = np.arange(1, population + 1)
    raw = np.maximum(0.0, np.log(population / 2 + 1) - np.log(places))
    return raw / raw.sum() - 1 / population
