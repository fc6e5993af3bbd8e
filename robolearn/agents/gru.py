"""The recurrent network: a gated recurrent unit that also feels its reward and its last action.

Source of the unit: Cho et al. 2014 (EMNLP). That it gets reward and last action makes it the
control that can adapt by memory alone, as in Wang et al. 2016 and Duan et al. 2016 (RL²).
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Interval
from numba import prange
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.genes import QUIET, layer_genes
from robolearn.agents.inputs import dense, inverse_scale, read_observation
from robolearn.agents.protocol import Feedback, Float, Gene, Genome, Parameters, Trace
from robolearn.agents.reflex import Reflex
from robolearn.neurons.compilation import kernel
from robolearn.neurons.encoder import encode, signed_current
from robolearn.neurons.rate import logistic, rate_layer, weighted_sum


@dataclass(frozen=True)
class GRUHyperparameters:
    """What one chooses before evolution.

    Attributes:
        hidden: number of recurrent units.
        reward_scale: typical magnitude of a step's reward, in units of reward.
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
    """

    hidden: Annotated[int, Interval(ge=1, le=4096)] = 32
    reward_scale: Annotated[float, Interval(gt=0, le=1e9)] = 1.0
    reflex: Reflex = ()


@dataclass
class GRUState:
    """What the network remembers, float32.

    Attributes:
        hidden: (n, h), the recurrent units, in [-1, 1].
        last_action: (n, a), the action of the step before, 0 at birth.
    """

    hidden: Float
    last_action: Float


class GRU:
    """A gated recurrent network with static weights.

    With u = [observation / scale, reward / reward_scale, last action]:
        z = σ(W_z u + U_z h + b_z);  r = σ(W_r u + U_r h + b_r)
        h ← z h + (1 - z) tanh(W u + U (r h) + b);  action = tanh(W_out h + b_out)

    Parameters: `input.weight` (n, 3h, u) for z, r and the candidate one after the other,
    `input.bias` (n, 3h), `recurrent.weight` (n, 3h, h), `readout.weight` (n, a, h), `readout.bias`
    (n, a).
    """

    hyperparameters: ClassVar[type] = GRUHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: GRUHyperparameters | None = None,
    ) -> None:
        self.kind = "gru"
        self.hyper = hyper or GRUHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        self._inverse_scale = inverse_scale(input_scale, observation_size)
        h, inputs = self.hyper.hidden, observation_size + 1 + action_size
        recurrent = Gene("recurrent.weight", (3 * h, h), scale=h**-0.5, initial_std=1.0)
        self._genome = Genome(
            (
                *layer_genes("input", 3 * h, inputs, gain=1.0, bias_scale=0.3),
                recurrent,
                *layer_genes(
                    "readout", action_size, h, gain=0.7, bias_scale=0.3, initial_std=QUIET
                ),
            )
        )

    @property
    def is_plastic(self) -> bool:
        """Nothing learns in life: its memory is activity."""
        return False

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector that learners search."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into the named parameters of the class docstring."""
        return self._genome.split(genomes)

    def new_state(self, n: int) -> GRUState:
        """Allocate the state of `n` individuals."""
        return GRUState(
            hidden=np.zeros((n, self.hyper.hidden), np.float32),
            last_action=np.zeros((n, self.action_size), np.float32),
        )

    def reset(
        self,
        parameters: Parameters,
        state: GRUState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives in the rows `ids`, with an empty memory."""
        del parameters, rngs
        state.hidden[ids] = 0.0
        state.last_action[ids] = 0.0

    def act(
        self, parameters: Parameters, state: GRUState, observation: Float, feedback: Feedback
    ) -> Float:
        """Return actions (n, a) in [-1, 1] and advance `state`; rows not alive get zero."""
        n = state.hidden.shape[0]
        action = np.empty((n, self.action_size), np.float32)
        _act(
            read_observation(observation, n, self.observation_size),
            dense(feedback.reward),
            np.float32(1.0 / self.hyper.reward_scale),
            self._inverse_scale,
            feedback.alive,
            dense(parameters["input.weight"]),
            dense(parameters["input.bias"]),
            dense(parameters["recurrent.weight"]),
            dense(parameters["readout.weight"]),
            dense(parameters["readout.bias"]),
            state.hidden,
            state.last_action,
            action,
        )
        return action

    def finish(self, state: GRUState, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the last reward: a life that has ended has no use for it."""

    def traces(self, state: GRUState) -> dict[str, Trace]:
        """Return what to plot: the recurrent units, which are all its memory."""
        return {"recurrent units": Trace(state.hidden)}


@kernel
def _act(
    observation,
    reward,
    inverse_reward_scale,
    inverse_scales,
    alive,
    input_weight,
    input_bias,
    recurrent_weight,
    readout_weight,
    readout_bias,
    hidden,
    last_action,
    action,
):
    zero, one = np.float32(0.0), np.float32(1.0)
    for row in prange(observation.shape[0]):
        if alive[row]:
            o, h = observation.shape[1], hidden.shape[1]
            u = np.empty(input_weight.shape[2], np.float32)
            encode(observation[row], inverse_scales, u[:o])
            u[o] = signed_current(reward[row], inverse_reward_scale)
            u[o + 1 :] = last_action[row]
            before = hidden[row].copy()
            update = np.empty(h, np.float32)
            reset_before = np.empty(h, np.float32)
            for i in range(h):
                z = weighted_sum(input_weight[row, i], input_bias[row, i], u)
                update[i] = logistic(weighted_sum(recurrent_weight[row, i], z, before))
                r = weighted_sum(input_weight[row, h + i], input_bias[row, h + i], u)
                r = logistic(weighted_sum(recurrent_weight[row, h + i], r, before))
                reset_before[i] = r * before[i]
            for i in range(h):
                c = weighted_sum(input_weight[row, 2 * h + i], input_bias[row, 2 * h + i], u)
                c = math.tanh(weighted_sum(recurrent_weight[row, 2 * h + i], c, reset_before))
                hidden[row, i] = update[i] * before[i] + (one - update[i]) * c
            rate_layer(readout_weight[row], readout_bias[row], hidden[row], last_action[row])
            action[row] = last_action[row]
        else:
            action[row] = zero
