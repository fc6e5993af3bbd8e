"""What every brain promises, whatever its family."""

import dataclasses

import numba
import numpy as np
import pytest

from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import kinds, make_agent
from robolearn.neurons import compilation

OBSERVATIONS, ACTIONS = 11, 3
BRAINS = {
    "mlp": ("mlp", {"hidden": [9, 5]}),
    "mlp_linear_depth": ("mlp", {"hidden": []}),
    "gru": ("gru", {"hidden": 7}),
    "hebbian": ("hebbian", {"hidden": [9, 5]}),
    "hebbian_synapse_random": (
        "hebbian",
        {"hidden": [9], "granularity": "synapse", "innate": "random", "max_normalisation": True},
    ),
    "hebbian_slow": (
        "hebbian",
        {"hidden": [9], "granularity": "low_rank", "rank": 2, "update_every": 3, "window": 4},
    ),
    "hebbian_forgetful": (
        "hebbian",
        {"hidden": [9], "innate": "random", "forget_tau_s": 0.5, "rule_speed": 1.0},
    ),
    "spiking": ("spiking", {"hidden": 13, "homeostasis": True}),
    "spiking_forgetful": ("spiking", {"hidden": 13, "forget_tau_s": 0.5, "rule_speed": 1.0}),
    "spiking_slow": (
        "spiking",
        {"hidden": 13, "granularity": "low_rank", "update_every": 3, "evolve_dynamics": True},
    ),
    "spiking_synapse": ("spiking", {"hidden": 13, "granularity": "synapse"}),
    "spiking_layer": ("spiking", {"hidden": 13, "granularity": "layer", "max_normalisation": True}),
    "spiking_stdp": ("spiking", {"hidden": 13, "rule": "stdp"}),
    "reward_hebbian": ("reward_hebbian", {"reflex": [[0.1] * 12] * 3}),
    "node_perturbation": ("node_perturbation", {"hold_steps": 2}),
    "node_perturbation_critic": (
        "node_perturbation",
        {"credit": "step", "prediction": "critic", "synergies": [[1], [-1], [0.5]]},
    ),
    "node_perturbation_aim": (
        "node_perturbation",
        {"aim": [1, 4], "task_sets": 2, "surprise_rate": 0.9, "surprise_threshold": 0.01},
    ),
    "r_stdp": (
        "r_stdp",
        {"units": 3, "judgement": "step", "reflex": [[0.1] * (OBSERVATIONS + 1)] * 3},
    ),
    "spiking_static": ("spiking", {"hidden": 13, "rule": "none"}),
    "neuromodulated": ("neuromodulated", {"hidden": 9}),
    "neuromodulated_simple": (
        "neuromodulated",
        {"hidden": 9, "rule": "simple", "granularity": "synapse", "modulators": 2},
    ),
    "neuromodulated_static": ("neuromodulated", {"hidden": 9, "rule": "none"}),
    "neuromodulated_spiking": (
        "neuromodulated",
        {"hidden": 13, "neuron": "spiking", "granularity": "layer"},
    ),
    "reflex": ("mlp", {"hidden": [9], "reflex": [[0.05] * (OBSERVATIONS + 1)] * ACTIONS}),
    "policy": ("policy", {"hidden": [9]}),
    "recurrent_policy": ("recurrent_policy", {}),
    "adaptive_policy": ("adaptive_policy", {"hidden": [9], "channels": 7, "latent": 5}),
    "recurrent": ("node_perturbation_recurrent", {"units": 13, "warm_up_trials": 1}),
    "recurrent_cubed": (
        "node_perturbation_recurrent",
        {"units": 13, "warm_up_trials": 1, "trace": "cubed"},
    ),
}


@pytest.fixture(params=BRAINS, name="agent")
def _agent(request):
    kind, hyper = BRAINS[request.param]
    return make_agent(kind, OBSERVATIONS, ACTIONS, **hyper)


def genomes(agent, n, seed=0):
    """Draw n different genomes, lively enough for every rule to act."""
    rng = np.random.default_rng(seed)
    first = np.stack([agent.genome.initial(rng) for _ in range(n)])
    return first + rng.standard_normal(first.shape)


def born(agent, parameters, n, first=0):
    """Return the state of n new lives; row i draws from the stream first + i."""
    state = agent.new_state(n)
    rngs = [np.random.default_rng(first + i) for i in range(n)]
    agent.reset(parameters, state, np.arange(n), rngs)
    return state


def world(n, steps, seed=1):
    """Return observations (steps, n, o) and rewards (steps, n)."""
    rng = np.random.default_rng(seed)
    observations = rng.standard_normal((steps, n, OBSERVATIONS)).astype(np.float32)
    return observations, rng.standard_normal((steps, n)).astype(np.float32)


def live(agent, parameters, state, observations, rewards):
    """Return the actions (steps, n, a) of lives in a given world of trials of three steps."""
    actions = []
    for step, (observation, reward) in enumerate(zip(observations, rewards, strict=True)):
        feedback = Feedback.first(len(reward))
        feedback.reward = reward
        feedback.trial_end[:] = step % 3 == 2
        actions.append(agent.act(parameters, state, observation, feedback))
    return np.stack(actions)


def arrays(state):
    """Return copies of the arrays of a state by name."""
    return {f.name: getattr(state, f.name).copy() for f in dataclasses.fields(state)}


def test_every_kind_is_tried_here():
    assert {kind for kind, _ in BRAINS.values()} == set(kinds())


def test_actions_are_float32_in_range_and_differ_between_observations(agent):
    parameters = agent.express(genomes(agent, 4))
    actions = live(agent, parameters, born(agent, parameters, 4), *world(4, 30))
    assert actions.dtype == np.float32
    assert actions.shape == (30, 4, ACTIONS)
    assert np.abs(actions).max() <= 1
    assert (actions.std(axis=0) > 0).all()


def test_a_row_does_not_depend_on_its_place_or_company(agent):
    parameters = agent.express(genomes(agent, 7))
    observations, rewards = world(7, 25)
    together = live(agent, parameters, born(agent, parameters, 7), observations, rewards)
    for row in (0, 3, 6):
        alone = agent.express(genomes(agent, 7)[row : row + 1])
        state = born(agent, alone, 1, first=row)
        action = live(
            agent, alone, state, observations[:, row : row + 1], rewards[:, row : row + 1]
        )
        np.testing.assert_array_equal(action[:, 0], together[:, row])


def test_results_do_not_depend_on_the_number_of_threads(agent, monkeypatch):
    parameters = agent.express(genomes(agent, 5))
    one = live(agent, parameters, born(agent, parameters, 5), *world(5, 8))
    monkeypatch.setattr(compilation, "_NUMBERS_PER_THREAD", 1)  # all threads, however little work
    for threads in range(1, numba.get_num_threads() + 1):
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            many = live(agent, parameters, born(agent, parameters, 5), *world(5, 8))
        finally:
            numba.set_num_threads(before)
        np.testing.assert_array_equal(one, many)


def test_layout_of_the_arrays_changes_nothing(agent):
    parameters = agent.express(genomes(agent, 3))
    observations, rewards = world(3, 5)
    expected = live(agent, parameters, born(agent, parameters, 3), observations, rewards)
    strided = {name: np.asfortranarray(array) for name, array in parameters.items()}
    for array in strided.values():
        array.flags.writeable = False
    wide = np.asfortranarray(observations.astype(np.float64))
    np.testing.assert_array_equal(
        live(agent, strided, born(agent, strided, 3), wide, rewards), expected
    )


def test_the_dead_do_nothing_and_change_nothing(agent):
    parameters = agent.express(genomes(agent, 3))
    state = born(agent, parameters, 3)
    live(agent, parameters, state, *world(3, 5))
    before, feedback = arrays(state), Feedback.first(3)
    feedback.alive[1] = False
    action = agent.act(parameters, state, world(3, 1)[0][0], feedback)
    assert not action[1].any()
    assert action[[0, 2]].any(axis=1).all()
    for name, array in arrays(state).items():
        np.testing.assert_array_equal(array[1], before[name][1])


def test_a_new_life_forgets_the_old_one_and_leaves_others_alone(agent):
    parameters = agent.express(genomes(agent, 3))
    state, fresh = born(agent, parameters, 3), arrays(born(agent, parameters, 3))
    live(agent, parameters, state, *world(3, 20))
    before = arrays(state)
    agent.reset(parameters, state, np.array([1]), [np.random.default_rng(1)])
    for name, array in arrays(state).items():
        np.testing.assert_array_equal(array[1], fresh[name][1])
        np.testing.assert_array_equal(array[[0, 2]], before[name][[0, 2]])


def test_parameters_are_never_changed_by_a_life(agent):
    parameters = agent.express(genomes(agent, 3))
    before = {name: array.copy() for name, array in parameters.items()}
    live(agent, parameters, born(agent, parameters, 3), *world(3, 20))
    for name, array in parameters.items():
        np.testing.assert_array_equal(array, before[name])


def test_returned_actions_are_never_reused(agent):
    parameters = agent.express(genomes(agent, 2))
    state = born(agent, parameters, 2)
    observations, _ = world(2, 2)
    first = agent.act(parameters, state, observations[0], Feedback.first(2))
    kept = first.copy()
    second = agent.act(parameters, state, observations[1], Feedback.first(2))
    np.testing.assert_array_equal(first, kept)
    owned = [first, second, *vars(state).values()]
    assert not any(np.shares_memory(a, b) for k, a in enumerate(owned) for b in owned[k + 1 :])


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 1e300])
def test_broken_senses_do_not_break_a_brain(agent, broken):
    parameters = agent.express(genomes(agent, 2))
    state = born(agent, parameters, 2)
    observation = np.full((2, OBSERVATIONS), broken)
    feedback = Feedback.first(2)
    feedback.reward[:] = np.float32(broken) if abs(broken) < 1e30 else np.nan
    for _ in range(3):
        assert np.isfinite(agent.act(parameters, state, observation, feedback)).all()
    assert all(np.isfinite(array).all() for array in arrays(state).values())


def test_observations_are_divided_by_their_typical_magnitude(agent):
    kind, hyper = agent.kind, dataclasses.asdict(agent.hyper)
    scale = np.geomspace(0.25, 256, OBSERVATIONS, dtype=np.float64)
    scale = 2.0 ** np.round(np.log2(scale))  # powers of two divide exactly
    scaled = make_agent(kind, OBSERVATIONS, ACTIONS, scale, **hyper)
    parameters = agent.express(genomes(agent, 2))
    observations, rewards = world(2, 6)
    np.testing.assert_array_equal(
        live(scaled, parameters, born(agent, parameters, 2), observations * scale, rewards),
        live(agent, parameters, born(agent, parameters, 2), observations, rewards),
    )


# What it learns from is its own lively activity; no search begins with it.
LIVELY = {"node_perturbation_recurrent"}


def test_first_genomes_move_gently_and_hardly_change_in_ten_seconds():
    for kind in set(kinds()) - LIVELY:
        agent = make_agent(kind, 40, 12)
        rng = np.random.default_rng(0)
        parameters = agent.express(np.stack([agent.genome.initial(rng) for _ in range(32)]))
        state = born(agent, parameters, 32)
        observation = np.random.default_rng(1).standard_normal((500, 32, 40))
        actions = [agent.act(parameters, state, x, Feedback.first(32)) for x in observation]
        assert 0.02 < np.std(actions[50:]) < 0.25, kind
        for name in ("weights", "hidden_weight", "readout_weight"):
            if hasattr(state, name):
                weight = getattr(state, name)
                innate = getattr(born(agent, parameters, 32), name)
                change = np.sqrt(np.mean((weight - innate) ** 2) / np.mean(innate**2))
                assert 0 < change < 0.1, (kind, name)


def test_wrong_shapes_are_named(agent):
    parameters = agent.express(genomes(agent, 2))
    with pytest.raises(ValueError, match=r"\(2, 11\).*\(2, 12\)"):
        agent.act(parameters, born(agent, parameters, 2), np.zeros((2, 12)), Feedback.first(2))
    with pytest.raises(ValueError, match="expected genomes of shape"):
        agent.express(np.zeros((2, agent.genome.size + 1)))
