"""What is known of the shifts that act on an individual, in numbers, for whoever may be told.

Learners with privileges (Kumar et al. 2021, RMA) are told in training what a brain must find out.
"""

from collections.abc import Iterable
from dataclasses import fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.shifts.plan import ShiftPlan
from robolearn.shifts.shift import Shift
from robolearn.worlds import World


class ShiftState:
    """Numbers in [-1, 1] that say which of the planned shifts act, (k,); all 0 on an intact body.

    Every plan has a block: 1 as long as it acts; for each value drawn from a range its place
    between the ends, from -1 to 1; for each value chosen from a list an element for every choice,
    1 at the chosen one. Where one plan acts twice, its blocks add, within ±1. A shift that no plan
    could have drawn is not told.

    Args:
        plans: what may happen in a life.
        world: to which it may happen.

    Attributes:
        names: (k,) of the elements, such as "limb_damage.leg=front_left".
    """

    def __init__(self, plans: Iterable[ShiftPlan], world: World):
        self._blocks = [_Block(plan.at_any_severity(), world) for plan in plans]
        self.names = tuple(name for block in self._blocks for name in block.names)
        self._known = lru_cache(maxsize=4096)(self._compute)

    @property
    def size(self) -> int:
        """Number of elements k."""
        return len(self.names)

    def of(self, shifts: Iterable[Shift]) -> NDArray[np.float32]:
        """Return the numbers (k,), read-only, of a body on which `shifts` act."""
        return self._known(tuple(shifts))

    def _compute(self, shifts: tuple[Shift, ...]) -> NDArray[np.float32]:
        blocks = [block.of(shifts) for block in self._blocks]
        state = np.concatenate([np.zeros(0), *blocks]).clip(-1.0, 1.0).astype(np.float32)
        state.flags.writeable = False
        return state


class _Block:
    """The elements of one plan."""

    def __init__(self, plan: ShiftPlan, world: World):
        options = list(plan.shifts(world))
        self.kind = type(options[0])
        self.names = [plan.kind]
        self.ranges: dict[str, tuple[float, float]] = {}
        self.choices: dict[str, list[Any]] = {}
        for name in (field.name for field in fields(options[0])):
            # As the shift holds them: a leg that is dead has no fraction, depths are rounded.
            values = list(dict.fromkeys(getattr(option, name) for option in options))
            if isinstance(plan.values.get(name), dict) and len(values) > 1:
                self.ranges[name] = min(values), max(values)
                self.names.append(f"{plan.kind}.{name}")
            else:
                self.choices[name] = values
                if len(values) > 1:
                    self.names += [f"{plan.kind}.{name}={value}" for value in values]

    def of(self, shifts: tuple[Shift, ...]) -> NDArray[np.float64]:
        """Return the sum (k,) over those of `shifts` that this plan could have drawn."""
        return sum(
            (self._one(shift) for shift in shifts if self._could_draw(shift)),
            np.zeros(len(self.names)),
        )

    def _could_draw(self, shift: Shift) -> bool:
        return (
            type(shift) is self.kind
            and all(getattr(shift, name) in values for name, values in self.choices.items())
            and all(
                low <= getattr(shift, name) <= high for name, (low, high) in self.ranges.items()
            )
        )

    def _one(self, shift: Shift) -> NDArray[np.float64]:
        elements = [1.0]
        for name in (field.name for field in fields(shift)):
            value = getattr(shift, name)
            if name in self.ranges:
                low, high = self.ranges[name]
                elements.append((2.0 * value - low - high) / (high - low))
            elif len(self.choices[name]) > 1:
                elements += [float(value == choice) for choice in self.choices[name]]
        return np.array(elements)
