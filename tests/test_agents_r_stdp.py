"""The R-STDP network is what its card says, and it learns from reward in life."""

import dataclasses
import math

import numpy as np
import pytest

from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent
from robolearn.config import load_config
from robolearn.errors import UserError
from robolearn.lifetime import live
from robolearn.neurons.noise import normal_at, uniform_at
from robolearn.zoo import build_agent, make_env

SENSES, MOTORS = 3, 2
LEARNED = (
    "weight", "eligibility", "pre_trace", "post_trace", "threshold", "reward_sum", "prediction",
    "dopamine",
)  # fmt: skip


def brain(n, seed=0, senses=SENSES, motors=MOTORS, **hyper):
    """Return an agent, `n` expressed genomes and newborn states."""
    agent = make_agent("r_stdp", senses, motors, **hyper)
    rng = np.random.default_rng(seed)
    parameters = agent.express(np.stack([agent.genome.initial(rng) for _ in range(n)]))
    state = agent.new_state(n)
    rngs = [np.random.default_rng([seed, i]) for i in range(n)]
    agent.reset(parameters, state, np.arange(n), rngs)
    return agent, parameters, state


def feedback(n, step=1, **given):
    """Return the feedback of a world that pays at random and ends a trial every five steps."""
    out = Feedback.first(n)
    out.reward = np.random.default_rng(step).standard_normal(n).astype(np.float32)
    out.trial_end[:] = step % 5 == 4
    for name, value in given.items():
        getattr(out, name)[:] = value
    return out


def senses(steps, n, seed=1, size=SENSES):
    return np.random.default_rng(seed).standard_normal((steps, n, size)).astype(np.float32)


def copies(state):
    return {f.name: getattr(state, f.name).copy() for f in dataclasses.fields(state)}


def reference(agent, parameters, state, observations):
    """Live the first life again in float64, straight from the card, with the same random draws."""
    h, m, steps = agent.hyper, agent.hyper.units, agent.hyper.spike_steps
    dt, key = h.control_step_s / steps, state.key[0]
    w = parameters["synapse.weight"][0].astype(float)
    b = parameters["synapse.bias"][0].astype(float)
    units, inputs = w.shape
    full = h.input_rate_hz * dt
    c, pre, post = np.zeros_like(w), np.zeros(inputs), np.zeros(units)
    v, r, xi, d, total, threshold = np.zeros(units), np.zeros(units), np.zeros(units), 0.0, 0.0, 1.0
    mean = np.full(h.contexts, h.first_expectation)
    alpha, gamma = math.exp(-dt / h.membrane_tau_s), math.exp(-dt / h.rate_tau_s)
    plus, minus = math.exp(-dt / h.stdp_tau_plus_s), math.exp(-dt / h.stdp_tau_minus_s)
    rho = math.exp(-h.control_step_s / h.noise_tau_s)
    actions = []
    for t, x in enumerate(observations[:, 0].astype(float)):
        told = feedback(1, t)
        total, released = total + float(told.reward[0]) * (t > 0), 0.0  # at birth there is none
        if told.trial_end[0]:
            released = total - mean[0]
            mean[0] += h.prediction_rate * released
            total = 0.0
        d = d * math.exp(-h.control_step_s / h.dopamine_tau_s) + released
        w += h.learning_rate * h.control_step_s * c * d
        w = np.clip(w, -h.weight_bound, h.weight_bound)
        chance = np.minimum(full * np.concatenate([np.maximum(x, 0), np.maximum(-x, 0), [1]]), 1)
        fresh = np.array([normal_at(key, t * (steps + 1), i) for i in range(units)])
        xi = rho * xi + h.noise_std * math.sqrt(1 - rho**2) * fresh
        fired = 0.0
        for k in range(1, steps + 1):
            draws = [uniform_at(key, t * (steps + 1) + k, j) for j in range(inputs)]
            s = (np.array(draws) < chance).astype(float)
            v = alpha * v + (1 - alpha) * (w @ s / full + b + xi)
            z = (v >= threshold).astype(float)
            v, r, fired = v * (1 - z), gamma * r + (1 - gamma) * z, fired + z.mean() / steps
            pre = plus * pre + s
            c = c * math.exp(-dt / h.eligibility_tau_s)
            c += h.A_plus * np.outer(z, pre) - h.A_minus * np.outer(minus * post, s)
            post = minus * post + z
        threshold += h.homeostasis_rate * h.control_step_s * (fired - h.homeostasis_target_hz * dt)
        push_pull = r.reshape(MOTORS, 2, m).mean(axis=2)
        drive = h.action_per_hz / dt * (push_pull[:, 0] - push_pull[:, 1])
        learned = h.learned_limit * np.tanh(drive / h.learned_limit)
        actions.append(np.clip(np.array(h.reflex) @ [*x, 1] + learned, -1, 1))
    return np.array(actions), w, c, threshold, mean


def test_a_life_equals_the_card_computed_by_hand():
    reflex = [[0.1, -0.2, 0.05, 0.02], [-0.05, 0.1, 0.1, -0.1]]
    agent, parameters, state = brain(2, units=3, reflex=reflex)
    observations = senses(25, 2)
    newborn = dataclasses.replace(state, **copies(state))
    actions = [agent.act(parameters, state, x, feedback(2, t)) for t, x in enumerate(observations)]
    expected, weight, eligibility, threshold, mean = reference(
        agent, parameters, newborn, observations
    )
    np.testing.assert_allclose(np.stack(actions)[:, 0], expected, atol=1e-4)
    np.testing.assert_allclose(state.weight[0], weight, atol=1e-4)
    np.testing.assert_allclose(state.eligibility[0], eligibility, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(state.threshold[0], threshold, atol=1e-4)
    np.testing.assert_allclose(state.prediction[0], mean, atol=1e-5)
    assert np.abs(weight - newborn.weight[0]).max() > 0.01


def test_without_spikes_the_reflex_acts_alone():
    rows = [[0.5, 0.0, -1.0, 0.25], [0.0, 2.0, 0.0, 0.0]]
    agent, parameters, state = brain(4, first_current=-50, reflex=rows)
    for t, x in enumerate(senses(10, 4)):
        action = agent.act(parameters, state, x, feedback(4, t))
        reflex = np.clip(x @ np.array(rows)[:, :3].T + [0.25, 0], -1, 1)
        np.testing.assert_allclose(action, reflex, atol=1e-6)
    assert not state.rate.any()


@pytest.mark.parametrize(
    ("reflex", "message"),
    [
        ([[0, 0, 0, 0]], "reflex: expected 2 rows.*got 1"),
        ([[0, 0, 0, 0], [0, 0, 0]], r"reflex\[1\]: expected 4 weights.*got 3"),
        ([[0, 0, 0, "x"], [0, 0, 0, 0]], r"reflex\[0\]\[3\] = 'x'"),
    ],
)
def test_a_reflex_of_the_wrong_shape_is_named(reflex, message):
    with pytest.raises(UserError, match=message):
        make_agent("r_stdp", SENSES, MOTORS, reflex=reflex)


def test_feedback_freezes_all_that_learns_but_not_the_dynamics():
    agent, parameters, state = brain(2)
    for t, x in enumerate(senses(12, 2)):
        agent.act(parameters, state, x, feedback(2, t))
    before = copies(state)
    for t, x in enumerate(senses(13, 2, seed=4)):
        agent.act(parameters, state, x, feedback(2, t, plastic=[False, True]))
    for name, array in copies(state).items():
        is_same = (array == before[name]).reshape(2, -1).all(axis=1)
        if name == "key" or name.endswith("_plastic"):
            expected = [True, True]
        else:
            expected = [name in LEARNED, False]
        assert is_same.tolist() == expected, name


@pytest.mark.parametrize(
    ("switch", "frozen"),
    [
        ("weights_plastic", {"weight"}),
        ("thresholds_plastic", {"threshold"}),
        ("traces_plastic", set(LEARNED) - {"weight", "threshold"}),
    ],
)
def test_a_switch_freezes_what_it_names_in_its_individual_alone(switch, frozen):
    agent, parameters, state = brain(2)
    for t, x in enumerate(senses(12, 2)):
        agent.act(parameters, state, x, feedback(2, t))
    before = copies(state)
    getattr(state, switch)[0] = False
    for t, x in enumerate(senses(13, 2, seed=4)):
        agent.act(parameters, state, x, feedback(2, t))
    for name in LEARNED:
        is_same = (getattr(state, name) == before[name]).reshape(2, -1).all(axis=1)
        assert is_same.tolist() == [name in frozen, False], name


def test_without_exploration_there_is_no_noise_current():
    actions = []
    for noise_std, explore in ((0.5, True), (0.5, False), (0.0, True)):
        agent, parameters, state = brain(3, noise_std=noise_std)
        lived = [
            agent.act(parameters, state, x, feedback(3, t, explore=explore))
            for t, x in enumerate(senses(15, 3))
        ]
        actions.append(np.stack(lived))
    np.testing.assert_array_equal(actions[1], actions[2])
    assert not np.array_equal(actions[0], actions[1])


def test_dopamine_is_the_reward_of_the_trial_beyond_the_old_mean_of_its_type():
    agent, parameters, state = brain(1, contexts=2, first_expectation=0.25, prediction_rate=0.5)
    x = np.zeros((1, SENSES), np.float32)
    for reward, end in ((0.0, False), (0.5, False), (0.5, False), (1.0, True)):
        agent.act(parameters, state, x, feedback(1, reward=reward, trial_end=end, context=1))
    assert state.dopamine[0] == pytest.approx(2 - 0.25)
    np.testing.assert_allclose(state.prediction[0], [0.25, 1.125])
    # Types beyond the last share it; dopamine decays with its time constant.
    agent.act(parameters, state, x, feedback(1, reward=1.125, trial_end=True, context=9))
    hyper = agent.hyper
    left = math.exp(-hyper.control_step_s / hyper.dopamine_tau_s)
    assert state.dopamine[0] == pytest.approx(1.75 * left, rel=1e-5)
    agent.act(parameters, state, x, feedback(1, reward=np.nan, trial_end=False))
    assert state.reward_sum[0] == 0


def test_its_spikes_and_what_they_cost_worked_by_hand():
    # Every input that is driven spikes in every spike step, and so does every unit.
    agent, parameters, state = brain(2, units=5, input_rate_hz=200.0, first_current=50.0)
    agent.act(parameters, state, np.ones((2, SENSES), np.float32), feedback(2, alive=[True, False]))
    per_s = agent.hyper.spike_steps / agent.hyper.control_step_s
    units, driven = 2 * MOTORS * 5, SENSES + 1
    np.testing.assert_allclose(agent.spikes(state).per_s, [units * per_s, 0])
    np.testing.assert_allclose(agent.spikes(state).operations_per_s, [driven * units * per_s, 0])


def test_every_step_can_be_judged():
    agent, parameters, state = brain(1, judgement="step", first_expectation=0.0)
    x = np.zeros((1, SENSES), np.float32)
    agent.act(parameters, state, x, feedback(1, trial_end=False))
    agent.act(parameters, state, x, feedback(1, reward=0.5, trial_end=False))
    assert state.dopamine[0] == pytest.approx(0.5)
    assert state.prediction[0, 0] > 0


def test_a_life_begins_without_a_verdict_on_a_step_that_was_never_taken():
    agent, parameters, state = brain(1, judgement="step", first_expectation=0.5)
    agent.act(parameters, state, np.zeros((1, SENSES), np.float32), feedback(1, trial_end=False))
    assert state.dopamine[0] == 0
    assert state.prediction[0, 0] == 0.5


@pytest.mark.parametrize("first_current", [0.7, 3.0])
def test_homeostasis_brings_the_layer_to_its_target_from_both_sides(first_current):
    agent, parameters, state = brain(8, first_current=first_current, learning_rate=0.0)
    rates = []
    for t, x in enumerate(senses(400, 8)):
        agent.act(parameters, state, x, feedback(8, t))
        rates.append(state.rate.mean() / 0.005)
    target = agent.hyper.homeostasis_target_hz
    assert abs(np.mean(rates[2:5]) - target) > 10
    assert np.mean(rates[-200:]) == pytest.approx(target, rel=0.05)


def bandit(n=32, trials=120, seed=0, **hyper):
    """Return hits (n, trials): one motor, a constant sense, and a sign that pays till half time."""
    agent, parameters, state = brain(n, seed, senses=1, motors=1, **hyper)
    told, hits = Feedback.first(n), np.zeros((n, trials))
    x = np.ones((n, 1), np.float32)
    for trial in range(trials):
        wanted, mean = (1 if trial < trials // 2 else -1), np.zeros(n)
        for step in range(25):
            mean += agent.act(parameters, state, x, told)[:, 0]
            told.trial_end[:] = step == 24
            hits[:, trial] = np.sign(mean) == wanted
            told.reward = (told.trial_end * hits[:, trial]).astype(np.float32)
    return hits


def test_it_learns_a_bandit_and_its_reversal_and_does_not_without_learning():
    hits = bandit()
    assert hits[:, 40:60].mean() > 0.85
    assert hits[:, 60:63].mean() < 0.5  # it had learned the other
    assert hits[:, 100:].mean() > 0.85
    static = bandit(learning_rate=0.0)
    assert 0.2 < static[:, 40:60].mean() < 0.8
    assert 0.2 < static[:, 100:].mean() < 0.8


def tmaze(seeds, *overrides):
    """Return which trials of the recipe reached the arm that paid, (n, trials)."""
    config = load_config("tmaze_r_stdp", overrides)
    n, trials = len(seeds), config.env.parameters["trials"]
    env = make_env(config, n, config.env.life_s)
    agent = build_agent(config, env)
    births = [np.random.default_rng([seed, 9]) for seed in seeds]
    parameters = agent.express(np.stack([agent.genome.initial(rng) for rng in births]))
    hits, done = np.zeros((n, trials)), np.zeros(n, np.int64)

    def listener(moment):
        ended = np.flatnonzero(moment.infos["trial_end"] & moment.alive)
        is_paid = moment.infos["chosen"] == moment.infos["rewarded"]
        hits[ended, done[ended]] = is_paid[ended]
        done[ended] += 1

    live(env, agent, parameters, seeds, listener=listener)
    assert (done == trials).all()
    return hits


@pytest.mark.slow
def test_it_learns_the_maze_and_its_reversal():
    hits = tmaze(range(1000, 1032))
    before, after = hits[:, 20:40].mean(axis=1), hits[:, 60:80].mean(axis=1)
    told = f"{before.mean():.3f} {after.mean():.3f} {before} {after}"
    assert np.mean(before >= 0.9) >= 0.8, told
    assert np.mean(after >= 0.9) >= 0.8, told
    assert hits[:, 40:43].mean() < 0.3  # the switch came as a surprise


@pytest.mark.slow
def test_without_learning_the_reflex_has_no_side():
    hits = tmaze(range(1000, 1032), "agent.learning_rate=0")
    assert 0.3 < hits.mean() < 0.6
    assert np.mean(hits[:, 20:40].mean(axis=1) >= 0.9) < 0.3
