"""Drivers to compare with: a reflex as in Braitenberg's vehicles, and a blind wanderer."""

import numpy as np
from numpy.typing import NDArray

from robolearn.envs.reference import Policy
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError

# The reflex: what is nearer than this is felt, the more the nearer.
_REACH_M = 0.35
_TURN = 0.5
# The wanderer turns now this way, now that: noise with this correlation from step to step.
_MEMORY = 0.9
_WANDERER_SEED = 4


def braitenberg(env: RobotVectorEnv) -> Policy:
    """Return a reflex from observations (n, o) to actions (n, 2): slow down and turn away.

    What is near on one side drives the wheel of that side; what is near ahead slows both.

    Raises:
        UserError: the robot has no range sensors at known angles.
    """
    angles = _beam_angles(env)
    ahead = np.maximum(np.cos(angles), 0.0)
    side = np.sign(angles)  # 1 for the left

    def act(observation: NDArray[np.floating]) -> NDArray[np.float32]:
        near = np.clip(1.0 - observation[:, : len(angles)] / _REACH_M, 0.0, 1.0)  # (n, b)
        left = (near * (side > 0)).sum(axis=1)
        right = (near * (side < 0)).sum(axis=1)
        blocked = (near * ahead).max(axis=1)
        # Whoever faces something squarely turns right.
        away = np.where(np.abs(left - right) > 0.05, left - right, blocked)
        turn = _TURN * np.clip(away, -1.0, 1.0)  # positive: to the right
        speed = 1.0 - blocked
        action = np.stack((speed + turn, speed - turn), axis=1)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    return act


def blind_wanderer(env: RobotVectorEnv) -> Policy:
    """Return a driver at full speed that turns at random and heeds no sense."""
    rngs = [np.random.default_rng([i, _WANDERER_SEED]) for i in range(env.num_envs)]
    turn = np.zeros(env.num_envs)

    def act(observation: NDArray[np.floating]) -> NDArray[np.float32]:
        turn[:] = _MEMORY * turn + 0.1 * np.array([rng.standard_normal() for rng in rngs])
        action = np.stack((1.0 + turn, 1.0 - turn), axis=1)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    return act


def _beam_angles(env: RobotVectorEnv) -> NDArray[np.float64]:
    angles = getattr(env.task.parameters, "beams_deg", None)
    if angles is None:
        raise UserError(f"the reflex needs range sensors, which {env.world.name} lacks")
    return np.deg2rad(angles)
