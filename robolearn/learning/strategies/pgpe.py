"""PGPE with ClipUp: a Gaussian that moves and learns its own width in every dimension.

Sehnke et al. 2010, "Parameter-exploring policy gradients" (symmetric sampling, gradients for mean
and standard deviation); Toklu, Liskowski & Srivastava 2020, "ClipUp" (the optimiser of the mean,
the bounded change of sigma, and the rules that derive its step sizes from the initial radius).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.learning.strategies.optimizers import clip_up
from robolearn.learning.strategies.protocol import State, copy_matching
from robolearn.learning.strategies.ranking import centred_ranks
from robolearn.learning.strategies.symmetric_noise import (
    SymmetricNoise,
    check_population,
    mirror,
    split_pairs,
)


@dataclass(frozen=True)
class PGPEConfig:
    """Hyperparameters of PGPE; lengths are in units of search.

    Attributes:
        population: genomes of a generation, even.
        sigma: standard deviation of every element in generation 0.
        sigma_floor: no standard deviation falls below it, at least 0.
        sigma_learning_rate: step size of the standard deviations.
        sigma_max_change: largest relative change of a standard deviation in one generation.
        max_speed: longest step of the mean in one generation. None: a fifteenth of the initial
            radius sigma sqrt(g), Toklu's rule.
        learning_rate: length of the normalised gradient's share in a step. None: half of max_speed.
        momentum: share of the mean's velocity that is kept, in [0, 1).
    """

    population: int = 128
    sigma: float = 0.1
    sigma_floor: float = 0.001
    sigma_learning_rate: float = 0.1
    sigma_max_change: float = 0.2
    max_speed: float | None = None
    learning_rate: float | None = None
    momentum: float = 0.9

    def __post_init__(self) -> None:
        """Refuse impossible values with a `UserError` that names the key."""
        check_population(self.population)
        for key in ("sigma", "max_speed", "learning_rate"):
            value = getattr(self, key)
            if value is not None and not value > 0:
                raise UserError(f"{key}: got {value}, expected more than 0")
        for key in ("sigma_floor", "sigma_learning_rate"):
            if not getattr(self, key) >= 0:
                raise UserError(f"{key}: got {getattr(self, key)}, expected at least 0")
        for key in ("sigma_max_change", "momentum"):
            if not 0 <= getattr(self, key) < 1:
                raise UserError(f"{key}: got {getattr(self, key)}, expected a share in [0, 1)")
        if self.sigma_floor > self.sigma:
            raise UserError(f"sigma_floor: got {self.sigma_floor}, above sigma ({self.sigma})")


class PGPE:
    """The search: mean, velocity of the mean, and one standard deviation for every element."""

    config_class = PGPEConfig

    def __init__(self, mean0: NDArray[Any], seed: int, config: PGPEConfig) -> None:
        """Start at the genome `mean0` (g,); `seed` >= 0 keys all the noise."""
        self.config = config
        self._generation = 0
        self._mean = np.array(mean0, np.float64)
        self._velocity = np.zeros_like(self._mean)
        self._sigma = np.full_like(self._mean, config.sigma)
        self._noise = SymmetricNoise(seed, config.population, self._mean.size)
        radius = config.sigma * self._mean.size**0.5
        self.max_speed = radius / 15 if config.max_speed is None else config.max_speed
        self.learning_rate = (
            self.max_speed / 2 if config.learning_rate is None else config.learning_rate
        )

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
    def sigma(self) -> NDArray[np.float64]:
        """A copy of the standard deviations, shape (g,)."""
        return self._sigma.copy()

    def ask(self) -> NDArray[np.float32]:
        """Return genomes (population, g); row population / 2 + k mirrors row k at the mean."""
        return mirror(self._mean, self._sigma, self._noise.draw(self._generation))

    def tell(self, fitness: NDArray[Any]) -> None:
        """Climb by the `fitness` (population,) of this generation; NaN counts as the worst.

        Raises:
            ValueError: the shape is wrong, or every fitness is NaN.
        """
        if np.shape(fitness) != (self.population,):
            raise ValueError(f"expected {self.population} fitness values, got {np.shape(fitness)}")
        c = self.config
        noise = self._noise.draw(self._generation)
        mean_gradient, sigma_gradient = symmetric_gradients(
            centred_ranks(fitness), noise, self._sigma
        )
        self._velocity = clip_up(
            mean_gradient,
            self._velocity,
            learning_rate=self.learning_rate,
            max_speed=self.max_speed,
            momentum=c.momentum,
        )
        self._mean += self._velocity
        moved = self._sigma + c.sigma_learning_rate * sigma_gradient
        low, high = self._sigma * (1 - c.sigma_max_change), self._sigma * (1 + c.sigma_max_change)
        self._sigma = np.maximum(np.clip(moved, low, high), c.sigma_floor)
        self._generation += 1

    def state(self) -> State:
        """Return copies of all that the rest of the search depends on, seed included."""
        return {
            "seed": np.array([self._noise.seed], np.int64),
            "generation": np.array([self._generation], np.int64),
            "mean": self._mean.copy(),
            "velocity": self._velocity.copy(),
            "sigma": self._sigma.copy(),
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
        self._velocity = arrays["velocity"]
        self._sigma = arrays["sigma"]


def symmetric_gradients(
    utilities: NDArray[np.float64], noise: NDArray[np.float32], sigma: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return PGPE's symmetric estimates for the mean and for sigma, both (g,).

    Averaged over the pairs, with d = sigma z (Sehnke et al. 2010; their step sizes proportional to
    sigma^2 are included, their division by the reward's range is not, since ranks have one range):

        mean:  d (u+ - u-) / 2
        sigma: ((u+ + u-) / 2 - baseline) (d^2 - sigma^2) / sigma

    Args:
        utilities: (population,), of mean + d and then of mean - d; their mean is the baseline.
        noise: z, standard normal, (population / 2, g).
        sigma: standard deviations, (g,).
    """
    plus, minus = split_pairs(utilities)
    slope = ((plus - minus) / len(utilities)).astype(np.float32)
    level = ((plus + minus - 2 * utilities.mean()) / len(utilities)).astype(np.float32)
    # einsum and not @: its order of summation does not depend on the threads of a BLAS.
    mean_gradient = sigma * np.einsum("k,kg->g", slope, noise)
    # (d^2 - sigma^2) / sigma = sigma (z^2 - 1), and the levels sum to zero, so the 1 drops out.
    sigma_gradient = sigma * np.einsum("k,kg,kg->g", level, noise, noise)
    return mean_gradient, sigma_gradient
