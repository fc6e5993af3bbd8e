"""One control step of the learners from reward, compiled, for all individuals at once."""

import math
from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from robolearn.agents.aim import displace, learn_aim, take_aim
from robolearn.agents.protocol import Float
from robolearn.neurons.compilation import compiled, kernel
from robolearn.neurons.encoder import encode
from robolearn.neurons.noise import normal_at
from robolearn.neurons.rate import weighted_sum
from robolearn.plasticity.bounds import bound
from robolearn.plasticity.eligibility import accumulate
from robolearn.plasticity.node_perturbation import perturbation_factor
from robolearn.plasticity.reward_modulated_hebb import activity_factor
from robolearn.plasticity.reward_prediction import learn_value, predict_mean
from robolearn.plasticity.task_sets import choose_set
from robolearn.plasticity.three_factor import modulate

HEBB, NODE_PERTURBATION = 0, 1
NAIVE, MEAN, CRITIC = 0, 1, 2
ZERO, ONE = np.float32(0.0), np.float32(1.0)


class Constants(NamedTuple):
    """What one agent's individuals share; scalars are float32 unless they count or switch."""

    rule: int
    prediction: int
    by_trial: bool
    per_context: bool
    synergies: Float  # (a, u)
    inputs: NDArray[np.int64]  # (k,) elements that enter as they are
    tuned: NDArray[np.int64]  # (m,) elements that the population code sees
    centres: Float  # (c, m), in units of the elements' scales
    inverse_widths: Float  # (m,)
    exploration: np.float32
    hold_steps: int
    eligibility_decay: np.float32
    prediction_rate: np.float32
    discount: np.float32
    learning_rate: np.float32
    weight_bound: np.float32
    aim: NDArray[np.int64]  # (k,) elements that are displaced
    aim_exploration: np.float32
    aim_learning_rate: np.float32
    contexts: int  # of a set
    task_sets: int
    surprise_rate: np.float32
    surprise_threshold: np.float32


@kernel
def act_three_factor(
    observation,
    inverse_scales,
    reward,
    trial_end,
    context,
    plastic,
    explore,
    alive,
    weight,
    eligibility,
    expectation,
    expects,
    value,
    value_trace,
    total_reward,
    modulator,
    features,
    noise,
    aim_weight,
    aim_origin,
    aim_noise,
    aim_shift,
    surprise,
    task_set,
    key,
    age,
    trial_age,
    constants,
    action,
):
    """Write the actions (n, a) and advance every state array in place; see `three_factor`."""
    for row in prange(observation.shape[0]):
        if alive[row]:
            x = np.empty(observation.shape[1], np.float32)
            encode(observation[row], inverse_scales, x)
            present = np.empty(features.shape[1], np.float32)
            if not constants.by_trial:  # a critic judges by what is seen now
                _encode_features(x, constants, present)
            if age[row] > 0:
                _hear(
                    reward[row],
                    trial_end[row],
                    context[row] if constants.per_context else 0,
                    task_set[row : row + 1],
                    plastic[row],
                    weight[row],
                    eligibility[row],
                    expectation[row],
                    expects[row],
                    value[row],
                    value_trace[row],
                    total_reward[row : row + 1],
                    modulator[row : row + 1],
                    surprise[row : row + 1],
                    features[row],
                    present,
                    aim_weight[row],
                    aim_origin[row],
                    aim_noise[row],
                    constants,
                )
                if trial_end[row]:
                    trial_age[row] = 0
            if constants.by_trial:  # the aim of a trial profits from the trial before
                if trial_age[row] == 0:
                    take_aim(
                        x,
                        constants.aim,
                        aim_weight[row, task_set[row]],
                        constants.aim_exploration if explore[row] else ZERO,
                        key[row],
                        age[row],
                        noise.shape[1],
                        aim_origin[row],
                        aim_noise[row],
                        aim_shift[row],
                    )
                displace(x, constants.aim, aim_shift[row])
                _encode_features(x, constants, present)
            features[row] = present
            if trial_age[row] % constants.hold_steps == 0 or not explore[row]:
                size = constants.exploration if explore[row] else ZERO
                for i in range(noise.shape[1]):
                    noise[row, i] = size * normal_at(key[row], age[row], i)
            activity = np.empty(noise.shape[1], np.float32)
            _excite(weight[row], present, noise[row], constants, activity)
            _drive(activity, constants, action[row])
            if plastic[row]:
                _remember(activity, noise[row], present, constants, eligibility[row])
            age[row] += 1
            trial_age[row] += 1
        else:
            for i in range(action.shape[1]):
                action[row, i] = ZERO


@compiled
def _encode_features(x, constants, out):
    """Write what the plastic synapses see: elements as they are, the population code, a 1."""
    direct = constants.inputs.shape[0]
    for k in range(direct):
        out[k] = x[constants.inputs[k]]
    units = constants.centres.shape[0]
    if units > 0:
        total = ZERO
        for unit in range(units):
            distance = ZERO
            for k in range(constants.tuned.shape[0]):
                off = x[constants.tuned[k]] - constants.centres[unit, k]
                off *= constants.inverse_widths[k]
                distance += off * off
            out[direct + unit] = math.exp(np.float32(-0.5) * distance)
            total += out[direct + unit]
        # Who stands far outside all fields excites none of them.
        scale = ONE / max(total, np.float32(1e-6))
        for unit in range(units):
            out[direct + unit] *= scale
    else:
        out[direct] = ONE


@compiled
def _excite(weight, features, noise, constants, activity):
    """Write the activity (u,) of the learning units of one individual."""
    for i in range(activity.shape[0]):
        activity[i] = noise[i] + weighted_sum(weight[i], ZERO, features)


@compiled
def _drive(activity, constants, action):
    """Write the action (a,) of one individual: its synergies, within ±1."""
    for i in range(action.shape[0]):
        action[i] = bound(weighted_sum(constants.synergies[i], ZERO, activity), ONE)


@compiled
def _remember(activity, noise, features, constants, eligibility):
    """Add the present step to the eligibility (u, f) of one individual."""
    factor = np.empty_like(activity)
    if constants.rule == HEBB:
        activity_factor(activity, factor)
    else:
        perturbation_factor(noise, constants.exploration * constants.exploration, factor)
    for i in range(factor.shape[0]):
        factor[i] /= np.float32(constants.hold_steps)
    accumulate(eligibility, factor, features, constants.eligibility_decay)


@compiled
def _hear(
    reward,
    trial_end,
    context,
    task_set,
    plastic,
    weight,
    eligibility,
    expectation,
    expects,
    value,
    value_trace,
    total_reward,
    modulator,
    surprise,
    features,
    present,
    aim_weight,
    aim_origin,
    aim_noise,
    constants,
):
    """Learn from the reward of the step before, for one individual."""
    modulator[0] = ZERO
    if math.isfinite(reward):  # a broken reward teaches nothing
        total_reward[0] += reward
    if plastic and (trial_end or not constants.by_trial):
        heard = total_reward[0]
        rate = constants.prediction_rate
        if constants.prediction == NAIVE:
            modulator[0] = heard
        elif constants.prediction == MEAN:
            mean = task_set[0] * constants.contexts + context
            if not expects[mean]:  # whoever expects nothing yet is not surprised
                expectation[mean], expects[mean] = heard, True
            modulator[0] = predict_mean(expectation, mean, heard, rate)
        else:
            modulator[0] = learn_value(
                value,
                value_trace,
                features,
                present,
                heard,
                trial_end,
                rate,
                constants.discount,
                ONE,
            )
        modulate(
            weight, eligibility, constants.learning_rate * modulator[0], constants.weight_bound
        )
    if trial_end or not constants.by_trial:
        total_reward[0] = ZERO
    if trial_end and plastic:
        eligibility[:] = ZERO
        learn_aim(
            aim_weight[task_set[0]],
            aim_noise,
            aim_origin,
            constants.aim_exploration * constants.aim_exploration,
            constants.aim_learning_rate * modulator[0],
            constants.weight_bound,
        )
        choose_set(
            surprise,
            task_set,
            modulator[0],
            constants.surprise_rate,
            constants.surprise_threshold,
            constants.task_sets,
        )
