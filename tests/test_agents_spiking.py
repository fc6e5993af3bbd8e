"""The spiking network is what its card says."""

import math

import numpy as np
import pytest

from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent

SENSES, MOTORS, K, STEP_S = 6, 3, 4, 0.02


def brain(n, lively=3.0, seed=0, **hyper):
    """Return a small agent, `n` expressed genomes with strong coefficients, and newborn states."""
    agent = make_agent("spiking", SENSES, MOTORS, **{"hidden": 8, **hyper})
    rng = np.random.default_rng(seed)
    genomes = np.stack([agent.genome.initial(rng) for _ in range(n)])
    innate = make_agent(
        "spiking", SENSES, MOTORS, **{"hidden": 8, **hyper, "rule": "none"}
    ).genome.size
    genomes[:, innate:] += lively * rng.standard_normal(genomes[:, innate:].shape)
    parameters = agent.express(genomes)
    return agent, parameters, newborn(agent, parameters, n)


def newborn(agent, parameters, n):
    state = agent.new_state(n)
    agent.reset(parameters, state, np.arange(n), [])
    return state


def senses(steps, n, size=SENSES, seed=1):
    return np.random.default_rng(seed).standard_normal((steps, n, size)).astype(np.float32)


def live(agent, parameters, state, observations, plastic=True):
    feedback = Feedback.first(observations.shape[1])
    feedback.plastic[:] = plastic
    return np.stack([agent.act(parameters, state, x, feedback) for x in observations])


def reference(agent, parameters, observations):
    """Live the first life again in float64, straight from the card."""
    hyper, dt = agent.hyper, STEP_S / K
    h = hyper.hidden
    p = {name: array[0].astype(np.float64) for name, array in parameters.items()}
    alpha, gamma = p["hidden.membrane_decay"], p["hidden.readout_decay"]
    w, out = p["hidden.weight"].copy(), p["readout.weight"].copy()
    beta = np.where(np.arange(h) < h - round(0.5 * h), 0.0, hyper.adaptation_strength)
    v, a, r, threshold, y = *np.zeros((3, h)), p["hidden.threshold"].copy(), np.zeros(MOTORS)
    x_bar, y_bar = np.zeros(SENSES), np.zeros(MOTORS)
    plus = {"x": np.zeros(SENSES), "z": np.zeros(h)}
    minus = {"z": np.zeros(h), "y": np.zeros(MOTORS)}
    rho, slow = math.exp(-dt / hyper.adaptation_tau_s), math.exp(-STEP_S / hyper.trace_tau_s)
    late, early = math.exp(-dt / hyper.stdp_tau_plus_s), math.exp(-dt / hyper.stdp_tau_minus_s)
    actions = []
    for step, x in enumerate(observations[:, 0].astype(np.float64), start=1):
        current, fired = w @ x + p["hidden.bias"], np.zeros(h)
        for _ in range(K):
            v = alpha * v + (1 - alpha) * current
            z = (v >= threshold + beta * a).astype(float)
            v, a, r, fired = v * (1 - z), rho * a + z, gamma * r + (1 - gamma) * z, fired + z
            if hyper.rule == "stdp":
                plus = {"x": late * plus["x"] + x, "z": late * plus["z"] + z}
                up, down = p["hidden.coefficients"]
                w += up * np.outer(z, plus["x"]) - down * np.outer(early * minus["z"], x)
                up, down = p["readout.coefficients"]
                out += up * np.outer(y, plus["z"]) - down * np.outer(early * minus["y"], z)
                minus = {"z": early * minus["z"] + z, "y": early * minus["y"] + y}
        if hyper.homeostasis:
            error = fired / K - hyper.homeostasis_target
            threshold = np.maximum(threshold + hyper.homeostasis_rate * STEP_S * error, 0.1)
        y = np.tanh(out @ r + p["readout.bias"])
        if hyper.rule == "abcd":
            x_bar, y_bar = slow * x_bar + (1 - slow) * x, slow * y_bar + (1 - slow) * y
        if hyper.rule == "abcd" and step % hyper.update_every == 0:
            for weight, layer, pre, post in (
                (w, "hidden", x_bar, r),
                (out, "readout", r, y_bar),
            ):
                eta, ca, cb, cc, cd = p[f"{layer}.coefficients"]
                hebb = ca * np.outer(post, pre) + cb * pre[None] + cc * post[:, None] + cd
                weight[:] = weight + hyper.update_every * STEP_S * eta * hebb
        for weight in (w, out):
            np.clip(weight, -hyper.weight_bound, hyper.weight_bound, out=weight)
        if hyper.forget_tau_s and step % (1 if hyper.rule == "stdp" else hyper.update_every) == 0:
            since = STEP_S * (1 if hyper.rule == "stdp" else hyper.update_every)
            for weight, layer in ((w, "hidden"), (out, "readout")):
                birth = p[f"{layer}.weight"]
                weight[:] = birth + math.exp(-since / hyper.forget_tau_s) * (weight - birth)
        actions.append(y)
    return np.array(actions), w, out, threshold


def live_as_the_card_says(agent, parameters, state):
    """Live half a second and check the first life against `reference`; returns its thresholds."""
    observations = senses(25, 2)
    actions = live(agent, parameters, state, observations)
    expected, hidden, readout, threshold = reference(agent, parameters, observations)
    np.testing.assert_allclose(actions[:, 0], expected, atol=1e-4)
    np.testing.assert_allclose(state.hidden_weight[0], hidden, atol=1e-4)
    np.testing.assert_allclose(state.readout_weight[0], readout, atol=1e-4)
    np.testing.assert_allclose(state.threshold[0], threshold, atol=1e-4)
    return threshold


@pytest.mark.parametrize("rule", ["abcd", "stdp", "none"])
@pytest.mark.parametrize("granularity", ["synapse", "neuron", "layer"])
def test_a_life_equals_the_card_computed_by_hand(rule, granularity):
    agent, parameters, state = brain(
        2, rule=rule, granularity=granularity, homeostasis=True, adaptation_strength=0.2
    )
    live_as_the_card_says(agent, parameters, state)
    changed = not np.allclose(state.hidden_weight, parameters["hidden.weight"], atol=1e-4)
    assert changed == (rule != "none")


@pytest.mark.parametrize("every", [1, 3])
def test_a_life_with_evolved_dynamics_and_rare_updates_equals_the_card(every):
    agent, parameters, state = brain(
        2, update_every=every, evolve_dynamics=True, granularity="low_rank", rank=2
    )
    rng, shape = np.random.default_rng(5), (2, agent.hyper.hidden)
    parameters["hidden.membrane_decay"][:] = rng.uniform(0.4, 0.95, shape)
    parameters["hidden.readout_decay"][:] = rng.uniform(0.6, 0.97, shape)
    parameters["hidden.threshold"][:] = rng.uniform(0.5, 2.0, shape)
    state = newborn(agent, parameters, 2)
    threshold = live_as_the_card_says(agent, parameters, state)
    np.testing.assert_allclose(state.threshold[0], threshold)


@pytest.mark.parametrize("rule", ["abcd", "stdp"])
@pytest.mark.parametrize("every", [1, 3])
def test_a_life_that_forgets_equals_the_card(rule, every):
    agent, parameters, state = brain(2, rule=rule, update_every=every, forget_tau_s=0.2)
    live_as_the_card_says(agent, parameters, state)
    _, _, keeping = brain(2, rule=rule, update_every=every)
    live(
        make_agent("spiking", SENSES, MOTORS, hidden=8, rule=rule, update_every=every),
        parameters,
        keeping,
        senses(25, 2),
    )
    assert not np.allclose(keeping.hidden_weight, state.hidden_weight, atol=1e-3)


def test_a_frozen_brain_forgets_nothing():
    agent, parameters, state = brain(2, forget_tau_s=0.2)
    live(agent, parameters, state, senses(25, 2))
    learned = state.hidden_weight.copy()
    live(agent, parameters, state, senses(25, 2, seed=2), plastic=False)
    np.testing.assert_array_equal(state.hidden_weight, learned)


def test_a_rule_that_goes_on_the_same_way_moves_a_forgetful_weight_by_its_speed_times_tau():
    agent, parameters, state = brain(1, lively=0.0, forget_tau_s=0.5)
    parameters["hidden.coefficients"][:] = 0.0
    parameters["hidden.coefficients"][:, [0, 4]] = [[[1.0]], [[0.1]]]  # eta D = .1 a second
    state = newborn(agent, parameters, 1)
    live(agent, parameters, state, senses(500, 1))  # ten seconds, twenty time constants
    moved = state.hidden_weight - parameters["hidden.weight"]
    np.testing.assert_allclose(moved, 0.5 * 0.1, rtol=0.03)


@pytest.mark.parametrize("rule", ["abcd", "stdp"])
def test_a_normalised_layer_has_its_largest_weight_at_one_all_life(rule):
    agent, parameters, state = brain(3, rule=rule, max_normalisation=True)
    for weights in (state.hidden_weight, state.readout_weight):
        np.testing.assert_allclose(np.abs(weights).max(axis=(1, 2)), 1, rtol=1e-6)
    live(agent, parameters, state, senses(20, 3))
    for weights in (state.hidden_weight, state.readout_weight):
        np.testing.assert_allclose(np.abs(weights).max(axis=(1, 2)), 1, rtol=1e-6)


@pytest.mark.parametrize("size", [8, 40, 120])
def test_first_brains_fire_at_a_healthy_rate_and_move_moderately(size):
    agent = make_agent("spiking", size, 12, rule="none")
    rng = np.random.default_rng(0)
    parameters = agent.express(np.stack([agent.genome.initial(rng) for _ in range(32)]))
    state, rates, actions = newborn(agent, parameters, 32), [], []
    for x in senses(250, 32, size):
        actions.append(agent.act(parameters, state, x, Feedback.first(32)))
        rates.append(state.readout_trace.copy())
    per_unit = np.mean(rates[50:], axis=0)
    assert 0.05 < per_unit.mean() < 0.4
    assert np.mean((per_unit > 0.05) & (per_unit < 0.4)) > 0.95
    assert 0.05 < np.std(actions[50:]) < 0.2


@pytest.mark.parametrize("rule", ["abcd", "stdp", "none"])
def test_without_hidden_spikes_the_action_is_constant(rule):
    agent, parameters, state = brain(4, rule=rule, silence_hidden=True)
    actions = live(agent, parameters, state, 100 * senses(30, 4))
    np.testing.assert_array_equal(actions, np.broadcast_to(actions[0], actions.shape))
    np.testing.assert_allclose(actions[0], np.tanh(parameters["readout.bias"]), atol=1e-6)


def test_read_out_is_graded_far_beyond_spike_counts():
    agent, parameters, state = brain(1, hidden=1, rule="none")
    live(agent, parameters, state, senses(400, 1))
    traces = []
    for x in senses(400, 1, seed=2):
        agent.act(parameters, state, x, Feedback.first(1))
        traces.append(float(state.readout_trace[0, 0]))
    assert len(np.unique(np.round(traces, 4))) > 10 * (K + 1)


@pytest.mark.parametrize("rule", ["abcd", "stdp"])
def test_static_twin_has_the_first_weights_of_the_plastic_brain(rule):
    plastic = make_agent("spiking", SENSES, MOTORS, rule=rule)
    static = make_agent("spiking", SENSES, MOTORS, rule="none")
    genome = plastic.genome.initial(np.random.default_rng(3))
    np.testing.assert_array_equal(
        genome[: static.genome.size], static.genome.initial(np.random.default_rng(3))
    )
    first = plastic.express(genome[None])
    twin = static.express(genome[None, : static.genome.size])
    for name in ("hidden.weight", "hidden.bias", "readout.weight", "readout.bias"):
        np.testing.assert_array_equal(first[name], twin[name])
    one = live(plastic, first, newborn(plastic, first, 1), senses(20, 1), plastic=False)
    two = live(static, twin, newborn(static, twin, 1), senses(20, 1))
    np.testing.assert_allclose(one, two, atol=1e-6)


SWITCHES = {
    "weights_plastic": {"hidden_weight", "readout_weight"},
    "thresholds_plastic": {"threshold"},
    "traces_plastic": {"pre_trace", "hidden_post_trace", "output_trace"},
}


@pytest.mark.parametrize("rule", ["abcd", "stdp"])
@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_freezes_its_own_arrays_from_any_time_in_its_own_row(rule, switch):
    agent, parameters, state = brain(2, rule=rule, homeostasis=True)
    live(agent, parameters, state, senses(10, 2))
    getattr(state, switch)[0] = False
    before = {name: getattr(state, name).copy() for names in SWITCHES.values() for name in names}
    live(agent, parameters, state, senses(10, 2, seed=4))
    for name, array in before.items():
        same = (getattr(state, name) == array).reshape(2, -1).all(axis=1)
        assert same.tolist() == [name in SWITCHES[switch], False], name


@pytest.mark.parametrize("rule", ["abcd", "stdp"])
def test_feedback_freezes_all_that_learns_but_not_the_dynamics(rule):
    agent, parameters, state = brain(2, rule=rule, homeostasis=True)
    live(agent, parameters, state, senses(10, 2))
    learned = {name: getattr(state, name).copy() for names in SWITCHES.values() for name in names}
    dynamics = {n: getattr(state, n).copy() for n in ("potential", "adaptation", "readout_trace")}
    live(agent, parameters, state, senses(10, 2, seed=4), plastic=False)
    for name, array in learned.items():
        np.testing.assert_array_equal(getattr(state, name), array)
    for name, array in dynamics.items():
        assert not np.array_equal(getattr(state, name), array)


def test_births_do_not_touch_the_switches():
    agent, parameters, state = brain(2)
    state.weights_plastic[1] = False
    agent.reset(parameters, state, np.arange(2), [])
    assert state.weights_plastic.tolist() == [True, False]


@pytest.mark.parametrize("start", [0.3, 3.0])
def test_homeostasis_brings_the_network_to_its_target_from_both_sides(start):
    agent, parameters, state = brain(
        8, rule="none", homeostasis=True, homeostasis_rate=5.0, homeostasis_target=0.12
    )
    state.threshold[:] = start
    rates = []
    for x in senses(1500, 8):
        agent.act(parameters, state, x, Feedback.first(8))
        rates.append(state.readout_trace.mean())
    assert abs(np.mean(rates[:20]) - 0.12) > 0.05
    assert np.mean(rates[-500:]) == pytest.approx(0.12, abs=0.01)


def test_adaptive_units_fire_less_than_plain_ones():
    agent, parameters, state = brain(32, hidden=40, rule="none", adaptation_strength=0.3)
    rates = []
    for x in senses(200, 32):
        agent.act(parameters, state, x, Feedback.first(32))
        rates.append(state.readout_trace.mean(axis=0))
    plain, adaptive = np.split(np.mean(rates[50:], axis=0), 2)
    assert adaptive.mean() < 0.8 * plain.mean()
