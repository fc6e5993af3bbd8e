"""Trials that test what was learnt instead of teaching it."""

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import NDArray

from robolearn.errors import unknown_name
from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Ids, Shift, register

KINDS = ("no_feedback", "held_out")


@register
@dataclass(frozen=True)
class Probe(Shift):
    """Test instead of teaching, from the next trial on.

    Motor adaptation is measured on trials without feedback, in which corrections cannot hide what
    was learnt (Shadmehr & Mussa-Ivaldi 1994; Krakauer et al. 2000), and its generality on targets
    that were never practised.

    Attributes:
        what: "no_feedback": neither cursor nor reward tell how a trial goes; "held_out": only the
            targets are shown that all other trials leave out.
    """

    kind: ClassVar[str] = "probe"

    what: str = "no_feedback"

    def __post_init__(self) -> None:
        if self.what not in KINDS:
            raise unknown_name("probe", self.what, KINDS)

    def check_interface(self, interface: Interface) -> None:
        """Raise UserError unless the task can do so; it needs targets that were held out."""
        interface.check_array(self.what, self.kind)

    def apply_task(self, arrays: dict[str, NDArray], ids: Ids) -> None:
        """Let the trials of the individuals `ids` be tests."""
        arrays[self.what][ids] = 1
