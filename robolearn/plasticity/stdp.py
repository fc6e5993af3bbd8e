"""Pair STDP with traces (Schmidgall et al. 2024; Gerstner & Kistler 2002).

Claim: a pair of spikes with Δt = t_post - t_pre changes a weight by the window

    W(Δt) = A₊ e^(-Δt/τ₊)   for Δt ≥ 0
    W(Δt) = -A₋ e^(Δt/τ₋)   for Δt < 0

and pairs add up. Spikes of one spike step (Δt = 0) count as causal: within a step, input is
integrated before the threshold is tested. Events may be graded, as input currents and motor
outputs are: the change is then the product of the two events and the window.

Coefficients (2, p, q) hold A₊, A₋, with (p, q) = (post, pre) for one pair a synapse, (post, 1) for
one a postsynaptic neuron, (1, 1) for one a layer. Both may be negative: anti-Hebbian windows.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.neurons.compilation import compiled
from robolearn.neurons.lif import fade
from robolearn.plasticity.bounds import bound


def stdp_window(
    delay_s: ArrayLike, a_plus: float, a_minus: float, tau_plus_s: float, tau_minus_s: float
) -> NDArray[np.float64]:
    """Return the analytic window W(Δt) for delays t_post - t_pre in seconds, of any shape."""
    delay = np.asarray(delay_s, np.float64)
    potentiation = a_plus * np.exp(-np.abs(delay) / tau_plus_s)
    depression = -a_minus * np.exp(-np.abs(delay) / tau_minus_s)
    return np.where(delay >= 0, potentiation, depression)


@compiled
def learn_stdp(
    weight,
    pre,
    post,
    pre_trace,
    post_trace,
    coefficients,
    plus_decay,
    minus_decay,
    weights_on,
    traces_on,
    limit,
):
    """Apply one spike step to a layer of one individual, in place.

    Args:
        weight: (post, pre) float32.
        pre: (pre,) float32, presynaptic events of this spike step.
        post: (post,) float32, postsynaptic events of this spike step.
        pre_trace: (pre,) float32, state: Σ past pre events · e^(-age/τ₊).
        post_trace: (post,) float32, state: Σ past post events · e^(-age/τ₋).
        coefficients: (2, p, q) float32, A₊ and A₋, change of weight per pair.
        plus_decay: float32, e^(-dt/τ₊).
        minus_decay: float32, e^(-dt/τ₋).
        weights_on: False leaves the weights.
        traces_on: False leaves the traces.
        limit: float32, bound on |w|.
    """
    if traces_on:
        for j in range(pre.shape[0]):
            pre_trace[j] = fade(plus_decay * pre_trace[j] + pre[j])
    if weights_on:
        per_neuron = coefficients.shape[1] > 1
        for i in range(weight.shape[0]):
            later, earlier, w = post[i], minus_decay * post_trace[i], weight[i]
            if coefficients.shape[2] > 1:
                plus, minus = coefficients[0, i], coefficients[1, i]
                for j in range(weight.shape[1]):
                    change = plus[j] * later * pre_trace[j] - minus[j] * earlier * pre[j]
                    w[j] = bound(w[j] + change, limit)
            else:
                k = i if per_neuron else 0
                gain, loss = coefficients[0, k, 0] * later, coefficients[1, k, 0] * earlier
                for j in range(weight.shape[1]):
                    w[j] = bound(w[j] + (gain * pre_trace[j] - loss * pre[j]), limit)
    if traces_on:
        for i in range(post.shape[0]):
            post_trace[i] = fade(minus_decay * post_trace[i] + post[i])
