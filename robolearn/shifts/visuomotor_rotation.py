"""A cursor that moves aslant of the hand."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Ids, Shift, number, register


@register
@dataclass(frozen=True)
class VisuomotorRotation(Shift):
    """Turn what the eye sees of the hand about the middle of the workspace.

    c = R(θ) h, with the hand h and the cursor c, counter-clockwise for θ > 0. In people 30° to 60°
    (Krakauer et al. 2000). Different ones add.

    Attributes:
        angle: θ, rad, from −π to π.
    """

    kind: ClassVar[str] = "visuomotor_rotation"

    angle: float = float(np.pi / 6)

    def __post_init__(self) -> None:
        value = number(self.angle, "visuomotor_rotation: angle", -np.pi, np.pi)
        object.__setattr__(self, "angle", value)

    def check_interface(self, interface: Interface) -> None:
        """Raise UserError unless the task shows a cursor."""
        interface.check_array("cursor_rotation", self.kind)

    def apply_task(self, arrays: dict[str, NDArray], ids: Ids) -> None:
        """Turn the cursor of the individuals `ids`."""
        arrays["cursor_rotation"][ids] += self.angle
