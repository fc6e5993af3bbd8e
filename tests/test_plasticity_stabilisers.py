"""Bounds and maximum normalisation hold weights in check."""

import math

import numpy as np
import pytest

from robolearn.plasticity.bounds import bound
from robolearn.plasticity.forgetting import forget, forgotten_share
from robolearn.plasticity.max_normalisation import largest_magnitude, normalise_by_maximum


def random_layer(scale):
    return (scale * np.random.default_rng(0).standard_normal((12, 37))).astype(np.float32)


@pytest.mark.parametrize(("weight", "expected"), [(0.3, 0.3), (-0.3, -0.3), (7, 0.5), (-7, -0.5)])
def test_bound_clips_on_both_sides(weight, expected):
    assert bound(np.float32(weight), np.float32(0.5)) == np.float32(expected)


@pytest.mark.parametrize("scale", [1e-20, 1e-3, 1.0, 1e20])
def test_largest_magnitude_is_exact(scale):
    weight = random_layer(scale)
    assert largest_magnitude(weight) == np.abs(weight).max()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_largest_weight_becomes_one_and_proportions_stay(scale):
    weight = random_layer(scale)
    expected = weight / np.abs(weight).max()
    normalise_by_maximum(weight)
    assert np.abs(weight).max() == 1
    np.testing.assert_allclose(weight, expected, rtol=1e-6)


def test_negative_weight_can_be_the_largest():
    weight = np.array([[0.5, -2.0]], np.float32)
    normalise_by_maximum(weight)
    assert weight.tolist() == [[0.25, -1.0]]


def test_layer_of_zeros_stays():
    weight = np.zeros((3, 4), np.float32)
    normalise_by_maximum(weight)
    assert not weight.any()


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_broken_layer_is_left_for_others_to_report(broken):
    weight = np.array([[broken, 2.0]], np.float32)
    normalise_by_maximum(weight)
    assert weight[0, 1] == 2.0


def test_what_was_learned_fades_with_the_time_constant():
    """Against exp(-t / tau), in steps of two lengths."""
    rng = np.random.default_rng(0)
    birth, learned = rng.standard_normal((2, 3, 4)).astype(np.float32)
    for step_s in (0.02, 0.5):
        weight = learned.copy()
        for _ in range(round(2.0 / step_s)):
            forget(weight, birth, forgotten_share(step_s, 1.5))
        expected = birth + math.exp(-2.0 / 1.5) * (learned - birth)
        np.testing.assert_allclose(weight, expected, atol=1e-5)


def test_nothing_fades_without_a_time_constant():
    weight, birth = np.ones((2, 2), np.float32), np.zeros((2, 2), np.float32)
    forget(weight, birth, forgotten_share(0.02, None))
    np.testing.assert_array_equal(weight, 1.0)
