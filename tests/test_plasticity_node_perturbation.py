"""Node perturbation follows the gradient of the noise-smoothed expected reward, in size too."""

import numpy as np
import pytest
from gaussian_grid import gaussian_grid

from robolearn.plasticity.eligibility import accumulate
from robolearn.plasticity.node_perturbation import perturbation_factor
from robolearn.plasticity.three_factor import modulate

F = np.float32
SIGMA, UNITS, INPUTS = 0.3, 2, 3
WEIGHT = np.array([[0.4, -0.3, 0.2], [-0.5, 0.1, 0.6]])


def trial(weight, noise):
    """Live k trials of T steps at once: noise (k, T, units) -> inputs (k, T, 3), rewards (k,).

    What a unit does moves what it sees in the next step, and the only reward comes at the end.
    """
    k, steps, _ = noise.shape
    x = np.broadcast_to([1.0, 0.5, -0.7], (k, INPUTS))
    inputs, reward = [], np.full(k, 2.0)
    for t in range(steps):
        a = x @ weight.T + noise[:, t]
        inputs.append(x)
        reward = reward - (np.tanh(2 * a[:, 0]) - 0.5) ** 2 + 0.7 * np.sin(a[:, 1]) * a[:, 0]
        x = np.stack([np.tanh(a[:, 1]), 0.5 + a[:, 0], np.cos(a[:, 0] + t)], axis=1)
    return np.stack(inputs, axis=1), reward


def gradient_of_smoothed_reward(steps, noise, probability, step=1e-4):
    """Return ∂/∂w E_ξ[R] by central differences, (units, 3)."""
    gradient = np.zeros_like(WEIGHT)
    noise = noise.reshape(len(noise), steps, UNITS)
    for index in np.ndindex(*WEIGHT.shape):
        ahead, behind = WEIGHT.copy(), WEIGHT.copy()
        ahead[index] += step
        behind[index] -= step
        difference = trial(ahead, noise)[1] - trial(behind, noise)[1]
        gradient[index] = probability @ difference / (2 * step)
    return gradient


def expected_update(steps, noise, probability, mean_reward, decay=1.0):
    """Return E[Σ_t x ξ / σ² (R - r̄)] from the compiled rule, one trial of every noise."""
    noise = noise.reshape(len(noise), steps, UNITS)
    inputs, reward = trial(WEIGHT, noise)
    update, factor = np.zeros((UNITS, INPUTS), F), np.empty(UNITS, F)
    noise, inputs = noise.astype(F), inputs.astype(F)
    for k in range(len(noise)):
        eligibility = np.zeros((UNITS, INPUTS), F)
        for t in range(steps):
            perturbation_factor(noise[k, t], F(SIGMA**2), factor)
            accumulate(eligibility, factor, inputs[k, t], F(decay))
        modulate(update, eligibility, F(probability[k] * (reward[k] - mean_reward)), F(100))
    return update


def cosine_and_slope(update, gradient):
    dot = (update * gradient).sum()
    cosine = dot / np.linalg.norm(update) / np.linalg.norm(gradient)
    return cosine, dot / (gradient**2).sum()


@pytest.mark.parametrize(("steps", "nodes"), [(1, 16), (3, 5)], ids=["at once", "delayed"])
@pytest.mark.parametrize("mean_reward", [0.0, 2.0])
def test_expected_update_is_the_gradient_in_direction_and_size(steps, nodes, mean_reward):
    noise, probability = gaussian_grid(SIGMA, steps * UNITS, nodes)
    gradient = gradient_of_smoothed_reward(steps, noise, probability)
    update = expected_update(steps, noise, probability, mean_reward)
    cosine, slope = cosine_and_slope(update, gradient)
    assert cosine > 0.999, (cosine, update, gradient)
    assert slope == pytest.approx(1, abs=0.03), (slope, update, gradient)


def test_gradient_is_that_of_the_smoothed_reward_not_of_the_noiseless_one():
    noise, probability = gaussian_grid(SIGMA, UNITS, 16)
    smoothed = gradient_of_smoothed_reward(1, noise, probability)
    noiseless = gradient_of_smoothed_reward(1, np.zeros((1, UNITS)), np.ones(1))
    _, slope = cosine_and_slope(expected_update(1, noise, probability, 2.0), noiseless)
    assert np.linalg.norm(smoothed - noiseless) > 0.05 * np.linalg.norm(noiseless)
    assert abs(slope - 1) > 0.03


def test_a_trace_that_decays_credits_a_delayed_reward_too_little():
    noise, probability = gaussian_grid(SIGMA, 3 * UNITS, 5)
    gradient = gradient_of_smoothed_reward(3, noise, probability)
    _, slope = cosine_and_slope(expected_update(3, noise, probability, 2.0, decay=0.5), gradient)
    assert slope < 0.8, slope
