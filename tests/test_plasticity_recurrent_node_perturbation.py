"""Miconi's rule: cubed traces around an old mean, clipped steps around an old mean error."""

import numpy as np
import pytest

from robolearn.plasticity.recurrent_node_perturbation import (
    DEVIATION_KEEP,
    accumulate_cubed,
    learn_from_trial,
    running_mean,
)

F = np.float32


def test_trace_of_a_trial_equals_the_sum_of_cubes_around_the_old_mean():
    rng = np.random.default_rng(0)
    x, r = rng.standard_normal((12, 3)).astype(F), rng.standard_normal((12, 4)).astype(F)
    eligibility, mean = np.zeros((3, 4), F), np.zeros(3, F)
    for t in range(1, 12):
        accumulate_cubed(eligibility, x[t] - mean, r[t - 1])
        running_mean(mean, x[t], F(DEVIATION_KEEP))
    # The mean before step t is 0.95 Σ_k 0.05^k x(t-1-k).
    expected = np.zeros((3, 4))
    for t in range(1, 12):
        before = sum(0.95 * 0.05**k * x[t - 1 - k].astype(float) for k in range(t - 1))
        expected += np.outer(x[t] - before, r[t - 1]) ** 3
    np.testing.assert_allclose(eligibility, expected, rtol=1e-4)


def test_cube_keeps_the_sign_and_lets_large_products_win():
    eligibility = np.zeros((2, 2), F)
    accumulate_cubed(eligibility, np.array([0.1, -1.0], F), np.array([1.0, -2.0], F))
    np.testing.assert_allclose(eligibility, [[0.001, -0.008], [-1, 8]], rtol=1e-6)


def test_cube_survives_the_relaxation_that_cancels_a_plain_trace():
    # A perturbation at step 5 that decays with 0.9 a step, seen around its own running mean.
    x, plain, cubed, mean = np.zeros(200), 0.0, np.zeros((1, 1), F), np.zeros(1, F)
    x[5:] = 0.9 ** np.arange(195)
    for value in x:
        deviation = np.array([value], F) - mean
        plain += float(deviation[0])
        accumulate_cubed(cubed, deviation, np.ones(1, F))
        running_mean(mean, np.array([value], F), F(DEVIATION_KEEP))
    assert abs(plain) < 0.01
    assert cubed[0, 0] > 0.95


def test_running_mean_converges_to_a_constant_at_its_rate():
    mean = np.array([1.0, -3.0], F)
    for _ in range(3):
        running_mean(mean, np.array([0.0, 1.0], F), F(0.5))
    np.testing.assert_allclose(mean, [0.125, 0.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("error", "change"),
    # -η Ē e (E - Ē) with η = 0.1, Ē = 0.5, e = 2
    [(0.7, -0.02), (0.3, 0.02), (0.5, 0.0), (9.0, -0.05), (-9.0, 0.05)],
)
def test_a_trial_worked_by_hand(error, change):
    weight, mean_error = np.ones((1, 1), F), np.array([7.0, 0.5], F)
    learn_from_trial(weight, np.full((1, 1), 2, F), F(error), mean_error, 1, F(0.1), F(0.05))
    assert weight[0, 0] == pytest.approx(1 + change, abs=1e-6)
    # The update used the old mean; only that of this type has moved, and after the update.
    np.testing.assert_allclose(mean_error, [7, 0.75 * 0.5 + 0.25 * error], rtol=1e-6)


@pytest.mark.parametrize("expected", [0.5, -0.5])
@pytest.mark.parametrize("better", [0.2, -0.2])
def test_what_did_better_is_strengthened_whether_a_task_pays_or_punishes(expected, better):
    weight, mean_error = np.zeros((1, 1), F), np.array([expected], F)
    learn_from_trial(weight, np.ones((1, 1), F), F(expected - better), mean_error, 0, F(1), F(1))
    assert weight[0, 0] == pytest.approx(0.5 * better)


def test_without_a_rate_only_the_mean_error_learns():
    weight, mean_error = np.ones((2, 2), F), np.zeros(1, F)
    for _ in range(40):
        learn_from_trial(weight, np.ones((2, 2), F), F(2), mean_error, 0, F(0), F(1))
    np.testing.assert_array_equal(weight, np.ones((2, 2), F))
    assert mean_error[0] == pytest.approx(2, rel=1e-4)
