"""The spiking network: currents -> LIF units -> filtered spikes -> tanh read-out, plastic in life.

Units after Schmidgall et al. 2024 and Bellec et al. 2020 (`robolearn.neurons.lif`); rules after
Najarro & Risi 2020 (`plasticity.abcd`) and the pair-based STDP of the textbooks
(`plasticity.stdp`).
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.genes import (
    ABCD_NAMES,
    QUIET,
    STDP_NAMES,
    Coefficients,
    RuleGranularity,
    abcd_genes,
    expand,
    layer_genes,
    stdp_genes,
)
from robolearn.agents.inputs import dense, inverse_scale, read_observation
from robolearn.agents.protocol import Feedback, Float, Gene, Genome, Parameters, Spikes, Trace
from robolearn.agents.reflex import Reflex
from robolearn.agents.spiking_kernel import ABCD, STATIC, STDP, Constants, act_spiking
from robolearn.neurons.lif import decay
from robolearn.plasticity.forgetting import forgotten_share
from robolearn.plasticity.max_normalisation import normalise_by_maximum

Seconds = Annotated[float, Interval(gt=0, le=100)]
Fraction = Annotated[float, Interval(ge=0, le=1)]

_TYPICAL_INPUT = 1.0  # observations come in units of their typical magnitude
_TYPICAL_RATE = 0.15  # spikes per spike step of a healthy hidden unit
_TYPICAL_OUTPUT = 0.3
_DYNAMICS = ("membrane_tau", "readout_tau", "threshold")  # of hidden units, as genes
_WIDEST = 4.0  # largest factor of such a gene
_RULES = {"none": STATIC, "abcd": ABCD, "stdp": STDP}


@dataclass(frozen=True)
class SpikingHyperparameters:
    """What one chooses before evolution. Potentials are in units of the first threshold.

    Attributes:
        hidden: number of hidden units.
        spike_steps: K, spike steps per control step.
        control_step_s: control step of the body, s.
        membrane_tau_s: τ_m of the membrane, s.
        readout_tau_s: time constant of the filtered spikes that the read-out sees, s.
        adaptive_fraction: fraction of the hidden units, the last ones, with adaptive thresholds.
        adaptation_tau_s: τ_a of the adaptation, s.
        adaptation_strength: β, rise of the threshold for each recent spike.
        rule: how synapses change in life; "none" is the static twin with the same first weights.
        evolve_dynamics: whether τ_m, the time constant of the filtered spikes and the first
            threshold are genes of every hidden unit, at most a factor of 4 from those given here.
        granularity: whether coefficients belong to a synapse, a postsynaptic neuron or a layer, or
            to a synapse as elements of a product of two matrices of low rank.
        rank: of that product.
        rule_speed: how fast one unit of search of a coefficient changes a weight, in units of
            search of the weight, 1/s.
        update_every: control steps between two changes of the weights by the ABCD rule.
        trace_tau_s: time constant of the traces of inputs and outputs in the ABCD rule, s.
        stdp_tau_plus_s: τ₊ of the STDP window, s.
        stdp_tau_minus_s: τ₋ of the STDP window, s.
        weight_bound: plastic weights stay within ± this.
        forget_tau_s: time constant with which they go back to those of birth, s
            (`plasticity.forgetting`); None for never.
        max_normalisation: divide a layer by its largest |w|, at birth and after every change.
        homeostasis: thresholds seek `homeostasis_target`.
        homeostasis_rate: change of the threshold per second and unit of rate error, 1/s.
        homeostasis_target: wanted spikes per spike step.
        silence_hidden: hidden units emit no spikes (a control: the action must become constant).
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
    """

    hidden: Annotated[int, Interval(ge=1, le=4096)] = 64
    spike_steps: Annotated[int, Interval(ge=1, le=256)] = 4
    control_step_s: Seconds = 0.02
    membrane_tau_s: Seconds = 0.02
    readout_tau_s: Seconds = 0.04
    adaptive_fraction: Fraction = 0.5
    adaptation_tau_s: Seconds = 0.2
    adaptation_strength: Annotated[float, Interval(ge=0, le=100)] = 0.05
    rule: Literal["abcd", "stdp", "none"] = "abcd"
    evolve_dynamics: bool = False
    granularity: RuleGranularity = "neuron"
    rank: Annotated[int, Interval(ge=1, le=4096)] = 1
    rule_speed: Annotated[float, Interval(gt=0, le=1e6)] = 0.1
    update_every: Annotated[int, Interval(ge=1, le=10_000)] = 1
    trace_tau_s: Seconds = 0.04
    stdp_tau_plus_s: Seconds = 0.02
    stdp_tau_minus_s: Seconds = 0.02
    weight_bound: Annotated[float, Interval(gt=0, le=1e6)] = 4.0
    forget_tau_s: Seconds | None = None
    max_normalisation: bool = False
    homeostasis: bool = False
    homeostasis_rate: Annotated[float, Interval(ge=0, le=1000)] = 0.5
    homeostasis_target: Fraction = 0.15
    silence_hidden: bool = False
    reflex: Reflex = ()


@dataclass
class SpikingState:
    """All that changes in a life; float32 unless told, leading axis = individuals.

    The three switches belong to the experimenter: they are on at first, may be set at any time, and
    births do not touch them. Each acts together with `feedback.plastic`. Membranes, adaptation and
    the read-out filter are dynamics, not learning, and never freeze.

    Attributes:
        hidden_weight: (n, h, o).
        readout_weight: (n, a, h).
        potential: (n, h), membrane potentials.
        adaptation: (n, h), recent spikes of each unit.
        threshold: (n, h), V_th, which homeostasis moves.
        readout_trace: (n, h), filtered spikes, 0..1.
        pre_trace: (n, o), the rule's trace of the inputs.
        hidden_post_trace: (n, h), the rule's trace of hidden units as targets of the first layer.
        hidden_pre_trace: (n, h), STDP's trace of hidden units as sources of the second layer.
        output_trace: (n, a), the rule's trace of the outputs.
        output: (n, a), the last action.
        steps: (n,) int64, control steps lived.
        weights_plastic: (n,) bool, False freezes both weights.
        thresholds_plastic: (n,) bool, False freezes `threshold`.
        traces_plastic: (n,) bool, False freezes the rule's four traces.
    """

    hidden_weight: Float
    readout_weight: Float
    potential: Float
    adaptation: Float
    threshold: Float
    readout_trace: Float
    pre_trace: Float
    hidden_post_trace: Float
    hidden_pre_trace: Float
    output_trace: Float
    output: Float
    steps: NDArray[np.int64]
    weights_plastic: NDArray[np.bool_]
    thresholds_plastic: NDArray[np.bool_]
    traces_plastic: NDArray[np.bool_]


class Spiking:
    """A plastic spiking network with one hidden layer and a graded read-out.

    With x the encoded observation, per spike step of dt = control_step_s / spike_steps:
        V ← α V + (1 - α) (W x + b);  z = [V ≥ V_th + β a], V ← 0 on a spike;  a ← ρ a + z
        r ← γ r + (1 - γ) z
    and per control step: action = tanh(W_out r + b_out), then the rule changes W and W_out; ABCD
    does so at the end of every `update_every`-th control step, for the whole time since then.
    The observation reaches the action only through the spikes z.

    Parameters: `hidden.weight` (n, h, o), `hidden.bias` (n, h), `readout.weight` (n, a, h),
    `readout.bias` (n, a), `hidden.membrane_decay` α and `hidden.readout_decay` γ per spike step and
    `hidden.threshold` V_th at birth, all (n, h), and `hidden.coefficients`, `readout.coefficients`
    (n, c, p, q): c = 5 for η (1/s), A, B, C, D, c = 2 for A₊, A₋; (p, q) by granularity.
    """

    hyperparameters: ClassVar[type] = SpikingHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: SpikingHyperparameters | None = None,
    ) -> None:
        self.kind = "spiking"
        self.hyper = hyper or SpikingHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        self._inverse_scale = inverse_scale(input_scale, observation_size)
        self._genome = _genome(self.hyper, observation_size, action_size)
        self._constants = _constants(self.hyper)

    @property
    def is_plastic(self) -> bool:
        """Whether weights or thresholds change in life."""
        return self.hyper.rule != "none" or self.hyper.homeostasis

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector; innate weights come first, coefficients after them."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into the named parameters of the class docstring."""
        genes = self._genome.split(genomes)
        innate = ("hidden.weight", "hidden.bias", "readout.weight", "readout.bias")
        parameters = {name: genes[name] for name in innate}
        parameters |= _dynamics(self.hyper, genes, len(genomes))
        names = {"abcd": ABCD_NAMES, "stdp": STDP_NAMES, "none": ()}[self.hyper.rule]
        for layer in ("hidden", "readout"):
            blocks = [expand(genes, f"{layer}.{name}") for name in names]
            # The static twin has no coefficients; the kernel still wants an array.
            nothing = np.zeros((genomes.shape[0], 1, 1, 1), np.float32)
            parameters[f"{layer}.coefficients"] = np.stack(blocks, axis=1) if blocks else nothing
        return parameters

    def new_state(self, n: int) -> SpikingState:
        """Allocate the state of `n` individuals, to be filled by `reset`."""
        o, h, a = self.observation_size, self.hyper.hidden, self.action_size
        shapes = [(h, o), (a, h), (h,), (h,), (h,), (h,), (o,), (h,), (h,), (a,), (a,)]
        return SpikingState(
            *(np.zeros((n, *shape), np.float32) for shape in shapes),
            steps=np.zeros(n, np.int64),
            weights_plastic=np.ones(n, np.bool_),
            thresholds_plastic=np.ones(n, np.bool_),
            traces_plastic=np.ones(n, np.bool_),
        )

    def reset(
        self,
        parameters: Parameters,
        state: SpikingState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives in the rows `ids`: innate weights and thresholds, all else zero."""
        del rngs
        state.hidden_weight[ids] = parameters["hidden.weight"][ids]
        state.readout_weight[ids] = parameters["readout.weight"][ids]
        state.threshold[ids] = parameters["hidden.threshold"][ids]
        for array in (
            state.potential,
            state.adaptation,
            state.readout_trace,
            state.pre_trace,
            state.hidden_post_trace,
            state.hidden_pre_trace,
            state.output_trace,
            state.output,
            state.steps,
        ):
            array[ids] = 0
        if self.hyper.max_normalisation:
            for row in ids:
                normalise_by_maximum(state.hidden_weight[row])
                normalise_by_maximum(state.readout_weight[row])

    def act(
        self, parameters: Parameters, state: SpikingState, observation: Float, feedback: Feedback
    ) -> Float:
        """Return actions (n, a) in [-1, 1] and advance `state`; rows not alive get zero."""
        n = state.potential.shape[0]
        action = np.empty((n, self.action_size), np.float32)
        learns = feedback.plastic & (self.hyper.rule != "none")
        act_spiking(
            read_observation(observation, n, self.observation_size),
            self._inverse_scale,
            feedback.alive,
            learns & state.weights_plastic,
            feedback.plastic & state.thresholds_plastic & self.hyper.homeostasis,
            learns & state.traces_plastic,
            dense(parameters["hidden.weight"]),
            state.hidden_weight,
            dense(parameters["hidden.bias"]),
            dense(parameters["hidden.coefficients"]),
            dense(parameters["hidden.membrane_decay"]),
            dense(parameters["hidden.readout_decay"]),
            dense(parameters["readout.weight"]),
            state.readout_weight,
            dense(parameters["readout.bias"]),
            dense(parameters["readout.coefficients"]),
            state.steps,
            state.potential,
            state.adaptation,
            state.threshold,
            state.readout_trace,
            state.pre_trace,
            state.hidden_post_trace,
            state.hidden_pre_trace,
            state.output_trace,
            state.output,
            self._constants,
            action,
        )
        return action

    def spikes(self, state: SpikingState) -> Spikes:
        """Return the spikes of all hidden units, as their filtered spikes tell.

        Its mean over a life is that of the spikes but for the first and last time constant.
        """
        spike_step_s = self.hyper.control_step_s / self.hyper.spike_steps
        per_s = state.readout_trace.sum(axis=1, dtype=np.float64) / spike_step_s
        graded = state.hidden_weight[0].size / self.hyper.control_step_s
        return Spikes(per_s, graded + self.action_size * per_s)

    def finish(self, state: SpikingState, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the last reward: these rules do not see rewards."""

    def learned(self, state: SpikingState) -> dict[str, Float]:
        """Return the live weights and thresholds."""
        return {
            "hidden.weight": state.hidden_weight,
            "readout.weight": state.readout_weight,
            "threshold": state.threshold,
        }

    def traces(self, state: SpikingState) -> dict[str, Trace]:
        """Return what to plot: firing rates, and what of weights and thresholds can change."""
        n = len(state.output)
        per_s = np.float32(self.hyper.spike_steps / self.hyper.control_step_s)
        traces = {"firing rates": Trace(state.readout_trace * per_s, "spikes/s")}
        if self.hyper.rule != "none":
            for name in ("hidden", "readout"):
                weight = getattr(state, f"{name}_weight")
                traces[f"{name} weights"] = Trace(weight.reshape(n, -1), kind="weight")
        if self.hyper.homeostasis:
            traces["thresholds"] = Trace(state.threshold)
        return traces


def _genome(hyper: SpikingHyperparameters, o: int, a: int) -> Genome:
    """Lay out the genes: gains make first brains fire at a healthy rate and move gently."""
    hidden = layer_genes("hidden", hyper.hidden, o, gain=2.0, bias_scale=0.5, bias_mean=0.7)
    readout = layer_genes("readout", a, hyper.hidden, gain=2.0, bias_scale=0.3, initial_std=QUIET)
    genes = [*hidden, *readout]
    if hyper.evolve_dynamics:
        # A unit of search about doubles or halves: for a threshold, what a weight does to an input.
        genes += [Gene(f"hidden.{name}", (hyper.hidden,), scale=0.5) for name in _DYNAMICS]
    layout = Coefficients(hyper.granularity, hyper.rank, hyper.rule_speed)
    if hyper.rule == "abcd":
        genes += abcd_genes("hidden", layout, hidden, (_TYPICAL_INPUT, _TYPICAL_RATE))
        genes += abcd_genes("readout", layout, readout, (_TYPICAL_RATE, _TYPICAL_OUTPUT))
    elif hyper.rule == "stdp":
        spike_step_s = hyper.control_step_s / hyper.spike_steps
        spikes_per_s = _TYPICAL_RATE / spike_step_s
        # Inputs and outputs are held, so each spike meets one graded event in every spike step.
        pairs_per_s = spikes_per_s * max(hyper.stdp_tau_plus_s / spike_step_s, 1.0)
        genes += stdp_genes("hidden", layout, hidden, pairs_per_s * _TYPICAL_INPUT)
        genes += stdp_genes("readout", layout, readout, pairs_per_s * _TYPICAL_OUTPUT)
    return Genome(tuple(genes))


def _dynamics(hyper: SpikingHyperparameters, genes: Parameters, n: int) -> Parameters:
    """Return α, γ and the first threshold of every hidden unit, each (n, h); see `Spiking`.

    A gene g, 0 at first, multiplies what the hyperparameters say by 4^tanh(g).
    """
    none = np.zeros((n, hyper.hidden), np.float32)
    membrane, readout, threshold = (
        _WIDEST ** np.tanh(genes.get(f"hidden.{name}", none).astype(np.float64))
        for name in _DYNAMICS
    )
    spike_step_s = hyper.control_step_s / hyper.spike_steps
    parameters = {
        "hidden.membrane_decay": np.exp(-spike_step_s / (hyper.membrane_tau_s * membrane)),
        "hidden.readout_decay": np.exp(-spike_step_s / (hyper.readout_tau_s * readout)),
        "hidden.threshold": threshold,
    }
    return {name: value.astype(np.float32) for name, value in parameters.items()}


def _constants(hyper: SpikingHyperparameters) -> Constants:
    """Turn time constants in seconds into decays per step."""
    spike_step_s = hyper.control_step_s / hyper.spike_steps
    # STDP acts in every control step.
    update_s = hyper.control_step_s * (1 if hyper.rule == "stdp" else hyper.update_every)
    strength = np.zeros(hyper.hidden, np.float32)
    adaptive = round(hyper.adaptive_fraction * hyper.hidden)
    strength[hyper.hidden - adaptive :] = hyper.adaptation_strength
    return Constants(
        rule=_RULES[hyper.rule],
        spike_steps=hyper.spike_steps,
        silence_hidden=hyper.silence_hidden,
        normalise=hyper.max_normalisation,
        update_every=hyper.update_every,
        adaptation_decay=decay(spike_step_s, hyper.adaptation_tau_s),
        adaptation_strength=strength,
        homeostatic_gain=np.float32(hyper.homeostasis_rate * hyper.control_step_s),
        homeostatic_target=np.float32(hyper.homeostasis_target),
        trace_decay=decay(hyper.control_step_s, hyper.trace_tau_s),
        plus_decay=decay(spike_step_s, hyper.stdp_tau_plus_s),
        minus_decay=decay(spike_step_s, hyper.stdp_tau_minus_s),
        update_s=np.float32(update_s),
        weight_bound=np.float32(hyper.weight_bound),
        forgotten=forgotten_share(update_s, hyper.forget_tau_s),
    )
