"""Oja's rule finds the first principal component and keeps it at length one."""

import numpy as np
import pytest

from robolearn.plasticity.oja import learn_oja

F = np.float32


def samples(mean):
    """Return 1000 inputs (k, 4) of exactly this mean, and their covariance's first eigenvector."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((4, 4)) * [1.5, 0.6, 0.5, 0.4]
    x = rng.standard_normal((1000, 4)) @ mixing.T
    x -= x.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(x.T))
    return (x + mean).astype(F), vectors[:, -1]


def learn(x, weight, sweeps=30):
    for _ in range(sweeps):
        for sample in x:
            learn_oja(weight, sample, weight @ sample, F(0.0005))
    return weight


@pytest.mark.parametrize("length", [0.05, 3.0])
def test_a_linear_unit_on_centred_input_becomes_the_first_principal_component(length):
    x, component = samples(mean=0)
    start = np.random.default_rng(1).standard_normal((2, 4))
    weight = learn(x, (length * start / np.linalg.norm(start, axis=1, keepdims=True)).astype(F))
    norm = np.linalg.norm(weight, axis=1)
    np.testing.assert_allclose(norm, 1, atol=0.01)
    cosine = np.abs(weight @ component) / norm
    assert (cosine > 0.99).all(), cosine  # every unit finds the same one


def test_input_that_is_not_centred_gives_its_mean_instead():
    mean = np.array([0.0, 5.0, -5.0, 5.0])
    x, component = samples(mean)
    weight = learn(x, np.full((1, 4), 0.1, F), sweeps=10)[0]
    weight /= np.linalg.norm(weight)
    assert abs(weight @ mean) / np.linalg.norm(mean) > 0.98
    assert abs(weight @ component) < 0.9


def test_one_step_worked_by_hand():
    weight = np.array([[0.5, -1.0]], F)
    learn_oja(weight, np.array([1.0, 2.0], F), np.array([3.0], F), F(0.1))
    # 0.1 · 3 · (1 - 3 · 0.5), 0.1 · 3 · (2 + 3)
    np.testing.assert_allclose(weight, [[0.5 - 0.15, -1 + 1.5]], rtol=1e-6)
