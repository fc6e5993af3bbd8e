"""What a brain costs while it acts: spikes and synaptic operations, over the whole of a life."""

import numpy as np
from numpy.typing import NDArray

from robolearn.agents.protocol import Agent, graded_operations_of, spikes_of
from robolearn.lifetime import Moment


class CostMeter:
    """A listener of lives that sums up what the brains of `n` individuals cost.

    Args:
        agent: their kind of brain.
        n: number of individuals.
        control_step_s: s, of brains without spikes, which cost the same in every step.
    """

    def __init__(self, agent: Agent, n: int, control_step_s: float):
        self._agent = agent
        self._graded = graded_operations_per_s(agent, control_step_s)
        self._sums = np.zeros((2, n))  # spikes and operations, each per s

    def __call__(self, moment: Moment) -> None:
        """Add what the moment costs those who are alive."""
        spikes = spikes_of(self._agent, moment.state)
        now = np.array([np.nan, self._graded])[:, None] if spikes is None else np.stack(spikes)
        self._sums += np.where(moment.alive, now, 0.0)

    def means(self, steps: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return the means over lives of so many steps (n,); spikes are NaN without spikes."""
        return dict(zip(("spikes_per_s", "operations_per_s"), self._sums / steps, strict=True))


def graded_operations_per_s(agent: Agent, control_step_s: float) -> float:
    """Return the synaptic operations of a brain without spikes per second of life.

    A synapse costs one whenever a graded value drives it (`agents.protocol.graded_operations_of`).
    """
    return graded_operations_of(agent) / control_step_s
