"""Ground that is slippery or sticky."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.shifts.shift import Ids, Shift, number, register
from robolearn.simulation import Simulation
from robolearn.worlds import World


@register
@dataclass(frozen=True)
class Friction(Shift):
    """Give all contacts of the individual one coefficient of sliding friction.

    |f_t| ≤ μ f_n. MuJoCo takes the greater μ of the two geoms in contact, so that floor and body
    both get it. Range of the literature: 0.05 to 4.5 (Kumar et al. 2021, RMA).

    Attributes:
        coefficient: μ, from 0.001 to 10.
    """

    kind: ClassVar[str] = "friction"

    coefficient: float = 0.2

    def __post_init__(self) -> None:
        value = number(self.coefficient, "friction: coefficient", 0.001, 10.0)
        object.__setattr__(self, "coefficient", value)

    def check(self, world: World) -> None:
        """Raise UserError if the world sets friction for pairs of geoms."""
        if world.model.npair:
            raise UserError(f"shift friction: contacts of {world.name} are given pair by pair")

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Write the coefficient of every geom."""
        geoms = np.arange(simulation.model.ngeom)
        simulation.write_body("geom_friction", ids, (geoms, 0), self.coefficient)

    def contradicts(self, other: Shift, world: World) -> bool:
        """Return whether `other` sets another coefficient."""
        return isinstance(other, Friction)
