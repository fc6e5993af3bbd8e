"""What every agent checks about the arrays that come in."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.protocol import Float
from robolearn.errors import UserError


def dense(array: NDArray[Any]) -> Float:
    """Return the array as writable C-contiguous float32, itself where it is already.

    numba compiles a kernel once for each memory layout: seconds, and other bits in the results.
    """
    flags = array.flags
    if array.dtype == np.float32 and flags.c_contiguous and flags.writeable:
        return array
    # What is too large for float32 becomes inf, which the encoder bounds.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array(array, np.float32, order="C")


def read_observation(observation: NDArray[Any], n: int, size: int) -> Float:
    """Return observations (n, o) as dense float32.

    Raises:
        ValueError: the shape is another.
    """
    if observation.shape != (n, size):
        raise ValueError(f"expected observations of shape {(n, size)}, got {observation.shape}")
    return dense(observation)


def check_contexts(kind: str, key: str, known: int, context: NDArray[np.int64]) -> None:
    """Check that a brain of `kind` tells apart every context that the world tells, (n,).

    Args:
        kind: of the agent.
        key: the hyperparameter that says how many it tells apart.
        known: its value.
        context: from 0.

    Raises:
        UserError: there is one beyond.
    """
    largest = int(context.max(initial=0))
    if largest >= known:
        raise UserError(
            f"agent.{key} = {known}: the world told agent {kind!r} of context {largest}, counted "
            f"from 0: expected at least {largest + 1}"
        )


def inverse_scale(input_scale: ArrayLike | None, size: int) -> Float:
    """Return 1 / input_scale, shape (o,); ones when no scale is given.

    Raises:
        UserError: wrong shape, or a scale that is not a positive finite number.
    """
    if input_scale is None:
        return np.ones(size, np.float32)
    scale = np.asarray(input_scale, np.float64)
    if scale.shape != (size,):
        raise UserError(f"input_scale: expected shape ({size},), got {scale.shape}")
    if not (np.isfinite(scale) & (scale > 0)).all():
        worst = int(np.flatnonzero(~(np.isfinite(scale) & (scale > 0)))[0])
        raise UserError(f"input_scale[{worst}] = {scale[worst]}: expected a positive finite number")
    return (1.0 / scale).astype(np.float32)
