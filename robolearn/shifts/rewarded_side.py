"""Food that is moved to another arm of the maze."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Ids, Shift, register, whole_number

OTHER = "other"
# What the task's parameter may hold beside the number of an arm.
OWN, MIRRORED = -1, -2
_MOST_ARMS = 64


@register
@dataclass(frozen=True)
class RewardedSide(Shift):
    """Reward another answer than before: another arm of a maze, the opposite rule of matching.

    Arms are numbered from the left, beginning with 0. A life has a law of its own, by which the
    rewarded arm s may change in mid-life: "other" mirrors what it says, left for right,
    s' = A − 1 − s of A arms; a number stands in place of it as long as the shift acts. With cues, s
    is the arm as counted from the lit one. Reversal learning as in Soltoggio et al. 2008. Two of
    them contradict.

    Attributes:
        side: "other", or the number of an arm.
    """

    kind: ClassVar[str] = "rewarded_side"

    side: str | int = OTHER

    def __post_init__(self) -> None:
        if self.side != OTHER:
            try:
                side = whole_number(self.side, "rewarded_side: side", 0, _MOST_ARMS - 1)
            except UserError as error:
                raise UserError(f"{error}, or {OTHER!r}") from None
            object.__setattr__(self, "side", side)

    def check_interface(self, interface: Interface) -> None:
        """Raise UserError unless the task rewards one of several arms, this one among them."""
        interface.check_array("rewarded_side", self.kind)
        arms = int(np.min(interface.arrays.get("arms", 2)))
        if self.side != OTHER and int(self.side) >= arms:
            raise UserError(
                f"rewarded_side: side must be a number from 0 to {arms - 1}, as there are {arms} "
                f"arms, or {OTHER!r}, got {self.side}"
            )

    def apply_task(self, arrays: dict[str, NDArray], ids: Ids) -> None:
        """Write the rewarded arm of the individuals `ids`."""
        arrays["rewarded_side"][ids] = MIRRORED if self.side == OTHER else int(self.side)

    def contradicts(self, other: Shift, world: object) -> bool:
        """Return whether `other` rewards another arm."""
        return isinstance(other, RewardedSide)
