"""What a privileged learner is told of the shifts: bounded, and nothing on intact bodies."""

from typing import Any

import numpy as np

from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.shifts import ShiftState, make_shift, parse_shifts
from robolearn.worlds import load_world

QUADRUPED = load_world("quadruped")
LEGS = ["front_left", "front_right", "rear_left", "rear_right"]
PLANS = [
    {"kind": "limb_damage", "leg": LEGS, "mode": ["dead", "locked"], "probability": 0.5},
    {"kind": "motor_gain", "target": "front_left", "gain": {"uniform": [0.5, 1.5]}},
    {"kind": "payload", "mass": {"uniform": [0, 6]}, "x": {"uniform": [-0.2, 0.2]}},
    "slope:0.1",
]


def state(*plans: Any) -> ShiftState:
    return ShiftState(parse_shifts(list(plans)), QUADRUPED)


def shift(kind: str, **values: Any) -> Any:
    return make_shift(kind, QUADRUPED, **values)


def test_every_choice_and_every_range_has_an_element():
    assert state(*PLANS).names == (
        "limb_damage",
        *(f"limb_damage.leg={leg}" for leg in LEGS),
        "limb_damage.mode=dead",
        "limb_damage.mode=locked",
        "motor_gain",
        "motor_gain.gain",
        "payload",
        "payload.mass",
        "payload.x",
        "slope",
    )


def test_an_intact_body_is_zero_and_a_hurt_one_tells_how():
    told = state(*PLANS)
    assert not told.of([]).any()
    damage = shift("limb_damage", leg="rear_left", mode="locked")
    payload = shift("payload", mass=4.5, x=-0.2)
    numbers = dict(zip(told.names, told.of([damage, payload]).tolist(), strict=True))
    assert {name: value for name, value in numbers.items() if value} == {
        "limb_damage": 1.0,
        "limb_damage.leg=rear_left": 1.0,
        "limb_damage.mode=locked": 1.0,
        "payload": 1.0,
        "payload.mass": 0.5,
        "payload.x": -1.0,
    }


def test_whatever_is_drawn_is_told_apart_within_bounds():
    plans = parse_shifts(
        [
            *PLANS,
            "action_delay:1..9",  # drawn from a range and rounded
            "terrain:rough,steps:0.01..0.1",  # rounded to the nearest depth there is
            "limb_damage:front_left:dead,shortened:0.2..0.4",  # a dead leg has no fraction
        ]
    )
    told = ShiftState(plans, QUADRUPED)
    rng = np.random.default_rng(0)
    for plan in plans:
        seen: dict[Any, bytes] = {}
        for _ in range(40):
            drawn = plan.draw(QUADRUPED, rng)
            if drawn is not None:
                numbers = told.of([drawn[0]])
                assert numbers.any()
                assert np.abs(numbers).max() <= 1.0
                seen[drawn[0]] = numbers.tobytes()
        assert len(set(seen.values())) == len(seen) > 0


def test_a_shift_that_nobody_planned_is_not_told():
    told = state("motor_gain:front_left:0.5..1.5")
    assert told.of([shift("motor_gain", target="front_left", gain=0.7)]).any()
    assert not told.of([shift("motor_gain", target="front_left", gain=0.2)]).any()
    assert not told.of([shift("motor_gain", target="all", gain=0.7)]).any()
    assert not told.of([shift("payload", mass=3.0)]).any()


def test_an_env_tells_each_row_from_onset_to_end():
    env = RobotVectorEnv("quadruped", 2, shifts=["limb_damage:front_left:dead@0.1s-0.2s"])
    env.schedule.set_plans((), np.array([1]))
    env.reset(seed=0)
    told = []
    for _ in range(12):  # of 20 ms
        env.step(np.zeros((2, 12), np.float32))
        told.append(env.shift_state()[:, 0].tolist())
    assert told == [[0, 0]] * 5 + [[1, 0]] * 5 + [[0, 0]] * 2


def test_what_an_env_tells_follows_new_lives_and_shifts_begun_by_hand():
    plan = {"kind": "motor_gain", "gain": {"uniform": [0.5, 1.5]}, "onset_s": {"uniform": [0, 0.1]}}
    env = RobotVectorEnv("quadruped", 3, max_episode_steps=7, shifts=[plan])
    env.reset(seed=0)
    told = ShiftState(parse_shifts([plan]), QUADRUPED)
    by_hand = shift("motor_gain", gain=0.75)
    differed = 0
    for step in range(40):
        if step == 20:
            env.schedule.set_plans((), np.array([2]))
            env.reset(options={"reset_mask": np.array([False, False, True])})
            env.schedule.begin(by_hand, np.array([2]))
        if step == 23:
            assert env.shift_state()[2].any()
            env.schedule.end(by_hand, np.array([2]))
            assert not env.shift_state()[2].any()
        before = env.shift_state()
        env.step(np.zeros((3, 12), np.float32))
        after = env.shift_state()
        differed += not np.array_equal(before, after)
        expected = [told.of(env.schedule.shifts_of(row)) for row in range(3)]
        np.testing.assert_array_equal(after, expected)
    assert differed > 5
