"""A scripted player of delayed match to sample that holds the first cue and knows the rule.

It shows the best that can be earned: the torque that holds the lever at
the right mark, from the second cue on.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from robolearn.envs.delayed_match import DelayedMatch
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError

_NO_CUE = -1


def cue_holder(env: RobotVectorEnv) -> Callable[[NDArray[np.floating]], NDArray[np.float32]]:
    """Return the player of `env`, which turns observations (n, o) into actions (n, 1).

    It is made for one life, sees nothing but the cues, and pays no heed to a rule that is reversed
    in mid-life.

    Raises:
        UserError: the task is another.
    """
    task = env.task
    if not isinstance(task, DelayedMatch):
        raise UserError(f"cue_holder plays delayed_match, not {task.name}")
    part = task.interface.slices["cue"]
    torque = task.parameters.mark_rad / task.full_angle
    to_the_right = torque if task.parameters.rule == "non_match" else -torque
    shown = np.full(env.num_envs, _NO_CUE)  # (n,) the cue of the step before
    sample = np.full(env.num_envs, _NO_CUE)  # (n,) the first cue of the trial while it is held
    push = np.zeros(env.num_envs, np.float32)

    def act(observation: NDArray[np.floating]) -> NDArray[np.float32]:
        cues = observation[:, part]
        now = np.where(cues.max(axis=1) > 0.5, cues.argmax(axis=1), _NO_CUE)
        begins = (now != _NO_CUE) & (shown == _NO_CUE)
        is_test = begins & (sample != _NO_CUE)
        push[begins] = 0.0
        push[is_test] = np.where(now == sample, -to_the_right, to_the_right)[is_test]
        sample[begins] = np.where(is_test, _NO_CUE, now)[begins]
        shown[:] = now
        return push[:, None].copy()

    return act
