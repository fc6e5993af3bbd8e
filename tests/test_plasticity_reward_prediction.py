"""Critics: running means per context, and TD values of small Markov chains."""

import numpy as np
import pytest

from robolearn.plasticity.reward_prediction import learn_value, predict_mean, predict_value

F = np.float32


def test_error_is_from_before_the_mean_moves_and_only_its_context_moves():
    mean = np.array([0.5, 0.5, 0.5], F)
    assert predict_mean(mean, 1, F(1.5), F(0.25)) == 1.0
    np.testing.assert_array_equal(mean, [0.5, 0.75, 0.5])
    assert predict_mean(mean, 1, F(1.5), F(0)) == 0.75
    assert mean[1] == 0.75


def test_mean_forgets_its_innate_expectation_exponentially():
    mean, rewards = np.array([3.0], F), np.random.default_rng(0).uniform(0, 1, 12)
    for reward in rewards:
        predict_mean(mean, 0, F(reward), F(0.2))
    weights = 0.2 * 0.8 ** np.arange(12)[::-1]
    assert mean[0] == pytest.approx(3 * 0.8**12 + weights @ rewards, rel=1e-5)


def test_td_values_of_the_random_walk_are_those_of_the_textbook():
    # Sutton & Barto 2018, example 6.2: five states, ends pay 0 and 1, values 1/6 ... 5/6.
    value, features = np.full(5, 0.5, F), np.eye(5, dtype=F)
    for _ in range(400):
        mean_change = np.zeros(5)
        for state in range(5):
            for after in (state - 1, state + 1):  # both with probability 1/2
                moved, ends = value.copy(), not 0 <= after < 5
                learn_value(
                    moved, np.zeros(5, F), features[state], features[0 if ends else after],
                    F(after == 5), ends, F(0.4), F(1), F(0),
                )  # fmt: skip
                mean_change += 0.5 * (moved - value)
        value += mean_change.astype(F)
    np.testing.assert_allclose(value, np.arange(1, 6) / 6, atol=1e-4)


def test_td_values_from_sampled_walks():
    value, trace, features = np.full(5, 0.5, F), np.zeros(5, F), np.eye(5, dtype=F)
    rng, total = np.random.default_rng(0), np.zeros(5)
    for episode in range(4000):
        state, ends = 2, False
        while not ends:
            after = state + (1 if rng.random() < 0.5 else -1)
            ends = not 0 <= after < 5
            learn_value(
                value, trace, features[state], features[0 if ends else after],
                F(after == 5), ends, F(0.03), F(1), F(0.6),
            )  # fmt: skip
            state = after
        total += value * (episode >= 1000)
    np.testing.assert_allclose(total / 3000, np.arange(1, 6) / 6, atol=0.04)


@pytest.mark.parametrize("trace_decay", [0.0, 0.5, 1.0])
def test_td_values_of_a_chain_are_its_discounted_returns(trace_decay):
    rewards, discount = [0.5, -1.0, 2.0], 0.9
    value, trace, features = np.zeros(3, F), np.zeros(3, F), np.eye(3, dtype=F)
    for _ in range(400):
        for s in range(3):
            learn_value(
                value, trace, features[s], features[(s + 1) % 3],
                F(rewards[s]), s == 2, F(0.1), F(discount), F(trace_decay),
            )  # fmt: skip
    v3 = 2.0
    v2 = -1 + discount * v3
    np.testing.assert_allclose(value, [0.5 + discount * v2, v2, v3], atol=1e-4)


@pytest.mark.parametrize(("trace_decay", "credited"), [(1.0, [0.81, 0.9, 1]), (0.0, [0, 0, 1])])
def test_one_trial_credits_all_states_at_lambda_one_and_the_last_at_zero(trace_decay, credited):
    value, trace, features = np.zeros(3, F), np.zeros(3, F), np.eye(3, dtype=F)
    for s in range(3):
        learn_value(
            value, trace, features[s], features[(s + 1) % 3],
            F(s == 2), s == 2, F(0.1), F(0.9), F(trace_decay),
        )  # fmt: skip
    np.testing.assert_allclose(value, 0.1 * np.array(credited), rtol=1e-5)
    assert not trace.any()  # the next trial begins without credit


def test_delta_is_reward_plus_discounted_future_minus_expected():
    value, trace = np.array([1.0, 2.0], F), np.zeros(2, F)
    now, after = np.array([1, 0.5], F), np.array([0, 3], F)
    assert predict_value(value, now) == 2
    for terminal, expected in ((False, 0.25 + 0.5 * 6 - 2), (True, 0.25 - 2)):
        delta = learn_value(
            value, trace, now, after, F(0.25), terminal, F(0), F(0.5), F(0.9)
        )  # fmt: skip
        assert delta == pytest.approx(expected)
    np.testing.assert_array_equal(value, [1, 2])
