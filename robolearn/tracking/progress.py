"""The progress of a long job: one live line on a terminal, sparse plain lines elsewhere."""

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

_WINDOW = 20  # updates: long enough to be steady, short enough to forget the compilation
_REDRAW_S = 0.1


@dataclass(frozen=True)
class Sample:
    """What was done at one moment: `time_s` of any clock, `done` units, `steps` environment steps.

    Both counts may begin anywhere, as in a resumed run; only differences are used.
    """

    time_s: float
    done: int
    steps: int


@dataclass(frozen=True)
class Pace:
    """How fast a job goes; None where nothing is known yet."""

    steps_per_s: float | None
    eta_s: float | None


def pace(first: Sample, last: Sample, total: int) -> Pace:
    """Return the pace between two samples, and the seconds from `last` until `total` units."""
    elapsed_s = last.time_s - first.time_s
    if elapsed_s <= 0.0:
        return Pace(None, 0.0 if last.done >= total else None)
    steps_per_s = (last.steps - first.steps) / elapsed_s
    remaining = max(0, total - last.done)
    if remaining == 0:
        return Pace(steps_per_s, 0.0)
    done = last.done - first.done
    return Pace(steps_per_s, remaining * elapsed_s / done if done > 0 else None)


def format_duration(seconds: float | None) -> str:
    """Return `seconds` as "42 s", "3 min 20 s", "2 h 05 min" or "3 d 04 h"; None as "?"."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def format_line(
    unit: str, done: int, total: int, values: Mapping[str, float | str], pace: Pace
) -> str:
    """Return "generation 12/200 | fitness 1.25 | 9500 steps/s | ETA 3 min 20 s" and the like."""
    parts = [f"{unit} {done}/{total}"]
    parts += [f"{k} {v if isinstance(v, str) else format(v, '.4g')}" for k, v in values.items()]
    if pace.steps_per_s is not None:
        parts.append(f"{pace.steps_per_s:.0f} steps/s")
    parts.append(f"ETA {format_duration(pace.eta_s)}")
    return " | ".join(parts)


class Progress:
    """Shows how far a job of `total` units is; a context manager.

    On a terminal one line is redrawn in place. Otherwise a plain line comes with the first and the
    last update, and at most every `interval_s` seconds between them. A stream that can no longer
    be written to (a closed pipe) silences the progress; it never stops the job.
    """

    def __init__(
        self,
        total: int,
        *,
        unit: str = "generation",
        start: int = 0,
        stream: TextIO | None = None,
        interval_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._unit = unit
        self._stream = stream or sys.stderr
        self._interval_s = interval_s
        self._clock = clock
        self._samples = deque([Sample(clock(), start, 0)], maxlen=_WINDOW)
        self._line = ""
        self._shown = ""
        self._shown_at_s: float | None = None
        # Rich would take FORCE_COLOR for a terminal and write control characters into a file.
        console = Console(file=self._stream) if self._stream.isatty() else None
        self._live = (
            Live(console=console, auto_refresh=False)
            if console is not None and not console.is_dumb_terminal
            else None
        )

    def update(self, done: int, values: Mapping[str, float | str], *, steps: int = 0) -> None:
        """Show that `done` units are done, with `values` such as {"fitness": 1.2, "agent": "1/3"}.

        `steps` counts the environment steps since this object was made.
        """
        now_s = self._clock()
        self._samples.append(Sample(now_s, done, steps))
        rate = pace(self._samples[0], self._samples[-1], self._total)
        if not steps:
            rate = Pace(None, rate.eta_s)
        self._line = format_line(self._unit, done, self._total, values, rate)
        wait_s = self._interval_s if self._live is None else _REDRAW_S
        if self._shown_at_s is None or now_s - self._shown_at_s >= wait_s or done >= self._total:
            self._shown_at_s = now_s
            self._show()

    def message(self, text: str) -> None:
        """Print `text` on a line of its own, above the live line."""
        self._write(text)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._line != self._shown:
            self._show()
        if self._live is not None:
            try:
                self._live.stop()
            except (OSError, ValueError):
                self._live = None

    def _show(self) -> None:
        self._shown = self._line
        if self._live is None:
            self._write(self._line)
            return
        try:
            line = Text(self._line, no_wrap=True, overflow="ellipsis")
            self._live.update(line, refresh=True)
        except (OSError, ValueError):
            pass

    def _write(self, text: str) -> None:
        try:
            if self._live is not None:
                self._live.console.print(Text(text))
            else:
                print(text, file=self._stream, flush=True)
        except (OSError, ValueError):  # ValueError: the stream is closed
            pass
