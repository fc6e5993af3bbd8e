"""Short-term plasticity: synapses that facilitate and tire within a fraction of a second.

    du/dt = -u/τ_f,  dx/dt = (1 - x)/τ_d
    at a spike:  u ← u + U (1 - u),  release u x,  x ← x - u x

u is the fraction of the resources that a spike releases, x the fraction that is there.

Source: Tsodyks, Pawelzik & Markram 1998 (Neural Computation), in the order that they give: u rises
before it releases. Both variables relax exactly between steps, so a step may be of any length.

Claims: the first spike after a long rest releases U. A regular train of interval T settles at

    u* = U / (1 - (1 - U) e^(-T/τ_f)),   x* = (1 - e^(-T/τ_d)) / (1 - (1 - u*) e^(-T/τ_d))

and releases u* x* a spike: less than U where τ_d rules (depression), more where τ_f rules
(facilitation). With τ_f → 0 (a facilitation decay of 0) u = U always: depression alone.
"""

import numpy as np

from robolearn.neurons.compilation import compiled


@compiled
def release(facilitation, resources, spike, utilisation, facilitation_decay, depression_decay, out):
    """Relax over one step, then let the spikes of one individual release, in place.

    Weights times `out` is what arrives; divide by U to leave the first spike at its full weight.

    Args:
        facilitation: (pre,) float32, u, state, zero at birth.
        resources: (pre,) float32, x, state, one at birth.
        spike: (pre,) float32, above 0 for a presynaptic spike in this step.
        utilisation: float32 in (0, 1], U.
        facilitation_decay: float32, e^(-dt/τ_f).
        depression_decay: float32, e^(-dt/τ_d).
        out: (pre,) float32, receives u x of every spike, 0 where there is none.
    """
    zero, one = np.float32(0.0), np.float32(1.0)
    for j in range(spike.shape[0]):
        u = facilitation_decay * facilitation[j]
        x = one - depression_decay * (one - resources[j])
        out[j] = zero
        if spike[j] > zero:
            u += utilisation * (one - u)
            out[j] = u * x
            x -= u * x
        facilitation[j], resources[j] = u, x
