"""A player of mazes that knows the rule but not the side: win-stay, lose-shift, and a steady hand.

It shows what a perfect driver can earn (`RewardLaw.expected_pay`). It knows its place in the maze;
what it does not know is the arm that pays, the moment of the switch, and what a light means.
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.envs.tmaze import TMaze
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError

# Turning per error of heading, in actions per rad: the motors' lag makes more of it overshoot.
_STEERING = 0.55
_NEAR_M = 0.12


class WinStayLoseShift:
    """Chooses an arm for every individual and every trial.

    What pays 1 is visited again. What pays less is put aside, and the next arm that is not is
    tried; when all are put aside, all but the last are forgotten.

    Args:
        n: number of individuals.
        arms: number of arms A.

    Attributes:
        choice: the arm to visit next, (n,).
    """

    def __init__(self, n: int, arms: int):
        self.choice = np.zeros(n, np.int64)
        self._aside = np.zeros((n, arms), np.bool_)

    def hear(self, chosen: NDArray[np.int64], food: NDArray[np.float64]) -> None:
        """Learn what the arms `chosen` (n,) paid, −1 for who has reached none in this step."""
        rows = np.flatnonzero(chosen >= 0)
        won = food[rows] >= 1.0
        self._aside[rows[won]] = False
        lost, arm = rows[~won], chosen[rows[~won]]
        self._aside[lost, arm] = True
        full = self._aside[lost].all(axis=1)
        self._aside[lost[full]] = False
        self._aside[lost[full], arm[full]] = True
        self.choice[rows[won]] = chosen[rows[won]]
        self.choice[lost] = (~self._aside[lost]).argmax(axis=1)


class MazePlayer:
    """Drives all robots of an env along the corridors to the arms of its choice, and home.

    Args:
        env: a vector env with the task `tmaze`, whose corridors run along x and y: a stem to the
            middle of all arms, then along y as far as the arm, then along x. A player is made for
            one life, before its reset or right after it.
    """

    def __init__(self, env: RobotVectorEnv):
        if not isinstance(env.task, TMaze):
            raise UserError(f"the maze player plays the task 'tmaze', not {env.task.name!r}")
        self._task = env.task
        n, arms = env.num_envs, env.task.law.arms
        self.mind = WinStayLoseShift(n, arms)
        model = env.world.model
        places = [_centre(model, arm) for arm in env.task.parameters.arms]
        start, junction = _centre(model, "start"), np.mean(places, axis=0)
        ways = []
        for arm in places:
            corner = np.array([junction[0], arm[1]])
            ways.append([junction, corner, arm, corner, junction, start])
        self._ways = np.array(ways)  # (A, 6, 2): three points on the way there, three on that back
        self._next = np.zeros(n, np.int64)  # (n,) which of them is driven to
        self._arm = np.zeros(n, np.int64)  # (n,) whose way it is
        self._was_fed = np.zeros(n, np.bool_)
        self._lit: NDArray[np.int64] | None = None  # (n,) arm that the cue shows, or 0

    def __call__(self, observation: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return actions (n, 2); a player that knows its place needs no observation."""
        step, arms = self._task.info(), self._task.law.arms
        lit = step["context"]  # of the trial that begins or goes on
        if self._lit is None:
            self._lit = lit
        is_fed = step["chosen"] >= 0
        visited = np.where(is_fed & ~self._was_fed, (step["chosen"] - self._lit) % arms, -1)
        self.mind.hear(visited, step["food"])
        self._next[is_fed & ~self._was_fed] = 3
        self._next[step["trial_end"]] = 0
        self._was_fed, self._lit = is_fed & ~step["trial_end"], lit
        # Who is on the way home keeps to the corridors it came by.
        self._arm = np.where(self._was_fed, self._arm, (self.mind.choice + lit) % arms)
        return self._drive(self._arm)

    def _drive(self, arm: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return actions (n, 2) towards the next point of the way to `arm` (n,)."""
        pose, ways = self._task.robot.pose, self._ways
        offset = ways[arm, self._next] - pose[:, :2]  # (n, 2)
        is_there = np.abs(offset).max(axis=1) < _NEAR_M
        self._next += is_there & (self._next % 3 < 2)
        offset = ways[arm, self._next] - pose[:, :2]
        error = np.arctan2(offset[:, 1], offset[:, 0]) - pose[:, 2]
        error = np.arctan2(np.sin(error), np.cos(error))  # (n,) in (−π, π]
        forward, turn = np.maximum(np.cos(error), 0.0), _STEERING * error
        action = np.stack((forward - turn, forward + turn), axis=1)
        return np.clip(action, -1, 1).astype(np.float32)


def _centre(model: mujoco.MjModel, place: str) -> NDArray[np.float64]:
    return model.site(place).pos[:2].copy()
