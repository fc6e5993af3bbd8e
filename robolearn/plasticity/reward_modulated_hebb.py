"""Reward-modulated Hebb: the post factor is the activity itself, Δw_ij = η x_j y_i M.

Sources: Schmidgall et al. 2024 for the plain form, M = R; Frémaux, Sprekeler & Gerstner 2010
(Journal of Neuroscience) for why M must be R - r̄ with one mean for every context.

Claim: for y = f(w x) + ξ,

    E[x y M] = x f(w x) E[M] + E[x ξ M],

the gradient of `node_perturbation` (times σ²) plus an unsupervised bias. The bias vanishes where
the mean of M is zero in every context that a synapse sees.

Traps, kept as controls that fail: M = R drifts at the optimum by as much as rewards are positive;
M = R - r̄ with one global mean drifts as soon as contexts differ in mean reward. Noise ξ must be in
y for anything to be learned.
"""

from robolearn.neurons.compilation import compiled


@compiled
def activity_factor(activity, out):
    """Write the post factor of one individual: f_i = y_i.

    Args:
        activity: (post,) float32, y, with its exploration noise.
        out: (post,) float32, receives f.
    """
    for i in range(out.shape[0]):
        out[i] = activity[i]
