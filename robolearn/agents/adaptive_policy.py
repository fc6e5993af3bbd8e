"""The brain that RMA trains: a policy that acts on what it believes about its body.

Kumar, Fu, Pathak & Malik 2021, "RMA: Rapid Motor Adaptation for Legged Robots": a base policy gets
a latent of the body beside its observation; in life an adaptation module estimates that latent from
what the last steps brought.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.genes import QUIET, network_genes
from robolearn.agents.inputs import dense, inverse_scale, read_observation
from robolearn.agents.mlp import join_layers
from robolearn.agents.policy import (
    Activation,
    Hidden,
    Width,
    express_normaliser,
    normaliser_genes,
)
from robolearn.agents.policy_kernel import act_adaptive
from robolearn.agents.protocol import Feedback, Float, Gene, Genome, Parameters, Trace
from robolearn.agents.reflex import Reflex

# The paper's: 50 control steps, and (span, stride) in steps of its three layers of filters.
HISTORY = 50
FILTERS = ((8, 4), (5, 1), (5, 1))


def filtered_steps() -> int:
    """Return how many of the HISTORY steps are left behind the last layer of filters."""
    steps = HISTORY
    for span, stride in FILTERS:
        steps = (steps - span) // stride + 1
    return steps


@dataclass(frozen=True)
class AdaptivePolicyHyperparameters:
    """What one chooses before training.

    Attributes:
        latent: numbers in which the brain describes its body to itself.
        channels: units of the adaptation module's layers, for each step of the history.
        hidden: units of the policy's hidden layers.
        activation: of the policy's hidden units, tanh or relu.
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
    """

    latent: Width = 8
    channels: Width = 32
    hidden: Hidden = (64, 64)
    activation: Activation = "tanh"
    reflex: Reflex = ()


@dataclass
class AdaptivePolicyState:
    """What the brain remembers, float32.

    Attributes:
        history: (n, 50, c), the embedded inputs of the last steps, the newest last.
        latent: (n, z), what it believes about its body, in [-1, 1].
        last_action: (n, a), the action of the step before, 0 at birth.
    """

    history: Float
    latent: Float
    last_action: Float


class AdaptivePolicy:
    """A policy on an estimated latent of the body.

    With u = [observation / scale, reward, last action], normalised, and e_t = relu(E u_t + b):
        z = tanh(L · filters(e_{t-49} ... e_t)), three layers of temporal filters with relu
        action = clip(layers([u, z]))
    Before birth u is 0, the mean.

    Parameters: `mean` and `inverse_std` (n, u), `adaptation.embedding.weight` (n, c, u),
    `adaptation.filters_<i>.weight` (n, span, c, c) from older to newer and from input to output,
    `adaptation.latent.weight` (n, z, steps · c), biases, `weights` (n, p), `biases` (n, q).
    """

    hyperparameters: ClassVar[type] = AdaptivePolicyHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: AdaptivePolicyHyperparameters | None = None,
    ) -> None:
        self.kind = "adaptive_policy"
        self.hyper = hyper or AdaptivePolicyHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        inputs, latent = observation_size + 1 + action_size, self.hyper.latent
        self._sizes = np.array([inputs + latent, *self.hyper.hidden, action_size], np.int64)
        self._strides = np.array([stride for _, stride in FILTERS], np.int64)
        self._inverse_scale = np.ones(inputs, np.float32)
        self._inverse_scale[:observation_size] = inverse_scale(input_scale, observation_size)
        self._genome = Genome(
            (
                *normaliser_genes(inputs),
                *_adaptation_genes(inputs, self.hyper.channels, latent),
                *network_genes(self._sizes),
            )
        )

    @property
    def is_plastic(self) -> bool:
        """Nothing learns in life: what it finds out is activity."""
        return False

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector that holds a whole brain."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into the parameters of the class docstring."""
        genes = self._genome.split(genomes)
        module = {name: gene for name, gene in genes.items() if name.startswith("adaptation.")}
        layers = {name: gene for name, gene in genes.items() if name.startswith("layer_")}
        return {**express_normaliser(genes), **module, **join_layers(layers)}

    def new_state(self, n: int) -> AdaptivePolicyState:
        """Allocate the state of `n` individuals."""
        return AdaptivePolicyState(
            history=np.zeros((n, HISTORY, self.hyper.channels), np.float32),
            latent=np.zeros((n, self.hyper.latent), np.float32),
            last_action=np.zeros((n, self.action_size), np.float32),
        )

    def reset(
        self,
        parameters: Parameters,
        state: AdaptivePolicyState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives in the rows `ids`, after 50 steps in which nothing happened."""
        del rngs
        nothing = np.maximum(parameters["adaptation.embedding.bias"][ids], 0.0)  # (k, c)
        state.history[ids] = nothing[:, None]
        state.latent[ids] = 0.0
        state.last_action[ids] = 0.0

    def act(
        self,
        parameters: Parameters,
        state: AdaptivePolicyState,
        observation: Float,
        feedback: Feedback,
    ) -> Float:
        """Return actions (n, a) in [-1, 1] and advance `state`; rows not alive get zero."""
        n = state.history.shape[0]
        action = np.empty((n, self.action_size), np.float32)
        act_adaptive(
            read_observation(observation, n, self.observation_size),
            dense(feedback.reward),
            self._inverse_scale,
            feedback.alive,
            dense(parameters["mean"]),
            dense(parameters["inverse_std"]),
            *_layer(parameters, "embedding"),
            *_layer(parameters, "filters_0"),
            *_layer(parameters, "filters_1"),
            *_layer(parameters, "filters_2"),
            self._strides,
            *_layer(parameters, "latent"),
            dense(parameters["weights"]),
            dense(parameters["biases"]),
            self._sizes,
            self.hyper.activation == "relu",
            state.history,
            state.latent,
            state.last_action,
            action,
        )
        return action

    def finish(
        self, state: AdaptivePolicyState, feedback: Feedback, ids: NDArray[np.int64]
    ) -> None:
        """Hand over the last reward: a life that has ended has no use for it."""

    def traces(self, state: AdaptivePolicyState) -> dict[str, Trace]:
        """Return what to plot: what it believes about its body."""
        return {"latent": Trace(state.latent)}


def _layer(parameters: Parameters, name: str) -> tuple[Float, Float]:
    """Return weight and bias of a layer of the adaptation module."""
    weight, bias = (parameters[f"adaptation.{name}.{what}"] for what in ("weight", "bias"))
    return dense(weight), dense(bias)


def _adaptation_genes(inputs: int, channels: int, latent: int) -> tuple[Gene, ...]:
    """Return the genes of the adaptation module, from its input to the latent."""
    shapes: dict[str, tuple[int, ...]] = {"embedding": (channels, inputs)}
    shapes |= {f"filters_{i}": (span, channels, channels) for i, (span, _) in enumerate(FILTERS)}
    shapes["latent"] = (latent, filtered_steps() * channels)
    genes = []
    for name, shape in shapes.items():
        fan_in = shape[0] * shape[1] if name.startswith("filters") else shape[1]
        post = shape[-1] if name.startswith("filters") else shape[0]
        std = QUIET if name == "latent" else 1.0
        genes += [
            Gene(f"adaptation.{name}.weight", shape, scale=fan_in**-0.5, initial_std=std),
            Gene(f"adaptation.{name}.bias", (post,), scale=0.3),
        ]
    return tuple(genes)
