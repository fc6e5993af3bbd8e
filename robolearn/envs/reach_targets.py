"""Which target each trial of each life has: a function of (key of the life, trial), no more.

Targets on the circle come in blocks, each of them once a block, in an order drawn for the block.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robolearn.shifts import counter_random

CIRCLE = 8
# Purposes of the draws of a life; each has its own key.
_ORDER, _PLACE, _START = (np.uint64(k * 0x632BE59BD9B4E019 % 2**64) for k in (1, 2, 3))


@dataclass(frozen=True)
class TargetPlan:
    """How the targets of a life are chosen.

    Attributes:
        kind: "circle", "random", or "both" in turns.
        radius: of the circle, m.
        held_out: indices of the circle's targets that ordinary trials leave out.
    """

    kind: str
    radius: float
    held_out: tuple[int, ...]

    def draw(
        self, keys: NDArray[np.uint64], trials: NDArray[np.int64], held_out: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the target of each trial.

        Args:
            keys: of the lives, (k,).
            trials: the trial of each, from 0, (k,).
            held_out: whose targets are the held-out ones alone, (k,).

        Returns:
            Index on the circle, counter-clockwise from the right, or CIRCLE for a random place,
            (k,); place relative to the middle of the circle, (k, 2) m.
        """
        on_circle = np.full(len(keys), self.kind == "circle")
        visits = trials
        if self.kind == "both":
            on_circle, visits = trials % 2 == 0, trials // 2
        ordinary = [i for i in range(CIRCLE) if i not in self.held_out]
        index = _of_block(keys, visits, np.array(ordinary))
        if self.held_out:
            index = np.where(held_out, _of_block(keys, visits, np.array(self.held_out)), index)
            on_circle = on_circle | held_out
        draws = counter_random.uniform(keys ^ _PLACE, trials, 2).astype(np.float64)
        angle = np.where(on_circle, index * (2 * np.pi / CIRCLE), draws[:, 0] * (2 * np.pi))
        # Evenly over the ring from half the radius to the radius.
        reach = np.where(on_circle, 1.0, np.sqrt(0.25 + 0.75 * draws[:, 1])) * self.radius
        place = np.stack((reach * np.cos(angle), reach * np.sin(angle)), axis=1)
        return np.where(on_circle, index, CIRCLE), place


def start_noise(keys: NDArray[np.uint64], trials: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return numbers (k, 2) in (−1, 1) for the joint angles at the start of each trial."""
    return 2.0 * counter_random.uniform(keys ^ _START, trials, 2).astype(np.float64) - 1.0


def _of_block(
    keys: NDArray[np.uint64], visits: NDArray[np.int64], choices: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return one of `choices` (m,) for each visit (k,): each of them once in m visits."""
    size = len(choices)
    order = np.argsort(counter_random.bits(keys ^ _ORDER, visits // size, size), axis=1)  # (k, m)
    return choices[order[np.arange(len(keys)), visits % size]]
