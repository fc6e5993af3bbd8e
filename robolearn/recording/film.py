"""Makes films and still pictures of trajectories, one frame in memory at a time."""

import math
import os
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from robolearn.errors import UserError
from robolearn.recording.brain_panel import BrainPanel
from robolearn.recording.camera import Camera
from robolearn.recording.captions import Captions
from robolearn.recording.damage import Models, check_models, painted_steps
from robolearn.recording.frame_renderer import FrameRenderer
from robolearn.recording.trajectory import Trajectory
from robolearn.recording.video_file import open_video

FPS = 30.0  # at most
GIF_SIZE, GIF_FPS = (400, 300), 12.5  # every pixel of a .gif is paid for

# Of a film with a brain in it, in pixels: width and height of its picture, width of its panel.
PICTURE_BESIDE_BRAIN, PANEL_WIDTH = (800, 600), 480


def write_film(
    path: str | os.PathLike[str],
    trajectory: Trajectory,
    models: Models,
    camera: Camera | None = None,
    *,
    size: tuple[int, int] | None = None,
    fps: float = FPS,
    caption: str = "",
) -> Path:
    """Film a trajectory into `path` (.mp4 or .gif); returns the path.

    What went on in the brain stands beside the picture, where the trajectory has it.

    `models` gives the body as (first_step, model) segments, as it changes when it is damaged; the
    bodies that a shift names are painted red while it holds. `camera` is a camera's name, a
    `TrackingCamera`, or None to follow the robot. `size` of the picture is (width, height) in
    pixels, both even; None takes 640 x 480, or more beside a brain. Every frame is a recorded
    state; their rate is the highest that the control step allows without passing `fps`. `caption`
    replaces the agent's name.

    Raises UserError when no OpenGL works, the file cannot be written or a name is unknown, and
    ValueError when the models do not fit the trajectory.
    """
    path = Path(path)
    check_models(trajectory, models)
    if path.suffix.lower() == ".gif":
        fps = min(fps, GIF_FPS)
    if size is None and trajectory.brain is not None:
        size = PICTURE_BESIDE_BRAIN
    elif size is None:
        size = GIF_SIZE if path.suffix.lower() == ".gif" else (640, 480)
    if not fps > 0:
        raise UserError(f"film: fps must be above 0, got {fps}")
    stride, rate = frame_rate(trajectory.control_step_s, fps)
    captions = Captions(trajectory, size, caption)
    panel, full = None, size
    if trajectory.brain is not None:
        panel = BrainPanel(trajectory, (PANEL_WIDTH, size[1]))
        full = (size[0] + PANEL_WIDTH, size[1])
    with (
        open_video(path, full, rate) as send,
        FrameRenderer(models[0][1], size, camera) as renderer,
    ):
        for step, body in painted_steps(trajectory, models, range(0, len(trajectory), stride)):
            frame = renderer.render(
                trajectory.qpos[step],
                model=body,
                mocap_pos=trajectory.mocap_at(step),
                step_s=stride * trajectory.control_step_s,
            )
            frame = captions.write(frame, step)
            if panel is not None:
                frame = np.concatenate([frame, panel.at(step)], axis=1)
            send(frame)
    return path


def preview(
    path: str | os.PathLike[str],
    model: mujoco.MjModel,
    qpos: ArrayLike,
    camera: Camera | None = None,
    size: tuple[int, int] = (640, 480),
    mocap_pos: ArrayLike | None = None,
) -> Path:
    """Draw the pose `qpos` (nq,) into the picture `path` (.png).

    `mocap_pos` (nmocap, 3) in m places moved scenery.

    Raises UserError when no OpenGL works.
    """
    path = Path(path)
    with FrameRenderer(model, size, camera) as renderer:
        picture = renderer.render(qpos, mocap_pos=mocap_pos)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, optimize=True)
    return path


def frame_rate(control_step_s: float, fps: float = FPS) -> tuple[int, float]:
    """Every how many steps a frame is taken, and the frames per second that follow from it."""
    stride = max(1, math.ceil(1 / (control_step_s * fps) - 1e-6))
    return stride, 1 / (control_step_s * stride)
