"""Reward prediction: the modulator is what came minus what was expected.

Two critics. A running mean for every context (one context: a global mean), from an innate first
expectation,

    δ = R - r̄_c with the OLD r̄_c,   then   r̄_c ← r̄_c + α δ

and a linear temporal-difference critic with values v·x and an eligibility of its own,

    e ← γ λ e + x,   δ = r + γ v·x' - v·x,   v ← v + α δ e

with v·x' = 0 and e cleared where a trial ends.

Sources: Frémaux et al. 2010 (Journal of Neuroscience) for one mean a context; Sutton & Barto 2018,
sections 2.5 and 12.2, for both updates; Schultz, Dayan & Montague 1997 (Science) for δ as dopamine.

Claims: r̄ is Σ_k α (1 - α)^k R(t-k) plus what is left of the innate expectation. The TD critic
converges, for small α, to the expected discounted return of every state of a Markov chain whose
states it can tell apart; at λ = 1 one trial already credits all states that led to the reward, by
γ to the power of the delay, at λ = 0 only the last one.

Trap: δ is returned from before the mean moves. A rule that centres with the moved mean shrinks its
own step by 1 - α.
"""

import numpy as np

from robolearn.neurons.compilation import compiled


@compiled
def predict_mean(mean, context, reward, rate):
    """Return reward - mean[context], the OLD mean, then move that mean towards the reward.

    Args:
        mean: (contexts,) float32, r̄ of one individual, changed in place.
        context: integer.
        reward: float32, R.
        rate: float32 in [0, 1], α; 0 leaves the mean.
    """
    error = reward - mean[context]
    mean[context] += rate * error
    return error


@compiled
def predict_value(weight, features):
    """Return the value v·x for v (features,) and x (features,), float32, in units of reward."""
    value = np.float32(0.0)
    for j in range(weight.shape[0]):
        value += weight[j] * features[j]
    return value


@compiled
def learn_value(
    weight, trace, features, next_features, reward, terminal, rate, discount, trace_decay
):
    """Return δ of one transition x, r, x', and let the critic of one individual learn from it.

    Args:
        weight: (features,) float32, v, changed in place.
        trace: (features,) float32, e, changed in place; zero at birth.
        features: (features,) float32, x, of the state that was left.
        next_features: (features,) float32, x', of the state that was entered.
        reward: float32, r, paid on the way.
        terminal: bool, the trial ended: nothing is expected after it.
        rate: float32, α; 0 leaves the values, not the trace.
        discount: float32 in [0, 1], γ.
        trace_decay: float32 in [0, 1], λ.
    """
    expected = predict_value(weight, features)
    future = np.float32(0.0) if terminal else predict_value(weight, next_features)
    error = reward + discount * future - expected
    for j in range(weight.shape[0]):
        trace[j] = discount * trace_decay * trace[j] + features[j]
        weight[j] += rate * error * trace[j]
        if terminal:
            trace[j] = np.float32(0.0)
    return error
