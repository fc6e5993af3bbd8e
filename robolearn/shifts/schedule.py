"""Which shift acts on which individual, from when to when, and the bodies that follow from it."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.shifts.channel import Active, Channel
from robolearn.shifts.interface import Interface
from robolearn.shifts.plan import ShiftPlan, check_together
from robolearn.shifts.shift import Ids, Shift
from robolearn.simulation import Simulation

_NEVER = np.iinfo(np.int64).max


class _Event(NamedTuple):
    step: int
    begins: bool  # or ends; of two events in one step the end comes first
    shift: Shift
    end_step: int
    key: int


class Schedule:
    """Begins and ends the shifts of `n` individuals and keeps their bodies in step.

    Args:
        simulation: whose bodies are changed.
        plans: what may happen in each life.
        life_s: length of a life, to refuse onsets past its end; None if it has no end.
        interface: layout of senses and actions and the task's parameters, for shifts of those.

    Attributes:
        plans: what may happen in the lives of each individual.
        changed: whose shifts may have changed, (n,); whoever follows them clears it.

    Raises:
        UserError: a plan does not fit the world or the life, or two contradict each other.
    """

    def __init__(
        self,
        simulation: Simulation,
        plans: tuple[ShiftPlan, ...] = (),
        life_s: float | None = None,
        interface: Interface | None = None,
    ):
        self.simulation = simulation
        self.life_s = life_s
        self.interface = interface or Interface()
        self._arrays = {name: array.copy() for name, array in self.interface.arrays.items()}
        self._action = Channel("act", self.interface)
        self._observation = Channel("sense", self.interface)
        self.plans: list[tuple[ShiftPlan, ...]] = [()] * simulation.n
        self.set_plans(plans)
        self.active: list[list[Active]] = [[] for _ in range(simulation.n)]
        self._events: list[list[_Event]] = [[] for _ in range(simulation.n)]
        self._next_step = np.full(simulation.n, _NEVER)  # (n,)
        self.changed = np.ones(simulation.n, np.bool_)

    def set_plans(self, plans: tuple[ShiftPlan, ...], ids: Ids | None = None) -> None:
        """Let the next lives of `ids` (k,), or of all, follow `plans`.

        Raises:
            UserError: a plan does not fit the world or the life, or two contradict each other.
        """
        for plan in plans:
            plan.check(self.simulation.world, self.life_s)
            for shift in plan.shifts(self.simulation.world):
                shift.check_interface(self.interface)
        check_together(plans, self.simulation.world)
        for i in range(self.simulation.n) if ids is None else ids:
            self.plans[i] = plans

    def clear(self, ids: Ids) -> None:
        """Forget all shifts of `ids` and restore their bodies; before a new life is set up."""
        for i in ids:
            for active in self.active[i]:
                self._invalidate(active.shift)
            self.active[i], self._events[i] = [], []
        self._next_step[ids] = _NEVER
        self._restore(ids)

    def start(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Draw the shifts of the new lives of `ids` from one stream each; births' begin at once.

        What the task has set up for the new lives is what its parameters return to.
        """
        for name, array in self.interface.arrays.items():
            self._arrays[name][ids] = array[ids]
        for i, rng in zip(ids, rngs, strict=True):
            self._events[i] = sorted(self._draw_events(self.plans[i], rng), key=lambda e: e[:2])
            self._next_step[i] = self._events[i][0].step if self._events[i] else _NEVER
        self.advance(np.zeros(self.simulation.n, np.int64), ids)
        # Bodies alone: to derive anew changes the last digits of what is to come.
        changed = [i for i in ids if any(shift.changes_body for shift in self.shifts_of(i))]
        if changed:
            self.simulation.forward(np.array(changed))

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
                    self._begin(event.shift, np.array([i]), event.step, [event.key])
                else:
                    self._end(event.shift, np.array([i]))
            self._next_step[i] = events[0].step if events else _NEVER
        self._refresh(rows)

    def begin(
        self,
        shift: Shift,
        ids: Ids,
        step: int = 0,
        seed: int = 0,
        rngs: list[np.random.Generator] | None = None,
    ) -> None:
        """Let `shift` act on `ids` (k,) from now on; one that acts already is left as it is.

        It lasts until `end`, also where `lasts_s` would end one that was planned. Each of `rngs`
        (k,) draws the key of its random stream in one row; without them, row i's is of (seed, i).

        Raises:
            UserError: the shift does not fit the world, or contradicts one that acts.
        """
        shift.check(self.simulation.world)
        shift.check_interface(self.interface)
        rngs = rngs or [np.random.default_rng([seed, i]) for i in ids]
        self._begin(shift, ids, step, [_key(rng) for rng in rngs])
        self._refresh(ids)

    def act(self, action: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the actions (n, a) that reach the motors when the brains command `action`."""
        return self._action(action, self.active)

    def sense(
        self, observation: NDArray[np.floating], ids: Ids | None = None
    ) -> NDArray[np.floating]:
        """Return the observations (n, o) that reach the brains; the shifts of `ids` or all act."""
        return self._observation(observation, self.active, ids)

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
                begin, end, lasts = (
                    _NEVER if np.isinf(t) else round(t / world.control_step_s)
                    for t in (*times, shift.lasts_s(world))
                )
                spans[shift].append((begin, min(end, begin + lasts) if lasts < _NEVER else end))
        events = []
        for shift, its_spans in spans.items():
            for begin, end in _union(its_spans):
                key = _key(rng) if shift.is_random else 0
                events.append(_Event(begin, True, shift, end, key))
                if end != _NEVER:
                    events.append(_Event(end, False, shift, end, key))
        return events

    def _begin(self, shift: Shift, ids: Ids, step: int, keys: list[int]) -> None:
        key_of = dict(zip(ids.tolist(), keys, strict=True))
        ids = np.array([i for i in ids if shift not in self.shifts_of(i)], dtype=np.int64)
        for i in ids:
            for other in self.shifts_of(i):
                if shift.contradicts(other, self.simulation.world):
                    raise UserError(f"shift {shift.label} contradicts {other.label}, still active")
        memory = shift.remember(self.simulation, ids)
        for row, i in enumerate(ids):
            self.active[i].append(Active(shift, memory[row], step, key_of[int(i)]))
        self._invalidate(shift)

    def _end(self, shift: Shift, ids: Ids) -> None:
        self._invalidate(shift)
        ended = [i for i in ids if shift in self.shifts_of(i)]
        for i in ended:
            self.active[i] = [active for active in self.active[i] if active.shift != shift]
        shift.release(self.simulation, np.array(ended, dtype=np.int64))

    def _refresh(self, ids: Ids) -> None:
        """Rebuild bodies and task parameters of `ids` from their defaults and active shifts.

        Shifts apply in the order of their descriptions: were it that of onsets, the last digits of
        one body would depend on what else happens in the batch.
        """
        simulation = self.simulation
        self._restore(ids)
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
        stale: set[int] = set()
        for shift in sorted(shifts, key=repr):
            rows, memory = zip(*shifts[shift], strict=True)
            shift.apply(simulation, np.array(rows), np.stack(memory))
            shift.apply_task(self.interface.arrays, np.array(rows))
            if shift.changes_constants:
                stale.update(rows)
        if stale:
            simulation.compute_constants(np.array(sorted(stale)))

    def _restore(self, ids: Ids) -> None:
        self.changed[ids] = True
        self.simulation.restore_bodies(ids)
        for name, array in self.interface.arrays.items():
            array[ids] = self._arrays[name][ids]

    def _invalidate(self, shift: Shift) -> None:
        for channel in (self._action, self._observation):
            if channel.concerns(shift):
                channel.invalidate()


def _key(rng: np.random.Generator) -> int:
    """Draw the key of a random stream."""
    return int(rng.integers(2**63))


def _union(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the sorted, disjoint spans that cover the same steps; empty ones vanish."""
    result: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        elif end > begin:
            result.append((begin, end))
    return result
