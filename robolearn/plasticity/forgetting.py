"""Forgetting: plastic weights go back to those of birth, dw/dt = (w_birth - w) / τ.

What a rule has changed fades with τ, as the Hebbian trace of Miconi, Stanley & Clune 2018 (ICML,
"Differentiable plasticity") does beside its fixed weight. Under a rule whose mean rate of change is
r the weight settles at w_birth + τ r instead of drifting on for as long as the life lasts.
"""

import math

import numpy as np

from robolearn.neurons.compilation import compiled


def forgotten_share(step_s: float, tau_s: float | None) -> np.float32:
    """Return the share of a change that a step takes back, 1 - exp(-step / τ); 0 for no τ."""
    return np.float32(0.0 if tau_s is None else -math.expm1(-step_s / tau_s))


@compiled
def forget(weight, birth, share):
    """Take weights (post, pre) of one individual back towards those of birth, in place.

    Args:
        weight: (post, pre) float32.
        birth: (post, pre) float32.
        share: float32, of the distance that is gone, in [0, 1].
    """
    for i in range(weight.shape[0]):
        w, home = weight[i], birth[i]
        for j in range(weight.shape[1]):
            w[j] += share * (home[j] - w[j])
