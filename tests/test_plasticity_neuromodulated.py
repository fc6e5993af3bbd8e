"""Neuromodulated traces: what a modulator writes, in which order, and within which bounds."""

import numpy as np
import pytest

from robolearn.plasticity.neuromodulated import learn_retroactive, learn_simple

F = np.float32
ONE = np.ones(1, F)


def layer(seed=0):
    """Return trace, eligibility (3, 4), modulator, post (3,) and pre (4,)."""
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(shape).astype(F) for shape in ((3, 4), (3, 4), 3, 3, 4))


def test_simple_form_adds_the_modulated_outer_product():
    trace, _, modulator, post, pre = layer()
    expected = trace + modulator[:, None] * np.outer(post, pre)
    learn_simple(trace, modulator, post, pre, F(100))
    np.testing.assert_allclose(trace, expected, rtol=1e-5, atol=1e-6)


def test_retroactive_form_writes_the_old_eligibility_and_then_renews_it():
    trace, eligibility, modulator, post, pre = layer()
    wanted_trace = trace + modulator[:, None] * eligibility
    wanted_eligibility = 0.7 * eligibility + 0.3 * np.outer(post, pre)
    learn_retroactive(trace, eligibility, modulator, post, pre, F(0.3), F(100))
    np.testing.assert_allclose(trace, wanted_trace, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(eligibility, wanted_eligibility, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("delay", range(5))
def test_a_late_modulator_writes_activity_by_its_age_and_never_its_own_moment(delay):
    trace, eligibility = np.zeros((1, 1), F), np.zeros((1, 1), F)
    for step in range(delay + 1):
        active, modulator = ONE * (step == 0), ONE * (step == delay)
        learn_retroactive(trace, eligibility, modulator, active, ONE, F(0.2), F(1))
    assert trace[0, 0] == pytest.approx(0.2 * 0.8 ** (delay - 1) if delay else 0, rel=1e-5)


def test_without_a_modulator_the_trace_keeps_every_bit_and_the_eligibility_goes_on():
    trace, eligibility, modulator, post, pre = layer()
    before, modulator[:] = trace.copy(), 0
    learn_simple(trace, modulator, post, pre, F(100))
    learn_retroactive(trace, eligibility, modulator, post, pre, F(1), F(100))
    np.testing.assert_array_equal(trace, before)
    np.testing.assert_allclose(eligibility, np.outer(post, pre), rtol=1e-6)


def test_every_postsynaptic_neuron_has_its_own_modulator():
    trace, _, modulator, post, pre = layer()
    before, modulator[1:] = trace.copy(), 0
    learn_simple(trace, modulator, post, pre, F(100))
    assert (trace != before).all(axis=1).tolist() == [True, False, False]


def test_traces_stay_within_the_bound_on_both_sides():
    trace, eligibility, modulator, post, pre = layer()
    retroactive = trace.copy()
    for _ in range(200):
        learn_simple(trace, modulator, post, pre, F(0.5))
        learn_retroactive(retroactive, eligibility, modulator, post, pre, F(0.3), F(0.5))
    for h in (trace, retroactive):
        np.testing.assert_array_equal(np.abs(h), np.full((3, 4), 0.5, F))
    np.testing.assert_array_equal(np.sign(trace), np.sign(modulator[:, None] * np.outer(post, pre)))
    np.testing.assert_allclose(eligibility, np.outer(post, pre), rtol=1e-4, atol=1e-6)
