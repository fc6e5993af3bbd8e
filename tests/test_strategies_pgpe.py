"""Claims about PGPE and ClipUp: gradients of mean and spread, and what bounds them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from searches import search, sphere

from robolearn.learning.strategies import make_strategy
from robolearn.learning.strategies.optimizers import clip_up
from robolearn.learning.strategies.pgpe import symmetric_gradients


def test_pgpe_gradients_match_those_of_a_quadratic_worked_by_hand():
    # E[f] for f = b.x - a.x^2 at mean 0 is -a.sigma^2: its gradients are b and -2 a sigma, and
    # PGPE's estimates carry the factor sigma^2.
    rng = np.random.default_rng(1)
    a, b = np.linspace(0.5, 2, 5), np.linspace(-1, 1, 5)
    sigma = np.linspace(0.5, 1.5, 5)
    noise = rng.standard_normal((400_000, 5), dtype=np.float32)
    x = np.concatenate([noise, -noise]) * sigma
    of_mean, of_sigma = symmetric_gradients(x @ b - x**2 @ a, noise, sigma)
    np.testing.assert_allclose(of_mean, b * sigma**2, atol=0.02)
    np.testing.assert_allclose(of_sigma, -2 * a * sigma * sigma**2, rtol=0.05)


def test_pgpe_narrows_where_the_fitness_is_sharp_and_not_where_it_is_flat():
    strategy = make_strategy("pgpe", np.zeros(2), 0, population=200, sigma=1.0)
    search(strategy, lambda x: -(x[:, 0] ** 2), 60)
    sharp, flat = strategy.state()["sigma"]
    assert sharp < 0.3
    assert flat > 0.6


def test_pgpe_bounds_the_change_and_the_floor_of_sigma():
    strategy = make_strategy(
        "pgpe", np.zeros(3), 0, sigma_learning_rate=100.0, sigma_max_change=0.2, sigma_floor=0.07
    )
    strategy.tell(sphere(strategy.ask()))
    np.testing.assert_allclose(strategy.state()["sigma"], 0.08)
    strategy.tell(sphere(strategy.ask()))
    np.testing.assert_allclose(strategy.state()["sigma"], 0.07)


def test_pgpe_derives_its_speeds_from_the_initial_radius():
    strategy = make_strategy("pgpe", np.zeros(100), 0, sigma=0.3)
    mean = search(strategy, lambda x: x[:, 0], 1)
    assert np.linalg.norm(mean) == pytest.approx(0.3 * 10 / 15 / 2)
    for _ in range(20):
        before = strategy.mean
        search(strategy, lambda x: x[:, 0], 1)
        assert np.linalg.norm(strategy.mean - before) <= 0.3 * 10 / 15 * (1 + 1e-12)


def test_clip_up_normalises_the_gradient_and_limits_the_speed():
    settings = {"learning_rate": 0.5, "max_speed": 0.8, "momentum": 0.9}
    velocity = clip_up(np.array([300.0, 400]), np.zeros(2), **settings)
    np.testing.assert_allclose(velocity, [0.3, 0.4])
    velocity = clip_up(np.array([3e-9, 4e-9]), velocity, **settings)
    np.testing.assert_allclose(velocity, [0.48, 0.64])  # 0.95 long, shortened to 0.8
    np.testing.assert_allclose(clip_up(np.zeros(2), velocity, **settings), [0.432, 0.576])


LONG = """
import hashlib
import numpy as np
from robolearn.learning.strategies import make_strategy
strategy = make_strategy("pgpe", np.ones(60_000), 0, population=4)
for _ in range(3):
    strategy.tell(-np.sum(strategy.ask() ** 2, axis=1))
print(hashlib.sha256(strategy.mean.tobytes()).hexdigest())
"""


def test_a_long_genome_ends_in_the_same_bits_at_any_number_of_threads():
    ends = set()
    for threads in "12":
        surroundings = {**os.environ, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-c", LONG]
        ends.add(subprocess.run(command, env=surroundings, check=True, capture_output=True).stdout)
    assert len(ends) == 1
