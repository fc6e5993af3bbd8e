"""Genes of the plastic families: coefficients of low rank, the speed of a rule, unit dynamics."""

import numpy as np
import pytest

from robolearn.agents.genes import expand
from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent

SENSES, MOTORS, RANK = 7, 4, 2
KINDS = {
    "hebbian": ("hebbian", {"hidden": [6]}),
    "spiking": ("spiking", {"hidden": 6}),
    "stdp": ("spiking", {"hidden": 6, "rule": "stdp"}),
}


def make(kind, **hyper):
    name, own = KINDS[kind]
    return make_agent(name, SENSES, MOTORS, **own, **hyper)


def first_genomes(agent, n, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([agent.genome.initial(rng) for _ in range(n)])


def coefficients(agent, genomes):
    """Return (n, c), the coefficients of all layers."""
    parameters = agent.express(genomes)
    blocks = [value for name, value in parameters.items() if name.endswith("coefficients")]
    return np.concatenate([block.reshape(len(genomes), -1) for block in blocks], axis=1)


def live(agent, genomes, steps=15):
    n, rng = len(genomes), np.random.default_rng(1)
    parameters, state = agent.express(genomes), agent.new_state(n)
    agent.reset(parameters, state, np.arange(n), [np.random.default_rng(i) for i in range(n)])
    senses = rng.standard_normal((steps, n, SENSES)).astype(np.float32)
    return np.stack([agent.act(parameters, state, x, Feedback.first(n)) for x in senses])


def test_low_rank_is_the_sum_of_outer_products():
    rng = np.random.default_rng(0)
    post, pre = rng.standard_normal((3, 6, RANK)), rng.standard_normal((3, RANK, SENSES))
    product = expand({"A.post": post.astype(np.float32), "A.pre": pre.astype(np.float32)}, "A")
    for row in range(3):
        written_out = sum(np.outer(post[row, :, k], pre[row, k]) for k in range(RANK))
        np.testing.assert_allclose(product[row], written_out, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_full_rank_expresses_any_coefficients_of_synapses(kind):
    synapse = make(kind, granularity="synapse")
    low_rank = make(kind, granularity="low_rank", rank=6)  # at least min(post, pre) of both layers
    genomes = first_genomes(synapse, 2) + np.random.default_rng(2).standard_normal(
        (2, synapse.genome.size)
    )
    wanted, same = synapse.genome.split(genomes), {}
    for gene in low_rank.genome.genes:
        name, side = gene.name.rsplit(".", 1)
        if side not in ("post", "pre"):
            same[gene.name] = wanted[gene.name]
            continue
        matrix = wanted[name]  # (n, post, pre) = U V with U or V the identity, filled with zeros
        whole = "post" if matrix.shape[2] <= 6 else "pre"
        factor = matrix if side == whole else np.eye(max(gene.shape))[None].repeat(2, axis=0)
        same[gene.name] = np.zeros((2, *gene.shape))
        rows, columns = (min(a, b) for a, b in zip(gene.shape, factor.shape[1:], strict=True))
        same[gene.name][:, :rows, :columns] = factor[:, :rows, :columns]
    built = [same[g.name].reshape(2, -1) / g.scale for g in low_rank.genome.genes]
    product = np.concatenate(built, axis=1)
    np.testing.assert_allclose(
        coefficients(low_rank, product), coefficients(synapse, genomes), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(live(low_rank, product), live(synapse, genomes), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_low_rank_begins_as_close_to_zero_as_synapses_and_no_gene_is_without_effect(kind):
    synapse = make(kind, granularity="synapse")
    low_rank = make(kind, granularity="low_rank", rank=RANK)
    small = coefficients(synapse, first_genomes(synapse, 400)).std(axis=0)
    product = coefficients(low_rank, first_genomes(low_rank, 400)).std(axis=0)
    np.testing.assert_allclose(product, small, rtol=0.35)
    first = first_genomes(low_rank, 1)
    start = 0
    for gene in low_rank.genome.genes:
        if gene.name.endswith((".post", ".pre")):
            for element in range(gene.size):
                moved = first.copy()
                moved[0, start + element] += 0.1
                assert (coefficients(low_rank, moved) != coefficients(low_rank, first)).any()
        start += gene.size


@pytest.mark.parametrize("rank", [1, 4])
def test_a_step_of_search_moves_coefficients_of_low_rank_as_far_as_those_of_synapses(rank):
    def moved(agent):
        """Return the root mean square of the change by layer and coefficient, but for η."""
        first = first_genomes(agent, 400)
        step = 0.1 * np.random.default_rng(3).standard_normal(first.shape)
        change = coefficients(agent, first + step) - coefficients(agent, first)
        layers = np.split(change, [5 * 6 * SENSES], axis=1)
        return [
            np.sqrt(np.mean(np.square(layer.reshape(400, 5, -1)[:, 1:]), axis=(0, 2)))
            for layer in layers
        ]

    one = moved(make("hebbian", granularity="synapse"))
    other = moved(make("hebbian", granularity="low_rank", rank=rank))
    for expected, found in zip(one, other, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("granularity", ["synapse", "neuron", "layer"])
def test_the_speed_of_a_rule_scales_its_coefficients_but_not_its_rate(kind, granularity):
    slow = make(kind, granularity=granularity)
    fast = make(kind, granularity=granularity, rule_speed=20.0)
    innate = ("weight", "bias", "eta")
    for one, other in zip(slow.genome.genes, fast.genome.genes, strict=True):
        factor = 1.0 if one.name.endswith(innate) else 200.0
        assert other.scale == pytest.approx(factor * one.scale)


def spiking(**hyper):
    return make_agent("spiking", SENSES, MOTORS, hidden=5, membrane_tau_s=0.03, **hyper)


def test_dynamics_are_those_of_the_hyperparameters_until_evolution_moves_them():
    plain, evolved = spiking(), spiking(evolve_dynamics=True)
    genomes = first_genomes(evolved, 3)
    names = {gene.name for gene in plain.genome.genes}
    kept = [np.full(gene.size, gene.name in names) for gene in evolved.genome.genes]
    plain_genomes = genomes[:, np.concatenate(kept)]
    assert genomes.shape[1] - plain_genomes.shape[1] == 3 * 5
    np.testing.assert_array_equal(live(evolved, genomes), live(plain, plain_genomes))
    parameters = plain.express(plain_genomes)
    np.testing.assert_allclose(parameters["hidden.membrane_decay"], np.exp(-0.005 / 0.03))
    np.testing.assert_allclose(parameters["hidden.readout_decay"], np.exp(-0.005 / 0.04))
    np.testing.assert_array_equal(parameters["hidden.threshold"], 1.0)


@pytest.mark.parametrize(
    ("name", "value"), [("membrane_tau", 0.03), ("readout_tau", 0.04), ("threshold", 1.0)]
)
def test_each_gene_of_the_dynamics_moves_its_own_value_within_a_factor_of_four(name, value):
    agent = spiking(evolve_dynamics=True)

    def expressed(search):
        genomes, start = np.zeros((1, agent.genome.size)), 0
        for gene in agent.genome.genes:
            if gene.name == f"hidden.{name}":
                genomes[0, start : start + gene.size] = search
            start += gene.size
        p = {key: array[0].astype(np.float64) for key, array in agent.express(genomes).items()}
        return {
            "membrane_tau": -0.005 / np.log(p["hidden.membrane_decay"]),
            "readout_tau": -0.005 / np.log(p["hidden.readout_decay"]),
            "threshold": p["hidden.threshold"],
        }

    extremes = expressed([-1e6, -1.0, 0.0, 1.0, 1e6])
    ratio = extremes.pop(name) / value
    np.testing.assert_allclose(ratio[[0, 2, 4]], [0.25, 1.0, 4.0], rtol=1e-4)
    assert 1.8 < ratio[3] < 2.2  # one unit of search about doubles
    np.testing.assert_allclose(ratio[1] * ratio[3], 1.0, rtol=1e-4)  # on a logarithmic scale
    untouched = expressed(0.0)
    for other, values in extremes.items():
        np.testing.assert_array_equal(values, untouched[other])
