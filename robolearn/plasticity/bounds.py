"""Hard bounds: the simplest stabiliser, |w| ≤ w_max."""

from robolearn.neurons.compilation import compiled


@compiled
def bound(weight, limit):
    """Return the weight clipped to [-limit, limit]; float32 scalars."""
    return min(max(weight, -limit), limit)
