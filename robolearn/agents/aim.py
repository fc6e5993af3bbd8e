"""The aim: a small plastic layer that displaces what a brain sees, for one trial at a time.

    d = A x₀ + ζ,  ζ ~ N(0, σ²),   x(t) ← x(t) + d,   ΔA = η M ζ x₀ᵀ / σ²

with x (k,) some encoded elements of the observation, such as the place of a target, x₀ their
values when the trial begins, and M the reward prediction error at its end. This is node
perturbation in units that act once a trial, so the claim of that rule holds for A exactly.

Source: Mazzoni & Krakauer 2006 (Journal of Neuroscience), people who are told of a visuomotor
rotation aim beside the target; Fiete & Seung 2006 for the rule. That d is linear is ours.
"""

import numpy as np

from robolearn.neurons.compilation import compiled
from robolearn.neurons.noise import normal_at
from robolearn.neurons.rate import weighted_sum
from robolearn.plasticity.eligibility import accumulate
from robolearn.plasticity.node_perturbation import perturbation_factor
from robolearn.plasticity.three_factor import modulate


@compiled
def take_aim(x, elements, weight, size, key, step, first, origin, noise, shift):
    """Take the aim of a trial that begins, of one individual.

    Args:
        x: (o,) float32, the encoded observation.
        elements: (k,) int64, which elements of it are displaced.
        weight: (k, k) float32, A.
        size: float32, σ in units of x; 0 does not explore.
        key: uint64, of the individual's noise.
        step: integer, control steps lived.
        first: integer, numbers of this step's noise that are drawn for others.
        origin: (k,) float32, receives x₀.
        noise: (k,) float32, receives ζ.
        shift: (k,) float32, receives d.
    """
    for i in range(elements.shape[0]):
        origin[i] = x[elements[i]]
        noise[i] = size * normal_at(key, step, first + i)
    for i in range(elements.shape[0]):
        shift[i] = weighted_sum(weight[i], noise[i], origin)


@compiled
def displace(x, elements, shift):
    """Add d (k,) to the `elements` (k,) of the encoded observation x (o,), in place."""
    for i in range(elements.shape[0]):
        x[elements[i]] += shift[i]


@compiled
def learn_aim(weight, noise, origin, variance, gain, limit):
    """Change A by the aim that was taken and what came of it, in place.

    Args:
        weight: (k, k) float32, A.
        noise: (k,) float32, ζ.
        origin: (k,) float32, x₀.
        variance: float32, σ².
        gain: float32, η M.
        limit: float32, bound on |A_ij|.
    """
    factor, eligibility = np.empty_like(noise), np.zeros_like(weight)
    perturbation_factor(noise, variance, factor)
    accumulate(eligibility, factor, origin, np.float32(0.0))
    modulate(weight, eligibility, gain, limit)
