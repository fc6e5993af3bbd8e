"""The ABCD rule computes Δw = η (A x y + B x + C y + D), at every granularity."""

import numpy as np
import pytest

from robolearn.plasticity.abcd import abcd_change, learn_abcd

F = np.float32
SHAPES = {"synapse": (6, 9), "neuron": (6, 1), "layer": (1, 1)}


def layer(shape, seed=0):
    """Return weight (6, 9), pre (9,), post (6,) and coefficients (5, *shape)."""
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(s).astype(F) for s in ((6, 9), 9, 6, (5, *shape)))


def test_one_synapse_worked_by_hand():
    # 0.5 (1·2·3 + 10·2 + 100·3 + 1000) = 663
    assert abcd_change(F(2), F(3), F(0.5), F(1), F(10), F(100), F(1000)) == 663


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_layer_changes_as_the_equation_says(shape):
    weight, pre, post, rule = layer(shape)
    eta, a, b, c, d = rule
    x, y = pre[None, :], post[:, None]
    expected = weight + 0.02 * eta * (a * x * y + b * x + c * y + d)
    learn_abcd(weight, pre, post, rule, F(0.02), F(100))
    np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [SHAPES["neuron"], SHAPES["layer"]], ids=["neuron", "layer"])
def test_shared_coefficients_equal_the_same_ones_at_every_synapse(shape):
    weight, pre, post, rule = layer(shape)
    spread, everywhere = weight.copy(), np.ascontiguousarray(np.broadcast_to(rule, (5, 6, 9)))
    learn_abcd(weight, pre, post, rule, F(0.1), F(100))
    learn_abcd(spread, pre, post, everywhere, F(0.1), F(100))
    np.testing.assert_allclose(weight, spread, rtol=1e-5, atol=1e-6)


def test_hebb_alone_is_the_outer_product():
    weight, pre, post, _ = layer((1, 1))
    weight[:] = 0
    rule = np.array([1, 1, 0, 0, 0], F).reshape(5, 1, 1)
    learn_abcd(weight, pre, post, rule, F(1), F(100))
    np.testing.assert_allclose(weight, np.outer(post, pre), rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_no_learning_rate_no_change(shape):
    weight, pre, post, rule = layer(shape)
    rule[0] = 0
    before = weight.copy()
    learn_abcd(weight, pre, post, rule, F(1), F(100))
    np.testing.assert_array_equal(weight, before)


def test_a_second_of_learning_does_not_depend_on_the_control_step():
    weight, pre, post, rule = layer((6, 1))
    fine = weight.copy()
    for _ in range(10):
        learn_abcd(weight, pre, post, rule, F(0.1), F(100))
    for _ in range(50):
        learn_abcd(fine, pre, post, rule, F(0.02), F(100))
    np.testing.assert_allclose(weight, fine, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_weights_stay_within_the_bound(shape):
    weight, pre, post, rule = layer(shape)
    for _ in range(50):
        learn_abcd(weight, pre, post, rule, F(1), F(0.5))
    assert np.abs(weight).max() == 0.5
