"""Hand and joints of an arm of two links that moves in a plane, for all individuals at once.

With link lengths l₁ and l₂ and q₁₂ = q₁ + q₂ the hand is at l₁ (cos q₁, sin q₁) + l₂ (cos q₁₂,
sin q₁₂) from the shoulder. Its Jacobian J = ∂hand/∂q turns joint into hand velocities, v = J q̇, and
forces on the hand into joint torques, τ = Jᵀ F. The inertia matrix is
((A + 2 B cos q₂, C + B cos q₂), (C + B cos q₂, C)) with A, B, C of the masses.
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.worlds import World


class PlanarArm:
    """The geometry of a world's arm: bodies `upper_arm` and `forearm`, and a site `hand`.

    Args:
        world: the scene; its first two joints are the shoulder and the elbow.

    Raises:
        UserError: the scene has no such arm.
    """

    def __init__(self, world: World):
        model = world.model
        try:
            upper_arm, forearm = model.body("upper_arm"), model.body("forearm")
            hand = model.site("hand")
        except KeyError as error:
            raise UserError(f"env {world.name}: reach needs an arm: {error.args[0]}") from None
        hinges = (model.jnt_type == mujoco.mjtJoint.mjJNT_HINGE).all()
        if model.nv != 2 or not hinges or not (model.jnt_axis == (0, 0, 1)).all():
            raise UserError(f"env {world.name}: reach needs exactly two joints, hinges about z")
        self.shoulder = upper_arm.pos[:2].copy()  # (2,) m
        self.upper_arm_m = float(forearm.pos[0])
        self.forearm_m = float(hand.pos[0])
        bent, straight = (_inertia(model, elbow) for elbow in (np.pi / 2, 0.0))
        self._inertia = bent[0, 0], (straight[0, 0] - bent[0, 0]) / 2, bent[1, 1]  # kg·m²

    def hand(
        self, qpos: NDArray[np.float64], qvel: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return place (n, 2), m, and velocity (n, 2), m/s, for angles and speeds (n, 2)."""
        elbow, reach = self._links(qpos)
        place = self.shoulder + elbow + reach
        forearm_speed = qvel[:, :1] + qvel[:, 1:]  # (n, 1) rad/s
        return place, turned(elbow) * qvel[:, :1] + turned(reach) * forearm_speed

    def torque(self, qpos: NDArray[np.float64], force: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return Jᵀ F (n, 2), N·m, for angles (n, 2), rad, and forces on the hand (n, 2), N."""
        elbow, reach = self._links(qpos)
        about_elbow = cross(reach, force)
        return np.stack((cross(elbow, force) + about_elbow, about_elbow), axis=1)

    def curl_torque(
        self,
        qpos: NDArray[np.float64],
        qvel: NDArray[np.float64],
        strength: NDArray[np.float64],
        step_s: float,
    ) -> NDArray[np.float64]:
        """Return the torque (n, 2), N·m, of a force b v on the hand, turned to the left.

        With the quarter turn S it is τ = b Jᵀ S J q̇ = b det(J) S q̇. So that the field does no work
        although τ is held for a whole step h, q̇ is that of the middle of the step by the implicit
        midpoint rule, (M − h/2 b det(J) S) Δq̇ = h b det(J) S q̇.

        Args:
            qpos: angles (n, 2), rad.
            qvel: their speeds (n, 2), rad/s.
            strength: b (n,), N·s/m.
            step_s: h.
        """
        a, b, c = self._inertia
        cosine = np.cos(qpos[:, 1])
        shared = c + b * cosine  # (n,), of shoulder and elbow
        gyration = strength * (self.upper_arm_m * self.forearm_m) * np.sin(qpos[:, 1])
        half = 0.5 * step_s * gyration
        change = 2.0 * half[:, None] * turned(qvel)  # h b det(J) S q̇
        determinant = (a + 2.0 * b * cosine) * c - shared**2 + half**2
        middle = np.empty_like(qvel)
        middle[:, 0] = c * change[:, 0] - (shared + half) * change[:, 1]
        middle[:, 1] = (a + 2.0 * b * cosine) * change[:, 1] - (shared - half) * change[:, 0]
        middle = qvel + 0.5 * middle / determinant[:, None]
        return gyration[:, None] * turned(middle)

    def angles(self, hand: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the angles (n, 2), rad, with the elbow bent forwards, for places (n, 2), m."""
        x, y = (hand - self.shoulder).T
        l1, l2 = self.upper_arm_m, self.forearm_m
        elbow = np.arccos((x * x + y * y - l1 * l1 - l2 * l2) / (2 * l1 * l2))
        inner = np.arctan2(l2 * np.sin(elbow), l1 + l2 * np.cos(elbow))
        return np.stack((np.arctan2(y, x) - inner, elbow), axis=1)

    def _links(self, qpos: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return shoulder to elbow and elbow to hand, (n, 2) m each."""
        forearm = qpos[:, 0] + qpos[:, 1]
        elbow, reach = np.empty_like(qpos), np.empty_like(qpos)
        np.multiply(self.upper_arm_m, np.cos(qpos[:, 0]), out=elbow[:, 0])
        np.multiply(self.upper_arm_m, np.sin(qpos[:, 0]), out=elbow[:, 1])
        np.multiply(self.forearm_m, np.cos(forearm), out=reach[:, 0])
        np.multiply(self.forearm_m, np.sin(forearm), out=reach[:, 1])
        return elbow, reach


def _inertia(model: mujoco.MjModel, elbow: float) -> NDArray[np.float64]:
    """Return the inertia matrix (2, 2), kg·m², at an angle of the elbow, rad."""
    data = mujoco.MjData(model)
    data.qpos[1] = elbow
    mujoco.mj_forward(model, data)
    matrix = np.zeros((2, 2))
    for row, unit in zip(matrix, np.eye(2), strict=True):
        mujoco.mj_mulM(model, data, row, unit)
    return matrix


def turned(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors (n, 2) turned to the left by a right angle."""
    out = np.empty_like(vectors)
    np.negative(vectors[:, 1], out=out[:, 0])
    out[:, 1] = vectors[:, 0]
    return out


def cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a × b, (n,), of vectors (n, 2); positive where b lies to the left of a."""
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
