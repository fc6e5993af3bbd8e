"""A process that is killed at any moment of a save leaves a state that can be loaded."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robolearn.tracking.checkpoint import CheckpointFolder

_SAVE_FOR_EVER = """
import itertools, sys
import numpy as np
from robolearn.tracking.checkpoint import CheckpointFolder

folder = CheckpointFolder(sys.argv[1])
for step in itertools.count(int(sys.argv[2])):
    folder.save(step, {"x": np.full(100_000, step)}, {"step_is": step})
    print(step, flush=True)
"""

# For n = 1, 2...: forks a child that saves three states and, while it saves the fourth, kills
# itself in the n-th of its calls to the system: before, within or after the call.
_DIE_WITHIN_A_SAVE = """
import itertools, json, os, signal, sys
import numpy as np
from robolearn.tracking.checkpoint import CheckpointFolder

def save(folder, step):
    folder.save(step, {"x": np.full(1000, step)}, {"step_is": step})

def deadly(name, function, countdown):
    def call(*arguments, **keywords):
        countdown[0] -= 1
        if countdown[0] > 0:
            return function(*arguments, **keywords)
        if sys.argv[2] == "within" and name == "write":
            function(arguments[0], arguments[1][: len(arguments[1]) // 2])
        elif sys.argv[2] == "after":
            function(*arguments, **keywords)
        os.kill(os.getpid(), signal.SIGKILL)
    return call

def live(path, number):
    folder, countdown = CheckpointFolder(path), [number]
    for step in (1, 2, 3):
        save(folder, step)
    for name in ("open", "write", "fsync", "close", "replace", "unlink"):
        setattr(os, name, deadly(name, getattr(os, name), countdown))
    save(folder, 4)

for number in itertools.count(1):
    child = os.fork()
    if child == 0:
        live(os.path.join(sys.argv[1], str(number)), number)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(number, os.waitstatus_to_exitcode(status), flush=True)
    if status == 0:
        break
"""


@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_killed_in_any_call_of_a_save_the_last_or_the_new_state_is_there(
    tmp_path: Path, when: str
) -> None:
    trial = subprocess.run(
        [sys.executable, "-c", _DIE_WITHIN_A_SAVE, str(tmp_path), when],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    lives = [line.split() for line in trial.stdout.splitlines()]
    # At least: open, write, fsync, close, replace, and open, fsync, close of the folder.
    assert len(lives) > 8
    assert [code for _, code in lives] == [str(-signal.SIGKILL)] * (len(lives) - 1) + ["0"]
    found = [_checked_step(CheckpointFolder(tmp_path / number)) for number, _ in lives]
    assert found == sorted(found)
    assert set(found) == {3, 4}


@pytest.mark.slow
def test_killed_at_random_moments_no_reported_state_is_ever_lost(tmp_path: Path) -> None:
    dice = random.Random(0)
    folder = CheckpointFolder(tmp_path)
    step = 0
    for _ in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", _SAVE_FOR_EVER, str(tmp_path), str(step + 1)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        child.stdout.readline()
        try:
            child.wait(timeout=dice.uniform(0.0, 0.05))
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
        reported = child.communicate()[0].split()
        assert child.returncode == -signal.SIGKILL
        found = _checked_step(folder)
        assert found >= int(reported[-1] if reported else step + 1)
        step = found
    assert step > 12


def _checked_step(folder: CheckpointFolder) -> int:
    latest = folder.latest()
    assert latest is not None
    step, arrays, metadata = latest
    assert metadata == {"step_is": step}
    assert set(arrays["x"].tolist()) == {step}
    return step
