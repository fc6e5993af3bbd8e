"""Rough ground and steps."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError, unknown_name
from robolearn.shifts.shift import Ids, Shift, number, register, whole_number
from robolearn.simulation import Simulation
from robolearn.worlds import World
from robolearn.worlds.terrain import (
    DEPTHS,
    FORMS,
    NAME,
    TURNS,
    TerrainFields,
    ground_code,
    quarter_turn,
)

# A contact is soft: who stands in the ground by less than this, m, stands on it.
_SOFT = 0.01
# How much deeper the floor lies than the field, grains: nobody is to touch both at once.
_BELOW = 0.05


@register
@dataclass(frozen=True)
class Terrain(Shift):
    """Lay uneven ground under the robot: smooth bumps or steps, never above the start's level.

    Heights lie between −depth and 0. The ground is flat within two grains of the start and from
    twenty grains on, there a little below −depth; grain and greatest depth are those of the world
    (`world.terrain` of env.yaml). Begun in mid-life, the ground gives way by at most its depth and
    the robot drops; ended, it comes back, and who would be in it is lifted until it stands on it.
    Heights that end a life are measured from the ground around the robot; what it observes is not
    changed. Two terrains contradict; a slope inclines it. A step on it takes a third to a half
    longer than on the plane.

    Attributes:
        form: "rough": bumps about a grain wide, all heights equally common; "steps": square slabs
            of two grains, each at one of five heights.
        depth: between the highest and the lowest ground, m; rounded to the nearest of 0.005, 0.01,
            0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15 and 0.2.
        turn: quarter turns of the pattern about the start, 0 to 3: four different grounds.
    """

    kind: ClassVar[str] = "terrain"

    form: str = "rough"
    depth: float = 0.04
    turn: int = 0

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise unknown_name("terrain form", self.form, FORMS)
        wanted = number(self.depth, "terrain: depth", DEPTHS[0], DEPTHS[-1])
        object.__setattr__(self, "depth", min(DEPTHS, key=lambda depth: abs(depth - wanted)))
        object.__setattr__(self, "turn", whole_number(self.turn, "terrain: turn", 0, TURNS - 1))

    @property
    def label(self) -> str:
        """The shift as written on the command line, without its time."""
        return f"{self.kind}:{self.form}:{self.depth:g}" + (f":{self.turn}" if self.turn else "")

    def check(self, world: World) -> None:
        """Raise UserError if the world has no such ground, or nobody that could stand on it."""
        if world.model.jnt_type[0] != mujoco.mjtJoint.mjJNT_FREE:
            raise UserError(f"shift terrain: the body of {world.name} does not move freely")
        deepest = _fields(world).depths[-1]
        if self.depth > deepest:
            raise UserError(
                f"terrain: depth must be at most {deepest:g} m for {world.name} "
                f"(world.terrain.deepest of its env.yaml), got {self.depth:g}"
            )

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Let the individuals `ids` touch, and be drawn on, their field; lower their floor."""
        model, fields = simulation.model, _fields(simulation.world)
        floor, ground = _floor(model), model.geom(NAME).id
        field = fields.field(self.form, self.depth)
        place, down = model.geom_pos[floor], np.array([0.0, 0.0, -1.0])
        beyond = self.depth + _BELOW * fields.grain
        simulation.write_body("geom_dataid", ids, ground, field)
        simulation.write_body("geom_pos", ids, ground, place + self.depth * down)
        simulation.write_body("geom_quat", ids, ground, quarter_turn(self.turn))
        simulation.write_body("geom_rgba", ids, ground, model.geom_rgba[floor])
        # The floor goes on where the field ends.
        simulation.write_body("geom_pos", ids, floor, place + beyond * down)
        # Otherwise MuJoCo takes them for geoms that stand as their bodies do.
        free = mujoco.mjtSameFrame.mjSAMEFRAME_NONE.value
        simulation.write_body("geom_sameframe", ids, np.array([floor, ground]), free)
        for field_name in ("contype", "conaffinity"):
            own = f"geom_{field_name}"
            simulation.write_body(own, ids, ground, getattr(model, own)[floor])
            whole = f"body_{field_name}"
            simulation.write_body(whole, ids, model.body(NAME).id, getattr(model, own)[floor])

    def apply_task(self, arrays: dict[str, NDArray], ids: Ids) -> None:
        """Tell the task, if it asks, what ground the individuals `ids` are on."""
        if NAME in arrays:
            arrays[NAME][ids] = ground_code(self.form, self.depth, self.turn)

    def release(self, simulation: Simulation, ids: Ids) -> None:
        """Lift the individuals `ids` out of the ground that comes back."""
        for i in ids.tolist():
            body = simulation.model_of(i)  # a shortened leg reaches less deep
            data = mujoco.MjData(body)
            data.qpos[:] = simulation.qpos[i]
            mujoco.mj_kinematics(body, data)
            depth = -_lowest(body, data)
            if depth > _SOFT:
                simulation.qpos[i, 2] += depth

    def contradicts(self, other: Shift, world: World) -> bool:
        """Return whether `other` is another terrain."""
        return isinstance(other, Terrain)


def _fields(world: World) -> TerrainFields:
    if world.terrain is None:
        raise UserError(f"shift terrain: {world.name} has no 'world.terrain' in its env.yaml")
    return world.terrain


def _floor(model: mujoco.MjModel) -> int:
    """Return the id of the one plane."""
    return int(np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE)[0])


def _lowest(model: mujoco.MjModel, data: mujoco.MjData) -> float:
    """Return the height in m of the lowest point of what can touch the floor."""
    floor = _floor(model)
    meets = (model.geom_contype & model.geom_conaffinity[floor]) | (
        model.geom_contype[floor] & model.geom_conaffinity
    )
    geoms = np.flatnonzero((meets > 0) & (model.body_weldid[model.geom_bodyid] > 0))
    size, kind = model.geom_size[geoms], model.geom_type[geoms]
    up = np.abs(data.geom_xmat[geoms].reshape(-1, 3, 3)[:, 2])  # (k, 3) the vertical, as they lie
    half = (up * model.geom_aabb[geoms, 3:]).sum(axis=1)  # (k,) that of a box
    is_round = np.isin(kind, (mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_CAPSULE))
    length = np.where(kind == mujoco.mjtGeom.mjGEOM_CAPSULE, size[:, 1], 0.0)
    half = np.where(is_round, size[:, 0] + up[:, 2] * length, half)
    return float((data.geom_xpos[geoms, 2] - half).min())
