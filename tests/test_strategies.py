"""Claims about the evolution strategies: they climb, they resume in the same bits, ranks rule."""

import hashlib
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from searches import search, sphere

from robolearn.errors import UserError
from robolearn.learning.strategies import (
    STRATEGIES,
    OpenAIESConfig,
    PGPEConfig,
    make_strategy,
    register,
)
from robolearn.learning.strategies.ranking import by_place
from robolearn.learning.strategies.snes import utilities
from robolearn.learning.strategies.symmetric_noise import search_rng

KINDS = [kind for kind in STRATEGIES if kind != "unchanged"]
MIRRORED = ["openai_es", "pgpe", "snes"]
SIZE = 20

# Settings with which a search settles: a fixed sigma or step would keep it jittering.
SETTLING = {
    "openai_es": {
        "population": 40,
        "learning_rate": 0.1,
        "sigma_decay": 0.99,
        "learning_rate_decay": 0.98,
        "weight_decay": 0.0,
    },
    "pgpe": {"population": 40, "sigma": 0.3, "sigma_learning_rate": 0.2},
    "snes": {"population": 40, "sigma": 0.3},
    "sep_cma_es": {"population": 40, "sigma": 0.3},
    "cma_es": {"population": 40, "sigma": 0.3},
    "genetic": {
        "population": 40,
        "parents": 8,
        "elites": 2,
        "spread": 0.3,
        "sigma": 0.3,
        "sigma_decay": 0.98,
        "sigma_floor": 0.001,
    },
}
# Hashes of six generations, of the code from before the strategies shared their bookkeeping.
GOLDEN = {
    "openai_es": "98f24c5fa979b47fd2ee1401d72d6085b95d44b894da2331beaa58eff42369f2",
    "pgpe": "18d1f705e5227fadc0e8eb304a48918808449c642cf69dc0e33d05bedcad31c6",
}


def rotated_ellipsoid(x):
    """Half-axes from 1 to 10 in length, turned away from the coordinate axes."""
    rotation, _ = np.linalg.qr(np.random.default_rng(7).standard_normal((SIZE, SIZE)))
    return -np.sum((x @ rotation) ** 2 * np.logspace(0, 2, SIZE), axis=1)


def axis_aligned_ellipsoid(x):
    """Half-axes from 1 to 32 in length, along the coordinate axes."""
    return -np.sum(x**2 * np.logspace(0, 3, SIZE), axis=1)


def thin_rotated_ellipsoid(x):
    """The same, turned away from the coordinate axes: condition number 1000."""
    rotation, _ = np.linalg.qr(np.random.default_rng(7).standard_normal((SIZE, SIZE)))
    return axis_aligned_ellipsoid(x @ rotation)


def evaluations_to(target, kind, seed, fitness, most=400):
    """Return the lives it takes until the mean loses `target` of its first loss; inf: never."""
    strategy = make_strategy(kind, np.ones(SIZE), seed, **SETTLING[kind])
    first = fitness(np.ones((1, SIZE)))[0]
    for _ in range(most):
        if fitness(search(strategy, fitness, 1)[None])[0] > first * target:
            return strategy.generation * strategy.population
    return np.inf


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fitness", "generations", "factor"),
    [(sphere, 200, 300), (rotated_ellipsoid, 400, 500)],
)
def test_search_shrinks_the_loss_by_a_stated_factor(kind, seed, fitness, generations, factor):
    start = np.ones(SIZE)
    end = search(make_strategy(kind, start, seed, **SETTLING[kind]), fitness, generations)
    assert fitness(end[None])[0] > fitness(start[None])[0] / factor


@pytest.mark.parametrize("seed", range(3))
def test_the_full_covariance_alone_masters_a_thin_rotated_ellipsoid(seed):
    most = 200
    spent = evaluations_to(1e-6, "cma_es", seed, thin_rotated_ellipsoid, most)
    assert spent < np.inf
    for kind in ("openai_es", "snes", "sep_cma_es"):
        assert evaluations_to(1e-6, kind, seed, thin_rotated_ellipsoid, most) > 1.3 * spent


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("target", [1e-3, 1e-5])
def test_separable_cma_es_outruns_openai_es_where_the_axes_are_the_coordinates(target, seed):
    separable, plain = (
        evaluations_to(target, kind, seed, axis_aligned_ellipsoid)
        for kind in ("sep_cma_es", "openai_es")
    )
    assert separable < 0.75 * plain


# Where the sums of products are fused: a processor decides, and runs resume on its like.
FUSED = {"pgpe": "17d07fd2095dc0c74e4df9ec1cd323653369e2dd3ffa7a9c72c257e4de3ae1c1"}


@pytest.mark.parametrize("kind", GOLDEN)
def test_the_bits_of_a_search_are_those_of_the_first_release(kind):
    strategy = make_strategy(kind, np.linspace(-1, 1, 7), 5, population=10)
    seen = hashlib.sha256()
    for generation in range(6):
        genomes = strategy.ask()
        fitness = -np.sum(genomes.astype(np.float64) ** 2, axis=1)
        if generation == 2:
            fitness[1] = np.nan
        strategy.tell(fitness)
        seen.update(genomes.tobytes() + strategy.mean.tobytes())
    for name, array in sorted(strategy.state().items()):
        seen.update(name.encode() + array.tobytes())
    assert seen.hexdigest() in (GOLDEN[kind], FUSED.get(kind))


def test_a_genome_too_long_for_a_full_covariance_is_refused_with_the_way_out():
    with pytest.raises(UserError, match=r"at most 2000 elements.*2001; use sep_cma_es"):
        make_strategy("cma_es", np.zeros(2001), 0)


def test_cma_es_leaves_the_global_generator_alone():
    np.random.seed(3)  # noqa: NPY002
    search(make_strategy("cma_es", np.ones(3), 0), sphere, 3)
    drawn = np.random.rand()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert drawn == np.random.rand()  # noqa: NPY002


def test_snes_has_the_published_rates_and_utilities():
    strategy = make_strategy("snes", np.zeros(100), 0)
    assert strategy.sigma_learning_rate == pytest.approx((3 + np.log(100)) / 50)
    # ln 3 - ln 1, ln 3 - ln 2, 0, 0 over their sum, less a quarter.
    raw = np.array([np.log(3), np.log(1.5), 0, 0])
    np.testing.assert_allclose(utilities(4), raw / raw.sum() - 0.25)


def test_equals_share_the_values_of_their_places():
    values = by_place(np.array([1.0, 5, 1, -np.inf]), np.array([8.0, 4, 2, 0]))
    np.testing.assert_array_equal(values, [3, 8, 3, 0])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_search_climbs_through_noise_as_large_as_the_differences_in_a_generation(kind, seed):
    rng = np.random.default_rng(seed)

    def noisy(x):
        return sphere(x) + rng.standard_normal(len(x))

    end = search(make_strategy(kind, np.ones(SIZE), seed, **SETTLING[kind]), noisy, 300)
    assert sphere(end[None])[0] > -SIZE / 10


@pytest.mark.parametrize("kind", MIRRORED)
def test_mirrored_pairs_have_the_mean_in_their_middle(kind):
    strategy = make_strategy(kind, np.linspace(-1, 1, SIZE), 0, population=10)
    genomes = strategy.ask()
    assert genomes.shape == (10, SIZE)
    assert genomes.dtype == np.float32
    np.testing.assert_allclose(
        genomes[:5] + genomes[5:], np.tile(2 * strategy.mean, (5, 1)), atol=1e-6
    )
    assert np.ptp(genomes, axis=0).min() > 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "genetic"])
def test_noise_has_the_stated_standard_deviation(kind):
    genomes = make_strategy(kind, np.zeros(500), 0, population=200, sigma=0.3).ask()
    assert genomes.std() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_asking_twice_gives_the_same_genomes_and_telling_gives_new_ones(kind):
    strategy = make_strategy(kind, np.zeros(SIZE), 0, **{**SETTLING[kind], "population": 10})
    first = strategy.ask()
    kept = first.copy()
    second = strategy.ask()
    np.testing.assert_array_equal(first, second)
    assert not np.shares_memory(first, second)
    strategy.tell(sphere(first))
    assert strategy.generation == 1
    following = strategy.ask()
    elites = strategy.config.elites if kind == "genetic" else 0
    assert not np.isclose(following[elites:], kept[elites:]).any()
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asked", [False, True])
def test_a_resumed_search_ends_in_the_bits_of_one_that_never_stopped(kind, asked):
    straight = make_strategy(kind, np.ones(SIZE), 3, **SETTLING[kind])
    search(straight, sphere, 12)

    stopped = make_strategy(kind, np.ones(SIZE), 3, **SETTLING[kind])
    search(stopped, sphere, 5)
    if asked:  # killed between ask and tell, with the fitness at hand
        genomes = stopped.ask()
    saved = stopped.state()
    search(stopped, sphere, 1)  # must not reach into the saved arrays
    resumed = make_strategy(kind, np.zeros(SIZE), 99, **SETTLING[kind])
    resumed.load_state(saved)
    if asked:
        resumed.tell(sphere(genomes))
    search(resumed, sphere, 6 if asked else 7)

    assert resumed.generation == 12
    for name, array in straight.state().items():
        np.testing.assert_array_equal(resumed.state()[name], array, err_msg=name)
    np.testing.assert_array_equal(resumed.ask(), straight.ask())


@pytest.mark.parametrize("kind", KINDS)
def test_loading_refuses_a_state_that_does_not_fit(kind):
    strategy = make_strategy(kind, np.zeros(SIZE), 0)
    with pytest.raises(ValueError, match="'mean' has shape"):
        strategy.load_state(make_strategy(kind, np.zeros(SIZE + 1), 0).state())
    with pytest.raises(ValueError, match="expected"):
        strategy.load_state({"mean": np.zeros(SIZE)})


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_and_generations_draw_different_noise(kind):
    a, b = (make_strategy(kind, np.zeros(SIZE), seed).ask() for seed in (0, 1))
    assert not np.isclose(a[1:], b[1:]).any()  # the first of a genetic one is mean0
    assert not np.isclose(
        search_rng(0, 1).standard_normal(9), search_rng(1, 0).standard_normal(9)
    ).any()


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_order_of_fitness_counts(kind):
    plain, squashed = (make_strategy(kind, np.ones(SIZE), 0) for _ in range(2))
    search(plain, sphere, 5)
    search(squashed, lambda x: np.exp(0.1 * sphere(x).astype(np.float64)) + 100, 5)
    np.testing.assert_array_equal(plain.mean, squashed.mean)


@pytest.mark.parametrize("kind", MIRRORED)
def test_a_plateau_gives_no_direction(kind):
    hyper = {"weight_decay": 0.0} if kind == "openai_es" else {}
    strategy = make_strategy(kind, np.ones(SIZE), 0, **hyper)
    np.testing.assert_array_equal(
        search(strategy, lambda x: np.full(len(x), 7.0), 3), np.ones(SIZE)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_nan_fitness_moves_the_search_as_the_worst_fitness_does(kind):
    broken, worst = (make_strategy(kind, np.ones(SIZE), 0) for _ in range(2))
    fitness = sphere(broken.ask())
    bad = fitness > np.median(fitness)  # the good half diverges
    broken.tell(np.where(bad, np.nan, fitness))
    worst.tell(np.where(bad, -1e9, fitness))
    np.testing.assert_array_equal(broken.mean, worst.mean)
    assert np.isfinite(broken.ask()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_refused_fitness_leaves_the_search_where_it_was(kind):
    strategy = make_strategy(kind, np.ones(SIZE), 0, **{**SETTLING[kind], "population": 10})
    with pytest.raises(ValueError, match="every fitness of the generation is NaN"):
        strategy.tell(np.full(10, np.nan))
    with pytest.raises(ValueError, match="expected 10 fitness values"):
        strategy.tell(np.zeros(9))
    assert strategy.generation == 0
    np.testing.assert_array_equal(strategy.mean, np.ones(SIZE))


@pytest.mark.parametrize(
    ("config", "key", "value"),
    [
        (OpenAIESConfig(), "population", 7),
        (OpenAIESConfig(), "population", 0),
        (OpenAIESConfig(), "sigma", 0.0),
        (OpenAIESConfig(), "learning_rate_decay", 1.5),
        (OpenAIESConfig(), "optimizer", "adan"),
        (PGPEConfig(), "population", 7),
        (PGPEConfig(), "max_speed", -1.0),
        (PGPEConfig(), "momentum", 1.0),
        (PGPEConfig(), "sigma_floor", 1.0),
    ],
)
def test_an_impossible_hyperparameter_is_told_by_its_name(config, key, value):
    with pytest.raises(UserError, match=key):
        replace(config, **{key: value})
    with pytest.raises(FrozenInstanceError):
        setattr(config, key, value)


def test_names_are_checked_where_they_enter():
    with pytest.raises(UserError, match="did you mean 'openai_es'"):
        make_strategy("openai-es", np.zeros(3), 0)
    with pytest.raises(UserError, match="did you mean 'sigma'"):
        make_strategy("pgpe", np.zeros(3), 0, sigm=0.1)
    with pytest.raises(UserError, match="seed: got -1"):
        make_strategy("pgpe", np.zeros(3), -1)
    with pytest.raises(ValueError, match="finite vector"):
        make_strategy("pgpe", np.array([0.0, np.nan]), 0)
    with pytest.raises(UserError, match="already registered"):
        register("pgpe", STRATEGIES["pgpe"])


def test_no_search_keeps_the_genome_and_counts():
    still = make_strategy("unchanged", np.arange(3.0), 0)
    np.testing.assert_array_equal(still.ask(), [[0.0, 1.0, 2.0]])
    still.tell(np.array([5.0]))
    resumed = make_strategy("unchanged", np.zeros(3), 0)
    resumed.load_state(still.state())
    assert resumed.generation == 1
    np.testing.assert_array_equal(resumed.mean, [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="expected 1 fitness values"):
        still.tell(np.zeros(2))
    with pytest.raises(ValueError, match="NaN"):
        still.tell(np.array([np.nan]))
