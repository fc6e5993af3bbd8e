"""What may happen to a body in a life: shifts that are fixed or drawn, and how they are written."""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError, unknown_name
from robolearn.shifts.shift import Shift, check_parameters, kind_of, make_shift, number, shift_kind
from robolearn.worlds import World

# Purpose key of the stream that draws shifts; resets own the plain stream of the seed.
_SHIFT_STREAM = 1

_TIME = r"(\d+(?:\.\d+)?)s?"
_WHEN = re.compile(rf"^{_TIME}(?:\.\.{_TIME})?(?:-{_TIME})?$")


@dataclass(frozen=True)
class ShiftPlan:
    """A shift that is fixed, or drawn anew for every individual and life.

    Every value of `values`, `onset_s` and `end_s` is a fixed value, a list (one is chosen, all
    alike), or `{"uniform": [low, high]}`. A list of times may hold such ranges: at birth or in
    mid-life is `[0, {"uniform": [4, 6]}]`.

    Attributes:
        kind: name of the shift.
        values: its parameters by name.
        mildest: numbers or ranges of some of them with which evolution begins; `at` lies between.
        onset_s: when it begins, seconds of life; 0 is at birth.
        end_s: when it ends; None lets it last.
        probability: of happening at all in a life.
        iterations: (from, until) in training, generations of evolution, in which it may happen;
            until None is the end. Plans of several stages make a curriculum.
    """

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    onset_s: Any = 0.0
    end_s: Any = None
    probability: float = 1.0
    iterations: tuple[int, int | None] = (0, None)
    mildest: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any]) -> "ShiftPlan":
        """Read the YAML form: `kind`, the shift's parameters and the other attributes of a plan.

        Raises:
            UserError: unknown kind or parameter, or a time, probability or span of iterations that
                is none.
        """
        rest = dict(mapping)
        kind = kind_of(mapping)
        del rest["kind"]
        plan = cls(
            kind=kind,
            onset_s=rest.pop("onset_s", 0.0),
            end_s=rest.pop("end_s", None),
            probability=number(rest.pop("probability", 1.0), f"{kind}: probability", 0.0, 1.0),
            iterations=_read_iterations(rest.pop("iterations", [0, None]), kind),
            mildest=_read_mildest(rest.pop("mildest", {}), kind, rest),
            values=rest,
        )
        check_parameters(kind, rest)
        for name, value in rest.items():
            possible_values(value)
            if isinstance(value, list) and any(isinstance(choice, dict) for choice in value):
                raise UserError(
                    f"{kind}: {name}: only a list of times may hold ranges, got {value}"
                )
        onsets = [number(x, f"{kind}: onset_s", 0.0) for x in possible_values(plan.onset_s)]
        if plan.end_s is not None:
            ends = [number(x, f"{kind}: end_s", 0.0) for x in possible_values(plan.end_s)]
            if min(ends) <= max(onsets):
                raise UserError(f"{kind}: end_s {min(ends):g} is not after onset_s {max(onsets):g}")
        return plan

    def to_mapping(self) -> dict[str, Any]:
        """Return the YAML form."""
        mapping = {"kind": self.kind, **self.values}
        if self.onset_s != 0.0:
            mapping["onset_s"] = self.onset_s
        if self.end_s is not None:
            mapping["end_s"] = self.end_s
        if self.probability != 1.0:
            mapping["probability"] = self.probability
        if self.iterations != (0, None):
            mapping["iterations"] = list(self.iterations)
        if self.mildest:
            mapping["mildest"] = self.mildest
        return mapping

    def at(self, severity: float) -> "ShiftPlan":
        """Return the plan of one severity, from `mildest` at 0 to `values` at 1."""
        values = dict(self.values)
        for name, mild in self.mildest.items():
            ends = zip(_ends(mild), _ends(values[name]), strict=True)
            values[name] = {"uniform": [(1 - severity) * a + severity * b for a, b in ends]}
        return replace(self, values=values, mildest={})

    def at_any_severity(self) -> "ShiftPlan":
        """Return the plan that draws from all that lies between `mildest` and `values`."""
        values = dict(self.values)
        for name, mild in self.mildest.items():
            ends = (*_ends(mild), *_ends(values[name]))
            values[name] = {"uniform": [min(ends), max(ends)]}
        return replace(self, values=values, mildest={})

    def check(self, world: World, life_s: float | None = None) -> None:
        """Raise UserError if a value that could be drawn does not fit the world or the life."""
        for _ in self.at_any_severity().shifts(world):
            pass
        for onset in possible_values(self.onset_s):
            if life_s is not None and onset > life_s - 0.5 * world.control_step_s:
                raise UserError(
                    f"{self.kind}: onset_s {onset:g} is past the end of life ({life_s:g} s)"
                )
        if self.end_s is not None:
            step_s = world.control_step_s
            onset, end = max(possible_values(self.onset_s)), min(possible_values(self.end_s))
            if round(end / step_s) <= round(onset / step_s):
                raise UserError(
                    f"{self.kind}: from {onset:g} to {end:g} s there is no control step of "
                    f"{world.name} ({step_s:g} s)"
                )

    def shifts(self, world: World) -> Iterator[Shift]:
        """Yield what may be drawn: every choice, and the ends of uniform ranges."""
        for values in itertools.product(*(possible_values(v) for v in self.values.values())):
            yield make_shift(self.kind, world, **dict(zip(self.values, values, strict=True)))

    def span_s(self) -> tuple[float, float]:
        """Return (earliest onset, latest end) in s; inf where it lasts."""
        ends = possible_values(self.end_s)
        return min(possible_values(self.onset_s)), np.inf if ends == [None] else max(ends)

    def draw(self, world: World, rng: np.random.Generator) -> tuple[Shift, float, float] | None:
        """Draw (shift, onset in s, end in s) for one life, or None if it does not happen."""
        happens = rng.random() < self.probability
        values = {name: _draw(value, rng) for name, value in self.values.items()}
        onset = float(_draw(self.onset_s, rng))
        end = _draw(self.end_s, rng)
        if not happens:
            return None
        shift = make_shift(self.kind, world, **values)
        return shift, onset, np.inf if end is None else float(end)


def shift_rng(seed: int) -> np.random.Generator:
    """Return the stream from which the shifts of lives are drawn."""
    return np.random.default_rng([seed, _SHIFT_STREAM])


def plans_at(plans: Iterable[ShiftPlan], iteration: int) -> tuple[ShiftPlan, ...]:
    """Return those of `plans` that may happen in one iteration of a training."""
    return tuple(
        plan
        for plan in plans
        if plan.iterations[0] <= iteration
        and (plan.iterations[1] is None or iteration < plan.iterations[1])
    )


def onsets_s(
    plans: Iterable[ShiftPlan], world: World, seeds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (n, plans) when each of `plans` begins in the lives of `seeds` (n,), s; inf: never."""
    plans = tuple(plans)
    rngs = [shift_rng(int(seed)) for seed in seeds]
    drawn = [[plan.draw(world, rng) for plan in plans] for rng in rngs]
    onsets = [[np.inf if case is None else case[1] for case in row] for row in drawn]
    return np.array(onsets, np.float64).reshape(len(seeds), len(plans))


def check_together(plans: tuple[ShiftPlan, ...], world: World) -> None:
    """Raise UserError if two of the plans could let contradictory shifts act at once."""
    likely = [plan for plan in plans if plan.probability > 0]
    for one, other in itertools.combinations(likely, 2):
        (begin, end), (other_begin, other_end) = one.span_s(), other.span_s()
        if end <= other_begin or other_end <= begin:
            continue
        for a, b in itertools.product(one.shifts(world), other.shifts(world)):
            if a != b and a.contradicts(b, world):
                raise UserError(f"shift {a.label} contradicts {b.label}: both may act at once")


def parse_shift(text: str) -> ShiftPlan:
    """Read the command-line form `kind:value:...[@ONSETs[..LATESTs][-ENDs]]`.

    Such as `limb_damage:front_left:dead@5s`, `motor_gain:all:0.5@2s-6s` and
    `limb_damage:rear_left:locked@4s..6s`. Values stand in the order of the shift's fields; a comma
    chooses among several, and `motor_gain:all:0.5..1.5` draws from a range.

    Raises:
        UserError: unknown kind, too many values, or a time that cannot be read.
    """
    body, at, when = text.partition("@")
    kind, *values = body.split(":")
    names = [f.name for f in fields(shift_kind(kind))]
    if len(values) > len(names):
        raise UserError(f"shift {text!r} has too many values (valid: {kind}:{':'.join(names)})")
    mapping: dict[str, Any] = {"kind": kind}
    for name, value in zip(names, values, strict=False):
        mapping[name] = _read_value(value)
    if at:
        match = _WHEN.match(when)
        if match is None:
            raise UserError(
                f"shift {text!r}: time {when!r} cannot be read (valid: @5s, @4s..6s, @5s-8s)"
            )
        onset, latest, end = (None if g is None else float(g) for g in match.groups())
        mapping["onset_s"] = onset if latest is None else {"uniform": [onset, latest]}
        if end is not None:
            mapping["end_s"] = end
    return ShiftPlan.from_mapping(mapping)


def parse_shifts(shifts: Any) -> tuple[ShiftPlan, ...]:
    """Read a list whose elements are plans, mappings or texts.

    Raises:
        UserError: it is not a list, or an element cannot be read.
    """
    if isinstance(shifts, str | dict | ShiftPlan):
        shifts = [shifts]
    if not isinstance(shifts, list | tuple):
        raise UserError(f"shifts must be a list, got {shifts!r}")
    plans = []
    for shift in shifts:
        if isinstance(shift, ShiftPlan):
            plans.append(shift)
        elif isinstance(shift, dict):
            plans.append(ShiftPlan.from_mapping(shift))
        elif isinstance(shift, str):
            plans.append(parse_shift(shift))
        else:
            raise UserError(f"a shift must be a text or a mapping, got {shift!r}")
    return tuple(plans)


def possible_values(value: Any) -> list[Any]:
    """Return what may be drawn: the fixed value, both ends of a uniform range, those of all a list.

    Raises:
        UserError: an empty list, or a range that is none.
    """
    if isinstance(value, dict):
        bounds = value.get("uniform")
        if set(value) != {"uniform"} or not isinstance(bounds, list) or len(bounds) != 2:
            raise UserError(f"a drawn value must be {{uniform: [low, high]}}, got {value!r}")
        low, high = (number(bound, "uniform", -np.inf) for bound in bounds)
        if low > high:
            raise UserError(f"uniform: low {low:g} is above high {high:g}")
        return [low, high]
    if isinstance(value, list):
        if not value:
            raise UserError("a list to choose from must not be empty")
        return [possible for choice in value for possible in possible_values(choice)]
    return [value]


def _draw(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, dict):
        low, high = value["uniform"]
        return float(rng.uniform(low, high))
    if isinstance(value, list):
        return _draw(value[int(rng.integers(len(value)))], rng)
    return value


def _ends(value: Any) -> tuple[float, float]:
    """Return the ends of a range, or twice a number."""
    low, *high = possible_values(value)
    return low, high[0] if high else low


def _read_mildest(value: Any, kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """Read a mapping from names in `values` to a number or a range; there they are such, too."""
    if not isinstance(value, dict):
        raise UserError(f"{kind}: mildest: expected values by name, got {value!r}")
    for name, mild in value.items():
        if name not in values:
            raise unknown_name(f"{kind}: mildest", name, values)
        for place, given in ((f"mildest.{name}", mild), (name, values[name])):
            if isinstance(given, list) or not all(
                isinstance(end, int | float) for end in possible_values(given)
            ):
                raise UserError(
                    f"{kind}: {place} = {given!r}: a severity lies between numbers or ranges"
                )
    return value


def _read_iterations(value: Any, kind: str) -> tuple[int, int | None]:
    """Read `[from, until]`; until may be null."""
    whole = [x for x in value if type(x) is int] if isinstance(value, list) else []
    ends = [*whole, None] if isinstance(value, list) and value[1:] == [None] else whole
    if len(ends) != 2 or whole[0] < 0 or (len(whole) == 2 and whole[1] <= whole[0]):
        raise UserError(
            f"{kind}: iterations = {value!r}: expected [from, until], two rising whole numbers "
            "from 0 on, until null for the end"
        )
    return ends[0], ends[1]


def _read_value(text: str) -> Any:
    """Read `0.5`, `front_left`, the choice `dead,locked` or the range `0.5..1.5`."""
    low, dots, high = (_scalar(part) for part in text.partition(".."))
    if dots and isinstance(low, float) and isinstance(high, float):
        return {"uniform": [low, high]}
    choices = [_scalar(choice) for choice in text.split(",")]
    return choices if len(choices) > 1 else choices[0]


def _scalar(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
