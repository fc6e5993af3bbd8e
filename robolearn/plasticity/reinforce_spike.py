"""REINFORCE for stochastic spikes: the post factor is z - ρ, Δw_ij = η x_j (z_i - ρ_i) (R - r̄).

Source: Williams 1992 (Machine Learning), the Bernoulli-logistic unit; Schmidgall et al. 2024 name
the link to spiking neurons.

Claim: for units that spike with P(z_i = 1) = ρ_i = logistic(Σ_j w_ij x_j), independently given x,

    E[Σ_t x_j (z_i - ρ_i) (R - r̄)] = ∂/∂w_ij E[R]

exactly, for a trace that does not decay over the trial and any r̄ that does not depend on the
present spikes.

Traps: the rule needs the probability with which the spike was drawn, so no clipping or refractory
period in between; at ρ near 0 or 1 there is no exploration and no learning.
"""

from robolearn.neurons.compilation import compiled


@compiled
def surprise_factor(spike, probability, out):
    """Write the post factor of one individual: f_i = z_i - ρ_i.

    Args:
        spike: (post,) float32, z, 0 or 1.
        probability: (post,) float32, ρ, with which each spike was drawn.
        out: (post,) float32, receives f.
    """
    for i in range(out.shape[0]):
        out[i] = spike[i] - probability[i]
