"""All tensors of an algorithm or a module of torch as named arrays, and back; never a pickle."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

Arrays = dict[str, NDArray[Any]]
# Name -> what `state_dict` returns.
States = dict[str, dict[str, Any]]


def to_arrays(algorithm: BaseAlgorithm) -> Arrays:
    """Return copies of policy, critics and the moments of their optimisers by name.

    As `states_to_arrays` names them, and single tensors by their own name.
    """
    arrays = states_to_arrays(algorithm.get_parameters())
    return arrays | {name: _array(getattr(algorithm, name)) for name in _single(algorithm)}


def from_arrays(algorithm: BaseAlgorithm, arrays: Arrays) -> None:
    """Put what `to_arrays` returned into an algorithm of the same config.

    Raises:
        KeyError: an array is missing.
        ValueError: it has another shape.
    """
    for name in _single(algorithm):
        getattr(algorithm, name).data.copy_(torch.from_numpy(arrays[name]))
    states: Any = arrays_to_states(arrays, algorithm.get_parameters())
    algorithm.set_parameters(states, exact_match=True, device="cpu")


def states_to_arrays(states: States) -> Arrays:
    """Return copies of the tensors of state dicts of modules and optimisers by name.

    `<module>/<parameter>` and `<optimiser>/<index>/<moment>`.
    """
    arrays: Arrays = {}
    for name, state in states.items():
        if _is_optimiser(state):
            for index, moments in state["state"].items():
                for moment, tensor in moments.items():
                    arrays[f"{name}/{index}/{moment}"] = _array(tensor)
        else:
            for parameter, tensor in state.items():
                arrays[f"{name}/{parameter}"] = _array(tensor)
    return arrays


def arrays_to_states(arrays: Arrays, like: States) -> States:
    """Return the state dicts of which `states_to_arrays` made these arrays.

    Args:
        arrays: all of them, and perhaps others.
        like: state dicts with the same names, shapes and options.

    Raises:
        KeyError: an array is missing.
        ValueError: it has another shape.
    """
    states: States = {}
    for name, old in like.items():
        prefix = f"{name}/"
        own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        if _is_optimiser(old):
            moments: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in own.items():
                index, moment = key.split("/")
                moments.setdefault(int(index), {})[moment] = torch.tensor(value)
            states[name] = {**old, "state": moments}
        else:
            for parameter, tensor in old.items():
                if own[parameter].shape != tuple(tensor.shape):
                    raise ValueError(
                        f"{prefix}{parameter} has shape {own[parameter].shape}, "
                        f"expected {tuple(tensor.shape)}"
                    )
            states[name] = {parameter: torch.tensor(own[parameter]) for parameter in old}
    return states


def _is_optimiser(content: dict[str, Any]) -> bool:
    return "param_groups" in content


def _single(algorithm: BaseAlgorithm) -> list[str]:
    """Return the names of the tensors that stand alone, such as the temperature of SAC."""
    return list(algorithm._get_torch_save_params()[1])


def _array(tensor: Any) -> NDArray[Any]:
    return np.array(tensor.detach().cpu().numpy())
