"""Joints that grow stiff with wear."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError, unknown_name
from robolearn.shifts.shift import Ids, Shift, number, register
from robolearn.simulation import Simulation
from robolearn.worlds import World

_DAMPED = (mujoco.mjtJoint.mjJNT_HINGE.value, mujoco.mjtJoint.mjJNT_SLIDE.value)


@register
@dataclass(frozen=True)
class JointWear(Shift):
    """Raise the viscous and the dry friction of joints that motors drive.

    τ = −(factor · b) q̇ − F sign(q̇), with the joint's own damping b. Range of the literature: dry
    friction × U(0.9, 1.1) (MuJoCo Playground, go1/randomize.py); wear is far beyond it. Damping
    factors multiply, dry friction adds. Dry friction costs about an eighth of the physics' speed.
    Backlash is left out: MuJoCo has no free play, and a second joint in every drive, with limits of
    its own, would change every body and its speed.

    Attributes:
        target: "all", a leg, or one joint.
        damping: factor ≥ 0 on b, N·m·s/rad.
        friction: F ≥ 0, N·m (N for a slide).
    """

    kind: ClassVar[str] = "joint_wear"

    target: str = "all"
    damping: float = 5.0
    friction: float = 0.0

    def __post_init__(self) -> None:
        for name, high in (("damping", 1000.0), ("friction", 1000.0)):
            value = number(getattr(self, name), f"joint_wear: {name}", 0.0, high)
            object.__setattr__(self, name, value)

    def check(self, world: World) -> None:
        """Raise UserError unless the target is "all", a leg or a joint with a motor."""
        valid = ["all", *world.legs, *_driven_joints(world)]
        if self.target not in valid:
            raise unknown_name("joint_wear target", self.target, valid)
        dofs = self.dofs(world)
        if not self.friction and not world.model.dof_damping[dofs].any():
            raise UserError(
                f"{self.label}: {self.target} of {world.name} has no damping that could be scaled; "
                f"state friction"
            )

    def dofs(self, world: World) -> NDArray[np.int64]:
        """Return the addresses in qvel of the joints concerned."""
        if self.target in world.legs:
            return world.legs[self.target].dofs
        joints = _driven_joints(world)
        chosen = joints if self.target == "all" else [self.target]
        return np.array([world.model.joint(joint).dofadr[0] for joint in chosen])

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Write the damping and the dry friction of the joints of the individuals `ids`."""
        dofs = self.dofs(simulation.world)
        damping = simulation.body("dof_damping", ids)[:, dofs]  # (k, joints)
        simulation.write_body("dof_damping", ids, dofs, self.damping * damping)
        if self.friction:
            friction = simulation.body("dof_frictionloss", ids)[:, dofs]
            simulation.write_body("dof_frictionloss", ids, dofs, friction + self.friction)

    def legs(self, world: World) -> tuple[str, ...]:
        """Return the legs with a joint among those concerned, unless all are alike."""
        if self.target == "all":
            return ()
        hurt = set(self.dofs(world).tolist())
        return tuple(name for name, leg in world.legs.items() if hurt & set(leg.dofs.tolist()))


def _driven_joints(world: World) -> list[str]:
    """Return the names of the hinges and slides that motors drive."""
    model = world.model
    is_joint = model.actuator_trntype == mujoco.mjtTrn.mjTRN_JOINT
    joints = np.unique(model.actuator_trnid[is_joint, 0])
    return [model.joint(int(j)).name for j in joints if model.jnt_type[j] in _DAMPED]
