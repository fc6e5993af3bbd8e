"""Activities averaged over the last steps, for rules that change weights slowly.

Source: Dittrich, van Diggelen & Floreano 2026 (Hebbian Attractor Networks, ICRA), who give the ABCD
rule the mean of the last M activities of both sides of a synapse in place of the present ones.
"""

import numpy as np

from robolearn.neurons.compilation import compiled


@compiled
def moving_average(activity, steps, mean):
    """Write the mean of the last M activities of one individual, or of all if there are fewer.

    x̄ = (1/m) Σ x(t - i) over i = 0..m-1, m = min(M, steps lived); M = 1 is the activity itself.

    Args:
        activity: (M, units) float32; step t, counted from 0, is in row t mod M.
        steps: number of steps in `activity` or overwritten there, at least 1.
        mean: (units,) float32, receives x̄.
    """
    m = min(steps, activity.shape[0])
    mean[:] = np.float32(0.0)
    for i in range(m):
        for j in range(mean.shape[0]):
            mean[j] += activity[i, j]
    for j in range(mean.shape[0]):
        mean[j] /= np.float32(m)
