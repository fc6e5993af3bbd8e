"""What went on in a brain while its body was recorded: a few named series of numbers over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

KINDS = ("weight", "level", "event")

# Of a matrix with more elements than these, as many drawn ones are noted: forty thousand synapses
# at every frame would fill the memory.
MOST_ELEMENTS = 2048


@dataclass(frozen=True, eq=False)
class Series:
    """One quantity of a brain, such as its weights, with k elements at S moments.

    Attributes:
        name: such as "firing rates".
        unit: "1" for none.
        kind: a "weight" is plotted as its change, a "level" as it is, an "event" is zero but in
            single control steps, of which the largest since the moment before is kept.
        values: (S, k).
        total: number of elements of which these k were drawn; None for k, that is all of them.
    """

    name: str
    unit: str
    kind: Literal["weight", "level", "event"]
    values: NDArray[np.floating]
    total: int | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.kind not in KINDS:
            raise ValueError(
                f"series {self.name!r}: expected values (S, k) and a kind of {KINDS}, got "
                f"{self.values.shape} and {self.kind!r}"
            )

    @property
    def axis_label(self) -> str:
        """The name with its unit."""
        return self.name if self.unit == "1" else f"{self.name} ({self.unit})"


@dataclass(frozen=True, eq=False)
class Brain:
    """The series of one brain; moment s is at control step s * `stride` of the recording."""

    stride: int
    series: tuple[Series, ...]

    def __getitem__(self, name: str) -> Series:
        """The series of that name; raises KeyError."""
        for one in self.series:
            if one.name == name:
                return one
        raise KeyError(name)

    def description(self) -> dict[str, Any]:
        """All but the arrays, as plain values."""
        about = [
            {"name": s.name, "unit": s.unit, "kind": s.kind, "total": s.total} for s in self.series
        ]
        return {"stride": self.stride, "series": about}

    def arrays(self) -> dict[str, NDArray[np.floating]]:
        """The arrays by the names that they have in a trajectory file."""
        return {f"brain_{i}": one.values for i, one in enumerate(self.series)}

    @classmethod
    def take_from(cls, description: Mapping[str, Any], arrays: dict[str, NDArray[Any]]) -> "Brain":
        """Build what `description` and `arrays` made; its arrays are taken out of `arrays`."""
        return cls(
            int(description["stride"]),
            tuple(
                Series(
                    str(one["name"]),
                    str(one["unit"]),
                    one["kind"],
                    arrays.pop(f"brain_{i}"),
                    one["total"],
                )
                for i, one in enumerate(description["series"])
            ),
        )


class BrainWitness:
    """Notes the series of the brain in row 0, every `stride` control steps of a recording."""

    def __init__(self, stride: int) -> None:
        self._stride = stride
        self._about: dict[str, tuple[str, Any, int | None]] = {}  # name -> unit, kind, total
        self._drawn: dict[str, NDArray[np.int64]] = {}  # elements of large matrices that are noted
        self._moments: dict[str, list[NDArray[Any]]] = {}  # name -> (k,) each
        self._peaks: dict[str, NDArray[Any]] = {}  # of events since the last moment, (k,)

    def see(self, step: int, traces: Mapping[str, Any]) -> None:
        """Note what `traces` hold after control step `step` of the recording.

        Each has `values` (n, k), `unit` and `kind`, those of `robolearn.agents.protocol.Trace`.
        """
        due = step % self._stride == 0
        for name, trace in traces.items():
            if not due and trace.kind != "event":
                continue
            values = self._noted(name, trace.values[0])
            if trace.kind == "event":
                before = self._peaks.get(name, np.zeros_like(values))
                values = np.where(np.abs(values) > np.abs(before), values, before)
                self._peaks[name] = np.zeros_like(values) if due else values
            if due:
                total = trace.values.shape[1]
                self._about[name] = trace.unit, trace.kind, total if name in self._drawn else None
                self._moments.setdefault(name, []).append(values)

    def _noted(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """A copy of the elements (k,) that are noted of `values`, always the same ones."""
        if len(values) <= MOST_ELEMENTS:
            return np.array(values)
        if name not in self._drawn:
            chosen = np.random.default_rng(0).choice(len(values), MOST_ELEMENTS, replace=False)
            self._drawn[name] = np.sort(chosen)
        return values[self._drawn[name]]

    def brain(self) -> Brain:
        """Return what was noted."""
        return Brain(
            self._stride,
            tuple(
                Series(name, unit, kind, np.stack(moments), total)
                for name, moments in self._moments.items()
                for unit, kind, total in [self._about[name]]
            ),
        )
