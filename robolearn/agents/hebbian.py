"""The Hebbian network: tanh layers whose every synapse follows the ABCD rule in life.

Sources: Najarro & Risi 2020 (NeurIPS), who evolve one set of coefficients a synapse and draw the
weights at random at birth; that is granularity "synapse" with innate "random". Dittrich et al. 2026
(Hebbian Attractor Networks), who normalise layers, average activities and update more rarely.
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
    Coefficients,
    RuleGranularity,
    abcd_genes,
    coefficient_shape,
    expand,
    layer_genes,
)
from robolearn.agents.inputs import dense, inverse_scale, read_observation
from robolearn.agents.protocol import Feedback, Float, Gene, Genome, Parameters, Trace
from robolearn.agents.reflex import Reflex
from robolearn.neurons.compilation import kernel
from robolearn.neurons.encoder import encode
from robolearn.neurons.rate import rate_layer
from robolearn.plasticity.abcd import learn_abcd
from robolearn.plasticity.forgetting import forget, forgotten_share
from robolearn.plasticity.max_normalisation import normalise_by_maximum
from robolearn.plasticity.moving_average import moving_average

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
        granularity: whether coefficients belong to a synapse, a postsynaptic neuron or a layer, or
            to a synapse as elements of a product of two matrices of low rank.
        rank: of that product.
        rule_speed: how fast one unit of search of a coefficient changes a weight, in units of
            search of the weight, 1/s.
        update_every: control steps between two changes of the weights.
        window: control steps over which the rule averages activities.
        innate: where first weights come from: the genome, or U(±innate_range) at every birth.
        innate_range: half width of the random first weights.
        control_step_s: control step of the body, s.
        weight_bound: plastic weights stay within ± this.
        forget_tau_s: time constant with which they go back to those of birth, s
            (`plasticity.forgetting`); None for never.
        max_normalisation: divide a layer by its largest |w|, at birth and after every change.
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
    """

    hidden: Annotated[tuple[Width, ...], Len(0, 16)] = (64, 32)
    rule: Literal["abcd", "none"] = "abcd"
    granularity: RuleGranularity = "neuron"
    rank: Annotated[int, Interval(ge=1, le=4096)] = 1
    rule_speed: Annotated[float, Interval(gt=0, le=1e6)] = 0.1
    update_every: Annotated[int, Interval(ge=1, le=10_000)] = 1
    window: Annotated[int, Interval(ge=1, le=10_000)] = 1
    innate: Literal["evolved", "random"] = "evolved"
    innate_range: Annotated[float, Interval(ge=0, le=1e3)] = 0.1
    control_step_s: Annotated[float, Interval(gt=0, le=100)] = 0.02
    weight_bound: Annotated[float, Interval(gt=0, le=1e6)] = 4.0
    forget_tau_s: Annotated[float, Interval(gt=0, le=100)] | None = None
    max_normalisation: bool = False
    reflex: Reflex = ()


@dataclass
class HebbianState:
    """What changes in a life.

    The switch belongs to the experimenter: it is on at first, may be set at any time, acts together
    with `feedback.plastic`, and births do not touch it. Activities go on being
    remembered while weights are frozen.

    Attributes:
        weights: (n, p) float32, all layers one after the other, each (post, pre) in C order.
        activity: (n, window, u) float32, of all units from the inputs to the outputs in the last
            control steps; step t of the life is in row t mod window.
        steps: (n,) int64, control steps lived.
        birth: (n, p) float32, the weights of birth.
        weights_plastic: (n,) bool, False freezes the weights.
    """

    weights: Float
    birth: Float
    activity: Float
    steps: NDArray[np.int64]
    weights_plastic: NDArray[np.bool_]


class Hebbian:
    """A plastic rate network: y = tanh(W x + b), then Δw_ij = η (A x̄_j ȳ_i + B x̄_j + C ȳ_i + D).

    x̄ and ȳ are means of the last `window` control steps. Weights change at the end of every
    `update_every`-th control step, for the whole time since the last change.

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
    def graded_operations(self) -> int:
        """Synapses, each driven once in a control step, be their weights genes or not."""
        return sum(post * pre for post, pre in self._layers())

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector; weights and biases come first, coefficients after them."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into the named parameters of the class docstring."""
        genes = self._genome.split(genomes)
        layers = [f"layer_{k}" for k in range(len(self._layers()))]
        rule = ABCD_NAMES if self.is_plastic else ()
        blocks = {
            "biases": [genes[f"{layer}.bias"] for layer in layers],
            "coefficients": [expand(genes, f"{layer}.{name}") for layer in layers for name in rule],
        }
        if self.hyper.innate == "evolved":
            blocks["weights"] = [genes[f"{layer}.weight"] for layer in layers]
        nothing = np.zeros((genomes.shape[0], 0), np.float32)
        return {
            name: np.concatenate([nothing, *(b.reshape(len(b), -1) for b in parts)], axis=1)
            for name, parts in blocks.items()
        }

    def new_state(self, n: int) -> HebbianState:
        """Allocate the state of `n` individuals, to be filled by `reset`."""
        size = sum(post * pre for post, pre in self._layers())
        return HebbianState(
            weights=np.zeros((n, size), np.float32),
            birth=np.zeros((n, size), np.float32),
            activity=np.zeros((n, self.hyper.window, int(self.sizes.sum())), np.float32),
            steps=np.zeros(n, np.int64),
            weights_plastic=np.ones(n, np.bool_),
        )

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
        state.activity[ids] = 0.0
        state.steps[ids] = 0
        if self.hyper.max_normalisation:
            for row in ids:
                for layer in range(len(self.sizes) - 1):
                    normalise_by_maximum(self.layer(state.weights[row : row + 1], layer)[0])
        state.birth[ids] = state.weights[ids]

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
        update_s = self.hyper.update_every * self.hyper.control_step_s
        _act(
            read_observation(observation, n, self.observation_size),
            self._inverse_scale,
            feedback.alive,
            feedback.plastic & state.weights_plastic & (self.hyper.rule != "none"),
            state.weights,
            state.birth,
            state.activity,
            state.steps,
            dense(parameters["biases"]),
            dense(parameters["coefficients"]),
            self.sizes,
            self._coefficient_shapes,
            self.hyper.update_every,
            np.float32(update_s),
            np.float32(self.hyper.weight_bound),
            forgotten_share(update_s, self.hyper.forget_tau_s),
            self.hyper.max_normalisation,
            action,
        )
        return action

    def finish(self, state: HebbianState, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the last reward: the ABCD rule does not see rewards."""

    def learned(self, state: HebbianState) -> dict[str, Float]:
        """Return the live weights of all layers."""
        return {"weights": state.weights}

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
        layers, hyper = self._layers(), self.hyper
        layout = Coefficients(hyper.granularity, hyper.rank, hyper.rule_speed)
        innate: list[Gene] = []
        rules: list[Gene] = []
        for k, (post, pre) in enumerate(layers):
            first, last = k == 0, k == len(layers) - 1
            gain, std = (0.5, QUIET) if last else (1.0, 1.0)
            genes = layer_genes(f"layer_{k}", post, pre, gain=gain, bias_scale=0.3, initial_std=std)
            innate += genes[1:] if hyper.innate == "random" else genes
            if hyper.rule == "abcd":
                activity = (
                    _TYPICAL_INPUT if first else _TYPICAL_RATE,
                    _TYPICAL_OUTPUT if last else _TYPICAL_RATE,
                )
                rules += abcd_genes(f"layer_{k}", layout, genes, activity)
        return Genome((*innate, *rules))


@kernel
def _act(
    observation,
    inverse_scales,
    alive,
    weights_on,
    weights,
    birth,
    activity,
    steps,
    biases,
    coefficients,
    sizes,
    coefficient_shapes,
    update_every,
    update_s,
    weight_bound,
    forgotten,
    normalise,
    action,
):
    for row in prange(observation.shape[0]):
        if alive[row]:
            units = activity[row, steps[row] % activity.shape[1]]
            encode(observation[row], inverse_scales, units[: sizes[0]])
            start, below = 0, 0
            for layer in range(sizes.shape[0] - 1):
                pre, post = sizes[layer], sizes[layer + 1]
                above = below + pre
                weight = weights[row, start : start + post * pre].reshape(post, pre)
                bias = biases[row, above - sizes[0] : above - sizes[0] + post]
                rate_layer(weight, bias, units[below:above], units[above : above + post])
                start, below = start + post * pre, above
            action[row] = units[below:]
            steps[row] += 1
            if weights_on[row] and steps[row] % update_every == 0:
                mean = np.empty(units.shape[0], np.float32)
                moving_average(activity[row], steps[row], mean)
                start, below, rule_start = 0, 0, 0
                for layer in range(sizes.shape[0] - 1):
                    pre, post = sizes[layer], sizes[layer + 1]
                    above = below + pre
                    weight = weights[row, start : start + post * pre].reshape(post, pre)
                    p, q = coefficient_shapes[layer, 0], coefficient_shapes[layer, 1]
                    rule = coefficients[row, rule_start : rule_start + 5 * p * q].reshape(5, p, q)
                    x, y = mean[below:above], mean[above : above + post]
                    learn_abcd(weight, x, y, rule, update_s, weight_bound)
                    if forgotten > 0:
                        born = birth[row, start : start + post * pre].reshape(post, pre)
                        forget(weight, born, forgotten)
                    if normalise:
                        normalise_by_maximum(weight)
                    start, below, rule_start = start + post * pre, above, rule_start + 5 * p * q
        else:
            action[row] = np.float32(0.0)
