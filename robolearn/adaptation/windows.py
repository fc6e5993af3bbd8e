"""Where a life under a shift is measured: early, under the shift, and late.

Of a life of T steps, with [onset, end) the first span of the shift and [again, last) its last one,
which is the first too unless the shift comes back:

- *early*: a tenth of the life from the onset on;
- *under the shift*: [onset, end);
- *late*: the last quarter of a life's length before `last`, but neither before `again` nor within
  the early window: [max(last - T/4, again, onset + T/10), last).

A shift that lasts ends at T. A span no longer than the early window is a perturbation and no new
state of the body, and so is a shift of a kind that is over by itself (`Shift.lasts_s`), as a push:
what follows is what counts, so its end is taken as T.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.int64]
# First step of a window, and the first one after it, (episodes,) each.
Window = tuple[Steps, Steps]


@dataclass(frozen=True)
class Windows:
    """The windows of several lives of `steps` control steps (or trials) each.

    Attributes:
        steps: T.
        onset: (episodes,), the first step under the shift; 0 is at birth. More than a tenth of the
            life must follow.
        end: (episodes,), the first step after the first span.
        again: (episodes,), the first step of the last span; `onset` if there is one.
        last: (episodes,), the first step after the last span.

    Raises:
        ValueError: an onset lies outside the life, or so late that no late window is left.
    """

    steps: int
    onset: Steps
    end: Steps
    again: Steps
    last: Steps

    def __post_init__(self) -> None:
        """Check the onsets."""
        latest = self.steps - self._tenth - 1
        if np.any(self.onset < 0) or np.any(self.onset > latest):
            raise ValueError(
                f"onset: expected 0 to {latest} in a life of {self.steps} steps, got {self.onset}"
            )

    @property
    def early(self) -> Window:
        """The tenth of the life that follows the onset."""
        return self.onset, self.onset + self._tenth

    @property
    def under(self) -> Window:
        """The first span of the shift."""
        return self.onset, self.end

    @property
    def late(self) -> Window:
        """The end of the last span, at most a quarter of a life long."""
        quarter = self.last - max(1, self.steps // 4)
        start = np.maximum(quarter, np.maximum(self.again, self.onset + self._tenth))
        return start, self.last

    def of(self, episode: int) -> "Windows":
        """Return those of one life, arrays (1,)."""
        arrays = (self.onset, self.end, self.again, self.last)
        return Windows(self.steps, *(array[episode : episode + 1] for array in arrays))

    @property
    def _tenth(self) -> int:
        return early_steps(self.steps)


def early_steps(steps: int) -> int:
    """Return the length of the early window of a life of `steps`."""
    return max(1, steps // 10)


def windows_of(lives: Iterable[Sequence[tuple[int, int]]], steps: int) -> Windows:
    """Return the windows of lives of `steps`, from the spans (onset, end) of each one's shift.

    Spans that meet are one; what a span has past the end of the life is left out.
    """
    bounds = []
    for spans in lives:
        joined: list[list[int]] = []
        for begin, end in sorted(spans):
            lasting = end - begin > early_steps(steps)  # else it is a perturbation
            until = min(end, steps) if lasting else steps
            if joined and begin <= joined[-1][1]:
                joined[-1][1] = max(joined[-1][1], until)
            elif not joined or begin < steps:
                joined.append([begin, until])
        bounds.append([*joined[0], *joined[-1]])
    return Windows(steps, *np.array(bounds, np.int64).reshape(-1, 4).T)
