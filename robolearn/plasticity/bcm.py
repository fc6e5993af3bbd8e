"""The rule of Bienenstock, Cooper and Munro: a threshold between less and more that slides.

    Δw_ij = η x_j y_i (y_i - θ_i) with the OLD θ,   then   θ_i ← k θ_i + (1 - k) y_i²

Sources: Bienenstock, Cooper & Munro 1982 (Journal of Neuroscience); the threshold E[y²] is that of
Intrator & Cooper 1992 (Neural Networks).

Claim: activity below θ weakens the active synapses, above it strengthens them, at θ and at 0 leaves
them. A linear unit that sees K orthonormal patterns equally often becomes selective: it ends up
with y = K for one of them and y = 0 for the others, with θ = K.

Trap: θ must slide faster than the weights move, else weight and threshold swing. Bounds catch what
then runs away.
"""

import numpy as np

from robolearn.neurons.compilation import compiled
from robolearn.plasticity.bounds import bound


@compiled
def learn_bcm(weight, threshold, pre, post, rate, keep, limit):
    """Apply the rule once to a layer of one individual, in place.

    Args:
        weight: (post, pre) float32.
        threshold: (post,) float32, θ ≥ 0, state that slides.
        pre: (pre,) float32, x.
        post: (post,) float32, y.
        rate: float32, η; 0 leaves the weights.
        keep: float32 in [0, 1], k = e^(-dt/τ_θ); 1 leaves the threshold.
        limit: float32, bound on |w|.
    """
    fresh = np.float32(1.0) - keep
    for i in range(weight.shape[0]):
        w, y = weight[i], post[i]
        gain = rate * y * (y - threshold[i])
        for j in range(weight.shape[1]):
            w[j] = bound(w[j] + gain * pre[j], limit)
        threshold[i] = keep * threshold[i] + fresh * y * y
