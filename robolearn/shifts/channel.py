"""The way from the senses to the brain, or from the brain to the motors, through active shifts.

Shifts of one kind that act on many individuals are one `Stack` of arrays, and act in one call.
Stacks are built when the set of active shifts has changed; a step loops over kinds alone. The state
of a shift (such as a delay line) stays with the individual that keeps the shift.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robolearn.shifts import counter_random
from robolearn.shifts.interface import Interface
from robolearn.shifts.shift import Ids, Shift


@dataclass
class Active:
    """A shift that acts on one individual.

    Attributes:
        shift: what acts.
        memory: what it remembers of its onset, shape (m,).
        onset_step: control step of the life in which it began.
        key: of its own random stream.
        parameters: what its channel function needs, by name.
        state: what its channel function changes, by name; views into the stack.
    """

    shift: Shift
    memory: NDArray[np.float64]
    onset_step: int
    key: int = 0
    parameters: dict[str, NDArray] = field(default_factory=dict)
    state: dict[str, NDArray] = field(default_factory=dict)


@dataclass
class Stack:
    """Shifts of one kind that act at the same time; entry e acts on the individual `rows[e]`.

    Attributes:
        kind: the class of the shifts.
        rows: the individuals (k,), each at most once, rising.
        keys: of their random streams, (k,).
        parameters: by name (k, ...); an axis that differs among the shifts has its greatest length.
        state: by name (k, ...), changed in place. "age" (k,) counts the calls before this one.
    """

    kind: type[Shift]
    rows: Ids
    keys: NDArray[np.uint64]
    parameters: dict[str, NDArray]
    state: dict[str, NDArray]

    @property
    def age(self) -> NDArray[np.int64]:
        """How often each has acted before, (k,); 0 at its onset."""
        return self.state["age"]

    def uniform(self, size: int) -> NDArray[np.float32]:
        """Return random numbers (k, size) in (0, 1), new in every step."""
        return counter_random.uniform(self.keys, self.age, size)

    def normal(self, size: int) -> NDArray[np.float32]:
        """Return standard normal numbers (k, size), new in every step."""
        return counter_random.normal(self.keys, self.age, size)

    def of(self, entries: Ids) -> "Stack":
        """Return a copy with some of the entries."""
        parameters = {name: values[entries] for name, values in self.parameters.items()}
        state = {name: values[entries] for name, values in self.state.items()}
        return Stack(self.kind, self.rows[entries], self.keys[entries], parameters, state)


class Channel:
    """One of the two ways, with the stacks of the shifts that act on it.

    Args:
        hook: "act" for commands on their way to the motors, "sense" for observations.
        interface: their layout.
    """

    def __init__(self, hook: Literal["act", "sense"], interface: Interface):
        self.hook = hook
        self.interface = interface
        self._stacks: list[Stack] = []
        self._stale = False

    def concerns(self, shift: Shift) -> bool:
        """Return whether shifts of this kind act on this way."""
        return getattr(type(shift), self.hook) is not getattr(Shift, self.hook)

    def invalidate(self) -> None:
        """Let the stacks be built anew before they are used again."""
        self._stale = True

    def __call__(
        self, values: NDArray, active: Sequence[Sequence[Active]], ids: Ids | None = None
    ) -> NDArray:
        """Return what arrives of `values` (n, m), given the active shifts of every individual.

        Args:
            values: what is sent; not changed.
            active: of each individual.
            ids: sorted individuals whose shifts act, the others' wait; None for all.
        """
        if self._stale:
            self._stacks = self._build(active)
            self._stale = False
        if not self._stacks:
            return values
        values = values.copy()
        for stack in self._stacks:
            if ids is None:
                self._pass(stack, values)
                continue
            entries = np.flatnonzero(np.isin(stack.rows, ids))
            if len(entries):
                part = stack.of(entries)
                self._pass(part, values)
                for name, state in part.state.items():
                    stack.state[name][entries] = state
        return values

    def _pass(self, stack: Stack, values: NDArray) -> None:
        """Send the rows of the stack through it, in place."""
        whole = len(stack.rows) == len(values)
        sent = values if whole else values[stack.rows]  # (k, m)
        arrived = getattr(stack.kind, self.hook)(stack, sent)
        values[slice(None) if whole else stack.rows] = arrived
        stack.state["age"] += 1

    def _build(self, active: Sequence[Sequence[Active]]) -> list[Stack]:
        """Sort the shifts by their place on the way; a second one of a kind has its own stack."""
        groups: dict[tuple[int, str, int], list[tuple[int, Active]]] = defaultdict(list)
        for row, shifts in enumerate(active):
            ours = [one for one in shifts if self.concerns(one.shift)]
            counts: dict[str, int] = defaultdict(int)
            for one in sorted(ours, key=lambda one: repr(one.shift)):
                if not one.state:
                    one.parameters = one.shift.channel_parameters(self.interface)
                    one.state = one.shift.channel_state(self.interface)
                    one.state["age"] = np.zeros((), np.int64)
                kind = one.shift.kind
                groups[one.shift.place, kind, counts[kind]].append((row, one))
                counts[kind] += 1
        return [_stack(groups[key]) for key in sorted(groups)]


def _stack(entries: list[tuple[int, Active]]) -> Stack:
    rows, shifts = zip(*entries, strict=True)
    state = {name: _padded([s.state[name] for s in shifts]) for name in shifts[0].state}
    for i, shift in enumerate(shifts):
        for name, values in state.items():
            shift.state[name] = values[(i, *map(slice, shift.state[name].shape), ...)]
    names = shifts[0].parameters
    parameters = {name: _padded([s.parameters[name] for s in shifts]) for name in names}
    keys = np.array([shift.key for shift in shifts], np.uint64)
    return Stack(type(shifts[0].shift), np.array(rows), keys, parameters, state)


def _padded(arrays: list[NDArray]) -> NDArray:
    """Stack arrays whose shapes differ; shorter ones are followed by zeros."""
    shapes = {array.shape for array in arrays}
    if len(shapes) == 1:
        return np.stack(arrays)
    out = np.zeros((len(arrays), *np.max(list(shapes), axis=0)), arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True):
        row[tuple(map(slice, array.shape))] = array
    return out
