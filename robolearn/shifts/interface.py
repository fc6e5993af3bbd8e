"""What a shift of the senses or of the task may address: observation slices and task parameters."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError, unknown_name


@dataclass(frozen=True)
class Interface:
    """The layout of what passes between brain and body, and the parameters of the task.

    Attributes:
        slices: where each named part of the observation stands.
        scale: typical magnitude of every observation element in its unit, shape (o,).
        action_size: elements a of an action.
        arrays: parameters of the task with a value for every individual, (n, ...); live.
    """

    slices: dict[str, slice] = field(default_factory=dict)
    scale: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    action_size: int = 0
    arrays: dict[str, NDArray] = field(default_factory=dict)

    def check_sense(self, name: str, kind: str) -> None:
        """Raise UserError unless `name` is "all" or a part of the observation."""
        if name != "all" and name not in self.slices:
            raise unknown_name(f"{kind} sense", name, ["all", *self.slices])

    def elements(self, name: str) -> NDArray[np.bool_]:
        """Return which elements (o,) belong to the part `name`, or to "all"."""
        chosen = np.zeros(len(self.scale), np.bool_)
        chosen[slice(None) if name == "all" else self.slices[name]] = True
        return chosen

    def check_array(self, name: str, kind: str) -> None:
        """Raise UserError unless the task has a parameter `name` for every individual."""
        if name not in self.arrays:
            raise UserError(
                f"shift {kind} needs a task with the parameter {name!r} "
                f"(this one has: {', '.join(self.arrays) or 'none'})"
            )
