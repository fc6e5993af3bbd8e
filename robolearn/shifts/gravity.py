"""Another planet."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.shifts.shift import Ids, Shift, number, register
from robolearn.simulation import Simulation


@register
@dataclass(frozen=True)
class Gravity(Shift):
    """Multiply gravity by a factor.

    g' = factor · g; 0.165 is the moon, 0.378 Mars. Several multiply.

    Attributes:
        factor: from 0 to 5.
    """

    kind: ClassVar[str] = "gravity"

    factor: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", number(self.factor, "gravity: factor", 0.0, 5.0))

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Scale the gravity of the individuals `ids`."""
        gravity = simulation.body("opt.gravity", ids)  # (k, 3)
        simulation.write_body("opt.gravity", ids, slice(None), self.factor * gravity)
