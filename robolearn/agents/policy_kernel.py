"""What actors of deep RL compute in a control step: normaliser, memory, layers, squashing.

All kernels stand beside the functions that they call: numba's cache knows only one file.
"""

import math

import numpy as np
from numba import prange

from robolearn.neurons.compilation import compiled, kernel
from robolearn.neurons.encoder import INPUT_LIMIT
from robolearn.neurons.rate import logistic, weighted_sum


@compiled
def normalised(x, inverse_scale, mean, inverse_std):
    """Return (x / scale - mean) / std of one element, within ±INPUT_LIMIT; NaN counts as 0."""
    z = (x * inverse_scale - mean) * inverse_std
    if math.isnan(z):
        return np.float32(0.0)
    return min(max(z, -INPUT_LIMIT), INPUT_LIMIT)


@compiled
def forward(weights, biases, sizes, rectified, x):
    """Return the last layer's sums (a,) of one individual for its input x (sizes[0],).

    Args:
        weights: (p,) blocks (post, pre) in C order, one layer after the other.
        biases: (q,).
        sizes: (layers + 1,) units from input to output.
        rectified: hidden units are max(0, s) and not tanh(s).
        x: (sizes[0],).
    """
    weight_start, bias_start = 0, 0
    last = sizes.shape[0] - 2
    for layer in range(last + 1):
        pre, post = sizes[layer], sizes[layer + 1]
        weight = weights[weight_start : weight_start + post * pre].reshape(post, pre)
        y = np.empty(post, np.float32)
        for i in range(post):
            total = weighted_sum(weight[i], biases[bias_start + i], x)
            if layer == last:
                y[i] = total
            elif rectified:
                y[i] = max(total, np.float32(0.0))
            else:
                y[i] = math.tanh(total)
        weight_start += post * pre
        bias_start += post
        x = y
    return x


@compiled
def convolved(x, weight, bias, stride):
    """Return max(0, b + Σ_s Σ_j x_{t·stride + s, j} w_{s, j, i}), (t, i), of one individual.

    Args:
        x: (steps, j), the oldest first.
        weight: (s, j, i).
        bias: (i,).
        stride: steps between two applications.
    """
    span, pre, post = weight.shape
    y = np.empty(((x.shape[0] - span) // stride + 1, post), np.float32)
    for t in range(y.shape[0]):
        y[t] = bias
        for s in range(span):
            for j in range(pre):
                value = x[t * stride + s, j]
                for i in range(post):
                    y[t, i] += value * weight[s, j, i]
        for i in range(post):
            y[t, i] = max(y[t, i], np.float32(0.0))
    return y


@compiled
def squash(total, clipped):
    """Return an action in [-1, 1]: the sum cut off there, or its tanh."""
    if clipped:
        return min(max(total, np.float32(-1.0)), np.float32(1.0))
    return np.float32(math.tanh(total))


@kernel
def act_feed_forward(
    observation,
    inverse_scales,
    alive,
    mean,
    inverse_std,
    weights,
    biases,
    sizes,
    rectified,
    clipped,
    action,
):
    """Write the actions (n, a) of feed-forward actors for observations (n, o)."""
    for row in prange(observation.shape[0]):
        if alive[row]:
            x = np.empty(sizes[0], np.float32)
            for j in range(x.shape[0]):
                x[j] = normalised(
                    observation[row, j], inverse_scales[j], mean[row, j], inverse_std[row, j]
                )
            y = forward(weights[row], biases[row], sizes, rectified, x)
            for i in range(y.shape[0]):
                action[row, i] = squash(y[i], clipped)
        else:
            action[row] = np.float32(0.0)


@kernel
def act_recurrent(
    observation,
    reward,
    inverse_scales,
    alive,
    mean,
    inverse_std,
    input_weight,
    recurrent_weight,
    bias,
    weights,
    biases,
    sizes,
    rectified,
    hidden,
    cell,
    last_action,
    action,
):
    """Write the actions (n, a) of LSTM actors, and move their `hidden` and `cell` (n, h)."""
    for row in prange(observation.shape[0]):
        if alive[row]:
            o, a, h = observation.shape[1], action.shape[1], hidden.shape[1]
            raw = np.empty(o + 1 + a, np.float32)
            raw[:o] = observation[row]
            raw[o] = reward[row]
            raw[o + 1 :] = last_action[row]
            u = np.empty(o + 1 + a, np.float32)
            for j in range(u.shape[0]):
                u[j] = normalised(raw[j], inverse_scales[j], mean[row, j], inverse_std[row, j])
            sums = np.empty(4 * h, np.float32)  # input gate, forget gate, candidate, output gate
            for i in range(4 * h):
                sums[i] = weighted_sum(input_weight[row, i], bias[row, i], u) + weighted_sum(
                    recurrent_weight[row, i], np.float32(0.0), hidden[row]
                )
            x = np.empty(h, np.float32)
            for i in range(h):
                kept = logistic(sums[h + i]) * cell[row, i]
                cell[row, i] = kept + logistic(sums[i]) * math.tanh(sums[2 * h + i])
                x[i] = logistic(sums[3 * h + i]) * math.tanh(cell[row, i])
            hidden[row] = x
            y = forward(weights[row], biases[row], sizes, rectified, x)
            for i in range(a):
                action[row, i] = squash(y[i], True)
            last_action[row] = action[row]
        else:
            action[row] = np.float32(0.0)


@kernel
def act_adaptive(
    observation,
    reward,
    inverse_scales,
    alive,
    mean,
    inverse_std,
    embedding_weight,
    embedding_bias,
    filters_0,
    filters_bias_0,
    filters_1,
    filters_bias_1,
    filters_2,
    filters_bias_2,
    strides,
    latent_weight,
    latent_bias,
    weights,
    biases,
    sizes,
    rectified,
    history,
    latent,
    last_action,
    action,
):
    """Write the actions (n, a) of adaptive actors, move their `history`, set their `latent`."""
    for row in prange(observation.shape[0]):
        if alive[row]:
            o, a, z = observation.shape[1], action.shape[1], latent.shape[1]
            u = o + 1 + a
            raw = np.empty(u, np.float32)
            raw[:o] = observation[row]
            raw[o] = reward[row]
            raw[o + 1 :] = last_action[row]
            x = np.empty(u + z, np.float32)
            for j in range(u):
                x[j] = normalised(raw[j], inverse_scales[j], mean[row, j], inverse_std[row, j])
            steps, channels = history.shape[1], history.shape[2]
            for t in range(steps - 1):
                for i in range(channels):
                    history[row, t, i] = history[row, t + 1, i]
            for i in range(channels):
                total = weighted_sum(embedding_weight[row, i], embedding_bias[row, i], x[:u])
                history[row, steps - 1, i] = max(total, np.float32(0.0))
            y = convolved(history[row], filters_0[row], filters_bias_0[row], strides[0])
            y = convolved(y, filters_1[row], filters_bias_1[row], strides[1])
            y = convolved(y, filters_2[row], filters_bias_2[row], strides[2])
            for k in range(z):
                total = weighted_sum(latent_weight[row, k], latent_bias[row, k], y.ravel())
                latent[row, k] = math.tanh(total)
                x[u + k] = latent[row, k]
            sums = forward(weights[row], biases[row], sizes, rectified, x)
            for i in range(a):
                action[row, i] = squash(sums[i], True)
            last_action[row] = action[row]
        else:
            action[row] = np.float32(0.0)
