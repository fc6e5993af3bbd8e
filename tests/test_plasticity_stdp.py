"""Trace-based STDP equals the analytic window, pair by pair."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robolearn.neurons.lif import decay
from robolearn.plasticity.stdp import learn_stdp, stdp_window

F = np.float32
STEP_S, TAU_PLUS_S, TAU_MINUS_S = 0.005, 0.017, 0.034
A_PLUS, A_MINUS = 0.02, 0.013
ONE_RULE = np.array([A_PLUS, A_MINUS], F).reshape(2, 1, 1)


def run(
    pre_events,
    post_events,
    rule: NDArray[Any] = ONE_RULE,
    *,
    weights_on=True,
    traces_on=True,
    limit=10.0,
):
    """Feed events (steps, pre) and (steps, post); return weight (post, pre) and both traces."""
    pre_events, post_events = np.asarray(pre_events, F), np.asarray(post_events, F)
    weight = np.zeros((post_events.shape[1], pre_events.shape[1]), F)
    pre_trace, post_trace = np.zeros(pre_events.shape[1], F), np.zeros(post_events.shape[1], F)
    for pre, post in zip(pre_events, post_events, strict=True):
        learn_stdp(
            weight, pre, post, pre_trace, post_trace, rule,
            decay(STEP_S, TAU_PLUS_S), decay(STEP_S, TAU_MINUS_S), weights_on, traces_on, F(limit),
        )  # fmt: skip
    return weight, pre_trace, post_trace


def all_pairs(pre_events, post_events):
    """Sum the window over all pairs of graded events, the definition of pair STDP."""
    steps = np.arange(len(pre_events))
    delay_s = (steps[:, None] - steps[None, :]) * STEP_S  # t_post - t_pre
    window = stdp_window(delay_s, A_PLUS, A_MINUS, TAU_PLUS_S, TAU_MINUS_S)
    return np.einsum("ti,ts,sj->ij", post_events, window, pre_events)


@pytest.mark.parametrize("delay", range(-8, 9))
def test_one_pair_changes_the_weight_by_the_window(delay):
    events = np.zeros((2, 20, 1))
    events[0, 9] = events[1, 9 + delay] = 1
    expected = stdp_window(delay * STEP_S, A_PLUS, A_MINUS, TAU_PLUS_S, TAU_MINUS_S)
    weight, _, _ = run(*events)
    assert weight[0, 0] == pytest.approx(float(expected), rel=1e-4)


def test_window_has_the_sign_of_causality():
    window = stdp_window([-0.01, 0.0, 0.01], A_PLUS, A_MINUS, TAU_PLUS_S, TAU_MINUS_S)
    assert window[0] < 0 < window[2] < window[1]
    assert window[1] == A_PLUS  # coincident spikes count as causal


def test_pairs_of_random_trains_add_up():
    rng = np.random.default_rng(0)
    pre, post = rng.random((60, 5)) < 0.3, rng.random((60, 4)) < 0.2
    weight, _, _ = run(pre, post)
    np.testing.assert_allclose(weight, all_pairs(pre, post), rtol=1e-3, atol=1e-5)


def test_graded_events_weigh_the_window():
    pre, post = np.random.default_rng(1).standard_normal((2, 40, 3))
    weight, _, _ = run(pre, post)
    np.testing.assert_allclose(weight, all_pairs(pre, post), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 1), (4, 5)], ids=["neuron", "synapse"])
def test_every_owner_has_its_own_window(shape):
    rng = np.random.default_rng(2)
    pre, post = rng.standard_normal((30, 5)), rng.standard_normal((30, 4))
    scale = rng.uniform(-2, 2, shape).astype(F)
    rule = np.stack([A_PLUS * scale, A_MINUS * scale]).astype(F)
    weight, _, _ = run(pre, post, rule)
    np.testing.assert_allclose(weight, all_pairs(pre, post) * scale, rtol=1e-3, atol=1e-4)


def test_frozen_weights_stay_while_traces_run_on():
    rng = np.random.default_rng(3)
    pre, post = rng.random((20, 5)), rng.random((20, 4))
    weight, pre_trace, post_trace = run(pre, post, weights_on=False)
    _, pre_live, post_live = run(pre, post)
    assert not weight.any()
    np.testing.assert_array_equal(pre_trace, pre_live)
    np.testing.assert_array_equal(post_trace, post_live)


def test_frozen_traces_stay():
    _, pre_trace, post_trace = run(np.ones((5, 2)), np.ones((5, 2)), traces_on=False)
    assert not pre_trace.any()
    assert not post_trace.any()


def test_weights_stay_within_the_bound():
    weight, _, _ = run(np.ones((200, 3)), np.ones((200, 2)), limit=0.25)
    np.testing.assert_array_equal(np.abs(weight), np.full((2, 3), 0.25, F))
