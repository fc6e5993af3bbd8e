"""Weights & Biases as a companion that never raises, never prompts and never hangs.

wandb runs in a process of its own (`wandb_process`), fed through a pipe that is never waited for.
The run folder is the truth; when W&B fails, one line says so and the training goes on.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from robolearn.errors import unknown_name
from robolearn.tracking import wandb_process
from robolearn.tracking.plain_values import to_strict_json

MODES = ("auto", "online", "offline", "off")
State = Literal["starting", "online", "offline", "off"]
_LARGEST_BACKLOG = 32 * 2**20  # bytes; a process that far behind is not coming back


class WandbLog:
    """A W&B run that mirrors the run in `folder`; its files go to `folder/wandb`.

    `mode` is "auto" (online if the user has logged in, else offline), "online" (the same, but tells
    when it is not), "offline" or "off". The user's WANDB_MODE=offline or disabled goes before it.
    `group` and `job_type` are what W&B sorts runs by: seeds of one recipe, trainings and reports.
    `run_id` makes a resumed run continue the same W&B run; `report` receives the few lines that
    the user should see (by default they go to stderr).

    The constructor returns at once. As a context manager it calls `finish` at the end.

    Raises:
        UserError: there is no such mode. Nothing else is ever raised, by any method.
    """

    def __init__(
        self,
        mode: str,
        folder: Path | str,
        *,
        project: str = "robolearn",
        name: str | None = None,
        group: str | None = None,
        job_type: str = "train",
        run_id: str | None = None,
        config: Mapping[str, Any] | None = None,
        report: Callable[[str], None] | None = None,
        init_timeout_s: float = 10.0,
    ) -> None:
        mode = resolve_mode(mode, os.environ)
        self.state: State = "off" if mode == "off" else "starting"
        self.url: str | None = None
        self._report = report or _print_to_stderr
        self._process: subprocess.Popen[bytes] | None = None
        self._unsent = bytearray()
        self._unread = b""
        self._step = 0
        if mode == "off":
            return
        try:
            self._process = _start_process()
        except OSError as error:
            self._give_up(f"its process cannot start: {error}")
            return
        self._send(
            do="open",
            mode=mode,
            folder=str(folder),
            project=project,
            name=name,
            group=group,
            job_type=job_type,
            run_id=run_id,
            config=_plain(config or {}),
            init_timeout_s=init_timeout_s,
            finish_timeout_s=30.0,
        )

    def log(self, step: int, metrics: Mapping[str, Any], *, late: bool = False) -> None:
        """Log the numbers, strings and booleans among `metrics` at `step`.

        W&B drops what is before its run's last step. What is `late`, found out after the training,
        goes to where the W&B run goes on if that is further; so do tables, lines and films.
        """
        scalars = {name: value for name, value in metrics.items() if _is_scalar(value)}
        self._step = int(step)
        self._send(do="log", step=self._step, metrics=_plain(scalars), late=late)

    def log_table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Log a table of `rows` under `name`, at the step logged last."""
        rows = [[_plain(cell) for cell in row] for row in rows]
        self._send(do="table", name=name, step=self._step, columns=list(columns), rows=rows)

    def log_lines(
        self,
        name: str,
        title: str,
        x_name: str,
        lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    ) -> None:
        """Log `lines`, {label: (x, y)}, as one line plot under `name`, at the step logged last."""
        drawn = {label: [_plain(list(axis)) for axis in line] for label, line in lines.items()}
        self._send(do="lines", name=name, step=self._step, title=title, x_name=x_name, lines=drawn)

    def log_film(self, path: Path | str, name: str | None = None, step: int | None = None) -> None:
        """Log the mp4 at `path` as `name` (else films/<file name>), at `step` (else the last)."""
        path = Path(path)
        name = name or f"films/{path.stem}"
        self._step = self._step if step is None else step
        self._send(do="film", name=name, step=self._step, path=os.path.abspath(path))

    def log_artifact(self, paths: Iterable[Path | str], name: str, type: str) -> None:
        """Keep copies of the files and folders at `paths` as version of the artifact `name`."""
        absolute = [os.path.abspath(path) for path in paths]
        self._send(do="artifact", name=name, type=type, paths=absolute)

    def finish(self, *, failed: bool = False, timeout_s: float = 60.0) -> None:
        """End the run and wait for the upload, at most `timeout_s` seconds; then give it up."""
        self._send(do="finish", exit_code=int(failed))
        process = self._process
        if process is None:
            return
        deadline = time.monotonic() + timeout_s
        try:
            while self._process is not None and time.monotonic() < deadline:
                self._exchange(wait_s=min(1.0, max(0.0, deadline - time.monotonic())))
            if self._process is not None:
                self._give_up(f"it did not finish within {timeout_s:g} s")
        finally:  # also when the user presses Ctrl-C to wait no longer
            self._end_process()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)  # by the user, or pruned
        self.finish(failed=error is not None and not stopped)

    def _send(self, **command: Any) -> None:
        if self._process is None:
            return
        self._unsent += json.dumps(command).encode() + b"\n"
        self._exchange(wait_s=0.0)
        if self._process is not None and len(self._unsent) > _LARGEST_BACKLOG:
            self._give_up("its process does not keep up")

    def _exchange(self, wait_s: float) -> None:
        """Send what the pipe takes and hear what the process says, waiting at most `wait_s`."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return
        inbox, outbox = process.stdout.fileno(), process.stdin.fileno()
        try:
            readable, writable, _ = select.select(
                [inbox], [outbox] if self._unsent else [], [], wait_s
            )
            if writable:
                with contextlib.suppress(BlockingIOError, BrokenPipeError):
                    del self._unsent[: os.write(outbox, self._unsent)]
            if not readable:
                return
            chunk = os.read(inbox, 1 << 16)
            *lines, self._unread = (self._unread + chunk).split(b"\n")
            news = [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            self._give_up(str(error))
            return
        for item in news:
            self._hear(item)
        if not chunk and self._process is not None:
            self._give_up("its process died")

    def _hear(self, news: dict[str, Any]) -> None:
        match news["event"]:
            case "online":
                self.state, self.url = "online", news["url"]
                self._report(f"W&B: {self.url}")
            case "offline":
                self.state = "offline"
                if news["message"]:
                    self._report(f"W&B is offline, sync later: {news['message']}")
            case "skipped":
                self._report(f"W&B skipped {news['message']}")
            case "failed":
                self._give_up(news["message"])
            case "finished":
                self._end_process(patience_s=5.0)

    def _give_up(self, reason: str) -> None:
        self._report(f"W&B is off, the run folder has everything: {reason}")
        self._end_process()

    def _end_process(self, patience_s: float = 0.0) -> None:
        process, self._process = self._process, None
        self.state = "off"
        self._unsent.clear()
        if process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience_s)
        process.kill()  # does nothing to a process that has ended
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def resolve_mode(mode: str, environment: Mapping[str, str]) -> str:
    """Return the mode to use for the asked `mode` under the user's environment variables.

    Raises:
        UserError: there is no such mode.
    """
    if mode not in MODES:
        raise unknown_name("W&B mode", mode, MODES)
    wish = environment.get("WANDB_MODE", "").lower()
    if environment.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes", "on"):
        wish = "disabled"
    if mode == "off" or wish == "disabled":
        return "off"
    return "offline" if wish in ("offline", "dryrun") else mode


def _start_process() -> "subprocess.Popen[bytes]":
    environment = {key: value for key, value in os.environ.items() if key != "WANDB_SERVICE"}
    process = subprocess.Popen(
        # -P: the folder of the script must not shadow the imports of wandb.
        [sys.executable, "-P", str(wandb_process.__file__)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=environment,
        start_new_session=True,  # no terminal to prompt on, no Ctrl-C before the last upload
    )
    assert process.stdin is not None
    os.set_blocking(process.stdin.fileno(), False)
    return process


def _is_scalar(value: Any) -> bool:
    return isinstance(value, bool | int | float | str | np.generic) or (
        isinstance(value, np.ndarray) and value.ndim == 0
    )


def _plain(value: Any) -> Any:
    """Return `value` as strict JSON; what has no such form becomes its text."""
    try:
        return to_strict_json(value)
    except TypeError:
        return str(value)


def _print_to_stderr(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr)
