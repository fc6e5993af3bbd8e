"""W&B is a companion: it works offline for real, and whatever happens to it, training goes on.

These tests start the real wandb, without a key and without a network.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from robolearn.errors import UserError
from robolearn.tracking import wandb_log, wandb_process
from robolearn.tracking.wandb_log import WandbLog, resolve_mode
from robolearn.training import TrainingStopped

KEY = "0" * 40  # of the right form, and nobody's


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(home))
    # Nothing here may reach the network, also where there is one.
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                accepted.append(server.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    for connection in [server, *accepted]:
        connection.close()


@pytest.mark.parametrize(
    ("mode", "environment", "expected"),
    [
        ("auto", {}, "auto"),
        ("online", {}, "online"),
        ("offline", {}, "offline"),
        ("off", {}, "off"),
        ("auto", {"WANDB_MODE": "disabled"}, "off"),
        ("online", {"WANDB_MODE": "disabled"}, "off"),
        ("online", {"WANDB_MODE": "offline"}, "offline"),
        ("auto", {"WANDB_MODE": "dryrun"}, "offline"),
        ("off", {"WANDB_MODE": "offline"}, "off"),
        ("auto", {"WANDB_MODE": "online"}, "auto"),
        ("auto", {"WANDB_DISABLED": "true"}, "off"),
        ("auto", {"WANDB_DISABLED": "false"}, "auto"),
    ],
)
def test_the_users_environment_goes_before_the_mode(
    mode: str, environment: dict[str, str], expected: str
) -> None:
    assert resolve_mode(mode, environment) == expected


def test_an_unknown_mode_answers_with_the_nearest(folder: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'offline'"):
        WandbLog("ofline", folder)


def test_off_starts_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with WandbLog("off", folder) as log:
        log.log(1, {"x": 1})
        log.log_film("none.mp4")
    assert log.state == "off"
    assert not list(folder.iterdir())


def test_offline_writes_everything_into_the_run_folder(folder: Path) -> None:
    film, weights = folder / "walk.mp4", folder / "weights.bin"
    film.write_bytes(b"not really a film")
    weights.write_bytes(b"123")
    lines: list[str] = []
    with WandbLog(
        "offline", folder, run_id="r1", config={"rate": 1}, group="walkers", job_type="trial",
        report=lines.append,
    ) as log:  # fmt: skip
        log.log(7, {"fitness": np.float32(0.5), "bad": np.nan, "array": np.zeros(3)})
        log.log_table("damage", ["leg", "loss"], [["front", 0.5], ["hind", None], [1, True]])
        log.log_film(film)
        log.log_lines("speed", "m/s", "s", {"live": ([0, 1], [0.5, np.nan]), "frozen": ([0], [1])})
        log.log_artifact([weights], "weights", "model")
    assert lines == []
    assert log.state == "off"
    files = {path.name: path for path in (folder / "wandb").rglob("*") if path.is_file()}
    data = files["run-r1.wandb"].read_bytes()
    for word in (b"fitness", b"rate", b"films/walk", b"damage", b"speed_table", b"weights"):
        assert word in data
    assert b"walkers" in data
    assert b"trial" in data
    assert b"lineseries" in data
    assert b"array" not in data
    assert str(folder).encode() not in data
    assert any("media/videos/films" in str(path) for path in files.values())
    assert any("media/table" in str(path) for path in files.values())


def test_the_trainer_itself_never_imports_wandb(folder: Path) -> None:
    script = (
        "import sys\n"
        "from robolearn.tracking.wandb_log import WandbLog\n"
        "with WandbLog('offline', sys.argv[1]) as log: log.log(1, {'x': 1})\n"
        "print('wandb' in sys.modules)"
    )
    trainer = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True
    )
    assert trainer.stdout == "False\n"
    assert trainer.stderr == ""
    assert list(folder.glob("wandb/offline-run-*/*.wandb"))


@pytest.mark.parametrize(("mode", "told"), [("auto", 0), ("online", 1)])
def test_without_a_key_the_run_is_offline_and_only_online_tells_why(
    folder: Path, mode: str, told: int
) -> None:
    lines: list[str] = []
    log = WandbLog(mode, folder, report=lines.append)
    _exchange_until(log, lambda: log.state != "starting")
    assert log.state == "offline"
    log.finish()
    assert len(lines) == told
    assert all("W&B is offline" in line and "API key" in line for line in lines)
    assert list(folder.glob("wandb/offline-run-*/*.wandb"))


def test_with_a_key_of_a_wrong_form_the_run_is_offline_and_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "short")
    lines: list[str] = []
    WandbLog("auto", folder, report=lines.append).finish()
    assert len(lines) == 1
    assert lines[0].startswith("W&B is offline, sync later: WANDB_API_KEY invalid")
    assert list(folder.glob("wandb/offline-run-*/*.wandb"))


def test_a_key_without_a_network_falls_back_to_offline_with_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    lines: list[str] = []
    with WandbLog("auto", folder, run_id="r2", report=lines.append, init_timeout_s=1.0) as log:
        log.log(1, {"fitness": 1.0})
    assert len(lines) == 1
    assert "W&B is offline, sync later" in lines[0]
    (offline,) = folder.glob("wandb/offline-run-*/run-r2.wandb")
    assert b"fitness" in offline.read_bytes()


@pytest.mark.slow
def test_a_network_that_swallows_everything_falls_back_to_offline(
    folder: Path, monkeypatch: pytest.MonkeyPatch, silent_server: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server)
    lines: list[str] = []
    with WandbLog("online", folder, report=lines.append, init_timeout_s=1.0) as log:
        log.log(1, {"fitness": 1.0})
    assert len(lines) == 1
    assert "W&B is offline, sync later" in lines[0]
    assert list(folder.glob("wandb/offline-run-*/*.wandb"))


def test_the_same_run_id_makes_a_second_folder_of_the_same_run(folder: Path) -> None:
    for step in (1, 2):
        with WandbLog("offline", folder / str(step), run_id="same") as log:
            log.log(step, {"x": step})
    # wandb makes its folder where `dir` is; a missing one must not send the files elsewhere.
    assert len(list(folder.glob("*/wandb/offline-run-*/run-same.wandb"))) == 2


class OnlineRun:
    """A W&B run resumed online: it goes on at `step`, and drops what is logged before that."""

    def __init__(self, step: int) -> None:
        self.step, self.kept = step, {}

    def log(self, values: dict, step: int) -> None:
        if step >= self.step:
            self.step = step
            self.kept.update(dict.fromkeys(values, step))


def test_nothing_found_out_after_the_training_is_dropped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(Video=_take, Table=_take))
    monkeypatch.setattr(wandb_process, "_say", lambda *_, **news: pytest.fail(str(news)))
    run, log = OnlineRun(12), WandbLog("off", folder)
    monkeypatch.setattr(log, "_send", lambda **command: wandb_process._obey(run, command))
    log.log(10, {"lived again": 1})
    log.log(10, {"evaluation/intact": 1}, late=True)
    log.log_table("evaluation", ["leg"], [["front"]])
    log.log_film("walk.mp4", step=10)
    assert run.kept == {"evaluation/intact": 12, "evaluation": 12, "films/walk": 12}
    log.log(15, {"trained on": 1})
    log.log_film("walk.mp4")
    assert (run.kept["trained on"], run.kept["films/walk"]) == (15, 15)


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (None, False),
        (TrainingStopped(), False),
        (KeyboardInterrupt(), False),
        (SystemExit(143), False),
        (ZeroDivisionError(), True),
    ],
)
def test_a_run_that_was_stopped_has_not_failed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | None, failed: bool
) -> None:
    log, told = WandbLog("off", folder), []
    monkeypatch.setattr(log, "_send", lambda **command: told.append(command))
    with contextlib.suppress(BaseException), log:
        if error:
            raise error
    assert told == [{"do": "finish", "exit_code": int(failed)}]


def test_a_film_that_is_missing_costs_one_line_and_the_curves_go_on(folder: Path) -> None:
    lines: list[str] = []
    with WandbLog("offline", folder, run_id="r3", report=lines.append) as log:
        log.log_film(folder / "none.mp4")
        log.log(5, {"afterwards": 1.0})
    assert len(lines) == 1
    assert lines[0].startswith("W&B skipped film films/none")
    (data,) = folder.glob("wandb/offline-run-*/run-r3.wandb")
    assert b"afterwards" in data.read_bytes()


def test_a_killed_service_switches_w_and_b_off_with_one_line(folder: Path) -> None:
    lines: list[str] = []
    log = WandbLog("offline", folder, report=lines.append)
    _exchange_until(log, lambda: log.state == "offline")
    assert log._process is not None
    os.kill(_child_of(log._process.pid), signal.SIGKILL)
    _exchange_until(log, lambda: log.state == "off", each=lambda: log.log(1, {"x": 1}))
    log.log(2, {"x": 2})
    log.finish()
    assert len(lines) == 1
    assert lines[0].startswith("W&B is off, the run folder has everything")


def test_a_killed_companion_switches_w_and_b_off_with_one_line(folder: Path) -> None:
    lines: list[str] = []
    log = WandbLog("offline", folder, report=lines.append)
    assert log._process is not None
    log._process.kill()
    _exchange_until(log, lambda: log.state == "off", each=lambda: log.log(1, {"x": 1}))
    log.finish()
    assert lines == ["W&B is off, the run folder has everything: its process died"]


def test_a_companion_that_hangs_is_neither_waited_for_nor_left_behind(folder: Path) -> None:
    lines: list[str] = []
    log = WandbLog("offline", folder, report=lines.append)
    process = log._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    for step in range(2000):  # more than a pipe holds
        log.log(step, {f"metric {number}": 0.5 for number in range(10)})
    assert log._unsent
    log.finish(timeout_s=0.2)
    assert lines == ["W&B is off, the run folder has everything: it did not finish within 0.2 s"]
    assert process.returncode == -signal.SIGKILL


def test_a_backlog_without_end_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb_log, "_LARGEST_BACKLOG", 1000)
    lines: list[str] = []
    log = WandbLog("offline", folder, report=lines.append)
    assert log._process is not None
    os.kill(log._process.pid, signal.SIGSTOP)
    for step in range(2000):
        log.log(step, {f"metric {number}": 0.5 for number in range(10)})
    assert log.state == "off"
    assert lines == ["W&B is off, the run folder has everything: its process does not keep up"]


def test_a_companion_that_cannot_start_is_told_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(folder / "no-python"))
    lines: list[str] = []
    with WandbLog("auto", folder, report=lines.append) as log:
        log.log(1, {"x": 1})
    assert len(lines) == 1
    assert "its process cannot start" in lines[0]


@pytest.mark.slow
def test_after_a_killed_trainer_the_companion_finishes_by_itself(folder: Path) -> None:
    script = (
        "import os, sys, signal\n"
        "from robolearn.tracking.wandb_log import WandbLog\n"
        "log = WandbLog('offline', sys.argv[1], run_id='r4')\n"
        "log.log(1, {'fitness': 1})\n"
        "print(log._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    trainer = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False
    )
    companion = int(trainer.stdout)
    _wait_until(lambda: not _is_alive(companion))
    (data,) = folder.glob("wandb/offline-run-*/run-r4.wandb")
    assert b"fitness" in data.read_bytes()


def _take(*arguments: object, **options: object) -> None:
    """Stand for a constructor of wandb."""


def _exchange_until(
    log: WandbLog, reached: Callable[[], bool], each: Callable[[], None] = lambda: None
) -> None:
    def step() -> bool:
        each()
        log._exchange(wait_s=0.02)
        return reached()

    _wait_until(step)


def _wait_until(reached: Callable[[], bool], patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while not reached():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def _child_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for file in children for child in file.read_text().split()]
    if not found:
        pytest.skip("this system does not tell the children of a process")
    assert len(found) == 1
    return found[0]


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
