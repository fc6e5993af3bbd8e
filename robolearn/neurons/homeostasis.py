"""Homeostatic thresholds: a unit seeks its own firing rate.

Source: Schmidgall et al. 2024, with the sign corrected: the review prints the target minus the
actual rate, which would make a busy unit busier. A homeostat raises the threshold of a unit that
fires too much.
"""

import numpy as np

from robolearn.neurons.compilation import compiled

LOWEST_THRESHOLD = np.float32(0.1)
"""A threshold at or below the reset potential 0 would fire for ever, without any input."""


@compiled
def homeostatic_threshold(threshold, actual, target, gain):
    """Return V_th + g (A_actual - A_target), not below LOWEST_THRESHOLD; all float32 scalars.

    Args:
        threshold: V_th, in units of the potential.
        actual: spikes per spike step of this unit, 0..1.
        target: wanted spikes per spike step, 0..1.
        gain: g, change of the threshold per unit of rate error, rate per second times step.
    """
    return max(threshold + gain * (actual - target), LOWEST_THRESHOLD)
