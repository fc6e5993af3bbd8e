"""What the tests of evolution strategies share."""

import numpy as np


def sphere(x):
    return -np.sum(x**2, axis=1)


def search(strategy, fitness, generations):
    for _ in range(generations):
        strategy.tell(fitness(strategy.ask()))
    return strategy.mean
