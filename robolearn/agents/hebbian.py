"""The Hebbian network: tanh layers whose every synapse follows the ABCD rule in life.

Source: Najarro & Risi 2020 (NeurIPS), who evolve one set of coefficients a synapse and draw the
weights at random at birth; that is granularity "synapse" with innate "random".
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval, Len
from numba import prange
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.genes import (
    ABCD_NAMES,
    QUIET,
    Granularity,
    abcd_genes,
    coefficient_shape,
    layer_genes,
)
from robolearn.agents.inputs import dense, inverse_scale, read_observation
from robolearn.agents.protocol import Feedback, Float, Gene, Genome, Parameters, Trace
from robolearn.neurons.compilation import kernel
from robolearn.neurons.encoder import encode
from robolearn.neurons.rate import rate_layer
from robolearn.plasticity.abcd import learn_abcd
from robolearn.plasticity.max_normalisation import normalise_by_maximum

Width = Annotated[int, Interval(ge=1, le=4096)]

_TYPICAL_INPUT = 1.0  # observations come in units of their typical magnitude
_TYPICAL_RATE = 0.5  # |tanh| of a hidden unit
_TYPICAL_OUTPUT = 0.3


@dataclass(frozen=True)
class HebbianHyperparameters:
    """What one chooses before evolution.

    Attributes:
        hidden: units of the hidden layers, from input to output.
        rule: "abcd", or "none" for the static twin with the same first weights.
        granularity: whether coefficients belong to a synapse, a postsynaptic neuron or a layer.
        innate: where first weights come from: the genome, or U(±innate_range) at every birth.
        innate_range: half width of the random first weights.
        control_step_s: control step of the body, s.
        weight_bound: plastic weights stay within ± this.
        max_normalisation: divide a layer by its largest |w|, at birth and after every change.
    """

    hidden: Annotated[tuple[Width, ...], Len(0, 16)] = (64, 32)
    rule: Literal["abcd", "none"] = "abcd"
    granularity: Granularity = "neuron"
    innate: Literal["evolved", "random"] = "evolved"
    innate_range: Annotated[float, Interval(ge=0, le=1e3)] = 0.1
    control_step_s: Annotated[float, Interval(gt=0, le=100)] = 0.02
    weight_bound: Annotated[float, Interval(gt=0, le=1e6)] = 4.0
    max_normalisation: bool = False


@dataclass
class HebbianState:
    """What changes in a life.

    The switch belongs to the experimenter: it is on at first, may be set at any time, acts together
    with `feedback.plastic`, and births do not touch it.

    Attributes:
        weights: (n, p) float32, all layers one after the other, each (post, pre) in C order.
        weights_plastic: (n,) bool, False freezes the weights.
    """

    weights: Float
    weights_plastic: NDArray[np.bool_]


class Hebbian:
    """A plastic rate network: y = tanh(W x + b), then Δw_ij = η (A x_j y_i + B x_j + C y_i + D).

    Parameters: `biases` (n, q) and `coefficients` (n, c), all layers one after the other, each
    block of coefficients (5, *coefficient_shape) for η (1/s), A, B, C, D; with innate "evolved"
    also `weights` (n, p).
    """

    hyperparameters: ClassVar[type] = HebbianHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: HebbianHyperparameters | None = None,
    ) -> None:
        self.kind = "hebbian"
        self.hyper = hyper or HebbianHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        self.sizes = np.array([observation_size, *self.hyper.hidden, action_size], np.int64)
        grain = self.hyper.granularity
        self._coefficient_shapes = np.array(
            [coefficient_shape(grain, post, pre) for post, pre in self._layers()], np.int64
        )
        self._inverse_scale = inverse_scale(input_scale, observation_size)
        self._genome = self._make_genome()

    @property
    def is_plastic(self) -> bool:
        """Whether weights change in life."""
        return self.hyper.rule != "none"

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector; weights and biases come first, coefficients after them."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into the named parameters of the class docstring."""
        genes = self._genome.split(genomes)
        wanted = {"weights": ("weight",), "biases": ("bias",), "coefficients": ABCD_NAMES}
        parameters = {}
        for name, endings in wanted.items():
            # The genome holds the layers, and within a layer η, A, B, C, D, in the kernel's order.
            blocks = [block for gene, block in genes.items() if gene.split(".")[1] in endings]
            flat = [block.reshape(block.shape[0], -1) for block in blocks]
            nothing = np.zeros((genomes.shape[0], 0), np.float32)
            parameters[name] = np.concatenate([nothing, *flat], axis=1)
        if self.hyper.innate == "random":
            del parameters["weights"]
        return parameters

    def new_state(self, n: int) -> HebbianState:
        """Allocate the state of `n` individuals, to be filled by `reset`."""
        size = sum(post * pre for post, pre in self._layers())
        return HebbianState(np.zeros((n, size), np.float32), np.ones(n, np.bool_))

    def reset(
        self,
        parameters: Parameters,
        state: HebbianState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives in the rows `ids`, with innate weights or weights drawn from `rngs`."""
        if self.hyper.innate == "random":
            reach = self.hyper.innate_range
            for row, rng in zip(ids, rngs, strict=True):
                state.weights[row] = rng.uniform(-reach, reach, state.weights.shape[1])
        else:
            state.weights[ids] = parameters["weights"][ids]
        if self.hyper.max_normalisation:
            for row in ids:
                for layer in range(len(self.sizes) - 1):
                    normalise_by_maximum(self.layer(state.weights[row : row + 1], layer)[0])

    def layer(self, weights: Float, layer: int) -> Float:
        """Return a view (n, post, pre) of one layer of `weights` (n, p)."""
        ends = np.cumsum([0, *(post * pre for post, pre in self._layers())])
        block = weights[:, ends[layer] : ends[layer + 1]]
        return block.reshape(weights.shape[0], *self._layers()[layer])

    def act(
        self, parameters: Parameters, state: HebbianState, observation: Float, feedback: Feedback
    ) -> Float:
        """Return actions (n, a) in [-1, 1] and change the weights; rows not alive get zero."""
        n = state.weights.shape[0]
        action = np.empty((n, self.action_size), np.float32)
        _act(
            read_observation(observation, n, self.observation_size),
            self._inverse_scale,
            feedback.alive,
            feedback.plastic & state.weights_plastic & (self.hyper.rule != "none"),
            state.weights,
            dense(parameters["biases"]),
            dense(parameters["coefficients"]),
            self.sizes,
            self._coefficient_shapes,
            np.float32(self.hyper.control_step_s),
            np.float32(self.hyper.weight_bound),
            self.hyper.max_normalisation,
            action,
        )
        return action

    def finish(self, state: HebbianState, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the last reward: the ABCD rule does not see rewards."""

    def traces(self, state: HebbianState) -> dict[str, Trace]:
        """Return what to plot: the weights of every layer."""
        n = len(state.weights)
        return {
            f"weights of layer {k}": Trace(
                self.layer(state.weights, k).reshape(n, -1), kind="weight"
            )
            for k in range(len(self._layers()))
        }

    def _layers(self) -> list[tuple[int, int]]:
        """Return (post, pre) of every layer."""
        return [(post, pre) for pre, post in pairwise(self.sizes.tolist())]

    def _make_genome(self) -> Genome:
        layers = self._layers()
        innate: list[Gene] = []
        rules: list[Gene] = []
        for k, (post, pre) in enumerate(layers):
            first, last = k == 0, k == len(layers) - 1
            gain, std = (0.5, QUIET) if last else (1.0, 1.0)
            genes = layer_genes(f"layer_{k}", post, pre, gain=gain, bias_scale=0.3, initial_std=std)
            innate += genes[1:] if self.hyper.innate == "random" else genes
            if self.hyper.rule == "abcd":
                activity = (
                    _TYPICAL_INPUT if first else _TYPICAL_RATE,
                    _TYPICAL_OUTPUT if last else _TYPICAL_RATE,
                )
                rules += abcd_genes(f"layer_{k}", self.hyper.granularity, genes, activity)
        return Genome((*innate, *rules))


@kernel
def _act(
    observation,
    inverse_scales,
    alive,
    weights_on,
    weights,
    biases,
    coefficients,
    sizes,
    coefficient_shapes,
    step_s,
    weight_bound,
    normalise,
    action,
):
    for row in prange(observation.shape[0]):
        if alive[row]:
            x = np.empty(sizes[0], np.float32)
            encode(observation[row], inverse_scales, x)
            start, bias_start, rule_start = 0, 0, 0
            for layer in range(sizes.shape[0] - 1):
                pre, post = sizes[layer], sizes[layer + 1]
                weight = weights[row, start : start + post * pre].reshape(post, pre)
                y = np.empty(post, np.float32)
                rate_layer(weight, biases[row, bias_start : bias_start + post], x, y)
                if weights_on[row]:
                    p, q = coefficient_shapes[layer, 0], coefficient_shapes[layer, 1]
                    rule = coefficients[row, rule_start : rule_start + 5 * p * q].reshape(5, p, q)
                    learn_abcd(weight, x, y, rule, step_s, weight_bound)
                    if normalise:
                        normalise_by_maximum(weight)
                    rule_start += 5 * p * q
                start += post * pre
                bias_start += post
                x = y
            action[row] = x
        else:
            action[row] = np.float32(0.0)
