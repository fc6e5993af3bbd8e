"""Shifts that grow as long as they are survived."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_run import result_of, tiny_config

from robolearn import training
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.learning import curriculum
from robolearn.learning.curriculum import FEW_FALLS, MANY_FALLS, STEP, Curriculum
from robolearn.shifts import ShiftPlan, onsets_s, parse_shifts
from robolearn.worlds import load_world
from robolearn.zoo import load_trained

WEAKER = {
    "kind": "motor_gain",
    "target": "front_left",
    "gain": {"uniform": [0.0, 0.2]},
    "mildest": {"gain": {"uniform": [0.6, 1.0]}},
    "probability": 0.5,
}
SHORTER = {
    "kind": "limb_damage",
    "leg": "rear_left",
    "mode": "shortened",
    "fraction": 0.25,
    "mildest": {"fraction": {"uniform": [0.85, 0.95]}},
    "probability": 0.5,
}
PUSHED = {"kind": "friction", "probability": 0.3}
LIVES = np.arange(400)
WHOLE = np.full(len(LIVES), 10.0)  # s


def test_a_severity_lies_between_both_ends():
    weaker, shorter = parse_shifts([WEAKER, SHORTER])
    assert weaker.at(0.0).values["gain"] == {"uniform": [0.6, 1.0]}
    assert weaker.at(1.0).values["gain"] == {"uniform": [0.0, 0.2]}
    np.testing.assert_allclose(weaker.at(0.25).values["gain"]["uniform"], [0.45, 0.8])
    np.testing.assert_allclose(shorter.at(0.5).values["fraction"]["uniform"], [0.55, 0.6])
    assert shorter.at(0.5).values["leg"] == "rear_left"
    assert shorter.at_any_severity().values["fraction"] == {"uniform": [0.25, 0.95]}
    assert ShiftPlan.from_mapping(weaker.to_mapping()) == weaker


def test_the_severity_changes_nothing_else_of_what_is_drawn():
    world = load_world("quadruped")
    (plan,) = parse_shifts([{**WEAKER, "onset_s": {"uniform": [0.0, 1.0]}}])
    for seed in range(20):
        mild, severe = (plan.at(s).draw(world, np.random.default_rng(seed)) for s in (0.0, 1.0))
        assert (mild is None) == (severe is None)
        if mild is not None and severe is not None:
            assert mild[1] == severe[1]
            assert 0.6 <= mild[0].gain <= 1.0
            assert (mild[0].gain - 0.6) / 0.4 == pytest.approx(severe[0].gain / 0.2)


def test_what_happens_is_what_the_bodies_meet():
    plans = parse_shifts([WEAKER, PUSHED, SHORTER])
    env = RobotVectorEnv("quadruped", len(LIVES), shifts=list(plans), max_episode_steps=10)
    env.reset(seed=[int(seed) for seed in LIVES])
    met = [{shift.kind for shift in env.schedule.shifts_of(row)} for row in range(len(LIVES))]
    happened = np.isfinite(onsets_s(plans, env.world, LIVES))
    expected = [[plan.kind in kinds for plan in plans] for kinds in met]
    np.testing.assert_array_equal(happened, expected)
    assert 0.4 < happened[:, 0].mean() < 0.6


@pytest.mark.parametrize(
    ("falls", "change"),
    [(0.0, STEP), (FEW_FALLS, STEP), (0.5, 0.0), (MANY_FALLS, 0.0), (0.65, -STEP), (1.0, -STEP)],
)
def test_a_severity_follows_the_falls_of_its_own_lives(falls: float, change: float):
    """All others are made to fall the other way round."""
    env, plans = RobotVectorEnv("quadruped", 1), parse_shifts([WEAKER, PUSHED, SHORTER])
    growing = Curriculum(plans)
    growing.severities[[0, 2]] = 0.5
    weak = np.isfinite(onsets_s(plans, env.world, LIVES)[:, 0])
    fell = np.full(len(LIVES), falls < 0.5)
    rows = np.flatnonzero(weak)[: 20 * (weak.sum() // 20)]
    lives = np.concatenate([rows, np.flatnonzero(~weak)])
    fell[rows] = np.arange(len(rows)) < round(falls * len(rows))
    told = growing.follow(0, env, lives, fell[lives], WHOLE[lives])
    assert growing.severities[0] == pytest.approx(0.5 + change)
    assert growing.severities[1] == 1.0
    assert told["severity/0_motor_gain"] == 0.5
    assert told["falls_under/0_motor_gain"] == pytest.approx(falls)
    assert not any("friction" in name for name in told)


def test_falls_are_those_of_the_lives_that_the_bodies_met():
    """A plan that ends in one number draws from a range before, and so shifts the later draws."""
    plans = parse_shifts([{**WEAKER, "gain": 0.0}, SHORTER])
    growing = Curriculum(plans)
    env = RobotVectorEnv("quadruped", len(LIVES), max_episode_steps=10)
    env.schedule.set_plans(growing.at(0))
    env.reset(seed=[int(seed) for seed in LIVES])
    shortened = [
        any(shift.kind == "limb_damage" for shift in env.schedule.shifts_of(row))
        for row in range(len(LIVES))
    ]
    told = growing.follow(0, env, LIVES, np.array(shortened), WHOLE)
    assert told["falls_under/1_limb_damage"] == 1.0
    assert told["falls_under/0_motor_gain"] < 0.7


def test_a_fall_before_the_onset_is_not_the_shifts():
    """A fifth of the lives are over at 1 s, most of them before their onset."""
    plans = parse_shifts([{**WEAKER, "onset_s": {"uniform": [0.5, 5.0]}}])
    growing = Curriculum(plans)
    env = RobotVectorEnv("quadruped", 1)
    onset = onsets_s(plans, env.world, LIVES)[:, 0]
    assert 0.5 < onset[np.isfinite(onset)].min() < 0.6
    early = len(LIVES) // 5
    lived_s = np.where(np.arange(len(LIVES)) < early, 1.0, 10.0)
    told = growing.follow(0, env, LIVES, lived_s < 10, lived_s)
    met = np.isfinite(onset) & (onset <= lived_s)
    assert told["falls_under/0_motor_gain"] == pytest.approx(met[:early].sum() / met.sum())
    assert told["falls_under/0_motor_gain"] < 0.05


def test_a_severity_ends_at_both_ends_and_waits_for_its_stage():
    env = RobotVectorEnv("quadruped", 1)
    growing = Curriculum(parse_shifts([WEAKER, {**SHORTER, "iterations": [5, None]}]))
    nobody, everybody = np.zeros(len(LIVES), np.bool_), np.ones(len(LIVES), np.bool_)
    growing.follow(0, env, LIVES, everybody, WHOLE)
    np.testing.assert_array_equal(growing.severities, [0.0, 0.0])
    for _ in range(round(1 / STEP) + 5):
        growing.follow(0, env, LIVES, nobody, WHOLE)
    np.testing.assert_array_equal(growing.severities, [1.0, 0.0])
    assert len(growing.at(0)) == 1
    growing.follow(5, env, LIVES, nobody, WHOLE)
    assert growing.severities[1] == STEP


def test_a_killed_run_goes_on_with_its_severities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(curriculum, "STEP", 0.25)
    config = tiny_config(
        env={"shifts": [{**WEAKER, "probability": 1.0}]},
        learning={"generations": 4},
        tracking={"checkpoint_every": 1},
    )
    training.train(config, tmp_path / "whole", ["robolearn"])
    short = {"learning": config.learning.model_copy(update={"generations": 2})}
    training.train(config.model_copy(update=short), tmp_path / "parts", ["robolearn"])
    (tmp_path / "parts" / "config.yaml").write_text(
        (tmp_path / "whole" / "config.yaml").read_text()
    )
    training.resume(tmp_path / "parts", ["robolearn"])
    told = [
        [json.loads(line)["severity/0_motor_gain"] for line in path.read_text().splitlines()]
        for path in (tmp_path / "whole" / "metrics.jsonl", tmp_path / "parts" / "metrics.jsonl")
    ]
    assert told[0] == told[1]
    assert max(told[0]) > 0.0
    assert result_of(tmp_path / "whole") == result_of(tmp_path / "parts")


def test_what_was_seen_is_every_severity(tmp_path: Path):
    training.train(tiny_config(env={"shifts": [WEAKER]}), tmp_path / "run", ["robolearn"])
    (plan,) = load_trained(tmp_path / "run").trained_on
    assert plan.values["gain"] == {"uniform": [0.0, 1.0]}
    assert plan.probability == 0.5


def test_validation_meets_the_full_severity():
    session = training._Session(tiny_config(env={"shifts": [WEAKER]}))
    (plan,) = session.validation_env.schedule.plans[-1]
    assert plan.values["gain"] == {"uniform": [0.0, 0.2]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mildest": 0.5}, r"motor_gain: mildest: expected values by name, got 0.5"),
        ({"mildest": {"gian": 0.5}}, r"mildest.*'gian'.*'?gain"),
        ({"mildest": {"target": "all"}}, r"mildest.target = 'all': a severity lies between numb"),
        ({"mildest": {"gain": [0.1, 0.2]}}, r"mildest.gain = \[0.1, 0.2\]: a severity lies"),
        ({"gain": [0.1, 0.2]}, r"motor_gain: gain = \[0.1, 0.2\]: a severity lies"),
        ({"mildest": {"gain": {"uniform": [1, 0]}}}, r"uniform: low 1 is above high 0"),
        ({"mildest": {"gain": -1.0}}, r"gain must be"),
    ],
)
def test_a_mildest_form_that_is_none_is_told(change: dict, message: str):
    with pytest.raises(UserError, match=message):
        tiny_config(env={"shifts": [{**WEAKER, **change}]})
