"""The adaptation protocol: which shifts an agent meets, when, how often, and which are new to it.

`robolearn.adaptation.protocol_file` reads it from YAML. The time of a life with `trials` is a
number of trials: what the code calls seconds is then trials.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robolearn.adaptation.seen import Seen, seen_in_training
from robolearn.errors import UserError
from robolearn.learning.evolution import TEST, VALIDATION
from robolearn.shifts import Shift, ShiftPlan, make_shift, parse_shift
from robolearn.shifts.plan import possible_values
from robolearn.worlds import World

# Share of the life that has passed when the shift begins.
ONSETS: dict[str, Any] = {
    "birth": 0.0,
    "early": 0.2,
    "mid_life": {"uniform": [0.45, 0.55]},
    "late": 0.8,
}
SEEDS = {"test": TEST, "validation": VALIDATION}
EVERY_LEG = "every"
_MOST = {"episodes": 10_000, "trials": 100_000}

# Kinds that a task reads as a trial begins: before a clock hears that the one before has ended.
_READ_AS_A_TRIAL_BEGINS = ("probe",)

# Purpose key of the stream that draws what befalls a life; envs own 1 and brains 2.
_CONDITION_STREAM = 3


@dataclass(frozen=True)
class Condition:
    """One way in which lives are disturbed.

    Attributes:
        name: the shift as written on the command line, such as "limb_damage:front_left:dead".
        plans: what happens, with onsets in seconds of life.
        group: what the condition shares with those of other legs, such as "limb_damage:dead", or of
            other severities, such as "motor_gain:all".
        leg: the one leg that is hurt; None if none or several are.
        seen: whether the agent could meet this shift in training, at whatever onset: "seen" is
            always, "partly" for part of the values that the condition draws, "unseen" never.
            "symmetric" is new in place only: training hurt another leg so, which the same weights
            drive.
    """

    name: str
    plans: tuple[ShiftPlan, ...]
    group: str
    leg: str | None
    seen: Seen

    def draw(
        self, world: World, life_seed: int, tick: float | None = None
    ) -> tuple[tuple[ShiftPlan, ...], int]:
        """Draw what happens in one life.

        The draw is keyed by the life alone, so conditions of fixed values with the same law of
        onset begin at the same instant of a life: they are compared on equal terms and share their
        intact twins. A condition that draws values draws them first, so its instant is another.

        Args:
            world: whose shifts they are.
            life_seed: of the life.
            tick: the grid of times: a control step in s, also the default, or one trial.

        Returns:
            The plans with one value each, times on the grid, and the tick of the first onset.

        Raises:
            ValueError: a plan does not happen in this life.
        """
        tick = world.control_step_s if tick is None else tick
        rng = np.random.default_rng([life_seed, _CONDITION_STREAM])
        plans = [_fix(self.plans[0], world, rng, tick)]
        # What comes back is what went.
        plans += [_at_times_of(later, plans[0], tick) for later in self.plans[1:]]
        return tuple(plans), min(round(plan.onset_s / tick) for plan in plans)


@dataclass(frozen=True)
class Protocol:
    """What is asked of every agent alike.

    Attributes:
        name: of the file, without its ending.
        templates: the conditions as written: mappings, or texts of the command line.
        onset: a name in `ONSETS`.
        episodes: lives under each condition.
        seeds: a name in `SEEDS`: which of a seed's lives, disjoint from those of training.
        life_s: length of a life in s; None for the env's own.
        walks_above: an episode whose intact twin has no higher mean performance than this, in the
            task's unit, counts as a failure.
        spans: shares of the life at which the shift comes and goes, in place of `onset`.
        trials: number of trials of a life whose time is counted in trials; None: in seconds.
        parameters: of the task, in place of those of training.
        yoke: plastic brains have twins, too, that change as another life's brain does.

    Raises:
        UserError: the number of episodes or of trials is no whole number, or out of range; `yoke`
            is neither true nor false, or has only one episode, or time is counted in trials.
    """

    name: str
    templates: tuple[dict[str, Any] | str, ...]
    onset: str = "mid_life"
    episodes: int = 8
    seeds: str = "test"
    life_s: float | None = None
    walks_above: float = 0.05
    spans: tuple[tuple[float, float], ...] = ()
    trials: int | None = None
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    yoke: bool = False

    def __post_init__(self) -> None:
        """Check the counts, and that every life has another to be yoked to."""
        for key, most in _MOST.items():
            value = getattr(self, key)
            if value is None and key == "trials":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise UserError(f"{key} must be a whole number from 1 to {most}, got {value!r}")
        if not isinstance(self.yoke, bool):
            raise UserError(f"yoke must be true or false, got {self.yoke!r}")
        if self.yoke and (self.episodes < 2 or self.trials is not None):
            raise UserError("yoke: needs at least 2 episodes, and time that is counted in seconds")

    def tick(self, world: World) -> float:
        """Return the grid of times: a control step in seconds, or one trial."""
        return world.control_step_s if self.trials is None else 1.0

    def length(self, world: World) -> float:
        """Return the length of a life in seconds, or in trials."""
        if self.trials is not None:
            return float(self.trials)
        return self.life_steps(world) * world.control_step_s

    def life_steps(self, world: World, trial_steps: int = 0) -> int:
        """Return the length of a life in control steps; with trials, of the longest.

        Args:
            world: of the life.
            trial_steps: control steps of the longest trial; asked for with `trials` alone.

        Raises:
            UserError: neither the protocol nor the world has a length.
        """
        if self.trials is not None:
            return self.trials * trial_steps
        if self.life_s is not None:
            return max(1, round(self.life_s / world.control_step_s))
        steps = world.definition.get("max_episode_steps")
        if steps is None:
            raise UserError(
                f"protocol {self.name}: {world.name} has no length of life of its own, give life_s"
            )
        return int(steps)

    def conditions(
        self,
        world: World,
        trained_on: tuple[ShiftPlan, ...] = (),
        alike: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Condition]:
        """Return the conditions for a body, in the order of the file.

        Args:
            world: whose legs `every` stands for.
            trained_on: what could happen in the lives of training.
            alike: for each leg, the other legs that the same weights drive; None for none.

        Raises:
            UserError: a condition does not fit the world or the life, or stands there twice.
        """
        length, tick = self.length(world), self.tick(world)
        conditions: dict[str, Condition] = {}
        for template in self.templates:
            for text, plan in _plans(template, world, self._onset(length)):
                try:
                    plan.check(world, length)
                except UserError as error:
                    raise UserError(f"protocol {self.name}: {error}") from None
                _check_onset(text, plan, length, tick)
                if self.trials is not None:
                    _check_by_trial(text, plan, world, self.name)
                shifts = _possible_shifts(plan, world)
                traits = {_group_and_leg(shift, world) for shift in shifts}
                group, leg = traits.pop() if len(traits) == 1 else (plan.kind, None)
                name = text or shifts[0].label
                if name in conditions:
                    raise UserError(f"protocol {self.name}: condition {name!r} stands there twice")
                seen = seen_in_training(shifts, trained_on, world, alike or {})
                plans = self._spread(plan, length) if self.spans and "@" not in text else (plan,)
                conditions[name] = Condition(name, plans, group, leg, seen)
        return list(conditions.values())

    def with_shifts(self, texts: list[str] | tuple[str, ...]) -> "Protocol":
        """Return this protocol with other conditions, one for each text of the command line.

        A text that gives no time, such as "limb_damage:front_left:dead", follows the protocol's
        onset; "@0s" is at birth. A comma in a text draws one of several values for each episode.

        Raises:
            UserError: a text cannot be read, or there is none.
        """
        if not texts:
            raise UserError("expected at least one shift")
        for text in texts:
            parse_shift(text)
        return dataclasses.replace(self, name=f"{self.name} (own shifts)", templates=tuple(texts))

    def _onset(self, length: float) -> Any:
        share = self.spans[0][0] if self.spans else ONSETS[self.onset]
        if isinstance(share, dict):
            return {"uniform": [length * bound for bound in share["uniform"]]}
        return length * share

    def _spread(self, plan: ShiftPlan, length: float) -> tuple[ShiftPlan, ...]:
        """Return a plan once for each span."""
        return tuple(
            dataclasses.replace(
                plan, onset_s=length * begin, end_s=None if end >= 1 else length * end
            )
            for begin, end in self.spans
        )


def _plans(
    template: dict[str, Any] | str, world: World, onset_s: Any
) -> list[tuple[str, ShiftPlan]]:
    """Return (text, plan) of each condition of a template; a mapping has no text."""
    if isinstance(template, str):
        plan = parse_shift(template)
        untimed = "@" not in template
        return [(template, dataclasses.replace(plan, onset_s=onset_s) if untimed else plan)]
    choices = []
    for key, value in template.items():
        if value == EVERY_LEG:
            if not world.legs:
                raise UserError(f"{key}: {EVERY_LEG}: {world.name} has no legs")
            choices.append(list(world.legs))
        else:
            choices.append(value if isinstance(value, list) else [value])
    combinations = itertools.product(*choices)
    mappings = [dict(zip(template, values, strict=True)) for values in combinations]
    return [("", ShiftPlan.from_mapping({**m, "onset_s": onset_s})) for m in mappings]


def _check_onset(text: str, plan: ShiftPlan, length: float, tick: float) -> None:
    """Raise UserError if the plan leaves too little life to measure."""
    latest = max(possible_values(plan.onset_s))
    # The metrics need an early window, a tenth of the life, and a tick after it.
    if latest > 0.9 * length - tick:
        raise UserError(
            f"{text or plan.kind}: an onset at {latest:g} s leaves less than a tenth of the life "
            f"({length:g} s) to measure"
        )


def _check_by_trial(text: str, plan: ShiftPlan, world: World, protocol: str) -> None:
    """Raise UserError if the plan cannot begin and end between two trials of given numbers."""
    if any(np.isfinite(shift.lasts_s(world)) for shift in plan.shifts(world)):
        why = "is over after a time in seconds"
    elif plan.kind in _READ_AS_A_TRIAL_BEGINS:
        why = "acts from the next trial on, one too late"
    else:
        return
    raise UserError(
        f"{text or plan.kind}: protocol {protocol} counts time in trials, and {plan.kind} {why} "
        "(valid: a protocol that counts time in seconds)"
    )


def _at_times_of(later: ShiftPlan, fixed: ShiftPlan, tick: float) -> ShiftPlan:
    """Return `fixed` with the times of another span, on the grid of `tick`."""
    end = None if later.end_s is None else round(later.end_s / tick) * tick
    return dataclasses.replace(fixed, onset_s=round(later.onset_s / tick) * tick, end_s=end)


def _fix(plan: ShiftPlan, world: World, rng: np.random.Generator, tick: float) -> ShiftPlan:
    """Draw one life's case of a plan."""
    drawn = plan.draw(world, rng)
    if drawn is None:
        raise ValueError(f"{plan.kind}: a shift of a protocol must happen, its probability be 1")
    shift, onset_s, end_s = drawn
    return ShiftPlan(
        kind=plan.kind,
        values=dataclasses.asdict(shift),
        onset_s=round(onset_s / tick) * tick,
        end_s=None if np.isinf(end_s) else round(end_s / tick) * tick,
    )


def _possible_shifts(plan: ShiftPlan, world: World) -> list[Shift]:
    """Return the shifts that a plan may draw, uniform ranges at their ends and middle."""
    choices = []
    for value in plan.values.values():
        possible = possible_values(value)
        # A range that training drew from may lie within this one and hold neither of its ends.
        middle = [float(np.mean(possible))] if isinstance(value, dict) else []
        choices.append([*possible, *middle])
    return [
        make_shift(plan.kind, world, **dict(zip(plan.values, values, strict=True)))
        for values in itertools.product(*choices)
    ]


def _group_and_leg(shift: Shift, world: World) -> tuple[str, str | None]:
    """Return the group of `Condition` and the one leg that is hurt, from the shift's label."""
    kind, *values = shift.label.split(":")
    legs = shift.legs(world)
    if len(legs) != 1:
        return ":".join([kind, *(value for value in values if not _is_number(value))]), None
    has_leg_field = any(field.name == "leg" for field in dataclasses.fields(shift))
    rest = ["leg" if value == legs[0] else value for value in values]
    if has_leg_field:  # which names the leg, or a joint of it
        rest = [value for value in rest if value != "leg"]
    return ":".join([kind, *rest]), legs[0]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
