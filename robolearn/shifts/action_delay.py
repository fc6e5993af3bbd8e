"""Commands that come late."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.shifts.channel import Stack
from robolearn.shifts.delay_line import LONGEST, delay, delay_state
from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Shift, register, whole_number


@register
@dataclass(frozen=True)
class ActionDelay(Shift):
    """Let commands reach the motors some control steps late.

    a'_t = a_{max(t − k, t₀)} with the onset t₀. So the first command
    after the onset is repeated until the line is full.
    Form: latency of real robots as randomised by Tan et al. 2018, "Sim-to-Real". Different
    ones add.

    Attributes:
        steps: k, control steps from 0 to 50; what is drawn from a range is rounded.
    """

    kind: ClassVar[str] = "action_delay"
    place: ClassVar[int] = 0

    steps: int = 2

    def __post_init__(self) -> None:
        steps = whole_number(self.steps, "action_delay: steps", 0, LONGEST)
        object.__setattr__(self, "steps", steps)

    def channel_parameters(self, interface: Interface) -> dict[str, NDArray]:
        """Return the number of steps."""
        return {"steps": np.array(self.steps)}

    def channel_state(self, interface: Interface) -> dict[str, NDArray]:
        """Return an empty delay line."""
        return delay_state(self.steps, interface.action_size)

    @staticmethod
    def act(stack: Stack, command: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the commands of some steps ago."""
        return delay(stack, command)
