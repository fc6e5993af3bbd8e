"""How a body's observation and action divide, for brains with one module a leg or a side.

All is derived from the scene: sides and order from where the legs stand, mirrored motors from the
axes of their joints. What a module on the right senses and does is mirrored.

The module of a leg senses, in this order: the trunk, its own joints' angles and velocities, its
foot where the body feels it, joint angles and foot of each neighbour (across, ahead, behind, and
across from those two), its own last action, the heading and the gait clock where the body senses
them, and its place from front (1) to rear (−1). Of a neighbour it feels what the neighbour itself
does. Neighbouring legs, across and along, get the clock in antiphase: a trot on four legs, a tripod
on six. Insects' legs are coupled likewise, by position and load of their neighbours (Cruse 1990,
Trends Neurosci. 13:15).

The module of a side drives the legs of its side and senses the whole body: the trunk, then joint
angles, joint velocities, feet and last actions, those of its own side first and from front to rear,
the heading and the gait clock, on the right in antiphase. The halves of a spinal cord share a body
so, with fibres that cross between them (Grillner 2006, Neuron 52:751).
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.envs.task import Division, ObservationSlice
from robolearn.errors import UserError
from robolearn.worlds import World

# Under a mirror from left to right, of (x, y, z): directions keep x and z, rotations keep y.
_DIRECTION, _ROTATION = (1.0, -1.0, 1.0), (-1.0, 1.0, -1.0)
# What is sensed of the trunk, and the factors of its last elements under that mirror.
_TRUNK = {
    "position": _DIRECTION,
    "orientation": (1.0, *_ROTATION),  # a quaternion
    "up": _DIRECTION,
    "velocity": _DIRECTION,
    "angular_velocity": _ROTATION,
}


def body_modules(
    world: World, parts: tuple[ObservationSlice, ...], division: Division
) -> dict[str, NDArray]:
    """Return the arrays of `robolearn.agents.module_layout.Layout` by name.

    Args:
        world: with equally many legs on both sides, all of equally many joints.
        parts: of the observation, named as in `robolearn.envs.walk` and `robolearn.envs.run`.
        division: one module a leg, or one a side.

    Raises:
        UserError: legs of different sizes, or more on one side.
    """
    body = _Body(world, parts)
    if division == "sides":
        rows = [_side(body, right) for right in (False, True)]
    else:
        rows = [_leg(body, i) for i in range(len(body.legs))]
    names = ("inputs", "input_signs", "outputs", "output_signs")
    kinds = (np.int64, np.float32, np.int64, np.float32)
    columns = zip(*rows, strict=True)
    return {n: np.array(column, k) for n, k, column in zip(names, kinds, columns, strict=True)}


# What one module senses and drives: inputs, their signs, outputs, their signs.
_Row = tuple[list[int], list[float], list[int], list[float]]


class _Body:
    """Where the legs stand and how their parts are mirrored.

    Attributes:
        legs: in the order of the observation.
        right: of each leg, whether it stands on the right.
        rank: of each leg, 0 for the foremost of its side.
        at: leg by (right, rank).
        mirrors: of each leg, ±1 for each joint.
    """

    def __init__(self, world: World, parts: tuple[ObservationSlice, ...]):
        data = mujoco.MjData(world.model)
        data.qpos[:] = world.home_qpos
        mujoco.mj_kinematics(world.model, data)
        ends = np.cumsum([part.size for part in parts]).tolist()
        self.size = ends[-1]
        self.parts = {p.name: p for p in parts}
        self.slices = {p.name: slice(end - p.size, end) for p, end in zip(parts, ends, strict=True)}
        self.legs = list(world.legs.values())
        self.names = [[world.model.joint(int(j)).name for j in leg.joints] for leg in self.legs]
        first = self.legs[0]
        self.joints = len(first.joints)
        if any({len(leg.joints), len(leg.motors)} != {self.joints} for leg in self.legs):
            raise UserError(f"{world.name}: legs of different sizes have no common module")
        places = np.array([data.xpos[leg.bodies[0]] for leg in self.legs])  # (L, 3)
        self.right = [bool(y < 0) for y in places[:, 1]]
        ahead = [int(i) for i in np.argsort(-places[:, 0], kind="stable")]
        sides = [[i for i in ahead if self.right[i] == right] for right in (False, True)]
        if len(sides[False]) != len(sides[True]):
            counts = f"{len(sides[False])} legs on the left, {len(sides[True])} on the right"
            raise UserError(f"{world.name}: {counts}: modules need as many on both sides")
        self.rank = [sides[right].index(i) for i, right in enumerate(self.right)]
        self.at = {(self.right[i], self.rank[i]): i for i in range(len(self.legs))}
        self.mirrors = [
            [_mirror(data.xaxis[j], data.xaxis[k], self.right[i] != self.right[0])
             for j, k in zip(first.joints, leg.joints, strict=True)]
            for i, leg in enumerate(self.legs)
        ]  # fmt: skip

    def trunk(self, right: bool) -> tuple[list[int], list[float]]:
        """Return inputs and signs of what both sides sense of the trunk."""
        inputs, signs = [], []
        for name, mirrored in _TRUNK.items():
            part = self.slices.get(name)
            if part is not None:
                inputs += range(part.start, part.stop)
                size = part.stop - part.start
                signs += mirrored[-size:] if right else [1.0] * size
        return inputs, signs

    def of_joints(self, name: str, i: int) -> list[int]:
        """Return the inputs for the joints of leg `i` in a part of the observation."""
        start, sources = self.slices[name].start, self.parts[name].sources
        return [start + sources.index(joint) for joint in self.names[i]]

    def of_foot(self, i: int) -> list[int]:
        """Return the input for the foot of leg `i`, none where the body does not feel it."""
        part = self.slices.get("contact")
        return [] if part is None else [part.start + i]

    def of_actions(self, i: int) -> list[int]:
        """Return the inputs for the last actions of leg `i`, none where it does not sense them."""
        part = self.slices.get("last_action")
        return [] if part is None else [part.start + int(motor) for motor in self.legs[i].motors]

    def heading(self, right: bool) -> tuple[list[int], list[float]]:
        """Return inputs and signs of the heading, none where the body does not sense it."""
        part = self.slices.get("heading")
        if part is None:
            return [], []
        return list(range(part.start, part.stop)), [-1.0 if right else 1.0, 1.0]  # sin, cos

    def clock(self) -> list[int]:
        """Return the inputs of the gait clock, none where the body does not sense it."""
        part = self.slices.get("clock")
        return [] if part is None else list(range(part.start, part.stop))


def _leg(body: _Body, i: int) -> _Row:
    """Return what the module of leg `i` senses and drives."""
    right, r, mirrors = body.right[i], body.rank[i], body.mirrors
    inputs, signs = body.trunk(right)
    for name in ("joint_angle", "joint_velocity"):
        inputs += body.of_joints(name, i)
        signs += mirrors[i]
    foot = body.of_foot(i)
    inputs += foot
    signs += [1.0] * len(foot)
    for neighbour in (
        (not right, r), (right, r - 1), (right, r + 1), (not right, r - 1), (not right, r + 1),
    ):  # fmt: skip
        k = body.at.get(neighbour, i)
        inputs += body.of_joints("joint_angle", k) + body.of_foot(k)
        felt = mirrors[k] + [1.0] * len(foot)
        signs += felt if neighbour in body.at else [0.0] * len(felt)
    last = body.of_actions(i)
    inputs += last
    signs += mirrors[i][: len(last)]
    heading, heading_signs = body.heading(right)
    clock = body.clock()
    inputs += heading + clock
    signs += heading_signs + [1.0 if (r + right) % 2 == 0 else -1.0] * len(clock)
    inputs.append(body.size)  # the constant
    signs.append(1.0 - 2.0 * r / max(*body.rank, 1))
    motors = [int(motor) for motor in body.legs[i].motors]
    return inputs, signs, motors, mirrors[i]


def _side(body: _Body, right: bool) -> _Row:
    """Return what the module of one side senses and drives."""
    ranks = range(len(body.legs) // 2)
    own = [body.at[right, r] for r in ranks]
    every = own + [body.at[not right, r] for r in ranks]
    inputs, signs = body.trunk(right)
    for name in ("joint_angle", "joint_velocity"):
        inputs += [k for i in every for k in body.of_joints(name, i)]
        signs += [sign for i in every for sign in body.mirrors[i]]
    feet = [k for i in every for k in body.of_foot(i)]
    inputs += feet
    signs += [1.0] * len(feet)
    last = [k for i in every for k in body.of_actions(i)]
    inputs += last
    signs += [sign for i in every for sign in body.mirrors[i]][: len(last)]
    heading, heading_signs = body.heading(right)
    clock = body.clock()
    inputs += heading + clock
    signs += heading_signs + [-1.0 if right else 1.0] * len(clock)
    motors = [int(motor) for i in own for motor in body.legs[i].motors]
    return inputs, signs, motors, [sign for i in own for sign in body.mirrors[i]]


def _mirror(axis: NDArray, other: NDArray, across: bool) -> float:
    """Return −1 where a joint turns against the one it stands for, mirrored if `across`; else 1.

    Of legs that stand apart by a right angle neither is the other's opposite.
    """
    wanted = axis * _ROTATION if across else axis
    return -1.0 if float(wanted @ other) < -1e-6 else 1.0
