"""Eligibility: what a synapse remembers of its own activity until a modulator judges it.

    e_ij ← λ e_ij + f_i x_j

A rule of three factors is eligibility × modulator × stabiliser: this file, then one of
`reward_prediction`, then `three_factor`. The post factor f makes the rule: y in
`reward_modulated_hebb`, ξ / σ² in `node_perturbation`, z - ρ in `reinforce_spike`.

Source: Williams 1992 (Machine Learning) for the sum over an episode; Sutton & Barto 2018, ch. 12,
for traces that decay; Gerstner et al. 2018 (Frontiers in Neural Circuits) for synapses.

Claim: the trace is Σ_k λ^k f(t-k) x(t-k). λ = 1 is the undecayed trace over a trial, which the
gradient claims of the rules need; λ = 0 has no memory; λ = e^(-dt/τ) forgets with τ.

Trap: at λ = 1 the trace must be cleared when a trial begins, which is the caller's to do.
"""

from robolearn.neurons.compilation import compiled


@compiled
def accumulate(eligibility, post_factor, pre, decay):
    """Add the present to the trace of one individual, in place.

    Args:
        eligibility: (post, pre) float32, e.
        post_factor: (post,) float32, f.
        pre: (pre,) float32, x.
        decay: float32 in [0, 1], λ of one step.
    """
    for i in range(eligibility.shape[0]):
        e, factor = eligibility[i], post_factor[i]
        for j in range(eligibility.shape[1]):
            e[j] = decay * e[j] + factor * pre[j]
