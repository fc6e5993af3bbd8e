"""Hebbian traces that a modulator writes: the network tells its own synapses when to learn.

Source: Miconi et al. 2018 and 2019 (ICML, "Differentiable plasticity"; ICLR, "Backpropamine"), as
the authors' code has it; the same on spike traces is Schmidgall & Hays 2023. The activity, with
h_{t-1} the pre- and y the postsynaptic one, is y = f((w + α ⊙ H) h_{t-1} + input), which belongs to
the agent, as does the modulator: M(t) = tanh of an output of the network, fanned out to every
postsynaptic neuron. Two rules for the trace H (post, pre), which starts a life at zero:

    simple       H ← clip(H + M y h_{t-1}ᵀ)
    retroactive  H ← clip(H + M(t) E), THEN E ← (1 - η) E + η y h_{t-1}ᵀ

Claims: these equations, in this order. So a retroactive modulator never writes the activity of its
own moment: it judges what came before, and writes activity k ≥ 1 steps old with weight
η (1 - η)^(k - 1). M < 0 writes the opposite; M = 0 leaves H to the bit.

Trap: only H is bounded. E is a running mean of products and stays within their range.
"""

import numpy as np

from robolearn.neurons.compilation import compiled
from robolearn.neurons.lif import fade
from robolearn.plasticity.bounds import bound


@compiled
def learn_simple(trace, modulator, post, pre, limit):
    """Write the present activity into the trace of one individual, in place.

    Args:
        trace: (post, pre) float32, H.
        modulator: (post,) float32, M of every postsynaptic neuron.
        post: (post,) float32, y of this step.
        pre: (pre,) float32, h of the step before.
        limit: float32, bound on |H|.
    """
    for i in range(trace.shape[0]):
        h, gain = trace[i], modulator[i] * post[i]
        for j in range(trace.shape[1]):
            h[j] = bound(h[j] + gain * pre[j], limit)


@compiled
def learn_retroactive(trace, eligibility, modulator, post, pre, eta, limit):
    """Write the eligibility of the past into the trace, then the present into the eligibility.

    Args:
        trace: (post, pre) float32, H, changed in place.
        eligibility: (post, pre) float32, E, changed in place.
        modulator: (post,) float32, M(t) of every postsynaptic neuron.
        post: (post,) float32, y of this step.
        pre: (pre,) float32, h of the step before.
        eta: float32 in [0, 1], how much of E a step replaces.
        limit: float32, bound on |H|.
    """
    keep = np.float32(1.0) - eta
    for i in range(trace.shape[0]):
        h, e, gain, now = trace[i], eligibility[i], modulator[i], eta * post[i]
        for j in range(trace.shape[1]):
            h[j] = bound(h[j] + gain * e[j], limit)
            e[j] = fade(keep * e[j] + now * pre[j])
