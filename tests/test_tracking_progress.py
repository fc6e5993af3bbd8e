"""Progress lines: right rates, plain where there is no terminal, never in the job's way."""

import io
import os
import re

import pytest

from robolearn.tracking.progress import Pace, Progress, Sample, format_duration, format_line, pace


@pytest.mark.parametrize(
    ("first", "last", "total", "expected"),
    [
        (Sample(0, 0, 0), Sample(10, 5, 1000), 20, Pace(100.0, 30.0)),
        (Sample(100, 50, 7000), Sample(110, 55, 8000), 60, Pace(100.0, 10.0)),  # resumed at 50
        (Sample(0, 0, 0), Sample(0, 0, 0), 20, Pace(None, None)),
        (Sample(0, 3, 0), Sample(10, 3, 500), 20, Pace(50.0, None)),
        (Sample(0, 0, 0), Sample(10, 20, 1000), 20, Pace(100.0, 0.0)),
        (Sample(0, 0, 0), Sample(10, 25, 1000), 20, Pace(100.0, 0.0)),
        (Sample(0, 20, 0), Sample(0, 20, 0), 20, Pace(None, 0.0)),
    ],
)
def test_pace_is_the_difference_of_two_samples(
    first: Sample, last: Sample, total: int, expected: Pace
) -> None:
    assert pace(first, last, total) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
        (273600, "3 d 04 h"),
    ],
)
def test_durations_read_like_speech(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_line_tells_everything() -> None:
    line = format_line("generation", 12, 200, {"fitness": 1.25, "best": 2.0}, Pace(9500.4, 200.0))
    assert line == "generation 12/200 | fitness 1.25 | best 2 | 9500 steps/s | ETA 3 min 20 s"


class _Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _train(stream: io.StringIO, seconds_each: float, total: int = 10, **options: float) -> None:
    clock = _Clock()
    with Progress(total, stream=stream, clock=clock, **options) as progress:  # pyright: ignore[reportArgumentType]
        for generation in range(1, total + 1):
            clock.now_s += seconds_each
            progress.update(generation, {"fitness": generation / 10}, steps=100 * generation)


def test_without_a_terminal_lines_are_plain_and_sparse() -> None:
    stream = io.StringIO()
    _train(stream, seconds_each=1.0, interval_s=4.0)
    assert stream.getvalue().splitlines() == [
        "generation 1/10 | fitness 0.1 | 100 steps/s | ETA 9 s",
        "generation 5/10 | fitness 0.5 | 100 steps/s | ETA 5 s",
        "generation 9/10 | fitness 0.9 | 100 steps/s | ETA 1 s",
        "generation 10/10 | fitness 1 | 100 steps/s | ETA 0 s",
    ]


def test_forced_colours_write_no_control_characters_into_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    stream = io.StringIO()
    _train(stream, seconds_each=1.0)
    assert stream.getvalue()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", stream.getvalue())


def test_a_job_that_is_broken_off_shows_where() -> None:
    stream, clock = io.StringIO(), _Clock()

    def train_until_interrupted() -> None:
        with Progress(9, stream=stream, clock=clock) as progress:
            for generation in (1, 2, 3):
                clock.now_s += 1.0
                progress.update(generation, {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_until_interrupted()
    assert stream.getvalue().splitlines() == [
        "generation 1/9 | ETA 8 s",
        "generation 3/9 | ETA 6 s",
    ]


def test_the_slow_first_updates_are_forgotten() -> None:
    stream, clock = io.StringIO(), _Clock()
    with Progress(1000, stream=stream, clock=clock, interval_s=0.0) as progress:
        clock.now_s += 3600.0  # compiling
        for generation in range(1, 101):
            clock.now_s += 1.0
            progress.update(generation, {})
    assert stream.getvalue().splitlines()[-1] == "generation 100/1000 | ETA 15 min 00 s"


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("closed file")])
def test_a_stream_that_fails_does_not_stop_the_job(error: Exception) -> None:
    class Broken(io.StringIO):
        def write(self, text: str, /) -> int:
            raise error

    _train(Broken(), seconds_each=1.0, interval_s=0.0)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_is_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = _Terminal()
    clock = _Clock()
    with Progress(3, stream=stream, clock=clock) as progress:
        for generation in (1, 2, 3):
            clock.now_s += 1.0
            progress.update(generation, {"fitness": 0.5})
        progress.message("W&B: offline")
    written = stream.getvalue()
    assert "\x1b[2K" in written  # the line is erased and drawn again
    for generation in (1, 2, 3):
        assert f"generation {generation}/3 | fitness 0.5" in written
    assert "W&B: offline" in written
    assert written.count("\n") == 2  # the message, and the end of the live line


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = _Terminal()
    _train(stream, seconds_each=1.0)
    assert "\x1b" not in stream.getvalue()
    assert "generation 10/10" in stream.getvalue()


def test_messages_are_lines_of_their_own() -> None:
    stream = io.StringIO()
    with Progress(2, stream=stream) as progress:
        progress.message("checkpoint saved [bold]")
    assert stream.getvalue() == "checkpoint saved [bold]" + os.linesep
