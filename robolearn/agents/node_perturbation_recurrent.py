"""A recurrent rate network that learns from the reward of whole trials while it lives.

Source: Miconi 2017 (eLife, "Biologically plausible learning in recurrent neural networks reproduces
neural dynamics observed during cognitive tasks"); the traces and the update are those of
`plasticity.recurrent_node_perturbation` and `plasticity.eligibility`.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.inputs import check_contexts, dense, inverse_scale, read_observation
from robolearn.agents.node_perturbation_recurrent_kernel import (
    BIAS,
    Constants,
    act_recurrent,
    end_trials,
)
from robolearn.agents.protocol import Feedback, Float, Gene, Genome, Parameters, Trace
from robolearn.agents.reflex import Reflex
from robolearn.errors import UserError
from robolearn.neurons.noise import draw_keys

# Rewards beyond this say no more than that they are huge.
_ERROR_LIMIT = 1e6
# Standard deviation of the activity with which a trial begins.
_INITIAL = 0.1

Seconds = Annotated[float, Interval(gt=0, le=100)]


@dataclass(frozen=True)
class RecurrentHyperparameters:
    """What one chooses before a life.

    Attributes:
        units: N of the network: one for each action, three of constant activity, all others inner.
        substeps: steps of the network in a control step.
        control_step_s: control step of the body, s.
        tau_s: τ of a unit, s.
        recurrent_gain: g, standard deviation of the first recurrent weights times √N.
        input_gain: half width of the uniform input weights.
        readout_gain: factor on first weights into the units that act, so that they act gently.
        trace: what a synapse keeps of a perturbation: "perturbation", e += ξ_i r_j with the
            perturbation itself; "cubed", e += (Δx_i r_j)³ with the unit's deviation from its mean.
        plastic: which weights learn: "all" recurrent ones, "readout": only those into the units
            that act (a control), or "none". Units whose weights do not learn are not perturbed.
        perturbation_hz: how often a unit is perturbed, 1/s.
        perturbation: half width of the uniform perturbations of τ dx/dt.
        mean_keep: share of the mean activity that is kept in a step of the network, for "cubed".
        learning_rate: η, weight / (error² · trace).
        change_limit: bound on the change of a weight in a trial.
        warm_up_trials: first trials, which only settle the expected errors.
        trial_types: how many kinds of trials have expected errors of their own; `context` tells
            the kind.
        reset_each_trial: whether activity begins every trial as it began the first.
        clear_at_s: time of a trial at which activity is put back to that of its beginning (a
            control: nothing is remembered), s; 0 for never.
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
    """

    units: Annotated[int, Interval(ge=5, le=4096)] = 200
    substeps: Annotated[int, Interval(ge=1, le=256)] = 1
    control_step_s: Seconds = 0.02
    tau_s: Seconds = 0.06
    recurrent_gain: Annotated[float, Interval(ge=0, le=100)] = 1.8
    input_gain: Annotated[float, Interval(ge=0, le=100)] = 1.4
    readout_gain: Annotated[float, Interval(ge=0, le=100)] = 1.0
    trace: Literal["perturbation", "cubed"] = "perturbation"
    plastic: Literal["all", "readout", "none"] = "all"
    perturbation_hz: Annotated[float, Interval(ge=0, le=1e5)] = 20.0
    perturbation: Annotated[float, Interval(ge=0, le=1000)] = 0.6
    mean_keep: Annotated[float, Interval(ge=0, lt=1)] = 0.05
    learning_rate: Annotated[float, Interval(ge=0, le=1e6)] = 10.0
    change_limit: Annotated[float, Interval(ge=0, le=100)] = 1.5e-4
    warm_up_trials: Annotated[int, Interval(ge=0, le=10**6)] = 100
    trial_types: Annotated[int, Interval(ge=1, le=4096)] = 4
    reset_each_trial: bool = True
    clear_at_s: Annotated[float, Interval(ge=0, le=1000)] = 0.0
    reflex: Reflex = ()


@dataclass
class RecurrentState:
    """All that changes in a life; float32 unless it counts, leading axis = individuals.

    The switch belongs to the experimenter: it is on at first, may be set at any time, acts together
    with `feedback.plastic`, and births do not touch it.

    Attributes:
        recurrent_weight: (n, N, N), J.
        input_weight: (n, N, o), drawn at birth and fixed.
        initial: (n, N), x at the beginning of a trial.
        potential: (n, N), x.
        mean_potential: (n, N), x̄.
        eligibility: (n, N, N), e of the present trial.
        mean_error: (n, types), expected error of each type of trial.
        trial_error: (n,), minus the reward of the present trial so far.
        trials: (n,) int64, trials that have ended.
        trial_steps: (n,) int64, control steps of the present trial so far.
        noise_steps: (n,) int64, network steps lived.
        noise_key: (n,) uint64, of the perturbations.
        weights_plastic: (n,) bool, False freezes J, traces and expected errors.
    """

    recurrent_weight: Float
    input_weight: Float
    initial: Float
    potential: Float
    mean_potential: Float
    eligibility: Float
    mean_error: Float
    trial_error: Float
    trials: NDArray[np.int64]
    trial_steps: NDArray[np.int64]
    noise_steps: NDArray[np.int64]
    noise_key: NDArray[np.uint64]
    weights_plastic: NDArray[np.bool_]


class NodePerturbationRecurrent:
    """A recurrent network: τ dx/dt = -x + J r + W_in u + ξ, r = tanh x, action_k = r_k.

    Units 0 to a - 1 act; the last three have r = 1, -1 and 1. Perturbations ξ come rarely. At the
    end of a trial, with the error E = minus its reward and Ē the expected one of its type,
    ΔJ = bound(-η Ē (E - Ē) e, ±change_limit).

    Innate weights are drawn anew for every life. Parameters, which learners search:
    `recurrent.gain` (n, 1) and `input.gain` (n, o).
    """

    hyperparameters: ClassVar[type] = RecurrentHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: RecurrentHyperparameters | None = None,
    ) -> None:
        self.kind = "node_perturbation_recurrent"
        self.hyper = hyper or RecurrentHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        least = action_size + len(BIAS) + 1
        if self.hyper.units < least:
            raise UserError(
                f"units = {self.hyper.units}: expected at least {least}: {action_size} actions, "
                f"{len(BIAS)} of constant activity and one more"
            )
        self._inverse_scale = inverse_scale(input_scale, observation_size)
        self._genome = Genome(
            (
                _gain_gene("recurrent.gain", (1,), self.hyper.recurrent_gain),
                _gain_gene("input.gain", (observation_size,), self.hyper.input_gain),
            )
        )
        self._constants = _constants(self.hyper, action_size)

    @property
    def is_plastic(self) -> bool:
        """Whether weights change in life."""
        return self.hyper.plastic != "none" and self.hyper.learning_rate > 0

    @property
    def learns_by_trial(self) -> bool:
        """Whether it learns when a trial ends, and so never in a life without trials."""
        return self.is_plastic

    @property
    def graded_operations(self) -> int:
        """Synaptic operations of a control step: N² in each of its substeps, N·o for the inputs."""
        units = self.hyper.units
        return self.hyper.substeps * units * units + units * self.observation_size

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector: gains; the weights themselves are drawn at birth."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into the named parameters of the class docstring."""
        return self._genome.split(genomes)

    def new_state(self, n: int) -> RecurrentState:
        """Allocate the state of `n` individuals, to be filled by `reset`."""
        units, inputs = self.hyper.units, self.observation_size
        shapes = [
            (units, units), (units, inputs), (units,), (units,), (units,), (units, units),
            (self.hyper.trial_types,), (),
        ]  # fmt: skip
        return RecurrentState(
            *(np.zeros((n, *shape), np.float32) for shape in shapes),
            trials=np.zeros(n, np.int64),
            trial_steps=np.zeros(n, np.int64),
            noise_steps=np.zeros(n, np.int64),
            noise_key=np.zeros(n, np.uint64),
            weights_plastic=np.ones(n, np.bool_),
        )

    def reset(
        self,
        parameters: Parameters,
        state: RecurrentState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives in the rows `ids`: draw weights and first activity, forget the rest."""
        units, acting = self.hyper.units, self.action_size
        state.noise_key[ids] = draw_keys(rngs)
        for row, rng in zip(ids, rngs, strict=True):
            gain = parameters["recurrent.gain"][row, 0] / np.sqrt(units)
            state.recurrent_weight[row] = gain * rng.standard_normal((units, units))
            width = parameters["input.gain"][row]
            state.input_weight[row] = width * rng.uniform(-1, 1, (units, self.observation_size))
            state.initial[row] = _INITIAL * rng.standard_normal(units)
        for weight in (state.recurrent_weight, state.input_weight):
            weight[ids, :acting] *= np.float32(self.hyper.readout_gain)
        state.potential[ids] = state.mean_potential[ids] = state.initial[ids]
        for array in (
            state.eligibility,
            state.mean_error,
            state.trial_error,
            state.trials,
            state.trial_steps,
            state.noise_steps,
        ):
            array[ids] = 0

    def act(
        self, parameters: Parameters, state: RecurrentState, observation: Float, feedback: Feedback
    ) -> Float:
        """Return actions (n, a) in [-1, 1] and advance `state`; rows not alive get zero.

        Raises:
            UserError: the context of a trial that has ended is none of `trial_types`.
        """
        del parameters
        n = state.potential.shape[0]
        action = np.empty((n, self.action_size), np.float32)
        observation = read_observation(observation, n, self.observation_size)
        self._hear(state, feedback, feedback.alive)
        act_recurrent(
            observation,
            self._inverse_scale,
            feedback.alive,
            self._learns(state, feedback),
            feedback.explore,
            state.recurrent_weight,
            state.input_weight,
            state.initial,
            state.potential,
            state.mean_potential,
            state.eligibility,
            state.trial_steps,
            state.noise_steps,
            state.noise_key,
            self._constants,
            action,
        )
        return action

    def finish(self, state: RecurrentState, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the last reward of the lives in the rows `ids`."""
        ending = np.zeros(len(feedback.alive), np.bool_)
        ending[ids] = True
        self._hear(state, feedback, ending)

    def traces(self, state: RecurrentState) -> dict[str, Trace]:
        """Return what to plot: rates, and, if it can learn, weights, eligibility and errors."""
        traces = {"units, r": Trace(np.tanh(state.potential))}
        if not self.is_plastic:
            return traces
        n = len(state.trials)
        return {
            **traces,
            "recurrent weights": Trace(state.recurrent_weight.reshape(n, -1), kind="weight"),
            "eligibility": Trace(state.eligibility.reshape(n, -1)),
            "expected error": Trace(state.mean_error, "reward"),
        }

    def _learns(self, state: RecurrentState, feedback: Feedback) -> NDArray[np.bool_]:
        return feedback.plastic & state.weights_plastic & self.is_plastic

    def _hear(self, state: RecurrentState, feedback: Feedback, rows: NDArray[np.bool_]) -> None:
        """Take in the reward of the step before in the rows of a mask (n,); end their trials."""
        error = -np.nan_to_num(dense(feedback.reward), posinf=_ERROR_LIMIT, neginf=-_ERROR_LIMIT)
        total = np.clip(state.trial_error + error, -_ERROR_LIMIT, _ERROR_LIMIT)
        np.copyto(state.trial_error, total, where=rows)
        over = feedback.trial_end & rows
        if over.any():
            known = self.hyper.trial_types
            check_contexts(self.kind, "trial_types", known, feedback.context[over])
            end_trials(
                over,
                self._learns(state, feedback),
                np.ascontiguousarray(feedback.context, np.int64),
                state.recurrent_weight,
                state.initial,
                state.potential,
                state.mean_potential,
                state.eligibility,
                state.mean_error,
                state.trial_error,
                state.trials,
                state.trial_steps,
                self._constants,
            )


def _gain_gene(name: str, shape: tuple[int, ...], gain: float) -> Gene:
    """Return a gene that starts at `gain`, one unit of search being a tenth of it."""
    scale = 0.1 * gain or 0.1
    return Gene(name, shape, scale=scale, initial_mean=gain / scale)


def _constants(hyper: RecurrentHyperparameters, actions: int) -> Constants:
    """Turn seconds into steps of the network."""
    step_s = hyper.control_step_s / hyper.substeps
    leak = step_s / hyper.tau_s
    if leak > 1:
        raise UserError(
            f"tau_s = {hyper.tau_s}: expected at least control_step_s / substeps = {step_s:g}"
        )
    return Constants(
        substeps=hyper.substeps,
        acting=actions,
        plastic_units={"all": hyper.units, "readout": actions, "none": 0}[hyper.plastic],
        is_cubed=hyper.trace == "cubed",
        leak=np.float32(leak),
        chance=min(1.0, hyper.perturbation_hz * step_s),
        kick=hyper.perturbation * leak,
        mean_keep=np.float32(hyper.mean_keep),
        rate=np.float32(hyper.learning_rate),
        change_limit=np.float32(hyper.change_limit),
        warm_up_trials=hyper.warm_up_trials,
        resets=hyper.reset_each_trial,
        clear_at=max(round(hyper.clear_at_s / hyper.control_step_s), int(hyper.clear_at_s > 0)),
    )
