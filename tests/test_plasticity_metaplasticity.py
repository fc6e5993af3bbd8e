"""Metaplasticity: learning rates that fall with use and recover at rest."""

import math

import numpy as np
import pytest

from robolearn.plasticity.metaplasticity import learn_with_use, learning_rate_left

F = np.float32


@pytest.mark.parametrize(("use", "left"), [(0, 1), (0.5, 0.5), (1, 0.25), (2.5, 1 / 32)])
def test_learning_rate_halves_with_every_half_of_use(use, left):
    assert learning_rate_left(F(use), F(0.5)) == pytest.approx(left, rel=1e-6)


def test_a_steady_wish_is_granted_like_the_logarithm_of_time():
    weight, use, wish = np.zeros((1, 1), F), np.zeros((1, 1), F), np.full((1, 1), 1e-3, F)
    for step in range(1, 20_001):
        learn_with_use(weight, use, wish, F(0.5), F(1), F(100))
        if step in (100, 2000, 20_000):
            expected = 0.5 / math.log(2) * math.log(1 + math.log(2) * step * 1e-3 / 0.5)
            assert weight[0, 0] == pytest.approx(expected, rel=2e-3)
    np.testing.assert_array_equal(use, weight)


def test_use_counts_changes_of_both_signs_and_in_its_own_synapse():
    weight, use = np.zeros((1, 2), F), np.zeros((1, 2), F)
    for sign in (1, -1, 1, -1):
        learn_with_use(weight, use, np.array([[0.01 * sign, 0]], F), F(1e6), F(1), F(1))
    np.testing.assert_allclose(use, [[0.04, 0]], rtol=1e-3)
    assert abs(weight[0, 0]) < 1e-6


def test_rest_restores_the_innate_rate_with_its_time_constant():
    weight, use, nothing = np.zeros((1, 1), F), np.ones((1, 1), F), np.zeros((1, 1), F)
    for _ in range(100):
        learn_with_use(weight, use, nothing, F(1), F(math.exp(-0.01)), F(1))
    assert use[0, 0] == pytest.approx(math.exp(-1), rel=1e-3)
    for _ in range(3000):
        learn_with_use(weight, use, nothing, F(1), F(math.exp(-0.01)), F(1))
    assert learning_rate_left(use[0, 0], F(1)) == pytest.approx(1, abs=1e-6)


def test_a_synapse_never_used_learns_as_the_plain_rule_does():
    wish = np.random.default_rng(0).standard_normal((3, 4)).astype(F)
    weight = np.zeros((3, 4), F)
    learn_with_use(weight, np.zeros((3, 4), F), wish, F(0.1), F(1), F(100))
    np.testing.assert_array_equal(weight, wish)


def test_what_the_bound_takes_away_is_not_use():
    weight, use = np.zeros((1, 1), F), np.zeros((1, 1), F)
    for _ in range(10):
        learn_with_use(weight, use, np.ones((1, 1), F), F(10), F(1), F(0.5))
    assert weight[0, 0] == use[0, 0] == 0.5
