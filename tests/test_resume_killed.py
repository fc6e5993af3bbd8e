"""A training that was killed at any moment resumes and ends in the bits of one never killed.

A nursery process imports everything once and forks a child for each life: one that trains and
kills itself with SIGKILL at a chosen moment, and one that resumes what is left.
"""

import json
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_run import result_of, write_tiny

from robolearn.tracking.run import RunFolder

CONFIG: dict[str, Any] = {"learning": {"generations": 2, "validate_every": 1}}

_NURSERY = '''
import json, os, signal, sys
from pathlib import Path
from robolearn import training
from robolearn.config import load_config
from robolearn.learning.evolution import Evolution
from robolearn.tracking.checkpoint import CheckpointFolder
from robolearn.tracking.run import RunFolder
from robolearn.envs.vector_env import RobotVectorEnv

config = load_config(sys.argv[1])

def die(): os.kill(os.getpid(), signal.SIGKILL)

def deadly(owner, name, number, after):
    """Die at the call `number` of a function, before or after it."""
    real, calls = getattr(owner, name), []
    def call(*arguments, **keywords):
        calls.append(1)
        if len(calls) == number and not after:
            die()
        result = real(*arguments, **keywords)
        if len(calls) == number:
            die()
        return result
    setattr(owner, name, call)

def deadly_write(needle, share):
    """Die within the first write to a file called like `needle`, `share` of it on the disk."""
    open_, write, marked = os.open, os.write, set()
    def open_marked(path, *arguments, **keywords):
        descriptor = open_(path, *arguments, **keywords)
        (marked.add if needle in str(path) else marked.discard)(descriptor)
        return descriptor
    def write_and_die(descriptor, content):
        if descriptor in marked:
            write(descriptor, content[: int(share * len(content))])
            die()
        return write(descriptor, content)
    os.open, os.write = open_marked, write_and_die

def deadly_system_call(number):
    """Die before the call `number` that changes a file, counted from the run's first generation."""
    calls, counting, step = [], [], Evolution.step
    def begin(*arguments):
        counting.append(1)
        return step(*arguments)
    Evolution.step = begin
    def wrap(name):
        real = getattr(os, name)
        def call(*arguments, **keywords):
            calls.extend(counting[:1])
            if counting and len(calls) == number:
                die()
            return real(*arguments, **keywords)
        setattr(os, name, call)
    for name in ("open", "write", "fsync", "close", "replace", "unlink", "ftruncate"):
        wrap(name)

OWNERS = {"Evolution": Evolution, "CheckpointFolder": CheckpointFolder, "RunFolder": RunFolder,
          "RobotVectorEnv": RobotVectorEnv, "Session": training._Session}

def live(action):
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

for line in sys.stdin:
    order = json.loads(line)
    run, kind, moment = Path(order["run"]), order["kind"], order["moment"]
    def train():
        if kind == "call":
            deadly(OWNERS[moment[0]], *moment[1:])
        elif kind == "write":
            deadly_write(*moment)
        elif kind == "system call":
            deadly_system_call(*moment)
        training.train(config, run, ["robolearn"])
    codes = [live(train)]
    if codes[0]:
        codes.append(live(lambda: training.resume(run, ["robolearn"])))
    print(json.dumps(codes), flush=True)
'''


# Whatever started these tests may ignore Ctrl-C, and would hand that down.
_MAIN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from robolearn.cli import main
main()
"""


class Nursery:
    """Trains runs that die at a moment, and resumes them."""

    def __init__(self, folder: Path):
        self.folder = folder
        recipe = write_tiny(folder / "tiny.yaml", **CONFIG)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _NURSERY, str(recipe)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def live(self, name: str, kind: str = "", *moment: Any) -> tuple[Path, list[int]]:
        """Return the run folder, and the exit codes of the training and of its resumption."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        run = self.folder / name
        order = {"run": str(run), "kind": kind, "moment": moment}
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return run, json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path_factory.mktemp("nursery"))
    yield nursery
    nursery.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def expected(nursery: Nursery) -> dict[str, Any]:
    """What a run that nobody killed leaves."""
    run, codes = nursery.live("never-killed")
    assert codes == [0]
    return result_of(run)


# Two generations, each with a validation, a best and a checkpoint.
MOMENTS = {
    "within the first generation": ("call", "RobotVectorEnv", "step", 10, False),
    "before the first checkpoint": ("call", "CheckpointFolder", "save", 1, False),
    "between metrics and checkpoint": ("call", "RunFolder", "log", 2, True),
    "between checkpoint and the next generation": ("call", "CheckpointFolder", "save", 1, True),
    "within a checkpoint's write": ("write", ".step_000000000002", 0.5),
    "within a line of the metrics": ("write", "metrics.jsonl", 0.5),
    "while the best is saved": ("write", ".weights.safetensors", 0.5),
    "before the second validation": ("call", "Evolution", "validate", 2, False),
    "after the second validation": ("call", "Evolution", "validate", 2, True),
    "after the last generation": ("call", "CheckpointFolder", "save", 2, True),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_named_moment_it_ends_in_the_same_bits(
    moment: str, nursery: Nursery, expected: dict[str, Any]
) -> None:
    run, codes = nursery.live(moment, *MOMENTS[moment])
    assert codes == [-signal.SIGKILL, 0]
    _check(run, expected)


@pytest.mark.slow
def test_killed_before_any_system_call_it_ends_in_the_same_bits(
    nursery: Nursery, expected: dict[str, Any]
) -> None:
    for number in range(1, 1000):
        run, codes = nursery.live(f"call-{number}", "system call", number)
        if codes == [0]:
            break
        assert codes == [-signal.SIGKILL, 0], number
        _check(run, expected)
    # At least two generations of metrics, best and checkpoint, and the end of the run.
    assert number > 40


@pytest.mark.slow
def test_killed_again_and_again_at_random_times_it_ends_in_the_same_bits(
    tmp_path: Path,
) -> None:
    recipe = write_tiny(tmp_path / "tiny.yaml", learning={"generations": 200, "validate_every": 50})
    assert _robolearn(tmp_path, "train", recipe, "--out", "whole").wait() == 0
    dice, codes = random.Random(0), []
    command = ["train", recipe, "--out", "run"]
    for _ in range(8):
        trainer = _robolearn(tmp_path, *command)
        _first_line(trainer)
        try:
            trainer.wait(timeout=dice.uniform(0.0, 0.2))
        except subprocess.TimeoutExpired:
            trainer.kill()
        trainer.communicate()
        codes.append(trainer.returncode)
        command = ["train", "--resume", "run"]
    assert codes.count(-signal.SIGKILL) >= 3
    assert _robolearn(tmp_path, *command).wait() == 0
    _check(tmp_path / "run", result_of(tmp_path / "whole"))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_names_the_way_on_and_ends_in_the_same_bits(
    signum: signal.Signals, tmp_path: Path
) -> None:
    recipe = write_tiny(
        tmp_path / "tiny.yaml",
        learning={"generations": 40, "validate_every": 40},
        tracking={"checkpoint_every": 7},
    )
    whole = _robolearn(tmp_path, "train", recipe, "--out", "whole")
    trainer = _robolearn(tmp_path, "train", recipe, "--out", "a run")
    _first_line(trainer)
    trainer.send_signal(signum)
    _, errors = trainer.communicate()
    assert trainer.returncode == 128 + signum
    *_, last = errors.splitlines()
    assert last == "interrupted; go on with: robolearn train --resume 'a run'"
    assert "Traceback" not in errors
    assert RunFolder.open(tmp_path / "a run").status == "interrupted"
    assert _robolearn(tmp_path, "train", "--resume", "a run").wait() == 0
    assert whole.wait() == 0
    one, other = result_of(tmp_path / "whole"), result_of(tmp_path / "a run")
    for name in ("weights.safetensors", "step_000000000040.safetensors", "metrics"):
        assert one[name] == other[name]


def _check(run: Path, expected: dict[str, Any]) -> None:
    assert result_of(run) == expected
    assert RunFolder.open(run).status == "finished"
    assert not list(run.rglob("*.tmp"))


def _robolearn(folder: Path, *arguments: Any) -> "subprocess.Popen[str]":
    """Start the command line."""
    return subprocess.Popen(
        [sys.executable, "-c", _MAIN, *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _first_line(trainer: "subprocess.Popen[str]") -> None:
    """Wait until the training has done a generation."""
    assert trainer.stderr is not None
    line = trainer.stderr.readline()
    assert re.match(r"generation \d+/", line), line
