"""Writes onto the frames of a film: who, how fast, which damage since when, and a speed strip."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from robolearn.recording.damage import active_shifts
from robolearn.recording.trajectory import Trajectory

SMOOTHING_S = 0.5  # the speed shown is the mean over this time
FLASH_S = 0.5  # how long the picture's edge glows after a damage

WHITE = (255, 255, 255, 255)
_SHADE = (10, 14, 22, 150)
RED = (222, 30, 40)
DIM = (190, 200, 215, 255)
_LINE = (120, 220, 255, 255)
_LINE_DAMAGED = (255, 120, 110, 255)


def smoothed_speed(trajectory: Trajectory) -> NDArray[np.float64]:
    """The mean speed (T,), or what was measured, over the last half second at each step."""
    window = max(1, round(SMOOTHING_S / trajectory.control_step_s))
    total = np.concatenate([[0.0], np.cumsum(trajectory.speed, dtype=np.float64)])
    end = np.arange(1, len(trajectory) + 1)
    start = np.maximum(end - window, 0)
    return (total[end] - total[start]) / (end - start)


def speed_text(speed: float, measure: tuple[str, str] = ("speed", "m/s")) -> str:
    """A speed in m/s for people, who know no negative zero, or another (name, unit).

    What comes once in a trial has no value at an instant: of that the name alone.
    """
    name, unit = measure
    value = f"{round(float(speed), 2) + 0.0:.2f}"
    return {"m/s": f"{value} m/s", "1": f"{name} {value}"}.get(unit, name)


class Captions:
    """The writing on all frames of one film; sizes follow the picture's height."""

    def __init__(self, trajectory: Trajectory, size: tuple[int, int], caption: str = "") -> None:
        """`caption` replaces the agent's name as the title."""
        self._trajectory = trajectory
        self._title = caption or trajectory.agent
        self._speed = smoothed_speed(trajectory)  # (T,) m/s
        self._width, self._height = size
        self._unit = self._height / 480
        chart_height = round(52 * self._unit)
        self._chart = (0, self._height - chart_height, self._width, self._height)
        self._curve = self._chart_points()

    def write(self, frame: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
        """A copy of `frame` (h, w, 3) with the writing for control step `step`."""
        trajectory, unit = self._trajectory, self._unit
        time_s = trajectory.time_s(step)
        image = Image.fromarray(frame)
        draw = ImageDraw.Draw(image, "RGBA")
        self._write_chart(draw, step)
        margin, large, small = round(10 * unit), round(21 * unit), round(14 * unit)
        told = speed_text(self._speed[step], trajectory.measure)
        if self._title:
            room = self._width - 3 * margin - font(large).getlength(told)
            write_text(draw, (margin, margin), self._title, fitting_size(self._title, large, room))
        write_text(draw, (margin, margin + large * 1.35), trajectory.world, small, fill=DIM)
        right = self._width - margin
        write_text(draw, (right, margin), told, large, anchor="ra")
        write_text(
            draw, (right, margin + large * 1.35), f"{time_s:.1f} s", small, anchor="ra", fill=DIM
        )
        y = margin + large * 1.35 + small * 1.9
        for shift in active_shifts(trajectory, time_s)[-3:]:
            since_s = time_s - shift.onset_s
            write_badge(draw, 10 * unit, y, f"{shift.title} · {since_s:.1f} s ago", small)
            y += small * 1.9
            if since_s < FLASH_S:
                self._flash(draw, 1 - since_s / FLASH_S)
        return np.asarray(image)

    def _flash(self, draw: ImageDraw.ImageDraw, strength: float) -> None:
        edge = (0, 0, self._width - 1, self._height - 1)
        for depth, alpha in ((14, 90), (8, 120), (4, 160)):
            draw.rectangle(
                edge,
                outline=(*RED, round(alpha * strength)),
                width=max(1, round(depth * self._unit)),
            )

    def _chart_points(self) -> NDArray[np.float64]:
        """The curve (T, 2) of the whole life in pixels of the picture."""
        left, top, right, bottom = self._chart
        pad = 8 * self._unit
        low, high = min(0.0, self._speed.min()), max(self._speed.max(), 0.1)
        x = np.linspace(left + pad, right - pad, len(self._speed))
        y = bottom - pad - (self._speed - low) / (high - low) * (bottom - top - 2 * pad)
        return np.stack([x, y], axis=1)

    def _write_chart(self, draw: ImageDraw.ImageDraw, step: int) -> None:
        """The speed so far, and a red mark at each damage that has come."""
        draw.rectangle(self._chart, fill=_SHADE)
        _, top, _, bottom = self._chart
        curve, dt = self._curve, self._trajectory.control_step_s
        thick = max(1, round(2 * self._unit))
        first_onset = len(curve)
        for shift in self._trajectory.shifts:
            onset = round((shift.onset_s - self._trajectory.start_s) / dt)
            if onset <= step:
                first_onset = min(first_onset, max(onset, 0))
            if 0 <= onset <= step:
                x = float(curve[min(onset, len(curve) - 1), 0])
                draw.line((x, top, x, bottom), fill=(*RED, 255), width=thick)
        self._draw_curve(draw, curve[: min(step, first_onset) + 1], _LINE, thick)
        self._draw_curve(draw, curve[first_onset : step + 1], _LINE_DAMAGED, thick)
        x, y = curve[step]
        radius = 3 * self._unit
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=WHITE)

    def _draw_curve(
        self,
        draw: ImageDraw.ImageDraw,
        points: NDArray[np.float64],
        colour: tuple[int, int, int, int],
        width: int,
    ) -> None:
        if len(points) > 1:
            draw.line([tuple(point) for point in points.tolist()], fill=colour, width=width)


def write_text(
    draw: ImageDraw.ImageDraw,
    position: tuple[float, float],
    text: str,
    size: int,
    *,
    anchor: str = "la",
    fill: tuple[int, int, int, int] = WHITE,
) -> None:
    """Write `text` with a dark rim, which keeps it legible over sky and floor alike."""
    draw.text(
        position,
        text,
        font=font(size),
        anchor=anchor,
        fill=fill,
        stroke_width=max(1, size // 12),
        stroke_fill=(10, 14, 22, 255),
    )


def write_badge(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int) -> None:
    """Write `text` on red; (x, y) is its upper left corner."""
    pad = size * 0.4
    left, top, right, bottom = draw.textbbox((x + pad, y), text, font=font(size), anchor="la")
    draw.rounded_rectangle(
        (left - pad, top - pad, right + pad, bottom + pad), radius=pad, fill=(*RED, 225)
    )
    draw.text((x + pad, y), text, font=font(size), anchor="la", fill=WHITE)


def fitting_size(text: str, size: int, room: float) -> int:
    """The largest size up to `size` at which `text` is no wider than `room`, in pixels."""
    return next((s for s in range(size, 1, -1) if font(s).getlength(text) <= room), 1)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The typeface of all writing, in pixels."""
    # Pillow's own lacks ×, Δ and √, which names of shifts and measures have.
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), size)
