"""Learners from reward do what their docstring claims, and learn."""

import numpy as np
import pytest

from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent
from robolearn.config import load_config
from robolearn.errors import UserError
from robolearn.lifetime import live
from robolearn.zoo import build_agent, make_env

N = 4000
LR = 1e-3


def lesson(kind, target, trials=1, n=N, steps=3, **hyper):
    """Return the mean change of W over `n` learners after trials of reward −|action − target|²."""
    agent = make_agent(
        kind, 2, 2, inputs=[0, 1], contexts=1, learning_rate=LR, exploration=0.05, **hyper
    )
    w0 = np.array([[0.2, -0.1, 0.05], [0.0, 0.3, -0.2]], np.float32)
    parameters = agent.express(np.repeat((w0.ravel() / 0.1)[None], n, axis=0))
    state = agent.new_state(n)
    agent.reset(parameters, state, np.arange(n), [np.random.default_rng(i) for i in range(n)])
    feedback = Feedback.first(n)
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.8, 0.8, (steps, 2)).astype(np.float32)
    for _ in range(trials):
        for t in range(steps):
            action = agent.act(parameters, state, np.tile(x[t], (n, 1)), feedback)
            feedback.reward = -((action - target[t]) ** 2).sum(axis=1).astype(np.float32)
            feedback.trial_end = np.full(n, t == steps - 1)
    agent.act(parameters, state, np.tile(x[0], (n, 1)), feedback)
    gradient = np.zeros((2, 3))
    for t in range(steps):
        features = np.append(x[t], 1.0)
        gradient -= 2 * np.outer(w0 @ features - target[t], features)
    return (state.weight - w0).mean(axis=0), gradient


def test_node_perturbation_follows_the_gradient_of_the_smoothed_reward():
    """For a quadratic reward the smoothed gradient is the gradient itself."""
    target = np.random.default_rng(1).uniform(-0.5, 0.5, (3, 2))
    # Any expectation that ignores the noise will do; one near the mean spares samples.
    change, gradient = lesson(
        "node_perturbation", target, n=40_000, expectation=-0.8, prediction_rate=0.0
    )
    cosine = (change * gradient).sum() / np.linalg.norm(change) / np.linalg.norm(gradient)
    assert cosine > 0.95
    slope = (change * gradient).sum() / (gradient**2).sum()
    assert slope == pytest.approx(LR, rel=0.1)


def test_hebb_adds_what_is_done_anyway_to_the_gradient():
    """With a reward above what is expected the activity itself is reinforced, however bad."""
    target = np.zeros((3, 2))
    change, gradient = lesson("reward_hebbian", target, expectation=-10.0, prediction_rate=0.0)
    cosine = (change * gradient).sum() / np.linalg.norm(change) / np.linalg.norm(gradient)
    assert cosine < -0.5  # the gradient asks for less activity here


def a_learner(n=3, **hyper):
    hyper = {"contexts": 2, "learning_rate": 0.1, "inputs": [0], **hyper}
    agent = make_agent("node_perturbation", 2, 2, **hyper)
    parameters = agent.express(np.ones((n, agent.genome.size), np.float32))
    state = agent.new_state(n)
    agent.reset(parameters, state, np.arange(n), [np.random.default_rng(i) for i in range(n)])
    return agent, parameters, state


def test_without_exploration_the_action_is_the_reflex_and_the_learned_part():
    agent, parameters, state = a_learner(reflex=[[0.5, 0, 0.1], [0, -1, 0]], weight_bound=1.0)
    feedback = Feedback.first(3)
    feedback.explore[:] = False
    observation = np.array([[0.4, 0.2], [0.0, 0.0], [9.0, 9.0]], np.float32)
    action = agent.act(parameters, state, observation, feedback)
    wanted = [
        [0.5 * 0.4 + 0.1 + 0.1 * (0.4 + 1), -0.2 + 0.1 * (0.4 + 1)],
        [0.1 + 0.1, 0.1],
        [1.0, -1.0],
    ]
    np.testing.assert_allclose(action[:2], wanted[:2], atol=1e-6)
    np.testing.assert_allclose(action[2], np.clip([4.6 + 1.0, -9 + 1.0], -1, 1), atol=1e-6)


def test_held_noise_changes_when_it_is_due_and_with_every_trial():
    agent, parameters, state = a_learner(hold_steps=3)
    feedback = Feedback.first(3)
    noise = []
    for step in range(8):
        feedback.trial_end[:] = step == 5
        agent.act(parameters, state, np.zeros((3, 2), np.float32), feedback)
        noise.append(state.noise[0, 0])
    assert noise[0] == noise[1] == noise[2]
    assert noise[3] == noise[4]
    assert noise[5] == noise[6] == noise[7]
    assert len({noise[0], noise[3], noise[5]}) == 3


def test_held_noise_is_off_as_soon_as_exploration_is():
    agent, parameters, state = a_learner(hold_steps=3)
    feedback = Feedback.first(3)
    agent.act(parameters, state, np.zeros((3, 2), np.float32), feedback)
    assert state.noise.all()
    feedback.explore[1] = False
    agent.act(parameters, state, np.zeros((3, 2), np.float32), feedback)
    assert not state.noise[1].any()
    assert state.noise[[0, 2]].all()


def test_innate_weights_are_within_their_bound():
    _, parameters, state = a_learner(weight_bound=0.05)
    assert parameters["weight"].max() > 0.05
    np.testing.assert_array_equal(state.weight, np.float32(0.05))


def test_a_unit_can_drive_two_motors_against_each_other():
    agent, parameters, state = a_learner(synergies=[[1], [-1]])
    assert state.weight.shape == (3, 1, 2)
    action = agent.act(parameters, state, np.ones((3, 2), np.float32), Feedback.first(3))
    np.testing.assert_array_equal(action[:, 0], -action[:, 1])
    assert (action != 0).all()


def test_frozen_learners_change_nothing_but_their_age_and_noise():
    agent, parameters, state = a_learner(credit="step")
    feedback = Feedback.first(3)
    feedback.plastic[1] = False
    before = state.weight.copy()
    for _ in range(5):
        agent.act(parameters, state, np.ones((3, 2), np.float32), feedback)
        feedback.reward = np.arange(3, dtype=np.float32)
        feedback.context[:] = 1
    agent.act(parameters, state, np.ones((3, 2), np.float32), feedback)
    np.testing.assert_array_equal(state.weight[1], before[1])
    np.testing.assert_array_equal(state.eligibility[1], 0)
    assert not state.expects[1].any()
    # Who expects nothing yet, and then what came, is never surprised by a constant reward.
    np.testing.assert_array_equal(state.weight[0], before[0])
    assert state.expects[2].tolist() == [False, True]


def test_the_population_code_peaks_at_the_preferred_value_and_sums_to_one():
    agent = make_agent("node_perturbation", 2, 1, [0.5, 1.0], inputs=[], tuning=[[0, -1.0, 1.0, 5]])
    state = agent.new_state(3)
    parameters = agent.express(np.zeros((3, agent.genome.size), np.float32))
    agent.reset(parameters, state, np.arange(3), [np.random.default_rng(0)] * 3)
    observation = np.array([[-1.0, 0], [0.5, 0], [3.0, 0]], np.float32)
    agent.act(parameters, state, observation, Feedback.first(3))
    np.testing.assert_array_equal(state.features.argmax(axis=1), [0, 3, 4])
    np.testing.assert_allclose(state.features.sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("hyper", "message"),
    [
        ({"inputs": [2]}, "inputs: element 2 (valid: 0 to 1)"),
        ({"tuning": [[5, 0.0, 1.0, 3]]}, "tuning: element 5 (valid: 0 to 1)"),
        ({"tuning": [[0, 1.0, 1.0, 3]]}, "first must be below last"),
        ({"reflex": [[1.0, 0.0]]}, "reflex: expected 2 rows, one an action element, got 1"),
        ({"synergies": [[1.0]]}, "synergies: 1 rows (valid: one for each of 2 actions)"),
        ({"prediction": "critic"}, "credit must be 'step'"),
        ({"aim": [2]}, "aim: element 2 (valid: 0 to 1)"),
        ({"aim": [0], "credit": "step"}, "aim: it is taken for a trial, so credit must be 'trial'"),
        ({"task_sets": 2}, "task_sets = 2: without aim there is one (valid: 1)"),
        ({"expectation": float("nan")}, "expectation"),
        ({"rule": "heb"}, "did you mean 'hebb'"),
    ],
)
def test_bad_hyperparameters_are_told_in_one_line(hyper, message):
    with pytest.raises(UserError) as caught:
        make_agent("node_perturbation", 2, 2, **hyper)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_context_beyond_those_expected_is_told():
    agent, parameters, state = a_learner()
    feedback = Feedback.first(3)
    feedback.context[:] = 2
    with pytest.raises(UserError, match=r"agent\.contexts = 2: .*context 2.* at least 3$"):
        agent.act(parameters, state, np.zeros((3, 2), np.float32), feedback)


def lives_of(recipe, n, life_s, names, *overrides):
    """Let n naive individuals of a recipe live; return what info told at the ends of trials."""
    config = load_config(recipe, overrides)
    env = make_env(config, n, life_s)
    agent = build_agent(config, env)
    genome = agent.genome.initial(np.random.default_rng(0))
    told = {name: [[] for _ in range(n)] for name in names}

    def listen(moment):
        for i in np.flatnonzero(moment.infos["trial_end"] & moment.alive):
            for name, rows in told.items():
                rows[i].append(float(moment.infos[name][i]))

    parameters = agent.express(np.repeat(genome[None], n, axis=0))
    live(env, agent, parameters, 500 + np.arange(n), listener=listen)
    return {name: np.array(rows) for name, rows in told.items()}


@pytest.mark.slow
def test_the_maze_is_learned_and_learned_again_after_the_switch():
    told = lives_of("tmaze_reward_hebbian", 16, None, ("chosen", "rewarded"))
    right = told["chosen"] == told["rewarded"]
    before, after = right[:, 20:40].mean(axis=1), right[:, 60:80].mean(axis=1)
    assert ((before >= 0.9) & (after >= 0.9)).mean() >= 0.8


@pytest.mark.slow
def test_without_an_expectation_the_switch_is_not_learned():
    told = lives_of("tmaze_reward_hebbian", 16, None, ("chosen", "rewarded"),
                    "agent.prediction=none")  # fmt: skip
    right = told["chosen"] == told["rewarded"]
    assert (right[:, 60:80].mean(axis=1) >= 0.9).mean() <= 0.5


@pytest.mark.slow
def test_reaching_is_learned():
    told = lives_of("reach_node_perturbation", 12, 800.0, ("endpoint_error",))
    error = told["endpoint_error"] / 0.15
    assert error[:, :50].mean() > 0.7
    assert error[:, -100:].mean() < 0.4  # with exploration on
