"""The static network: tanh layers, y = tanh(W x + b), that do not change within a life."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Interval, Len
from numba import prange
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.genes import network_genes
from robolearn.agents.inputs import dense, inverse_scale, read_observation
from robolearn.agents.protocol import Feedback, Float, Genome, Parameters
from robolearn.agents.reflex import Reflex
from robolearn.neurons.compilation import kernel
from robolearn.neurons.encoder import encode
from robolearn.neurons.rate import rate_layer

Width = Annotated[int, Interval(ge=1, le=4096)]


@dataclass(frozen=True)
class MLPHyperparameters:
    """What one chooses before evolution.

    Attributes:
        hidden: units of the hidden layers, from input to output.
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
    """

    hidden: Annotated[tuple[Width, ...], Len(0, 16)] = (64, 32)
    reflex: Reflex = ()


@dataclass
class MLPState:
    """A static network remembers nothing: no arrays."""


class MLP:
    """A tanh network with biases.

    Parameters: `weights` (n, p) and `biases` (n, q), all layers one after the other, each weight
    block (post, pre) in C order; `layers` names the blocks.
    """

    hyperparameters: ClassVar[type] = MLPHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: MLPHyperparameters | None = None,
    ) -> None:
        self.kind = "mlp"
        self.hyper = hyper or MLPHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        self.sizes = np.array([observation_size, *self.hyper.hidden, action_size], np.int64)
        self._inverse_scale = inverse_scale(input_scale, observation_size)
        self._genome = Genome(network_genes(self.sizes))

    @property
    def is_plastic(self) -> bool:
        """Nothing learns in life."""
        return False

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector that learners search."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into `weights` (n, p) and `biases` (n, q)."""
        return join_layers(self._genome.split(genomes))

    def new_state(self, n: int) -> MLPState:
        """Allocate the state of `n` individuals: none."""
        del n
        return MLPState()

    def reset(
        self,
        parameters: Parameters,
        state: MLPState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives: nothing to do."""

    def act(
        self, parameters: Parameters, state: MLPState, observation: Float, feedback: Feedback
    ) -> Float:
        """Return actions (n, a) in [-1, 1]; rows that are not alive get zero."""
        del state
        n = parameters["weights"].shape[0]
        action = np.empty((n, self.action_size), np.float32)
        _act(
            read_observation(observation, n, self.observation_size),
            self._inverse_scale,
            feedback.alive,
            dense(parameters["weights"]),
            dense(parameters["biases"]),
            self.sizes,
            action,
        )
        return action

    def finish(self, state: MLPState, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the last reward: a static network has no use for it."""


def join_layers(genes: Parameters) -> Parameters:
    """Lay the weights and the biases of all layers out one after the other, a row a brain."""
    joined = {}
    for what in ("weight", "bias"):
        blocks = [block for name, block in genes.items() if name.endswith(f".{what}")]
        flat = [block.reshape(block.shape[0], -1) for block in blocks]
        joined[{"weight": "weights", "bias": "biases"}[what]] = np.concatenate(flat, axis=1)
    return joined


@kernel
def _act(observation, inverse_scales, alive, weights, biases, sizes, action):
    for row in prange(observation.shape[0]):
        if alive[row]:
            x = np.empty(sizes[0], np.float32)
            encode(observation[row], inverse_scales, x)
            weight_start, bias_start = 0, 0
            for layer in range(sizes.shape[0] - 1):
                pre, post = sizes[layer], sizes[layer + 1]
                weight = weights[row, weight_start : weight_start + post * pre].reshape(post, pre)
                y = np.empty(post, np.float32)
                rate_layer(weight, biases[row, bias_start : bias_start + post], x, y)
                weight_start += post * pre
                bias_start += post
                x = y
            action[row] = x
        else:
            action[row] = np.float32(0.0)
