"""The metrics of a run: one JSON object a line, appended as the run goes on.

Every line has `step` and `time` (seconds since 1970, UTC). A line is there whole or, if the
process died within it, is the torn last line, which readers ignore and `repair` removes.
"""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robolearn.errors import UserError
from robolearn.tracking.atomic_file import write_atomically, write_error
from robolearn.tracking.plain_values import to_strict_json

_OWN_KEYS = ("step", "time")


class MetricsLog:
    """The file of metrics at `path`; it need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Append the `metrics` of `step`: numbers, strings or arrays; NaN and infinities as null.

        Raises:
            UserError: the system refused; what was logged before is intact.
            ValueError: a metric is called `step` or `time`.
        """
        taken = [key for key in _OWN_KEYS if key in metrics]
        if taken:
            raise ValueError(f"a metric cannot be called {taken[0]!r}, which every line has")
        line = {"step": int(step), "time": round(time.time(), 3), **to_strict_json(metrics)}
        try:
            _append_whole(self.path, (json.dumps(line) + "\n").encode())
        except OSError as error:
            raise write_error(self.path, error) from error

    def read(self) -> list[dict[str, Any]]:
        """Return all lines in the order of their writing, without a torn last one.

        Raises:
            UserError: the file cannot be read, or a line before the last is no JSON object.
        """
        return [line for _, line in self._lines()]

    def repair(self) -> None:
        """Remove a torn last line, so that the next one begins on a line of its own."""
        content = self._content()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            write_atomically(self.path, content[:whole])

    def rewind(self, step: int) -> None:
        """Drop, atomically, every line after `step` and a torn last line.

        Raises:
            UserError: the file cannot be read or replaced; it is then as it was.
        """
        kept = b"".join(raw for raw, line in self._lines() if line["step"] <= step)
        if kept != self._content():
            write_atomically(self.path, kept)

    def _lines(self) -> list[tuple[bytes, dict[str, Any]]]:
        lines = []
        for number, raw in enumerate(self._content().splitlines(keepends=True), start=1):
            if not raw.endswith(b"\n"):
                break
            try:
                line = json.loads(raw)
                int(line["step"])
            except (ValueError, TypeError, KeyError) as error:
                raise UserError(
                    f"line {number} of {self.path} is no metrics of a step: remove the line"
                ) from error
            lines.append((raw, line))
        return lines

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise UserError(f"cannot read {self.path}: {error.strerror or error}") from error


def _append_whole(path: Path, line: bytes) -> None:
    """Append `line`, or, if the disk takes only a part of it, nothing."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        rest = line
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
