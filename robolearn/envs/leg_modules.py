"""How a body's observation and action divide into its legs, for brains with one module a leg.

All is derived from the scene: sides and order from where the legs stand, mirrored motors from the
axes of their joints. A module senses, in this order: the trunk, its own joints' angles and
velocities, its foot, joint angles and foot of each neighbour (across, ahead, behind, and across
from those two), its own last action and the gait clock where the body senses them, and its place
from front (1) to rear (−1). What a right leg senses and does is mirrored; of a neighbour it feels
what the neighbour itself does. Neighbouring legs, across and along, get the clock in antiphase: a
trot on four legs, a tripod on six. Insects' legs are coupled likewise, by position and load of
their neighbours (Cruse 1990, Trends Neurosci. 13:15).
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.worlds import World

# Under a mirror from left to right, of (x, y, z): directions keep x and z, rotations keep y.
_DIRECTION, _ROTATION = (1.0, -1.0, 1.0), (-1.0, 1.0, -1.0)


def leg_modules(world: World, slices: dict[str, slice]) -> dict[str, NDArray]:
    """Return the arrays of `robolearn.agents.modular.Layout` by name.

    Args:
        world: with equally many legs on both sides, all of equally many joints, each with one foot.
        slices: of the observation, by name, as `robolearn.envs.walk` declares them.

    Raises:
        UserError: legs of different sizes.
    """
    data = mujoco.MjData(world.model)
    data.qpos[:] = world.home_qpos
    mujoco.mj_kinematics(world.model, data)
    legs = list(world.legs.values())
    size = len(legs[0].joints)
    if any(len(leg.joints) != size or len(leg.motors) != size for leg in legs):
        raise UserError(f"{world.name}: legs of different sizes have no common module")
    places = np.array([data.xpos[leg.bodies[0]] for leg in legs])  # (L, 3)
    is_right = places[:, 1] < 0
    rank = np.zeros(len(legs), np.int64)  # 0 is the foremost of its side
    for side in (False, True):
        those = np.flatnonzero(is_right == side)
        rank[those[np.argsort(-places[those, 0])]] = np.arange(len(those))
    at = {(bool(right), int(r)): i for i, (right, r) in enumerate(zip(is_right, rank, strict=True))}
    observation_size = max(part.stop for part in slices.values())
    first = legs[0]
    rows: dict[str, list] = {"inputs": [], "input_signs": [], "outputs": [], "output_signs": []}
    mirrors = [
        [_mirror(data.xaxis[j], data.xaxis[k], bool(right != is_right[0]))
         for j, k in zip(first.joints, leg.joints, strict=True)]
        for leg, right in zip(legs, is_right, strict=True)
    ]  # fmt: skip
    for i, leg in enumerate(legs):
        right, r = bool(is_right[i]), int(rank[i])
        direction, rotation = (_DIRECTION, _ROTATION) if right else ((1.0,) * 3, (1.0,) * 3)
        inputs, signs = [], []
        for name, sign in (
            ("up", direction), ("velocity", direction), ("angular_velocity", rotation),
        ):  # fmt: skip
            inputs += range(slices[name].start, slices[name].stop)
            signs += sign
        for name in ("joint_angle", "joint_velocity"):
            start = slices[name].start + i * size
            inputs += range(start, start + size)
            signs += mirrors[i]
        inputs.append(slices["contact"].start + i)
        signs.append(1.0)
        for neighbour in (
            (not right, r), (right, r - 1), (right, r + 1), (not right, r - 1), (not right, r + 1),
        ):  # fmt: skip
            k = at.get(neighbour, i)
            start = slices["joint_angle"].start + k * size
            inputs += [*range(start, start + size), slices["contact"].start + k]
            signs += [*mirrors[k], 1.0] if neighbour in at else [0.0] * (size + 1)
        if "last_action" in slices:
            inputs += [slices["last_action"].start + int(motor) for motor in leg.motors]
            signs += mirrors[i]
        if "clock" in slices:
            inputs += range(slices["clock"].start, slices["clock"].stop)
            signs += [1.0 if (r + right) % 2 == 0 else -1.0] * 2
        inputs.append(observation_size)  # the constant
        signs.append(1.0 - 2.0 * r / max(rank.max(), 1))
        rows["inputs"].append(inputs)
        rows["input_signs"].append(signs)
        rows["outputs"].append(leg.motors)
        rows["output_signs"].append(mirrors[i])
    kinds = {"inputs": np.int64, "input_signs": np.float32,
             "outputs": np.int64, "output_signs": np.float32}  # fmt: skip
    return {name: np.array(values, kinds[name]) for name, values in rows.items()}


def _mirror(axis: NDArray, other: NDArray, across: bool) -> float:
    """Return −1 where a joint turns against the one it stands for, mirrored if `across`; else 1."""
    wanted = axis * _ROTATION if across else axis
    return -1.0 if float(wanted @ other) < 0 else 1.0
