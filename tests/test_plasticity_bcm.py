"""BCM: a sliding threshold that makes units selective."""

import numpy as np
import pytest

from robolearn.plasticity.bcm import learn_bcm

F = np.float32


@pytest.mark.parametrize(
    ("post", "change"), [(0.5, -0.025), (2.0, 0.2), (1.0, 0.0), (0.0, 0.0)],
    ids=["below", "above", "at the threshold", "silent"],
)  # fmt: skip
def test_sign_of_the_change_around_the_threshold(post, change):
    weight, threshold = np.zeros((1, 2), F), np.ones(1, F)
    learn_bcm(weight, threshold, np.array([1, 0], F), np.array([post], F), F(0.1), F(0.9), F(9))
    np.testing.assert_allclose(weight, [[change, 0]], atol=1e-7)
    assert threshold[0] == pytest.approx(0.9 + 0.1 * post**2)


def test_threshold_becomes_the_mean_square_of_the_activity():
    threshold, activity = np.zeros(1, F), np.random.default_rng(0).uniform(0, 2, 500).astype(F)
    for y in np.tile(activity, 20):
        learn_bcm(np.zeros((1, 1), F), threshold, np.zeros(1, F), y[None], F(0), F(0.999), F(1))
    assert threshold[0] == pytest.approx(np.mean(activity**2), rel=0.03)


@pytest.mark.parametrize("patterns", [2, 3])
def test_unit_becomes_selective_for_one_of_orthonormal_patterns(patterns):
    basis, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((patterns, patterns)))
    basis = basis.astype(F)
    # Hardly more of the first pattern than of the others, at birth.
    weight = (0.5 * basis.sum(axis=0) + 0.05 * basis[0])[None].astype(F)
    threshold = np.full(1, 0.3, F)
    for _ in range(4000):
        for x in basis:
            learn_bcm(weight, threshold, x, weight @ x, F(0.002), F(0.995), F(100))
    response = basis @ weight[0]
    np.testing.assert_allclose(response, np.eye(patterns)[0] * patterns, atol=0.05)
    assert threshold[0] == pytest.approx(patterns, rel=0.05)


def test_bounds_catch_a_threshold_that_is_too_slow():
    weight, threshold, x = np.full((1, 1), 0.5, F), np.zeros(1, F), np.ones(1, F)
    for _ in range(500):
        learn_bcm(weight, threshold, x, weight @ x, F(0.1), F(1), F(2))
    assert weight[0, 0] == 2
