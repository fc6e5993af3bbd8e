"""What is found out of a run is kept beside it and in its W&B run, behind the training's steps."""

import contextlib
import dataclasses
import json
from pathlib import Path

import pytest
from tiny_run import tiny_config

from robolearn import mirroring
from robolearn.comparing import evaluate_trained, protocol_of
from robolearn.mirroring import keep_evaluation, keep_films
from robolearn.tracking.wandb_log import WandbLog
from robolearn.training import train
from robolearn.zoo import TrainedAgent, load_trained

GENERATIONS = 2


@pytest.fixture
def trained(tmp_path: Path) -> TrainedAgent:
    config = tiny_config(learning={"generations": GENERATIONS, "population": 2})
    train(config, tmp_path / "run", ["x"])
    return load_trained(tmp_path / "run")


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The commands to the process of W&B."""
    log, commands = WandbLog("off", tmp_path), []
    monkeypatch.setattr(log, "_send", lambda **command: commands.append(command))
    monkeypatch.setattr(mirroring, "resolve_mode", lambda *_: "offline")
    monkeypatch.setattr(mirroring, "open_wandb", lambda *_: contextlib.nullcontext(log))
    return commands


def test_films_follow_what_was_trained_so_far(trained: TrainedAgent, sent: list[dict]):
    keep_films(trained, [Path("walk.npz"), Path("walk.mp4")])
    metrics = trained.folder / "metrics.jsonl"
    metrics.write_text(metrics.read_text().splitlines(keepends=True)[0])  # as if interrupted
    keep_films(trained, [Path("walk.mp4")])
    assert [(one["do"], one["name"], one["step"]) for one in sent] == [
        ("film", "films/walk", GENERATIONS),
        ("film", "films/walk", 1),
    ]


def test_an_evaluation_follows_the_training_and_own_shifts_replace_no_protocol(
    trained: TrainedAgent, sent: list[dict]
):
    protocol = protocol_of("quadruped", None, 1, ["motor_gain:all:0.5"])
    own = evaluate_trained(trained, protocol, 0, None, None, None)
    whole = dataclasses.replace(own, protocol={**own.protocol, "name": "quadruped"})
    keep_evaluation(trained, whole)
    assert [(one["do"], one["step"], one.get("late")) for one in sent] == [
        ("log", GENERATIONS, True),
        ("table", GENERATIONS, None),
    ]
    keep_evaluation(trained, own)
    assert len(sent) == 4
    kept = json.loads((trained.folder / "evaluation.json").read_text())
    assert kept["protocol"]["name"] == "quadruped"


def test_metrics_that_cannot_be_read_are_told_in_one_line(
    trained: TrainedAgent, sent: list[dict], capsys: pytest.CaptureFixture[str]
):
    (trained.folder / "metrics.jsonl").write_text("garbage\n")
    keep_films(trained, [Path("walk.mp4")])
    assert not sent
    told = capsys.readouterr().err
    assert told.startswith("not kept in the run: line 1 of ")
    assert told.count("\n") == 1
