"""One control step of the recurrent networks, and the end of their trials, compiled."""

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from robolearn.agents.protocol import Float
from robolearn.neurons.compilation import compiled, kernel
from robolearn.neurons.encoder import encode
from robolearn.neurons.noise import uniform_at
from robolearn.neurons.rate import weighted_sum
from robolearn.plasticity.recurrent_node_perturbation import (
    accumulate_cubed,
    learn_from_trial,
    running_mean,
)

BIAS: Float = np.array([1.0, -1.0, 1.0], np.float32)
"""The constant activity of the last units."""


class Constants(NamedTuple):
    """What one agent's individuals share."""

    substeps: int
    acting: int  # units whose activity is the action, the first ones
    plastic_units: int  # units whose weights change, the first ones
    is_cubed: bool  # trace of cubed deviations; else of the perturbations themselves
    leak: np.float32  # dt / τ
    chance: float  # of a perturbation of a unit in a step of the network
    kick: float  # half width of a perturbation of x
    mean_keep: np.float32
    rate: np.float32
    change_limit: np.float32
    warm_up_trials: int
    resets: bool
    clear_at: int  # control step of a trial at which activity is put back, 0 for never


@kernel
def act_recurrent(
    observation,
    inverse_scales,
    alive,
    learns,
    explores,
    recurrent_weight,
    input_weight,
    initial,
    potential,
    mean_potential,
    eligibility,
    trial_steps,
    noise_steps,
    noise_key,
    constants,
    action,
):
    """Write the actions (n, a) and advance potentials, means and traces in place."""
    for row in prange(observation.shape[0]):
        if alive[row]:
            current_input = np.empty(observation.shape[1], np.float32)
            encode(observation[row], inverse_scales, current_input)
            units = potential.shape[1]
            drive = np.empty(units, np.float32)
            for i in range(units):
                drive[i] = weighted_sum(input_weight[row, i], np.float32(0.0), current_input)
            x, mean = potential[row], mean_potential[row]
            if constants.clear_at > 0 and trial_steps[row] == constants.clear_at:
                x[:] = initial[row]
                mean[:] = initial[row]
            rate = np.empty(units, np.float32)
            perturbation = np.zeros(units, np.float32)
            read_rates(x, rate)
            trace = eligibility[row, : constants.plastic_units]
            for _ in range(constants.substeps):
                if explores[row]:
                    # Whose weights cannot learn from it is not perturbed.
                    perturbed = perturbation[: constants.plastic_units]
                    draw_perturbations(noise_key[row], noise_steps[row], constants, perturbed)
                noise_steps[row] += 1
                advance(recurrent_weight[row], drive, rate, perturbation, constants.leak, x)
                if learns[row] and constants.is_cubed:
                    deviation = x[: constants.plastic_units] - mean[: constants.plastic_units]
                    accumulate_cubed(trace, deviation, rate)
                    running_mean(mean, x, constants.mean_keep)
                elif learns[row]:
                    accumulate_perturbed(trace, perturbation, rate)
                read_rates(x, rate)
            trial_steps[row] += 1
            action[row] = rate[: action.shape[1]]
        else:
            action[row] = np.float32(0.0)


@kernel
def end_trials(
    over,
    learns,
    trial_type,
    recurrent_weight,
    initial,
    potential,
    mean_potential,
    eligibility,
    mean_error,
    trial_error,
    trials,
    trial_steps,
    constants,
):
    """Let the rows in `over` (n,) learn from the trial that has ended, and begin the next."""
    for row in prange(over.shape[0]):
        if over[row]:
            if learns[row]:
                warm = trials[row] >= constants.warm_up_trials
                learn_from_trial(
                    recurrent_weight[row, : constants.plastic_units],
                    eligibility[row, : constants.plastic_units],
                    trial_error[row],
                    mean_error[row],
                    trial_type[row],
                    constants.rate if warm else np.float32(0.0),
                    constants.change_limit,
                )
                eligibility[row] = np.float32(0.0)
            if constants.resets:
                potential[row] = initial[row]
                mean_potential[row] = initial[row]
            trial_error[row] = np.float32(0.0)
            trials[row] += 1
            trial_steps[row] = 0


@compiled
def advance(weight, drive, rate, perturbation, leak, x):
    """Advance x (N,) of one individual by a step: x ← x + (dt / τ)(-x + J r + drive) + ξ."""
    for i in range(x.shape[0]):
        x[i] += leak * (weighted_sum(weight[i], drive[i], rate) - x[i]) + perturbation[i]


@compiled
def read_rates(x, rate):
    """Write r = tanh x (N,), and the constants of the last units."""
    inner = x.shape[0] - BIAS.shape[0]
    for i in range(inner):
        rate[i] = math.tanh(x[i])
    for k in range(BIAS.shape[0]):
        rate[inner + k] = BIAS[k]


@compiled
def draw_perturbations(key, step, constants, perturbation):
    """Write ξ of the units that are perturbed: uniform within ±kick with `chance`, else 0."""
    for i in range(perturbation.shape[0]):
        draw = uniform_at(key, step, i)
        # What is left of a draw below the chance is uniform too.
        happens = draw < constants.chance
        size = constants.kick * (2.0 * draw / constants.chance - 1.0) if happens else 0.0
        perturbation[i] = np.float32(size)


@compiled
def accumulate_perturbed(eligibility, perturbation, pre):
    """Add ξ_i r_j to the trace: `plasticity.eligibility.accumulate` without decay, skipping zeros.

    Args:
        eligibility: (post, pre) float32, zero at the start of a trial.
        perturbation: (at least post,) float32.
        pre: (pre,) float32, r of the step before.
    """
    for i in range(eligibility.shape[0]):
        trace, size = eligibility[i], perturbation[i]
        if size != 0:
            for j in range(trace.shape[0]):
                trace[j] += size * pre[j]
