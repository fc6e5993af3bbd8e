"""A memory of the last values that were sent: what arrives is older than what is sent."""

import numpy as np
from numpy.typing import NDArray

from robolearn.shifts.channel import Stack

LONGEST = 50  # control steps


def delay_state(steps: int, size: int) -> dict[str, NDArray]:
    """Return an empty line for values (size,) that arrive `steps` later."""
    return {"line": np.zeros((steps + 1, size))}


def delay(stack: Stack, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return (k, m) what was sent `steps` (k,) calls ago, and the first values until then.

    Entry e of the stack writes its line at age mod (steps + 1), so that the place after it is the
    oldest.
    """
    steps, line, age = stack.parameters["steps"], stack.state["line"], stack.age
    entries = np.arange(len(values))
    line[entries, age % (steps + 1)] = values
    sent = np.maximum(age - steps, 0)  # (k,) age at which that was sent which arrives now
    return line[entries, sent % (steps + 1)]
