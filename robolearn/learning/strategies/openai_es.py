"""OpenAI-ES: a Gaussian of fixed shape climbs the gradient of its own mean fitness.

Salimans, Ho, Chen, Sidor & Sutskever 2017, "Evolution strategies as a scalable alternative to
reinforcement learning": symmetric sampling, centred ranks, Adam, weight decay. The decay of sigma
and of the learning rate down to a floor, and the plain step, are Najarro & Risi's (2020).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import unknown_name
from robolearn.learning.strategies.hyperparameters import (
    Population,
    decayed,
    require_factor,
    require_not_negative,
    require_positive,
)
from robolearn.learning.strategies.optimizers import adam
from robolearn.learning.strategies.protocol import Array
from robolearn.learning.strategies.ranking import centred_ranks
from robolearn.learning.strategies.search import Search
from robolearn.learning.strategies.symmetric_noise import check_population, mirror, split_pairs


@dataclass(frozen=True)
class OpenAIESConfig:
    """Hyperparameters of OpenAI-ES; lengths are in units of search.

    Attributes:
        population: genomes of a generation, even.
        sigma: standard deviation of the search noise in generation 0.
        sigma_decay: factor on sigma per generation, in (0, 1].
        sigma_floor: sigma never falls below it (a sigma that starts below it stays as it is).
        learning_rate: step of generation 0; for Adam about the largest step of one element.
        learning_rate_decay: factor on the learning rate per generation, in (0, 1].
        learning_rate_floor: the learning rate never falls below it (as for sigma).
        weight_decay: coefficient of the penalty weight_decay / 2 |mean|^2 on the mean utility.
            Salimans' code leaves 1 / sigma out of the gradient: its l2coeff is this times sigma.
        optimizer: "adam", or "sgd" for the plain step learning_rate * gradient.
    """

    population: Population = 128
    sigma: float = 0.1
    sigma_decay: float = 1.0
    sigma_floor: float = 0.01
    learning_rate: float = 0.05
    learning_rate_decay: float = 1.0
    learning_rate_floor: float = 0.001
    weight_decay: float = 0.005
    optimizer: Literal["adam", "sgd"] = "adam"

    def __post_init__(self) -> None:
        """Refuse impossible values with a `UserError` that names the key."""
        check_population(self.population)
        require_positive(self, "sigma learning_rate")
        require_factor(self, "sigma_decay learning_rate_decay")
        require_not_negative(self, "sigma_floor learning_rate_floor weight_decay")
        if self.optimizer not in ("adam", "sgd"):
            raise unknown_name("optimizer", self.optimizer, ("adam", "sgd"))


class OpenAIES(Search):
    """The search: only the mean and Adam's two moments move; sigma follows from the generation.

    Only the differences within mirrored pairs move it, so that each pair may meet lives of its own.
    """

    climbs_by_pairs: ClassVar[bool] = True
    config_class = OpenAIESConfig
    remembered = ("first_moment", "second_moment")

    def __init__(self, mean0: Array, seed: int, config: OpenAIESConfig) -> None:
        """Start at the genome `mean0` (g,); `seed` >= 0 keys all the noise."""
        super().__init__(mean0, seed, config)
        self._first_moment = np.zeros_like(self._mean)
        self._second_moment = np.zeros_like(self._mean)

    @property
    def sigma(self) -> float:
        """Standard deviation of this generation's noise."""
        c = self.config
        return decayed(c.sigma, c.sigma_decay, c.sigma_floor, self._generation)

    @property
    def learning_rate(self) -> float:
        """Step size of this generation."""
        c = self.config
        return decayed(
            c.learning_rate, c.learning_rate_decay, c.learning_rate_floor, self._generation
        )

    def _ask(self) -> NDArray[np.float32]:
        return mirror(self._mean, self.sigma, self._noise(self.population // 2))

    def _tell(self, fitness: NDArray[np.float64]) -> None:
        noise = self._noise(self.population // 2)
        gradient = smoothed_gradient(centred_ranks(fitness), noise, self.sigma)
        gradient -= self.config.weight_decay * self._mean
        if self.config.optimizer == "sgd":
            self._mean += self.learning_rate * gradient
            return
        step, self._first_moment, self._second_moment = adam(
            gradient,
            self._first_moment,
            self._second_moment,
            step=self._generation + 1,
            learning_rate=self.learning_rate,
        )
        self._mean += step


def smoothed_gradient(
    utilities: NDArray[np.float64], noise: NDArray[np.float32], sigma: float
) -> NDArray[np.float64]:
    """Estimate the gradient of E[utility(mean + sigma z)] at the mean, shape (g,).

    sum over pairs of (u+ - u-) z / (population sigma), the antithetic score-function estimate.

    Args:
        utilities: (population,), of mean + sigma z and then of mean - sigma z.
        noise: z, standard normal, (population / 2, g).
        sigma: standard deviation, in units of search.
    """
    plus, minus = split_pairs(utilities)
    weight = ((plus - minus) / (len(utilities) * sigma)).astype(np.float32)
    # einsum and not @: its order of summation does not depend on the threads of a BLAS.
    return np.einsum("k,kg->g", weight, noise).astype(np.float64)
