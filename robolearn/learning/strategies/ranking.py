"""Centred ranks: fitness shaped so that only its order counts (Salimans et al. 2017).

A single lucky life then cannot dominate a generation, and the scale of a reward does not matter.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def centred_ranks(fitness: NDArray[Any]) -> NDArray[np.float64]:
    """Turn fitness (population,) into utilities (population,) in [-1/2, 1/2] of zero sum.

    The worst gets -1/2, the best 1/2, the others lie equally spaced. Equal fitness gets the mean
    of the ranks it spans, so that a plateau gives no direction. NaN ties with -infinity as the
    worst.

    Raises:
        ValueError: `fitness` is not a vector, or every element is NaN.
    """
    fitness = np.asarray(fitness, np.float64)
    if fitness.ndim != 1:
        raise ValueError(f"expected fitness of shape (population,), got {fitness.shape}")
    broken = np.isnan(fitness)
    if broken.all():
        raise ValueError(f"every fitness of the generation is NaN ({fitness.size} lives)")
    if fitness.size == 1:
        return np.zeros(1)
    _, level, count = np.unique(
        np.where(broken, -np.inf, fitness), return_inverse=True, return_counts=True
    )
    # A level that fills the sorted places end - count .. end - 1 gets the middle of them.
    middle = np.cumsum(count) - (count + 1) / 2
    return middle[level] / (fitness.size - 1) - 0.5


def by_place(fitness: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each genome the value of its place; equals share the mean of the places they span.

    Args:
        fitness: (population,), without NaN; higher is better.
        values: (population,), of each place, the best first.

    Returns:
        (population,).
    """
    _, level, count = np.unique(-fitness, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    sums = np.add.reduceat(values, ends - count)
    return (sums / count)[level]
