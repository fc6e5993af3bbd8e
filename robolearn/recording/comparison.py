"""Films of several agents side by side under the same damage: names, one chart, slow motion."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from robolearn.recording.camera import Camera
from robolearn.recording.captions import (
    DIM,
    RED,
    WHITE,
    font,
    smoothed_speed,
    speed_text,
    write_badge,
    write_text,
)
from robolearn.recording.damage import Models, active_shifts, check_models, painted_steps
from robolearn.recording.film import frame_rate
from robolearn.recording.frame_renderer import FrameRenderer
from robolearn.recording.trajectory import Trajectory
from robolearn.recording.video_file import open_video

MOST_TILES = 4
SLOW = 4.0  # times slower than life, around the first onset
SLOW_BEFORE_S, SLOW_AFTER_S = 0.25, 0.75

# Told apart by most colour-blind eyes, on dark ground.
COLOURS = ((86, 180, 233), (230, 159, 0), (0, 200, 140), (240, 228, 66))
_GROUND = (16, 20, 30)


@dataclass(frozen=True)
class Take:
    """One agent's life for a comparison: its name, what happened, and the body as it changed."""

    name: str
    trajectory: Trajectory
    models: Models


@dataclass(frozen=True)
class _Format:
    """Sizes in pixels and frames a second of one kind of file."""

    tile: tuple[int, int]
    chart_height: int
    fps: float
    text: int


_FORMATS = {".mp4": _Format((480, 360), 120, 30.0, 17), ".gif": _Format((240, 180), 76, 10.0, 12)}


def write_comparison(
    path: str | os.PathLike[str], takes: Sequence[Take], camera: Camera | None = None
) -> Path:
    """Film 2 to 4 lives side by side into `path` (.mp4, or .gif in small); returns the path.

    All show the same moment of their lives; who is dead stays as it last was. Around the first
    onset of a shift the film runs `SLOW` times slower, and says so. Raises UserError when no
    OpenGL works or the file cannot be written, ValueError for lives of different length of step.
    """
    path = Path(path)
    steps_s = {take.trajectory.control_step_s for take in takes}
    if not 2 <= len(takes) <= MOST_TILES or len(steps_s) > 1:
        raise ValueError(f"expected 2 to {MOST_TILES} lives of one control step, got {steps_s}")
    for take in takes:
        check_models(take.trajectory, take.models)
    form = _FORMATS.get(path.suffix.lower(), _FORMATS[".mp4"])
    columns = len(takes) if len(takes) < MOST_TILES else MOST_TILES // 2
    rows = -(-len(takes) // columns)
    (width, height), chart = form.tile, _Chart(takes, columns * form.tile[0], form)
    size = (columns * width, rows * height + form.chart_height)
    stride, rate = frame_rate(steps_s.pop(), form.fps)
    longest = max((take.trajectory for take in takes), key=len)  # it has met the first onset
    slow = slow_steps(longest)
    shown = list(frame_steps(len(longest), stride, slow))
    with ExitStack() as stack:
        send = stack.enter_context(open_video(path, size, rate))
        tiles = [
            stack.enter_context(_Tile(take, colour, form, camera, shown))
            for take, colour in zip(takes, COLOURS, strict=False)
        ]
        before = -stride
        for step in shown:
            page = np.full((size[1], size[0], 3), _GROUND, np.uint8)
            for i, tile in enumerate(tiles):
                top, left = i // columns * height, i % columns * width
                page[top : top + height, left : left + width] = tile.at(step, step - before)
            page[rows * height :] = chart.at(step, step in slow)
            send(page)
            before = step
    return path


def slow_steps(trajectory: Trajectory) -> range:
    """The control steps around the first onset that are shown slowly; none without a shift."""
    start_s, step_s = trajectory.start_s, trajectory.control_step_s
    onsets = [shift.onset_s for shift in trajectory.shifts if shift.onset_s > start_s]
    if not onsets:
        return range(0)
    first, last = (
        round((min(onsets) + offset_s - start_s) / step_s)
        for offset_s in (-SLOW_BEFORE_S, SLOW_AFTER_S)
    )
    return range(max(first, 0), last)


def frame_steps(length: int, stride: int, slow: range) -> Iterator[int]:
    """The control step that each frame shows: every `stride`-th, in `slow` `SLOW` times as many."""
    at = 0.0
    while at < length:
        yield int(at + 1e-9)
        at += stride / SLOW if int(at + 1e-9) in slow else stride


class _Tile:
    """The picture of one life with its name; opens an OpenGL context, closes it at the end."""

    def __init__(
        self,
        take: Take,
        colour: tuple[int, int, int],
        form: _Format,
        camera: Camera | None,
        shown: Sequence[int],
    ) -> None:
        self._take, self._colour, self._text = take, (*colour, 255), form.text
        self._speed = smoothed_speed(take.trajectory)
        self._last = len(take.trajectory) - 1
        steps = sorted({min(step, self._last) for step in shown})
        self._looks = dict(painted_steps(take.trajectory, take.models, steps))
        self._renderer = FrameRenderer(take.models[0][1], form.tile, camera)
        self._drawn: tuple[int, NDArray[np.uint8]] | None = None  # step and picture of the last

    def __enter__(self) -> "_Tile":
        return self

    def __exit__(self, *_: object) -> None:
        self._renderer.close()

    def at(self, step: int, passed: int) -> NDArray[np.uint8]:
        """The picture (h, w, 3) at control step `step`, `passed` steps after the last one."""
        trajectory, is_over = self._take.trajectory, step > self._last
        step = min(step, self._last)
        if self._drawn is None or self._drawn[0] != step:
            picture = self._renderer.render(
                trajectory.qpos[step],
                model=self._looks[step],
                mocap_pos=trajectory.mocap_at(step),
                step_s=passed * trajectory.control_step_s,
            )
            self._drawn = step, picture
        image = Image.fromarray(self._drawn[1])
        draw = ImageDraw.Draw(image, "RGBA")
        margin, text = self._text * 0.6, self._text
        write_text(draw, (margin, margin), self._take.name, text, fill=self._colour)
        speed = speed_text(self._speed[step], trajectory.measure)
        write_text(draw, (image.width - margin, margin), speed, text, anchor="ra")
        if is_over:
            end_s = trajectory.time_s(len(trajectory))
            write_badge(
                draw, margin, margin + 1.8 * text, f"life ended at {end_s:.1f} s", round(0.8 * text)
            )
        return np.asarray(image)


class _Chart:
    """The strip under the tiles: the time, the damage, and the speeds of all so far."""

    def __init__(self, takes: Sequence[Take], width: int, form: _Format) -> None:
        self._size, self._text = (width, form.chart_height), form.text
        # Of two lives with one schedule the longer one has seen more of it.
        self._longest = max((take.trajectory for take in takes), key=len)
        speeds = [smoothed_speed(take.trajectory) for take in takes]
        low = min(0.0, *(speed.min() for speed in speeds))
        high = max(0.1, *(speed.max() for speed in speeds))
        margin, top = 0.6 * form.text, 2.1 * form.text
        self._x = np.linspace(margin, width - margin, len(self._longest))
        scale = (form.chart_height - margin - top) / (high - low)
        self._curves = [
            np.stack([self._x[: len(s)], form.chart_height - margin - (s - low) * scale], axis=1)
            for s in speeds
        ]

    def at(self, step: int, is_slow: bool) -> NDArray[np.uint8]:
        """The strip (h, w, 3) at control step `step`."""
        image = Image.new("RGB", self._size, _GROUND)
        draw = ImageDraw.Draw(image, "RGBA")
        life, text, margin = self._longest, self._text, 0.6 * self._text
        time_s = life.time_s(step)
        for shift in life.shifts:
            onset = round((shift.onset_s - life.start_s) / life.control_step_s)
            if 0 <= onset <= step:
                x = float(self._x[min(onset, len(self._x) - 1)])
                draw.line((x, 2.1 * text, x, self._size[1]), fill=(*RED, 255), width=2)
        for curve, colour in zip(self._curves, COLOURS, strict=False):
            points = curve[: step + 1]
            if len(points) > 1:
                draw.line([tuple(p) for p in points.tolist()], fill=(*colour, 255), width=2)
            x, y = points[-1]
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=(*colour, 255))
        told = [
            f"{shift.title} · {time_s - shift.onset_s:.1f} s ago"
            for shift in active_shifts(life, time_s)
        ]
        if told:
            write_badge(draw, margin, margin * 0.8, ", ".join(told[-2:]), round(0.85 * text))
        pace = f"{SLOW:g} × slower · " if is_slow else ""
        place = (self._size[0] - margin, margin * 0.8)
        draw.text(place, f"{pace}{time_s:.1f} s", font=font(text), anchor="ra", fill=WHITE)
        if not told:
            small = font(round(0.85 * text))
            draw.text((margin, margin * 0.8), self._measure(), font=small, fill=DIM)
        return np.asarray(image)

    def _measure(self) -> str:
        name, unit = self._longest.measure
        return name if unit == "1" else f"{name} ({unit})"
