"""The recurrent network follows its equations, learns at the ends of trials, and then alone."""

import dataclasses

import numpy as np
import pytest

from robolearn.agents.node_perturbation_recurrent_kernel import (
    BIAS,
    accumulate_perturbed,
    draw_perturbations,
)
from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent
from robolearn.errors import UserError
from robolearn.neurons.noise import uniform_at
from robolearn.plasticity.eligibility import accumulate
from robolearn.plasticity.recurrent_node_perturbation import (
    accumulate_cubed,
    learn_from_trial,
    running_mean,
)

KIND = "node_perturbation_recurrent"
F = np.float32
ROWS, TRIAL = 3, 12
SMALL = {"units": 14, "warm_up_trials": 2, "substeps": 2, "perturbation_hz": 30.0}


def make(observations=4, actions=1, **hyper):
    return make_agent(KIND, observations, actions, **{**SMALL, **hyper})


def born(agent, n=ROWS, first=0):
    genome = agent.genome.initial(np.random.default_rng(0))
    parameters, state = agent.express(np.tile(genome, (n, 1))), agent.new_state(n)
    rngs = [np.random.default_rng(first + i) for i in range(n)]
    agent.reset(parameters, state, np.arange(n), rngs)
    return parameters, state


def world(trials, n=ROWS, seed=1):
    """Return observations (steps, n, 4), and rewards and types of the trials, (trials, n) each."""
    rng = np.random.default_rng(seed)
    observations = rng.standard_normal((trials * TRIAL, n, 4)).astype(F)
    return observations, -rng.random((trials, n)).astype(F), rng.integers(4, size=(trials, n))


def live(agent, state, parameters, trials, seed=1, **switches):
    """Let the rows live some trials; returns actions (steps, n, a)."""
    n = len(state.trials)
    observations, rewards, types = world(trials, n, seed)
    actions, feedback = [], Feedback.first(n)
    for name, value in switches.items():
        getattr(feedback, name)[:] = value
    for step, observation in enumerate(observations):
        actions.append(agent.act(parameters, state, observation, feedback))
        trial, ends = step // TRIAL, step % TRIAL == TRIAL - 1
        feedback.trial_end[:] = ends
        feedback.reward = rewards[trial] if ends else np.zeros(n, F)
        feedback.context = types[trial] % agent.hyper.trial_types
    agent.finish(state, feedback, np.arange(n))
    return np.stack(actions)


@pytest.mark.parametrize("trace", ["perturbation", "cubed"])
@pytest.mark.parametrize("plastic", ["all", "readout", "none"])
def test_the_network_is_that_of_the_equations_and_the_rules_of_plasticity(trace, plastic):
    agent = make(trace=trace, plastic=plastic, actions=2, learning_rate=3.0, change_limit=0.01)
    parameters, state = born(agent)
    weight, inputs = state.recurrent_weight[1].copy(), state.input_weight[1].copy()
    initial, key, hyper = state.initial[1].copy(), state.noise_key[1], agent.hyper
    actions = live(agent, state, parameters, 5)[:, 1]
    observations, rewards, types = world(5)
    learners = {"all": hyper.units, "readout": 2, "none": 0}[plastic]
    leak, chance = 0.01 / hyper.tau_s, 0.3
    mean_error, expected, step = np.zeros(4, F), [], 0
    for trial in range(5):
        x, mean = initial.copy(), initial.copy()
        eligibility = np.zeros((learners, hyper.units), F)
        for u in observations[trial * TRIAL : (trial + 1) * TRIAL, 1]:
            for _ in range(hyper.substeps):
                rate = np.concatenate((np.tanh(x)[: -len(BIAS)], BIAS)).astype(F)
                draws = np.array([uniform_at(key, step, i) for i in range(hyper.units)])
                kick = leak * hyper.perturbation * (2 * draws / chance - 1) * (draws < chance)
                kick[learners:] = 0
                x = (x + leak * (weight @ rate + inputs @ u - x) + kick).astype(F)
                if trace == "cubed":
                    accumulate_cubed(eligibility, (x - mean)[:learners], rate)
                    running_mean(mean, x, F(hyper.mean_keep))
                else:
                    accumulate(eligibility, kick.astype(F), rate, F(1))
                step += 1
            expected.append(np.tanh(x[:2]))
        if learners:
            rate = hyper.learning_rate if trial >= hyper.warm_up_trials else 0
            error, kind = -rewards[trial, 1], types[trial, 1]
            learn_from_trial(
                weight[:learners], eligibility, error, mean_error, kind, F(rate), F(0.01)
            )
    np.testing.assert_allclose(actions, expected, rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(state.recurrent_weight[1], weight, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(state.mean_error[1], mean_error, rtol=1e-5)


def test_the_fused_trace_is_the_undecayed_trace_of_the_rule():
    rng = np.random.default_rng(0)
    fused, rule = np.zeros((6, 9), F), np.zeros((6, 9), F)
    for _ in range(20):
        perturbation = (rng.standard_normal(6) * (rng.random(6) < 0.3)).astype(F)
        pre = rng.standard_normal(9).astype(F)
        accumulate_perturbed(fused, perturbation, pre)
        accumulate(rule, perturbation, pre, F(1))
    np.testing.assert_allclose(fused, rule, rtol=1e-6)


def test_units_are_perturbed_as_often_and_as_strongly_as_told():
    agent = make(perturbation_hz=5.0, perturbation=2.0, tau_s=0.04)
    kicks = np.zeros((500, 200), F)
    for step, kick in enumerate(kicks):
        draw_perturbations(np.uint64(7), step, agent._constants, kick)
    width = 2.0 * 0.01 / 0.04  # of x, in a step of 10 ms
    happened = kicks[kicks != 0]
    assert happened.size / kicks.size == pytest.approx(5.0 * 0.01, rel=0.05)
    assert np.abs(happened).max() == pytest.approx(width, rel=0.01)
    assert happened.mean() == pytest.approx(0, abs=0.02 * width)
    assert happened.std() == pytest.approx(width / np.sqrt(3), rel=0.02)


def test_nothing_is_learnt_before_the_warm_up_is_over_but_what_to_expect():
    agent = make(trial_types=1)
    parameters, state = born(agent)
    innate = state.recurrent_weight.copy()
    live(agent, state, parameters, 2)
    np.testing.assert_array_equal(state.recurrent_weight, innate)
    assert state.mean_error.any()
    live(agent, state, parameters, 1)
    assert (state.recurrent_weight != innate).mean() > 0.5
    assert np.abs(state.recurrent_weight - innate).max() <= agent.hyper.change_limit * 1.01


def test_frozen_brains_change_nothing_but_activity():
    agent = make(warm_up_trials=0, trial_types=1)
    parameters, state = born(agent)
    innate = dataclasses.replace(state, **{k: v.copy() for k, v in vars(state).items()})
    live(agent, state, parameters, 4, plastic=False)
    for name in ("recurrent_weight", "input_weight", "eligibility", "mean_error", "initial"):
        np.testing.assert_array_equal(getattr(state, name), getattr(innate, name))
    state.weights_plastic[1] = False
    live(agent, state, parameters, 4)
    changed = (state.recurrent_weight != innate.recurrent_weight).any(axis=(1, 2))
    assert changed.tolist() == [True, False, True]


def test_without_exploration_equal_trials_have_equal_answers():
    for explore in (False, True):
        agent = make()
        parameters, state = born(agent)
        feedback = Feedback.first(ROWS)
        feedback.explore[:], feedback.plastic[:] = explore, False
        answers = []
        for _ in range(2):
            cue = np.ones((ROWS, 4), F)
            for _ in range(TRIAL):
                action = agent.act(parameters, state, cue, feedback)
                feedback.trial_end[:] = False
            answers.append(action)
            feedback.trial_end[:] = True
        assert np.array_equal(*answers) != explore


def test_only_weights_into_the_units_that_act_learn_in_the_read_out_control():
    agent = make(plastic="readout", actions=2, warm_up_trials=0, trial_types=1)
    parameters, state = born(agent)
    innate = state.recurrent_weight.copy()
    live(agent, state, parameters, 6)
    changed = (state.recurrent_weight != innate).any(axis=(0, 2))
    assert changed.tolist() == [True, True] + [False] * 12
    assert not make(plastic="none").is_plastic
    assert not make(learning_rate=0).is_plastic
    assert agent.is_plastic


@pytest.mark.parametrize(("time_s", "shown"), [(0.1, 3), (0.005, 1)])  # within a step: after it
def test_a_cleared_network_has_no_memory_of_what_came_before(time_s, shown):
    last = {}
    for clear_at_s in (0.0, time_s):
        agent = make(clear_at_s=clear_at_s)
        for cue in (-1.0, 1.0):
            parameters, state = born(agent)
            feedback = Feedback.first(ROWS)
            feedback.explore[:] = False
            for step in range(10):
                seen = np.full((ROWS, 4), cue if step < shown else 0.0)
                last[clear_at_s, cue] = agent.act(parameters, state, seen, feedback)
    assert not np.array_equal(last[0.0, -1.0], last[0.0, 1.0])
    np.testing.assert_array_equal(last[time_s, -1.0], last[time_s, 1.0])


def test_activity_passes_from_trial_to_trial_only_if_it_is_not_reset():
    for resets in (True, False):
        agent = make(reset_each_trial=resets)
        parameters, state = born(agent)
        live(agent, state, parameters, 1)
        assert np.array_equal(state.potential, state.initial) == resets


def test_every_individual_is_born_with_weights_of_its_own():
    agent = make(units=200, readout_gain=0.5)
    _, state = born(agent)
    inner = state.recurrent_weight[:, 1:]
    assert inner.std() * np.sqrt(200) == pytest.approx(agent.hyper.recurrent_gain, rel=0.01)
    ratio = state.recurrent_weight[:, 0].std() / inner.std()
    assert ratio == pytest.approx(0.5, rel=0.1)
    assert not np.array_equal(inner[0], inner[1])
    np.testing.assert_array_equal(born(agent, 1, first=1)[1].recurrent_weight[0, 1:], inner[1])


@pytest.mark.parametrize(
    ("hyper", "message"),
    [
        ({"units": 5, "actions": 3}, "units = 5: expected at least 7"),
        ({"tau_s": 0.005}, "tau_s = 0.005: expected at least"),
        ({"trace": "cube"}, "trace"),
    ],
)
def test_mistakes_are_told_in_one_line(hyper, message):
    with pytest.raises(UserError, match=message) as error:
        make(**hyper)
    assert "\n" not in str(error.value)


def test_a_type_of_trial_beyond_those_expected_is_told():
    agent = make(trial_types=2)
    parameters, state = born(agent)
    feedback = Feedback.first(ROWS)
    feedback.context[1], feedback.trial_end[:] = 2, [True, False, True]
    agent.act(parameters, state, np.zeros((ROWS, 4), F), feedback)  # no trial of its has ended
    feedback.trial_end[1] = True
    with pytest.raises(UserError, match=r"agent\.trial_types = 2: .*expected at least 3$"):
        agent.act(parameters, state, np.zeros((ROWS, 4), F), feedback)


@pytest.mark.slow
def test_one_of_four_cues_is_answered_rightly_after_a_short_life():
    # A toy: answer ±0.6 to the cue that is shown throughout; chance is an error of 0.6.
    agent = make(units=50, warm_up_trials=20, change_limit=1e-3, perturbation_hz=20.0)
    n, rng = 8, np.random.default_rng(0)
    parameters, state = born(agent, n)
    feedback, errors = Feedback.first(n), []
    for _ in range(500):
        cue = rng.integers(4, size=n)
        for step in range(10):
            action = agent.act(parameters, state, np.eye(4, dtype=F)[cue], feedback)
            feedback.trial_end[:], feedback.reward[:] = step == 9, 0
        error = np.abs(np.where(cue % 2, 0.6, -0.6) - action[:, 0])
        feedback.reward, feedback.context = -error.astype(F), cue
        errors.append(error)
    assert np.mean(errors[-50:]) < 0.5 * np.mean(errors[:20])
