"""A scripted walk for bodies of the builder "legged": alternating tripods on the gait clock.

Every leg is in step with its diagonal neighbours and half a cycle behind its opposite and its
neighbours on the same side: two tripods on six legs, a trot on four.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError

# Actions at the extremes; coxa and femur of a body from the builder "legged".
_SWING = 0.9
_LIFT = 0.6


def tripod_gait(env: RobotVectorEnv) -> Callable[[NDArray[np.floating]], NDArray[np.float32]]:
    """Return a policy that turns observations (n, o) into actions (n, legs · 3).

    A foot on the ground goes back at constant speed and one in the air returns on a cosine, each
    for half a period of the clock that the body observes.

    Raises:
        UserError: the body has no clock, or legs of another kind.
    """
    legs = list(env.world.legs.values())
    slices = env.task.interface.slices
    if "clock" not in slices or any(len(leg.motors) != 3 for leg in legs):
        raise UserError(f"env {env.world.name}: a tripod gait needs a clock and legs of 3 motors")
    coxa, femur = (np.array([leg.motors[k] for leg in legs]) for k in (0, 1))
    # Legs come in pairs, left before right, from front to rear.
    offset = np.array([0.5 * ((i // 2 + i) % 2) for i in range(len(legs))])  # of a cycle
    clock = slices["clock"].start

    def act(observation: NDArray[np.floating]) -> NDArray[np.float32]:
        phase = np.arctan2(observation[:, clock], observation[:, clock + 1]) / (2 * np.pi)
        cycle = (
            phase[:, None] + offset
        ) % 1.0  # (n, legs): 0 to 0.5 in the air, then on the ground
        in_air = cycle < 0.5
        action = np.zeros((len(observation), env.task.action_size), np.float32)
        forward = np.where(in_air, -np.cos(2 * np.pi * cycle), 3.0 - 4.0 * cycle)  # −1 to 1
        action[:, coxa] = _SWING * forward
        action[:, femur] = np.where(in_air, -_LIFT * np.sin(2 * np.pi * cycle), 0.0)
        return action

    return act
