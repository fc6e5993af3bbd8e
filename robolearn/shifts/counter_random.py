"""Random numbers that are a function of (key, step, element): no individual needs a generator.

SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"): element j
of step t under key κ is mix(s + (j + 1) γ) with s = mix(κ + t γ). What an individual draws depends
on its own key and age alone, not on how many live beside it.
"""

import numpy as np
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_TO_UNIT = np.float32(2.0**-23)


def bits(keys: NDArray[np.uint64], steps: NDArray[np.int64], size: int) -> NDArray[np.uint64]:
    """Return random words (k, size) for keys (k,) and steps (k,)."""
    state = _mix(keys + steps.astype(np.uint64) * _GAMMA)  # (k,)
    return _mix(state[:, None] + np.arange(1, size + 1, dtype=np.uint64) * _GAMMA)


def uniform(keys: NDArray[np.uint64], steps: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """Return numbers (k, size) in the open interval (0, 1), each one of 2²³."""
    return _unit(bits(keys, steps, size) >> np.uint64(41))


def normal(keys: NDArray[np.uint64], steps: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """Return standard normal numbers (k, size), by Box and Muller; none exceeds 5.8."""
    half = (size + 1) // 2
    words = bits(keys, steps, half)  # (k, half): a radius and an angle each
    radius = np.sqrt(np.float32(-2.0) * np.log(_unit(words >> np.uint64(41))))
    angle = _unit(words & np.uint64(0x7FFFFF)) * np.float32(2 * np.pi)
    out = np.empty((len(words), 2 * half), np.float32)
    np.multiply(radius, np.cos(angle), out=out[:, :half])
    np.multiply(radius, np.sin(angle), out=out[:, half:])
    return out[:, :size]


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble the words in place and return them."""
    words ^= words >> np.uint64(30)
    words *= _MULTIPLIERS[0]
    words ^= words >> np.uint64(27)
    words *= _MULTIPLIERS[1]
    words ^= words >> np.uint64(31)
    return words


def _unit(integers: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Map integers of 23 bits to the middles of 2²³ cells of (0, 1), exact in float32."""
    values = integers.view(np.int64).astype(np.float32)
    values += np.float32(0.5)
    values *= _TO_UNIT
    return values
