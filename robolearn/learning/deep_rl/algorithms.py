"""The algorithms of stable-baselines3 and sb3-contrib, built for the layers of a brain."""

from typing import Any

import numpy as np
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from robolearn.learning.deep_rl import (
    DeepRLConfig,
    PPOConfig,
    RecurrentPPOConfig,
    RMAConfig,
    SACConfig,
)
from robolearn.learning.deep_rl.shift_encoder import ShiftEncoder

_ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}


def make_algorithm(
    config: DeepRLConfig, brain: Any, venv: VecEnv, shift_size: int = 0
) -> BaseAlgorithm:
    """Build the algorithm of a config.

    Args:
        config: its hyperparameters.
        brain: hyperparameters of the agent whose layers the actor has.
        venv: the individuals.
        shift_size: elements at the end of an observation that tell RMA the shifts.
    """
    networks: dict[str, Any] = {"activation_fn": _ACTIVATIONS[brain.activation]}
    if isinstance(config, PPOConfig | RecurrentPPOConfig):
        networks |= {
            "net_arch": {"pi": list(brain.hidden), "vf": list(config.critic_hidden)},
            "log_std_init": config.log_std_init,
        }
        if isinstance(config, PPOConfig):
            networks["ortho_init"] = config.ortho_init
            if isinstance(config, RMAConfig):
                networks["features_extractor_class"] = ShiftEncoder
                networks["features_extractor_kwargs"] = {
                    "shift_size": shift_size,
                    "hidden": config.encoder_hidden,
                    "latent": brain.latent,
                }
            return PPO("MlpPolicy", venv, **_on_policy(config), policy_kwargs=networks)
        networks["lstm_hidden_size"] = brain.memory
        return RecurrentPPO("MlpLstmPolicy", venv, **_on_policy(config), policy_kwargs=networks)
    networks["net_arch"] = {"pi": list(brain.hidden), "qf": list(config.critic_hidden)}
    if isinstance(config, SACConfig):
        return SAC("MlpPolicy", venv, **_off_policy(config), policy_kwargs=networks)
    size = int(np.prod(venv.action_space.shape or ()))
    return TD3(
        "MlpPolicy",
        venv,
        **_off_policy(config),
        action_noise=NormalActionNoise(np.zeros(size), np.full(size, config.action_noise)),
        policy_delay=config.policy_delay,
        target_policy_noise=config.target_policy_noise,
        target_noise_clip=config.target_noise_clip,
        policy_kwargs=networks,
    )


def _on_policy(config: PPOConfig | RecurrentPPOConfig) -> dict[str, Any]:
    names = (
        "n_steps", "batch_size", "n_epochs", "learning_rate", "gamma", "gae_lambda", "clip_range",
        "ent_coef", "vf_coef", "max_grad_norm",
    )  # fmt: skip
    return {"device": "cpu", **{name: getattr(config, name) for name in names}}


def _off_policy(config: Any) -> dict[str, Any]:
    names = (
        "buffer_size", "learning_starts", "batch_size", "train_freq", "gradient_steps",
        "learning_rate", "gamma", "tau",
    )  # fmt: skip
    return {"device": "cpu", **{name: getattr(config, name) for name in names}}
