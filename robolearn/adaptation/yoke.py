"""Yoke a brain to that of another life: it changes as that one does, not for what it does itself.

What the yoke loses comes from weights that answer the activity of their own life. What it keeps may
come from weights that move at all, or that move alike in all lives under the same shift: the donor
has the same genes and meets the same shift at the same instant, so that a yoke that costs nothing
does not prove that nothing was learned. Frozen twins tell that.
"""

import numpy as np
from numpy.typing import NDArray

from robolearn.agents.protocol import Agent, learned_of
from robolearn.lifetime import Moment


class Yoke:
    """A listener that adds to some brains, step by step, what other brains have just learned.

    Their own learning must be frozen from the same step on. Differences are added as they are: a
    weight can leave the bound of its rule by as much as the donor's has moved, a layer does not
    stay normalised, and what the two brains differed in at the start they go on differing in.

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
