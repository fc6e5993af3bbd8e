"""Ground that rises or falls."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.shifts.shift import Ids, Shift, number, register
from robolearn.simulation import Simulation
from robolearn.worlds import World

STEEPEST = 0.6  # rad


@register
@dataclass(frozen=True)
class Slope(Shift):
    """Incline the ground along the walking direction x, by turning gravity.

    g' = |g| (−sin α, 0, −cos α): uphill for α > 0, downhill for α < 0. The frame stays that of the
    ground: heights and "up" are measured from it and along its normal. Two slopes contradict.

    Attributes:
        angle: α, from −0.6 to 0.6 rad.
    """

    kind: ClassVar[str] = "slope"

    angle: float = 0.15

    def __post_init__(self) -> None:
        object.__setattr__(self, "angle", number(self.angle, "slope: angle", -STEEPEST, STEEPEST))

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Turn the gravity of the individuals `ids` about the axis y."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        x, y, z = simulation.body("opt.gravity", ids).T  # (k,) each
        turned = np.stack((cos * x + sin * z, y, cos * z - sin * x), axis=1)  # (k, 3)
        simulation.write_body("opt.gravity", ids, slice(None), turned)

    def contradicts(self, other: Shift, world: World) -> bool:
        """Return whether `other` is another slope."""
        return isinstance(other, Slope)
