"""A leg that is limp, stuck, shorter or gone."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import unknown_name
from robolearn.shifts.motor_gain import scale_motors
from robolearn.shifts.shift import Ids, Shift, number, register
from robolearn.simulation import Simulation
from robolearn.worlds import World

MODES = ("dead", "locked", "shortened", "amputated")

# MuJoCo needs some mass on a moving body; the joint's armature keeps its motion well posed.
_NO_MASS = 1e-6  # kg


@register
@dataclass(frozen=True)
class LimbDamage(Shift):
    """Damage one leg.

    Attributes:
        leg: name of the leg, by where it stands.
        mode: "dead": its motors give no torque; "locked": its joints hold their angle of the onset;
            "shortened": the lower link keeps `fraction` of its length, and its mass in proportion;
            "amputated": the lower link has no contact, no weight and is not drawn.
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
        """Raise UserError if the world has no such leg."""
        world.leg(self.leg)

    def edit(self, spec: mujoco.MjSpec, world: World) -> None:
        """Shorten or take away the lower link in a copy of the scene."""
        link = spec.body(world.leg(self.leg).lower_link)
        if self.mode == "shortened":
            _shorten(link, self.fraction)
        elif self.mode == "amputated":
            _take_away(link)

    def remember(self, simulation: Simulation, ids: Ids) -> NDArray[np.float64]:
        """Return the joint angles of the moment, shape (k, joints), rad."""
        return simulation.qpos[np.ix_(ids, simulation.world.leg(self.leg).qpos)].copy()

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Cut the motors or close the locks of the individuals `ids`."""
        world = simulation.world
        leg = world.leg(self.leg)
        if self.mode == "dead":
            scale_motors(simulation, ids, leg.motors, 0.0)
        elif self.mode == "amputated":
            below = [m for m in leg.motors if _drives(world, int(m), leg.lower_link)]
            scale_motors(simulation, ids, np.array(below, dtype=np.int64), 0.0)
        elif self.mode == "locked":
            offset = memory - world.model.qpos0[leg.qpos]  # (k, joints)
            data = simulation.body("eq_data", ids)
            data[:, leg.locks, 0] = offset
            simulation.write_body("eq_data", ids, slice(None), data)
            simulation.eq_active[np.ix_(ids, leg.locks)] = 1.0

    def legs(self, world: World) -> tuple[str, ...]:
        """Return the damaged leg."""
        return (self.leg,)

    def contradicts(self, other: Shift) -> bool:
        """Return whether `other` damages the same leg in another way."""
        return isinstance(other, LimbDamage) and other.leg == self.leg and other != self


def _drives(world: World, motor: int, body: str) -> bool:
    joint = int(world.model.actuator_trnid[motor, 0])
    return world.model.body(int(world.model.jnt_bodyid[joint])).name == body


def _shorten(link: mujoco.MjsBody, fraction: float) -> None:
    """Scale the link's geoms and sites towards its joint; capsules lose length, not girth."""
    for geom in link.geoms:
        if np.isfinite(geom.fromto).all():
            full = np.linalg.norm(geom.fromto[3:] - geom.fromto[:3])
            geom.fromto = geom.fromto * fraction
            if np.isfinite(geom.mass) and full > 0:
                geom.mass = geom.mass * fraction
        else:
            geom.pos = geom.pos * fraction
    for site in link.sites:
        site.pos = site.pos * fraction


def _take_away(link: mujoco.MjsBody) -> None:
    for geom in link.geoms:
        geom.contype = geom.conaffinity = 0
        geom.mass = _NO_MASS
        geom.rgba = np.array([*geom.rgba[:3], 0.0])
        geom.material = ""
