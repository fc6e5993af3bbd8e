"""A run: the folder that one training leaves behind, complete enough to be repeated from.

- `config.yaml`: the resolved configuration
- `run.json`: exact command, times, status, versions, machine, commit
- `metrics.jsonl`: one JSON object a line, with its step
- `checkpoints/`: the last two states of the learner
- `films/`: films of what was learnt
- `evaluation.json`: written by whoever evaluates
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import yaml

from robolearn.errors import UserError
from robolearn.tracking.atomic_file import make_folder, remove_temporaries, write_atomically
from robolearn.tracking.checkpoint import CheckpointFolder
from robolearn.tracking.metrics_log import MetricsLog
from robolearn.tracking.plain_values import to_plain, to_strict_json
from robolearn.tracking.provenance import describe_commit, describe_machine, describe_software
from robolearn.tracking.run_lock import LOCK_FILE, RunLock, is_locked

Status = Literal["running", "finished", "interrupted", "failed"]
RUN_FILE = "run.json"
_CONFIG_FILE = "config.yaml"


class RunFolder:
    """One run on disk: `create` a new one, `resume` an old one, or `open` it to read.

    `create` and `resume` lock the folder against a second trainer until `close`. As a context
    manager the run ends as finished, interrupted (Ctrl-C, exit) or failed (any other exception).
    """

    def __init__(self, path: Path, lock: RunLock | None) -> None:
        """Wrap an existing folder; callers use `create`, `resume` or `open`."""
        self.path = path
        self._lock = lock
        self._metrics = MetricsLog(path / "metrics.jsonl")

    @classmethod
    def create(cls, path: Path | str, config: Mapping[str, Any], command: Sequence[str]) -> Self:
        """Begin a run in `path`, which must not exist or be empty; missing parents are made.

        `command` is the command line word by word, stored so that a shell would read it back.

        Raises:
            UserError: the folder holds something, another process is beginning a run in it, or
                the system refused.
        """
        path = Path(path)
        refuse_if_taken(path)
        make_folder(path)
        lock = RunLock(path)
        try:
            refuse_if_taken(path)  # again: another process may have begun since
        except UserError:
            lock.release()
            raise
        run = cls(path, lock)
        try:
            text = yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True)
            write_atomically(path / _CONFIG_FILE, text.encode())
            run.write_json(
                RUN_FILE,
                {
                    "command": _quote(command),
                    "status": "running",
                    "started": _now(),
                    "finished": None,
                    "resumed": [],
                    "config": to_plain(config),
                    "versions": describe_software(),
                    "machine": describe_machine(),
                    "git": describe_commit(),
                },
            )
            run._make_folders()
        except BaseException:
            # Nothing was trained: leave the place free for the same command.
            for file in (path / _CONFIG_FILE, path / RUN_FILE):
                file.unlink(missing_ok=True)
            lock.release()
            raise
        return run

    @classmethod
    def resume(cls, path: Path | str, command: Sequence[str]) -> Self:
        """Train on in an existing run: lock it, note `command`, mend what a killed process left.

        The caller then loads `checkpoints.latest()` and calls `rewind` with its step.

        Raises:
            UserError: this is no run, another process trains in it, or the system refused.
        """
        run = cls.open(path)
        run._lock = RunLock(run.path)
        try:
            remove_temporaries(run.path)
            run._make_folders()
            run._metrics.repair()
            info = run.info
            again = {
                "command": _quote(command),
                "started": _now(),
                "versions": describe_software(),
                "machine": describe_machine(),
                "git": describe_commit(),
            }
            resumed = [*info.get("resumed", []), again]
            run.write_json(
                RUN_FILE, {**info, "status": "running", "finished": None, "resumed": resumed}
            )
        except BaseException:
            run.close()
            raise
        return run

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a run to read it and to add evaluations and films; takes no lock.

        Raises:
            UserError: `path` is no run.
        """
        path = Path(path)
        if not path.is_dir():
            raise UserError(f"no run folder at {path}: check the path, or begin a run there")
        if not (path / RUN_FILE).is_file():
            raise UserError(f"{path} is no run folder: it has no {RUN_FILE}")
        return cls(path, lock=None)

    @property
    def info(self) -> dict[str, Any]:
        """What `run.json` holds: command, status, started, finished, resumed, first config...

        Raises:
            UserError: it cannot be read, or is not what `create` wrote.
        """
        info = self.read_json(RUN_FILE)
        if not isinstance(info, dict) or "status" not in info:
            raise UserError(
                f"{self.path / RUN_FILE} must hold a mapping with a status: restore it, or begin "
                "a new run"
            )
        return info

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration, from `config.yaml`."""
        path = self.path / _CONFIG_FILE
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise UserError(f"cannot read {path}: {_one_line(error)}") from error
        if not isinstance(content, dict):
            raise UserError(f"{path} must hold a mapping, got {type(content).__name__}")
        return content

    @property
    def status(self) -> Status:
        """The status as it is: a run that was killed says "interrupted", not "running"."""
        status = self.info["status"]
        return "interrupted" if status == "running" and not is_locked(self.path) else status

    @property
    def checkpoints(self) -> CheckpointFolder:
        """The folder of the learner's states."""
        return CheckpointFolder(self.path / "checkpoints")

    @property
    def films(self) -> Path:
        """The folder of films."""
        return self.path / "films"

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Append the `metrics` of `step` to `metrics.jsonl`; NaN and infinities become null.

        Raises:
            UserError: the system refused; what was logged before is intact.
        """
        self._require_lock()
        self._metrics.append(step, metrics)

    def rewind(self, step: int) -> None:
        """Drop every logged line after `step`: the run goes on from there.

        Raises:
            UserError: the file cannot be read or replaced; it is then as it was.
        """
        self._require_lock()
        self._metrics.rewind(step)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return what was logged, in order; a line torn by a killed process is left out."""
        return self._metrics.read()

    def write_json(self, name: str, value: Any) -> Path:
        """Write `value` atomically to the file `name` of this folder; NaN becomes null.

        Raises:
            UserError: the system refused; the old file is intact.
        """
        path = self.path / name
        text = json.dumps(to_strict_json(value), indent=2, ensure_ascii=False)
        write_atomically(path, (text + "\n").encode())
        return path

    def read_json(self, name: str) -> Any:
        """Return the content of the JSON file `name` of this folder.

        Raises:
            UserError: it is missing, unreadable or no JSON.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read {path}: {_one_line(error)}") from error

    def set_status(self, status: Status) -> None:
        """Record `status` in `run.json`, with the time unless it is "running"."""
        finished = None if status == "running" else _now()
        self.write_json(RUN_FILE, {**self.info, "status": status, "finished": finished})

    def close(self) -> None:
        """Give the folder free for another trainer."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self._lock is not None:
                self.set_status(_status_after(error))
        except UserError:
            # On a full disk the first error tells the user more than this one.
            if error is None:
                raise
        finally:
            self.close()

    def _make_folders(self) -> None:
        for folder in (self.checkpoints.path, self.films):
            make_folder(folder)

    def _require_lock(self) -> None:
        if self._lock is None:
            raise RuntimeError("this run is open to read: train in RunFolder.create or .resume")


def _status_after(error: BaseException | None) -> Status:
    if error is None:
        return "finished"
    return "interrupted" if isinstance(error, KeyboardInterrupt | SystemExit) else "failed"


def refuse_if_taken(path: Path) -> None:
    """Check that a run can begin in `path`.

    Raises:
        UserError: it holds something; the message names a free folder.
    """
    if not path.exists() or (path.is_dir() and _is_empty(path)):
        return
    named = path if path.name not in ("", "..") else path.resolve()  # "." and ".." are no names
    free = next(
        candidate
        for number in range(2, 1_000_000)
        if not (candidate := named.parent / f"{named.name}-{number}").exists()
    )
    if (path / RUN_FILE).is_file():
        raise UserError(
            f"{path} already holds a run: continue it with --resume {shlex.quote(str(path))}, "
            f"or use a free name such as {free}"
        )
    what = "is not empty and holds no run that --resume could continue"
    if not path.is_dir():
        what = "is a file"
    raise UserError(f"{path} {what}: use a free name such as {free}")


def _is_empty(path: Path) -> bool:
    try:
        return all(entry.name == LOCK_FILE for entry in path.iterdir())
    except OSError as error:
        raise UserError(f"cannot read {path}: {_one_line(error)}") from error


def _quote(command: Sequence[str]) -> str:
    # A console script is given by its full path, which the user did not type.
    program = Path(command[0]).name if Path(command[0]).is_absolute() else command[0]
    return shlex.join([program, *command[1:]])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _one_line(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return " ".join((reason or str(error)).split())
