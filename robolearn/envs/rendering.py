"""Pictures of individuals of a Simulation, and a window on one of them."""

import atexit
import warnings
import weakref
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.envs.display import has_display
from robolearn.errors import UserError
from robolearn.recording.frame_renderer import FrameRenderer, pose
from robolearn.simulation import Simulation
from robolearn.worlds import World

# The camera that pictures are taken with, where the world has one of this name.
_CAMERA = "track"

_NO_WINDOW = (
    'render_mode "human" cannot open a window here ({reason}): use render_mode="rgb_array", or '
    "`robolearn record` for a film or a browser replay"
)


class Renderer:
    """Draws rows of a Simulation, each with the body that it has at that time: damage shows.

    Args:
        render_mode: "rgb_array" for `draw`, "human" for `show`.
        world: whose individuals are drawn.
        size: (width, height) of a picture in pixels.

    Raises:
        UserError: no OpenGL, or no window for "human"; the message names the remedies.
    """

    def __init__(self, render_mode: str, world: World, size: tuple[int, int] = (640, 480)):
        self._bodies: dict[int, tuple[int, mujoco.MjModel]] = {}  # row -> (version, its body)
        self._frames: FrameRenderer | None = None
        self._window: _Window | None = None
        if render_mode == "human":
            resource = self._window = _Window(world)
        else:
            cameras = [world.model.camera(i).name for i in range(world.model.ncam)]
            camera = _CAMERA if _CAMERA in cameras else None
            resource = self._frames = FrameRenderer(world.model, size, camera)
        # Drivers complain when Python ends with a context still open. A finalizer alone would close
        # it too late where others exist already, such as torch's: after MuJoCo closes the display.
        self._release = weakref.finalize(self, resource.close)
        atexit.register(self._release)

    def draw(self, simulation: Simulation, row: int) -> NDArray[np.uint8]:
        """Return a new picture (h, w, 3) of one individual."""
        if self._frames is None:
            raise RuntimeError("this renderer is closed, or shows a window")
        version = int(simulation.body_version[row])
        if version != self._bodies.get(row, (0, None))[0]:
            self._bodies[row] = (version, simulation.model_of(row))
        body = self._bodies[row][1] if version else simulation.model
        scenery = simulation.read("mocap_pos")[row]
        return self._frames.render(simulation.qpos[row], model=body, mocap_pos=scenery)

    def show(self, simulation: Simulation, row: int) -> None:
        """Bring the window up to date with one individual; nothing happens if it was closed."""
        if self._window is None:
            raise RuntimeError("this renderer is closed, or draws pictures")
        self._window.show(simulation, row)

    def close(self) -> None:
        """Free the OpenGL context or the window; a second call does nothing."""
        self._release()
        self._frames = self._window = None


class _Window:
    """MuJoCo's own viewer on one individual."""

    def __init__(self, world: World):
        _require_display()
        import mujoco.viewer

        self._version = (-1, 0)  # row, version of its body
        self._model = world.compile_edited(())
        self._data = mujoco.MjData(self._model)
        try:
            self._viewer: Any = mujoco.viewer.launch_passive(
                self._model, self._data, show_left_ui=False, show_right_ui=False
            )
        except RuntimeError as error:  # macOS wants scripts to be run by mjpython
            raise UserError(_NO_WINDOW.format(reason=error)) from None

    def show(self, simulation: Simulation, row: int) -> None:
        if not self._viewer.is_running():
            return
        with self._viewer.lock():
            version = (row, int(simulation.body_version[row]))
            if version != self._version:
                simulation.model_of(row, self._model)
                self._version = version
            scenery = simulation.read("mocap_pos")[row]
            pose(self._model, self._data, simulation.qpos[row], scenery)
        self._viewer.sync()

    def close(self) -> None:
        self._viewer.close()


def _require_display() -> None:
    """Raise UserError where no window can be opened; MuJoCo's viewer would wait for ever."""
    if not has_display():
        raise UserError(_NO_WINDOW.format(reason="no display: DISPLAY is not set"))
    try:
        import glfw
    except ImportError as error:
        raise UserError(_NO_WINDOW.format(reason=error)) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not glfw.init():
            raise UserError(_NO_WINDOW.format(reason="the window system does not answer"))
