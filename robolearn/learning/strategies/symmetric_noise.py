"""Symmetric (antithetic) sampling with noise that can be drawn again from (seed, generation).

Mirrored pairs mean + d, mean - d cancel the even part of the fitness around the mean, which
carries no gradient (Sehnke et al. 2010; Salimans et al. 2017).
"""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError

# A stable number for the purpose's name: Python's own hash of a string changes between processes.
_PURPOSE = zlib.crc32(b"search")


def search_rng(seed: int, generation: int) -> np.random.Generator:
    """Return the stream keyed (seed, "search", generation); equal keys give equal bits."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_PURPOSE, generation)))


def mirror(
    mean: NDArray[np.float64], sigma: float | NDArray[np.float64], noise: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return genomes (population, g): first mean + sigma noise, then mean - sigma noise.

    Args:
        mean: (g,), in units of search.
        sigma: one standard deviation, or one for each element, (g,).
        noise: standard normal, (population / 2, g); pair k is the rows k and population / 2 + k.
    """
    pairs = len(noise)
    centre = mean.astype(np.float32)  # (g,)
    genomes = np.empty((2 * pairs, noise.shape[1]), np.float32)
    displacement = genomes[pairs:]  # computed in place: the arrays are large
    np.multiply(noise, np.float32(sigma), out=displacement)
    np.add(centre, displacement, out=genomes[:pairs])
    np.subtract(centre, displacement, out=displacement)
    return genomes


def split_pairs(utilities: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cut utilities (population,) into those of mean + d and mean - d, each (population / 2,)."""
    return utilities[: len(utilities) // 2], utilities[len(utilities) // 2 :]


def check_population(population: int) -> None:
    """Refuse a population that cannot be cut into mirrored pairs.

    Raises:
        UserError: it is odd, or smaller than 2.
    """
    if population < 2 or population % 2:
        raise UserError(
            f"population: got {population}; symmetric sampling needs an even number of at least 2"
            f" (nearest: {max(2, population + 1)})"
        )
