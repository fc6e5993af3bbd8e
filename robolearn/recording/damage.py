"""Shows damage: which shifts hold at a time, and a body painted in the colour of its damage."""

import copy
from collections.abc import Iterable, Iterator, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.recording.trajectory import ShiftEvent, Trajectory

DAMAGE_RGB = (0.86, 0.07, 0.10)

# MuJoCo takes a geom's material colour only while the geom's own has this default value.
_DEFAULT_RGBA = np.array([0.5, 0.5, 0.5, 1.0], np.float32)

Models = Sequence[tuple[int, mujoco.MjModel]]


def model_at(models: Models, step: int) -> mujoco.MjModel:
    """The body at control step `step`: the last of the (first_step, model) pairs begun by then."""
    return [model for first_step, model in models if first_step <= step][-1]


def check_models(trajectory: Trajectory, models: Models) -> None:
    """Raise ValueError unless the segments begin at step 0, ascend, and fit the trajectory."""
    starts = [first_step for first_step, _ in models]
    if not starts or starts[0] != 0 or starts != sorted(starts):
        raise ValueError(f"models must begin at step 0 and ascend, got first steps {starts}")
    for first_step, model in models:
        if model.nq != trajectory.qpos.shape[1]:
            raise ValueError(
                f"the model from step {first_step} on has nq={model.nq}, "
                f"the trajectory has {trajectory.qpos.shape[1]}"
            )


def active_shifts(trajectory: Trajectory, time_s: float) -> tuple[ShiftEvent, ...]:
    """The shifts that hold at `time_s`, oldest first."""
    active = [shift for shift in trajectory.shifts if shift.is_active(time_s)]
    return tuple(sorted(active, key=lambda shift: shift.onset_s))


def damaged_bodies(trajectory: Trajectory, time_s: float) -> frozenset[str]:
    """The names of the bodies that the shifts at `time_s` damage."""
    return frozenset(body for shift in active_shifts(trajectory, time_s) for body in shift.bodies)


def painted_steps(
    trajectory: Trajectory, models: Models, steps: Iterable[int]
) -> Iterator[tuple[int, mujoco.MjModel]]:
    """The control steps `steps`, each with the body as it looks then.

    The same model object comes as long as the look stays the same.
    """
    looks: dict[tuple[int, frozenset[str]], mujoco.MjModel] = {}
    for step in steps:
        model = model_at(models, step)
        damaged = damaged_bodies(trajectory, trajectory.time_s(step))
        look = (id(model), damaged)
        if look not in looks:
            looks[look] = painted(model, damaged)
        yield step, looks[look]


def painted(model: mujoco.MjModel, bodies: Iterable[str]) -> mujoco.MjModel:
    """A copy of `model` with the geoms of the named bodies in the damage colour.

    Transparency stays, so that an amputated limb that was made invisible stays invisible. Names
    that the model does not have are passed over: a shift may name a part that was cut away.
    """
    ids = [
        mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY.value, name) for name in sorted(bodies)
    ]
    geoms = np.isin(model.geom_bodyid, [index for index in ids if index >= 0])  # (ngeom,)
    if not geoms.any():
        return model
    rgba = geom_colours(model)
    rgba[geoms, :3] = DAMAGE_RGB
    result = copy.copy(model)
    result.geom_rgba[geoms] = rgba[geoms]
    result.geom_matid[geoms] = -1
    return result


def geom_colours(model: mujoco.MjModel) -> NDArray[np.float32]:
    """The colours (ngeom, 4) in which MuJoCo draws the geoms, with those of their materials."""
    rgba = model.geom_rgba.copy()
    material = model.geom_matid
    shown = (material >= 0) & (rgba == _DEFAULT_RGBA).all(axis=1)
    rgba[shown] = model.mat_rgba[material[shown]]
    return rgba
