"""One control step of the spiking brains, compiled, for all individuals at once."""

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from robolearn.agents.protocol import Float
from robolearn.neurons.compilation import compiled, kernel
from robolearn.neurons.encoder import encode
from robolearn.neurons.homeostasis import homeostatic_threshold
from robolearn.neurons.lif import (
    adapt,
    adaptive_threshold,
    filter_spike,
    fire,
    integrate_membrane,
)
from robolearn.neurons.rate import weighted_sum
from robolearn.plasticity.abcd import learn_abcd
from robolearn.plasticity.forgetting import forget
from robolearn.plasticity.max_normalisation import normalise_by_maximum
from robolearn.plasticity.stdp import learn_stdp

STATIC, ABCD, STDP = 0, 1, 2


class Constants(NamedTuple):
    """What one agent's individuals share; scalars are float32 unless they count or switch."""

    rule: int
    spike_steps: int
    silence_hidden: bool
    normalise: bool
    update_every: int  # of the ABCD rule, control steps
    adaptation_decay: np.float32
    adaptation_strength: Float  # (h,), 0 for plain LIF units
    homeostatic_gain: np.float32
    homeostatic_target: np.float32
    trace_decay: np.float32  # of the ABCD rule, over a control step
    plus_decay: np.float32  # of STDP, over a spike step
    minus_decay: np.float32
    update_s: np.float32  # of the ABCD rule, from one update to the next
    weight_bound: np.float32
    forgotten: np.float32  # share of a change of the weights that an update takes back


@kernel
def act_spiking(
    observation,
    inverse_scales,
    alive,
    weights_on,
    thresholds_on,
    traces_on,
    hidden_birth,
    hidden_weight,
    hidden_bias,
    hidden_coefficients,
    membrane_decay,
    readout_decay,
    readout_birth,
    readout_weight,
    readout_bias,
    readout_coefficients,
    steps,
    potential,
    adaptation,
    threshold,
    readout_trace,
    pre_trace,
    hidden_post_trace,
    hidden_pre_trace,
    output_trace,
    output,
    constants,
    action,
):
    """Write the actions (n, a) and advance every state array in place; see `spiking.Spiking`."""
    for row in prange(observation.shape[0]):
        if alive[row]:
            current_input = np.empty(observation.shape[1], np.float32)
            encode(observation[row], inverse_scales, current_input)
            current = np.empty(hidden_bias.shape[1], np.float32)
            for i in range(current.shape[0]):
                current[i] = weighted_sum(hidden_weight[row, i], hidden_bias[row, i], current_input)
            spike = np.empty_like(current)
            count = np.zeros_like(current)
            for _ in range(constants.spike_steps):
                _spike_step(
                    current,
                    potential[row],
                    adaptation[row],
                    threshold[row],
                    readout_trace[row],
                    membrane_decay[row],
                    readout_decay[row],
                    spike,
                    count,
                    constants,
                )
                if constants.rule == STDP:
                    learn_stdp(
                        hidden_weight[row],
                        current_input,
                        spike,
                        pre_trace[row],
                        hidden_post_trace[row],
                        hidden_coefficients[row],
                        constants.plus_decay,
                        constants.minus_decay,
                        weights_on[row],
                        traces_on[row],
                        constants.weight_bound,
                    )
                    # While these spikes fall, the motors still hold the action of the step before.
                    learn_stdp(
                        readout_weight[row],
                        spike,
                        output[row],
                        hidden_pre_trace[row],
                        output_trace[row],
                        readout_coefficients[row],
                        constants.plus_decay,
                        constants.minus_decay,
                        weights_on[row],
                        traces_on[row],
                        constants.weight_bound,
                    )
            if thresholds_on[row]:
                _move_thresholds(threshold[row], count, constants)
            for i in range(output.shape[1]):
                output[row, i] = math.tanh(
                    weighted_sum(readout_weight[row, i], readout_bias[row, i], readout_trace[row])
                )
            steps[row] += 1
            updates = constants.rule == STDP or steps[row] % constants.update_every == 0
            if constants.rule == ABCD:
                if traces_on[row]:
                    _filter(pre_trace[row], current_input, constants.trace_decay)
                    _filter(output_trace[row], output[row], constants.trace_decay)
                    hidden_post_trace[row] = readout_trace[row]
                if weights_on[row] and updates:
                    learn_abcd(
                        hidden_weight[row],
                        pre_trace[row],
                        hidden_post_trace[row],
                        hidden_coefficients[row],
                        constants.update_s,
                        constants.weight_bound,
                    )
                    learn_abcd(
                        readout_weight[row],
                        hidden_post_trace[row],
                        output_trace[row],
                        readout_coefficients[row],
                        constants.update_s,
                        constants.weight_bound,
                    )
            if weights_on[row] and updates:
                _stabilise(hidden_weight[row], hidden_birth[row], constants)
                _stabilise(readout_weight[row], readout_birth[row], constants)
            action[row] = output[row]
        else:
            action[row] = np.float32(0.0)


@compiled
def _spike_step(
    current,
    potential,
    adaptation,
    threshold,
    readout_trace,
    membrane_decay,
    readout_decay,
    spike,
    count,
    constants,
):
    """Advance the hidden units of one individual, all arrays (h,), by one spike step."""
    strength = constants.adaptation_strength
    for i in range(current.shape[0]):
        integrated = integrate_membrane(potential[i], current[i], membrane_decay[i])
        z, after = fire(integrated, adaptive_threshold(threshold[i], adaptation[i], strength[i]))
        if constants.silence_hidden:
            z = np.float32(0.0)
        potential[i] = after
        adaptation[i] = adapt(adaptation[i], z, constants.adaptation_decay)
        readout_trace[i] = filter_spike(readout_trace[i], z, readout_decay[i])
        spike[i] = z
        count[i] += z


@compiled
def _stabilise(weight, birth, constants):
    """Hold a changed layer (post, pre) in check, as far as that is asked for."""
    if constants.forgotten > 0:
        forget(weight, birth, constants.forgotten)
    if constants.normalise:
        normalise_by_maximum(weight)


@compiled
def _move_thresholds(threshold, count, constants):
    """Move thresholds (h,) after a control step in which the units fired `count` (h,) spikes."""
    for i in range(count.shape[0]):
        rate = count[i] / np.float32(constants.spike_steps)
        threshold[i] = homeostatic_threshold(
            threshold[i], rate, constants.homeostatic_target, constants.homeostatic_gain
        )


@compiled
def _filter(trace, activity, trace_decay):
    """Low-pass an activity into its trace, both (units,): x̄ ← γ x̄ + (1 - γ) x."""
    for i in range(trace.shape[0]):
        trace[i] = filter_spike(trace[i], activity[i], trace_decay)
