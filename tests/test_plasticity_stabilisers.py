"""Bounds and maximum normalisation hold weights in check."""

import numpy as np
import pytest

from robolearn.plasticity.bounds import bound
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
