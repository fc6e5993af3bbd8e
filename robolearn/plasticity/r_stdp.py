"""Reward-modulated STDP: pairs of spikes mark a synapse, dopamine decides what becomes of it.

    dc/dt = -c/τ_c + Σ W(Δt) δ(t - t_spike)        `accumulate_stdp`
    dd/dt = -d/τ_d + dopamine                      `dopamine_trace`
    dw/dt = c d, within bounds                     `learn_r_stdp`

with the window W of `stdp`, and R - r̄ of `reward_prediction` as dopamine.

Sources: Izhikevich 2007 (Cerebral Cortex); Florian 2007 (Neural Computation), whose MSTDPET divides
every kick by τ_c, so that the area under c is W. That division is a choice, not made here: a kick
is W, and A₊, A₋ are in units of weight / (s · dopamine). For Florian's form divide them by τ_c.

Claims: a pair changes c by the window; a reward that arrives k τ_c after it credits it with e^(-k);
what pairs after a momentary reward gets nothing.

Traps: a lasting dopamine trace (τ_d > 0) also credits pairs that FOLLOW the reward, by e^(-t/τ_d);
and c d is unsupervised STDP times the mean of d unless the reward is centred (Frémaux et al. 2010).
"""

import numpy as np

from robolearn.neurons.compilation import compiled
from robolearn.neurons.lif import fade
from robolearn.plasticity.stdp import learn_stdp
from robolearn.plasticity.three_factor import modulate

_UNBOUNDED = np.float32(np.inf)


@compiled
def accumulate_stdp(
    eligibility,
    pre,
    post,
    pre_trace,
    post_trace,
    coefficients,
    plus_decay,
    minus_decay,
    eligibility_decay,
):
    """Let the eligibility of one individual forget for one spike step, then add its pairs.

    Args:
        eligibility: (post, pre) float32, c, changed in place.
        pre: (pre,) float32, presynaptic events of this spike step.
        post: (post,) float32, postsynaptic events of this spike step.
        pre_trace: (pre,) float32, as in `learn_stdp`, changed in place.
        post_trace: (post,) float32, as in `learn_stdp`, changed in place.
        coefficients: (2, p, q) float32, A₊ and A₋, as in `learn_stdp`.
        plus_decay: float32, e^(-dt/τ₊).
        minus_decay: float32, e^(-dt/τ₋).
        eligibility_decay: float32, e^(-dt/τ_c).
    """
    for i in range(eligibility.shape[0]):
        c = eligibility[i]
        for j in range(eligibility.shape[1]):
            c[j] = fade(c[j] * eligibility_decay)
    learn_stdp(
        eligibility,
        pre,
        post,
        pre_trace,
        post_trace,
        coefficients,
        plus_decay,
        minus_decay,
        True,
        True,
        _UNBOUNDED,
    )


@compiled
def dopamine_trace(dopamine, released, dopamine_decay):
    """Return d e^(-dt/τ_d) + what was released in this step; float32 scalars.

    With a decay of 0 dopamine is momentary.
    """
    return dopamine_decay * dopamine + released


@compiled
def learn_r_stdp(weight, eligibility, dopamine, step_s, limit):
    """Apply dw/dt = c d for one step to a layer of one individual, in place.

    Args:
        weight: (post, pre) float32.
        eligibility: (post, pre) float32, c.
        dopamine: float32, d.
        step_s: float32, s.
        limit: float32, bound on |w|.
    """
    modulate(weight, eligibility, step_s * dopamine, limit)
