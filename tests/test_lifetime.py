"""Lives: brains of any kind in any body, told as sums that agree with the rewards."""

import numpy as np
import pytest

from robolearn.agents.registry import make_agent
from robolearn.envs.vector_env import RobotVectorEnv, env_ids
from robolearn.lifetime import live


@pytest.mark.parametrize("name", sorted(env_ids().values()))
def test_the_terms_of_a_life_add_up_to_its_reward_in_every_env(name: str):
    env = RobotVectorEnv(name, 3, max_episode_steps=120, autoreset_mode="Disabled")
    task = env.task
    agent = make_agent("mlp", task.observation_size, task.action_size, task.observation_scale)
    genomes = np.stack([agent.genome.initial(np.random.default_rng(i)) for i in range(3)])
    lives = live(env, agent, agent.express(genomes), [1, 2, 3])
    assert lives.total_reward.any()
    assert list(lives.reward_terms) == list(env.world.definition["rewards"])
    np.testing.assert_allclose(sum(lives.reward_terms.values()), lives.total_reward, atol=1e-9)
