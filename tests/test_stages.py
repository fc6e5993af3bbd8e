"""Shifts in stages: what holds for films, for what counts as seen, and for the best agent."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_run import tiny_config

from robolearn import training
from robolearn.errors import UserError
from robolearn.filming import live_on_camera
from robolearn.zoo import load_trained

COMMAND = ["robolearn", "train", "tiny"]
# On the same leg the two would contradict each other, were they ever drawn together.
DEAD_THEN_LOCKED = [
    {"kind": "limb_damage", "leg": "front_left", "mode": "dead", "iterations": [0, 1]},
    {"kind": "limb_damage", "leg": "front_left", "mode": "locked", "iterations": [1, None]},
]


def test_a_film_shows_the_last_stage(tmp_path: Path):
    config = tiny_config(env={"shifts": DEAD_THEN_LOCKED}, learning={"generations": 2})
    training.train(config, tmp_path / "run", COMMAND)
    trajectory, _ = live_on_camera(load_trained(tmp_path / "run"), None, seed=1, life_s=0.2)
    assert [shift.spec for shift in trajectory.shifts] == ["limb_damage:front_left:locked@0s"]


@pytest.mark.parametrize(("generations", "modes"), [(1, ["dead"]), (2, ["dead", "locked"])])
def test_a_stage_that_the_budget_does_not_reach_was_not_met(
    generations: int, modes: list[str], tmp_path: Path
):
    shifts, learning = {"shifts": DEAD_THEN_LOCKED}, {"generations": generations}
    training.train(tiny_config(env=shifts, learning=learning), tmp_path / "run", COMMAND)
    met = load_trained(tmp_path / "run").trained_on
    assert [plan.values["mode"] for plan in met] == modes


@pytest.mark.parametrize("lives", [1, 2, 3])
def test_the_best_agent_of_an_easier_stage_gives_way(lives: int, tmp_path: Path):
    limp = {"kind": "motor_gain", "target": "all", "gain": 0.0, "iterations": [2, None]}
    learning = {"generations": 2, "validate_every": 1, "validation_lives": lives}
    run = tmp_path / "run"
    training.train(tiny_config(env={"shifts": [limp]}, learning=learning), run, COMMAND)
    easy = load_trained(run).genome
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["learning"]["generations"] = 4
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    assert training.resume(run, COMMAND) is True
    validated = [json.loads(x) for x in (run / "metrics.jsonl").read_text().splitlines()]
    scores = [line["validation/score"] for line in validated]
    assert max(scores[2:]) < max(scores[:2])
    assert not np.array_equal(load_trained(run).genome, easy)


def test_a_stage_is_the_same_whatever_the_order_of_its_keys(tmp_path: Path):
    limp = {"kind": "motor_gain", "target": "all", "gain": 0.0, "iterations": [1, None]}
    run = tmp_path / "run"
    training.train(tiny_config(env={"shifts": [limp]}, learning={"generations": 2}), run, COMMAND)
    best = load_trained(run).genome
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["learning"]["generations"] = 4
    content["env"]["shifts"] = [dict(reversed(list(limp.items())))]
    (run / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    assert training.resume(run, COMMAND) is True
    validated = [json.loads(x) for x in (run / "metrics.jsonl").read_text().splitlines()]
    scores = [line["validation/score"] for line in validated if "validation/score" in line]
    assert scores[0] > scores[1]
    np.testing.assert_array_equal(load_trained(run).genome, best)


def test_a_later_stage_whose_sense_does_not_exist_is_told_before_the_run(tmp_path: Path):
    late = {"kind": "sensor_noise", "part": "typo", "deviation": 1.0, "iterations": [1, None]}
    config = tiny_config(env={"shifts": [late, {"kind": "friction", "iterations": [3, None]}]})
    short = config.model_copy(
        update={"learning": config.learning.model_copy(update={"generations": 1})}
    )
    with pytest.raises(UserError, match="typo"):
        training.train(short, tmp_path / "run", COMMAND)
    assert not (tmp_path / "run").exists()
