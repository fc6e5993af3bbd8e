"""Draws what went on in a brain over its life: small multiples above one another, one time axis."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robolearn.recording.brain import Brain, Series
from robolearn.recording.captions import SMOOTHING_S, smoothed_speed
from robolearn.recording.damage import DAMAGE_RGB
from robolearn.recording.trajectory import Trajectory
from robolearn.recording.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LINES = 16  # more series than these are a heat map
MOST_ROWS = 48  # of a heat map: those that change most
MOST_MOMENTS = 2000  # more would not be told apart in a picture

_BLUE = "#1f5f8b"
_FIGURE_DPI = 150


class Drawing(NamedTuple):
    """A figure in pixels.

    Attributes:
        picture: (h, w, 3) uint8.
        left: the pixel column at which all time axes begin.
        right: the one at which they end.
        rows: (top, bottom) of every axis, in pixels from above.
    """

    picture: NDArray[np.uint8]
    left: float
    right: float
    rows: tuple[tuple[int, int], ...]


def write_brain_figure(path: str | os.PathLike[str], trajectory: Trajectory) -> Path:
    """Draw the brain of a trajectory that has one into `path` (.png); returns the path.

    Raises UserError when the file cannot be written, ValueError when there is no brain.
    """
    path = Path(path)
    figure = _figure(trajectory, width_in=7.5, dpi=_FIGURE_DPI)
    with whole_file("figure", path) as partial:
        figure.savefig(partial)
    return path


def draw_brain(trajectory: Trajectory, size: tuple[int, int]) -> Drawing:
    """Draw the brain of a trajectory into a picture of `size` (width, height) in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    width, height = size
    figure = _figure(trajectory, width / 100, 100, height / 100)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    boxes = [axes.get_window_extent() for axes in figure.axes if axes.get_label() == "trace"]
    return Drawing(
        picture,
        float(boxes[0].x0),
        float(boxes[0].x1),
        tuple((round(height - box.y1), round(height - box.y0)) for box in boxes),
    )


def _figure(
    trajectory: Trajectory, width_in: float, dpi: int, height_in: float | None = None
) -> "Figure":
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    brain = trajectory.brain
    if brain is None:
        raise ValueError("this trajectory was recorded without its brain")
    heights = [1.0] + [1.7 if _is_map(one) else 1.0 for one in brain.series]
    small: dict[Any, Any] = {
        "font.size": 7, "axes.titlesize": 7, "axes.titlelocation": "left", "axes.titlepad": 2.5,
        "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6,
        "xtick.labelsize": 6.5, "ytick.labelsize": 6.5, "lines.linewidth": 0.9,
    }  # fmt: skip
    with rc_context(small):
        figure = Figure((width_in, height_in or 0.6 + 0.8 * sum(heights)), dpi=dpi)
        if height_in is None and trajectory.agent:  # beside a film, the film's caption tells it
            figure.suptitle(f"{trajectory.agent}, {trajectory.world}", fontsize=9)
        figure.set_layout_engine("constrained", h_pad=0.02, w_pad=0.04, hspace=0.02)
        # The second column holds the colour bars, so that all time axes have one width.
        grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=[1, 0.025])
        first: Axes | None = None
        for row in range(len(heights)):
            axes = figure.add_subplot(grid[row, 0], sharex=first, label="trace")
            first = first or axes
            if row == 0:
                _draw_performance(axes, trajectory)
            else:
                _draw_series(axes, grid[row, 1], brain, brain.series[row - 1], trajectory)
            _mark_shifts(axes, trajectory, with_names=row == 0)
            axes.tick_params(length=2, pad=1.5, labelbottom=row == len(heights) - 1)
        assert first is not None
        first.set_xlim(trajectory.time_s(0), trajectory.time_s(len(trajectory)))
        figure.axes[-1 if not _is_map(brain.series[-1]) else -2].set_xlabel("time of life (s)")
    return figure


def _draw_performance(axes: "Axes", trajectory: Trajectory) -> None:
    name, unit = trajectory.measure
    stride = -(-len(trajectory) // MOST_MOMENTS)
    steps = np.arange(0, len(trajectory), stride)
    time_s = trajectory.start_s + steps * trajectory.control_step_s
    if unit in ("1", "m/s"):
        axes.plot(time_s, smoothed_speed(trajectory)[steps], color=_BLUE, lw=1.2)
        within = (
            f"mean of {SMOOTHING_S:g} s" if unit == "1" else f"{unit}, mean of {SMOOTHING_S:g} s"
        )
        axes.set_title(f"{name} ({within})")
    else:  # what comes once in a trial
        axes.vlines(time_s, 0, _peaks(trajectory.speed[:, None], len(steps))[:, 0], color=_BLUE)
        axes.set_yticks([0])
        axes.set_title(name)


def _draw_series(
    axes: "Axes", bar: Any, brain: Brain, series: Series, trajectory: Trajectory
) -> None:
    moments = len(series.values)
    keep = np.arange(0, moments, -(-moments // MOST_MOMENTS))
    time_s = trajectory.start_s + keep * brain.stride * trajectory.control_step_s
    values = series.values[keep] if series.kind != "event" else _peaks(series.values, len(keep))
    if _is_map(series):
        _draw_map(axes, bar, series, values, time_s)
    elif series.kind == "event":
        axes.vlines(
            np.repeat(time_s, values.shape[1]), 0, values.ravel(), color=_BLUE, linewidth=0.7
        )
        axes.axhline(0, color="0.7", linewidth=0.5)
        axes.set_title(series.axis_label)
    else:
        axes.plot(time_s, values)
        count = f": {values.shape[1]}" if values.shape[1] > 1 else ""
        axes.set_title(series.axis_label + count)


def _draw_map(
    axes: "Axes",
    bar: Any,
    series: Series,
    values: NDArray[np.floating],
    time_s: NDArray[np.floating],
) -> None:
    chosen = most_changing(values, MOST_ROWS)
    shown = values[:, chosen]
    count = values.shape[1]
    which = f"{len(chosen)} of {count} that change most" if len(chosen) < count else f"all {count}"
    if series.total is not None:
        which += f", drawn of {series.total}"
    title = f"{series.axis_label}: {which}"
    if series.kind == "weight":
        shown = shown - shown[0]
        # Neighbours with a common fate are seen as one.
        shown = shown[:, np.argsort(shown[-1], kind="stable")]
        title = f"{series.axis_label}, change since {time_s[0]:.3g} s: {which}"
    largest = float(np.quantile(np.abs(shown), 0.995)) or float(np.abs(shown).max()) or 1.0
    signed = series.kind == "weight" or shown.min() < 0
    step_s = time_s[1] - time_s[0] if len(time_s) > 1 else 1.0
    image = axes.imshow(
        shown.T,
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        extent=(time_s[0], time_s[-1] + step_s, 0, len(chosen)),
        cmap="RdBu_r" if signed else "viridis",
        vmin=-largest if signed else 0.0,
        vmax=largest,
    )
    axes.set_title(title)
    axes.set_yticks([])
    axes.set_ylabel("synapses" if series.kind == "weight" else "elements", labelpad=2)
    figure = axes.figure
    assert figure is not None
    colours = figure.colorbar(image, cax=figure.add_subplot(bar))  # pyright: ignore[reportAttributeAccessIssue]
    colours.outline.set_linewidth(0.4)  # pyright: ignore[reportCallIssue]
    colours.ax.tick_params(length=1.5, pad=1)


def most_changing(values: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """The indices, ascending, of the `count` columns of `values` (S, k) of the largest range."""
    span = values.max(axis=0) - values.min(axis=0)
    return np.sort(np.argsort(-span, kind="stable")[:count])


def _peaks(values: NDArray[np.floating], count: int) -> NDArray[np.floating]:
    """Of `values` (S, k), in `count` equal spans, those farthest from zero, (count, k)."""
    stride = -(-len(values) // count)
    padded = np.zeros((count * stride, values.shape[1]), values.dtype)
    padded[: len(values)] = values
    spans = padded.reshape(count, stride, -1)
    at = np.abs(spans).argmax(axis=1)[:, None]
    return np.take_along_axis(spans, at, axis=1)[:, 0]


def _mark_shifts(axes: "Axes", trajectory: Trajectory, with_names: bool) -> None:
    end_s = trajectory.time_s(len(trajectory))
    for shift in trajectory.shifts:
        until_s = end_s if shift.end_s is None else min(shift.end_s, end_s)
        axes.axvline(shift.onset_s, color=DAMAGE_RGB, linewidth=1.0)
        if until_s < end_s:
            axes.axvline(until_s, color=DAMAGE_RGB, linewidth=1.0, linestyle=":")
        if with_names:
            axes.axvspan(shift.onset_s, until_s, color=DAMAGE_RGB, alpha=0.08, linewidth=0)
            start_s = max(shift.onset_s, trajectory.time_s(0))
            # On the side with more room, so that a late name is not cut off at the edge.
            is_late = 2 * start_s > trajectory.time_s(0) + end_s
            axes.text(
                start_s, 0.98, f" {shift.title} ", transform=axes.get_xaxis_transform(),
                color=DAMAGE_RGB, va="top", ha="right" if is_late else "left", clip_on=True,
            )  # fmt: skip


def _is_map(series: Series) -> bool:
    return series.values.shape[1] > MOST_LINES
