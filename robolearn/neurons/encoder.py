"""Encoders: how a number of the world becomes the input of a brain."""

import math

import numpy as np

from robolearn.neurons.compilation import compiled

INPUT_LIMIT = np.float32(10.0)
"""Largest encoded input, in typical magnitudes of the quantity."""


@compiled
def signed_current(observation, inverse_scale):
    """Encode one observation as a signed current: x = observation / scale, within ±INPUT_LIMIT.

    A value ten times its typical size says no more than that it is huge, and a plastic synapse
    would remember it for life. NaN carries no current, so a broken sensor cannot poison weights.

    Args:
        observation: float32 scalar, in its own unit.
        inverse_scale: float32 scalar, 1 / typical magnitude.
    """
    x = observation * inverse_scale
    if math.isnan(x):
        return np.float32(0.0)
    return min(max(x, -INPUT_LIMIT), INPUT_LIMIT)


@compiled
def encode(observation, inverse_scale, out):
    """Encode the observation (o,) of one individual with scales (o,) into `out` (o,)."""
    for j in range(out.shape[0]):
        out[j] = signed_current(observation[j], inverse_scale[j])
