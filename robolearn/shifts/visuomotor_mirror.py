"""A cursor that moves as in a mirror."""

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import NDArray

from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Ids, Shift, register


@register
@dataclass(frozen=True)
class VisuomotorMirror(Shift):
    """Mirror what the eye sees of the hand, left for right.

    The task says about which axis. Mirror reversal (Telgen et al. 2014) must be learned anew
    where a rotation can be adapted to.
    """

    kind: ClassVar[str] = "visuomotor_mirror"

    def check_interface(self, interface: Interface) -> None:
        """Raise UserError unless the task shows a cursor."""
        interface.check_array("cursor_mirror", self.kind)

    def apply_task(self, arrays: dict[str, NDArray], ids: Ids) -> None:
        """Mirror the cursor of the individuals `ids`."""
        arrays["cursor_mirror"][ids] = 1
