"""The spiking network that learns from reward in life, by reward-modulated STDP.

Rule after Izhikevich 2007 (`robolearn.plasticity.r_stdp`) with the centred reward of Frémaux et al.
2010 as dopamine (`plasticity.reward_prediction`); units after Schmidgall et al. 2024
(`neurons.lif`). Pushing and pulling populations are those of antagonist muscles.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.genes import layer_genes
from robolearn.agents.inputs import dense, inverse_scale, read_observation
from robolearn.agents.protocol import Feedback, Float, Genome, Parameters, Spikes, Trace
from robolearn.agents.r_stdp_kernel import Constants, act_r_stdp
from robolearn.agents.reflex import Reflex
from robolearn.neurons.lif import decay
from robolearn.neurons.noise import draw_keys

Seconds = Annotated[float, Interval(gt=0, le=100)]
NotNegative = Annotated[float, Interval(ge=0, le=1e6)]
Positive = Annotated[float, Interval(gt=0, le=1e6)]


@dataclass(frozen=True)
class RSTDPHyperparameters:
    """What one chooses before birth. Potentials and currents are in units of the threshold.

    Attributes:
        units: m, spiking units of each of the two populations of an action element.
        spike_steps: spike steps per control step.
        control_step_s: control step of the body, s.
        input_rate_hz: rate of an input neuron while its quantity has its typical magnitude, Hz;
            the chance of a spike in a spike step never exceeds 1.
        membrane_tau_s: time constant of the membrane, s.
        rate_tau_s: time constant of the filtered spikes that move the motors, s.
        action_per_hz: action for every hertz by which pushing units outdo the pulling ones, 1/Hz,
            as long as it is small.
        learned_limit: largest action that the units can add to the reflex.
        first_current: innate current of every unit, in thresholds; above 1 a unit fires unasked.
        noise_std: standard deviation of the exploring current of a unit, in thresholds.
        noise_tau_s: time constant of that current, s; a trial's length makes whole trials differ.
        A_plus: change of eligibility by a pair in causal order.
        A_minus: loss of eligibility by a pair in the other order.
        stdp_tau_plus_s: τ₊ of the STDP window, s.
        stdp_tau_minus_s: τ₋ of the STDP window, s.
        eligibility_tau_s: τ_c, for how long a pair can be credited, s.
        dopamine_tau_s: τ_d of the dopamine, s.
        learning_rate: η, change of weight per second, eligibility and dopamine; 0 learns nothing.
        judgement: whether dopamine is released at the end of a trial, for the reward of the whole
            trial, or at every step.
        reward_scale: typical magnitude of that reward.
        first_expectation: innate expected reward, in units of `reward_scale`.
        prediction_rate: α, rate of the running mean of the reward, per judgement.
        contexts: trial types whose mean rewards are told apart; types beyond share the last one.
        weight_bound: weights stay within ± this.
        homeostasis_rate: change of the threshold that all units share, per second and unit of
            mean rate error (in spikes per spike step), 1/s; 0 leaves it at 1.
        homeostasis_target_hz: wanted mean rate of all units, Hz.
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
    """

    units: Annotated[int, Interval(ge=1, le=1024)] = 8
    spike_steps: Annotated[int, Interval(ge=1, le=1024)] = 20
    control_step_s: Seconds = 0.1
    input_rate_hz: Positive = 40.0
    membrane_tau_s: Seconds = 0.02
    rate_tau_s: Seconds = 0.1
    action_per_hz: NotNegative = 0.02
    learned_limit: Annotated[float, Interval(gt=0, le=2)] = 0.3
    first_current: Annotated[float, Interval(ge=-100, le=100)] = 1.1
    noise_std: NotNegative = 0.4
    noise_tau_s: Seconds = 2.0
    A_plus: Annotated[float, Interval(ge=-1e6, le=1e6)] = 1.0
    A_minus: Annotated[float, Interval(ge=-1e6, le=1e6)] = 0.8
    stdp_tau_plus_s: Seconds = 0.02
    stdp_tau_minus_s: Seconds = 0.02
    eligibility_tau_s: Seconds = 2.0
    dopamine_tau_s: Seconds = 0.2
    learning_rate: NotNegative = 0.05
    judgement: Literal["trial", "step"] = "trial"
    reward_scale: Positive = 1.0
    first_expectation: Annotated[float, Interval(ge=-1e6, le=1e6)] = 0.5
    prediction_rate: Annotated[float, Interval(ge=0, le=1)] = 0.3
    contexts: Annotated[int, Interval(ge=1, le=4096)] = 4
    weight_bound: Positive = 1.0
    homeostasis_rate: NotNegative = 5.0
    homeostasis_target_hz: Positive = 30.0
    reflex: Reflex = ()


@dataclass
class RSTDPState:
    """All that changes in a life; float32 but for the last six, leading axis = individuals.

    The switches may be set at any time to freeze what they name; births do not touch them. Each
    acts together with `feedback.plastic`.

    With a action elements, o observation elements and populations of m units there are
    u = 2 a m units (element by element, first those that push, then those that pull) and
    p = 2 o + 1 input neurons.

    Attributes:
        weight: (n, u, p).
        eligibility: (n, u, p), c.
        pre_trace: (n, p), recent spikes of the inputs.
        post_trace: (n, u), recent spikes of the units.
        potential: (n, u).
        threshold: (n,), shared by all units: homeostasis keeps their mean rate, and no more, or
            it would undo what they have learned to do differently.
        rate: (n, u), filtered spikes, spikes per spike step.
        noise: (n, u), the exploring currents.
        reward_sum: (n,), reward since the last judgement, in units of `reward_scale`.
        prediction: (n, contexts), expected reward, in the same unit.
        dopamine: (n,), d.
        key: (n,) uint64, of the individual's noise.
        clock: (n,) int64, control steps lived.
        spike_count: (n, 2) int64, spikes of the inputs and of the units in the last control step.
        weights_plastic: (n,) bool, False freezes `weight`.
        thresholds_plastic: (n,) bool, False freezes `threshold`.
        traces_plastic: (n,) bool, False freezes eligibility, spike traces, expectation, dopamine.
    """

    weight: Float
    eligibility: Float
    pre_trace: Float
    post_trace: Float
    potential: Float
    threshold: Float
    rate: Float
    noise: Float
    reward_sum: Float
    prediction: Float
    dopamine: Float
    key: NDArray[np.uint64]
    clock: NDArray[np.int64]
    spike_count: NDArray[np.int64]
    weights_plastic: NDArray[np.bool_]
    thresholds_plastic: NDArray[np.bool_]
    traces_plastic: NDArray[np.bool_]


class RSTDP:
    """Populations of LIF units that push and pull at the motors, with dopamine-gated synapses.

    With x = observation / scale; inputs spike at input_rate_hz · (max(x, 0), max(-x, 0), 1). Per
    spike step dt, with s the input spikes and ξ the exploring current:
        V ← α V + (1 - α) (w s / (input_rate dt) + b + ξ);  z = [V ≥ 1], V ← 0 on a spike
        c ← c e^(-dt/τ_c) + STDP(s, z);  r ← γ r + (1 - γ) z
    and per control step:
        action = clip(L tanh(g (mean r of push - mean r of pull) / L), -1, 1)
    At the next step d ← d e^(-Δt/τ_d) + (R - r̄) at a judgement, and w ← w + η c d Δt, bounded.

    Parameters: `synapse.weight` (n, u, p) at birth, `synapse.bias` (n, u), the innate currents b.
    """

    hyperparameters: ClassVar[type] = RSTDPHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: RSTDPHyperparameters | None = None,
    ) -> None:
        self.kind = "r_stdp"
        self.hyper = hyper or RSTDPHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        self._inverse_scale = inverse_scale(input_scale, observation_size)
        self._constants = _constants(self.hyper)
        pair = [self.hyper.A_plus, self.hyper.A_minus]
        self._coefficients = np.array(pair, np.float32).reshape(2, 1, 1)
        self._units, self._inputs = 2 * action_size * self.hyper.units, 2 * observation_size + 1
        self._genome = Genome(
            layer_genes(
                "synapse",
                self._units,
                self._inputs,
                gain=0.3,
                bias_scale=0.1,
                bias_mean=self.hyper.first_current,
                initial_std=1.0,
            )
        )

    @property
    def is_plastic(self) -> bool:
        """Whether weights change in life."""
        return self.hyper.learning_rate > 0

    @property
    def learns_by_trial(self) -> bool:
        """Whether it learns when a trial ends, and so never in a life without trials."""
        return self.is_plastic and self.hyper.judgement == "trial"

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector that learners search: the weights and currents at birth."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into the named parameters of the class docstring."""
        return self._genome.split(genomes)

    def new_state(self, n: int) -> RSTDPState:
        """Allocate the state of `n` individuals, to be filled by `reset`."""
        u, p = self._units, self._inputs
        shapes = [(u, p), (u, p), (p,), (u,), (u,), (), (u,), (u,), (), (self.hyper.contexts,), ()]
        return RSTDPState(
            *(np.zeros((n, *shape), np.float32) for shape in shapes),
            key=np.zeros(n, np.uint64),
            clock=np.zeros(n, np.int64),
            spike_count=np.zeros((n, 2), np.int64),
            weights_plastic=np.ones(n, np.bool_),
            thresholds_plastic=np.ones(n, np.bool_),
            traces_plastic=np.ones(n, np.bool_),
        )

    def reset(
        self,
        parameters: Parameters,
        state: RSTDPState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives in the rows `ids`: innate weights and expectation, noise of their own."""
        for name, array in vars(state).items():
            if not name.endswith("_plastic"):
                array[ids] = 0
        bound = self.hyper.weight_bound
        state.weight[ids] = np.clip(parameters["synapse.weight"][ids], -bound, bound)
        state.threshold[ids] = 1.0
        state.prediction[ids] = self.hyper.first_expectation
        state.key[ids] = draw_keys(rngs)

    def act(
        self, parameters: Parameters, state: RSTDPState, observation: Float, feedback: Feedback
    ) -> Float:
        """Return actions (n, a) in [-1, 1] and advance `state`; rows not alive get zero."""
        n = state.weight.shape[0]
        action = np.empty((n, self.action_size), np.float32)
        act_r_stdp(
            read_observation(observation, n, self.observation_size),
            self._inverse_scale,
            dense(feedback.reward),
            feedback.trial_end,
            feedback.context,
            feedback.plastic & state.weights_plastic,
            feedback.plastic & state.thresholds_plastic,
            feedback.plastic & state.traces_plastic,
            feedback.explore,
            feedback.alive,
            dense(parameters["synapse.bias"]),
            self._coefficients,
            state.weight,
            state.eligibility,
            state.pre_trace,
            state.post_trace,
            state.potential,
            state.threshold,
            state.rate,
            state.noise,
            state.reward_sum,
            state.prediction,
            state.dopamine,
            state.key,
            state.clock,
            state.spike_count,
            self._constants,
            action,
        )
        return action

    def spikes(self, state: RSTDPState) -> Spikes:
        """Return the spikes of the last control step; those of the inputs reach every unit."""
        heard, fired = (state.spike_count / self.hyper.control_step_s).T  # (n,) each
        return Spikes(fired, heard * self._units)

    def finish(self, state: RSTDPState, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the last reward: a life that has ended has no use for it."""

    def traces(self, state: RSTDPState) -> dict[str, Trace]:
        """Return what to plot: rates, the eligible and the learned, and what rewards say."""
        n = len(state.dopamine)
        per_s = np.float32(self.hyper.spike_steps / self.hyper.control_step_s)
        return {
            "firing rates": Trace(state.rate * per_s, "spikes/s"),
            "weights": Trace(state.weight.reshape(n, -1), kind="weight"),
            "eligibility": Trace(state.eligibility.reshape(n, -1)),
            "dopamine": Trace(state.dopamine[:, None], "reward"),
            "expected reward": Trace(state.prediction, "reward"),
            "threshold": Trace(state.threshold[:, None]),
        }


def _constants(hyper: RSTDPHyperparameters) -> Constants:
    """Turn time constants and rates in seconds into figures per step."""
    step_s = hyper.control_step_s
    spike_step_s = step_s / hyper.spike_steps
    return Constants(
        spike_steps=hyper.spike_steps,
        every_step=hyper.judgement == "step",
        units=hyper.units,
        full_rate=np.float32(hyper.input_rate_hz * spike_step_s),
        membrane_decay=decay(spike_step_s, hyper.membrane_tau_s),
        rate_decay=decay(spike_step_s, hyper.rate_tau_s),
        plus_decay=decay(spike_step_s, hyper.stdp_tau_plus_s),
        minus_decay=decay(spike_step_s, hyper.stdp_tau_minus_s),
        eligibility_decay=decay(spike_step_s, hyper.eligibility_tau_s),
        noise_decay=decay(step_s, hyper.noise_tau_s),
        noise_std=np.float32(hyper.noise_std),
        dopamine_decay=decay(step_s, hyper.dopamine_tau_s),
        inverse_reward_scale=np.float32(1.0 / hyper.reward_scale),
        prediction_rate=np.float32(hyper.prediction_rate),
        learning_step=np.float32(hyper.learning_rate * step_s),
        weight_bound=np.float32(hyper.weight_bound),
        homeostatic_gain=np.float32(hyper.homeostasis_rate * step_s),
        homeostatic_target=np.float32(hyper.homeostasis_target_hz * spike_step_s),
        learned_limit=np.float32(hyper.learned_limit),
        saturation_gain=np.float32(hyper.action_per_hz / spike_step_s / hyper.learned_limit),
    )
