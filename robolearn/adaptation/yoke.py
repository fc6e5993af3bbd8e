"""Yoke a brain to that of another life: it changes as much, but not for what it does itself.

The control for learning itself: what a yoked brain keeps of the benefit of plasticity comes from
weights that move at all, or that move as they would in any such life. Only what is lost by the yoke
comes from weights that answer the brain's own activity.
"""

import numpy as np
from numpy.typing import NDArray

from robolearn.agents.protocol import Agent, learned_of
from robolearn.lifetime import Moment


class Yoke:
    """A listener that adds to some brains, step by step, what other brains have just learned.

    Their own learning must be frozen from the same step on. The sums are not bounded: a weight can
    leave the bound of its rule by as much as the donor's has moved.

    Args:
        agent: the brains; one that tells what it learned.
        yoked: (k,) rows that are changed.
        donors: (k,) the row that each is yoked to; one that has fallen no longer gives anything.
        from_step: (k,) first control step of which each gets its donor's changes; the very first
            step of a life has none.
    """

    def __init__(
        self,
        agent: Agent,
        yoked: NDArray[np.int64],
        donors: NDArray[np.int64],
        from_step: NDArray[np.int64],
    ):
        self._agent = agent
        self._yoked, self._donors, self._from = yoked, donors, from_step
        self._before: dict[str, NDArray[np.floating]] = {}

    def __call__(self, moment: Moment) -> None:
        """Listen to a step."""
        on = self._from <= moment.step
        for name, values in (learned_of(self._agent, moment.state) or {}).items():
            now = values[self._donors]
            if name in self._before:
                values[self._yoked[on]] += (now - self._before[name])[on]
            self._before[name] = now
