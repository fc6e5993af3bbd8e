"""Learners from reward: one layer of plastic synapses, eligibility × modulator × stabiliser.

A second small layer, the aim, may displace what it sees, as people under a visuomotor rotation aim
beside the target (Mazzoni & Krakauer 2006, J. Neurosci. 26:3642).

Rules after Williams 1992 and Fiete & Seung 2006 (`plasticity.node_perturbation`), Frémaux et al.
2010 (`plasticity.reward_modulated_hebb`, `plasticity.reward_prediction`).
"""

import math
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.inputs import check_contexts, dense, inverse_scale, read_observation
from robolearn.agents.protocol import Feedback, Float, Gene, Genome, Parameters, Trace
from robolearn.agents.three_factor_hyperparameters import ThreeFactorHyperparameters
from robolearn.agents.three_factor_kernel import (
    CRITIC,
    HEBB,
    MEAN,
    NAIVE,
    NODE_PERTURBATION,
    Constants,
    act_three_factor,
)
from robolearn.errors import UserError
from robolearn.neurons.noise import draw_keys

_RULES = {"hebb": HEBB, "node_perturbation": NODE_PERTURBATION}
_PREDICTIONS = {"none": NAIVE, "global": MEAN, "context": MEAN, "critic": CRITIC}


@dataclass
class ThreeFactorState:
    """All that changes in a life; leading axis = individuals, float32 unless told.

    Two switches belong to the experimenter: on at first, births do not touch them, and each acts
    together with `feedback.plastic`.

    Attributes:
        weight: (n, u, f), the plastic synapses.
        eligibility: (n, u, f).
        expectation: (n, sets · contexts), expected reward, one set after the other.
        value: (n, f), weights of the critic.
        value_trace: (n, f), their eligibility.
        total_reward: (n,), heard since the last lesson.
        modulator: (n,), the third factor of the last step.
        features: (n, f), what the synapses saw in the last step.
        noise: (n, u), exploration in force.
        aim_weight: (n, sets, k, k), the plastic synapses of the aim.
        aim_origin: (n, k), elements that are displaced, as they were when the trial began.
        aim_noise: (n, k), exploration of the aim in this trial.
        aim_shift: (n, k), displacement in force, in typical magnitudes.
        surprise: (n,), running mean of the modulator since the set was brought up.
        task_set: (n,) int64, the set in use.
        key: (n,) uint64, of the noise.
        age: (n,) int64, control steps lived.
        trial_age: (n,) int64, control steps since the trial began.
        expects: (n, sets · contexts) bool, whether anything is expected yet.
        weights_plastic: (n,) bool, False freezes everything that learns.
    """

    weight: Float
    eligibility: Float
    expectation: Float
    value: Float
    value_trace: Float
    total_reward: Float
    modulator: Float
    features: Float
    noise: Float
    aim_weight: Float
    aim_origin: Float
    aim_noise: Float
    aim_shift: Float
    surprise: Float
    task_set: NDArray[np.int64]
    key: NDArray[np.uint64]
    age: NDArray[np.int64]
    trial_age: NDArray[np.int64]
    expects: NDArray[np.bool_]
    weights_plastic: NDArray[np.bool_]


class ThreeFactor:
    """One layer that learns from reward while it lives.

    With x the features (elements as they are, a population code, or a constant 1 where there is no
    code) and o the observation over its typical magnitudes:
        u = W x + ξ,  ξ ~ N(0, exploration²) held for `hold_steps`
        action = clip(S u, ±1),  S the synergies
        e ← λ e + f x / hold_steps,  f = u (hebb) or ξ / σ² (node_perturbation)
    and when reward is heard, with R its sum since the last time and M = R - prediction:
        W ← bound(W + η M e)
    A trial's end clears e. Where exploration is switched off, ξ is 0 at once; an aim that was taken
    holds until its trial ends.

    Where there is an aim, elements o_a of o are displaced for a whole trial, from their values at
    its start, and the aim learns from the same M:
        o_a(t) ← o_a(t) + d,  d = A o_a(0) + ζ,  ζ ~ N(0, aim_exploration²) drawn once a trial
        A ← bound(A + η_a M ζ o_a(0)ᵀ / aim_exploration²)
    So a change that all places share, such as a rotation, is learnt in the k² synapses of A. With
    `task_sets`, lasting disappointment changes A and the expectations for those of the next set.

    Claim: with node perturbation, `hold_steps` 1, credit by trial and no decay, the mean change of
    W is η times the gradient of the noise-smoothed expected reward of a trial, and of A η_a times
    its gradient. Noise that is held spares the search dimensions; the claim of W then holds where
    features change little meanwhile, and a hold that its trial cuts short counts by its share only.

    Parameters: `weight` (n, u, f) of u units, W at birth; the naive learner's is zero.

    Raises:
        UserError: a hyperparameter that does not fit the observation or the actions.
    """

    hyperparameters: ClassVar[type] = ThreeFactorHyperparameters

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None = None,
        hyper: ThreeFactorHyperparameters | None = None,
    ) -> None:
        self.kind = "three_factor"
        self.hyper = hyper or ThreeFactorHyperparameters()
        self.observation_size = observation_size
        self.action_size = action_size
        self._inverse_scale = inverse_scale(input_scale, observation_size)
        self._constants = _constants(self.hyper, self._inverse_scale, action_size)
        units = len(self._constants.centres)
        self.feature_size = len(self._constants.inputs) + max(units, 1)
        self.unit_size = self._constants.synergies.shape[1]
        layer = (self.unit_size, self.feature_size)
        self._genome = Genome((Gene("weight", layer, scale=0.1),))

    @property
    def is_plastic(self) -> bool:
        """Whether anything learns in life."""
        aims = bool(self.hyper.aim) and self.hyper.aim_learning_rate > 0
        return self.hyper.learning_rate > 0 or aims

    @property
    def learns_by_trial(self) -> bool:
        """Whether it learns when a trial ends, and so never in a life without trials."""
        return self.is_plastic and self.hyper.credit == "trial"

    @property
    def genome(self) -> Genome:
        """The layout of the flat vector: the weights at birth."""
        return self._genome

    def express(self, genomes: NDArray[Any]) -> Parameters:
        """Turn genomes (n, g) into `weight` (n, u, f)."""
        return self._genome.split(genomes)

    def new_state(self, n: int) -> ThreeFactorState:
        """Allocate the state of `n` individuals, to be filled by `reset`."""
        u, f = self.unit_size, self.feature_size
        sets, k = self.hyper.task_sets, len(self.hyper.aim)
        shapes = [(u, f)] * 2 + [(sets * self.hyper.contexts,), (f,), (f,), (), (), (f,), (u,)]
        shapes += [(sets, k, k), (k,), (k,), (k,), ()]
        return ThreeFactorState(
            *(np.zeros((n, *shape), np.float32) for shape in shapes),
            task_set=np.zeros(n, np.int64),
            key=np.zeros(n, np.uint64),
            age=np.zeros(n, np.int64),
            trial_age=np.zeros(n, np.int64),
            expects=np.zeros((n, sets * self.hyper.contexts), np.bool_),
            weights_plastic=np.ones(n, np.bool_),
        )

    def reset(
        self,
        parameters: Parameters,
        state: ThreeFactorState,
        ids: NDArray[np.int64],
        rngs: list[np.random.Generator],
    ) -> None:
        """Start new lives in the rows `ids`: innate weights, a key of noise, all else zero."""
        for array in (
            state.eligibility,
            state.value,
            state.value_trace,
            state.total_reward,
            state.modulator,
            state.features,
            state.noise,
            state.aim_weight,
            state.aim_origin,
            state.aim_noise,
            state.aim_shift,
            state.surprise,
            state.task_set,
            state.age,
            state.trial_age,
        ):
            array[ids] = 0
        expected = self.hyper.expectation
        state.expectation[ids] = expected or 0.0
        state.expects[ids] = expected is not None
        bound = self.hyper.weight_bound
        state.weight[ids] = np.clip(parameters["weight"][ids], -bound, bound)
        state.key[ids] = draw_keys(rngs)

    def act(
        self,
        parameters: Parameters,
        state: ThreeFactorState,
        observation: Float,
        feedback: Feedback,
    ) -> Float:
        """Return actions (n, a) in [-1, 1], learn and advance `state`; rows not alive get zero.

        Raises:
            UserError: a context that is none of `contexts`.
        """
        n = len(state.age)
        action = np.empty((n, self.action_size), np.float32)
        if self.hyper.prediction == "context":
            check_contexts(self.kind, "contexts", self.hyper.contexts, feedback.context)
        act_three_factor(
            read_observation(observation, n, self.observation_size),
            self._inverse_scale,
            dense(feedback.reward),
            feedback.trial_end,
            feedback.context,
            feedback.plastic & state.weights_plastic & self.is_plastic,
            feedback.explore,
            feedback.alive,
            state.weight,
            state.eligibility,
            state.expectation,
            state.expects,
            state.value,
            state.value_trace,
            state.total_reward,
            state.modulator,
            state.features,
            state.noise,
            state.aim_weight,
            state.aim_origin,
            state.aim_noise,
            state.aim_shift,
            state.surprise,
            state.task_set,
            state.key,
            state.age,
            state.trial_age,
            self._constants,
            action,
        )
        return action

    def finish(self, state: ThreeFactorState, feedback: Feedback, ids: NDArray[np.int64]) -> None:
        """Hand over the last reward: the life is over, and what it would teach serves nobody."""

    def traces(self, state: ThreeFactorState) -> dict[str, Trace]:
        """Return what to plot: the three factors, and what they are made of."""
        n = len(state.age)
        traces = {
            "weights": Trace(state.weight.reshape(n, -1), kind="weight"),
            "eligibility": Trace(state.eligibility.reshape(n, -1)),
            "reward prediction error": Trace(state.modulator[:, None], "reward", kind="event"),
            "exploration noise": Trace(state.noise),
        }
        if self.hyper.prediction == "critic":
            traces["critic's weights"] = Trace(state.value, "reward", kind="weight")
        elif self.hyper.prediction != "none":
            traces["expected reward"] = Trace(state.expectation, "reward")
        if self.hyper.aim:
            traces["weights of the aims"] = Trace(state.aim_weight.reshape(n, -1), kind="weight")
            traces["task set in use"] = Trace(state.task_set[:, None].astype(np.float32))
        return traces


def _constants(hyper: ThreeFactorHyperparameters, inverse_scales: Float, a: int) -> Constants:
    """Check indices and rows against the observation (o,) and lay the constants out."""
    o = len(inverse_scales)
    inputs = tuple(range(o)) if hyper.inputs is None else hyper.inputs
    tuning = [axis[0] for axis in hyper.tuning]
    for name, indices in (("inputs", inputs), ("tuning", tuning), ("aim", hyper.aim)):
        for index in indices:
            if index >= o:
                raise UserError(f"{name}: element {index} (valid: 0 to {o - 1})")
    synergies = np.array(hyper.synergies or np.eye(a), np.float32, ndmin=2)
    if len(synergies) != a:
        raise UserError(f"synergies: {len(synergies)} rows (valid: one for each of {a} actions)")
    tuned = np.array(tuning, np.int64)
    axes = [np.linspace(first, last, units) for _, first, last, units in hyper.tuning]
    centres = np.array(list(product(*axes)) if axes else np.zeros((0, 0)))  # (u, m)
    widths = [axis[1] - axis[0] for axis in axes]
    tau_s = hyper.eligibility_tau_s
    decay = 1.0 if tau_s is None else math.exp(-hyper.control_step_s / tau_s)
    return Constants(
        rule=_RULES[hyper.rule],
        prediction=_PREDICTIONS[hyper.prediction],
        by_trial=hyper.credit == "trial",
        per_context=hyper.prediction == "context",
        synergies=synergies,
        inputs=np.array(inputs, np.int64),
        tuned=tuned,
        centres=np.ascontiguousarray(centres * inverse_scales[tuned], np.float32),
        inverse_widths=(1.0 / (np.array(widths) * inverse_scales[tuned])).astype(np.float32),
        exploration=np.float32(hyper.exploration),
        hold_steps=hyper.hold_steps,
        eligibility_decay=np.float32(decay),
        prediction_rate=np.float32(hyper.prediction_rate),
        discount=np.float32(hyper.discount),
        learning_rate=np.float32(hyper.learning_rate),
        weight_bound=np.float32(hyper.weight_bound),
        aim=np.array(hyper.aim, np.int64),
        aim_exploration=np.float32(hyper.aim_exploration),
        aim_learning_rate=np.float32(hyper.aim_learning_rate),
        contexts=hyper.contexts,
        task_sets=hyper.task_sets,
        surprise_rate=np.float32(hyper.surprise_rate),
        surprise_threshold=np.float32(hyper.surprise_threshold),
    )
