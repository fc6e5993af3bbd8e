"""What a task is: array functions over a Simulation, with declared observations and rewards."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.shifts import Interface
from robolearn.simulation import Ids, Simulation

Division = Literal["legs", "sides"]  # of a body, for brains with one module each


@dataclass(frozen=True)
class ObservationSlice:
    """A named part of the observation.

    Attributes:
        name: such as "joint_angle".
        size: number of elements.
        unit: SI unit, "1" for none.
        scale: a typical magnitude in that unit; brains divide by it.
        sources: MJCF names of the elements, one for each, or one for all.
        is_event: whether the elements may stay constant over an episode.
    """

    name: str
    size: int
    unit: str
    scale: float
    sources: tuple[str, ...]
    is_event: bool = False


def gait_clock(frequency_hz: float | None) -> tuple[ObservationSlice, ...]:
    """Return the slice of a gait clock, sin and cos of 2πft; none without a frequency."""
    if frequency_hz is None:
        return ()
    return (ObservationSlice("clock", 2, "1", 0.3, ("sin 2πft", "cos 2πft")),)


def clock_at(
    time_s: NDArray[np.floating], frequency_hz: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return what a gait clock shows at `time_s` (n,): sin and cos of 2πft, (n,) each."""
    phase = 2 * np.pi * frequency_hz * time_s
    return np.sin(phase), np.cos(phase)


class Task:
    """Reset, observe, reward and end for all individuals of one Simulation.

    Args:
        simulation: the individuals.
        rewards: weight of every reward term, by name.
        parameters: the task's own, from `env.yaml` and the caller.

    Attributes:
        arrays: parameters that shifts may change for each individual, by name, (n, ...); written by
            the task in its constructor and in `reset` alone, and read in every step.
    """

    name: ClassVar[str]
    reward_names: ClassVar[tuple[str, ...]]
    # terms that `env.yaml` may leave out, where a body has nothing of the kind
    optional_rewards: ClassVar[frozenset[str]] = frozenset()
    # terms that keep their value when an individual diverged; all others become zero
    terminal_terms: ClassVar[tuple[str, ...]] = ()
    observation_dtype: ClassVar[type] = np.float32
    parameters_type: ClassVar[type]
    # what `performance` returns and adaptation measures, and its unit
    performance_name: ClassVar[str] = "forward speed"
    performance_unit: ClassVar[str] = "m/s"
    # whether a life may be of trials, whose ends `info["trial_end"]` tells
    has_trials: ClassVar[bool] = False
    # what `info["trial_score"]` of a task with trials is, told when `info["trial_end"]` is
    trial_score_name: ClassVar[str] = ""
    # under `configs/protocols/`, what an agent of this task is judged by unless another is named;
    # empty where nothing of the kind fits
    protocol: ClassVar[str] = "adaptation"
    # control steps of the longest trial; 0 where a life has no trials
    trial_steps: int = 0
    observation_slices: tuple[ObservationSlice, ...]

    def __init__(self, simulation: Simulation, rewards: dict[str, float], parameters: Any):
        self.simulation = simulation
        self.rewards = rewards
        self.parameters = parameters
        self.arrays: dict[str, NDArray] = {}
        if simulation.world.terrain is not None:
            self.arrays["terrain"] = np.full(simulation.n, -1)  # flat

    @property
    def observation_size(self) -> int:
        """Number of elements o of an observation."""
        return sum(part.size for part in self.observation_slices)

    @property
    def observation_scale(self) -> NDArray[np.float32]:
        """The typical magnitude of every element, shape (o,)."""
        return np.concatenate(
            [np.full(part.size, part.scale, np.float32) for part in self.observation_slices]
        )

    @property
    def interface(self) -> Interface:
        """What shifts of the senses and of the task may address."""
        slices, start = {}, 0
        for part in self.observation_slices:
            slices[part.name] = slice(start, start + part.size)
            start += part.size
        return Interface(slices, self.observation_scale, self.action_size, self.arrays)

    @property
    def action_size(self) -> int:
        """Number of elements a of an action, each in [-1, 1]."""
        return self.simulation.model.nu

    def reset(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Start new lives in the rows `ids`, each drawing from its own stream."""
        raise NotImplementedError

    def control(self, action: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the motor commands (n, nu) for actions (n, a)."""
        return action

    def before_step(self) -> None:
        """Note what must be known of the state before the physics advances."""

    def observe(self) -> NDArray[np.floating]:
        """Return a new array of observations (n, o)."""
        raise NotImplementedError

    def reward_terms(self, action: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        """Return every term, unweighted, as a new array (n,)."""
        raise NotImplementedError

    def terminated(self) -> NDArray[np.bool_]:
        """Return whose life has ended by the task's rule, (n,)."""
        raise NotImplementedError

    def performance(self) -> NDArray[np.floating]:
        """Return how well the last step went, (n,), in `performance_unit`."""
        raise NotImplementedError

    def completed(self) -> NDArray[np.bool_]:
        """Return whose life has its full length by the task's own count, such as of trials, (n,).

        Such a life is truncated, not terminated.
        """
        return np.zeros(self.simulation.n, np.bool_)

    def after_step(self, ids: Ids | None) -> None:
        """Begin what follows in the lives of `ids` (None: all), such as the next trial of a series.

        Called once the step has been judged, before it is observed.
        """

    def modules(self, division: Division) -> dict[str, NDArray]:
        """Return how observation and action divide into legs or sides, as in `agents.modular`.

        Raises:
            UserError: the task does not tell its observations leg by leg.
        """
        raise UserError(
            f"agent.modules = {division!r}: {self.simulation.world.name} is no body that its task "
            f"divides into {division}"
        )

    def info(self) -> dict[str, NDArray]:
        """Return further arrays (n,) for `info`."""
        return {}

    def over_ground(self) -> NDArray[np.float64]:
        """Return the heights (n,) in m of free roots, qpos[2], over the ground around them."""
        qpos = self.simulation.qpos
        fields = self.simulation.world.terrain
        if fields is None or (self.arrays["terrain"] < 0).all():
            return qpos[:, 2]
        return qpos[:, 2] - fields.height(self.arrays["terrain"], qpos[:, 0], qpos[:, 1])

    def weighted_terms(
        self, action: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], dict[str, NDArray[np.floating]]]:
        """Return the total reward (n,) and the weighted terms it is the exact sum of, in order."""
        terms = self.reward_terms(action)
        unstable = self.simulation.unstable
        if unstable.any():
            for name, term in terms.items():
                if name not in self.terminal_terms:
                    term[unstable] = 0
        weighted = {name: self.rewards[name] * term for name, term in terms.items()}
        total = np.zeros(self.simulation.n)
        for term in weighted.values():
            total += term
        return total, weighted
