"""What every brain offers: genes to search, arrays to live in, and one function to act.

An agent knows no optimiser, no environment and no file. The leading axis of every array is the
individual.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Parameters = dict[str, Float]


@dataclass
class Feedback:
    """What the world tells a brain beside the observation; every array has shape (n,).

    Attributes:
        reward: float32, the reward of the step before; 0 on the first step of a life.
        trial_end: bool, the step before ended a trial.
        context: int64, the trial's type, where a task has one, else 0.
        plastic: bool, False freezes everything that learns in life.
        explore: bool, exploration noise is on.
        alive: bool, False leaves the row's state untouched and its action zero.
    """

    reward: Float
    trial_end: NDArray[np.bool_]
    context: NDArray[np.int64]
    plastic: NDArray[np.bool_]
    explore: NDArray[np.bool_]
    alive: NDArray[np.bool_]

    @classmethod
    def first(cls, n: int) -> "Feedback":
        """Return the feedback of the first step of `n` lives: no reward yet, all switches on."""
        return cls(
            reward=np.zeros(n, np.float32),
            trial_end=np.zeros(n, np.bool_),
            context=np.zeros(n, np.int64),
            plastic=np.ones(n, np.bool_),
            explore=np.ones(n, np.bool_),
            alive=np.ones(n, np.bool_),
        )


@dataclass(frozen=True)
class Gene:
    """One named block of the genome.

    Attributes:
        name: the parameter it becomes, such as "hidden.weight".
        shape: its shape for one individual.
        scale: the size of one unit of search in the parameter's own unit.
        initial_std: standard deviation of the first genome, in units of search.
        initial_mean: mean of the first genome, in units of search.
    """

    name: str
    shape: tuple[int, ...]
    scale: float = 1.0
    initial_std: float = 0.0
    initial_mean: float = 0.0

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=int))


@dataclass(frozen=True)
class Genome:
    """The layout of the flat vector that a learner searches: genes in a fixed order."""

    genes: tuple[Gene, ...]

    @property
    def size(self) -> int:
        """Length g of the vector."""
        return sum(gene.size for gene in self.genes)

    def initial(self, rng: np.random.Generator) -> Float:
        """Draw the first genome, shape (g,), in units of search."""
        parts = [
            gene.initial_mean + gene.initial_std * rng.standard_normal(gene.size)
            for gene in self.genes
        ]
        return np.concatenate(parts).astype(np.float32)

    def split(self, genomes: NDArray[Any]) -> Parameters:
        """Cut genomes (n, g) into parameters {name: (n, *shape)} in their own units."""
        if genomes.ndim != 2 or genomes.shape[1] != self.size:
            raise ValueError(f"expected genomes of shape (n, {self.size}), got {genomes.shape}")
        parameters, start = {}, 0
        for gene in self.genes:
            block = genomes[:, start : start + gene.size].astype(np.float32)
            parameters[gene.name] = (block * np.float32(gene.scale)).reshape(-1, *gene.shape)
            start += gene.size
        return parameters


class Trace(NamedTuple):
    """What is worth plotting of a brain at one moment.

    Attributes:
        values: (n, k), k the same at all times; may be a view, whoever keeps it copies it.
        unit: "1" for none.
        kind: "weight" is plotted as change, "level" as it is; an "event" comes in single control
            steps, is zero between them, and is never missed between two pictures.
    """

    values: NDArray[Any]
    unit: str = "1"
    kind: Literal["weight", "level", "event"] = "level"


class Spikes(NamedTuple):
    """How much a brain spikes at one moment; both (n,), float64.

    Attributes:
        per_s: spikes of its units, 1/s; neurons that only encode observations are not counted.
        operations_per_s: synaptic operations, 1/s, as neuromorphic hardware counts them: a spike
            costs one for every synapse that it reaches, a synapse that is driven by a graded value
            one in every control step. Learning is not counted.
    """

    per_s: NDArray[np.float64]
    operations_per_s: NDArray[np.float64]


class Agent(Protocol):
    """A brain. `state` is the agent's own dataclass of arrays, made by `new_state`."""

    kind: str
    observation_size: int
    action_size: int

    @property
    def is_plastic(self) -> bool:
        """Whether anything learns in life; what does not has no frozen twin."""
        ...

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector that learners search."""
        ...

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into named parameters with the individuals as leading axis."""
        ...

    def new_state(self, n: int) -> Any:
        """Allocate the state of `n` individuals."""
        ...

    def reset(
        self,
        parameters: Parameters,
        state: Any,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives in the rows `ids`; `rngs` holds one stream for each of them."""
        ...

    def act(
        self, parameters: Parameters, state: Any, observation: Float, feedback: Feedback
    ) -> Float:
        """Return actions (n, a) in [-1, 1] for observations (n, o); updates `state` in place."""
        ...

    def finish(self, state: Any, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the reward of the last step of the lives in the rows `ids`."""
        ...


def traces_of(agent: Agent, state: Any) -> dict[str, Trace]:
    """Return what `agent` declares of `state` by name, for `robolearn record --brain`.

    That is its method `traces(state)`, which a kind may leave out: then nothing.
    """
    declared = getattr(agent, "traces", None)
    return {} if declared is None else declared(state)


def learned_of(agent: Agent, state: Any) -> dict[str, NDArray[np.float32]] | None:
    """Return the live arrays (n, ...) of `state` that learning in life changes, by name.

    Writing to them sets what was learned. That is the agent's method `learned(state)`, which a kind
    may leave out: then None.
    """
    declared = getattr(agent, "learned", None)
    return None if declared is None else declared(state)


def graded_operations_of(agent: Agent) -> int:
    """Return the synaptic operations of a brain without spikes in a control step.

    That is its attribute `graded_operations`, which a kind may leave out whose synapses are the
    genes named "...weight", each driven once in a control step.
    """
    stated = getattr(agent, "graded_operations", None)
    if stated is not None:
        return stated
    return sum(gene.size for gene in agent.genome.genes if gene.name.endswith("weight"))


def spikes_of(agent: Agent, state: Any) -> Spikes | None:
    """Return how much `agent` spikes; None for a brain without spikes.

    That is its method `spikes(state)`, which a kind without spikes leaves out.
    """
    counted = getattr(agent, "spikes", None)
    return None if counted is None else counted(state)


def learns_by_trial(agent: Agent) -> bool:
    """Return whether an agent learns when a trial ends, and so never in a life without trials.

    That is its attribute `learns_by_trial`, which a kind may leave out that does not.
    """
    return getattr(agent, "learns_by_trial", False)
