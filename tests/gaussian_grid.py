"""Expectations over Gaussian noise without sampling: a Gauss-Hermite grid."""

from itertools import product

import numpy as np
from numpy.typing import NDArray


def gaussian_grid(
    sigma: float, dimensions: int, nodes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return noise (k, dimensions) and its probabilities (k,) that stand for N(0, σ² I)."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    noise = sigma * np.array(list(product(points, repeat=dimensions)))
    probability = np.prod(list(product(weights / weights.sum(), repeat=dimensions)), axis=1)
    return noise, probability
