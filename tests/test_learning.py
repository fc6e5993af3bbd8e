"""Learning itself, in a short form: walkers must come out of the recipes that are shipped."""

import numpy as np
import pytest

from robolearn.agents.registry import make_agent
from robolearn.config import load_config
from robolearn.learning.evolution import TEST, life_seeds
from robolearn.lifetime import live
from robolearn.training import train
from robolearn.zoo import load_trained, make_env

SHORT = ["learning.generations=60", "env.life_s=5", "tracking.wandb=off", "seed=2"]
TEST_LIVES = 8


def speed(trained, agent):
    """Return the mean speed of ten-second lives, falls included, in m/s."""
    env = make_env(trained.config, TEST_LIVES)
    parameters = trained.agent.express(np.repeat(trained.genome[None], TEST_LIVES, axis=0))
    lives = live(env, agent, parameters, life_seeds(0, TEST, 0, TEST_LIVES))
    return lives.mean_performance.mean()


@pytest.mark.slow
def test_half_a_quickstart_walks_and_it_is_the_spikes_that_walk(tmp_path):
    config = load_config("quickstart", SHORT)
    train(config, tmp_path / "run", ["robolearn", "train", "quickstart"])
    trained = load_trained(tmp_path / "run")
    agent = trained.agent
    silenced = make_agent(
        agent.kind,
        agent.observation_size,
        agent.action_size,
        **{**config.agent.hyper, "silence_hidden": True},
    )
    assert speed(trained, agent) > 0.2
    assert abs(speed(trained, silenced)) < 0.05
