"""From a policy of stable-baselines3 to the genome of a brain."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import nn

from robolearn.agents.protocol import Genome


def actor_genome(
    layout: Genome, algorithm: BaseAlgorithm, others: dict[str, NDArray[Any]]
) -> NDArray[np.float32]:
    """Return the genome (g,) of a brain that acts as the algorithm's policy does without noise.

    Args:
        layout: of a brain with the same layers, of the kind that the algorithm trains.
        algorithm: PPO, RecurrentPPO, SAC or TD3.
        others: the genes that are not the algorithm's, such as its normaliser's.

    Raises:
        ValueError: a layer has another shape, or is none that a brain has.
    """
    return pack(layout, {**others, **actor_parameters(algorithm)})


def actor_parameters(algorithm: BaseAlgorithm) -> dict[str, NDArray[np.float32]]:
    """Return weights and biases of the algorithm's actor by the names of their genes.

    Raises:
        ValueError: the actor has parts that a brain lacks.
    """
    policy: Any = algorithm.policy
    parameters = {}
    if hasattr(policy, "lstm_actor"):
        lstm = policy.lstm_actor
        parameters["lstm.input_weight"] = _array(lstm.weight_ih_l0)
        parameters["lstm.recurrent_weight"] = _array(lstm.weight_hh_l0)
        parameters["lstm.bias"] = _array(lstm.bias_ih_l0) + _array(lstm.bias_hh_l0)
    for number, layer in enumerate(_linear_layers(policy)):
        parameters[f"layer_{number}.weight"] = _array(layer.weight)
        parameters[f"layer_{number}.bias"] = _array(layer.bias)
    return parameters


def pack(layout: Genome, parameters: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return the genome (g,) that `layout.split` cuts into these parameters.

    Raises:
        ValueError: a parameter is missing, unknown, or of another shape.
    """
    names = [gene.name for gene in layout.genes]
    if sorted(names) != sorted(parameters):
        raise ValueError(f"expected the parameters {sorted(names)}, got {sorted(parameters)}")
    parts = []
    for gene in layout.genes:
        value = np.asarray(parameters[gene.name], np.float64)
        if value.shape != gene.shape:
            raise ValueError(f"{gene.name} has shape {value.shape}, expected {gene.shape}")
        parts.append(value.ravel() / gene.scale)
    return np.concatenate(parts).astype(np.float32)


def _linear_layers(policy: Any) -> list[nn.Linear]:
    """Return the actor's layers from input to output."""
    if hasattr(policy, "action_net"):  # PPO
        blocks = [policy.mlp_extractor.policy_net, policy.action_net]
    elif hasattr(policy.actor, "latent_pi"):  # SAC, whose second head is the exploration's
        blocks = [policy.actor.latent_pi, policy.actor.mu]
    else:  # TD3
        blocks = [policy.actor.mu]
    parts = [part for block in blocks for part in block.modules()]
    for part in parts:
        if not isinstance(part, nn.Sequential | nn.Linear | nn.Tanh | nn.ReLU):
            raise ValueError(f"the actor has a part {type(part).__name__} (valid: Tanh, ReLU)")
    return [part for part in parts if isinstance(part, nn.Linear)]


def _array(tensor: Any) -> NDArray[np.float32]:
    return tensor.detach().cpu().numpy()
