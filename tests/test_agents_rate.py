"""The networks of rate units, static, recurrent and Hebbian, are what their cards say."""

import numpy as np
import pytest

from robolearn.agents.hebbian import Hebbian
from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent

SENSES, MOTORS, STEP_S = 6, 3, 0.02


def brain(kind, n=2, shake=1.0, seed=0, **hyper):
    """Return an agent, `n` expressed genomes, and newborn states drawn from streams 0..n-1."""
    agent = make_agent(kind, SENSES, MOTORS, **hyper)
    rng = np.random.default_rng(seed)
    genomes = np.stack([agent.genome.initial(rng) for _ in range(n)])
    parameters = agent.express(genomes + shake * rng.standard_normal(genomes.shape))
    return agent, parameters, newborn(agent, parameters, n)


def newborn(agent, parameters, n, first=0):
    state = agent.new_state(n)
    rngs = [np.random.default_rng(first + i) for i in range(n)]
    agent.reset(parameters, state, np.arange(n), rngs)
    return state


def senses(steps, n=2, seed=1):
    return np.random.default_rng(seed).standard_normal((steps, n, SENSES)).astype(np.float32)


def live(agent, parameters, state, observations, *, plastic=True, reward=0.0):
    feedback = Feedback.first(observations.shape[1])
    feedback.plastic[:] = plastic
    feedback.reward[:] = reward
    return np.stack([agent.act(parameters, state, x, feedback) for x in observations])


def cut(flat, shapes):
    """Cut a flat vector into arrays of the given shapes."""
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    return [flat[a:b].reshape(s) for a, b, s in zip(ends, ends[1:], shapes, strict=False)]


def test_mlp_is_layers_of_tanh():
    agent, parameters, state = brain("mlp", hidden=[5, 4])
    observations = senses(3)
    weights = cut(parameters["weights"][0], [(5, SENSES), (4, 5), (MOTORS, 4)])
    biases = cut(parameters["biases"][0], [(5,), (4,), (MOTORS,)])
    y = observations[:, 0]
    for weight, bias in zip(weights, biases, strict=True):
        y = np.tanh(y @ weight.T + bias)
    np.testing.assert_allclose(live(agent, parameters, state, observations)[:, 0], y, atol=1e-5)


def test_mlp_remembers_nothing():
    agent, parameters, state = brain("mlp")
    first = live(agent, parameters, state, senses(1))
    live(agent, parameters, state, senses(10, seed=2), reward=5.0)
    np.testing.assert_array_equal(live(agent, parameters, state, senses(1)), first)


def test_gru_is_the_unit_of_its_card():
    agent, parameters, state = brain("gru", hidden=5, reward_scale=2.0)
    observations, reward = senses(12), 0.7
    p = {name: array[0].astype(np.float64) for name, array in parameters.items()}
    w, u, b = (
        p[name].reshape(3, 5, -1) for name in ("input.weight", "recurrent.weight", "input.bias")
    )
    h, action, expected = np.zeros(5), np.zeros(MOTORS), []
    for x in observations[:, 0]:
        inputs = np.concatenate([x, [reward / 2.0], action])
        z, r = (1 / (1 + np.exp(-(w[k] @ inputs + u[k] @ h + b[k, :, 0]))) for k in range(2))
        h = z * h + (1 - z) * np.tanh(w[2] @ inputs + u[2] @ (r * h) + b[2, :, 0])
        action = np.tanh(p["readout.weight"] @ h + p["readout.bias"])
        expected.append(action)
    actions = live(agent, parameters, state, observations, reward=reward)
    np.testing.assert_allclose(actions[:, 0], expected, atol=1e-5)


def test_gru_feels_reward_and_remembers_what_it_saw():
    agent, parameters, state = brain("gru")
    poor = live(agent, parameters, newborn(agent, parameters, 2), senses(3), reward=-1.0)
    rich = live(agent, parameters, newborn(agent, parameters, 2), senses(3), reward=1.0)
    live(agent, parameters, state, senses(5, seed=2))
    later = live(agent, parameters, state, senses(3), reward=1.0)
    assert np.abs(poor - rich).max() > 1e-3
    assert np.abs(later - rich).max() > 1e-3


@pytest.mark.parametrize("granularity", ["synapse", "neuron", "layer"])
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize(
    ("every", "window", "forget"), [(1, 1, None), (1, 4, 0.1), (3, 1, 0.2), (3, 4, None)]
)
def test_hebbian_life_equals_the_rule_computed_by_hand(
    granularity, normalise, every, window, forget
):
    agent, parameters, state = brain(
        "hebbian",
        hidden=[5],
        granularity=granularity,
        max_normalisation=normalise,
        update_every=every,
        window=window,
        forget_tau_s=forget,
        shake=3.0,
    )
    observations, layers = senses(20), [(5, SENSES), (MOTORS, 5)]
    owners = {"synapse": layers, "neuron": [(5, 1), (MOTORS, 1)], "layer": [(1, 1), (1, 1)]}
    weights = cut(parameters["weights"][0].astype(np.float64), layers)
    biases = cut(parameters["biases"][0], [(5,), (MOTORS,)])
    rules = cut(parameters["coefficients"][0], [(5, *owner) for owner in owners[granularity]])
    expected = []

    def normalised(weight):
        return weight / np.abs(weight).max() if normalise else weight

    weights, lived = [normalised(weight) for weight in weights], []
    birth, kept = list(weights), np.exp(-every * STEP_S / forget) if forget else 1.0
    for step, x in enumerate(observations[:, 0].astype(np.float64), start=1):
        lived.append([x])
        for weight, bias in zip(weights, biases, strict=True):
            lived[-1].append(np.tanh(weight @ lived[-1][-1] + bias))
        expected.append(lived[-1][-1])
        if step % every == 0:
            means = [np.mean(units, axis=0) for units in zip(*lived[-window:], strict=True)]
            for k, (eta, a, b, c, d) in enumerate(rules):
                pre, post = means[k], means[k + 1]
                hebb = a * np.outer(post, pre) + b * pre[None] + c * post[:, None] + d
                changed = weights[k] + every * STEP_S * eta * hebb
                weights[k] = normalised(birth[k] + kept * (np.clip(changed, -4, 4) - birth[k]))
    actions = live(agent, parameters, state, observations)
    np.testing.assert_allclose(actions[:, 0], expected, atol=1e-4)
    assert isinstance(agent, Hebbian)
    for k, weight in enumerate(weights):
        layer = agent.layer(state.weights, k)
        np.testing.assert_allclose(layer[0], weight, atol=1e-4)


@pytest.mark.parametrize("slow", [{}, {"update_every": 3, "window": 4}])
def test_hebbian_weights_freeze_by_feedback_and_by_switch(slow):
    agent, parameters, state = brain("hebbian", **slow)
    live(agent, parameters, state, senses(5))
    before = state.weights.copy()
    live(agent, parameters, state, senses(5), plastic=False)
    np.testing.assert_array_equal(state.weights, before)
    state.weights_plastic[0] = False
    live(agent, parameters, state, senses(5))
    assert (state.weights == before).all(axis=1).tolist() == [True, False]


@pytest.mark.parametrize("kind", ["hebbian", "spiking"])
def test_a_rule_that_updates_more_rarely_is_no_slower(kind):
    """D alone, which sees no activity, changes weights by η D t."""
    for every in (1, 4):
        hidden = [5] if kind == "hebbian" else 5
        agent, _, _ = brain(kind, hidden=hidden, granularity="layer", update_every=every)
        genes = agent.genome.split(np.zeros((2, agent.genome.size)))
        for name, block in genes.items():
            block[:] = {"eta": 2.0, "D": 0.3}.get(name.split(".")[1], 0.0)
        scales = {gene.name: gene.scale for gene in agent.genome.genes}
        flat = [genes[name].reshape(2, -1) / scale for name, scale in scales.items()]
        parameters = agent.express(np.concatenate(flat, axis=1))
        state = newborn(agent, parameters, 2)
        live(agent, parameters, state, senses(12))
        weights = state.weights if kind == "hebbian" else state.readout_weight
        np.testing.assert_allclose(weights, 12 * STEP_S * 2.0 * 0.3, rtol=1e-5)


def test_hebbian_remembers_activity_while_its_weights_are_frozen():
    agent, parameters, state = brain("hebbian", update_every=1, window=4, shake=3.0)
    observations = senses(12)
    live(agent, parameters, state, observations[:11], plastic=False)
    live(agent, parameters, state, observations[11:])
    assert isinstance(agent, Hebbian)
    x = observations[-4:, 0].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(state.activity[0, :, :SENSES].mean(axis=0), x, atol=1e-6)
    assert not np.array_equal(state.weights, parameters["weights"])


def test_static_twin_of_hebbian_is_the_mlp_with_the_same_weights():
    plastic = make_agent("hebbian", SENSES, MOTORS)
    static, mlp = (
        make_agent("hebbian", SENSES, MOTORS, rule="none"),
        make_agent("mlp", SENSES, MOTORS),
    )
    genome = plastic.genome.initial(np.random.default_rng(0))[None, : static.genome.size]
    one, two = (
        live(agent, (p := agent.express(genome)), newborn(agent, p, 1), senses(10, 1))
        for agent in (static, mlp)
    )
    np.testing.assert_array_equal(one, two)


def test_random_innate_weights_come_from_each_life_s_own_stream():
    agent, parameters, state = brain("hebbian", innate="random", innate_range=0.2)
    again = newborn(agent, parameters, 2)
    other = newborn(agent, parameters, 2, first=1)
    assert "layer_0.weight" not in {gene.name for gene in agent.genome.genes}
    assert 0.19 < np.abs(state.weights).max() <= 0.2
    np.testing.assert_array_equal(state.weights, again.weights)
    np.testing.assert_array_equal(state.weights[1], other.weights[0])
    assert not np.array_equal(state.weights[0], state.weights[1])
