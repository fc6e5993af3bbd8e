"""The aim follows the gradient of reward, is held for a trial, and is found again in its set."""

import numpy as np
import pytest

from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent

TARGET = np.array([0.6, -0.3], np.float32)
STEPS = 3


def aiming(n, **hyper):
    """Return n brains that do what they see (W = 1, bias 0) and learn in their aim alone."""
    hyper = {"exploration": 1e-6, "learning_rate": 0.0, "aim": [0, 1], **hyper}
    agent = make_agent("node_perturbation", 2, 2, inputs=[0, 1], **hyper)
    genome = np.array([1, 0, 0, 0, 1, 0], np.float32) / 0.1
    parameters = agent.express(np.repeat(genome[None], n, axis=0))
    state = agent.new_state(n)
    agent.reset(parameters, state, np.arange(n), [np.random.default_rng(i) for i in range(n)])
    return agent, parameters, state


def trials(agent, parameters, state, count, wanted, feedback):
    """Live trials of reward -|action - wanted|² in their last step; return the last actions."""
    n = len(state.age)
    action = np.zeros((n, 2))
    for _ in range(count):
        for step in range(STEPS):
            action = agent.act(parameters, state, np.tile(TARGET, (n, 1)), feedback)
            feedback.trial_end = np.full(n, step == STEPS - 1)
            miss = ((action - wanted) ** 2).sum(axis=1)
            feedback.reward = np.where(feedback.trial_end, -miss, 0).astype(np.float32)
    return action


def test_the_aim_follows_the_gradient_in_size_too():
    """For a quadratic reward the gradient of the smoothed reward is the gradient itself."""
    n, rate, wanted = 40_000, 1e-3, np.array([0.2, 0.4])
    lives = aiming(n, aim_exploration=0.05, aim_learning_rate=rate,
                   expectation=-0.6, prediction_rate=0.0)  # fmt: skip
    feedback = Feedback.first(n)
    trials(*lives, 1, wanted, feedback)
    lives[0].act(lives[1], lives[2], np.tile(TARGET, (n, 1)), feedback)  # hears the trial's end
    change = lives[2].aim_weight[:, 0].mean(axis=0)
    gradient = -2 * np.outer(TARGET - wanted, TARGET)
    cosine = (change * gradient).sum() / np.linalg.norm(change) / np.linalg.norm(gradient)
    assert cosine > 0.95
    assert (change * gradient).sum() / (gradient**2).sum() == pytest.approx(rate, rel=0.1)


def test_an_aim_is_held_for_a_trial_and_taken_anew_in_the_next():
    agent, parameters, state = aiming(2)
    feedback, shifts = Feedback.first(2), []
    for step in range(4):
        feedback.trial_end[:] = step == 2
        agent.act(parameters, state, np.tile(TARGET, (2, 1)), feedback)
        shifts.append(state.aim_shift[0].copy())
    np.testing.assert_array_equal(shifts[0], shifts[1])
    np.testing.assert_array_equal(shifts[2], shifts[3])
    assert (shifts[1] != shifts[2]).all()


def test_without_exploration_what_is_seen_is_displaced_by_what_was_learned():
    agent, parameters, state = aiming(1)
    state.aim_weight[0, 0] = [[0.0, 0.5], [0.0, 0.0]]
    feedback = Feedback.first(1)
    feedback.explore[:] = False
    action = agent.act(parameters, state, TARGET[None], feedback)
    np.testing.assert_allclose(action[0], [0.6 - 0.15, -0.3], atol=1e-4)


@pytest.mark.parametrize("sets", [1, 2])
def test_what_was_learned_of_a_change_is_there_when_it_returns(sets):
    """With two sets the old aim and the new are both kept; with one the old is written over."""
    n = 16
    lives = aiming(n, aim_exploration=0.1, aim_learning_rate=0.02, task_sets=sets,
                   surprise_rate=0.1, surprise_threshold=0.1)  # fmt: skip
    feedback, changed = Feedback.first(n), np.array([0.6, 0.5])
    trials(*lives, 200, TARGET, feedback)
    trials(*lives, 300, changed, feedback)
    trials(*lives, 300, TARGET, feedback)
    trials(*lives, 15, changed, feedback)
    feedback.explore[:] = False
    miss = np.abs(trials(*lives, 1, changed, feedback) - changed).max(axis=1)
    assert (np.median(miss) < 0.15) == (sets == 2)


def test_frozen_brains_keep_their_aim_and_their_set():
    lives = aiming(2, task_sets=2, surprise_rate=1.0, surprise_threshold=1e-6)
    feedback = Feedback.first(2)
    feedback.plastic[:] = False
    trials(*lives, 5, np.zeros(2), feedback)
    assert not lives[2].aim_weight.any()
    assert not lives[2].task_set.any()
