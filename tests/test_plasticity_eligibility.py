"""Eligibility sums the past, modulators turn it into weight, forgetting undoes it."""

import numpy as np
import pytest

from robolearn.neurons.lif import decay
from robolearn.plasticity.eligibility import accumulate
from robolearn.plasticity.three_factor import decay_towards, modulate

F = np.float32


@pytest.mark.parametrize("keep", [0.0, 0.7, 1.0])
def test_trace_is_the_discounted_sum_of_outer_products(keep):
    rng = np.random.default_rng(0)
    factors, inputs = rng.standard_normal((9, 3)), rng.standard_normal((9, 4))
    eligibility = np.zeros((3, 4), F)
    for factor, pre in zip(factors.astype(F), inputs.astype(F), strict=True):
        accumulate(eligibility, factor, pre, F(keep))
    discount = keep ** np.arange(9)[::-1]
    expected = np.einsum("t,ti,tj->ij", discount, factors, inputs)
    np.testing.assert_allclose(eligibility, expected, rtol=1e-4, atol=1e-6)


def test_modulator_scales_eligibility_and_bounds_hold_on_both_sides():
    weight, eligibility = np.zeros((1, 3), F), np.array([[1.0, 10.0, -10.0]], F)
    modulate(weight, eligibility, F(0.2), F(0.5))
    np.testing.assert_allclose(weight, [[0.2, 0.5, -0.5]])
    modulate(weight, eligibility, F(-0.1), F(0.5))
    np.testing.assert_allclose(weight, [[0.1, -0.5, 0.5]], atol=1e-7)
    np.testing.assert_array_equal(eligibility, [[1, 10, -10]])


def test_forgetting_has_its_time_constant_and_ends_at_birth():
    innate = np.array([[1.0, -2.0]], F)
    weight = innate + F(1)
    for _ in range(50):
        decay_towards(weight, innate, decay(0.02, 1.0))
    np.testing.assert_allclose(weight, innate + np.exp(-1), rtol=1e-4)
    for _ in range(5000):
        decay_towards(weight, innate, decay(0.02, 1.0))
    np.testing.assert_allclose(weight, innate, atol=1e-5)
