"""Writes browser replays: one HTML file with viewer, scene and timeline, for machines without GL.

The viewer is viser's; the file opens from disk without a server and without a network.
"""

import html
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.recording.camera import (
    Camera,
    CameraOperator,
    camera_id,
    follows_robot,
    root_body,
)
from robolearn.recording.captions import smoothed_speed, speed_text
from robolearn.recording.damage import Models, active_shifts, check_models, painted_steps
from robolearn.recording.film import frame_rate
from robolearn.recording.frame_renderer import pose
from robolearn.recording.geom_nodes import GeomNodes
from robolearn.recording.trajectory import Trajectory

if TYPE_CHECKING:
    import viser

READOUT_INTERVAL_S = 0.2  # faster, the figures could not be read


def write_replay(
    path: str | os.PathLike[str],
    trajectory: Trajectory,
    models: Models,
    camera: Camera | None = None,
    *,
    fps: float = 30.0,
    caption: str = "",
) -> Path:
    """Write a self-contained replay of a trajectory into `path` (.html); returns the path.

    `models`, `camera`, `fps` and `caption` are those of `film.write_film`. The view starts at the
    camera and can be turned by hand; unless the camera stands still, the world moves past under
    the robot. Raises UserError when the file cannot be written or a name is unknown, and
    ValueError when the models do not fit the trajectory.
    """
    path = Path(path)
    if path.suffix.lower() != ".html":
        raise UserError(f"replay {str(path)!r}: the file's name must end in .html")
    check_models(trajectory, models)
    stride, rate = frame_rate(trajectory.control_step_s, fps)
    steps = list(painted_steps(trajectory, models, range(0, len(trajectory), stride)))
    with _server() as server:
        server.scene.set_up_direction("+z")
        server.scene.configure_default_lights(True, cast_shadow=True)
        stage = _Stage(server, trajectory, [look for _, look in steps], camera)
        stage.show(*steps[0], step_s=0.0)
        recording = server.get_scene_serializer()
        for step, look in steps:
            stage.show(step, look, step_s=1 / rate)
            recording.insert_sleep(1 / rate)
        page = recording.as_html()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        partial.write_text(_with_heading(page, trajectory, caption), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"replay {str(path)!r} could not be written: {error}") from error
    return path


class _Stage:
    """The bodies in the viewer's scene, and the writing above the robot."""

    def __init__(
        self,
        server: "viser.ViserServer",
        trajectory: Trajectory,
        looks: list[mujoco.MjModel],
        camera: Camera | None,
    ) -> None:
        self._trajectory = trajectory
        self._speed = smoothed_speed(trajectory)
        self._model, self._data = looks[0], mujoco.MjData(looks[0])
        pose(self._model, self._data, trajectory.qpos[0], trajectory.mocap_at(0))
        # A named camera that travels has its own offset; the world then moves with the root.
        view = None if isinstance(camera, str) else camera
        self._operator = CameraOperator(view) if follows_robot(self._model, camera) else None
        self._scene = server.scene.add_frame("/scene", show_axes=False)
        self._bodies = [
            server.scene.add_frame(f"/scene/body{i}", show_axes=False)
            for i in range(self._model.nbody)
        ]
        path_length_m = float(np.ptp(trajectory.qpos[:, :2], axis=0).max())
        self._geoms = GeomNodes(server.scene, looks, floor_margin_m=10 + path_length_m)
        self._label = server.scene.add_label("/label/speed", "", anchor="bottom-center")
        self._damage = server.scene.add_label(
            "/label/damage", "", anchor="bottom-center", font_screen_scale=1.2
        )
        self._next_readout_s = 0.0
        _aim(server, self._model, self._data, camera, self._offset(0.0))

    def show(self, step: int, look: mujoco.MjModel, step_s: float) -> None:
        """Bring the scene to control step `step`, with the body as it looks then."""
        if look is not self._model:
            self._model, self._data = look, mujoco.MjData(look)
        data, trajectory = self._data, self._trajectory
        pose(self._model, data, trajectory.qpos[step], trajectory.mocap_at(step))
        offset = self._offset(step_s)
        self._scene.position = -offset
        for frame, position, quaternion in zip(self._bodies, data.xpos, data.xquat, strict=True):
            frame.position, frame.wxyz = position, quaternion
        self._geoms.show(look)
        self._write(step, offset)

    def _offset(self, step_s: float) -> NDArray[np.float64]:
        """By how much (3,) in m the world is pushed back, so that the robot stays in view."""
        if self._operator is None:
            return np.zeros(3)
        return self._operator.aim(self._model, self._data, step_s).lookat * [1, 1, 0]

    def _write(self, step: int, offset: NDArray[np.float64]) -> None:
        time_s = self._trajectory.time_s(step)
        above = self._data.xpos[root_body(self._model)] - offset
        reach = float(self._model.stat.extent) * 0.25
        self._label.position = above + np.array([0, 0, reach])
        self._damage.position = above + np.array([0, 0, 1.35 * reach])
        shifts = active_shifts(self._trajectory, time_s)
        self._damage.visible = bool(shifts)
        if time_s < self._next_readout_s - 1e-9 and step > 0:
            return
        self._next_readout_s = time_s + READOUT_INTERVAL_S
        ended = "" if self._trajectory.alive[step] else " · life ended"
        self._label.text = (
            f"{speed_text(self._speed[step], self._trajectory.measure)} · {time_s:.1f} s{ended}"
        )
        self._damage.text = ", ".join(
            f"{shift.title} · {time_s - shift.onset_s:.1f} s ago" for shift in shifts
        )


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


@contextmanager
def _server() -> Iterator[Any]:
    """A viser server nobody connects to: its scene API is the only way to build a recording."""
    import viser  # takes half a second, and only replays need it

    # viser announces its start and its stop on the terminal, where they would only puzzle.
    try:
        with redirect_stdout(io.StringIO()):
            server = viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
    except (OSError, RuntimeError) as error:
        raise UserError(f"replay: viser could not open a local port ({error})") from error
    try:
        yield server
    finally:
        with redirect_stdout(io.StringIO()):
            server.stop()


def _with_heading(page: str, trajectory: Trajectory, caption: str) -> str:
    """The viewer's page with the names of agent, world and shifts above the scene."""
    title = html.escape(caption or trajectory.agent or trajectory.world)
    about = [f"{html.escape(trajectory.world)} · seed {trajectory.seed}"]
    about += [
        f'<span style="color:#c8141e">{html.escape(shift.title)} at {shift.onset_s:g} s</span>'
        for shift in trajectory.shifts
    ]
    heading = (
        '<div style="position:fixed;top:12px;right:16px;z-index:5;text-align:right;'
        'pointer-events:none;font:15px/1.5 system-ui,sans-serif;color:#223">'
        f'<div style="font-size:22px;font-weight:600">{title}</div>{"<br>".join(about)}</div>'
    )
    page = re.sub(r"<title>.*?</title>", lambda _: f"<title>{title}</title>", page, count=1)
    start = page.rindex("</body>")
    return page[:start] + heading + page[start:]
