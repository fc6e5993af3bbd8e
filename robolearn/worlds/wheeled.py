"""A small robot on two driven wheels, between walls, marked places and movable pillars.

Frame: x forward, y left, z up. The robot is a flat body that slides and turns on the ground. Its
wheels are forces along its own forward axis at the two wheel sites; a third actuator that obeys no
command, `tyres`, resists sideways motion at the axle up to the grip of rubber on the floor. So it
cannot slide sideways as long as the grip holds, and costs three degrees of freedom and no contact
but with walls: a rolling model (free body, two hinges, two contacts of the wheels and one of the
caster, substeps of 2-5 ms) took 11 to 22 times as long for the same paths when it was tried.

A wheel is a motor under a voltage: force = k (u − v) with u the commanded and v the actual speed of
its rim. The part −k v of both wheels is written as damping of the body's joints.
"""

from dataclasses import dataclass, field
from math import atan2, cos, hypot, log, sin
from typing import Annotated, Any

import mujoco
import numpy as np
from annotated_types import Gt, Interval

from robolearn.errors import UserError
from robolearn.schema import build
from robolearn.worlds.scenery import empty_scene

Positive = Annotated[float, Gt(0)]
Number = float | int

# Geoms of this group are what range sensors see.
OPAQUE_GROUP = 1
# Time in which the tyres would stop a sideways motion that is within their grip.
_TYRE_TIME_S = 0.01
_GRAVITY = 9.81  # m/s²
_WALL_COLOUR = [0.55, 0.62, 0.68, 1.0]
_START_COLOUR, _PLACE_COLOUR = [0.62, 0.74, 0.86, 1.0], [0.95, 0.72, 0.25, 1.0]


@dataclass(frozen=True)
class Robot:
    """Figures of the robot.

    Attributes:
        radius: of its round body, m.
        height: of its body, m.
        mass: kg.
        track: between the two wheels, m.
        wheel_radius: m.
        top_speed: of a wheel's rim at action 1, m/s.
        acceleration: of a wheel's rim, m/s²: 9/10 of the top speed are reached in the time that
            this acceleration would take for all of it.
        grip: coefficient of friction of the tyres.
    """

    radius: Positive
    height: Positive
    mass: Positive
    track: Positive
    wheel_radius: Positive
    top_speed: Positive
    acceleration: Positive
    grip: Positive


@dataclass(frozen=True)
class Walls:
    """Walls around the room in which the robot drives.

    Attributes:
        outline: corners (x, y) of the room in m, counter-clockwise; walls stand outside its edges.
        height: m.
        thickness: m.
    """

    outline: tuple[Any, ...]
    height: Positive = 0.1
    thickness: Positive = 0.02

    def __post_init__(self) -> None:
        corners = np.array(self.outline, float)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise UserError("outline must list at least three corners [x, y]")
        after = np.roll(corners, -1, axis=0)
        if np.sum(corners[:, 0] * after[:, 1] - after[:, 0] * corners[:, 1]) <= 0:
            raise UserError("outline must run counter-clockwise")


@dataclass(frozen=True)
class Pillars:
    """Round obstacles that a task may put anywhere; until then they stand outside the room.

    Attributes:
        count: how many.
        radius: m.
        height: m.
    """

    count: Annotated[int, Interval(ge=1, le=100)]
    radius: Positive
    height: Positive = 0.16


@dataclass(frozen=True)
class Figures:
    """What `world.scene` holds beside the builder's name.

    Attributes:
        timestep_s: of the physics.
        robot: its figures.
        walls: around the room.
        places: centre and half widths [x, y, half_x, half_y] in m of named places on the floor.
        pillars: obstacles, if any.
    """

    timestep_s: Positive
    robot: dict[str, Any]
    walls: dict[str, Any]
    places: dict[str, tuple[Number, Number, Number, Number]] = field(default_factory=dict)
    pillars: dict[str, Any] | None = None


def wheeled_robot(figures: dict[str, Any], where: str) -> tuple[mujoco.MjSpec, dict]:
    """Return the scene of a wheeled robot, which has no legs.

    Args:
        figures: of `Figures`, as read from env.yaml.
        where: what messages begin with.

    Raises:
        UserError: an unknown or missing figure, or one out of range; names the key.
    """
    what = "the builder 'wheeled'"
    figures = {k: _tuples(v) if k == "places" else v for k, v in figures.items()}
    scene = build(Figures, figures, what, where)
    robot = build(Robot, scene.robot, what, f"{where}robot.")
    walls = build(Walls, scene.walls, what, f"{where}walls.")
    spec = empty_scene(float(scene.timestep_s))
    # One contact at a time, and two at most: few iterations suffice.
    spec.option.iterations, spec.option.ls_iterations = 8, 6
    spec.geom("floor").contype = spec.geom("floor").conaffinity = 0
    # Shadows are drawn around the robot alone, which is smaller than what its cameras see.
    spec.light("sun").castshadow = False
    _add_robot(spec, robot)
    _add_walls(spec, walls)
    for name, (x, y, half_x, half_y) in scene.places.items():
        spec.worldbody.add_site(
            name=name, type=mujoco.mjtGeom.mjGEOM_BOX, pos=[x, y, 0.0],
            size=[half_x, half_y, 0.001], rgba=_START_COLOUR if name == "start" else _PLACE_COLOUR,
        )  # fmt: skip
    corners = np.array(walls.outline, float)
    if scene.pillars is not None:
        _add_pillars(spec, build(Pillars, scene.pillars, what, f"{where}pillars."), corners)
    _look(spec, corners, robot)
    return spec, {}


def _tuples(places: Any) -> Any:
    if not isinstance(places, dict):
        return places
    return {name: tuple(v) if isinstance(v, list) else v for name, v in places.items()}


def _add_robot(spec: mujoco.MjSpec, robot: Robot) -> None:
    clearance = robot.wheel_radius / 4
    middle = clearance + robot.height / 2
    turning = robot.mass * robot.radius**2 / 2  # kg m², a disc
    body = spec.worldbody.add_body(
        name="robot", pos=[0, 0, middle], mass=robot.mass, explicitinertial=True,
        inertia=[turning / 2, turning / 2, turning],
    )  # fmt: skip
    # Exponential approach with this time constant: 1 − exp(−t/τ) = 9/10 at t = top / acceleration.
    time_s = robot.top_speed / robot.acceleration / log(10)
    drag = robot.mass / time_s  # N s/m, of both wheels
    for name, kind, axis, damping in (
        ("x", "SLIDE", [1, 0, 0], drag),
        ("y", "SLIDE", [0, 1, 0], drag),
        ("yaw", "HINGE", [0, 0, 1], drag * robot.track**2 / 4),
    ):
        body.add_joint(
            name=name, type=getattr(mujoco.mjtJoint, f"mjJNT_{kind}"), axis=axis,
            damping=[damping, 0, 0],
        )  # fmt: skip
    _add_shapes(body, robot, clearance)
    ground = -middle + robot.wheel_radius
    for name, side in (("left_wheel", 1), ("right_wheel", -1)):
        body.add_site(
            name=name, pos=[0, side * robot.track / 2, ground], size=[0.005] * 3, rgba=[0, 0, 0, 0]
        )
        wheel = _add_site_force(spec, name, [1, 0, 0, 0, 0, 0])
        wheel.gainprm[0] = drag / 2
        wheel.ctrlrange = [-robot.top_speed, robot.top_speed]
    body.add_site(name="axle", pos=[0, 0, ground], size=[0.005] * 3, rgba=[0, 0, 0, 0])
    tyres = _add_site_force(spec, "tyres", [0, 1, 0, 0, 0, 0], target="axle")
    tyres.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    tyres.gainprm[0] = 0.0
    tyres.biasprm[2] = -robot.mass / _TYRE_TIME_S
    grip = robot.grip * robot.mass * _GRAVITY  # N
    tyres.forcerange = [-grip, grip]


def _add_site_force(
    spec: mujoco.MjSpec, name: str, direction: list[float], target: str | None = None
) -> mujoco.MjsActuator:
    return spec.add_actuator(
        name=name, target=target or name, trntype=mujoco.mjtTrn.mjTRN_SITE, gear=direction,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED,
    )  # fmt: skip


def _add_shapes(body: mujoco.MjsBody, robot: Robot, clearance: float) -> None:
    """Add what touches walls (a ball: one contact with each) and what is seen."""
    shape = mujoco.mjtGeom
    body.add_geom(
        name="bumper", type=shape.mjGEOM_SPHERE, size=[robot.radius, 0, 0], contype=1,
        conaffinity=0, condim=1, group=4, mass=0,
    )  # fmt: skip
    plain = {"contype": 0, "conaffinity": 0, "mass": 0}
    half = robot.height / 2
    body.add_geom(
        name="hull", type=shape.mjGEOM_CYLINDER, size=[robot.radius, half, 0], material="shell",
        **plain,
    )  # fmt: skip
    body.add_geom(
        name="deck", type=shape.mjGEOM_CYLINDER, size=[0.75 * robot.radius, 0.1 * half, 0],
        pos=[0, 0, 1.02 * half], material="accent", **plain,
    )  # fmt: skip
    nose = [0.3 * robot.radius, 0.1 * robot.radius, 0.1 * half]
    body.add_geom(
        name="nose", type=shape.mjGEOM_BOX, size=nose, pos=[2 * nose[0], 0, 1.15 * half],
        material="eye", **plain,
    )  # fmt: skip
    for name, side in (("left", 1), ("right", -1)):
        y = side * robot.track / 2
        body.add_geom(
            name=f"{name}_tyre", type=shape.mjGEOM_CYLINDER, size=[robot.wheel_radius, 0, 0],
            fromto=[0, y, robot.wheel_radius - clearance - half,
                    0, y + side * 0.2 * robot.track, robot.wheel_radius - clearance - half],
            material="dark", **plain,
        )  # fmt: skip


def _add_walls(spec: mujoco.MjSpec, walls: Walls) -> None:
    """Add a wall outside each edge of the room."""
    corners = np.array(walls.outline, float)
    edges = np.roll(corners, -1, axis=0) - corners
    before = np.roll(edges, 1, axis=0)
    is_convex = before[:, 0] * edges[:, 1] - before[:, 1] * edges[:, 0] > 0
    # At a convex corner the walls overlap; elsewhere a longer wall would reach into the room.
    longer_by = walls.thickness * is_convex
    for i, (corner, edge) in enumerate(zip(corners, edges, strict=True)):
        length, yaw = hypot(*edge), atan2(edge[1], edge[0])
        along, inward = edge / length, np.array([-sin(yaw), cos(yaw)])
        more, less = longer_by[(i + 1) % len(corners)], longer_by[i]
        x, y = corner + along * (length + more - less) / 2 - inward * walls.thickness / 2
        spec.worldbody.add_geom(
            name=f"wall_{i}", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[x, y, walls.height / 2],
            size=[(length + more + less) / 2, walls.thickness / 2, walls.height / 2],
            quat=[cos(yaw / 2), 0, 0, sin(yaw / 2)], rgba=_WALL_COLOUR, group=OPAQUE_GROUP,
            contype=0, conaffinity=1, condim=1,
        )  # fmt: skip


def _add_pillars(spec: mujoco.MjSpec, pillars: Pillars, corners: np.ndarray) -> None:
    away = corners.max(axis=0) + 4 * pillars.radius
    for i in range(pillars.count):
        body = spec.worldbody.add_body(
            name=f"pillar_{i}", mocap=True,
            pos=[away[0], away[1] - 3 * pillars.radius * i, pillars.height / 2],
        )  # fmt: skip
        # A capsule touches a ball in one point, and is round where the robot can meet it.
        body.add_geom(
            name=f"pillar_{i}", type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            size=[pillars.radius, pillars.height / 2, 0], material="accent", group=OPAQUE_GROUP,
            contype=0, conaffinity=1, condim=1, mass=0,
        )  # fmt: skip


def _look(spec: mujoco.MjSpec, corners: np.ndarray, robot: Robot) -> None:
    """Add a camera that sees the whole room from above, forward being up, and one that follows."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    middle, size = (low + high) / 2, high - low
    spec.stat.center = [*middle, 0]
    spec.stat.extent = float(max(size))
    spec.stat.meansize = robot.radius
    height = 1.12 * max(size[0], size[1] * 3 / 4) / 2 / np.tan(np.deg2rad(45) / 2)
    above = spec.worldbody.add_camera(name="fixed", pos=[*middle, height])
    behind = spec.body("robot").add_camera(
        name="track", pos=[-9 * robot.radius, 0, 11 * robot.radius],
        mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACK,
    )  # fmt: skip
    for camera, axes in ((above, [0, -1, 0, 1, 0, 0]), (behind, [0, -1, 0, 0.84, 0, 0.54])):
        camera.alt.type = mujoco.mjtOrientation.mjORIENTATION_XYAXES
        camera.alt.xyaxes = axes
