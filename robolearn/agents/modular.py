"""One small brain for every leg, or for either side: a module evolved once and repeated.

Every copy has the same innate parameters and a state of its own, so that what it learns in life it
learns for its own legs. It senses its part of the body, or all of it, mirrored on the right: the
two sides need one genome. A leg's module has few genes and fits a body with more legs, as insects
have it; a side's tells front from rear. What training did to one leg, such a brain has met on every
leg that the same weights drive.

What is hard-wired is the layout (`robolearn.envs.body_modules`): who is whose neighbour, which legs
alternate, and the mirror.
"""

import dataclasses
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from robolearn.agents.inputs import read_observation
from robolearn.agents.module_layout import Layout
from robolearn.agents.protocol import (
    Agent,
    Feedback,
    Float,
    Genome,
    Parameters,
    Spikes,
    Trace,
    graded_operations_of,
    learned_of,
    learns_by_trial,
    spikes_of,
    traces_of,
)
from robolearn.neurons.compilation import kernel


class Modular:
    """An agent that is `L` copies of `module`; the leading axis of its state is n · L.

    Args:
        module: of m observation and k action elements.
        layout: of the body.
        observation_size: o of the body.
        action_size: a of the body; elements that no copy drives are zero.
    """

    def __init__(self, module: Agent, layout: Layout, observation_size: int, action_size: int):
        self.module = module
        self.kind = module.kind
        self.layout = layout
        self.copies = len(layout.inputs)
        self.observation_size, self.action_size = observation_size, action_size

    @property
    def is_plastic(self) -> bool:
        """Whether anything learns in life."""
        return self.module.is_plastic

    @property
    def genome(self) -> Genome:
        """The layout of one module's flat vector."""
        return self.module.genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into named parameters (n · L, ...)."""
        parameters = self.module.express(genomes)
        return {name: np.repeat(value, self.copies, axis=0) for name, value in parameters.items()}

    def new_state(self, n: int) -> Any:
        """Allocate the modules' state, (n · L, ...)."""
        return self.module.new_state(n * self.copies)

    def reset(
        self,
        parameters: Parameters,
        state: Any,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives of the individuals `ids`; every copy draws from a child of the stream."""
        streams = [child for rng in rngs for child in rng.spawn(self.copies)]
        self.module.reset(parameters, state, self._rows(ids), streams)

    def act(
        self, parameters: Parameters, state: Any, observation: Float, feedback: Feedback
    ) -> Float:
        """Return actions (n, a) in [-1, 1] and advance `state`; rows not alive get zero."""
        n, layout = len(observation), self.layout
        sensed = np.empty((n * self.copies, layout.inputs.shape[1]), np.float32)
        seen = read_observation(observation, n, self.observation_size)
        _sense(seen, layout.inputs, layout.input_signs, sensed)
        driven = self.module.act(parameters, state, sensed, self._to_copies(feedback))
        action = np.zeros((n, self.action_size), np.float32)
        action[:, layout.outputs] = driven.reshape(n, self.copies, -1) * layout.output_signs
        return action

    def finish(self, state: Any, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the last reward of the individuals `ids`."""
        self.module.finish(state, self._to_copies(feedback), self._rows(ids))

    def learned(self, state: Any) -> dict[str, Float] | None:
        """Return what the modules learned, live, (n, L, ...)."""
        own = learned_of(self.module, state)
        if own is None:
            return None
        return {name: v.reshape(-1, self.copies, *v.shape[1:]) for name, v in own.items()}

    def traces(self, state: Any) -> dict[str, Trace]:
        """Return what the modules declare, all copies of an individual side by side."""
        return {
            name: trace._replace(values=trace.values.reshape(len(trace.values) // self.copies, -1))
            for name, trace in traces_of(self.module, state).items()
        }

    @property
    def learns_by_trial(self) -> bool:
        """Whether the modules learn when a trial ends, and not before."""
        return learns_by_trial(self.module)

    @property
    def graded_operations(self) -> int:
        """Synaptic operations of all modules in a control step."""
        return self.copies * graded_operations_of(self.module)

    def spikes(self, state: Any) -> Spikes | None:
        """Return the spikes of all modules of an individual; None for modules without spikes."""
        spikes = spikes_of(self.module, state)
        if spikes is None:
            return None
        return Spikes(*(own.reshape(-1, self.copies).sum(axis=1) for own in spikes))

    def _rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return (np.asarray(ids)[:, None] * self.copies + np.arange(self.copies)).ravel()

    def _to_copies(self, feedback: Feedback) -> Feedback:
        fields = {f.name: getattr(feedback, f.name) for f in dataclasses.fields(feedback)}
        return Feedback(**{name: np.repeat(value, self.copies) for name, value in fields.items()})


@kernel
def _sense(observation, inputs, signs, sensed):
    """Write what each copy senses, (n · L, m), of observations (n, o); element o is 1."""
    copies, size = inputs.shape[0], observation.shape[1]
    for row in prange(observation.shape[0]):
        for i in range(copies):
            for k in range(inputs.shape[1]):
                source = inputs[i, k]
                x = observation[row, source] if source < size else np.float32(1.0)
                sensed[row * copies + i, k] = signs[i, k] * x
