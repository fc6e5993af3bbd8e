"""Which shift acts on which individual, from when to when, and the bodies that follow from it."""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.shifts.plan import ShiftPlan, check_together
from robolearn.shifts.shift import Ids, Shift
from robolearn.simulation import Simulation

_NEVER = np.iinfo(np.int64).max


@dataclass
class _Active:
    shift: Shift
    memory: NDArray[np.float64]  # (m,)
    onset_step: int


class _Event(NamedTuple):
    step: int
    begins: bool  # or ends; of two events in one step the end comes first
    shift: Shift
    end_step: int


class Schedule:
    """Begins and ends the shifts of `n` individuals and keeps their bodies in step.

    Args:
        simulation: whose bodies are changed.
        plans: what may happen in each life.
        life_s: length of a life, to refuse onsets past its end; None if it has no end.

    Raises:
        UserError: a plan does not fit the world or the life, or two contradict each other.
    """

    def __init__(
        self, simulation: Simulation, plans: tuple[ShiftPlan, ...] = (), life_s: float | None = None
    ):
        self.simulation = simulation
        self.life_s = life_s
        self._plans: list[tuple[ShiftPlan, ...]] = [()] * simulation.n
        self.set_plans(plans)
        self.active: list[list[_Active]] = [[] for _ in range(simulation.n)]
        self._events: list[list[_Event]] = [[] for _ in range(simulation.n)]
        self._next_step = np.full(simulation.n, _NEVER)  # (n,)

    def set_plans(self, plans: tuple[ShiftPlan, ...], ids: Ids | None = None) -> None:
        """Let the next lives of `ids` (k,), or of all, follow `plans`.

        Raises:
            UserError: a plan does not fit the world or the life, or two contradict each other.
        """
        for plan in plans:
            plan.check(self.simulation.world, self.life_s)
        check_together(plans, self.simulation.world)
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
        for i, rng in zip(ids, rngs, strict=True):
            self._events[i] = sorted(self._draw_events(self._plans[i], rng), key=lambda e: e[:2])
            self._next_step[i] = self._events[i][0].step if self._events[i] else _NEVER
        self.advance(np.zeros(self.simulation.n, np.int64), ids)
        changed = np.array([i for i in ids if self.active[i]], dtype=np.int64)
        if len(changed):
            self.simulation.forward(changed)

    def advance(self, step: NDArray[np.int64], ids: Ids | None = None) -> None:
        """Begin and end what is due at `step` (n,), the control step of each life; all or `ids`."""
        due = self._next_step <= step
        if not due.any():
            return
        rows = np.flatnonzero(due) if ids is None else ids[due[ids]]
        for i in rows:
            events = self._events[i]
            while events and events[0].step <= step[i]:
                event = events.pop(0)
                if event.begins:
                    self._begin(event.shift, np.array([i]), event.step)
                else:
                    self._end(event.shift, np.array([i]))
            self._next_step[i] = events[0].step if events else _NEVER
        self._refresh(rows)

    def begin(self, shift: Shift, ids: Ids, step: int = 0) -> None:
        """Let `shift` act on `ids` (k,) from now on; one that acts already is left as it is.

        Raises:
            UserError: the shift does not fit the world, or contradicts one that acts.
        """
        shift.check(self.simulation.world)
        self._begin(shift, ids, step)
        self._refresh(ids)

    def end(self, shift: Shift, ids: Ids) -> None:
        """Take `shift` from `ids` (k,); their bodies are as if it had never been."""
        self._end(shift, ids)
        self._refresh(ids)

    def shifts_of(self, row: int) -> list[Shift]:
        """Return the shifts that act on one individual now, oldest first."""
        return [active.shift for active in self.active[row]]

    def planned(self, row: int) -> list[tuple[Shift, float, float]]:
        """Return (shift, onset in s, end in s) of what is still to come in this life of `row`."""
        step_s = self.simulation.world.control_step_s
        return [
            (e.shift, e.step * step_s, np.inf if e.end_step == _NEVER else e.end_step * step_s)
            for e in self._events[row]
            if e.begins
        ]

    def _draw_events(self, plans: tuple[ShiftPlan, ...], rng: np.random.Generator) -> list[_Event]:
        """Draw what happens in one life; spans of one and the same shift that meet become one."""
        world = self.simulation.world
        spans: dict[Shift, list[tuple[int, int]]] = defaultdict(list)
        for plan in plans:
            drawn = plan.draw(world, rng)
            if drawn is not None:
                shift, *times = drawn
                begin, end = (
                    _NEVER if np.isinf(t) else round(t / world.control_step_s) for t in times
                )
                spans[shift].append((begin, end))
        events = []
        for shift, its_spans in spans.items():
            for begin, end in _union(its_spans):
                events.append(_Event(begin, True, shift, end))
                if end != _NEVER:
                    events.append(_Event(end, False, shift, end))
        return events

    def _begin(self, shift: Shift, ids: Ids, step: int) -> None:
        ids = np.array([i for i in ids if shift not in self.shifts_of(i)], dtype=np.int64)
        for i in ids:
            for other in self.shifts_of(i):
                if shift.contradicts(other):
                    raise UserError(f"shift {shift.label} contradicts {other.label}, still active")
        memory = shift.remember(self.simulation, ids)
        for row, i in enumerate(ids):
            self.active[i].append(_Active(shift, memory[row], step))

    def _end(self, shift: Shift, ids: Ids) -> None:
        for i in ids:
            self.active[i] = [active for active in self.active[i] if active.shift != shift]

    def _refresh(self, ids: Ids) -> None:
        """Rebuild the bodies of `ids` from the compiled scene and their active shifts.

        Shifts apply in the order of their descriptions: were it that of onsets, the last digits of
        one body would depend on what else happens in the batch.
        """
        simulation = self.simulation
        simulation.restore_bodies(ids)
        edited: dict[tuple[Shift, ...], list[int]] = defaultdict(list)
        shifts: dict[Shift, list[tuple[int, NDArray[np.float64]]]] = defaultdict(list)
        for i in ids:
            edits = [shift for shift in self.shifts_of(i) if shift.edits_scene]
            if edits:
                edited[tuple(sorted(edits, key=repr))].append(int(i))
            for active in self.active[i]:
                shifts[active.shift].append((int(i), active.memory))
        for edits, rows in edited.items():
            simulation.write_edited(np.array(rows), edits)
        for shift in sorted(shifts, key=repr):
            rows, memory = zip(*shifts[shift], strict=True)
            shift.apply(simulation, np.array(rows), np.stack(memory))


def _union(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the sorted, disjoint spans that cover the same steps; empty ones vanish."""
    result: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        elif end > begin:
            result.append((begin, end))
    return result
