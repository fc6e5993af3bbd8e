"""Oja's rule: Hebb with just as much forgetting as keeps the weights at length one.

    Δw_ij = η y_i (x_j - y_i w_ij)

Source: Oja 1982 (Journal of Mathematical Biology).

Claim: for a LINEAR unit y = w x on CENTRED input and small η, w converges to the first principal
component with |w| = 1. On input that is not centred it finds the first eigenvector of E[x xᵀ],
mostly the mean. Units of one layer do not see each other and all find the same component.
"""

from robolearn.neurons.compilation import compiled


@compiled
def learn_oja(weight, pre, post, rate):
    """Apply the rule once to a layer of one individual, in place; no bound is needed.

    Args:
        weight: (post, pre) float32.
        pre: (pre,) float32, x.
        post: (post,) float32, y.
        rate: float32, η; stable while η |x|² is well below 1.
    """
    for i in range(weight.shape[0]):
        w, y = weight[i], post[i]
        gain = rate * y
        for j in range(weight.shape[1]):
            w[j] += gain * (pre[j] - y * w[j])
