"""A scripted controller of reaching: a spring and a damper between the hand and the target.

It is not a learner but the measure of what feedback alone can do. It draws the hand with
F = k (target − seen) − d v, by τ = Jᵀ F. What it sees is the cursor, and in trials without feedback
the hand itself, as the joints feel it: there a turned cursor misses by the angle it is turned.
"""

from collections.abc import Callable

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.envs.reach import Reach
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError

STIFFNESS = 200.0  # k, N/m
DAMPING = 30.0  # d, N·s/m
# Half the mean excitation of the muscles when nothing is to be done: it makes the arm stiff.
CO_CONTRACTION = 0.02


def hand_servo(
    env: RobotVectorEnv,
) -> Callable[[NDArray[np.floating]], NDArray[np.float32]]:
    """Return the controller of `env`, which turns observations (n, o) into actions (n, a).

    Raises:
        UserError: the task is not to reach.
    """
    task = env.task
    if not isinstance(task, Reach):
        raise UserError(f"hand_servo reaches, but env {env.world.name} has the task {task.name}")
    parts = task.interface.slices
    friction = env.world.model.dof_damping  # (2,) N·m·s/rad
    commands = _commands(env.world.model)

    def act(observation: NDArray[np.floating]) -> NDArray[np.float32]:
        observation = observation.astype(np.float64)
        qpos = env.world.home_qpos + observation[:, parts["joint_angle"]]
        qvel = observation[:, parts["joint_velocity"]]
        hand, velocity = task.arm.hand(qpos, qvel)
        cursor = task.middle + observation[:, parts["cursor"]]
        seen = np.where(observation[:, parts["feedback"]] > 0, cursor, hand)
        target = task.middle + observation[:, parts["target"]]
        force = STIFFNESS * (target - seen) - DAMPING * velocity  # (n, 2) N
        return commands(task.arm.torque(qpos, force) + friction * qvel)

    return act


def _commands(model: mujoco.MjModel) -> Callable[[NDArray[np.float64]], NDArray[np.float32]]:
    """Return what turns joint torques (n, 2), N·m, into the actions (n, a) that come nearest."""
    if not model.na:
        limit = model.actuator_gear[:, 0] * model.actuator_gainprm[:, 0]
        return lambda torque: np.clip(torque / limit, -1, 1).astype(np.float32)
    # The shortest vector of excitations; as muscles cannot push, their opponents pull twice.
    pulls, resting = 2.0 * np.linalg.pinv(muscle_torques(model)), balance(model)

    def excite(torque: NDArray[np.float64]) -> NDArray[np.float32]:
        excitation = np.clip(resting + np.maximum(torque @ pulls.T, 0.0), 0, 1)
        return (2.0 * excitation - 1.0).astype(np.float32)

    return excite


def muscle_torques(model: mujoco.MjModel) -> NDArray[np.float64]:
    """Return the greatest torque of each muscle about each joint, (2, a) N·m."""
    tendons = model.actuator_trnid[:, 0]
    arms = np.zeros((2, model.nu))  # m; a flexor's are negative, for it shortens as the joint bends
    for muscle, tendon in enumerate(tendons):
        first = model.tendon_adr[tendon]
        for wrap in range(first, first + model.tendon_num[tendon]):
            arms[model.wrap_objid[wrap], muscle] = model.wrap_prm[wrap]
    return -arms * model.actuator_gainprm[:, 2]


def balance(model: mujoco.MjModel) -> NDArray[np.float64]:
    """Return excitations (a,), near twice CO_CONTRACTION, whose torques cancel at the start."""
    data = mujoco.MjData(model)
    data.qpos[:] = model.key_qpos[0]
    data.act[:] = 1.0
    mujoco.mj_forward(model, data)
    torques = muscle_torques(model) * (-data.actuator_force / model.actuator_gainprm[:, 2])
    even = np.full(model.nu, 2.0 * CO_CONTRACTION)
    return even - np.linalg.pinv(torques) @ (torques @ even)
