"""Senses that fail for moments, or for good."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import unknown_name
from robolearn.shifts.channel import Stack
from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Shift, number, register

MODES = ("zero", "hold")


@register
@dataclass(frozen=True)
class SensorDropout(Shift):
    """Lose elements of what is sensed, each in each step with a probability.

    A lost element reads 0, or what it read in the step before. Loss 1 is a sensor that is
    dead, or stuck at its value of the onset. Form: Bernoulli masks of dropout, and packet loss of
    networked control. Several fail independently.

    Attributes:
        part: a named part of the observation, or "all".
        loss: probability of an element being lost in a step, from 0 to 1.
        mode: "zero" or "hold".
    """

    kind: ClassVar[str] = "sensor_dropout"
    place: ClassVar[int] = 2
    is_random: ClassVar[bool] = True

    part: str = "all"
    loss: float = 0.2
    mode: str = "zero"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise unknown_name("sensor_dropout mode", self.mode, MODES)
        value = number(self.loss, "sensor_dropout: loss", 0.0, 1.0)
        object.__setattr__(self, "loss", value)

    def check_interface(self, interface: Interface) -> None:
        """Raise UserError unless the observation has such a part."""
        interface.check_sense(self.part, self.kind)

    def channel_parameters(self, interface: Interface) -> dict[str, NDArray]:
        """Return the probability (o,) of every element, and whether it holds its last value."""
        loss = self.loss * interface.elements(self.part)
        return {"loss": loss, "holds": np.array(self.mode == "hold")}

    def channel_state(self, interface: Interface) -> dict[str, NDArray]:
        """Return room for the last values (o,)."""
        return {"last": np.zeros(len(interface.scale))}

    @staticmethod
    def sense(stack: Stack, observation: NDArray[np.floating]) -> NDArray[np.floating]:
        """Replace what is lost; what is held at the onset is the value of the onset."""
        last = stack.state["last"]  # (k, o)
        new = stack.age == 0
        last[new] = observation[new]
        lost = stack.uniform(observation.shape[1]) < stack.parameters["loss"]
        instead = np.where(stack.parameters["holds"][:, None], last, 0.0)
        np.copyto(observation, instead.astype(observation.dtype), where=lost)
        last[:] = observation
        return observation
