"""Deep RL: the algorithms of stable-baselines3 as learners of brains, by name.

What is here loads quickly; `robolearn.learning.deep_rl.learner` loads torch.
"""

from robolearn.learning.deep_rl.hyperparameters import (
    PPOConfig,
    RecurrentPPOConfig,
    RMAConfig,
    SACConfig,
    TD3Config,
)

DeepRLConfig = PPOConfig | RecurrentPPOConfig | RMAConfig | SACConfig | TD3Config

LEARNERS: dict[str, type[DeepRLConfig]] = {
    "ppo": PPOConfig,
    "recurrent_ppo": RecurrentPPOConfig,
    "rma": RMAConfig,
    "sac": SACConfig,
    "td3": TD3Config,
}
