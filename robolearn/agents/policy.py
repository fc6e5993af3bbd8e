"""The actor of PPO, SAC and TD3 as a brain: normaliser and layers of stable-baselines3's networks.

It acts as `predict(deterministic=True)` does, without torch and without noise.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval, Len
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.genes import network_genes
from robolearn.agents.inputs import dense, inverse_scale, read_observation
from robolearn.agents.mlp import join_layers
from robolearn.agents.policy_kernel import act_feed_forward
from robolearn.agents.protocol import Feedback, Float, Gene, Genome, Parameters
from robolearn.agents.reflex import Reflex

Width = Annotated[int, Interval(ge=1, le=4096)]
Hidden = Annotated[tuple[Width, ...], Len(0, 16)]
Activation = Literal["tanh", "relu"]


@dataclass(frozen=True)
class PolicyHyperparameters:
    """What one chooses before training.

    Attributes:
        hidden: units of the hidden layers, from input to output.
        activation: of the hidden units, tanh or relu.
        output: how sums become actions in [-1, 1]: clip (PPO) or tanh (SAC, TD3).
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
    """

    hidden: Hidden = (64, 64)
    activation: Activation = "tanh"
    output: Literal["clip", "tanh"] = "clip"
    reflex: Reflex = ()


@dataclass
class PolicyState:
    """A feed-forward actor remembers nothing: no arrays."""


class Policy:
    """A feed-forward actor.

    Parameters: `mean` and `inverse_std` (n, o) of the observation over its scale, `weights` (n, p)
    and `biases` (n, q), all layers one after the other.
    """

    hyperparameters: ClassVar[type] = PolicyHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: PolicyHyperparameters | None = None,
    ) -> None:
        self.kind = "policy"
        self.hyper = hyper or PolicyHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        self._sizes = np.array([observation_size, *self.hyper.hidden, action_size], np.int64)
        self._inverse_scale = inverse_scale(input_scale, observation_size)
        self._genome = Genome((*normaliser_genes(observation_size), *network_genes(self._sizes)))

    @property
    def is_plastic(self) -> bool:
        """Nothing learns in life."""
        return False

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector that holds a whole actor."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into the parameters of the class docstring."""
        genes = self._genome.split(genomes)
        return {**express_normaliser(genes), **join_layers(genes)}

    def new_state(self, n: int) -> PolicyState:
        """Allocate the state of `n` individuals: none."""
        del n
        return PolicyState()

    def reset(
        self,
        parameters: Parameters,
        state: PolicyState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives: nothing to do."""

    def act(
        self, parameters: Parameters, state: PolicyState, observation: Float, feedback: Feedback
    ) -> Float:
        """Return actions (n, a) in [-1, 1]; rows that are not alive get zero."""
        del state
        n = parameters["weights"].shape[0]
        action = np.empty((n, self.action_size), np.float32)
        act_feed_forward(
            read_observation(observation, n, self.observation_size),
            self._inverse_scale,
            feedback.alive,
            dense(parameters["mean"]),
            dense(parameters["inverse_std"]),
            dense(parameters["weights"]),
            dense(parameters["biases"]),
            self._sizes,
            self.hyper.activation == "relu",
            self.hyper.output == "clip",
            action,
        )
        return action

    def finish(self, state: PolicyState, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the last reward: a static actor has no use for it."""


def normaliser_genes(size: int) -> tuple[Gene, Gene]:
    """Return mean and log standard deviation (size,) of inputs over their typical magnitude."""
    return (
        Gene("normaliser.mean", (size,), scale=0.1),
        Gene("normaliser.log_std", (size,), scale=0.1),
    )


def express_normaliser(genes: Parameters) -> Parameters:
    """Turn the genes of `normaliser_genes` into `mean` and `inverse_std`."""
    return {"mean": genes["normaliser.mean"], "inverse_std": np.exp(-genes["normaliser.log_std"])}
