"""R-STDP: dopamine credits what lies in the eligibility, and nothing else."""

import math

import numpy as np
import pytest

from robolearn.neurons.lif import decay
from robolearn.plasticity.r_stdp import accumulate_stdp, dopamine_trace, learn_r_stdp
from robolearn.plasticity.stdp import stdp_window

F = np.float32
STEP_S, TAU_PLUS_S, TAU_MINUS_S, TAU_C_S = 0.005, 0.02, 0.03, 0.5
A_PLUS, A_MINUS = 1.0, 0.7
RULE = np.array([A_PLUS, A_MINUS], F).reshape(2, 1, 1)


def live(pre_at, post_at, reward_at, seconds=6.0, tau_d_s=0.0):
    """Return weight and last eligibility of one synapse; times in s; a reward releases 1/dt."""
    weight, c, d = np.zeros((1, 1), F), np.zeros((1, 1), F), F(0)
    pre_trace, post_trace = np.zeros(1, F), np.zeros(1, F)

    def falls(times, step):
        return F(sum(round(t / STEP_S) == step for t in times))

    for step in range(round(seconds / STEP_S)):
        accumulate_stdp(
            c, np.full(1, falls(pre_at, step)), np.full(1, falls(post_at, step)),
            pre_trace, post_trace, RULE,
            decay(STEP_S, TAU_PLUS_S), decay(STEP_S, TAU_MINUS_S), decay(STEP_S, TAU_C_S),
        )  # fmt: skip
        released = falls(reward_at, step) / STEP_S
        d = dopamine_trace(F(d), F(released), decay(STEP_S, tau_d_s) if tau_d_s else F(0))
        learn_r_stdp(weight, c, F(d), F(STEP_S), F(10))
    return float(weight[0, 0]), float(c[0, 0])


@pytest.mark.parametrize("k", [0, 0.5, 1, 2, 4])
@pytest.mark.parametrize("delay_s", [0.01, -0.01])
def test_a_reward_k_time_constants_late_credits_the_window_times_e_to_the_minus_k(k, delay_s):
    post = 0.5 + delay_s
    late_s = max(0.5, post)
    weight, _ = live([0.5], [post], [late_s + k * TAU_C_S])
    window = stdp_window(delay_s, A_PLUS, A_MINUS, TAU_PLUS_S, TAU_MINUS_S)
    assert weight == pytest.approx(float(window) * math.exp(-k), rel=1e-3)


def test_pairs_after_a_momentary_reward_get_nothing():
    weight, eligibility = live([0.5], [0.51], [0.505])
    assert weight == 0
    assert eligibility > 0


def test_a_lasting_dopamine_trace_credits_later_pairs_too():
    # What the pair finds of the dopamine decays on together with its own eligibility.
    lag_s, tau_d_s = 0.2, 0.1
    weight, _ = live([0.7], [0.7], [0.5], tau_d_s=tau_d_s)
    steps = np.arange(2000) * STEP_S
    expected = math.exp(-lag_s / tau_d_s) * np.exp(-steps * (1 / TAU_C_S + 1 / tau_d_s)).sum()
    assert weight == pytest.approx(A_PLUS * expected, rel=1e-3)


def test_without_reward_nothing_is_learned_and_punishment_unlearns():
    assert live([0.5], [0.51], [])[0] == 0
    rewarded, _ = live([0.5], [0.51], [0.6])
    twice, _ = live([0.5], [0.51], [0.6, 0.6])
    assert twice == pytest.approx(2 * rewarded, rel=1e-5)
    weight = np.zeros((1, 1), F)
    learn_r_stdp(weight, np.ones((1, 1), F), F(-2), F(0.1), F(10))
    assert weight[0, 0] == pytest.approx(-0.2)


def test_pairs_add_up_in_the_eligibility_of_a_layer():
    rng = np.random.default_rng(0)
    steps = 60
    pre = (rng.random((steps, 5)) < 0.3).astype(F)
    post = (rng.random((steps, 4)) < 0.2).astype(F)
    c, pre_trace, post_trace = np.zeros((4, 5), F), np.zeros(5, F), np.zeros(4, F)
    for x, y in zip(pre, post, strict=True):
        accumulate_stdp(
            c, x, y, pre_trace, post_trace, RULE,
            decay(STEP_S, TAU_PLUS_S), decay(STEP_S, TAU_MINUS_S), decay(STEP_S, TAU_C_S),
        )  # fmt: skip
    t = np.arange(steps)
    window = stdp_window((t[:, None] - t) * STEP_S, A_PLUS, A_MINUS, TAU_PLUS_S, TAU_MINUS_S)
    # A pair is complete, and forgetting begins, at its later spike.
    age_s = (steps - 1 - np.maximum(t[:, None], t)) * STEP_S
    expected = np.einsum("ti,ts,sj->ij", post, window * np.exp(-age_s / TAU_C_S), pre)
    np.testing.assert_allclose(c, expected, rtol=1e-3, atol=1e-4)


def test_weights_stay_within_the_bound():
    weight = np.zeros((2, 3), F)
    for _ in range(50):
        learn_r_stdp(weight, np.ones((2, 3), F), F(3), F(0.1), F(0.5))
    np.testing.assert_array_equal(weight, np.full((2, 3), 0.5, F))
