"""How a body divides for brains of one module a leg or a side."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.inputs import inverse_scale


@dataclass(frozen=True)
class Layout:
    """Which observation elements each of L modules senses, and which action elements it drives.

    Attributes:
        inputs: (L, m) index of an observation element; o stands for a constant 1.
        input_signs: (L, m) factor of each, 0 for what a module has not.
        outputs: (L, k) index of an action element; no element has two drivers.
        output_signs: (L, k) ±1, −1 where the mirrored motor turns the other way.
    """

    inputs: NDArray[np.int64]
    input_signs: NDArray[np.float32]
    outputs: NDArray[np.int64]
    output_signs: NDArray[np.float32]


def module_scale(
    layout: Layout, input_scale: ArrayLike | None, observation_size: int
) -> NDArray[np.float32]:
    """Return the typical magnitudes (m,) of what a module senses; that of the constant is 1."""
    scale = 1.0 / inverse_scale(input_scale, observation_size)
    return np.append(scale, np.float32(1.0))[layout.inputs[0]]
