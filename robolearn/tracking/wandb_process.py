"""The process that speaks to W&B on behalf of `wandb_log.WandbLog`; it alone imports wandb.

wandb can prompt, raise, and wait for ever, also when the interpreter exits. Here it has no
terminal, its errors become one line for the parent, and the parent can kill it. It reads JSON
lines from stdin (the first one opens the run) and writes JSON lines to stdout. It runs as a
script and imports nothing of robolearn, so that it starts fast.
"""

import contextlib
import json
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

ORPHAN_GRACE_S = 60.0  # for the last upload after the trainer died
_POLL_S = 2.0


def main() -> None:
    """Serve one run until "finish" or the end of stdin."""
    _keep_stdout_for_answers()
    trainer = os.getppid()
    threading.Thread(target=_die_with, args=(trainer,), daemon=True).start()
    commands = _read_commands(trainer)
    try:
        run = _open_run(next(commands))
        for command in commands:
            if command["do"] == "finish":
                run.finish(exit_code=command["exit_code"])
                _say("finished")
                return
            _obey(run, command)
        run.finish(exit_code=1)  # the trainer died without a word
    except Exception as error:
        _say("failed", message=_one_line(error))
        # What wandb registered to run at exit would wait for a service that does not answer.
        os._exit(1)


def _open_run(opening: dict[str, Any]) -> Any:
    """Start the run online if that is wanted and possible, else offline; tell the parent which."""
    # Imported here, so that a missing or broken wandb is told like any other failure.
    import wandb
    from wandb.errors import UsageError

    wandb.setup(settings=_settings(wandb, silent=True))
    reason = None
    if opening["mode"] != "offline":
        try:
            run = _init(wandb, opening, "online")
        except UsageError as error:
            # Not logged in: for "auto" this is no news.
            reason = _one_line(error) if opening["mode"] == "online" else None
        except Exception as error:
            reason = _one_line(error)
        else:
            _say("online", url=run.url)
            return run
        wandb.teardown()  # the failed attempt would keep the run's id in use
        wandb.setup(settings=_settings(wandb, silent=True))
    run = _init(wandb, opening, "offline")
    _say("offline", message=reason)
    return run


def _init(wandb: Any, opening: dict[str, Any], mode: str) -> Any:
    return wandb.init(
        mode=mode,
        project=opening["project"],
        name=opening["name"],
        group=opening["group"],
        job_type=opening["job_type"],
        id=opening["run_id"],
        resume="allow",
        dir=opening["folder"],
        config=opening["config"],
        settings=_settings(
            wandb,
            silent=True,
            console="off",
            init_timeout=opening["init_timeout_s"],
            finish_timeout=opening["finish_timeout_s"],
            # Nobody's paths, host, diffs and packages are uploaded; run.json has what matters.
            disable_code=True,
            disable_git=True,
            host="",
            program="robolearn",
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
            # Sampling the machine costs CPU time that the physics needs.
            x_disable_stats=True,
        ),
    )


def _settings(wandb: Any, **wanted: Any) -> Any:
    """Build `wandb.Settings` from those of the `wanted` that this version of wandb knows."""
    known = wandb.Settings.model_fields
    return wandb.Settings(**{name: value for name, value in wanted.items() if name in known})


def _obey(run: Any, command: dict[str, Any]) -> None:
    if command["do"] == "log":
        step = _open_step(run, command) if command["late"] else command["step"]
        run.log(command["metrics"], step=step)
        return
    import wandb

    try:
        if command["do"] == "film":
            film = wandb.Video(command["path"], format="mp4")
            run.log({command["name"]: film}, step=_open_step(run, command))
        elif command["do"] == "table":
            table = wandb.Table(
                columns=command["columns"], data=command["rows"], allow_mixed_types=True
            )
            run.log({command["name"]: table}, step=_open_step(run, command))
        elif command["do"] == "lines":
            xs, ys = zip(*command["lines"].values(), strict=True)
            chart = wandb.plot.line_series(
                xs, ys, list(command["lines"]), command["title"], command["x_name"]
            )
            run.log({command["name"]: chart}, step=_open_step(run, command))
        elif command["do"] == "artifact":
            artifact = wandb.Artifact(command["name"], type=command["type"])
            for path in command["paths"]:
                (artifact.add_dir if os.path.isdir(path) else artifact.add_file)(path)
            run.log_artifact(artifact)
    except Exception as error:  # a lost film is no reason to lose the curves
        _say("skipped", message=f"{command['do']} {command['name']}: {_one_line(error)}")


def _open_step(run: Any, command: dict[str, Any]) -> int:
    """Return the command's step, or where the run goes on: what lies before that, wandb drops."""
    return max(command["step"], run.step)


def _read_commands(trainer: int) -> Iterator[dict[str, Any]]:
    """Yield the parent's commands; end when stdin ends or the trainer is gone."""
    rest = b""
    while True:
        ready, _, _ = select.select([0], [], [], _POLL_S)
        if not ready:
            # A forked worker of the trainer may hold the pipe open after the trainer's death.
            if os.getppid() != trainer:
                return
            continue
        chunk = os.read(0, 1 << 16)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from map(json.loads, lines)


def _die_with(trainer: int) -> None:
    while os.getppid() == trainer:
        time.sleep(_POLL_S)
    time.sleep(ORPHAN_GRACE_S)
    os._exit(1)


def _keep_stdout_for_answers() -> None:
    """Let what wandb prints go nowhere, so that the parent hears `_say` alone."""
    sys.stdout.flush()
    answers = os.dup(1)
    os.dup2(2, 1)  # stderr, which the parent has sent to the null device
    _answers.append(answers)


_answers: list[int] = []


def _say(event: str, **more: Any) -> None:
    with contextlib.suppress(OSError):  # if the trainer is gone, the run is finished all the same
        os.write(_answers[0], (json.dumps({"event": event, **more}) + "\n").encode())


def _one_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


if __name__ == "__main__":
    main()
