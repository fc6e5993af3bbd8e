"""A world's bodies in a viser scene: what browser replays and the live view have in common."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.errors import UserError
from robolearn.recording.camera import (
    Camera,
    CameraOperator,
    camera_id,
    follows_robot,
    root_body,
)
from robolearn.recording.frame_renderer import pose
from robolearn.recording.geom_nodes import GeomNodes

if TYPE_CHECKING:
    import viser


class Stage:
    """The bodies of one world as nodes of a viewer's scene.

    Unless the camera stands still, the world moves past under the robot.
    """

    def __init__(
        self,
        server: "viser.ViserServer",
        looks: Sequence[mujoco.MjModel],
        qpos: ArrayLike,
        mocap_pos: ArrayLike | None,
        camera: Camera | None,
        floor_margin_m: float,
    ) -> None:
        """`looks` are models to be shown, the first one now in the pose `qpos` (nq,)."""
        server.scene.set_up_direction("+z")
        server.scene.configure_default_lights(True, cast_shadow=True)
        self._model, self.data = looks[0], mujoco.MjData(looks[0])
        pose(self._model, self.data, qpos, mocap_pos)
        # A named camera that travels has its own offset; the world then moves with the root.
        view = None if isinstance(camera, str) else camera
        self._operator = CameraOperator(view) if follows_robot(self._model, camera) else None
        self._scene = server.scene.add_frame("/scene", show_axes=False)
        self._bodies = [
            server.scene.add_frame(f"/scene/body{i}", show_axes=False)
            for i in range(self._model.nbody)
        ]
        self._geoms = GeomNodes(server.scene, list(looks), floor_margin_m)
        _aim(server, self._model, self.data, camera, self._offset(0.0))

    def show(
        self, look: mujoco.MjModel, qpos: ArrayLike, mocap_pos: ArrayLike | None, step_s: float
    ) -> NDArray[np.float64]:
        """Bring the scene to the pose `qpos`, `step_s` seconds after the last.

        Returns where the robot's root is in the viewer, (3,) m.
        """
        if look is not self._model:
            self._model, self.data = look, mujoco.MjData(look)
        pose(self._model, self.data, qpos, mocap_pos)
        offset = self._offset(step_s)
        self._scene.position = -offset
        for frame, position, quaternion in zip(
            self._bodies, self.data.xpos, self.data.xquat, strict=True
        ):
            frame.position, frame.wxyz = position, quaternion
        self._geoms.show(look)
        return self.data.xpos[root_body(self._model)] - offset

    def _offset(self, step_s: float) -> NDArray[np.float64]:
        """By how much (3,) in m the world is pushed back, so that the robot stays in view."""
        if self._operator is None:
            return np.zeros(3)
        return self._operator.aim(self._model, self.data, step_s).lookat * [1, 1, 0]


@contextmanager
def local_server(port: int = 0, label: str | None = None) -> Iterator["viser.ViserServer"]:
    """A viser server on this machine alone; `port` 0 takes any, another one the next free.

    Raises UserError when there is no port to open.
    """
    import viser  # takes half a second, and few need it

    # viser announces its start and its stop on the terminal, where they would only puzzle.
    try:
        with redirect_stdout(io.StringIO()):
            server = viser.ViserServer(host="127.0.0.1", port=port, label=label, verbose=False)
    except (OSError, RuntimeError) as error:
        raise UserError(f"viser could not open a local port ({error})") from error
    try:
        yield server
    finally:
        with redirect_stdout(io.StringIO()):
            server.stop()


def _aim(
    server: "viser.ViserServer",
    model: mujoco.MjModel,
    data: mujoco.MjData,
    camera: Camera | None,
    offset: NDArray[np.float64],
) -> None:
    """Put the viewer's first view where the film's camera is."""
    view = CameraOperator(camera).aim(model, data, 0.0)
    if isinstance(camera, str):
        index = camera_id(model, camera)
        position = data.cam_xpos[index]
        forward = -data.cam_xmat[index].reshape(3, 3)[:, 2]
        distance = float(model.stat.extent)
        field_of_view = model.cam_fovy[index]
    else:
        azimuth, elevation = np.deg2rad([view.azimuth, view.elevation])
        forward = np.array(
            [
                np.cos(elevation) * np.cos(azimuth),
                np.cos(elevation) * np.sin(azimuth),
                np.sin(elevation),
            ]
        )
        distance = view.distance
        position = view.lookat - distance * forward
        field_of_view = model.vis.global_.fovy
    server.initial_camera.position = position - offset
    server.initial_camera.look_at = position - offset + distance * forward
    server.initial_camera.fov = float(np.deg2rad(field_of_view))
