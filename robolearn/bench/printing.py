"""Print measurements: tables on a terminal, one plain line each elsewhere, as they come."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from robolearn.bench.measurement import Measurement, Spread


class Printer:
    """Shows sections of measurements.

    Args:
        console: where to; the standard output by default.
    """

    def __init__(self, console: Console | None = None):
        # Plain output is for files: its lines must not break at the width of some terminal.
        self._console = console or Console(emoji=False, markup=False, highlight=False)
        self._table: Table | None = None

    def note(self, text: str) -> None:
        """Print a line of text."""
        self._console.print(text, soft_wrap=not self._console.is_terminal)

    @contextmanager
    def section(self, title: str) -> Iterator[None]:
        """Collect the measurements shown within the block under a title."""
        if not self._console.is_terminal:
            yield
            return
        self._table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        self._table.add_column("measurement", no_wrap=True)
        for column in ("median", "unit", "min–max", "ratio (min–max)"):
            right = column not in ("unit", "ratio (min–max)")
            self._table.add_column(column, justify="right" if right else "left", no_wrap=right)
        with self._console.status(f"measuring {title}"):
            yield
        self._console.print(self._table)
        self._console.print()
        self._table = None

    def show(self, measurement: Measurement) -> None:
        """Show one measurement."""
        spread = measurement.spread
        value, span = _number(spread.median), f"{_number(spread.low)}–{_number(spread.high)}"
        others = [_ratio(other, ratio) for other, ratio in measurement.ratios.items()]
        if self._table is not None:
            name = measurement.name.removeprefix(f"{self._table.title}/")
            self._table.add_row(name, value, measurement.unit, span, "\n".join(others))
            return
        head = f"{measurement.name}: {value} {measurement.unit}"
        runs = f"min–max {span} of {spread.repetitions}"
        self.note("; ".join([f"{head} ({runs})", *others]))


def _ratio(other: str, ratio: Spread) -> str:
    name = other.replace("_", " ")
    return f"{ratio.median:.2f} × {name} ({ratio.low:.2f}–{ratio.high:.2f})"


def _number(value: float) -> str:
    """Return three significant digits, without exponents."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.4f}"
