"""Claims about OpenAI-ES: its ranks, its gradient, its steps and their schedules."""

import numpy as np
import pytest
from searches import search

from robolearn.learning.strategies import centred_ranks, make_strategy
from robolearn.learning.strategies.openai_es import smoothed_gradient
from robolearn.learning.strategies.optimizers import adam

SIZE = 20


def test_centred_ranks_are_spaced_evenly_with_ties_averaged():
    np.testing.assert_allclose(centred_ranks(np.array([10.0, -3, 5])), [0.5, -0.5, 0])
    np.testing.assert_allclose(centred_ranks(np.array([1.0, 2, 2, 2, 9])), [-0.5, 0, 0, 0, 0.5])
    np.testing.assert_allclose(
        centred_ranks(np.array([np.nan, 1, np.nan, 2, 3])), [-0.375, 0, -0.375, 0.25, 0.5]
    )
    ranks = centred_ranks(np.random.default_rng(0).integers(0, 5, 30))
    assert ranks.sum() == pytest.approx(0, abs=1e-12)


def test_smoothed_gradient_points_up_a_linear_function():
    rng = np.random.default_rng(0)
    slope = rng.standard_normal(SIZE)
    noise = rng.standard_normal((100_000, SIZE), dtype=np.float32)
    height = np.concatenate([noise, -noise]) @ slope * 0.1
    # Of the raw height, f = slope . x, the estimate is the slope itself.
    np.testing.assert_allclose(smoothed_gradient(height, noise, 0.1), slope, atol=0.06)
    # Of the ranks, it is parallel to the slope.
    estimate = smoothed_gradient(centred_ranks(height), noise, 0.1)
    assert estimate @ slope / np.linalg.norm(estimate) / np.linalg.norm(slope) > 0.99


def test_plain_step_of_openai_es_follows_the_slope_and_the_penalty():
    slope = np.linspace(-1, 1, SIZE)
    hyper = {"population": 20_000, "optimizer": "sgd", "learning_rate": 0.1}
    still = make_strategy("openai_es", np.ones(SIZE), 0, weight_decay=0.0, **hyper)
    decaying = make_strategy("openai_es", np.ones(SIZE), 0, weight_decay=0.5, **hyper)
    step = search(still, lambda x: x @ slope, 1) - 1
    assert step @ slope / np.linalg.norm(step) / np.linalg.norm(slope) > 0.99
    penalised = search(decaying, lambda x: x @ slope, 1) - 1
    np.testing.assert_allclose(penalised - step, np.full(SIZE, -0.1 * 0.5), rtol=1e-9)


def test_openai_es_decays_sigma_and_learning_rate_to_their_floors():
    hyper = {"sigma": 0.1, "sigma_decay": 0.5, "sigma_floor": 0.03, "learning_rate_decay": 0.5}
    strategy = make_strategy("openai_es", np.zeros(4000), 0, learning_rate=0.2, **hyper)
    spread, steps = [], []
    for _ in range(4):
        before = strategy.mean
        genomes = strategy.ask()
        spread.append((genomes - before).std())
        strategy.tell(genomes[:, 0])
        steps.append(np.abs(strategy.mean - before).max())
    np.testing.assert_allclose(spread, [0.1, 0.05, 0.03, 0.03], rtol=0.02)
    assert steps[0] == pytest.approx(0.2, rel=1e-3)  # Adam's first step is the learning rate


def test_adam_takes_the_steps_worked_by_hand():
    step, first, second = adam(
        np.array([2.0, -1]), np.zeros(2), np.zeros(2), step=1, learning_rate=0.1
    )
    np.testing.assert_allclose(step, [0.1, -0.1])
    step, first, second = adam(np.array([0.0, -1]), first, second, step=2, learning_rate=0.1)
    np.testing.assert_allclose(first, [0.18, -0.19])
    np.testing.assert_allclose(second, [0.003996, 0.001999])
    # (0.18 / 0.19) / sqrt(0.003996 / 0.001999) = 0.67006
    np.testing.assert_allclose(step, [0.067006, -0.1], rtol=1e-4)
