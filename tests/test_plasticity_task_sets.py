"""Lasting disappointment brings up the next task set, at the trial that the docstring tells."""

import math

import numpy as np
import pytest

from robolearn.plasticity.task_sets import choose_set

RATE, THRESHOLD, SETS = 0.03, 0.15, 2


def sets_in_use(errors, sets=SETS):
    """Return the set in use after each trial whose reward missed the expectation by `errors`."""
    surprise, task_set = np.zeros(1, np.float32), np.zeros(1, np.int64)
    used = []
    for error in errors:
        choose_set(
            surprise, task_set, np.float32(error), np.float32(RATE), np.float32(THRESHOLD), sets
        )
        used.append(int(task_set[0]))
    return used


@pytest.mark.parametrize("miss", [0.2, 0.5, 2.0])
def test_the_switch_comes_in_the_trial_of_the_formula(miss):
    trial = math.ceil(math.log(1 - THRESHOLD / miss) / math.log(1 - RATE))
    assert sets_in_use([-miss] * trial) == [0] * (trial - 1) + [1]


def test_good_news_and_small_disappointments_leave_the_set():
    assert set(sets_in_use([5.0] * 200)) == {0}
    assert set(sets_in_use([-THRESHOLD] * 2000)) == {0}


def test_one_bad_trial_among_ordinary_ones_is_forgiven():
    assert set(sets_in_use([-2.0, *[0.0] * 50] * 10)) == {0}


def test_sets_follow_each_other_in_a_circle_and_surprise_begins_anew():
    once = math.ceil(math.log(1 - THRESHOLD / 0.5) / math.log(1 - RATE))
    used = sets_in_use([-0.5] * (4 * once), sets=3)
    assert used[once - 1 :: once] == [1, 2, 0, 1]
