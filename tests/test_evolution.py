"""Who meets the same lives in a generation, and what of them counts."""

import numpy as np
import pytest
from tiny_run import result_of, tiny_config

from robolearn import training
from robolearn.errors import UserError
from robolearn.learning.evolution import pair_ranks

POPULATION, LIFETIMES = 4, 2


def seeds_of_a_generation(monkeypatch: pytest.MonkeyPatch, common_lives: str) -> np.ndarray:
    """Return the seeds (population, lifetimes) that the first generation meets."""
    learning = {"population": POPULATION, "lifetimes": LIFETIMES, "common_lives": common_lives}
    learner = training._Session(tiny_config(learning=learning)).learner
    met, here = [], learner._live

    def listen(genomes, seeds, plans):
        met.append(seeds)
        return here(genomes, seeds, plans)

    monkeypatch.setattr(learner, "_live", listen)
    learner.step()
    return met[0].reshape(POPULATION, LIFETIMES)


def test_a_population_shares_its_lives_and_a_pair_its_own(monkeypatch: pytest.MonkeyPatch):
    shared = seeds_of_a_generation(monkeypatch, "population")
    assert (shared == shared[0]).all()
    assert len(np.unique(shared)) == LIFETIMES
    paired = seeds_of_a_generation(monkeypatch, "pair")
    np.testing.assert_array_equal(paired[: POPULATION // 2], paired[POPULATION // 2 :])
    assert len(np.unique(paired)) == POPULATION // 2 * LIFETIMES


def test_a_curriculum_brings_each_shift_in_its_generations(tmp_path):
    """No rewarded end is nearer than a fall, so whoever is limp from birth on falls sooner."""
    limp = {"kind": "motor_gain", "target": "all", "gain": 0.0}
    config = tiny_config(
        env={
            "id": "robolearn/Quadruped-v0",
            "life_s": 1.0,
            "shifts": [{**limp, "iterations": [1, 2]}],
        },
        agent={"kind": "mlp", "hidden": [2]},
        learning={"generations": 3, "population": POPULATION},
    )
    session = training._Session(config)
    assert not session.learner.env.schedule.planned(0)
    lived = [session.learner.step().metrics["life_steps"] for _ in range(3)]
    assert lived[1] < min(lived[0], lived[2])
    # Validation has the shifts of the last generation: none here.
    assert session.learner.validate(session.validation_env)[0].steps.min() > lived[1]


def test_the_rows_that_share_a_life_are_mirrored_genomes():
    strategy = training._Session(tiny_config(learning={"population": POPULATION})).learner.strategy
    genomes, half = strategy.ask(), POPULATION // 2
    np.testing.assert_allclose(genomes[:half] + genomes[half:] - 2 * strategy.mean, 0, atol=1e-5)


def test_a_hard_life_counts_as_much_as_an_easy_one():
    """Two pairs, two lives each: what the lives themselves are worth changes no fitness."""
    better = np.array([[4.0, 1.0], [-2.0, 0.5], [0.0, 0.0], [0.0, 0.0]])
    fitness = pair_ranks(better)
    np.testing.assert_allclose(fitness[:2], -fitness[2:])
    assert fitness[0] > 0 > fitness[1]  # by 4 and 1, and by -2 and .5, of which the loss is greater
    worth = np.array([[100.0, -30.0], [7.0, 0.0]])
    np.testing.assert_allclose(pair_ranks(better + np.tile(worth, (2, 1))), fitness)


def test_a_strategy_that_needs_more_than_pairs_is_refused():
    with pytest.raises(UserError, match=r"learning\.common_lives = 'pair': only openai_es"):
        training._Session(tiny_config(learning={"kind": "pgpe", "common_lives": "pair"}))


def test_a_run_of_pairs_gives_equal_bits_when_run_again(tmp_path):
    for name in ("one", "other"):
        config = tiny_config(learning={"lifetimes": 2, "common_lives": "pair"})
        training.train(config, tmp_path / name, ["robolearn"])
    assert result_of(tmp_path / "one") == result_of(tmp_path / "other")
