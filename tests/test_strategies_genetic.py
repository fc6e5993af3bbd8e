"""Claims about the genetic algorithm: it finds what has no slope, and resumes in the same bits."""

import numpy as np
import pytest
from searches import search, sphere

from robolearn.errors import UserError
from robolearn.learning.strategies import GeneticConfig, make_strategy

SIZE = 12
SETTLING = {"population": 60, "parents": 10, "sigma": 0.3, "sigma_decay": 0.97}


def make(seed=0, **hyper):
    return make_strategy("genetic", np.ones(SIZE), seed, **{**SETTLING, **hyper})


def rotated_ellipsoid(x):
    rotation, _ = np.linalg.qr(np.random.default_rng(7).standard_normal((SIZE, SIZE)))
    return -np.sum((x @ rotation) ** 2 * np.logspace(0, 1, SIZE), axis=1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fitness", [sphere, rotated_ellipsoid])
def test_search_shrinks_the_loss_a_hundredfold(fitness, seed):
    start = fitness(np.ones((1, SIZE)))[0]
    assert fitness(search(make(seed), fitness, 150)[None])[0] > start / 100


@pytest.mark.parametrize("seed", range(3))
def test_search_climbs_through_noise(seed):
    rng = np.random.default_rng(seed)
    noisy = lambda x: sphere(x) + rng.standard_normal(len(x))  # noqa: E731
    assert sphere(search(make(seed), noisy, 100)[None])[0] > -SIZE / 4


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_find_on_a_plateau_is_kept(seed):
    def needle(x):
        return (x[:, :2] < -0.5).all(axis=1).astype(float)

    found = search(make(seed, population=200), needle, 3)
    assert needle(found[None])[0] == 1


def test_first_population_is_spread_around_the_first_genome():
    genomes = make(population=4000, spread=0.7).ask()
    np.testing.assert_array_equal(genomes[0], np.ones(SIZE))
    assert abs(genomes[1:].std() - 0.7) < 0.01
    assert np.abs(genomes[1:].mean(axis=0) - 1).max() < 0.06


def test_elites_live_on_and_children_come_from_the_parents_alone():
    strategy = make(population=1000, parents=2, elites=1, sigma=0.01)
    genomes = strategy.ask()
    fitness = np.zeros(1000)
    fitness[[40, 7]] = 2, 1
    strategy.tell(fitness)
    following = strategy.ask()
    np.testing.assert_array_equal(following[0], genomes[40])
    np.testing.assert_array_equal(strategy.mean, genomes[40].astype(np.float64))
    distance = np.stack([np.abs(following[1:] - genomes[k]).max(axis=1) for k in (40, 7)])
    assert (distance.min(axis=0) < 0.06).all()
    assert 0.4 < (distance[0] < distance[1]).mean() < 0.6


def test_elites_stay_on_a_plateau():
    strategy = make()
    strategy.tell(sphere(strategy.ask()))
    elites = strategy.ask()[:4]
    strategy.tell(np.zeros(60))
    np.testing.assert_array_equal(strategy.ask()[:4], elites)


def test_mutations_have_the_stated_size_and_shrink_to_the_floor():
    strategy = make(
        sigma=0.4, sigma_decay=0.5, sigma_floor=0.1, population=2000, parents=1, elites=1
    )
    for sigma in (0.4, 0.2, 0.1, 0.1):
        assert strategy.sigma == pytest.approx(sigma)
        strategy.tell(np.r_[1.0, np.zeros(1999)])
        genomes = strategy.ask()
        assert abs((genomes[1:] - genomes[0]).std() - sigma) < 0.01


def test_nan_is_the_worst_and_the_first_of_equals_wins():
    one, two = make(), make()
    fitness = sphere(one.ask())
    broken = fitness.copy()
    fitness[5], broken[5] = -np.inf, np.nan
    one.tell(fitness)
    two.tell(broken)
    np.testing.assert_array_equal(one.ask(), two.ask())


@pytest.mark.parametrize("fitness", [np.zeros(59), np.full(60, np.nan)])
def test_refused_fitness_leaves_the_search_where_it_was(fitness):
    strategy = make()
    before = strategy.ask()
    with pytest.raises(ValueError, match="fitness"):
        strategy.tell(fitness)
    np.testing.assert_array_equal(strategy.ask(), before)
    assert strategy.generation == 0


@pytest.mark.parametrize("asked", [False, True])
def test_a_resumed_search_ends_in_the_bits_of_one_that_never_stopped(asked):
    whole, begun, resumed = make(), make(), make(seed=5)
    search(whole, sphere, 9)
    search(begun, sphere, 4)
    if asked:
        begun.ask()
    resumed.load_state(begun.state())
    assert resumed.generation == 4
    np.testing.assert_array_equal(search(resumed, sphere, 5), whole.mean)
    np.testing.assert_array_equal(resumed.ask(), whole.ask())


def test_loading_refuses_a_state_of_another_population():
    with pytest.raises(ValueError, match="genomes"):
        make().load_state(make(population=30).state())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("population", 1), ("spread", -1.0), ("sigma", 0.0), ("sigma_decay", 1.5)),
        *(("sigma_floor", -0.1), ("parents", 0), ("parents", 61), ("elites", 0), ("elites", 11)),
    ],
)
def test_an_impossible_hyperparameter_is_told_by_its_name(key, value):
    with pytest.raises(UserError, match=f"^{key}: got {value}"):
        GeneticConfig(**{**SETTLING, key: value})
