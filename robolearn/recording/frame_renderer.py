"""Draws poses of a MuJoCo model into arrays, with whichever OpenGL works on this machine."""

import copy
from types import TracebackType
from typing import Any

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.recording.camera import (
    Camera,
    CameraOperator,
    follows_robot,
    robot_reach,
    root_body,
)
from robolearn.recording.damage import geom_colours
from robolearn.recording.gl import require_gl
from robolearn.recording.gl_context import GLContext, open_context

MAX_GEOMS = 5000

# Half the width of the shadowed region, in radii of the robot where the camera follows it, in
# extents of the world where it stands still. At the region's edge the shadow map ends in a moiré
# pattern: a smaller region has it in the picture, a larger one has coarse shadows.
SHADOW_RADII = 5.0
SHADOW_EXTENTS = 3.0


class FrameRenderer:
    """One off-screen OpenGL context that draws poses of one world, frame after frame.

    Opening costs a few tenths of a second, a frame some tens of milliseconds in software. Use it
    from one thread; close it, or use it in a `with` statement. Raises UserError when no OpenGL
    works here.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        size: tuple[int, int] = (640, 480),
        camera: Camera | None = None,
    ) -> None:
        """`size` is (width, height) in pixels; `camera` None follows the robot."""
        self._context: GLContext | None = None
        self._drawing: Any = None
        width, height = size
        self._context = open_context(require_gl(), width, height)
        self._context.make_current()
        self._drawing = mujoco.MjrContext(
            _without_fields(model), mujoco.mjtFontScale.mjFONTSCALE_100.value
        )
        self._uploaded: set[int] = set()  # height fields that OpenGL knows
        # The buffer of the model's own `offwidth` may be smaller than what is asked for.
        mujoco.mjr_resizeOffscreen(width, height, self._drawing)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._drawing)
        self._rectangle = mujoco.MjrRect(0, 0, width, height)
        self._scene = mujoco.MjvScene(model, maxgeom=MAX_GEOMS)
        self._option = mujoco.MjvOption()
        self._model = model
        self._data = mujoco.MjData(model)
        self._operator = CameraOperator(camera)
        self._shadow_reach_m = 0.0  # known once a pose is

    def render(
        self,
        qpos: ArrayLike,
        *,
        model: mujoco.MjModel | None = None,
        mocap_pos: ArrayLike | None = None,
        step_s: float = 0.04,
    ) -> NDArray[np.uint8]:
        """A new picture (height, width, 3) of the pose `qpos` (nq,).

        `model` may replace the body by a variant of the same world (other sizes, colours, masses,
        but the same meshes and textures). `mocap_pos` (nmocap, 3) in m places moved scenery.
        `step_s` is the time since the last picture, for the gliding camera. Raises UserError for
        an unknown camera, RuntimeError after `close`.
        """
        if self._context is None:
            raise RuntimeError("this FrameRenderer is closed")
        if model is not None and model is not self._model:
            self._model, self._data = model, mujoco.MjData(model)
        body, data = self._model, self._data
        pose(body, data, qpos, mocap_pos)
        if self._shadow_reach_m == 0:
            self._shadow_reach_m = _shadow_reach(body, data, self._operator.camera)
            self._drawing.shadowClip = self._shadow_reach_m
        _bring_sun_along(body, data, self._shadow_reach_m)
        self._context.make_current()
        self._upload_fields(body)
        mujoco.mjv_updateScene(
            body,
            data,
            self._option,
            None,
            self._operator.aim(body, data, step_s),
            mujoco.mjtCatBit.mjCAT_ALL.value,
            self._scene,
        )
        mujoco.mjr_render(self._rectangle, self._scene, self._drawing)
        upside_down = np.empty((self._rectangle.height, self._rectangle.width, 3), np.uint8)
        mujoco.mjr_readPixels(upside_down, None, self._rectangle, self._drawing)
        return np.ascontiguousarray(upside_down[::-1])

    def _upload_fields(self, model: mujoco.MjModel) -> None:
        """Give OpenGL the height fields that are in sight for the first time."""
        is_field = model.geom_type == mujoco.mjtGeom.mjGEOM_HFIELD
        shown = is_field & (geom_colours(model)[:, 3] > 0)
        for field in set(model.geom_dataid[shown].tolist()) - self._uploaded:
            mujoco.mjr_uploadHField(model, self._drawing, field)
            self._uploaded.add(field)

    def close(self) -> None:
        """Give the OpenGL context back; a second call does nothing."""
        if self._context is None:
            return
        if self._drawing is not None:
            self._context.make_current()
            self._drawing.free()
            self._drawing = None
        self._context.free()
        self._context = None

    def __enter__(self) -> "FrameRenderer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _without_fields(model: mujoco.MjModel) -> mujoco.MjModel:
    """Return a model whose height fields are tiny.

    A world has many of which few are ever seen, and to upload one costs as much as many frames.
    """
    if not model.nhfield:
        return model
    stripped = copy.copy(model)
    stripped.hfield_nrow[:] = stripped.hfield_ncol[:] = 2
    return stripped


def _shadow_reach(model: mujoco.MjModel, data: mujoco.MjData, camera: Camera) -> float:
    if follows_robot(model, camera):
        return SHADOW_RADII * robot_reach(model, data)
    return SHADOW_EXTENTS * float(model.stat.extent)


def _bring_sun_along(model: mujoco.MjModel, data: mujoco.MjData, distance_m: float) -> None:
    """Move directional lights to above the robot.

    All their rays are parallel, so that their place decides only where shadows are computed: a
    robot that walks away from a light at rest would lose its shadow.
    """
    suns = np.flatnonzero(model.light_type == mujoco.mjtLightType.mjLIGHT_DIRECTIONAL.value)
    data.light_xpos[suns] = data.xpos[root_body(model)] - distance_m * data.light_xdir[suns]


def pose(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    qpos: ArrayLike,
    mocap_pos: ArrayLike | None = None,
) -> None:
    """Place all bodies, cameras and lights of `data` for `qpos` (nq,), without any dynamics."""
    data.qpos[:] = qpos
    if mocap_pos is not None:
        data.mocap_pos[:] = mocap_pos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_camlight(model, data)
    if model.ntendon:
        mujoco.mj_tendon(model, data)
