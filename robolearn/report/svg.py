"""Hand-made SVG: scales, axes, lines and bands, drawn in the colours of the page's style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """The plotting area of a figure and its two linear scales.

    Attributes:
        x_range: least and largest value of x.
        y_range: the same of y.
        width: of the whole figure, in units of its view box, which are pixels on a phone.
        height: likewise.
        left: margin for the labels of the y axis.
        bottom: margin for those of the x axis.
    """

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: float = 340
    height: float = 200
    left: float = 40
    bottom: float = 34
    top: float = 10
    right: float = 12

    def x(self, value: float) -> float:
        """Return the place of an x."""
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Return the place of a y, which grows upwards."""
        low, high = self.y_range
        return (
            self.height
            - self.bottom
            - (value - low) / (high - low) * (self.height - self.bottom - self.top)
        )

    def axes(self, x_label: str, y_label: str = "", form: str = "{:g}") -> str:
        """Return grid lines, ticks and labels."""
        parts = []
        for value in ticks(*self.y_range):
            y = self.y(value)
            parts.append(line(self.left, y, self.width - self.right, y, "grid"))
            parts.append(text(self.left - 6, y + 3.5, told(value, form), "tick", "end"))
        base = self.height - self.bottom
        for value in ticks(*self.x_range, count=5):
            parts.append(line(self.x(value), base, self.x(value), base + 4, "axis"))
            parts.append(text(self.x(value), base + 15, told(value, form), "tick", "middle"))
        parts.append(line(self.left, base, self.width - self.right, base, "axis"))
        middle = (self.left + self.width - self.right) / 2
        parts.append(text(middle, self.height - 4, x_label, "label", "middle"))
        if y_label:
            parts.append(text(self.left, self.top - 1, y_label, "label", "start"))
        return "".join(parts)

    def path(self, x: Sequence[float] | Values, y: Sequence[float] | Values, kind: str) -> str:
        """Return a line through the points; it breaks where one is undefined."""
        parts, pen = [], "M"
        for a, b in zip(x, y, strict=True):
            if math.isfinite(a) and math.isfinite(b):
                parts.append(f"{pen}{self.x(a):.1f} {self.y(b):.1f}")
                pen = "L"
            else:
                pen = "M"
        return f'<path class="{kind}" d="{"".join(parts)}"/>'

    def band(self, x: Values, low: Values, high: Values, kind: str) -> str:
        """Return the area between two curves, cut off at the frame, where both are defined."""
        defined = np.isfinite(low) & np.isfinite(high)
        if not defined.any():
            return ""
        x, low, high = x[defined], low[defined], high[defined]
        low, high = (np.clip(curve, *self.y_range) for curve in (low, high))
        there = [f"{self.x(a):.1f} {self.y(b):.1f}" for a, b in zip(x, high, strict=True)]
        back = [f"{self.x(a):.1f} {self.y(b):.1f}" for a, b in zip(x[::-1], low[::-1], strict=True)]
        return f'<path class="{kind}" d="M{"L".join(there + back)}Z"/>'


def picture(width: float, height: float, title: str, content: str, kind: str = "") -> str:
    """Return a figure that scales with its column; `title` is what a screen reader says."""
    return (
        f'<svg class="plot {kind}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title, quote=True)}">{content}</svg>'
    )


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    """Return a line of text."""
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(content)}</text>"
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def told(value: float, form: str = "{:.2f}") -> str:
    """Return a number as it is printed: a true minus, and no negative nought; – if undefined."""
    if not math.isfinite(value):
        return "–"
    written = form.format(value)
    if not any(digit in written for digit in "123456789"):
        written = form.format(0.0)
    return written.replace("-", "−")


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about `count` round numbers within a range."""
    rough = (high - low) / max(count, 1)
    if not (math.isfinite(rough) and rough > 0):
        return []
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, last + 1)]


def wide_range(values: Sequence[float] | Values, zero: bool = True) -> tuple[float, float]:
    """Return a range that holds all finite values, and zero, with a little room."""
    finite = [float(v) for v in np.ravel(np.asarray(values, np.float64)) if math.isfinite(v)]
    finite += [0.0] if zero or not finite else []
    low, high = min(finite), max(finite)
    room = 0.06 * (high - low or 1.0)
    return (low - room if low < 0 else low), high + room
