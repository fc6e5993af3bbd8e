"""The neuromodulated network: it tells its own synapses when, and how much, to learn.

Source: Miconi et al. 2019 (ICLR, "Backpropamine") for rate units; Schmidgall & Hays 2023 (synaptic
motor adaptation) for the same rule on spike traces; Soltoggio et al. 2008 for its evolution in a
T-maze. The rule itself is `plasticity.neuromodulated`.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.genes import QUIET, Granularity, coefficient_shape, layer_genes
from robolearn.agents.inputs import dense, inverse_scale, read_observation
from robolearn.agents.neuromodulated_kernel import (
    RETROACTIVE,
    SIMPLE,
    STATIC,
    Constants,
    act_neuromodulated,
)
from robolearn.agents.protocol import (
    Feedback,
    Float,
    Gene,
    Genome,
    Parameters,
    Spikes,
    Trace,
)
from robolearn.agents.reflex import Reflex
from robolearn.neurons.lif import decay

Seconds = Annotated[float, Interval(gt=0, le=100)]

_RULES = {"none": STATIC, "simple": SIMPLE, "retroactive": RETROACTIVE}


@dataclass(frozen=True)
class NeuromodulatedHyperparameters:
    """What one chooses before evolution.

    Attributes:
        neuron: hidden units: "rate" (tanh), or "spiking" (leaky integrate-and-fire).
        hidden: number of hidden units.
        rule: how the modulator writes; "none" is the static twin with the same first weights.
        granularity: whether α belongs to a synapse, a postsynaptic neuron or the layer.
        modulators: number of modulator units.
        reward_scale: typical magnitude of a step's reward, in units of reward.
        eligibility_tau_s: time constant of E in the retroactive rule, s; η = 1 - e^(-dt/τ).
        trace_bound: H stays within ± this.
        control_step_s: dt, control step of the body, s.
        spike_steps: K, spike steps per control step, of spiking units.
        membrane_tau_s: τ_m of the membrane of spiking units, s.
        readout_tau_s: time constant of the filtered spikes, s.
        output_tau_s: time constant of the outputs' trace beside spiking units, s.
        silence_hidden: spiking units emit no spikes (a control: the action must become constant).
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
    """

    neuron: Literal["rate", "spiking"] = "rate"
    hidden: Annotated[int, Interval(ge=1, le=4096)] = 16
    rule: Literal["retroactive", "simple", "none"] = "retroactive"
    granularity: Granularity = "neuron"
    modulators: Annotated[int, Interval(ge=1, le=64)] = 1
    reward_scale: Annotated[float, Interval(gt=0, le=1e9)] = 1.0
    eligibility_tau_s: Seconds = 1.0
    trace_bound: Annotated[float, Interval(gt=0, le=1e6)] = 1.0
    control_step_s: Seconds = 0.02
    spike_steps: Annotated[int, Interval(ge=1, le=256)] = 8
    membrane_tau_s: Seconds = 0.02
    readout_tau_s: Seconds = 0.04
    output_tau_s: Seconds = 0.1
    silence_hidden: bool = False
    reflex: Reflex = ()


@dataclass
class NeuromodulatedState:
    """All that changes in a life; float32, leading axis = individuals.

    The two switches belong to the experimenter: they are on at first, may be set at any time, and
    births do not touch them. Each acts together with `feedback.plastic`.

    Attributes:
        hidden: (n, h), tanh units in [-1, 1], or filtered spikes in [0, 1].
        potential: (n, h), membranes of spiking units, in thresholds.
        output: (n, a), what the brain sent last.
        output_trace: (n, a), y of the rule: the output, or beside spiking units its trace.
        trace: (n, a, h), H.
        eligibility: (n, a, h), E.
        modulator: (n, a), M of the last step.
        weights_plastic: (n,) bool, False freezes H, and with it the effective weights.
        traces_plastic: (n,) bool, False freezes E and the outputs' trace.
    """

    hidden: Float
    potential: Float
    output: Float
    output_trace: Float
    trace: Float
    eligibility: Float
    modulator: Float
    weights_plastic: NDArray[np.bool_]
    traces_plastic: NDArray[np.bool_]


class Neuromodulated:
    """A network with one static hidden layer and a plastic read-out that it modulates itself.

    With u = [observation / scale, reward / reward_scale, 2 after the end of a trial, last output]:
        h = tanh(W u + b), or the filtered spikes of LIF units whose input current is W u + b
        y_i = tanh(Σ_j (w_ij + α_ij H_ij) h_j + c_i), the action
        M_i = Σ_k f_ik tanh(Σ_j v_kj h_j + d_k)
        simple: H ← clip(H + M y hᵀ);  retroactive: H ← clip(H + M E), E ← (1 - η) E + η y hᵀ
    H and E are zero at birth.

    Parameters: `hidden.weight` (n, h, u), `hidden.bias` (n, h), `readout.weight` (n, a, h),
    `readout.bias` (n, a), and, but for the static twin, `readout.alpha` (n, p, q) with (p, q) by
    granularity, `modulator.weight` (n, k, h), `modulator.bias` (n, k), `modulator.fan_out`
    (n, a, k).
    """

    hyperparameters: ClassVar[type] = NeuromodulatedHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: NeuromodulatedHyperparameters | None = None,
    ) -> None:
        self.kind = "neuromodulated"
        self.hyper = hyper or NeuromodulatedHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        self._inverse_scale = inverse_scale(input_scale, observation_size)
        self._genome = _genome(self.hyper, observation_size, action_size)
        self._constants = _constants(self.hyper)

    @property
    def is_plastic(self) -> bool:
        """Whether H changes in life."""
        return self.hyper.rule != "none"

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector; the static network comes first, its plasticity after."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into the named parameters of the class docstring."""
        parameters = self._genome.split(genomes)
        if self.hyper.rule == "none":
            # The static twin has no such genes; the kernel still wants arrays.
            n, h, a = len(genomes), self.hyper.hidden, self.action_size
            shapes = {"readout.alpha": (1, 1), "modulator.weight": (1, h)}
            shapes |= {"modulator.bias": (1,), "modulator.fan_out": (a, 1)}
            for name, shape in shapes.items():
                parameters[name] = np.zeros((n, *shape), np.float32)
        return parameters

    def new_state(self, n: int) -> NeuromodulatedState:
        """Allocate the state of `n` individuals."""
        h, a = self.hyper.hidden, self.action_size
        shapes = [(h,), (h,), (a,), (a,), (a, h), (a, h), (a,)]
        return NeuromodulatedState(
            *(np.zeros((n, *shape), np.float32) for shape in shapes),
            weights_plastic=np.ones(n, np.bool_),
            traces_plastic=np.ones(n, np.bool_),
        )

    def reset(
        self,
        parameters: Parameters,
        state: NeuromodulatedState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives in the rows `ids`: nothing learned, nothing felt."""
        del parameters, rngs
        for array in (
            state.hidden,
            state.potential,
            state.output,
            state.output_trace,
            state.trace,
            state.eligibility,
            state.modulator,
        ):
            array[ids] = 0.0

    def act(
        self,
        parameters: Parameters,
        state: NeuromodulatedState,
        observation: Float,
        feedback: Feedback,
    ) -> Float:
        """Return actions (n, a) in [-1, 1] and advance `state`; rows not alive get zero."""
        n = state.hidden.shape[0]
        action = np.empty((n, self.action_size), np.float32)
        act_neuromodulated(
            read_observation(observation, n, self.observation_size),
            dense(feedback.reward),
            feedback.trial_end,
            self._inverse_scale,
            feedback.alive,
            feedback.plastic & state.weights_plastic,
            feedback.plastic & state.traces_plastic,
            dense(parameters["hidden.weight"]),
            dense(parameters["hidden.bias"]),
            dense(parameters["readout.weight"]),
            dense(parameters["readout.bias"]),
            dense(parameters["readout.alpha"]),
            dense(parameters["modulator.weight"]),
            dense(parameters["modulator.bias"]),
            dense(parameters["modulator.fan_out"]),
            state.hidden,
            state.potential,
            state.output,
            state.output_trace,
            state.trace,
            state.eligibility,
            state.modulator,
            self._constants,
            action,
        )
        return action

    def spikes(self, state: NeuromodulatedState) -> Spikes | None:
        """Return the spikes of all hidden units, as their filtered spikes tell; None for rates.

        Its mean over a life is that of the spikes but for the first and last time constant.
        """
        if self.hyper.neuron == "rate":
            return None
        step_s, shapes = self.hyper.control_step_s, {g.name: g.shape for g in self._genome.genes}
        per_s = state.hidden.sum(axis=1, dtype=np.float64) * self.hyper.spike_steps / step_s
        graded = math.prod(shapes["hidden.weight"]) / step_s
        modulators, _ = shapes.get("modulator.weight", (0, 0))
        return Spikes(per_s, graded + (self.action_size + modulators) * per_s)

    def finish(
        self, state: NeuromodulatedState, feedback: Feedback, ids: NDArray[np.int64]
    ) -> None:
        """Hand over the last reward: a life that has ended has no use for it."""

    def learned(self, state: NeuromodulatedState) -> dict[str, Float]:
        """Return H, the live plastic part of the weights."""
        return {"trace": state.trace}

    def traces(self, state: NeuromodulatedState) -> dict[str, Trace]:
        """Return what to plot: the hidden units, and, if it can learn, what it makes of them."""
        spiking = self.hyper.neuron == "spiking"
        per_s = np.float32(self.hyper.spike_steps / self.hyper.control_step_s)
        units = (
            {"firing rates": Trace(state.hidden * per_s, "spikes/s")}
            if spiking
            else {"hidden units": Trace(state.hidden)}
        )
        if not self.is_plastic:
            return units
        n = len(state.output)
        traces = {
            **units,
            "neuromodulator": Trace(state.modulator),
            "plastic part of the weights": Trace(state.trace.reshape(n, -1), kind="weight"),
        }
        if self.hyper.rule == "retroactive":
            traces["eligibility"] = Trace(state.eligibility.reshape(n, -1))
        return traces


def _genome(hyper: NeuromodulatedHyperparameters, o: int, a: int) -> Genome:
    """Lay out the genes.

    H lies anywhere within its bound, so a unit of α is what makes a learned input as large as an
    innate one. Modulators are quiet at first, but a unit of the fan-out is an M that fills a
    synapse in one step: evolution looks first for when to write, then for how much.
    """
    h, spiking = hyper.hidden, hyper.neuron == "spiking"
    inputs = o + 2 + a  # and the reward, the end of a trial, the last output
    if spiking:
        hidden = layer_genes("hidden", h, inputs, gain=2.0, bias_scale=0.5, bias_mean=0.7)
    else:
        hidden = layer_genes("hidden", h, inputs, gain=1.0, bias_scale=0.3)
    # Filtered spikes vary less than tanh units.
    gain = 1.0 if spiking else 0.5
    readout = layer_genes("readout", a, h, gain=gain, bias_scale=0.3, initial_std=QUIET)
    if hyper.rule == "none":
        return Genome((*hidden, *readout))
    k = hyper.modulators
    alpha = Gene(
        "readout.alpha",
        coefficient_shape(hyper.granularity, a, h),
        scale=0.5 / h**0.5 / hyper.trace_bound,
        initial_mean=1.0,
        initial_std=0.1,
    )
    weight, bias = layer_genes("modulator", k, h, gain=2 * gain, bias_scale=0.3, initial_std=QUIET)
    fan_out = Gene("modulator.fan_out", (a, k), scale=30.0 * hyper.trace_bound, initial_std=0.1)
    return Genome((*hidden, *readout, alpha, weight, bias, fan_out))


def _constants(hyper: NeuromodulatedHyperparameters) -> Constants:
    """Turn time constants in seconds into figures per step."""
    step_s, spiking = hyper.control_step_s, hyper.neuron == "spiking"
    spike_step_s = step_s / hyper.spike_steps
    return Constants(
        spiking=spiking,
        rule=_RULES[hyper.rule],
        spike_steps=hyper.spike_steps,
        silence_hidden=hyper.silence_hidden,
        inverse_reward_scale=np.float32(1.0 / hyper.reward_scale),
        membrane_decay=decay(spike_step_s, hyper.membrane_tau_s),
        readout_decay=decay(spike_step_s, hyper.readout_tau_s),
        trace_decay=decay(step_s, hyper.output_tau_s) if spiking else np.float32(0.0),
        eligibility_rate=np.float32(1.0) - decay(step_s, hyper.eligibility_tau_s),
        trace_bound=np.float32(hyper.trace_bound),
    )
