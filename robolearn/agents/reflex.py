"""A fixed reflex under a brain: what is hard-wired, so that learning need not begin with driving.

action = clip(brain + R [x, 1], -1, 1), with x the observation in units of its typical magnitude.
Evolution and learning do not touch R. It stands beside every kind of brain alike, so that what is
compared shares it, and it has to be told wherever results of such brains are told.
"""

from typing import Annotated, Any

import numpy as np
from annotated_types import Interval
from numba import prange
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.inputs import inverse_scale, read_observation
from robolearn.agents.protocol import Agent, Feedback, Float, Parameters
from robolearn.errors import UserError
from robolearn.neurons.compilation import kernel
from robolearn.neurons.encoder import signed_current

Reflex = tuple[tuple[Annotated[float, Interval(ge=-1e6, le=1e6)], ...], ...]


class Reflexive:
    """An agent on top of a reflex; in everything but `act` it is that agent.

    The brain knows its own part of the action only, and that part is what its rules learn from.

    Args:
        agent: the brain.
        rows: R, one row for every action element: weights of all observation elements, and a
            constant.
        input_scale: (o,), typical magnitude of every observation element; None for ones.

    Raises:
        UserError: wrong number of rows, or of weights in one.
    """

    def __init__(self, agent: Agent, rows: Reflex, input_scale: ArrayLike | None):
        self._agent = agent
        self._reflex = _read(rows, agent.observation_size, agent.action_size)
        self._inverse_scale = inverse_scale(input_scale, agent.observation_size)

    def __getattr__(self, name: str) -> Any:
        if name == "_agent":  # not made yet, as when it is copied
            raise AttributeError(name)
        return getattr(self._agent, name)

    def act(
        self, parameters: Parameters, state: Any, observation: Float, feedback: Feedback
    ) -> Float:
        """Return actions (n, a) in [-1, 1] and advance `state`; rows not alive get zero."""
        action = self._agent.act(parameters, state, observation, feedback)
        self.add(observation, feedback.alive, action)
        return action

    def add(self, observation: Float, alive: NDArray[np.bool_], action: Float) -> None:
        """Add the reflex to the brain's actions (n, a) in place, where `alive` (n,)."""
        seen = read_observation(observation, len(action), self._agent.observation_size)
        _add(seen, self._inverse_scale, alive, self._reflex, action)


def _read(rows: Reflex, o: int, a: int) -> NDArray[np.float32]:
    """Return the reflex as an array (a, o + 1)."""
    if len(rows) != a:
        raise UserError(f"reflex: expected {a} rows, one an action element, got {len(rows)}")
    for k, row in enumerate(rows):
        if len(row) != o + 1:
            raise UserError(
                f"reflex[{k}]: expected {o + 1} weights, one an observation element and a "
                f"constant, got {len(row)}"
            )
    return np.array(rows, np.float32)


@kernel
def _add(observation, inverse_scales, alive, reflex, action):
    size, one = observation.shape[1], np.float32(1.0)
    for row in prange(observation.shape[0]):
        if alive[row]:
            for k in range(action.shape[1]):
                command = action[row, k] + reflex[k, size]
                for j in range(size):
                    x = signed_current(observation[row, j], inverse_scales[j])
                    command += reflex[k, j] * x
                action[row, k] = min(max(command, -one), one)
