"""Food that is moved to another arm of the maze."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Ids, Shift, register, whole_number

OTHER = "other"
_MOST_ARMS = 4


@register
@dataclass(frozen=True)
class RewardedSide(Shift):
    """Reward another arm of the maze than before.

    Arms are numbered from the left, beginning with 0; "other" mirrors the rewarded arm of the life,
    left for right: s' = A − 1 − s of A arms. Reversal learning as in Soltoggio et al. 2008. The
    mirror composes with nothing: another arm contradicts it.

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
        arms = int(np.min(_arms(interface.arrays)))
        if self.side != OTHER and int(self.side) >= arms:
            raise UserError(f"rewarded_side: side must be below {arms} arms, got {self.side}")

    def apply_task(self, arrays: dict[str, NDArray], ids: Ids) -> None:
        """Write the rewarded arm of the individuals `ids`."""
        side = arrays["rewarded_side"]
        last = np.broadcast_to(_arms(arrays), side.shape)[ids] - 1
        side[ids] = last - side[ids] if self.side == OTHER else int(self.side)

    def contradicts(self, other: Shift, world: object) -> bool:
        """Return whether `other` rewards another arm."""
        return isinstance(other, RewardedSide)


def _arms(arrays: dict[str, NDArray]) -> NDArray:
    """Return how many arms the mazes have, (n,) or (): two, unless the task says otherwise."""
    return arrays.get("arms", np.array(2))
