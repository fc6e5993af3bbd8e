"""A leg or a joint that is limp or stuck, or a leg that is shorter or gone."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError, unknown_name
from robolearn.shifts.motor_gain import scale_motors
from robolearn.shifts.shift import Ids, Shift, make_shift, number, register
from robolearn.simulation import Simulation
from robolearn.worlds import World, once_per_world

MODES = ("dead", "locked", "shortened", "amputated")

# MuJoCo needs some mass on a moving body; the joint's armature keeps its motion well posed.
_NO_MASS = 1e-6  # kg

# For each kind of geom with a length: the elements of its size among which the longest is it.
_LENGTH_AXES = {
    mujoco.mjtGeom.mjGEOM_CAPSULE: [1],
    mujoco.mjtGeom.mjGEOM_CYLINDER: [1],
    mujoco.mjtGeom.mjGEOM_ELLIPSOID: [0, 1, 2],
    mujoco.mjtGeom.mjGEOM_BOX: [0, 1, 2],
}


@register
@dataclass(frozen=True)
class LimbDamage(Shift):
    """Damage one leg, or one joint.

    Attributes:
        leg: name of the leg, by where it stands, or of a single joint, which may be dead or locked.
        mode: "dead": its motors give no torque; "locked": its joints hold their angle of the onset
            (one in motion needs a step or two of physics to stop, as its energy must go somewhere);
            "shortened": the lower link keeps `fraction` of its length, and what stands at its end
            moves up with it; "amputated": the lower link has no contact, no weight (a milligram,
            which MuJoCo needs), no motor and is not drawn.
        fraction: of the lower link's length, for "shortened".
    """

    kind: ClassVar[str] = "limb_damage"

    leg: str = "front_left"
    mode: str = "dead"
    fraction: float = 0.5

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise unknown_name("limb_damage mode", self.mode, MODES)
        fraction = number(self.fraction, "limb_damage: fraction", 0.05, 1.0)
        object.__setattr__(self, "fraction", fraction if self.mode == "shortened" else 0.5)

    @property
    def edits_scene(self) -> bool:
        """Whether the lower link itself changes."""
        return self.mode in ("shortened", "amputated")

    @property
    def label(self) -> str:
        """The shift as written on the command line, without its time."""
        tail = f":{self.fraction:g}" if self.mode == "shortened" else ""
        return f"{self.kind}:{self.leg}:{self.mode}{tail}"

    def check(self, world: World) -> None:
        """Raise UserError if the world has no such limb, or one that this mode cannot change."""
        limb = find_limb(world, self.leg)
        if self.edits_scene and limb.lower_link is None:
            raise UserError(
                f"limb_damage:{self.leg}:{self.mode}: a single joint can be dead or locked; "
                f"{self.mode} needs a leg (valid: {', '.join(world.legs) or 'none'})"
            )
        if limb.lower_link is None:
            return
        for body in _with_children(world.spec.body(limb.lower_link)):
            if self.edits_scene and body.explicitinertial:
                raise UserError(
                    f"limb_damage:{self.leg}:{self.mode}: the mass of {body.name!r} must come from "
                    f"its geoms, but the scene of {world.name} states it"
                )

    def edit(self, spec: mujoco.MjSpec, world: World) -> None:
        """Shorten or take away the lower link in a copy of the scene."""
        link = spec.body(world.leg(self.leg).lower_link)
        if self.mode == "shortened":
            shorten(link, self.fraction)
        elif self.mode == "amputated":
            _take_away(link)

    def remember(self, simulation: Simulation, ids: Ids) -> NDArray[np.float64]:
        """Return the joint angles of the moment, shape (k, joints), rad."""
        return simulation.qpos[np.ix_(ids, find_limb(simulation.world, self.leg).qpos)].copy()

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Cut the motors or close the locks of the individuals `ids`."""
        world = simulation.world
        limb = find_limb(world, self.leg)
        if self.mode == "dead":
            scale_motors(simulation, ids, limb.motors, 0.0)
        elif self.mode == "amputated":
            link = world.spec.body(world.leg(self.leg).lower_link)
            lost = [body.name for body in _with_children(link)]
            bodies = np.array([world.model.body(name).id for name in lost])
            geoms = np.flatnonzero(np.isin(world.model.geom_bodyid, bodies))
            for affinity in ("contype", "conaffinity"):
                simulation.write_body(f"geom_{affinity}", ids, geoms, 0)
                simulation.write_body(f"body_{affinity}", ids, bodies, 0)
            joints = world.model.actuator_trnid[limb.motors, 0]
            below = limb.motors[np.isin(world.model.jnt_bodyid[joints], bodies)]
            scale_motors(simulation, ids, below, 0.0)
        elif self.mode == "locked":
            data = simulation.body("eq_data", ids)[:, limb.locks]  # (k, joints, coefficients)
            data[:, :, 0] = memory - world.model.qpos0[limb.qpos]
            simulation.write_body("eq_data", ids, limb.locks, data)
            simulation.eq_active[np.ix_(ids, limb.locks)] = 1.0

    def legs(self, world: World) -> tuple[str, ...]:
        """Return the damaged leg, or the one with the damaged joint."""
        joints = set(find_limb(world, self.leg).joints.tolist())
        return tuple(name for name, leg in world.legs.items() if joints & set(leg.joints.tolist()))

    def same_as(self, world: World) -> tuple[Shift, ...]:
        """Return limp motors, of a dead leg."""
        if self.mode == "dead" and self.leg in world.legs:
            return (make_shift("motor_gain", world, target=self.leg, gain=0.0),)
        return ()

    def contradicts(self, other: Shift, world: World) -> bool:
        """Return whether `other` damages a joint that this one damages too."""
        if not isinstance(other, LimbDamage):
            return False
        ours, theirs = (find_limb(world, damage.leg).joints for damage in (self, other))
        return bool(np.isin(ours, theirs).any())


@dataclass(frozen=True)
class Limb:
    """What of a world one damage concerns; indices into the compiled model.

    Attributes:
        joints: joint ids (k,).
        qpos: their addresses in qpos (k,).
        motors: actuator ids (m,).
        locks: ids of the equalities that can lock the joints (k,).
        lower_link: name of the body that is shortened or amputated; None for a single joint.
    """

    joints: NDArray[np.int64]
    qpos: NDArray[np.int64]
    motors: NDArray[np.int64]
    locks: NDArray[np.int64]
    lower_link: str | None


@once_per_world
def find_limb(world: World, name: str) -> Limb:
    """Return the leg or the single joint of that name.

    Raises:
        UserError: the body has neither.
    """
    if name in world.legs:
        leg = world.legs[name]
        return Limb(leg.joints, leg.qpos, leg.motors, leg.locks, leg.lower_link)
    model = world.model
    is_joint = model.actuator_trntype == mujoco.mjtTrn.mjTRN_JOINT
    driven = np.where(is_joint, model.actuator_trnid[:, 0], -1)  # (nu,)
    locks = {model.equality(i).name: i for i in range(model.neq)}
    joints = {model.joint(int(j)).name: int(j) for j in np.unique(driven[driven >= 0])}
    joints = {joint: i for joint, i in joints.items() if f"lock_{joint}" in locks}
    if name not in joints:
        raise unknown_name(f"leg or joint of {world.name}", name, [*world.legs, *joints])
    joint = joints[name]
    return Limb(
        joints=np.array([joint]),
        qpos=np.array([model.jnt_qposadr[joint]]),
        motors=np.flatnonzero(driven == joint),
        locks=np.array([locks[f"lock_{name}"]]),
        lower_link=None,
    )


def shorten(link: mujoco.MjsBody, fraction: float) -> None:
    """Scale the positions of what the link carries; geoms along it lose length, never girth.

    A geom with a stated mass keeps `fraction` of it where it lost length; one with a density keeps
    its density, as in the shortened ants of the literature, so that its round ends still weigh.
    """
    for body in _with_children(link):
        for geom in body.geoms:
            stretched = geom.type in _LENGTH_AXES
            if np.isfinite(geom.fromto).all():
                geom.fromto = geom.fromto * fraction
            else:
                geom.pos = geom.pos * fraction
                if stretched:
                    size = geom.size.copy()
                    axes = _LENGTH_AXES[geom.type]
                    size[axes[int(np.argmax(size[axes]))]] *= fraction
                    geom.size = size
            if stretched and np.isfinite(geom.mass):
                geom.mass = geom.mass * fraction
        for site in body.sites:
            site.pos = site.pos * fraction
        for child in body.bodies:
            child.pos = child.pos * fraction


def _with_children(body: mujoco.MjsBody) -> list[mujoco.MjsBody]:
    """Return a body and all that hangs on it."""
    return [body, *(below for child in body.bodies for below in _with_children(child))]


def _take_away(link: mujoco.MjsBody) -> None:
    """Make the link weightless and invisible; its contacts are switched off by `apply`.

    They must stay in the edited scene: a body without contacts has no node in the tree that all
    individuals share for finding collisions.
    """
    for body in _with_children(link):
        for geom in body.geoms:
            geom.mass = _NO_MASS
            geom.rgba = np.array([*geom.rgba[:3], 0.0])
            geom.material = ""
