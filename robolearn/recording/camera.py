"""Where a film is seen from: a camera of the world by name, or one that follows the robot."""

from dataclasses import dataclass

import mujoco
import numpy as np

from robolearn.errors import unknown_name


@dataclass(frozen=True)
class TrackingCamera:
    """A camera that glides along with the robot's root body, without turning.

    Angles in degrees as in MuJoCo's free camera: azimuth 90 looks along +y, a negative elevation
    looks down. `distance` in m; None fits the robot into the picture.
    """

    distance: float | None = None
    azimuth: float = 125.0
    elevation: float = -20.0
    smoothing_s: float = 0.25  # time constant with which the view follows the root


# A camera's name in the MJCF, or a computed view.
Camera = str | TrackingCamera


class CameraOperator:
    """Holds the moving state of a view through one film or one series of renderings."""

    def __init__(self, camera: Camera | None = None) -> None:
        self.camera: Camera = TrackingCamera() if camera is None else camera
        self._view = mujoco.MjvCamera()
        self._lookat: np.ndarray | None = None  # (3,) m
        self._distance = 0.0

    def aim(self, model: mujoco.MjModel, data: mujoco.MjData, step_s: float) -> mujoco.MjvCamera:
        """The view of the pose in `data` (kinematics done), `step_s` seconds after the last one.

        Raises UserError for a name that no camera of the model has.
        """
        view = self._view
        if isinstance(self.camera, str):
            view.type = mujoco.mjtCamera.mjCAMERA_FIXED
            view.fixedcamid = camera_id(model, self.camera)
            return view
        root = root_body(model)
        target = data.xpos[root]
        if self._lookat is None:
            self._lookat = target.copy()
            half_field = np.deg2rad(model.vis.global_.fovy) / 2
            fitting = 1.4 * robot_reach(model, data) / np.tan(half_field)
            self._distance = self.camera.distance or fitting
        # A jump farther than the picture is wide is a new trial, not a movement to follow.
        if np.linalg.norm(target - self._lookat) > self._distance:
            self._lookat = target.copy()
        self._lookat += (1 - np.exp(-step_s / self.camera.smoothing_s)) * (target - self._lookat)
        view.type = mujoco.mjtCamera.mjCAMERA_FREE
        view.lookat = self._lookat
        view.distance = self._distance
        view.azimuth, view.elevation = self.camera.azimuth, self.camera.elevation
        return view


def camera_id(model: mujoco.MjModel, name: str) -> int:
    """The id of the camera `name`; raises UserError with the valid names."""
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA.value, name)
    if index < 0:
        raise unknown_name("camera", name, (model.camera(i).name for i in range(model.ncam)))
    return index


def root_body(model: mujoco.MjModel) -> int:
    """The id of the first body that can move: a robot's trunk (0, the world, if none can)."""
    moving = np.flatnonzero(model.body_jntnum > 0)
    return int(moving[0]) if len(moving) else 0


def follows_robot(model: mujoco.MjModel, camera: Camera | None) -> bool:
    """Whether the view moves along with the robot; raises UserError for an unknown name."""
    if not isinstance(camera, str):
        return True
    index = camera_id(model, camera)
    rests = model.cam_mode[index] == mujoco.mjtCamLight.mjCAMLIGHT_FIXED
    return bool(model.cam_bodyid[index] != 0 or not rests)


def robot_reach(model: mujoco.MjModel, data: mujoco.MjData) -> float:
    """The radius in m of a ball about the root body that holds the robot in its present pose."""
    root = root_body(model)
    own = model.body_rootid[model.geom_bodyid] == model.body_rootid[root]  # (ngeom,)
    if root == 0 or not own.any():
        return float(model.stat.extent)
    reach = np.linalg.norm(data.geom_xpos[own] - data.xpos[root], axis=1) + model.geom_rbound[own]
    return float(reach.max())
