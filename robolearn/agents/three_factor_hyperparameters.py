"""What one chooses of a learner from reward before its life: see `agents.three_factor`."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval, Len

from robolearn.agents.reflex import Reflex
from robolearn.errors import UserError

Index = Annotated[int, Interval(ge=0)]
Seconds = Annotated[float, Interval(gt=0, le=1e6)]
Fraction = Annotated[float, Interval(ge=0, le=1)]
# Element of the observation; the first and the last preferred value, in the element's unit; units.
Tuning = tuple[Index, float, float, Annotated[int, Interval(ge=2, le=100)]]

_MOST_FEATURES = 100_000


@dataclass(frozen=True)
class ThreeFactorHyperparameters:
    """What one chooses before a life. Indices are those of the env's card.

    Attributes:
        rule: what makes a synapse eligible: "hebb", the activity with its noise, or
            "node_perturbation", the noise alone, over its variance.
        inputs: elements of the observation that enter as they are; null for all, [] for none.
        tuning: a population code: [element, first, last, units] for each axis of a grid of Gaussian
            units whose preferred values lie evenly from first to last, in the element's unit; their
            distance is the standard deviation of a field.
        reflex: what is hard-wired under the brain (`agents.reflex`); empty for nothing.
        synergies: for every action, how much of it each learning unit drives: [[1], [-1]] is one
            unit that turns a robot on two wheels; empty: one unit for each action.
        exploration: σ of the noise on every unit.
        hold_steps: control steps for which a draw of the noise is held; a new trial draws anew.
        eligibility_tau_s: time constant of the eligibility, s; null: it does not decay.
        control_step_s: control step of the body, s.
        credit: when rewards are heard: "trial", their sum at its end, or "step".
        prediction: what is subtracted: nothing ("none"), the running mean of all rewards
            ("global"), of those in the same context ("context": the world tells the type of the
            trial), or a learned value of the state ("critic": the TD error; with credit "step").
        contexts: number of contexts that the world tells apart.
        expectation: what is expected at birth, in units of reward; null: what comes first.
        prediction_rate: by how much of its error a prediction moves.
        discount: γ of the critic, for a step.
        learning_rate: η; for node perturbation of the gradient itself, since ξ is over σ².
        weight_bound: weights stay within ± this.
        aim: elements of the observation that a layer of its own displaces, for a trial at a time,
            before the features see them (the reflex sees them as they are); empty for no such
            layer. With credit "trial".
        aim_exploration: σ of its noise, in typical magnitudes of the elements.
        aim_learning_rate: its η.
        task_sets: how many aims, each with its expectations, are kept (`plasticity.task_sets`).
        surprise_rate: by how much surprise moves to the latest M.
        surprise_threshold: disappointment that brings up the next set, in units of reward.
    """

    rule: Literal["hebb", "node_perturbation"] = "node_perturbation"
    inputs: tuple[Index, ...] | None = None
    tuning: Annotated[tuple[Tuning, ...], Len(0, 8)] = ()
    reflex: Reflex = ()
    synergies: tuple[tuple[float, ...], ...] = ()
    exploration: Annotated[float, Interval(gt=0, le=100)] = 0.1
    hold_steps: Annotated[int, Interval(ge=1, le=1_000_000)] = 1
    eligibility_tau_s: Seconds | None = None
    control_step_s: Seconds = 0.02
    credit: Literal["trial", "step"] = "trial"
    prediction: Literal["none", "global", "context", "critic"] = "context"
    contexts: Annotated[int, Interval(ge=1, le=10_000)] = 1
    expectation: Annotated[float, Interval(ge=-1e6, le=1e6)] | None = None
    prediction_rate: Fraction = 0.2
    discount: Fraction = 0.9
    learning_rate: Annotated[float, Interval(ge=0, le=1e6)] = 0.01
    weight_bound: Annotated[float, Interval(gt=0, le=1e6)] = 4.0
    aim: tuple[Index, ...] = ()
    aim_exploration: Annotated[float, Interval(gt=0, le=100)] = 0.1
    aim_learning_rate: Annotated[float, Interval(ge=0, le=1e6)] = 0.004
    task_sets: Annotated[int, Interval(ge=1, le=100)] = 1
    surprise_rate: Fraction = 0.03
    surprise_threshold: Annotated[float, Interval(gt=0, le=1e6)] = 0.1

    def __post_init__(self) -> None:
        if self.aim and self.credit != "trial":
            raise UserError("aim: it is taken for a trial, so credit must be 'trial'")
        if self.task_sets > 1 and not self.aim:
            raise UserError(f"task_sets = {self.task_sets}: without aim there is one (valid: 1)")
        if self.prediction == "critic" and self.credit != "step":
            raise UserError("prediction = 'critic': it values steps, so credit must be 'step'")
        units = math.prod(axis[3] for axis in self.tuning)
        if units > _MOST_FEATURES:
            raise UserError(f"tuning: a grid of {units} units (valid: up to {_MOST_FEATURES})")
        if len({len(row) for row in self.synergies}) > 1:
            raise UserError("synergies: every row should name the same number of units")
        for axis in self.tuning:
            if not axis[1] < axis[2]:
                raise UserError(f"tuning: {list(axis)}: first must be below last")
