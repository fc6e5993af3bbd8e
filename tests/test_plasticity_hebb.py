"""Plain Hebb: the outer product, and why it needs a bound."""

import numpy as np

from robolearn.plasticity.hebb import learn_hebb

F = np.float32


def test_change_is_the_outer_product():
    rng = np.random.default_rng(0)
    weight, pre, post = (rng.standard_normal(s).astype(F) for s in ((3, 4), 4, 3))
    expected = weight + 0.1 * np.outer(post, pre)
    learn_hebb(weight, pre, post, F(0.1), F(100))
    np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


def test_alone_it_grows_exponentially_at_the_rate_of_the_input_power():
    # A linear unit and one pattern of |x|² = 5: w ← (1 + η 5) w along it.
    pattern, weight = np.array([1.0, 2.0], F), np.array([[0.1, 0.2]], F)
    for _ in range(60):
        learn_hebb(weight, pattern, weight @ pattern, F(0.01), F(100))
    np.testing.assert_allclose(weight[0], 0.1 * 1.05**60 * pattern, rtol=1e-3)


def test_weights_stop_at_the_bound_on_both_sides():
    pattern, weight = np.array([1.0, -2.0], F), np.array([[0.1, -0.2]], F)
    for _ in range(500):
        learn_hebb(weight, pattern, weight @ pattern, F(0.01), F(0.7))
    np.testing.assert_array_equal(weight, np.array([[0.7, -0.7]], F))
