"""What tasks for a robot on two wheels share: its pose, wheels, bumper and range sensors.

The scene is one of `worlds.wheeled`: qpos is x, y, yaw, and the wheels are motors `left_wheel` and
`right_wheel` that are commanded the speed of their rims.
"""

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.simulation import Ids, Simulation
from robolearn.worlds.wheeled import OPAQUE_GROUP

WHEELS = ("left_wheel", "right_wheel")
_JOINTS = ["x", "y", "yaw"]


class WheeledBody:
    """Reads and drives the robots of one Simulation.

    Attributes:
        pose: live (n, 3): x, y in m and yaw in rad, counter-clockwise from the x axis.
        pillars: live (n, m, 3), the places of movable obstacles; writing it moves them.
        track: between the wheels, m.
        radius: of the round body, m.
        top_speed: of a wheel's rim, m/s.

    Raises:
        UserError: the world is not a wheeled robot.
    """

    def __init__(self, simulation: Simulation):
        self._simulation = simulation
        model, world = simulation.model, simulation.world
        joints = [model.joint(i).name for i in range(model.njnt)]
        if joints != _JOINTS or world.motors != list(WHEELS):
            raise UserError(
                f"env {world.name}: its task drives the scene of the builder 'wheeled', with the "
                f"joints {_JOINTS} and the motors {list(WHEELS)}; this one has {joints} and "
                f"{world.motors}"
            )
        self.pose = simulation.qpos
        self.pillars = simulation.read("mocap_pos")
        self._velocity = simulation.qvel
        self._contacts = simulation.read("ncon")
        self._wheels = world.motor_ids
        left, right = (model.site(name).pos[1] for name in WHEELS)
        self.track = float(left - right)
        self.radius = float(model.geom("bumper").size[0])
        self._beam_height = float(model.body("robot").pos[2])
        self.top_speed = float(model.actuator_ctrlrange[self._wheels[0], 1])

    def command(self, action: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return motor commands (n, nu) for actions (n, 2): speeds of the rims, m/s."""
        control = np.zeros((len(action), self._simulation.model.nu))
        control[:, self._wheels] = self.top_speed * action
        return control

    def forward_speed(self) -> NDArray[np.float64]:
        """Return the velocity along the heading, (n,), m/s."""
        yaw, velocity = self.pose[:, 2], self._velocity
        return np.cos(yaw) * velocity[:, 0] + np.sin(yaw) * velocity[:, 1]

    def wheel_speeds(self) -> NDArray[np.float64]:
        """Return the speeds of the left and the right rim over the ground, (n, 2), m/s."""
        turning = self._velocity[:, 2] * (self.track / 2)
        forward = self.forward_speed()
        return np.stack((forward - turning, forward + turning), axis=1)

    def touching(self) -> NDArray[np.bool_]:
        """Return who touches a wall or an obstacle, (n,), as of the last substep's beginning."""
        return self._contacts > 0

    def ranges(self, angles: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
        """Return how far it is from the rim to a wall or pillar, (n, b), m; at most `limit`.

        `angles` (b,) are those of level beams to the heading, counter-clockwise, rad.
        """
        heading = self.pose[:, 2:3] + angles  # (n, b)
        ray = np.zeros((*heading.shape, 3))
        np.cos(heading, out=ray[..., 0])
        np.sin(heading, out=ray[..., 1])
        centre = np.zeros((len(heading), 1, 3))
        centre[:, 0, :2] = self.pose[:, :2]
        centre[:, 0, 2] = self._beam_height
        distance = self._simulation.ray(centre, ray, OPAQUE_GROUP)
        distance -= self.radius
        return np.clip(distance, 0.0, limit, out=distance)

    def carry(self, ids: Ids, pose: NDArray[np.float64]) -> None:
        """Put the robots `ids` at pose (k, 3), at rest, in the middle of their lives."""
        self.pose[ids] = pose
        self._velocity[ids] = 0.0
