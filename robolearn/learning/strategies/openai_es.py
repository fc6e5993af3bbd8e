"""OpenAI-ES: a Gaussian of fixed shape climbs the gradient of its own mean fitness.

Salimans, Ho, Chen, Sidor & Sutskever 2017, "Evolution strategies as a scalable alternative to
reinforcement learning": symmetric sampling, centred ranks, Adam, weight decay. The decay of sigma
and of the learning rate down to a floor, and the plain step, are Najarro & Risi's (2020).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError, unknown_name
from robolearn.learning.strategies.optimizers import adam
from robolearn.learning.strategies.protocol import State, copy_matching
from robolearn.learning.strategies.ranking import centred_ranks
from robolearn.learning.strategies.symmetric_noise import (
    SymmetricNoise,
    check_population,
    mirror,
    split_pairs,
)


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

    population: int = 128
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
        for key in ("sigma", "learning_rate"):
            if not getattr(self, key) > 0:
                raise UserError(f"{key}: got {getattr(self, key)}, expected more than 0")
        for key in ("sigma_decay", "learning_rate_decay"):
            if not 0 < getattr(self, key) <= 1:
                raise UserError(f"{key}: got {getattr(self, key)}, expected a factor in (0, 1]")
        for key in ("sigma_floor", "learning_rate_floor", "weight_decay"):
            if not getattr(self, key) >= 0:
                raise UserError(f"{key}: got {getattr(self, key)}, expected at least 0")
        if self.optimizer not in ("adam", "sgd"):
            raise unknown_name("optimizer", self.optimizer, ("adam", "sgd"))


class OpenAIES:
    """The search: only the mean and Adam's two moments move; sigma follows from the generation."""

    config_class = OpenAIESConfig

    def __init__(self, mean0: NDArray[Any], seed: int, config: OpenAIESConfig) -> None:
        """Start at the genome `mean0` (g,); `seed` >= 0 keys all the noise."""
        self.config = config
        self._generation = 0
        self._mean = np.array(mean0, np.float64)
        self._first_moment = np.zeros_like(self._mean)
        self._second_moment = np.zeros_like(self._mean)
        self._noise = SymmetricNoise(seed, config.population, self._mean.size)

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

    def ask(self) -> NDArray[np.float32]:
        """Return genomes (population, g); row population / 2 + k mirrors row k at the mean."""
        return mirror(self._mean, self.sigma, self._noise.draw(self._generation))

    def tell(self, fitness: NDArray[Any]) -> None:
        """Climb by the `fitness` (population,) of this generation; NaN counts as the worst.

        Raises:
            ValueError: the shape is wrong, or every fitness is NaN.
        """
        if np.shape(fitness) != (self.population,):
            raise ValueError(f"expected {self.population} fitness values, got {np.shape(fitness)}")
        noise = self._noise.draw(self._generation)
        gradient = smoothed_gradient(centred_ranks(fitness), noise, self.sigma)
        gradient -= self.config.weight_decay * self._mean
        rate = self.learning_rate
        self._generation += 1
        if self.config.optimizer == "sgd":
            self._mean += rate * gradient
            return
        step, self._first_moment, self._second_moment = adam(
            gradient,
            self._first_moment,
            self._second_moment,
            step=self._generation,
            learning_rate=rate,
        )
        self._mean += step

    def state(self) -> State:
        """Return copies of all that the rest of the search depends on, seed included."""
        return {
            "seed": np.array([self._noise.seed], np.int64),
            "generation": np.array([self._generation], np.int64),
            "mean": self._mean.copy(),
            "first_moment": self._first_moment.copy(),
            "second_moment": self._second_moment.copy(),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a saved state of the same hyperparameters.

        Raises:
            ValueError: an array is missing, unknown, or of the wrong shape.
        """
        arrays = copy_matching(state, self.state())
        self._noise.seed = int(arrays["seed"][0])
        self._generation = int(arrays["generation"][0])
        self._mean = arrays["mean"]
        self._first_moment = arrays["first_moment"]
        self._second_moment = arrays["second_moment"]


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


def decayed(initial: float, factor: float, floor: float, generation: int) -> float:
    """Return initial * factor^generation, held at `floor`; an initial below the floor stays."""
    return max(initial * factor**generation, min(floor, initial))
