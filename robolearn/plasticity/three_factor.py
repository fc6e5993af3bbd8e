"""The third factor: a modulator turns eligibility into a change of weight, within bounds.

    w_ij ← bound(w_ij + η M e_ij),   and, as a second stabiliser,   w ← w₀ + k (w - w₀)

Source: Frémaux & Gerstner 2016 (Frontiers in Neural Circuits), the form that reward-modulated rules
share; Schmidgall et al. 2024. M is a scalar such as R - r̄ of `reward_prediction`.

Claim: these equations; k = e^(-dt/τ) forgets what was learned with the time constant τ.
"""

from robolearn.neurons.compilation import compiled
from robolearn.plasticity.bounds import bound


@compiled
def modulate(weight, eligibility, gain, limit):
    """Change the weights of one individual by its eligibility, in place.

    Args:
        weight: (post, pre) float32.
        eligibility: (post, pre) float32, e; left as it is.
        gain: float32 scalar, learning rate × modulator.
        limit: float32, bound on |w|.
    """
    for i in range(weight.shape[0]):
        w, e = weight[i], eligibility[i]
        for j in range(weight.shape[1]):
            w[j] = bound(w[j] + gain * e[j], limit)


@compiled
def decay_towards(weight, innate, keep):
    """Let the weights of one individual fall back to what they were at birth, in place.

    Args:
        weight: (post, pre) float32.
        innate: (post, pre) float32, w₀.
        keep: float32 in [0, 1], k of one step.
    """
    for i in range(weight.shape[0]):
        w, rest = weight[i], innate[i]
        for j in range(weight.shape[1]):
            w[j] = rest[j] + keep * (w[j] - rest[j])
