"""Writes browser replays: one HTML file with viewer, scene and timeline, for machines without GL.

The viewer is viser's; the file opens from disk without a server and without a network.
"""

import html
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.recording.camera import Camera
from robolearn.recording.captions import smoothed_speed, speed_text
from robolearn.recording.damage import Models, active_shifts, check_models, painted_steps
from robolearn.recording.film import frame_rate
from robolearn.recording.stage import Stage, local_server
from robolearn.recording.trajectory import Trajectory
from robolearn.recording.whole_file import whole_file

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
    with local_server() as server:
        stage = _Show(server, trajectory, [look for _, look in steps], camera)
        stage.show(*steps[0], step_s=0.0)
        recording = server.get_scene_serializer()
        for step, look in steps:
            stage.show(step, look, step_s=1 / rate)
            recording.insert_sleep(1 / rate)
        page = recording.as_html()
    with whole_file("replay", path) as partial:
        partial.write_text(_with_heading(page, trajectory, caption), encoding="utf-8")
    return path


class _Show:
    """The bodies of a life in the viewer's scene, and the writing above the robot."""

    def __init__(
        self,
        server: "viser.ViserServer",
        trajectory: Trajectory,
        looks: list[mujoco.MjModel],
        camera: Camera | None,
    ) -> None:
        self._trajectory = trajectory
        self._speed = smoothed_speed(trajectory)
        self._reach = float(looks[0].stat.extent) * 0.25
        path_length_m = float(np.ptp(trajectory.qpos[:, :2], axis=0).max())
        start = trajectory.qpos[0], trajectory.mocap_at(0)
        self._stage = Stage(server, looks, *start, camera, 10 + path_length_m)
        self._label = server.scene.add_label("/label/speed", "", anchor="bottom-center")
        self._damage = server.scene.add_label(
            "/label/damage", "", anchor="bottom-center", font_screen_scale=1.2
        )
        self._next_readout_s = 0.0

    def show(self, step: int, look: mujoco.MjModel, step_s: float) -> None:
        """Bring the scene to control step `step`, with the body as it looks then."""
        trajectory = self._trajectory
        above = self._stage.show(look, trajectory.qpos[step], trajectory.mocap_at(step), step_s)
        self._write(step, above)

    def _write(self, step: int, above: NDArray[np.float64]) -> None:
        time_s = self._trajectory.time_s(step)
        self._label.position = above + np.array([0, 0, self._reach])
        self._damage.position = above + np.array([0, 0, 1.35 * self._reach])
        shifts = active_shifts(self._trajectory, time_s)
        self._damage.visible = bool(shifts)
        if time_s < self._next_readout_s - 1e-9 and step > 0:
            return
        self._next_readout_s = time_s + READOUT_INTERVAL_S
        told = speed_text(self._speed[step], self._trajectory.measure)
        self._label.text = f"{told} · {time_s:.1f} s"
        self._damage.text = ", ".join(
            f"{shift.title} · {time_s - shift.onset_s:.1f} s ago" for shift in shifts
        )


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
