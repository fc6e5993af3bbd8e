"""What a measurement is: a name, a median with its range, and what it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Median and range of a figure over repetitions.

    Attributes:
        median: what is reported.
        low: the least.
        high: the largest.
        repetitions: how many there were.
    """

    median: float
    low: float
    high: float
    repetitions: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        """Summarise samples, one of each repetition."""
        return cls(float(np.median(samples)), min(samples), max(samples), len(samples))


@dataclass(frozen=True)
class Measurement:
    """One line of the benchmark.

    Attributes:
        name: its path, such as "lifetimes/standing".
        unit: of the value.
        spread: the value.
        ratios: {of what: this throughput / that one's}, formed within each repetition.
        details: what else identifies it: numbers of individuals and steps, the shift...
    """

    name: str
    unit: str
    spread: Spread
    ratios: dict[str, Spread] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """Return the JSON form: `name`, `value`, `unit`, `range`, `repetitions`, `ratio_to_...`."""
        mapping: dict[str, Any] = {
            "name": self.name,
            "value": self.spread.median,
            "unit": self.unit,
            "range": [self.spread.low, self.spread.high],
            "repetitions": self.spread.repetitions,
        }
        for other, ratio in self.ratios.items():
            mapping[f"ratio_to_{other}"] = ratio.median
            mapping[f"ratio_to_{other}_range"] = [ratio.low, ratio.high]
        return mapping | self.details


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return the spread of ours / theirs, both (repetitions,), paired by repetition."""
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=True)])
