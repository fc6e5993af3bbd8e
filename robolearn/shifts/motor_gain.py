"""Motors that pull weaker or stronger than they were built to."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import unknown_name
from robolearn.shifts.shift import Ids, Shift, number, register
from robolearn.simulation import Simulation
from robolearn.worlds import World

# Where the peak force stands among the parameters of a muscle.
_PEAK_FORCE = 2


def scale_motors(simulation: Simulation, ids: Ids, motors: NDArray[np.int64], gain: float) -> None:
    """Multiply the torque of `motors` of the individuals `ids` by `gain`, whatever the command.

    Gain, bias and force limit are scaled together: a position motor whose gain alone is scaled
    would move its set-point instead of growing weak. Of a muscle's parameters only the peak force
    is a force.
    """
    for field in ("actuator_gainprm", "actuator_biasprm", "actuator_forcerange"):
        values = simulation.body(field, ids)[:, motors]  # (k, m, parameters)
        factors = np.full(values.shape[1:], gain)
        if field != "actuator_forcerange":
            is_muscle = simulation.model.actuator_gaintype[motors] == mujoco.mjtGain.mjGAIN_MUSCLE
            factors[is_muscle] = 1.0
            factors[is_muscle, _PEAK_FORCE] = gain
        simulation.write_body(field, ids, motors, values * factors)


@register
@dataclass(frozen=True)
class MotorGain(Shift):
    """Multiply the torque of motors by a factor.

    A wheel's motor pushes against a drag that is the robot's own and stays: there it is the speed
    without load that is multiplied, as by a weaker battery, and 0 brakes.

    Attributes:
        target: "all", a leg, or one motor.
        gain: factor ≥ 0 on torque, gain, bias and limit alike; 1 changes nothing, 0 is limp.
    """

    kind: ClassVar[str] = "motor_gain"

    target: str = "all"
    gain: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "gain", number(self.gain, "motor_gain: gain", 0.0))

    def check(self, world: World) -> None:
        """Raise UserError unless the target is "all", a leg or a motor of the world."""
        valid = ["all", *world.legs, *world.motors]
        if self.target not in valid:
            raise unknown_name("motor_gain target", self.target, valid)

    def motors(self, world: World) -> NDArray[np.int64]:
        """Return the ids of the motors concerned."""
        if self.target == "all":
            return world.motor_ids
        if self.target in world.legs:
            return world.legs[self.target].motors
        return world.motor_ids[[world.motors.index(self.target)]]

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Scale the motors of the individuals `ids`."""
        scale_motors(simulation, ids, self.motors(simulation.world), self.gain)

    def legs(self, world: World) -> tuple[str, ...]:
        """Return the legs with a motor among those concerned, unless all are alike."""
        if self.target == "all":
            return ()
        hurt = set(self.motors(world).tolist())
        return tuple(name for name, leg in world.legs.items() if hurt & set(leg.motors.tolist()))
