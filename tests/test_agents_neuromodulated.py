"""Claims about the neuromodulated brain: its own modulator writes its read-out, in fixed order."""

import dataclasses

import numpy as np
import pytest

from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent
from robolearn.errors import UserError

SENSES, MOTORS, LIVES = 5, 2, 3
KINDS = {
    "rate simple": {"rule": "simple"},
    "rate retroactive": {"rule": "retroactive"},
    "spiking simple": {"neuron": "spiking", "rule": "simple"},
    "spiking retroactive": {"neuron": "spiking", "rule": "retroactive"},
}


def make(**hyper):
    return make_agent("neuromodulated", SENSES, MOTORS, hidden=7, control_step_s=0.1, **hyper)


def born(agent, seed=0):
    """Return (parameters, state) of LIVES different individuals."""
    rng = np.random.default_rng(seed)
    parameters = agent.express(rng.standard_normal((LIVES, agent.genome.size)).astype(np.float32))
    state = agent.new_state(LIVES)
    agent.reset(
        parameters, state, np.arange(LIVES), [np.random.default_rng(i) for i in range(LIVES)]
    )
    return parameters, state


def step(agent, parameters, state, seed, **feedback):
    """Live one step on a random observation and reward; returns the action."""
    rng = np.random.default_rng([seed, 9])
    told = Feedback.first(LIVES)
    told.reward = rng.standard_normal(LIVES).astype(np.float32)
    for name, value in feedback.items():
        getattr(told, name)[:] = value
    observation = rng.standard_normal((LIVES, SENSES)).astype(np.float32)
    return agent.act(parameters, state, observation, told)


def live(agent, parameters, state, steps, first=0, **feedback):
    return np.stack([step(agent, parameters, state, first + k, **feedback) for k in range(steps)])


@pytest.mark.parametrize("kind", KINDS)
def test_synapses_change_only_when_the_modulator_speaks(kind):
    agent = make(**KINDS[kind])
    parameters, state = born(agent)
    parameters["modulator.fan_out"][1] = 0.0
    live(agent, parameters, state, 20)
    assert not state.trace[1].any()
    assert state.trace[0].any()
    assert state.trace[2].any()


def test_simple_rule_writes_the_present_moment():
    agent = make(rule="simple")
    parameters, state = born(agent)
    parameters["modulator.fan_out"] *= 1e-3  # far from the bound
    live(agent, parameters, state, 5)
    before = state.trace.copy()
    step(agent, parameters, state, 5)
    written = state.modulator[:, :, None] * state.output[:, :, None] * state.hidden[:, None]
    np.testing.assert_allclose(state.trace - before, written, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("neuron", ["rate", "spiking"])
def test_retroactive_rule_writes_the_past_before_it_notes_the_present(neuron):
    agent = make(neuron=neuron, rule="retroactive", eligibility_tau_s=0.5)
    parameters, state = born(agent)
    parameters["modulator.fan_out"] *= 1e-3  # far from the bound
    live(agent, parameters, state, 5)
    trace, eligibility = state.trace.copy(), state.eligibility.copy()
    step(agent, parameters, state, 5)
    np.testing.assert_allclose(
        state.trace, trace + state.modulator[:, :, None] * eligibility, rtol=1e-4, atol=1e-6
    )
    eta = 1 - np.exp(-0.1 / 0.5)
    present = state.output_trace[:, :, None] * state.hidden[:, None]
    np.testing.assert_allclose(
        state.eligibility, (1 - eta) * eligibility + eta * present, rtol=1e-4, atol=1e-5
    )


def test_first_step_of_a_life_has_no_past_to_write():
    agent = make(rule="retroactive")
    parameters, state = born(agent)
    step(agent, parameters, state, 0)
    assert not state.trace.any()
    assert state.eligibility.any()


@pytest.mark.parametrize("kind", KINDS)
def test_learned_part_adds_to_the_innate_weights(kind):
    agent, static = make(**KINDS[kind]), make(**{**KINDS[kind], "rule": "none"})
    parameters, state = born(agent)
    live(agent, parameters, state, 10)
    effective = dict(parameters)
    effective["readout.weight"] = (
        parameters["readout.weight"] + parameters["readout.alpha"] * state.trace
    )
    twin = static.new_state(LIVES)
    twin.hidden[:], twin.potential[:], twin.output[:] = state.hidden, state.potential, state.output
    np.testing.assert_allclose(
        step(agent, parameters, state, 10), step(static, effective, twin, 10), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_from_birth_is_the_static_twin(kind):
    agent, static = make(**KINDS[kind]), make(**{**KINDS[kind], "rule": "none"})
    parameters, state = born(agent)
    _, twin = born(static)
    assert agent.is_plastic
    assert not static.is_plastic
    innate = {
        name: parameters[name] for name in static.express(np.zeros((LIVES, static.genome.size)))
    }
    np.testing.assert_array_equal(
        live(agent, parameters, state, 20, plastic=False), live(static, innate, twin, 20)
    )
    assert not state.trace.any()


def test_static_genome_is_the_first_part_of_a_plastic_one():
    plastic, static = make().genome.genes, make(rule="none").genome.genes
    assert plastic[: len(static)] == static
    assert len(plastic) == len(static) + 4


@pytest.mark.parametrize("kind", KINDS)
def test_each_switch_freezes_its_own_arrays(kind):
    agent = make(**KINDS[kind])
    parameters, state = born(agent)
    live(agent, parameters, state, 5)
    state.weights_plastic[0] = state.traces_plastic[1] = False
    before = dataclasses.replace(
        state, trace=state.trace.copy(), eligibility=state.eligibility.copy()
    )
    live(agent, parameters, state, 5, first=5)
    np.testing.assert_array_equal(state.trace[0], before.trace[0])
    np.testing.assert_array_equal(state.eligibility[1], before.eligibility[1])
    assert (state.trace[1:] != before.trace[1:]).any(axis=(1, 2)).all()
    if "retroactive" in kind:
        assert (state.eligibility[[0, 2]] != before.eligibility[[0, 2]]).any(axis=(1, 2)).all()


def test_traces_stay_within_their_bound():
    agent = make(rule="simple", trace_bound=0.25)
    parameters, state = born(agent)
    live(agent, parameters, state, 50)
    assert np.abs(state.trace).max() == np.float32(0.25)


@pytest.mark.parametrize("rule", ["simple", "retroactive"])
def test_without_spikes_the_action_is_constant(rule):
    agent = make(neuron="spiking", rule=rule, silence_hidden=True)
    parameters, state = born(agent)
    actions = live(agent, parameters, state, 20)
    np.testing.assert_array_equal(actions, np.broadcast_to(actions[0], actions.shape))


@pytest.mark.parametrize("what", ["reward", "trial_end"])
def test_the_brain_feels_its_reward_and_the_end_of_a_trial(what):
    agent = make()
    parameters, state = born(agent)
    _, other = born(agent)
    quiet = step(agent, parameters, state, 0, reward=0.0)
    assert (quiet != step(agent, parameters, other, 0, **{"reward": 0.0, what: 1})).all()


def test_a_reflex_adds_to_what_the_brain_wants_and_stays_in_range():
    scale = np.array([2.0, 1, 1, 1, 1])
    rows = [[0.1, 0, 0, 0, 0, 0.2], [0, -9.0, 0, 0, 0, 0]]
    for kind in ("mlp", "gru", "neuromodulated"):
        bare, agent = (
            make_agent(kind, SENSES, MOTORS, scale),
            make_agent(kind, SENSES, MOTORS, scale, reflex=rows),
        )
        assert agent.kind == kind
        assert agent.genome == bare.genome
        parameters = agent.express(
            np.stack([agent.genome.initial(np.random.default_rng(0))] * LIVES)
        )
        observation = np.array([[4.0, 1, 0, 0, 0], [np.nan, -1, 0, 0, 0], [0, 0, 0, 0, 0]])
        state, twin = agent.new_state(LIVES), bare.new_state(LIVES)
        told = Feedback.first(LIVES)
        told.alive[2] = False
        own = bare.act(parameters, twin, observation, told)
        total = agent.act(parameters, state, observation, told)
        np.testing.assert_allclose(total[:2, 0], own[:2, 0] + [0.4, 0.2], atol=1e-6)
        np.testing.assert_array_equal(total[:, 1], [-1, 1, 0])
        assert not total[2].any()


@pytest.mark.parametrize(
    ("rows", "message"),
    [([[0.0] * 6], "expected 2 rows"), ([[0.0] * 5] * 2, r"reflex\[0\]: expected 6 weights")],
)
def test_a_reflex_of_the_wrong_size_is_refused(rows, message):
    with pytest.raises(UserError, match=message):
        make_agent("mlp", SENSES, MOTORS, reflex=rows)
