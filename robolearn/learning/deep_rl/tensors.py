"""All tensors of an algorithm of stable-baselines3 as named arrays, and back; never a pickle."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

Arrays = dict[str, NDArray[Any]]


def to_arrays(algorithm: BaseAlgorithm) -> Arrays:
    """Return copies of policy, critics and the moments of their optimisers by name.

    `policy/<parameter>`, `<optimiser>/<index>/<moment>`, and single tensors by their own name.
    """
    arrays: Arrays = {}
    for name, content in algorithm.get_parameters().items():
        if _is_optimiser(content):
            for index, moments in content["state"].items():
                for moment, tensor in moments.items():
                    arrays[f"{name}/{index}/{moment}"] = _array(tensor)
        else:
            for parameter, tensor in content.items():
                arrays[f"{name}/{parameter}"] = _array(tensor)
    return arrays | {name: _array(getattr(algorithm, name)) for name in _single(algorithm)}


def from_arrays(algorithm: BaseAlgorithm, arrays: Arrays) -> None:
    """Put what `to_arrays` returned into an algorithm of the same config.

    Raises:
        KeyError: an array is missing.
        ValueError: it has another shape.
    """
    for name in _single(algorithm):
        getattr(algorithm, name).data.copy_(torch.from_numpy(arrays[name]))
    contents: dict[str, Any] = {}
    for name, content in algorithm.get_parameters().items():
        prefix = f"{name}/"
        own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        if _is_optimiser(content):
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in own.items():
                index, moment = key.split("/")
                state.setdefault(int(index), {})[moment] = torch.tensor(value)
            contents[name] = {**content, "state": state}
        else:
            for parameter, tensor in content.items():
                if own[parameter].shape != tuple(tensor.shape):
                    raise ValueError(
                        f"{prefix}{parameter} has shape {own[parameter].shape}, "
                        f"expected {tuple(tensor.shape)}"
                    )
            contents[name] = {parameter: torch.tensor(own[parameter]) for parameter in content}
    algorithm.set_parameters(contents, exact_match=True, device="cpu")


def _is_optimiser(content: dict[str, Any]) -> bool:
    return "param_groups" in content


def _single(algorithm: BaseAlgorithm) -> list[str]:
    """Return the names of the tensors that stand alone, such as the temperature of SAC."""
    return list(algorithm._get_torch_save_params()[1])


def _array(tensor: Any) -> NDArray[Any]:
    return np.array(tensor.detach().cpu().numpy())
