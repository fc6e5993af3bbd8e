"""Plain Hebb within bounds: Δw_ij = η y_i x_j, then |w_ij| ≤ w_max.

Source: Hebb 1949; Gerstner & Kistler 2002, ch. 10; Schmidgall et al. 2024.

Claim: the change is the outer product, and alone it is unstable: with y = w x, weights grow like
e^(η λ t) along the first eigenvector of E[x xᵀ] until they meet the bound. It is the control for
`oja` and `bcm`, which are what makes it stable.
"""

from robolearn.neurons.compilation import compiled
from robolearn.plasticity.bounds import bound


@compiled
def learn_hebb(weight, pre, post, rate, limit):
    """Apply the rule once to a layer of one individual, in place.

    Args:
        weight: (post, pre) float32.
        pre: (pre,) float32, x.
        post: (post,) float32, y.
        rate: float32, η.
        limit: float32, bound on |w|.
    """
    for i in range(weight.shape[0]):
        w, gain = weight[i], rate * post[i]
        for j in range(weight.shape[1]):
            w[j] = bound(w[j] + gain * pre[j], limit)
