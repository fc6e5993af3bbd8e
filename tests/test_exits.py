"""What is beyond the machine, or wrong in the environment, is told in one line too."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Result


def run(arguments: list[str], opengl: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from robolearn.cli import main; main()", *arguments]
    environment = {**os.environ, "MUJOCO_GL": opengl}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_an_opengl_that_is_not_here_breaks_no_verb_that_draws_nothing(tmp_path: Path):
    # One of the two is missing on any machine; where it is, `import mujoco` fails with it.
    for kind in ("osmesa", "cgl"):
        answer = run(["list", "zoo"], kind, tmp_path)
        assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["list", "zoo"], ["train", "quikstart"], ["record", "x"]])
def test_an_unknown_opengl_is_refused_in_one_line(arguments: list[str], tmp_path: Path):
    answer = run(arguments, "foo", tmp_path)
    assert answer.returncode == 2
    assert answer.stderr == (
        "error: unknown MUJOCO_GL 'foo' (valid: bundled, cgl, egl, glfw, off, osmesa)\n"
    )


@pytest.mark.parametrize("reason", ["", "std::bad_alloc"])
def test_too_little_memory_is_told_in_one_line(
    reason: str, robolearn: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
):
    def train(*_: object) -> None:
        raise MemoryError(reason)

    monkeypatch.setattr("robolearn.training.train", train)
    answer = robolearn("train", "tiny.yaml")
    assert answer.code == 2
    assert answer.err.startswith(f"error: not enough memory{f' ({reason})' if reason else ''}: ask")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "tiny.yaml", "env.life_s=1e9"], "env.life_s = 1000000000.0: the value should"),
        (["train", "tiny.yaml", "learning.population=1000000000"], "equal to 100000"),
        (["train", "tiny.yaml", "learning.validation_lives=10000000000"], "equal to 10000"),
        (["train", "tiny.yaml", "learning.lifetimes=10000000000"], "equal to 10000"),
        (
            ["train", "tiny.yaml", "learning.population=1000", "learning.lifetimes=10000"],
            "number of individuals must be from 1 to 1000000, got 10000000",
        ),
        (["train", "quadruped_ppo", "learning.num_envs=1000000000000"], "equal to 100000"),
        (
            ["evaluate", "spiking/quadruped-quickstart", "--episodes", "100000000000"],
            "episodes must be a whole number from 1 to 10000, got 100000000000",
        ),
        (
            ["record", "spiking/quadruped-quickstart", "--seconds", "1e9"],
            "a life must be of at most 100000 s, got 1e+09 s",
        ),
    ],
)
def test_absurd_sizes_are_refused_and_leave_nothing(
    arguments: list[str], message: str, robolearn: Callable[..., Result], tmp_path: Path
):
    answer = robolearn(*arguments)
    assert answer.code == 2
    assert message in answer.err
    assert answer.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]
