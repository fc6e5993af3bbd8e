"""Robots with any even number of legs: one leg (coxa, femur, tibia), repeated around a trunk.

Frame: x forward, y left, z up. A leg's coxa turns about the vertical, positive swings the foot
forward on either side; femur and tibia pitch, positive lowers the foot. At angle 0 the leg is
stretched out level. All angles in rad.
"""

from dataclasses import dataclass
from math import cos, pi, sin
from typing import Any

import mujoco
import numpy as np

from robolearn.worlds.legged_figures import Figures, Trunk, leg_names, read_figures
from robolearn.worlds.scenery import empty_scene

# Name, body, mode, place in units of the reach of the legs, and the picture's right and up.
_CAMERAS = (
    (
        *("track", "trunk", mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM),
        *((1.45, -2.3, 1.1), (0.845, 0.535, 0, -0.202, 0.319, 0.926)),
    ),
    (
        *("fixed", "world", mujoco.mjtCamLight.mjCAMLIGHT_FIXED),
        *((5, -8, 4), (0.976, 0.217, 0, -0.084, 0.378, 0.922)),
    ),
)


@dataclass(frozen=True)
class Mount:
    """Where a coxa turns, in the trunk's frame: x and y in m, and the way the leg points, rad."""

    x: float
    y: float
    yaw: float


def legged_body(
    values: dict[str, Any], where: str
) -> tuple[mujoco.MjSpec, dict[str, dict[str, Any]]]:
    """Build a legged robot on the ground, standing in its keyframe "home".

    Args:
        values: the figures, as `world.scene` of env.yaml has them; see `Figures`.
        where: the figures stand, which begins every message: "world.scene.".

    Returns:
        The scene, and {leg: names of its joints, motors and lower link} from front to rear, left
        before right.

    Raises:
        UserError: a figure is unknown, missing or out of its range.
    """
    figures = read_figures(values, where)
    spec = empty_scene(figures.timestep_s)
    trunk = _add_trunk(spec, figures.trunk)
    # MuJoCo takes the greater friction of two that touch: all must have it.
    for geom in (spec.geom("floor"), spec.geom("trunk")):
        geom.friction = figures.friction
    legs = {}
    for name, mount in mounts(figures.legs, figures.trunk).items():
        legs[name] = _add_leg(spec, trunk, name, mount, figures)
    _stand(spec, figures)
    return spec, legs


def mounts(legs: int, trunk: Trunk) -> dict[str, Mount]:
    """Return where the coxae sit, by the name of the leg."""
    pairs, names = legs // 2, leg_names(legs)
    out = {}
    for i, (left, right) in enumerate(zip(names[::2], names[1::2], strict=True)):
        if trunk.shape == "disc":
            yaw = pi * (i + 0.5) / pairs
            x, y = trunk.length / 2 * cos(yaw), trunk.length / 2 * sin(yaw)
        else:
            along = 1 - 2 * i / (pairs - 1)  # 1 at the front, -1 at the rear
            width = trunk.width or trunk.length
            middle = trunk.middle_width or width
            yaw = pi / 2 - trunk.splay * along
            x, y = trunk.length / 2 * along, (middle + (width - middle) * along**2) / 2
        out[left] = Mount(x, y, yaw)
        out[right] = Mount(x, -y, -yaw)
    return out


def _add_trunk(spec: mujoco.MjSpec, trunk: Trunk) -> mujoco.MjsBody:
    half_length, half_height = trunk.length / 2, trunk.height / 2
    body = spec.worldbody.add_body(name="trunk")
    body.simple = False  # its centre of mass may be shifted
    body.add_freejoint(name="root")
    body.add_site(name="imu", size=[0.01] * 3, rgba=[0, 0, 0, 0])
    top = half_height * 1.02
    if trunk.shape == "disc":
        half_width = half_length
        _add_geom(
            body, "trunk", "cylinder", [half_length, half_height, 0], "shell",
            mass=trunk.mass, contype=1,
        )  # fmt: skip
        _add_geom(
            body, "trunk_plate", "cylinder", [0.55 * half_length, 0.1 * half_height, 0], "accent",
            pos=[0, 0, top],
        )  # fmt: skip
    else:
        half_width = (trunk.width or trunk.length) / 2
        middle = (trunk.middle_width or 2 * half_width) / 2
        _add_geom(
            body, "trunk", "box", [half_length, half_width, half_height], "shell",
            mass=trunk.mass, contype=1,
        )  # fmt: skip
        _add_geom(
            body, "trunk_shoulders", "ellipsoid", [0.7 * half_length, middle, 0.8 * half_height],
            "shell",
        )  # fmt: skip
        _add_geom(
            body, "trunk_stripe", "box", [0.7 * half_length, 0.12 * half_width, 0.1 * half_height],
            "accent", pos=[-0.1 * half_length, 0, top],
        )  # fmt: skip
    head = [0.22 * half_length, 0.55 * half_width, 0.75 * half_height]
    _add_geom(body, "trunk_head", "box", head, "dark", pos=[half_length + 0.8 * head[0], 0, 0.0])
    _add_geom(
        body, "trunk_eyes", "capsule", [0.2 * head[2], 0, 0], "eye",
        fromto=[half_length + 1.8 * head[0], -0.6 * head[1], 0.25 * head[2],
                half_length + 1.8 * head[0], 0.6 * head[1], 0.25 * head[2]],
    )  # fmt: skip
    return body


def _add_leg(
    spec: mujoco.MjSpec, trunk: mujoco.MjsBody, name: str, mount: Mount, figures: Figures
) -> dict[str, Any]:
    """Hang a leg on the trunk; returns the names of its joints, motors and lower link."""
    side = 1.0 if mount.y > 0 else -1.0
    axes = {"coxa": (0, 0, -side), "femur": (0, 1, 0), "tibia": (0, 1, 0)}
    looks = {"coxa": "dark", "femur": "shell", "tibia": "dark"}
    motor, foot = figures.motor, figures.foot
    body, place = trunk, [mount.x, mount.y, 0.0]
    joints = []
    for part, link in figures.links.items():
        body = body.add_body(name=f"{name}_{part}", pos=place)
        place = [link.length, 0.0, 0.0]
        if part == "coxa":
            body.quat = [cos(mount.yaw / 2), 0, 0, sin(mount.yaw / 2)]
        joint = f"{name}_{part}"
        joints.append(joint)
        body.add_joint(
            name=joint, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axes[part], range=link.range,
            damping=[motor.friction, 0, 0], armature=motor.armature,
        )  # fmt: skip
        _add_geom(
            body, f"{name}_{part}", "capsule", [link.radius, 0, 0], looks[part],
            fromto=[0, 0, 0, *place], mass=link.mass,
        )  # fmt: skip
        across = np.array([0, 0, 1.3] if part == "coxa" else [0, 1.1, 0]) * figures.coxa.radius
        _add_geom(
            body, f"{name}_{part}_motor", "cylinder", [1.15 * figures.coxa.radius, 0, 0],
            "dark" if part == "coxa" else "accent", fromto=[*(-across), *across],
        )  # fmt: skip
        actuator = spec.add_actuator(
            name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT, ctrlrange=link.range,
            forcerange=[-motor.torque, motor.torque],
        )  # fmt: skip
        actuator.set_to_position(kp=motor.stiffness, kv=motor.damping)
    _add_geom(
        body, f"{name}_foot", "sphere", [foot.radius, 0, 0], "dark", pos=place, mass=foot.mass,
        contype=1, friction=figures.friction,
    )  # fmt: skip
    site = f"{name}_foot"
    body.add_site(name=site, pos=place, size=[1.15 * foot.radius] * 3, rgba=[0, 0, 0, 0])
    spec.add_sensor(
        name=site, type=mujoco.mjtSensor.mjSENS_TOUCH, objtype=mujoco.mjtObj.mjOBJ_SITE,
        objname=site,
    )  # fmt: skip
    return {"joints": joints, "motors": joints, "lower_link": body.name}


def _add_geom(
    body: mujoco.MjsBody, name: str, kind: str, size: list[float], material: str, **more: Any
) -> None:
    """Add a shape, which weighs and touches nothing unless `more` says so."""
    plain = {"mass": 0.0, "contype": 0, "conaffinity": 0, "condim": 3, "solref": (0.01, 1.0)}
    body.add_geom(
        name=name, type=getattr(mujoco.mjtGeom, f"mjGEOM_{kind.upper()}"), size=size,
        material=material, **{**plain, **more},
    )  # fmt: skip


def _stand(spec: mujoco.MjSpec, figures: Figures) -> None:
    """Add the keyframe in which all feet touch the ground, and the cameras that see the whole."""
    pose = [link.home for link in figures.links.values()] * figures.legs
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[7:] = pose
    mujoco.mj_kinematics(model, data)
    feet = data.site_xpos[[i for i in range(model.nsite) if model.site(i).name != "imu"]]
    height = figures.foot.radius - feet[:, 2].min()
    spec.body("trunk").pos = [0, 0, height]
    spec.add_key(name="home", qpos=[0, 0, height, 1, 0, 0, 0, *pose], ctrl=pose)
    reach = float(np.linalg.norm(feet[:, :2], axis=1).max())  # m
    spec.stat.center = [0, 0, height]
    spec.stat.extent = 2.5 * reach
    spec.stat.meansize = 0.2 * reach
    for name, body, mode, place, axes in _CAMERAS:
        camera = spec.body(body).add_camera(name=name, mode=mode, pos=reach * np.array(place))
        camera.alt.type = mujoco.mjtOrientation.mjORIENTATION_XYAXES
        camera.alt.xyaxes = axes
