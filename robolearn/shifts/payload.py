"""Something heavy to carry."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.shifts.shift import Ids, Shift, number, register
from robolearn.simulation import Simulation
from robolearn.worlds import World

_REACH = 2.0  # m


def root_body(world: World) -> int:
    """Return the id of the body that carries the first joint: trunk or chassis."""
    return int(world.model.jnt_bodyid[0])


@register
@dataclass(frozen=True)
class Payload(Shift):
    """Fasten a point mass to the trunk, whose mass, centre and inertia change.

    M = m + p, c = (m c₀ + p r) / M and I = I₀ + m (|d₀|² 1 − d₀ d₀ᵀ) + p (|d|² 1 − d dᵀ), with
    d₀ = c₀ − c and d = r − c. Range of the literature for a robot of 12 kg: 0 to 6 kg (Kumar et al.
    2021, RMA). Different ones add.

    Attributes:
        mass: p ≥ 0, kg.
        x: of the place r in the frame of the trunk, m; forward.
        y: m; left.
        z: m; up.
    """

    kind: ClassVar[str] = "payload"
    changes_constants: ClassVar[bool] = True

    mass: float = 3.0
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "mass", number(self.mass, "payload: mass", 0.0, 1000.0))
        for axis in "xyz":
            value = number(getattr(self, axis), f"payload: {axis}", -_REACH, _REACH)
            object.__setattr__(self, axis, value)

    def check(self, world: World) -> None:
        """Raise UserError if the trunk is one whose centre of mass MuJoCo cannot move."""
        body = root_body(world)
        if world.model.body_simple[body]:
            raise UserError(
                f"shift payload: the body {world.model.body(body).name!r} of {world.name} must be "
                f'compiled with simple="false"'
            )

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Write mass, centre of mass and inertia of the trunks of the individuals `ids`."""
        body = root_body(simulation.world)
        m = simulation.body("body_mass", ids)[:, body, None]  # (k, 1)
        centre = simulation.body("body_ipos", ids)[:, body]  # (k, 3)
        axes = _rotations(simulation.body("body_iquat", ids)[:, body])  # (k, 3, 3)
        principal = simulation.body("body_inertia", ids)[:, body]  # (k, 3)
        place = np.array([self.x, self.y, self.z])
        total = m + self.mass
        new_centre = (m * centre + self.mass * place) / total
        inertia = np.einsum("kij,kj,klj->kil", axes, principal, axes)
        inertia += m[..., None] * _of_a_point(centre - new_centre)
        inertia += self.mass * _of_a_point(place - new_centre)
        principal, axes = np.linalg.eigh(inertia)
        # An axis may point either way; together they must be a rotation.
        axes[:, :, 0] *= np.linalg.det(axes)[:, None]
        simulation.write_body("body_mass", ids, body, total[:, 0])
        simulation.write_body("body_ipos", ids, body, new_centre)
        simulation.write_body("body_inertia", ids, body, principal)
        simulation.write_body("body_iquat", ids, body, _quaternions(axes))


def _of_a_point(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inertia (k, 3, 3) about the origin of a unit mass at `offset` (k, 3)."""
    square = (offset**2).sum(axis=1)[:, None, None]
    return square * np.eye(3) - offset[:, :, None] * offset[:, None, :]


def _rotations(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotation matrices (k, 3, 3) of unit quaternions (k, 4)."""
    out = np.empty((len(quaternions), 9))
    for matrix, quaternion in zip(out, quaternions, strict=True):
        mujoco.mju_quat2Mat(matrix, quaternion)
    return out.reshape(-1, 3, 3)


def _quaternions(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit quaternions (k, 4) of rotation matrices (k, 3, 3)."""
    out = np.empty((len(rotations), 4))
    for quaternion, matrix in zip(out, rotations, strict=True):
        mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(matrix).ravel())
    return out
