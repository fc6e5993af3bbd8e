"""Senses that tremble."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.shifts.channel import Stack
from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Shift, number, register


@register
@dataclass(frozen=True)
class SensorNoise(Shift):
    """Add white Gaussian noise to what is sensed.

    o' = o + σ s z with z ~ N(0, 1), new in every element and step; s is the element's typical
    magnitude in its own unit. Form: `noise_config` of MuJoCo Playground's Go1 (joystick.py), there
    uniform. Different ones add in variance.

    Attributes:
        part: a named part of the observation, or "all".
        deviation: σ ≥ 0, in typical magnitudes of the element.
    """

    kind: ClassVar[str] = "sensor_noise"
    place: ClassVar[int] = 1
    is_random: ClassVar[bool] = True

    part: str = "all"
    deviation: float = 0.1

    def __post_init__(self) -> None:
        value = number(self.deviation, "sensor_noise: deviation", 0.0, 100.0)
        object.__setattr__(self, "deviation", value)

    def check_interface(self, interface: Interface) -> None:
        """Raise UserError unless the observation has such a part."""
        interface.check_sense(self.part, self.kind)

    def channel_parameters(self, interface: Interface) -> dict[str, NDArray]:
        """Return the deviation (o,) of every element in its unit."""
        scale = self.deviation * interface.scale * interface.elements(self.part)
        return {"deviation": scale.astype(np.float32)}

    @staticmethod
    def sense(stack: Stack, observation: NDArray[np.floating]) -> NDArray[np.floating]:
        """Add the noise."""
        noise = stack.normal(observation.shape[1])  # (k, o)
        noise *= stack.parameters["deviation"]
        observation += noise
        return observation
