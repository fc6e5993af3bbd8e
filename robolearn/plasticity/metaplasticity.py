"""Metaplasticity: the learning rate of a synapse falls with use and recovers at rest.

Every synapse counts how much it has changed, u, and another rule's wish D (a change of weight) is
granted in part:

    Δw = 2^(-u/h) D,   u ← k u + |Δw|

Sources: Abraham & Bear 1996 (Trends in Neurosciences) for the idea, that plasticity depends on its
own past; Fusi, Drew & Abbott 2005 (Neuron) for the halving: in their cascade of binary states,
plasticity halves with every step deeper. This graded form, in which a change of h is a step and
recovery is exponential, is ours, the simplest without random numbers.

Claims: a synapse that has changed by h keeps half its learning rate. Under a constant wish D it
grows without recovery as (h / ln 2) ln(1 + ln 2 · D t / h), that is, like the logarithm of time.
At rest, u = 0 in the limit and the rate is the innate one again.
"""

import math

import numpy as np

from robolearn.neurons.compilation import compiled
from robolearn.plasticity.bounds import bound


@compiled
def learning_rate_left(use, half):
    """Return the fraction 2^(-u/h) of a learning rate that is left; float32 scalars.

    Args:
        use: u, in units of weight.
        half: h > 0, use that halves the rate, in units of weight.
    """
    return np.float32(math.exp2(-use / half))


@compiled
def learn_with_use(weight, use, wish, half, keep, limit):
    """Grant a layer of one individual part of the changes that a rule wants, in place.

    Args:
        weight: (post, pre) float32.
        use: (post, pre) float32, u ≥ 0, state, zero at birth.
        wish: (post, pre) float32, D, the changes that another rule wants.
        half: float32, h, in units of weight.
        keep: float32 in [0, 1], k = e^(-dt/τ); 1 never recovers.
        limit: float32, bound on |w|; what the bound takes away is not counted as use.
    """
    for i in range(weight.shape[0]):
        w, u, wanted = weight[i], use[i], wish[i]
        for j in range(weight.shape[1]):
            before = w[j]
            w[j] = bound(before + learning_rate_left(u[j], half) * wanted[j], limit)
            u[j] = keep * u[j] + abs(w[j] - before)
