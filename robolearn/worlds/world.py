"""A World: one MJCF scene compiled once, with the names that shifts and tasks speak of resolved."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.definitions import definition_folder, read_yaml
from robolearn.errors import UserError, unknown_name

# A locked joint must hold under its motor's whole torque; MuJoCo's default is far too soft.
_LOCK_SOLREF = (0.008, 1.0)
_LOCK_SOLIMP = (0.99, 0.9999, 0.001, 0.5, 2.0)

_CAMERA_MODES = {
    "fixed": mujoco.mjtCamLight.mjCAMLIGHT_FIXED,
    "track": mujoco.mjtCamLight.mjCAMLIGHT_TRACK,
    "trackcom": mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM,
}


@dataclass(frozen=True)
class Leg:
    """One leg, named by where it stands; indices into the compiled model.

    Attributes:
        name: such as "front_left".
        joints: joint ids from the trunk outwards.
        qpos: address of each joint in qpos, shape (k,).
        dofs: address of each joint in qvel, shape (k,).
        motors: actuator ids that drive the leg, shape (m,).
        locks: equality ids that lock each joint, shape (k,).
        bodies: body ids from the trunk outwards.
        lower_link: name of the body that shortening and amputation change.
    """

    name: str
    joints: NDArray[np.int64]
    qpos: NDArray[np.int64]
    dofs: NDArray[np.int64]
    motors: NDArray[np.int64]
    locks: NDArray[np.int64]
    bodies: tuple[int, ...]
    lower_link: str


@dataclass(frozen=True)
class World:
    """A compiled scene and its names.

    Attributes:
        name: the folder under `envs/`.
        definition: the content of its `env.yaml`.
        spec: the editable scene; never changed, only copied.
        model: the compiled scene.
        substeps: physics steps a control step.
        legs: by name, in the order of `env.yaml`; empty for worlds without legs.
    """

    name: str
    definition: dict[str, Any]
    spec: mujoco.MjSpec
    model: mujoco.MjModel
    substeps: int
    legs: dict[str, Leg] = field(default_factory=dict)

    @property
    def control_step_s(self) -> float:
        """Duration of a control step in seconds."""
        return self.substeps * self.model.opt.timestep

    @cached_property
    def home_qpos(self) -> NDArray[np.float64]:
        """The pose of the keyframe `home`, or the model's default pose; shape (nq,)."""
        return np.array(self.model.key_qpos[0] if self.model.nkey else self.model.qpos0)

    @cached_property
    def motor_ids(self) -> NDArray[np.int64]:
        """Actuators that obey a command, in the order of actions; shape (m,)."""
        return np.flatnonzero(self.model.actuator_gainprm.any(axis=1))

    @cached_property
    def motors(self) -> list[str]:
        """Names of the motors, in the order of actions."""
        return [self.model.actuator(int(i)).name for i in self.motor_ids]

    def leg(self, name: str) -> Leg:
        """Return a leg by name.

        Raises:
            UserError: the body has no such leg.
        """
        if name not in self.legs:
            raise unknown_name(f"leg of {self.name}", name, self.legs)
        return self.legs[name]

    def compile_edited(
        self, edits: Iterable[Callable[[mujoco.MjSpec, "World"], None]]
    ) -> mujoco.MjModel:
        """Compile a copy of this scene to which `edits` were applied, in order."""
        spec = self.spec.copy()
        for edit in edits:
            edit(spec, self)
        if spec.compiler.settotalmass > 0:
            # What a damaged body lost must not be given to its other links.
            spec.compiler.settotalmass *= _stated_mass(spec) / _stated_mass(self.spec)
        return _compile(spec)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def load_world(name: str, variant: str | None = None) -> World:
    """Compile the world of `envs/<name>/env.yaml`.

    Args:
        name: the folder under `envs/`.
        variant: a name under `world.variants`, whose values replace MuJoCo options, such as a
            faster integrator; None for the scene as it is.

    Raises:
        UserError: no such env or variant, or a broken definition; names the file and the key.
    """
    folder = definition_folder("envs", name)
    path = folder / "env.yaml"
    definition = read_yaml(path)
    section = _section(definition, "world", path)
    spec = _read_scene(folder, section, path)
    _name_everything(spec)
    for joint in spec.joints:
        if joint.type in (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE):
            _add_lock(spec, joint.name)
    for camera, values in section.get("cameras", {}).items():
        _add_camera(spec, camera, values, path)
    if variant is not None:
        variants = section.get("variants", {})
        if variant not in variants:
            raise unknown_name(f"variant of {name}", variant, variants)
        for key, value in variants[variant].items():
            _set_option(spec, key, value, path)
    try:
        model = _compile(spec)
    except ValueError as error:
        raise UserError(f"{path}: the scene does not compile ({_in_line(error)})") from None
    legs = {
        leg: _resolve_leg(model, leg, values, path)
        for leg, values in section.get("legs", {}).items()
    }
    substeps = section.get("substeps", 1)
    if isinstance(substeps, bool) or not isinstance(substeps, int) or substeps < 1:
        raise UserError(
            f"{path}: world.substeps must be a whole number of at least 1, got {substeps!r}"
        )
    return World(name, definition, spec, model, substeps, legs)


def _compile(spec: mujoco.MjSpec) -> mujoco.MjModel:
    """Compile; Gymnasium's half_cheetah.xml states its total mass in a way that MuJoCo deplores."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "compiler attribute 'settotalmass'", UserWarning)
        return spec.compile()


def _stated_mass(spec: mujoco.MjSpec) -> float:
    """Return the mass in kg that a scene's geoms add up to before it is scaled to a total."""
    unscaled = spec.copy()
    unscaled.compiler.settotalmass = -1.0
    return float(unscaled.compile().body_mass.sum())


def _in_line(error: Exception) -> str:
    """MuJoCo spreads its messages over several lines."""
    return " ".join(str(error).split())


def _section(definition: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    section = definition.get(key)
    if not isinstance(section, dict):
        raise UserError(f"{path}: key {key!r} must be a mapping, got {section!r}")
    return section


def _read_scene(folder: Path, section: dict[str, Any], path: Path) -> mujoco.MjSpec:
    """Read the scene beside env.yaml, or one of Gymnasium's own (`gymnasium:ant.xml`)."""
    scene = section.get("scene")
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
        return mujoco.MjSpec.from_file(str(file))
    except ValueError as error:
        raise UserError(f"{file}: not a valid MJCF scene ({_in_line(error)})") from None


def _name_everything(spec: mujoco.MjSpec) -> None:
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


def _add_lock(spec: mujoco.MjSpec, joint: str) -> None:
    """Add a switched-off equality that can hold `joint` at an angle."""
    lock = spec.add_equality()
    lock.name = f"lock_{joint}"
    lock.type = mujoco.mjtEq.mjEQ_JOINT
    lock.objtype = mujoco.mjtObj.mjOBJ_JOINT
    lock.name1 = joint
    lock.active = False
    lock.solref = np.array(_LOCK_SOLREF)
    lock.solimp = np.array(_LOCK_SOLIMP)


def _add_camera(spec: mujoco.MjSpec, name: str, values: dict[str, Any], path: Path) -> None:
    """Add a camera that a borrowed scene lacks; keys body, mode, pos and xyaxes."""
    bodies = [body.name for body in spec.bodies]
    if values.get("body", "world") not in bodies:
        raise UserError(f"{path}: camera {name!r}: {unknown_name('body', values['body'], bodies)}")
    mode = values.get("mode", "fixed")
    if mode not in _CAMERA_MODES:
        raise UserError(f"{path}: camera {name!r}: {unknown_name('mode', mode, _CAMERA_MODES)}")
    for key in ("pos", "xyaxes"):
        if key not in values:
            raise UserError(f"{path}: camera {name!r} lacks the key {key!r}")
    camera = spec.body(values.get("body", "world")).add_camera(name=name, pos=values["pos"])
    camera.alt.xyaxes = values["xyaxes"]
    camera.mode = _CAMERA_MODES[mode]


def _set_option(spec: mujoco.MjSpec, key: str, value: Any, path: Path) -> None:
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
    setattr(spec.option, key, value)


def _resolve_leg(model: mujoco.MjModel, name: str, values: dict[str, Any], path: Path) -> Leg:
    """Turn the names of a leg in env.yaml into indices of the compiled model."""
    try:
        joints = np.array([model.joint(joint).id for joint in values["joints"]])
        motors = np.array([model.actuator(motor).id for motor in values["motors"]])
        locks = np.array([model.equality(f"lock_{joint}").id for joint in values["joints"]])
        lower_link = model.body(values["lower_link"])
        bodies = tuple(dict.fromkeys(int(model.jnt_bodyid[joint]) for joint in joints))
    except KeyError as error:
        raise UserError(f"{path}: leg {name!r}: {error.args[0]}") from None
    return Leg(
        name=name,
        joints=joints,
        qpos=model.jnt_qposadr[joints].astype(np.int64),
        dofs=model.jnt_dofadr[joints].astype(np.int64),
        motors=motors,
        locks=locks,
        bodies=bodies,
        lower_link=lower_link.name,
    )
