"""A World: one MJCF scene compiled once, with the names that shifts and tasks speak of resolved."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.definitions import check_keys, definition_folder, read_env
from robolearn.errors import UserError, unknown_name
from robolearn.worlds.scene import (
    add_camera,
    add_lock,
    compile_scene,
    in_line,
    name_everything,
    read_scene,
    set_option,
    stated_mass,
)
from robolearn.worlds.terrain import TerrainFields, add_terrain, read_terrain


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
        legs: by name, in the order of `env.yaml` or of the scene's builder; empty for worlds
            without legs.
        terrain: height fields that the shift `terrain` may lay under the robot; None without it.
    """

    name: str
    definition: dict[str, Any]
    spec: mujoco.MjSpec
    model: mujoco.MjModel
    substeps: int
    legs: dict[str, Leg] = field(default_factory=dict)
    terrain: TerrainFields | None = None

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
            spec.compiler.settotalmass *= stated_mass(spec) / stated_mass(self.spec)
        return compile_scene(spec)

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
    definition = read_env(name)
    if "world" not in definition:
        raise UserError(f"{path}: lacks the key 'world'")
    section = definition["world"]
    spec, built_legs = read_scene(folder, section, path)
    name_everything(spec)
    for joint in spec.joints:
        if joint.type in (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE):
            add_lock(spec, joint.name)
    for camera, values in section.get("cameras", {}).items():
        add_camera(spec, camera, values, path)
    for key, value in variant_options(name, definition, variant).items():
        set_option(spec, key, value, path)
    terrain = read_terrain(section, "terrain" in definition.get("shifts", []), path)
    try:
        if terrain is not None:
            add_terrain(spec, terrain, path)
        model = compile_scene(spec)
    except ValueError as error:
        raise UserError(f"{path}: the scene does not compile ({in_line(error)})") from None
    legs = {
        leg: _resolve_leg(model, leg, values, path)
        for leg, values in section.get("legs", built_legs).items()
    }
    return World(name, definition, spec, model, section.get("substeps", 1), legs, terrain)


def variant_options(name: str, definition: dict[str, Any], variant: str | None) -> dict[str, Any]:
    """Return the MuJoCo options that a variant of the env `name` replaces; none without a variant.

    Raises:
        UserError: the definition has no such variant.
    """
    variants = definition.get("world", {}).get("variants", {})
    if variant is None:
        return {}
    if variant not in variants:
        raise unknown_name(f"variant of {name}", variant, variants)
    return variants[variant]


def _resolve_leg(model: mujoco.MjModel, name: str, values: dict[str, Any], path: Path) -> Leg:
    """Turn the names of a leg in env.yaml into indices of the compiled model."""
    keys = ("joints", "motors", "lower_link")
    check_keys(values, keys, f"{path}: ", f"world.legs.{name}")
    for key in keys:
        if key not in values:
            raise UserError(f"{path}: leg {name!r} lacks the key {key!r}")
    locked = [model.equality(i).name for i in range(model.neq)]
    known = {
        "joints": [n.removeprefix("lock_") for n in locked if n.startswith("lock_")],
        "motors": [model.actuator(i).name for i in range(model.nu)],
        "lower_link": [model.body(i).name for i in range(model.nbody)],
    }
    for key, valid in known.items():
        given = [values[key]] if key == "lower_link" else values[key]
        if not isinstance(given, list) or not given:
            raise UserError(f"{path}: leg {name!r}: {key} must be a list of names, got {given!r}")
        for one in given:
            if one not in valid:
                raise UserError(f"{path}: leg {name!r}: {unknown_name(key, one, valid)}")
    joints = np.array([model.joint(joint).id for joint in values["joints"]])
    motors = np.array([model.actuator(motor).id for motor in values["motors"]])
    locks = np.array([model.equality(f"lock_{joint}").id for joint in values["joints"]])
    lower_link = model.body(values["lower_link"])
    bodies = tuple(dict.fromkeys(int(model.jnt_bodyid[joint]) for joint in joints))
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
