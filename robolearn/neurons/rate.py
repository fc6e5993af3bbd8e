"""Rate units: y = tanh(w x + b), and the logistic gate."""

import math

import numpy as np

from robolearn.neurons.compilation import compiled


@compiled
def weighted_sum(weight, bias, x):
    """Return b + Σ_j w_j x_j for weights (pre,), bias scalar and activity (pre,), all float32."""
    total = np.float32(0.0)
    for j in range(x.shape[0]):
        total += weight[j] * x[j]
    return total + bias


@compiled
def logistic(x):
    """Return 1 / (1 + e^-x), written with tanh so that no x overflows."""
    half = np.float32(0.5)
    return half * math.tanh(half * x) + half


@compiled
def rate_layer(weight, bias, x, out):
    """Compute y_i = tanh(b_i + Σ_j w_ij x_j) of one individual.

    Args:
        weight: (post, pre) float32.
        bias: (post,) float32.
        x: (pre,) float32, presynaptic activity.
        out: (post,) float32, receives y in [-1, 1].
    """
    for i in range(out.shape[0]):
        out[i] = math.tanh(weighted_sum(weight[i], bias[i], x))
