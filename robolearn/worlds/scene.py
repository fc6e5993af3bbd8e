"""An MJCF scene before it is compiled: read or built, named, given locks and cameras."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robolearn.definitions import check_keys
from robolearn.errors import UserError, unknown_name
from robolearn.worlds.legged import legged_body
from robolearn.worlds.scenery import dress
from robolearn.worlds.wheeled import wheeled_robot

# Names of joints, motors and lower link of every leg, as under `world.legs` of env.yaml.
LegNames = dict[str, dict[str, Any]]

# What `world.scene` may name as its `builder`, instead of being a file.
_BUILDERS: dict[str, Callable[[dict[str, Any], str], tuple[mujoco.MjSpec, LegNames]]] = {
    "legged": legged_body,
    "wheeled": wheeled_robot,
}

# A locked joint must hold under its motor's whole torque; MuJoCo's default is far too soft.
_LOCK_SOLREF = (0.008, 1.0)
_LOCK_SOLIMP = (0.99, 0.9999, 0.001, 0.5, 2.0)

_CAMERA_MODES = {
    "fixed": mujoco.mjtCamLight.mjCAMLIGHT_FIXED,
    "track": mujoco.mjtCamLight.mjCAMLIGHT_TRACK,
    "trackcom": mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM,
}


def read_scene(folder: Path, section: dict[str, Any], path: Path) -> tuple[mujoco.MjSpec, LegNames]:
    """Return the scene of a `world` section and the legs that its builder made, if it has one.

    `scene` is a file beside env.yaml, one of Gymnasium's own (`gymnasium:ant.xml`), or a mapping
    with a `builder` and its figures.

    Raises:
        UserError: there is no such file or builder, or it is broken; begins with `path`.
    """
    scene = section.get("scene")
    if isinstance(scene, dict):
        builder = scene.get("builder")
        if not isinstance(builder, str) or builder not in _BUILDERS:
            raise UserError(f"{path}: world.scene: {unknown_name('builder', builder, _BUILDERS)}")
        figures = {key: value for key, value in scene.items() if key != "builder"}
        try:
            return _BUILDERS[builder](figures, "world.scene.")
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
    if not isinstance(scene, str):
        raise UserError(f"{path}: key 'world.scene' must name an MJCF file, got {scene!r}")
    file = folder / scene
    if scene.startswith("gymnasium:"):
        import gymnasium

        assets = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
        file = assets / scene.removeprefix("gymnasium:")
    if not file.is_file():
        raise UserError(f"{path}: world.scene {scene!r} does not exist")
    try:
        spec = mujoco.MjSpec.from_file(str(file))
    except ValueError as error:
        raise UserError(f"{file}: not a valid MJCF scene ({in_line(error)})") from None
    if scene.startswith("gymnasium:"):
        dress(spec)
    return spec, {}


def name_everything(spec: mujoco.MjSpec) -> None:
    """Give nameless elements a name: a body after its first joint, a motor after its joint."""
    for kind, elements in (("light", spec.lights), ("texture", spec.textures)):
        for i, element in enumerate(elements):
            if not element.name:
                element.name = f"{kind}_{i}"
    for body in spec.bodies:
        if not body.name and body.first_joint() is not None:
            body.name = f"{body.first_joint().name}_link"
    for actuator in spec.actuators:
        if not actuator.name:
            actuator.name = actuator.target
    for body in spec.bodies:
        for i, geom in enumerate(body.geoms):
            if not geom.name:
                geom.name = f"{body.name}_geom_{i}"


def add_lock(spec: mujoco.MjSpec, joint: str) -> None:
    """Add a switched-off equality that can hold `joint` at an angle."""
    lock = spec.add_equality()
    lock.name = f"lock_{joint}"
    lock.type = mujoco.mjtEq.mjEQ_JOINT
    lock.objtype = mujoco.mjtObj.mjOBJ_JOINT
    lock.name1 = joint
    lock.active = False
    lock.solref = np.array(_LOCK_SOLREF)
    lock.solimp = np.array(_LOCK_SOLIMP)


def add_camera(spec: mujoco.MjSpec, name: str, values: dict[str, Any], path: Path) -> None:
    """Add a camera that a borrowed scene lacks; keys body, mode, pos and xyaxes."""
    keys = ("body", "mode", "pos", "xyaxes")
    check_keys(values, keys, f"{path}: ", f"world.cameras.{name}")
    bodies = [body.name for body in spec.bodies]
    if values.get("body", "world") not in bodies:
        raise UserError(f"{path}: camera {name!r}: {unknown_name('body', values['body'], bodies)}")
    mode = values.get("mode", "fixed")
    if mode not in _CAMERA_MODES:
        raise UserError(f"{path}: camera {name!r}: {unknown_name('mode', mode, _CAMERA_MODES)}")
    if name in [camera.name for camera in spec.cameras]:
        raise UserError(f"{path}: camera {name!r}: the scene has one of that name")
    for key, count in (("pos", 3), ("xyaxes", 6)):
        if key not in values:
            raise UserError(f"{path}: camera {name!r} lacks the key {key!r}")
        numbers = values[key]
        is_right = isinstance(numbers, list) and all(type(n) in (int, float) for n in numbers)
        if not is_right or len(numbers) != count:
            raise UserError(
                f"{path}: camera {name!r}: {key} must be {count} numbers, got {numbers!r}"
            )
    camera = spec.body(values.get("body", "world")).add_camera(name=name, pos=values["pos"])
    camera.alt.type = mujoco.mjtOrientation.mjORIENTATION_XYAXES
    camera.alt.xyaxes = values["xyaxes"]
    camera.mode = _CAMERA_MODES[mode]


def set_option(spec: mujoco.MjSpec, key: str, value: Any, path: Path) -> None:
    enums = {"integrator": mujoco.mjtIntegrator, "cone": mujoco.mjtCone, "solver": mujoco.mjtSolver}
    if not hasattr(spec.option, key):
        valid = [name for name in dir(spec.option) if not name.startswith("_")]
        raise UserError(f"{path}: {unknown_name('MuJoCo option', key, valid)}")
    if key in enums:
        prefix = {"integrator": "mjINT_", "cone": "mjCONE_", "solver": "mjSOL_"}[key]
        names = {m.removeprefix(prefix).lower(): m for m in enums[key].__members__}
        if str(value).lower() not in names:
            raise UserError(f"{path}: {unknown_name(key, value, names)}")
        value = enums[key].__members__[names[str(value).lower()]]
    try:
        setattr(spec.option, key, value)
    except (TypeError, ValueError):
        raise UserError(f"{path}: MuJoCo option {key} cannot be {value!r}") from None


def compile_scene(spec: mujoco.MjSpec) -> mujoco.MjModel:
    """Compile; Gymnasium's half_cheetah.xml states its total mass in a way that MuJoCo deplores."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "compiler attribute 'settotalmass'", UserWarning)
        return spec.compile()


def stated_mass(spec: mujoco.MjSpec) -> float:
    """Return the mass in kg that a scene's geoms add up to before it is scaled to a total."""
    unscaled = spec.copy()
    unscaled.compiler.settotalmass = -1.0
    return float(unscaled.compile().body_mass.sum())


def in_line(error: Exception) -> str:
    """MuJoCo spreads its messages over several lines."""
    return " ".join(str(error).split())
