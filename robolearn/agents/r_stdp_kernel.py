"""One control step of the brains that learn by R-STDP, compiled, for all individuals at once."""

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from robolearn.neurons.compilation import compiled, kernel
from robolearn.neurons.encoder import encode, signed_current
from robolearn.neurons.homeostasis import homeostatic_threshold
from robolearn.neurons.lif import filter_spike, fire, integrate_membrane
from robolearn.neurons.noise import normal_at, uniform_at
from robolearn.neurons.rate import weighted_sum
from robolearn.plasticity.r_stdp import accumulate_stdp, dopamine_trace, learn_r_stdp
from robolearn.plasticity.reward_prediction import predict_mean


class Constants(NamedTuple):
    """What one agent's individuals share; scalars are float32 unless they count or switch."""

    spike_steps: int
    every_step: bool  # every step is judged, not every trial
    units: int  # of one population
    full_rate: np.float32  # spikes per spike step of an input at its typical magnitude
    membrane_decay: np.float32
    rate_decay: np.float32
    plus_decay: np.float32
    minus_decay: np.float32
    eligibility_decay: np.float32  # all of these over a spike step
    noise_decay: np.float32  # over a control step
    noise_std: np.float32
    dopamine_decay: np.float32  # over a control step
    inverse_reward_scale: np.float32
    prediction_rate: np.float32
    learning_step: np.float32  # learning rate × control step, s
    weight_bound: np.float32
    homeostatic_gain: np.float32  # of a control step
    homeostatic_target: np.float32  # spikes per spike step
    learned_limit: np.float32
    saturation_gain: np.float32  # learned action in units of its limit, per spike a spike step


@kernel
def act_r_stdp(
    observation,
    inverse_scales,
    reward,
    trial_end,
    context,
    weights_plastic,
    thresholds_plastic,
    traces_plastic,
    explore,
    alive,
    bias,
    coefficients,
    weight,
    eligibility,
    pre_trace,
    post_trace,
    potential,
    threshold,
    rate,
    noise,
    reward_sum,
    prediction,
    dopamine,
    key,
    clock,
    spike_count,
    constants,
    action,
):
    """Write the actions (n, a) and advance every state array in place; see `r_stdp.RSTDP`."""
    zero = np.float32(0.0)
    for row in prange(observation.shape[0]):
        if alive[row]:
            if traces_plastic[row] and clock[row] > 0:  # at birth there is nothing to judge
                reward_sum[row] += signed_current(reward[row], constants.inverse_reward_scale)
                released = zero
                if trial_end[row] or constants.every_step:
                    known = min(max(context[row], 0), prediction.shape[1] - 1)
                    released = predict_mean(
                        prediction[row], known, reward_sum[row], constants.prediction_rate
                    )
                    reward_sum[row] = zero
                d = dopamine_trace(dopamine[row], released, constants.dopamine_decay)
                dopamine[row] = d
            if weights_plastic[row]:
                learn_r_stdp(
                    weight[row],
                    eligibility[row],
                    dopamine[row],
                    constants.learning_step,
                    constants.weight_bound,
                )
            x = np.empty(observation.shape[1], np.float32)
            encode(observation[row], inverse_scales, x)
            chance = np.empty(2 * x.shape[0] + 1, np.float32)
            _spike_chances(x, chance, constants.full_rate)
            _move_noise(noise[row], key[row], clock[row], constants)
            spike = np.empty_like(chance)
            fired = np.empty(bias.shape[1], np.float32)
            heard, count = 0, 0
            for k in range(constants.spike_steps):
                draw = clock[row] * (constants.spike_steps + 1) + k + 1
                for j in range(chance.shape[0]):
                    spike[j] = np.float32(uniform_at(key[row], draw, j) < chance[j])
                    heard += int(spike[j])
                for i in range(fired.shape[0]):
                    current = weighted_sum(weight[row, i], zero, spike) / constants.full_rate
                    current += bias[row, i]
                    if explore[row]:
                        current += noise[row, i]
                    v = integrate_membrane(potential[row, i], current, constants.membrane_decay)
                    z, potential[row, i] = fire(v, threshold[row])
                    rate[row, i] = filter_spike(rate[row, i], z, constants.rate_decay)
                    fired[i] = z
                    count += int(z)
                if traces_plastic[row]:
                    accumulate_stdp(
                        eligibility[row],
                        spike,
                        fired,
                        pre_trace[row],
                        post_trace[row],
                        coefficients,
                        constants.plus_decay,
                        constants.minus_decay,
                        constants.eligibility_decay,
                    )
            if thresholds_plastic[row]:
                threshold[row] = homeostatic_threshold(
                    threshold[row],
                    np.float32(count) / np.float32(constants.spike_steps * fired.shape[0]),
                    constants.homeostatic_target,
                    constants.homeostatic_gain,
                )
            clock[row] += 1
            spike_count[row, 0] = heard
            spike_count[row, 1] = count
            _push_and_pull(rate[row], constants, action[row])
        else:
            action[row] = zero


@compiled
def _spike_chances(x, chance, full_rate):
    """Write the chance of a spike in a spike step, (2 o + 1,): positive parts, negative, one."""
    size = x.shape[0]
    zero, one = np.float32(0.0), np.float32(1.0)
    for j in range(size):
        chance[j] = min(full_rate * max(x[j], zero), one)
        chance[size + j] = min(full_rate * max(-x[j], zero), one)
    chance[2 * size] = full_rate


@compiled
def _move_noise(noise, key, clock, constants):
    """Advance the exploring currents (units,), an Ornstein-Uhlenbeck process, by a control step."""
    rho = constants.noise_decay
    fresh = constants.noise_std * np.float32(math.sqrt(np.float32(1.0) - rho * rho))
    for i in range(noise.shape[0]):
        draw = clock * (constants.spike_steps + 1)
        noise[i] = rho * noise[i] + fresh * normal_at(key, draw, i)


@compiled
def _push_and_pull(rate, constants, action):
    """Write the actions (a,): what the pushing units fire beyond the pulling."""
    one, m = np.float32(1.0), constants.units
    for k in range(action.shape[0]):
        difference = np.float32(0.0)
        for i in range(2 * k * m, (2 * k + 1) * m):
            difference += rate[i] - rate[i + m]
        drive = constants.saturation_gain * difference / np.float32(m)
        command = constants.learned_limit * math.tanh(drive)
        action[k] = min(max(command, -one), one)
