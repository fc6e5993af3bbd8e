"""Senses that are out of adjustment."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.shifts.channel import Stack
from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Shift, number, register


@register
@dataclass(frozen=True)
class SensorBias(Shift):
    """Add a constant error to what is sensed, another one to every element.

    o' = o + β s z with z ~ N(0, 1) drawn once, at the onset; s is the element's typical magnitude
    in its own unit. Form: the turn-on bias of inertial sensors (IEEE Std 952). Different ones add.

    Attributes:
        part: a named part of the observation, or "all".
        deviation: β ≥ 0, in typical magnitudes of the element.
    """

    kind: ClassVar[str] = "sensor_bias"
    place: ClassVar[int] = 0
    is_random: ClassVar[bool] = True

    part: str = "all"
    deviation: float = 0.2

    def __post_init__(self) -> None:
        value = number(self.deviation, "sensor_bias: deviation", 0.0, 100.0)
        object.__setattr__(self, "deviation", value)

    def check_interface(self, interface: Interface) -> None:
        """Raise UserError unless the observation has such a part."""
        interface.check_sense(self.part, self.kind)

    def channel_parameters(self, interface: Interface) -> dict[str, NDArray]:
        """Return the deviation (o,) of every element's error in its unit."""
        scale = self.deviation * interface.scale * interface.elements(self.part)
        return {"deviation": scale.astype(np.float32)}

    def channel_state(self, interface: Interface) -> dict[str, NDArray]:
        """Return room for the error (o,)."""
        return {"bias": np.zeros(len(interface.scale), np.float32)}

    @staticmethod
    def sense(stack: Stack, observation: NDArray[np.floating]) -> NDArray[np.floating]:
        """Add the error; draw it in the first step."""
        bias, new = stack.state["bias"], stack.age == 0
        if new.any():
            drawn = stack.normal(observation.shape[1]) * stack.parameters["deviation"]
            bias[new] = drawn[new]
        observation += bias
        return observation
