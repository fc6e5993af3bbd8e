"""The ABCD rule: Δw_ij = η (A x_j y_i + B x_j + C y_i + D), from Najarro & Risi 2020 (NeurIPS).

η is a rate per second here, so a brain keeps its meaning when the control step changes; the
authors' η, per step, is η · dt. Coefficients (5, p, q) hold η, A, B, C, D in this order, with
(p, q) = (post, pre) for one set a synapse, (post, 1) for one a postsynaptic neuron, (1, 1) for one
a layer.
"""

import numpy as np

from robolearn.neurons.compilation import compiled
from robolearn.plasticity.bounds import bound


@compiled
def abcd_change(pre, post, eta, a, b, c, d):
    """Return the rate of change of one weight, per second; all float32 scalars."""
    return eta * (a * pre * post + b * pre + c * post + d)


@compiled
def learn_abcd(weight, pre, post, coefficients, step_s, limit):
    """Apply the rule for one step to a layer of one individual, in place, within ±limit.

    Args:
        weight: (post, pre) float32.
        pre: (pre,) float32, x.
        post: (post,) float32, y.
        coefficients: (5, p, q) float32, see above; η in 1/s.
        step_s: float32, duration of the step, s.
        limit: float32, bound on |w|.
    """
    per_neuron = coefficients.shape[1] > 1
    if coefficients.shape[2] > 1:
        for i in range(weight.shape[0]):
            y = post[i]
            eta, a, b = coefficients[0, i], coefficients[1, i], coefficients[2, i]
            c, d, w = coefficients[3, i], coefficients[4, i], weight[i]
            for j in range(weight.shape[1]):
                change = abcd_change(pre[j], y, eta[j], a[j], b[j], c[j], d[j])
                w[j] = bound(w[j] + step_s * change, limit)
    else:
        zero, one = np.float32(0.0), np.float32(1.0)
        for i in range(weight.shape[0]):
            k = i if per_neuron else 0
            # With coefficients shared by all inputs the rule is a line in x_j.
            eta, a, b = coefficients[0, k, 0], coefficients[1, k, 0], coefficients[2, k, 0]
            c, d, w = coefficients[3, k, 0], coefficients[4, k, 0], weight[i]
            offset = step_s * abcd_change(zero, post[i], eta, a, b, c, d)
            slope = step_s * abcd_change(one, post[i], eta, a, b, zero, zero)
            for j in range(weight.shape[1]):
                w[j] = bound(w[j] + (slope * pre[j] + offset), limit)
