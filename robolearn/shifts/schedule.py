"""Which shift acts on which individual, from when to when: plans, draws, and the active records."""

import re
from collections import defaultdict
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError, unknown_name
from robolearn.shifts.shift import Ids, Shift, make_shift, number, shift_kinds
from robolearn.simulation import Simulation
from robolearn.worlds import World

_NEVER = np.iinfo(np.int64).max
_TIME = r"(\d+(?:\.\d+)?)s?"
_WHEN = re.compile(rf"^{_TIME}(?:\.\.{_TIME})?(?:-{_TIME})?$")


@dataclass(frozen=True)
class ShiftPlan:
    """A shift that is fixed, or drawn anew for every individual and life.

    Every value of `values`, `onset_s` and `end_s` is a fixed value, a list (one is chosen, all
    alike), or `{"uniform": [low, high]}`.

    Attributes:
        kind: name of the shift.
        values: its parameters by name.
        onset_s: when it begins, seconds of life; 0 is at birth.
        end_s: when it ends; None lets it last.
        probability: of happening at all in a life.
    """

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    onset_s: Any = 0.0
    end_s: Any = None
    probability: float = 1.0

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any]) -> "ShiftPlan":
        """Read the YAML form: `kind`, `onset_s`, `end_s`, `probability` and the shift's parameters.

        Raises:
            UserError: no kind, or a probability outside [0, 1].
        """
        rest = dict(mapping)
        kind = rest.pop("kind", None)
        if kind not in shift_kinds():
            raise unknown_name("shift", kind, shift_kinds())
        plan = cls(
            kind=kind,
            onset_s=rest.pop("onset_s", 0.0),
            end_s=rest.pop("end_s", None),
            probability=number(rest.pop("probability", 1.0), f"{kind}: probability", 0.0, 1.0),
            values=rest,
        )
        for key in ("onset_s", "end_s"):
            for end in _support(getattr(plan, key)):
                if end is not None:
                    number(end, f"{kind}: {key}", 0.0)
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
        return mapping

    def check(self, world: World, life_s: float | None = None) -> None:
        """Raise UserError if a value that could be drawn does not fit the world or the life."""
        for name, value in self.values.items():
            for end in _support(value):
                make_shift(self.kind, world, **{name: end})
        make_shift(self.kind, world, **{k: next(iter(_support(v))) for k, v in self.values.items()})
        if life_s is not None:
            for onset in _support(self.onset_s):
                if onset >= life_s:
                    raise UserError(
                        f"{self.kind}: onset_s {onset:g} is past the end of life ({life_s:g} s)"
                    )

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


def parse_shift(text: str) -> ShiftPlan:
    """Read the command-line form `kind:value:...[@ONSETs[..LATESTs][-ENDs]]`.

    `limb_damage:front_left:dead@5s`, `motor_gain:all:0.5@2s-6s`, `limb_damage:rear_left:locked@4s..6s`;
    values stand in the order of the shift's fields, and a comma chooses among several.

    Raises:
        UserError: unknown kind, too many values, or a time that cannot be read.
    """
    body, _, when = text.partition("@")
    kind, *values = body.split(":")
    if kind not in shift_kinds():
        raise unknown_name("shift", kind, shift_kinds())
    names = [f.name for f in fields(shift_kinds()[kind])]
    if len(values) > len(names):
        raise UserError(f"shift {text!r} has too many values (valid: {kind}:{':'.join(names)})")
    mapping: dict[str, Any] = {"kind": kind}
    for name, value in zip(names, values, strict=False):
        choices = [_scalar(v) for v in value.split(",")]
        mapping[name] = choices if len(choices) > 1 else choices[0]
    if when:
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


@dataclass
class _Active:
    shift: Shift
    memory: NDArray[np.float64]  # (m,)
    onset_step: int


class Schedule:
    """Begins and ends the shifts of `n` individuals and keeps their bodies in step.

    Args:
        simulation: whose bodies are changed.
        plans: what may happen in each life.
        life_s: length of a life, to refuse onsets past its end; None if it has no end.

    Raises:
        UserError: a plan does not fit the world or the life.
    """

    def __init__(
        self, simulation: Simulation, plans: tuple[ShiftPlan, ...] = (), life_s: float | None = None
    ):
        self.simulation = simulation
        self.life_s = life_s
        self._plans: list[tuple[ShiftPlan, ...]] = [()] * simulation.n
        self.set_plans(plans)
        self.active: list[list[_Active]] = [[] for _ in range(simulation.n)]
        # (step, begins, shift) in order of time, for each individual
        self._events: list[list[tuple[int, bool, Shift]]] = [[] for _ in range(simulation.n)]
        self._next_step = np.full(simulation.n, _NEVER)  # (n,)

    def set_plans(self, plans: tuple[ShiftPlan, ...], ids: Ids | None = None) -> None:
        """Let the next lives of `ids` (k,), or of all, follow `plans`.

        Raises:
            UserError: a plan does not fit the world or the life.
        """
        for plan in plans:
            plan.check(self.simulation.world, self.life_s)
        for i in range(self.simulation.n) if ids is None else ids:
            self._plans[i] = plans

    def clear(self, ids: Ids) -> None:
        """Forget all shifts of `ids` and restore their bodies; before a new life is set up."""
        for i in ids:
            self.active[i], self._events[i] = [], []
        self._next_step[ids] = _NEVER
        self.simulation.restore_bodies(ids)

    def start(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Draw the shifts of the new lives of `ids` from one stream each; births' begin at once."""
        step_s = self.simulation.world.control_step_s
        for i, rng in zip(ids, rngs, strict=True):
            events = []
            for plan in self._plans[i]:
                drawn = plan.draw(self.simulation.world, rng)
                if drawn is None:
                    continue
                shift, onset_s, end_s = drawn
                events.append((round(onset_s / step_s), True, shift))
                if np.isfinite(end_s):
                    events.append((round(end_s / step_s), False, shift))
            self._events[i] = sorted(events, key=lambda event: event[0])
            self._next_step[i] = self._events[i][0][0] if events else _NEVER
        self.advance(np.zeros(self.simulation.n, np.int64), ids)

    def advance(self, step: NDArray[np.int64], ids: Ids | None = None) -> None:
        """Begin and end what is due at `step` (n,), the control step of each life; all or `ids`."""
        due = self._next_step <= step
        if not due.any():
            return
        rows = np.flatnonzero(due) if ids is None else ids[due[ids]]
        for i in rows:
            while self._events[i] and self._events[i][0][0] <= step[i]:
                onset, begins, shift = self._events[i].pop(0)
                row = np.array([i])
                if begins:
                    self._begin(shift, row, onset)
                else:
                    self.active[i] = [a for a in self.active[i] if a.shift != shift]
            self._next_step[i] = self._events[i][0][0] if self._events[i] else _NEVER
        self._refresh(rows)

    def begin(self, shift: Shift, ids: Ids, step: int = 0) -> None:
        """Let `shift` act on `ids` (k,) from now on; one that acts already is left as it is."""
        shift.check(self.simulation.world)
        self._begin(shift, ids, step)
        self._refresh(ids)

    def end(self, shift: Shift, ids: Ids) -> None:
        """Take `shift` from `ids` (k,); their bodies are as if it had never been."""
        for i in ids:
            self.active[i] = [a for a in self.active[i] if a.shift != shift]
        self._refresh(ids)

    def shifts_of(self, row: int) -> list[Shift]:
        """Return the shifts that act on one individual now, oldest first."""
        return [active.shift for active in self.active[row]]

    def planned(self, row: int) -> list[tuple[Shift, float, float]]:
        """Return (shift, onset in s, end in s) of what is still to come in this life of `row`."""
        step_s = self.simulation.world.control_step_s
        ends = {shift: step for step, begins, shift in self._events[row] if not begins}
        return [
            (shift, step * step_s, ends.get(shift, np.inf) * step_s)
            for step, begins, shift in self._events[row]
            if begins
        ]

    def _begin(self, shift: Shift, ids: Ids, step: int) -> None:
        memory = shift.remember(self.simulation, ids)
        for row, i in enumerate(ids):
            if shift in self.shifts_of(i):
                continue
            for other in self.shifts_of(i):
                if shift.contradicts(other):
                    raise UserError(f"shift {shift.label} contradicts {other.label}, still active")
            self.active[i].append(_Active(shift, memory[row], step))

    def _refresh(self, ids: Ids) -> None:
        """Rebuild the bodies of `ids` from the compiled scene and their active shifts."""
        simulation = self.simulation
        simulation.restore_bodies(ids)
        variants: dict[tuple[Shift, ...], list[int]] = defaultdict(list)
        shifts: dict[Shift, list[tuple[int, NDArray[np.float64]]]] = defaultdict(list)
        for i in ids:
            edits = tuple(s for s in self.shifts_of(i) if s.edits_scene)
            if edits:
                variants[edits].append(int(i))
            for active in self.active[i]:
                shifts[active.shift].append((int(i), active.memory))
        for edits, rows in variants.items():
            variant = simulation.world.variant(edits)
            simulation.write_variant(np.array(rows), variant)
        for shift, records in shifts.items():
            rows, memory = zip(*records, strict=True)
            shift.apply(simulation, np.array(rows), np.stack(memory))


def _support(value: Any) -> list[Any]:
    """Return the values to check of something fixed, chosen or drawn."""
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
        return value
    return [value]


def _draw(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, dict):
        low, high = value["uniform"]
        return float(rng.uniform(low, high))
    if isinstance(value, list):
        return value[int(rng.integers(len(value)))]
    return value


def _scalar(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
