"""PGPE with ClipUp: a Gaussian that moves and learns its own width in every dimension.

Sehnke et al. 2010, "Parameter-exploring policy gradients" (symmetric sampling, gradients for mean
and standard deviation); Toklu, Liskowski & Srivastava 2020, "ClipUp" (the optimiser of the mean,
the bounded change of sigma, and the rules that derive its step sizes from the initial radius).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.learning.strategies.hyperparameters import (
    Population,
    require,
    require_not_negative,
    require_positive,
)
from robolearn.learning.strategies.optimizers import clip_up
from robolearn.learning.strategies.protocol import Array
from robolearn.learning.strategies.ranking import centred_ranks
from robolearn.learning.strategies.search import Search
from robolearn.learning.strategies.symmetric_noise import check_population, mirror, split_pairs


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

    population: Population = 128
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
        require_positive(self, "sigma max_speed learning_rate")
        require_not_negative(self, "sigma_floor sigma_learning_rate")
        share = "a share in [0, 1)"
        require(self, "sigma_max_change momentum", lambda value: 0 <= value < 1, share)
        if self.sigma_floor > self.sigma:
            raise UserError(f"sigma_floor: got {self.sigma_floor}, above sigma ({self.sigma})")


class PGPE(Search):
    """The search: mean, velocity of the mean, and one standard deviation for every element."""

    config_class = PGPEConfig
    remembered = ("velocity", "sigma")

    def __init__(self, mean0: Array, seed: int, config: PGPEConfig) -> None:
        """Start at the genome `mean0` (g,); `seed` >= 0 keys all the noise."""
        super().__init__(mean0, seed, config)
        self._velocity = np.zeros_like(self._mean)
        self._sigma = np.full_like(self._mean, config.sigma)
        radius = config.sigma * self._mean.size**0.5
        self.max_speed = radius / 15 if config.max_speed is None else config.max_speed
        self.learning_rate = (
            self.max_speed / 2 if config.learning_rate is None else config.learning_rate
        )

    @property
    def sigma(self) -> NDArray[np.float64]:
        """A copy of the standard deviations, shape (g,)."""
        return self._sigma.copy()

    def _ask(self) -> NDArray[np.float32]:
        return mirror(self._mean, self._sigma, self._noise(self.population // 2))

    def _tell(self, fitness: NDArray[np.float64]) -> None:
        c = self.config
        noise = self._noise(self.population // 2)
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
