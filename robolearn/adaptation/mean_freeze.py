"""Freeze what was learned at its mean over the time before, not at the instant.

Synapses may swing with the gait. Stopped at one instant they keep a phase of that swing, and what
such a twin loses is not what learning had won; at their mean over many steps of the gait they do
not.
"""

import numpy as np
from numpy.typing import NDArray

from robolearn.agents.protocol import Agent, learned_of
from robolearn.lifetime import Moment

# s, over which the mean is taken; several steps of any gait.
MEAN_S = 2.0


class MeanFreeze:
    """A listener that puts, at the end of learning, the mean of the last steps in its place.

    Args:
        agent: the brains; one that tells what it learned.
        frozen_from: (n,) control step from which each no longer learns.
        chosen: (n,) bool, whose learning ends so; the others are left alone.
        steps: control steps over which the mean is taken; all there are, if they are fewer.
    """

    def __init__(
        self,
        agent: Agent,
        frozen_from: NDArray[np.int64],
        chosen: NDArray[np.bool_],
        steps: int,
    ):
        self._agent = agent
        self._end = np.where(chosen, frozen_from, 0)  # (n,), nothing is done for 0
        self._begin = np.maximum(0, self._end - steps)
        self._sums: dict[str, NDArray[np.float64]] = {}

    def __call__(self, moment: Moment) -> None:
        """Listen to a step."""
        rows = np.flatnonzero((self._begin <= moment.step) & (moment.step < self._end))
        if not len(rows):
            return
        last = rows[self._end[rows] == moment.step + 1]
        for name, values in (learned_of(self._agent, moment.state) or {}).items():
            if name not in self._sums:
                self._sums[name] = np.zeros(values.shape)
            total = self._sums[name]
            total[rows] += values[rows]
            shape = (-1, *(1,) * (values.ndim - 1))
            values[last] = total[last] / (self._end - self._begin)[last].reshape(shape)
