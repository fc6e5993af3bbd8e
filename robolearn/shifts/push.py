"""A shove."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.shifts.payload import root_body
from robolearn.shifts.shift import Ids, Shift, number, register
from robolearn.simulation import Simulation
from robolearn.worlds import World

_HELD = 1e-6  # of a push, in the directions in which the trunk can move


@register
@dataclass(frozen=True)
class Push(Shift):
    """Push the trunk horizontally for a moment.

    f = m Δv / T on the centre of mass of the trunk, for T from the onset on; m is the mass of the
    whole intact body, so that a free one changes its velocity by Δv: an impulse of m Δv. Source:
    `push_robots` of legged_gym (Rudin et al. 2022), at most 1 m/s. Different ones add. It
    ends by itself; repeated pushes are several shifts.

    Attributes:
        speed: Δv, from 0 to 20 m/s.
        direction: of the push about the vertical, rad; 0 forward (x), π/2 to the left (y).
        duration_s: T, from 0.001 to 10 s, rounded to whole control steps and at least one.
    """

    kind: ClassVar[str] = "push"

    speed: float = 1.0
    direction: float = float(np.pi / 2)
    duration_s: float = 0.1

    def __post_init__(self) -> None:
        ranges = {"speed": (0.0, 20.0), "direction": (-100.0, 100.0), "duration_s": (0.001, 10.0)}
        for name, (low, high) in ranges.items():
            value = number(getattr(self, name), f"push: {name}", low, high)
            object.__setattr__(self, name, value)

    def check(self, world: World) -> None:
        """Raise UserError if the world holds the trunk in the direction of the push."""
        model, way = world.model, np.array([np.cos(self.direction), np.sin(self.direction), 0])
        trunk = model.jnt_bodyid == root_body(world)
        if (model.jnt_type[trunk] == mujoco.mjtJoint.mjJNT_FREE).any():
            return
        slides = model.jnt_axis[trunk & (model.jnt_type == mujoco.mjtJoint.mjJNT_SLIDE)]
        if not (np.abs(slides @ way) > _HELD).any():
            raise UserError(
                f"push: direction {self.direction:g} rad: the trunk of {world.name} does not move "
                "that way (0 is forward)"
            )

    def lasts_s(self, world: World) -> float:
        """Return the duration in whole control steps, s."""
        return max(1, round(self.duration_s / world.control_step_s)) * world.control_step_s

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Add to the outer force on the trunks of the individuals `ids`."""
        world = simulation.world
        size = world.model.body_mass.sum() * self.speed / self.lasts_s(world)  # N
        force = size * np.array([np.cos(self.direction), np.sin(self.direction)])
        simulation.xfrc_applied[ids, root_body(world), :2] += force
