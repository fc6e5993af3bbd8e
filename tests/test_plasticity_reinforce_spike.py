"""REINFORCE for stochastic spikes is the exact gradient of the expected reward."""

from itertools import product

import numpy as np
import pytest

from robolearn.plasticity.eligibility import accumulate
from robolearn.plasticity.reinforce_spike import surprise_factor
from robolearn.plasticity.three_factor import modulate

F = np.float32
STEPS, UNITS, INPUTS = 2, 3, 3
TRAINS = np.array(list(product([0, 1], repeat=STEPS * UNITS)), float).reshape(-1, STEPS, UNITS)
REWARD = np.random.default_rng(0).uniform(0, 3, len(TRAINS))  # of every train, whatever it is
WEIGHT = np.random.default_rng(1).standard_normal((UNITS, INPUTS))


def lives(weight):
    """Return inputs (k, T, 3), ρ (k, T, units) and the probability (k,) of every spike train.

    The spikes of the first step are the input of the second.
    """
    x = np.broadcast_to([1.0, -0.5, 0.8], (len(TRAINS), INPUTS))
    inputs, rhos = [], []
    for t in range(STEPS):
        inputs.append(x)
        rhos.append(1 / (1 + np.exp(-x @ weight.T)))
        x = TRAINS[:, t] + [0.5, 0.0, -1.0]
    rho = np.stack(rhos, axis=1)
    probability = np.where(TRAINS == 1, rho, 1 - rho).prod(axis=(1, 2))
    return np.stack(inputs, axis=1), rho, probability


@pytest.mark.parametrize("mean_reward", [0.0, 1.5, -4.0])
def test_expected_update_is_the_gradient_of_the_expected_reward(mean_reward):
    gradient = np.zeros_like(WEIGHT)
    for index in np.ndindex(*WEIGHT.shape):
        ahead, behind = WEIGHT.copy(), WEIGHT.copy()
        ahead[index] += 1e-5
        behind[index] -= 1e-5
        gradient[index] = REWARD @ (lives(ahead)[2] - lives(behind)[2]) / 2e-5
    inputs, rho, probability = lives(WEIGHT)
    assert probability.sum() == pytest.approx(1)
    update, factor = np.zeros((UNITS, INPUTS), F), np.empty(UNITS, F)
    for k, train in enumerate(TRAINS.astype(F)):
        eligibility = np.zeros((UNITS, INPUTS), F)
        for t in range(STEPS):
            surprise_factor(train[t], rho[k, t].astype(F), factor)
            accumulate(eligibility, factor, inputs[k, t].astype(F), F(1))
        modulate(update, eligibility, F(probability[k] * (REWARD[k] - mean_reward)), F(100))
    np.testing.assert_allclose(update, gradient, rtol=1e-3, atol=1e-5)


def test_a_spike_that_was_certain_teaches_nothing():
    factor = np.empty(3, F)
    surprise_factor(np.array([1, 0, 1], F), np.array([1, 0, 0.25], F), factor)
    np.testing.assert_array_equal(factor, [0, 0, 0.75])
