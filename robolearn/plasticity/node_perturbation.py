"""Node perturbation: the post factor is the noise of the unit, Δw_ij = η x_j ξ_i / σ² (R - r̄).

Sources: Fiete & Seung 2006 (Physical Review Letters); Schmidgall et al. 2024; Williams 1992 for the
Gaussian unit, of which this is REINFORCE.

Claim: for units a_i = Σ_j w_ij x_j + ξ_i with ξ ~ N(0, σ²) whatever is made of a afterwards,

    E[Σ_t x_j ξ_i / σ² (R - r̄)] = ∂/∂w_ij E_ξ[R],

the gradient of the NOISE-SMOOTHED expected reward, for a trace that does not decay over the trial
and any r̄ that does not depend on the present noise. With noise on the output, y = f(w x) + ξ, it
is the gradient with respect to f's value and lacks the factor f'(w x): the sign is right and
the size is not.

Traps: a mean that already holds the present reward with weight α shrinks the estimate by 1 - α; a
trace that decays credits early steps too little; noise that is clipped or squashed before it acts
must enter the factor as it was drawn.
"""

from robolearn.neurons.compilation import compiled


@compiled
def perturbation_factor(noise, variance, out):
    """Write the post factor of one individual: f_i = ξ_i / σ².

    Args:
        noise: (post,) float32, ξ, as it was added to the summed inputs.
        variance: float32, σ² in units of the summed input squared; 1 leaves it to the rate.
        out: (post,) float32, receives f.
    """
    for i in range(out.shape[0]):
        out[i] = noise[i] / variance
