"""Distances from a robot to the walls and pillars around it, for all individuals at once.

Walls and pillars are upright, so that a level beam is a line in the plane. Its distances are those
of `mujoco.mj_ray` on the same scene (a test compares them), at a tenth of the time: MuJoCo derives
all positions anew for each call, and has no use for many beams that leave one point.
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.worlds.wheeled import OPAQUE_GROUP


class RangeBeams:
    """Beams that leave the centre of a robot, level and at fixed angles to its heading.

    Args:
        model: a scene built by `worlds.wheeled`.
        angles: of the beams to the heading, counter-clockwise, rad, shape (b,).
        inner: distance from the centre at which a reading begins, m.
        limit: greatest reading, m.

    Raises:
        UserError: a wall or obstacle has another shape than those of the builder.
    """

    def __init__(
        self, model: mujoco.MjModel, angles: NDArray[np.float64], inner: float, limit: float
    ):
        self._angles = np.asarray(angles, float)
        self._inner, self._limit = inner, limit
        shape = mujoco.mjtGeom
        walls, pillars = [], []
        for i in np.flatnonzero(model.geom_group == OPAQUE_GROUP):
            kind, mocap = model.geom_type[i], model.body_mocapid[model.geom_bodyid[i]]
            if kind == shape.mjGEOM_BOX and mocap < 0:
                walls.append(i)
            elif kind == shape.mjGEOM_CAPSULE and mocap >= 0:
                pillars.append(i)
            else:
                raise UserError(f"geom {model.geom(i).name!r}: beams see upright walls and pillars")
        yaw = 2 * np.arctan2(model.geom_quat[walls, 3], model.geom_quat[walls, 0])
        half = model.geom_size[walls]
        along = np.stack((np.cos(yaw), np.sin(yaw)), axis=1)  # (w, 2)
        inward = np.stack((-along[:, 1], along[:, 0]), axis=1)
        face = model.geom_pos[walls, :2] + inward * half[:, 1:2]
        self._ends = face - along * half[:, :1]  # (w, 2) of each wall's inner face
        self._edges = 2 * along * half[:, :1]  # (w, 2) from that end to the other
        self._pillars = model.body_mocapid[model.geom_bodyid[pillars]]  # (p,)
        self._radii = model.geom_size[pillars, 0]  # (p,)

    def measure(
        self, pose: NDArray[np.float64], mocap_pos: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the readings (n, b) in m.

        The robots are at pose (n, 3): x, y, yaw; movable things at mocap_pos (n, m, 3). A beam that
        meets nothing within the limit reads the limit.
        """
        heading = pose[:, 2:3] + self._angles  # (n, b)
        beam_x, beam_y = np.cos(heading)[:, :, None], np.sin(heading)[:, :, None]  # (n, b, 1)
        distance = self._to_walls(pose, beam_x, beam_y)
        if len(self._pillars):
            places = mocap_pos[:, self._pillars, :2]
            np.minimum(distance, self._to_pillars(pose, places, beam_x, beam_y), out=distance)
        distance -= self._inner
        return np.clip(distance, 0.0, self._limit, out=distance)

    def _to_walls(
        self, pose: NDArray[np.float64], beam_x: NDArray[np.float64], beam_y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Solve p + t d = a + u e for t > 0 and 0 <= u <= 1; least t (n, b), inf for none."""
        edge_x, edge_y = self._edges.T  # (w,)
        to_x = self._ends[:, 0] - pose[:, :1]  # (n, w)
        to_y = self._ends[:, 1] - pose[:, 1:2]
        scale = beam_x * edge_y  # (n, b, w)
        scale -= beam_y * edge_x
        # A beam along a wall does not meet its face.
        np.divide(1.0, scale, out=scale, where=scale != 0)
        along = to_x[:, None] * beam_y
        along -= to_y[:, None] * beam_x
        along *= scale
        distance = scale
        distance *= (to_x * edge_y - to_y * edge_x)[:, None]
        distance[(distance <= 0) | (along < 0) | (along > 1)] = np.inf
        return distance.min(axis=2)

    def _to_pillars(
        self,
        pose: NDArray[np.float64],
        places: NDArray[np.float64],
        beam_x: NDArray[np.float64],
        beam_y: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Solve |p + t d − m| = r for the lesser t; least positive t (n, b), inf for none."""
        to_x = places[:, :, 0] - pose[:, :1]  # (n, p)
        to_y = places[:, :, 1] - pose[:, 1:2]
        ahead = to_x[:, None] * beam_x  # (n, b, p)
        ahead += to_y[:, None] * beam_y
        inside = ahead * ahead
        inside -= (to_x * to_x + to_y * to_y - self._radii**2)[:, None]
        missed = (inside < 0) | (ahead <= 0)
        inside[missed] = 0.0
        ahead -= np.sqrt(inside, out=inside)
        ahead[missed] = np.inf
        return ahead.min(axis=2)
