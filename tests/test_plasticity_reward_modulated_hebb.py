"""Two contexts with different mean rewards: which rules stay at the optimum, which ones drift."""

import numpy as np
import pytest
from gaussian_grid import gaussian_grid

from robolearn.plasticity.eligibility import accumulate
from robolearn.plasticity.node_perturbation import perturbation_factor
from robolearn.plasticity.reward_modulated_hebb import activity_factor
from robolearn.plasticity.reward_prediction import predict_mean
from robolearn.plasticity.three_factor import modulate

F = np.float32
SIGMA = 0.3
OPTIMUM = np.array([0.5, -0.8])  # the best action in each context
BEST_REWARD = np.array([1.0, 0.2])  # what it pays
INPUTS = np.eye(2, dtype=F)  # the context is what the unit sees
NOISE, PROBABILITY = gaussian_grid(SIGMA, 1, 8)
RULES = {
    "naive": ("hebb", "none"),
    "global mean": ("hebb", "global"),
    "mean per context": ("hebb", "context"),
    "node perturbation": ("noise", "global"),
}


def learn(rule, trials=400, rate=0.02, start=OPTIMUM):
    """Return the weight after trials in turn, each the mean over all noise: w ← w + η E[e M]."""
    factor_of, centring = RULES[rule]
    weight = start[None].astype(F)
    # Innate expectations are right, so that whatever drifts is due to the rule.
    paid = BEST_REWARD - SIGMA**2
    mean = (np.array([paid.mean()]) if centring == "global" else paid).astype(F)
    factor = np.empty(1, F)
    for t in range(trials):
        context = t % 2
        x, before = INPUTS[context], weight.copy()
        rewards = []
        for noise, probability in zip(NOISE.astype(F), PROBABILITY, strict=True):
            action = before @ x + noise  # (1,)
            reward = BEST_REWARD[context] - (action[0] - OPTIMUM[context]) ** 2
            expected = 0.0 if centring == "none" else mean[context if centring == "context" else 0]
            if factor_of == "hebb":
                activity_factor(action, factor)
            else:
                perturbation_factor(noise, F(SIGMA**2), factor)
            eligibility = np.zeros((1, 2), F)
            accumulate(eligibility, factor, x, F(1))
            modulate(weight, eligibility, F(rate * probability * (reward - expected)), F(2))
            rewards.append(reward)
        predict_mean(
            mean, context if centring == "context" else 0, F(PROBABILITY @ rewards), F(0.02)
        )
    return weight[0]


# Measured with the figures above: naive +0.89 and -0.22, global mean +0.77 and +0.49, the other two
# less than 1e-7.
@pytest.mark.parametrize("rule", ["naive", "global mean"])
def test_what_is_not_centred_in_every_context_drifts_from_the_optimum(rule):
    drift = learn(rule) - OPTIMUM
    assert np.abs(drift).max() > 0.2, f"{rule}: drift {drift}"


@pytest.mark.parametrize("rule", ["mean per context", "node perturbation"])
def test_what_is_centred_in_every_context_stays_at_the_optimum(rule):
    drift = learn(rule) - OPTIMUM
    assert np.abs(drift).max() < 1e-3, f"{rule}: drift {drift}"


@pytest.mark.parametrize("rule", ["mean per context", "node perturbation"])
def test_and_finds_the_optimum_from_elsewhere(rule):
    rate = 2.0 if rule == "mean per context" else 0.1
    found = learn(rule, 600, rate, start=OPTIMUM + np.array([0.3, -0.3]))
    np.testing.assert_allclose(found, OPTIMUM, atol=0.02)


def test_expected_update_is_node_perturbation_plus_a_bias():
    x, weight, factor = np.array([1.0, 0.5], F), np.array([[0.4, -0.2]]), np.empty(1, F)
    hebb, perturbation, mean_modulator = np.zeros((1, 2), F), np.zeros((1, 2), F), 0.0
    for noise, probability in zip(NOISE.astype(F), PROBABILITY, strict=True):
        action = (weight @ x + noise).astype(F)
        modulator = np.sin(3 * action[0]) + 1
        mean_modulator += probability * modulator
        activity_factor(action, factor)
        modulate(hebb, np.outer(factor, x), F(probability * modulator), F(100))
        perturbation_factor(noise, F(1), factor)
        modulate(perturbation, np.outer(factor, x), F(probability * modulator), F(100))
    bias = (weight @ x)[0] * mean_modulator * x
    np.testing.assert_allclose(hebb[0], perturbation[0] + bias, rtol=1e-4)
