"""Noise inside a brain: random numbers that are a function of (key, step, element).

SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"). A brain
draws its key at birth and counts its steps, so what it draws depends on nobody beside it and a
saved state needs no generator. Elements of one step should be numbered without gaps from 0.
"""

import math

import numpy as np
from numba import uint64

from robolearn.neurons.compilation import compiled

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_TO_UNIT = 2.0**-53


def draw_keys(rngs: list[np.random.Generator]) -> np.ndarray:
    """Return one key of noise for each newborn from its stream, (len(rngs),) uint64."""
    return np.array([rng.integers(2**64, dtype=np.uint64) for rng in rngs], np.uint64)


@compiled
def _mix(word):
    word = uint64(word)
    word = (word ^ (word >> uint64(30))) * _FIRST
    word = (word ^ (word >> uint64(27))) * _SECOND
    return word ^ (word >> uint64(31))


@compiled
def uniform_at(key, step, element):
    """Return a float64 in the open interval (0, 1).

    Args:
        key: uint64, of the individual.
        step: integer, which draw of its life.
        element: integer, which number of this draw.
    """
    state = _mix(uint64(key) + uint64(step) * _GAMMA)
    word = _mix(state + (uint64(element) + uint64(1)) * _GAMMA)
    return (float(word >> uint64(11)) + 0.5) * _TO_UNIT


@compiled
def normal_at(key, step, element):
    """Return a standard normal float32 by Box and Muller; arguments as for `uniform_at`."""
    radius = math.sqrt(-2.0 * math.log(uniform_at(key, step, 2 * element)))
    return np.float32(radius * math.cos(2.0 * math.pi * uniform_at(key, step, 2 * element + 1)))
