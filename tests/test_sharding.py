"""Lives shared out over processes are those of one process, bit for bit, whoever dies."""

import builtins
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tiny_run import result_of, tiny_config, write_tiny

from robolearn import training
from robolearn.errors import UserError
from robolearn.learning.evolution import life_seeds
from robolearn.learning.sharding import ShardedPopulation

COMMAND = ["robolearn", "train", "tiny.yaml"]
THREE: dict[str, Any] = {"generations": 3}


def test_without_ray_one_line_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError, match=r"pip install -e '\.\[ray\]'"):
        training._Session(tiny_config(learning={"workers": 1}))


def test_more_workers_than_individuals_are_refused() -> None:
    with pytest.raises(UserError, match=r"learning.workers: got 9, expected at most 8"):
        training._Session(tiny_config(learning={"workers": 9}))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_number_of_workers_changes_no_bit(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    for workers in (0, 1, 2):
        config = tiny_config(learning={**THREE, "workers": workers})
        training.train(config, tmp_path / str(workers), COMMAND)
    assert result_of(tmp_path / "1") == result_of(tmp_path / "0")
    assert result_of(tmp_path / "2") == result_of(tmp_path / "0")


MAIN = "from robolearn.cli import main; main()"
OWN = """
from dataclasses import dataclass
from typing import ClassVar

from robolearn.agents.mlp import MLP
from robolearn.agents.registry import register as register_brain
from robolearn.shifts import Shift, register as register_shift

register_brain("own", MLP)


@register_shift
@dataclass(frozen=True)
class Mud(Shift):
    kind: ClassVar[str] = "mud"

    def apply(self, simulation, ids, memory):
        damping = simulation.body("dof_damping", ids)
        simulation.write_body("dof_damping", ids, slice(None), 9.0 * damping)
"""


@pytest.mark.slow
def test_workers_know_the_brains_and_shifts_of_a_file_of_with(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    (tmp_path / "own.py").write_text(OWN)
    path = tmp_path / "own.yaml"
    write_tiny(
        path, env={"shifts": ["mud@0.1s"]}, agent={"kind": "own", "hidden": [4]}, learning=THREE
    )
    for workers in ("0", "2"):
        words = ["train", path, "--with", tmp_path / "own.py", "--out", tmp_path / workers]
        command = [sys.executable, "-c", MAIN, *words, f"learning.workers={workers}"]
        subprocess.run(command, check=True, cwd=tmp_path)
    assert result_of(tmp_path / "2") == result_of(tmp_path / "0")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_lives_of_a_killed_worker_are_lived_again() -> None:
    pytest.importorskip("ray")
    here = training._Session(tiny_config()).learner
    there = training._Session(tiny_config(learning={"workers": 2})).learner
    population: Any = there._live
    genomes, seeds = here.strategy.ask(), life_seeds(0, 11, 0, 8)
    victim = population.worker_pids()[1]
    survivor = population.worker_pids()[0]
    real = population._collect

    def kill_in_mid_generation(i: int, *arguments: Any) -> Any:
        if i == 0:  # all parts have been handed out, none is back
            os.kill(victim, signal.SIGKILL)
        return real(i, *arguments)

    population._collect = kill_in_mid_generation
    sharded, whole = (p(genomes, seeds, here.curriculum.at(0)) for p in (population, here._live))
    for name in ("total_reward", "steps", "fell", "performance"):
        np.testing.assert_array_equal(getattr(sharded, name), getattr(whole, name))
    assert population.worker_pids()[0] == survivor
    assert population.worker_pids()[1] != victim
    population.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_cannot_begin_tells_why() -> None:
    pytest.importorskip("ray")

    def home(n: int, threads: int) -> Any:
        raise UserError("nowhere to live")

    population = ShardedPopulation(home, 2, 1)
    with pytest.raises(UserError, match=r"^worker 0 of 1 was lost 3 times .*: nowhere to live$"):
        population(np.zeros((2, 1), np.float32), np.arange(2), ())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_may_be_resumed_with_another_number_of_workers(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    run = tmp_path / "run"
    limp = {"kind": "motor_gain", "target": "all", "gain": 0.0, "iterations": [1, None]}
    env = {"shifts": [limp]}  # workers are told of stages too
    training.train(tiny_config(env=env, learning={"generations": 2, "workers": 2}), run, COMMAND)
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["learning"].update(generations=4, workers=0)
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    training.resume(run, COMMAND)
    training.train(tiny_config(env=env), tmp_path / "at once", COMMAND)
    assert result_of(run) == result_of(tmp_path / "at once")
