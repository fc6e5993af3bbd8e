"""Leaky integrate-and-fire units, plain and with an adaptive threshold.

Sources: Schmidgall et al. 2024 (APL Machine Learning), eq. of the LIF neuron; Bellec et al. 2020
(Nature Communications, e-prop) for the adaptive threshold. E_L = V_reset = 0, R_m = 1, so that
potential, current and threshold share one unit.
"""

import math

import numpy as np

from robolearn.neurons.compilation import compiled

# Far below what a sum of float32 numbers notices, far above the smallest of them.
_FADED = np.float32(1e-20)


def decay(step_s: float, tau_s: float) -> np.float32:
    """Return e^(-dt/τ), the factor by which a leak of time constant τ (s) decays in dt (s)."""
    return np.float32(math.exp(-step_s / tau_s))


@compiled
def fade(trace):
    """Return the float32 trace, or 0 once it is too small to matter.

    A leak alone never reaches 0: it ends among the subnormal numbers, where products take a
    processor many times longer, so that silent units would slow their brain down. NaN stays.
    """
    return np.float32(0.0) if abs(trace) < _FADED else trace


@compiled
def integrate_membrane(potential, current, membrane_decay):
    """Advance τ_m dV/dt = -V + I by one step, exactly for a current constant over the step.

    V ← α V + (1 - α) I with α = e^(-dt/τ_m); all float32 scalars.
    """
    return membrane_decay * potential + (np.float32(1.0) - membrane_decay) * current


@compiled
def adaptive_threshold(threshold, adaptation, strength):
    """Return A = V_th + β a; a plain LIF unit is the case β = 0. All float32 scalars."""
    return threshold + strength * adaptation


@compiled
def adapt(adaptation, spike, adaptation_decay):
    """Advance the adaptation variable: a ← ρ a + z with ρ = e^(-dt/τ_a); a counts recent spikes."""
    return fade(adaptation_decay * adaptation + spike)


@compiled
def filter_spike(trace, spike, trace_decay):
    """Advance a graded trace of spikes: r ← γ r + (1 - γ) z, the filtered spike probability."""
    return fade(trace_decay * trace + (np.float32(1.0) - trace_decay) * spike)


@compiled
def fire(potential, threshold):
    """Return (spike, potential after it): z = 1 and V ← 0 when V ≥ A, else z = 0 and V as it is."""
    if potential >= threshold:
        return np.float32(1.0), np.float32(0.0)
    return np.float32(0.0), potential
