"""A force on the hand that grows with its speed."""

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import NDArray

from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Ids, Shift, number, register


@register
@dataclass(frozen=True)
class ForceField(Shift):
    """Push the hand sideways in proportion to its velocity.

    f = b (−v_y, v_x): the curl field of motor adaptation (Shadmehr & Mussa-Ivaldi 1994; people meet
    about 15 N·s/m). Different ones add.

    Attributes:
        viscosity: b, N·s/m, from −200 to 200; to the left of the motion for b > 0.
    """

    kind: ClassVar[str] = "force_field"

    viscosity: float = 15.0

    def __post_init__(self) -> None:
        value = number(self.viscosity, "force_field: viscosity", -200.0, 200.0)
        object.__setattr__(self, "viscosity", value)

    def check_interface(self, interface: Interface) -> None:
        """Raise UserError unless the task moves a hand."""
        interface.check_array("force_field", self.kind)

    def apply_task(self, arrays: dict[str, NDArray], ids: Ids) -> None:
        """Write the field of the individuals `ids`."""
        arrays["force_field"][ids] += self.viscosity
