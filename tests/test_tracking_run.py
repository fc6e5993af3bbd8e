"""The run folder: complete, never overwritten, trained in by one process, rewound exactly."""

import contextlib
import errno
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from robolearn.errors import UserError
from robolearn.tracking import provenance
from robolearn.tracking.run import RunFolder

COMMAND = ["robolearn", "train", "my config.yaml", "learner.sigma=0.1", "it's"]


@pytest.fixture
def run(tmp_path: Path):
    with RunFolder.create(tmp_path / "run", {"seed": 1}, COMMAND) as run:
        yield run


def test_a_new_run_holds_config_command_versions_and_machine(run: RunFolder) -> None:
    info = run.info
    assert shlex.split(info["command"]) == COMMAND
    assert info["status"] == run.status == "running"
    assert datetime.fromisoformat(info["started"]).tzinfo is not None
    assert info["finished"] is None
    assert info["versions"]["numpy"] == np.__version__
    assert info["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"mujoco", "gymnasium", "numba", "torch", "robolearn"} <= info["versions"].keys()
    assert info["machine"]["cpu_count"] == os.cpu_count()
    assert run.films.is_dir()
    assert run.checkpoints.path.is_dir()
    assert run.checkpoints.latest() is None


def test_the_config_returns_as_it_was(tmp_path: Path) -> None:
    config = {"z": 1e-5, "a": {"x": [1, 2.5, None, True], "Ω": "on"}, "text": "1", "inf": math.inf}
    RunFolder.create(tmp_path / "run", config, COMMAND).close()
    loaded = RunFolder.open(tmp_path / "run").config
    assert loaded == config
    assert list(loaded) == list(config)


def test_numpy_values_tuples_and_paths_in_the_config_become_plain(tmp_path: Path) -> None:
    config = {"gain": np.float64(0.5), "legs": ("a", "b"), "with": Path("rules.py")}
    RunFolder.create(tmp_path / "run", config, COMMAND).close()
    assert RunFolder.open(tmp_path / "run").config == {
        "gain": 0.5,
        "legs": ["a", "b"],
        "with": "rules.py",
    }


def test_no_path_that_the_user_did_not_type_is_stored(tmp_path: Path) -> None:
    program = str(tmp_path / "bin" / "robolearn")
    RunFolder.create(tmp_path / "run", {}, [program, "train"]).close()
    for file in ("run.json", "config.yaml"):
        assert str(tmp_path) not in (tmp_path / "run" / file).read_text()
    assert RunFolder.open(tmp_path / "run").info["command"] == "robolearn train"


def test_an_existing_run_is_not_overwritten_and_a_free_name_is_offered(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "ant", {"a": 1}, COMMAND).close()
    RunFolder.create(tmp_path / "ant-2", {}, COMMAND).close()
    with pytest.raises(UserError, match=r"--resume .*ant, or use a free name such as .*ant-3$"):
        RunFolder.create(tmp_path / "ant", {"a": 2}, COMMAND)
    assert RunFolder.open(tmp_path / "ant").config == {"a": 1}


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match=r"no run that --resume could .*free name such as"):
        RunFolder.create(tmp_path, {}, COMMAND)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(UserError, match="run is a file"):
        RunFolder.create(tmp_path / "run", {}, COMMAND)


def test_an_empty_folder_is_a_place_for_a_run(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, {"a": 1}, COMMAND).close()
    assert RunFolder.open(tmp_path).config == {"a": 1}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write to")
def test_a_folder_that_cannot_be_written_is_told() -> None:
    with pytest.raises(UserError, match="cannot make folder /proc/run"):
        RunFolder.create("/proc/run", {}, COMMAND)


@pytest.mark.parametrize("file", ["config.yaml", "run.json"])
def test_after_a_full_disk_at_the_start_the_same_command_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    replace = os.replace

    def refuse_one(source: Path, target: Path) -> None:
        if target.name == file:
            _refuse()
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse_one)
        with pytest.raises(UserError, match=rf"cannot write .*{file}: No space left"):
            RunFolder.create(tmp_path / "run", {}, COMMAND)
    RunFolder.create(tmp_path / "run", {}, COMMAND).close()


@pytest.mark.parametrize("content", [None, "thesis.tex"])
def test_what_is_no_run_cannot_be_opened(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "x"
    if content:
        path.mkdir()
        (path / content).write_text("")
    with pytest.raises(UserError, match="no run folder"):
        RunFolder.open(path)
    with pytest.raises(UserError, match="no run folder"):
        RunFolder.resume(path, COMMAND)


def test_a_broken_run_json_is_named(run: RunFolder) -> None:
    content = (run.path / "run.json").read_text()
    (run.path / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"cannot read .*run\.json"):
        _ = RunFolder.open(run.path).info
    (run.path / "run.json").write_text(content)


@pytest.mark.parametrize("content", ["{}", "[]", "null"])
def test_a_run_json_of_something_else_is_told_in_one_line(tmp_path: Path, content: str) -> None:
    RunFolder.create(tmp_path / "run", {}, COMMAND).close()
    (tmp_path / "run" / "run.json").write_text(content)
    run = RunFolder.open(tmp_path / "run")
    with pytest.raises(UserError, match=r"run\.json must hold a mapping with a status"):
        _ = run.status
    with pytest.raises(UserError, match=r"run\.json must hold a mapping with a status"):
        RunFolder.resume(run.path, COMMAND)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "finished"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(143), "interrupted"),
        (ZeroDivisionError(), "failed"),
    ],
)
def test_the_end_of_a_run_is_recorded(
    tmp_path: Path, error: BaseException | None, status: str
) -> None:
    with contextlib.suppress(BaseException), RunFolder.create(tmp_path / "run", {}, COMMAND):
        if error:
            raise error
    run = RunFolder.open(tmp_path / "run")
    assert run.status == run.info["status"] == status
    assert datetime.fromisoformat(run.info["finished"]) >= datetime.fromisoformat(
        run.info["started"]
    )


def test_a_full_disk_at_the_end_does_not_hide_the_first_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train() -> None:
        with RunFolder.create(tmp_path / "run", {}, COMMAND):
            monkeypatch.setattr(os, "write", _refuse)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    monkeypatch.undo()
    RunFolder.resume(tmp_path / "run", COMMAND).close()


def test_metrics_return_in_order_with_step_and_time(run: RunFolder) -> None:
    run.log(1, {"fitness": np.float32(0.5), "legs": np.array([1, 2]), "nested": {"a": 1}})
    run.log(2, {"fitness": 0.75, "note": "ü\n"})
    first, second = run.read_metrics()
    assert first.pop("time") <= second.pop("time")
    assert first == {"step": 1, "fitness": 0.5, "legs": [1, 2], "nested": {"a": 1}}
    assert second == {"step": 2, "fitness": 0.75, "note": "ü\n"}
    assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 2


def test_nan_and_infinities_become_null(run: RunFolder) -> None:
    run.log(1, {"a": math.nan, "b": np.float32(np.inf), "c": [1.0, -math.inf]})
    line = run.read_metrics()[0]
    assert (line["a"], line["b"], line["c"]) == (None, None, [1.0, None])
    text = (run.path / "metrics.jsonl").read_text()
    assert not re.search("NaN|Infinity", text)


def test_a_metric_cannot_be_called_step(run: RunFolder) -> None:
    with pytest.raises(ValueError, match="'step'"):
        run.log(1, {"step": 2})
    assert run.read_metrics() == []


def test_rewind_drops_later_steps_and_the_torn_last_line(run: RunFolder) -> None:
    for step in (1, 2, 3, 4):
        run.log(step, {"x": step})
    metrics = run.path / "metrics.jsonl"
    kept = b"".join(metrics.read_bytes().splitlines(keepends=True)[:2])
    with metrics.open("ab") as file:
        file.write(b'{"step": 5, "x"')
    assert [line["step"] for line in run.read_metrics()] == [1, 2, 3, 4]
    run.rewind(2)
    assert metrics.read_bytes() == kept
    run.log(3, {"x": 30})
    assert [line["step"] for line in run.read_metrics()] == [1, 2, 3]


def test_rewind_of_a_run_without_metrics_does_nothing(run: RunFolder) -> None:
    run.rewind(0)
    assert run.read_metrics() == []


def test_a_broken_line_in_the_middle_is_named(run: RunFolder) -> None:
    run.log(1, {})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write("rubbish\n")
    run.log(2, {})
    with pytest.raises(UserError, match=r"line 2 of .*metrics\.jsonl"):
        run.read_metrics()


def test_a_full_disk_leaves_the_metrics_whole(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.log(1, {"x": 1})
    write, calls = os.write, []

    def write_half(descriptor: int, content: bytes) -> int:
        calls.append(content)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content[: len(content) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_half)
        with pytest.raises(UserError, match=r"cannot write .*metrics\.jsonl: No space left"):
            run.log(2, {"x": 2})
    assert len(calls) == 2
    run.log(3, {"x": 3})
    assert [line["step"] for line in run.read_metrics()] == [1, 3]


def test_json_files_are_replaced_atomically(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.write_json("evaluation.json", {"score": np.float64(1.5), "bad": math.nan})
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _refuse)
        with pytest.raises(UserError, match=r"cannot write .*evaluation\.json"):
            run.write_json("evaluation.json", {"score": 2})
    assert run.read_json("evaluation.json") == {"score": 1.5, "bad": None}
    assert not list(run.path.glob(".*"))


def test_a_run_opened_to_read_cannot_log(run: RunFolder) -> None:
    with pytest.raises(RuntimeError, match="open to read"):
        RunFolder.open(run.path).log(1, {})


def test_resume_notes_the_command_and_mends_the_torn_line(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", {"a": 1}, COMMAND).close()
    (tmp_path / "run" / "metrics.jsonl").write_bytes(b'{"step": 1}\n{"st')
    (tmp_path / "run" / ".run.json.abcd.tmp").write_text("half")
    with RunFolder.resume(tmp_path / "run", ["robolearn", "train", "--resume", "run"]) as run:
        assert run.status == "running"
        run.log(2, {})
        assert [line["step"] for line in run.read_metrics()] == [1, 2]
        assert not list(run.path.glob(".*"))
    assert run.info["command"] == shlex.join(COMMAND)
    assert [again["command"] for again in run.info["resumed"]] == ["robolearn train --resume run"]
    assert run.status == "finished"


def test_a_second_trainer_is_refused_in_the_same_process(run: RunFolder) -> None:
    with pytest.raises(UserError, match=rf"another process \(pid {os.getpid()}\) is training in"):
        RunFolder.resume(run.path, COMMAND)


_TRAIN = """
import os, sys, time
from robolearn.tracking.run import RunFolder
run = RunFolder.create(sys.argv[1], {}, ["robolearn"])
run.log(1, {})
child = os.fork()  # a worker that outlives its trainer
if child == 0:
    os.close(1)
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
time.sleep(60)
"""


def test_the_lock_dies_with_the_process_although_its_worker_lives(tmp_path: Path) -> None:
    path = tmp_path / "run"
    trainer = subprocess.Popen(
        [sys.executable, "-c", _TRAIN, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert trainer.stdout is not None
    worker = int(trainer.stdout.readline())
    try:
        assert RunFolder.open(path).status == "running"
        with pytest.raises(UserError, match=rf"pid {trainer.pid}\) is training in"):
            RunFolder.resume(path, COMMAND)
        trainer.kill()
        trainer.communicate()
        assert RunFolder.open(path).info["status"] == "running"
        assert RunFolder.open(path).status == "interrupted"
        with RunFolder.resume(path, COMMAND) as run:
            assert [line["step"] for line in run.read_metrics()] == [1]
            os.kill(worker, 0)  # the worker is alive still, or this raises
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_file_system_without_locks_is_a_place_for_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def know_no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", know_no_locks)
    with RunFolder.create(tmp_path / "run", {}, COMMAND) as run:
        run.log(1, {})
    assert run.status == "finished"


def test_the_commit_is_told_only_in_a_checkout(tmp_path: Path) -> None:
    assert provenance.describe_commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    try:
        subprocess.run([*git, "init", "-q"], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git is not installed")
    (tmp_path / "a").write_text("1")
    subprocess.run([*git, "add", "a"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "a"], check=True)
    clean = provenance.describe_commit(tmp_path)
    (tmp_path / "a").write_text("2")
    changed = provenance.describe_commit(tmp_path)
    assert clean is not None
    assert re.fullmatch("[0-9a-f]{40}", clean["commit"])
    assert clean["changed"] is False
    assert changed == {"commit": clean["commit"], "changed": True}


def test_run_json_is_readable_by_any_strict_parser(run: RunFolder) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    json.loads((run.path / "run.json").read_text(), parse_constant=refuse)


def _refuse(*args: object, **kwargs: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
