"""The moving average is the mean of the last M activities, or of all while there are fewer."""

import numpy as np
import pytest

from robolearn.plasticity.moving_average import moving_average

F = np.float32


@pytest.mark.parametrize("window", [1, 4, 50])
def test_it_is_the_mean_of_the_last_activities_at_every_step(window):
    lived = np.random.default_rng(0).standard_normal((30, 7)).astype(F)
    activity, mean = np.zeros((window, 7), F), np.empty(7, F)
    for step, x in enumerate(lived):
        activity[step % window] = x
        moving_average(activity, step + 1, mean)
        expected = lived[max(0, step + 1 - window) : step + 1].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-6)


def test_a_window_of_one_is_the_activity_itself():
    x = np.random.default_rng(0).standard_normal((1, 7)).astype(F)
    mean = np.empty(7, F)
    moving_average(x, 9, mean)
    np.testing.assert_array_equal(mean, x[0])
