"""One control step of the neuromodulated brains, compiled, for all individuals at once."""

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from robolearn.neurons.compilation import compiled, kernel
from robolearn.neurons.encoder import encode, signed_current
from robolearn.neurons.lif import filter_spike, fire, integrate_membrane
from robolearn.neurons.rate import rate_layer, weighted_sum
from robolearn.plasticity.neuromodulated import learn_retroactive, learn_simple

STATIC, SIMPLE, RETROACTIVE = 0, 1, 2

# An event of a single step, so it is felt more than what is there all the time.
TRIAL_END = np.float32(2.0)


class Constants(NamedTuple):
    """What one agent's individuals share; scalars are float32 unless they count or switch."""

    spiking: bool
    rule: int
    spike_steps: int
    silence_hidden: bool
    inverse_reward_scale: np.float32
    membrane_decay: np.float32  # over a spike step
    readout_decay: np.float32
    trace_decay: np.float32  # over a control step; 0 for rate units
    eligibility_rate: np.float32  # η, a control step
    trace_bound: np.float32


@kernel
def act_neuromodulated(
    observation,
    reward,
    trial_end,
    inverse_scales,
    alive,
    traces_on,
    eligibility_on,
    hidden_weight,
    hidden_bias,
    readout_weight,
    readout_bias,
    alpha,
    modulator_weight,
    modulator_bias,
    fan_out,
    hidden,
    potential,
    output,
    output_trace,
    trace,
    eligibility,
    modulator,
    constants,
    action,
):
    """Write the actions (n, a) and advance every state array; see `neuromodulated`."""
    for row in prange(observation.shape[0]):
        if alive[row]:
            o = observation.shape[1]
            u = np.empty(hidden_weight.shape[2], np.float32)
            encode(observation[row], inverse_scales, u[:o])
            u[o] = signed_current(reward[row], constants.inverse_reward_scale)
            u[o + 1] = TRIAL_END if trial_end[row] else np.float32(0.0)
            u[o + 2 :] = output[row]
            if constants.spiking:
                _fire_hidden(
                    hidden_weight[row], hidden_bias[row], u, potential[row], hidden[row], constants
                )
            else:
                rate_layer(hidden_weight[row], hidden_bias[row], u, hidden[row])
            _read_out(
                readout_weight[row],
                readout_bias[row],
                alpha[row],
                trace[row],
                hidden[row],
                output[row],
            )
            if constants.rule != STATIC:
                _modulate(
                    modulator_weight[row],
                    modulator_bias[row],
                    fan_out[row],
                    hidden[row],
                    modulator[row],
                )
                if eligibility_on[row]:
                    for i in range(output.shape[1]):
                        output_trace[row, i] = filter_spike(
                            output_trace[row, i], output[row, i], constants.trace_decay
                        )
                _learn(
                    trace[row],
                    eligibility[row],
                    modulator[row],
                    output_trace[row],
                    hidden[row],
                    traces_on[row],
                    eligibility_on[row],
                    constants,
                )
            action[row] = output[row]
        else:
            action[row] = np.float32(0.0)


@compiled
def _fire_hidden(weight, bias, u, potential, rate, constants):
    """Let LIF units (h,) fire for a control step; `rate` (h,) is their filtered spikes, 0..1."""
    for i in range(rate.shape[0]):
        current = weighted_sum(weight[i], bias[i], u)
        for _ in range(constants.spike_steps):
            integrated = integrate_membrane(potential[i], current, constants.membrane_decay)
            z, potential[i] = fire(integrated, np.float32(1.0))
            if constants.silence_hidden:
                z = np.float32(0.0)
            rate[i] = filter_spike(rate[i], z, constants.readout_decay)


@compiled
def _read_out(weight, bias, alpha, trace, hidden, output):
    """Compute y_i = tanh(b_i + Σ_j (w_ij + α_ij H_ij) h_j); alpha is (a, h), (a, 1) or (1, 1)."""
    for i in range(output.shape[0]):
        k = i if alpha.shape[0] > 1 else 0
        total = bias[i]
        for j in range(hidden.shape[0]):
            a = alpha[k, j] if alpha.shape[1] > 1 else alpha[k, 0]
            total += (weight[i, j] + a * trace[i, j]) * hidden[j]
        output[i] = math.tanh(total)


@compiled
def _modulate(weight, bias, fan_out, hidden, modulator):
    """Compute M_i = Σ_k f_ik tanh(b_k + Σ_j v_kj h_j) for every output i."""
    for i in range(modulator.shape[0]):
        modulator[i] = np.float32(0.0)
    for k in range(bias.shape[0]):
        m = math.tanh(weighted_sum(weight[k], bias[k], hidden))
        for i in range(modulator.shape[0]):
            modulator[i] += fan_out[i, k] * m


@compiled
def _learn(trace, eligibility, modulator, post, pre, traces_on, eligibility_on, constants):
    """Apply the rule to H and E (a, h); what is switched off keeps its bits."""
    if constants.rule == SIMPLE:
        if traces_on:
            learn_simple(trace, modulator, post, pre, constants.trace_bound)
    elif traces_on and eligibility_on:
        rate, bound = constants.eligibility_rate, constants.trace_bound
        learn_retroactive(trace, eligibility, modulator, post, pre, rate, bound)
    elif traces_on or eligibility_on:
        # The rule moves both; the one that is frozen moves in a copy.
        h = trace if traces_on else trace.copy()
        e = eligibility if eligibility_on else eligibility.copy()
        rate, bound = constants.eligibility_rate, constants.trace_bound
        learn_retroactive(h, e, modulator, post, pre, rate, bound)
