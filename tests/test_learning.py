"""Learning itself, in a short form: walkers must come out of the recipes that are shipped."""

import numpy as np
import pytest

from robolearn.config import load_config
from robolearn.learning.evolution import TEST, life_seeds
from robolearn.lifetime import live
from robolearn.training import train
from robolearn.zoo import build_agent, load_trained, make_env

SHORT = ["learning.generations=20", "env.life_s=5", "tracking.wandb=off", "seed=2"]
TEST_LIVES = 8


def speed(config, genome):
    """Return the mean speed of ten-second lives of a genome, falls included, in m/s."""
    env = make_env(config, TEST_LIVES)
    agent = build_agent(config, env)
    parameters = agent.express(np.repeat(genome[None], TEST_LIVES, axis=0))
    return live(env, agent, parameters, life_seeds(0, TEST, 0, TEST_LIVES)).mean_performance.mean()


@pytest.mark.slow
def test_half_a_quickstart_walks_and_it_is_the_spikes_that_walk(tmp_path):
    config = load_config("quickstart", SHORT)
    silenced = load_config("quickstart", [*SHORT, "agent.silence_hidden=true"])
    train(config, tmp_path / "run", ["robolearn", "train", "quickstart"])
    genome = load_trained(tmp_path / "run").genome
    assert speed(config, genome) > 0.2
    assert abs(speed(silenced, genome)) < 0.05
