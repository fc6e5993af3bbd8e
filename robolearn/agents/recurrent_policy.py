"""The actor of recurrent PPO as a brain: an LSTM that also feels its last reward and action.

Hochreiter & Schmidhuber 1997, with the forget gate, as torch has it. Reward and last action among
the inputs make it the learner that can adapt by memory alone (Wang et al. 2016; Duan et al. 2016).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.genes import network_genes
from robolearn.agents.inputs import dense, inverse_scale, read_observation
from robolearn.agents.mlp import join_layers
from robolearn.agents.policy import (
    Activation,
    Hidden,
    Width,
    express_normaliser,
    normaliser_genes,
)
from robolearn.agents.policy_kernel import act_recurrent
from robolearn.agents.protocol import Feedback, Float, Gene, Genome, Parameters, Trace
from robolearn.agents.reflex import Reflex


@dataclass(frozen=True)
class RecurrentPolicyHyperparameters:
    """What one chooses before training.

    Attributes:
        memory: LSTM cells.
        hidden: units of the layers between memory and action.
        activation: of the hidden units, tanh or relu.
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
    """

    memory: Width = 64
    hidden: Hidden = (64,)
    activation: Activation = "tanh"
    reflex: Reflex = ()


@dataclass
class RecurrentPolicyState:
    """What the network remembers, float32.

    Attributes:
        hidden: (n, h), the output of the cells, in [-1, 1].
        cell: (n, h), their content.
        last_action: (n, a), the action of the step before, 0 at birth.
    """

    hidden: Float
    cell: Float
    last_action: Float


class RecurrentPolicy:
    """An LSTM actor.

    With u = [observation / scale, reward, last action], normalised, and σ the logistic:
        (i, f, g, o) = W u + U h + b
        c ← σ(f) c + σ(i) tanh(g);  h ← σ(o) tanh(c);  action = clip(layers(h))

    Parameters: `mean` and `inverse_std` (n, u), `lstm.input_weight` (n, 4h, u),
    `lstm.recurrent_weight` (n, 4h, h), `lstm.bias` (n, 4h), `weights` (n, p), `biases` (n, q).
    """

    hyperparameters: ClassVar[type] = RecurrentPolicyHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: RecurrentPolicyHyperparameters | None = None,
    ) -> None:
        self.kind = "recurrent_policy"
        self.hyper = hyper or RecurrentPolicyHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        h, inputs = self.hyper.memory, observation_size + 1 + action_size
        self._sizes = np.array([h, *self.hyper.hidden, action_size], np.int64)
        self._inverse_scale = np.ones(inputs, np.float32)
        self._inverse_scale[:observation_size] = inverse_scale(input_scale, observation_size)
        self._genome = Genome(
            (
                *normaliser_genes(inputs),
                Gene("lstm.input_weight", (4 * h, inputs), scale=inputs**-0.5, initial_std=1.0),
                Gene("lstm.recurrent_weight", (4 * h, h), scale=h**-0.5, initial_std=1.0),
                Gene("lstm.bias", (4 * h,), scale=0.3),
                *network_genes(self._sizes),
            )
        )

    @property
    def is_plastic(self) -> bool:
        """Nothing learns in life: its memory is activity."""
        return False

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector that holds a whole actor."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into the parameters of the class docstring."""
        genes = self._genome.split(genomes)
        lstm = {name: gene for name, gene in genes.items() if name.startswith("lstm.")}
        layers = {name: gene for name, gene in genes.items() if name.startswith("layer_")}
        return {**express_normaliser(genes), **lstm, **join_layers(layers)}

    def new_state(self, n: int) -> RecurrentPolicyState:
        """Allocate the state of `n` individuals."""
        return RecurrentPolicyState(
            hidden=np.zeros((n, self.hyper.memory), np.float32),
            cell=np.zeros((n, self.hyper.memory), np.float32),
            last_action=np.zeros((n, self.action_size), np.float32),
        )

    def reset(
        self,
        parameters: Parameters,
        state: RecurrentPolicyState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives in the rows `ids`, with an empty memory."""
        del parameters, rngs
        for array in (state.hidden, state.cell, state.last_action):
            array[ids] = 0.0

    def act(
        self,
        parameters: Parameters,
        state: RecurrentPolicyState,
        observation: Float,
        feedback: Feedback,
    ) -> Float:
        """Return actions (n, a) in [-1, 1] and advance `state`; rows not alive get zero."""
        n = state.hidden.shape[0]
        action = np.empty((n, self.action_size), np.float32)
        act_recurrent(
            read_observation(observation, n, self.observation_size),
            dense(feedback.reward),
            self._inverse_scale,
            feedback.alive,
            dense(parameters["mean"]),
            dense(parameters["inverse_std"]),
            dense(parameters["lstm.input_weight"]),
            dense(parameters["lstm.recurrent_weight"]),
            dense(parameters["lstm.bias"]),
            dense(parameters["weights"]),
            dense(parameters["biases"]),
            self._sizes,
            self.hyper.activation == "relu",
            state.hidden,
            state.cell,
            state.last_action,
            action,
        )
        return action

    def finish(
        self, state: RecurrentPolicyState, feedback: Feedback, ids: NDArray[np.int64]
    ) -> None:
        """Hand over the last reward: a life that has ended has no use for it."""

    def traces(self, state: RecurrentPolicyState) -> dict[str, Trace]:
        """Return what to plot: the cells' output."""
        return {"memory": Trace(state.hidden)}
