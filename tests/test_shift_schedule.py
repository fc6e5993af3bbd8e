"""When shifts begin and end, what is drawn for whom, and how a user writes them and errs."""

from typing import Any

import numpy as np
import pytest

from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.shifts import Schedule, ShiftPlan, make_shift, parse_shift, parse_shifts
from robolearn.simulation import Simulation
from robolearn.worlds import load_world

QUADRUPED = load_world("quadruped")
DEAD, LOCKED = (
    make_shift("limb_damage", QUADRUPED, leg="rear_left", mode=mode) for mode in ("dead", "locked")
)


def quadrupeds(n: int, shifts: Any, steps: int | None = 500, **kwargs: Any) -> RobotVectorEnv:
    return RobotVectorEnv(
        "quadruped", n, max_episode_steps=steps, autoreset_mode="Disabled", shifts=shifts, **kwargs
    )


def lives(env: RobotVectorEnv, steps: int, seed: int | None = 0) -> list[list[list[Any]]]:
    """Return which shifts acted in each step on each row, as [step][row]."""
    env.reset(seed=seed)
    history = []
    for _ in range(steps):
        env.step(np.zeros(env.action_space.shape, np.float32))
        history.append([env.schedule.shifts_of(row) for row in range(env.num_envs)])
    return history


def test_a_shift_acts_from_its_onset_to_its_end():
    env = quadrupeds(1, ["limb_damage:rear_left:dead@0.1s-0.2s"])
    active = [bool(step[0]) for step in lives(env, 15)]
    assert active == [5 <= step < 10 for step in range(15)]  # 20 ms a step


def test_an_onset_changes_nothing_before_it_comes():
    intact, damaged = quadrupeds(2, ()), quadrupeds(2, ["limb_damage:rear_left:locked@0.2s"])
    intact.reset(seed=0)
    damaged.reset(seed=0)
    actions = np.random.default_rng(0).uniform(-1, 1, (20, 2, 12)).astype(np.float32)
    same = [np.array_equal(intact.step(action)[0], damaged.step(action)[0]) for action in actions]
    assert same == [step < 10 for step in range(20)]


def test_every_life_draws_anew_and_manual_shifts_end_with_their_life():
    env = quadrupeds(1, [{"kind": "motor_gain", "gain": {"uniform": [0.5, 1.5]}}])
    gains = []
    for seed in (0, None, None):
        env.reset(seed=seed)
        gains.append([shift.gain for shift in env.schedule.shifts_of(0)])
        env.schedule.begin(LOCKED, np.array([0]))
        assert LOCKED in env.schedule.shifts_of(0)
    assert all(len(life) == 1 for life in gains)
    assert len({life[0] for life in gains}) == 3
    kp = env.simulation.model_of(0).actuator_gainprm[0, 0]
    assert kp == pytest.approx(40 * gains[-1][0])
    env.reset(seed=0)
    assert [shift.gain for shift in env.schedule.shifts_of(0)] == gains[0]
    assert not env.simulation.eq_active.any()


def test_an_onset_is_at_birth_or_in_a_range():
    onset = [0.0, {"uniform": [1.0, 3.0]}]
    env = quadrupeds(200, [{"kind": "motor_gain", "gain": 0.5, "onset_s": onset}], threads=2)
    env.reset(seed=0)
    later = np.array([onset for row in range(200) for _, onset, _ in env.schedule.planned(row)])
    assert sum(len(env.schedule.shifts_of(row)) for row in range(200)) == 200 - len(later)
    assert 70 < len(later) < 130
    assert later.min() >= 1.0
    assert later.max() <= 3.0
    assert np.unique(later).size > 50
    with pytest.raises(UserError, match="onset_s 12 is past the end of life"):
        quadrupeds(1, [{"kind": "motor_gain", "onset_s": [0.0, {"uniform": [1.0, 12.0]}]}])


def test_draws_stay_in_their_ranges_and_do_not_depend_on_the_number_of_individuals():
    shifts = [
        "limb_damage:front_left,rear_right:dead,locked@1s..3s-4s",
        {"kind": "motor_gain", "gain": {"uniform": [0.5, 0.9]}, "onset_s": [0.5, 5.0]},
        {"kind": "motor_gain", "target": "rear_left", "onset_s": 2.0, "probability": 0.5},
    ]
    few, many = quadrupeds(3, shifts), quadrupeds(40, shifts, threads=2)
    few.reset(seed=1)
    many.reset(seed=1)
    drawn = [many.schedule.planned(row) for row in range(40)]
    assert [few.schedule.planned(row) for row in range(3)] == drawn[:3]
    damages = [(s, t, e) for life in drawn for s, t, e in life if s.kind == "limb_damage"]
    assert {(s.leg, s.mode) for s, _, _ in damages} == {
        (leg, mode) for leg in ("front_left", "rear_right") for mode in ("dead", "locked")
    }
    onsets = np.array([onset for _, onset, _ in damages])
    assert len(onsets) == 40
    assert onsets.min() >= 1.0
    assert onsets.max() <= 3.0
    assert np.ptp(onsets) > 1.0
    assert {end for _, _, end in damages} == {4.0}
    weak = [(s.gain, t) for life in drawn for s, t, _ in life if getattr(s, "target", "") == "all"]
    assert all(0.5 <= gain <= 0.9 for gain, _ in weak)
    assert {onset for _, onset in weak} == {0.5, 5.0}
    rare = [s for life in drawn for s, _, _ in life if getattr(s, "target", "") == "rear_left"]
    assert 8 < len(rare) < 32


def test_a_leg_can_break_heal_and_break_again():
    text = "limb_damage:rear_left:dead"
    env = quadrupeds(1, [f"{text}@0s-0.1s", f"{text}@0.2s-0.3s", f"{text}@0.26s-0.36s"])
    active = [bool(step[0]) for step in lives(env, 22)]
    assert active == [step < 5 or 10 <= step < 18 for step in range(22)]
    env = quadrupeds(1, [f"{text}@0s-0.1s", "limb_damage:rear_left:locked@0.1s"])
    history = lives(env, 10)
    assert [step[0] for step in history] == [[DEAD]] * 5 + [[LOCKED]] * 5


def test_a_body_that_is_born_damaged_is_observed_as_it_is():
    born, healthy = (quadrupeds(1, s) for s in (["limb_damage:rear_left:amputated"], ()))
    for env in (born, healthy):
        env.reset(seed=0)
        # Pressed into the floor, every foot that there is bears a load.
        env.simulation.qpos[:, 2] = 0.25
        env.simulation.forward(np.array([0]))
    feet = [env.simulation.read("sensordata")[0] > 1.0 for env in (born, healthy)]
    assert feet[1].all()
    assert feet[0].tolist() == [True, True, False, True]


def test_plans_can_be_set_row_by_row():
    env = quadrupeds(3, ())
    env.schedule.set_plans(parse_shifts("limb_damage:rear_left:dead"), np.array([1]))
    env.reset(seed=0)
    assert [env.schedule.shifts_of(row) for row in range(3)] == [[], [DEAD], []]


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("limb_damage", ShiftPlan("limb_damage")),
        (
            "limb_damage:front_left:dead@5s",
            ShiftPlan("limb_damage", {"leg": "front_left", "mode": "dead"}, 5.0),
        ),
        (
            "limb_damage:rear_left:shortened:0.25@2.5",
            ShiftPlan(
                "limb_damage", {"leg": "rear_left", "mode": "shortened", "fraction": 0.25}, 2.5
            ),
        ),
        (
            "motor_gain:all:0.5@2s-6s",
            ShiftPlan("motor_gain", {"target": "all", "gain": 0.5}, 2.0, 6.0),
        ),
        (
            "motor_gain:all,front_left:0.5..1.5@4s..6s-8s",
            ShiftPlan(
                "motor_gain",
                {"target": ["all", "front_left"], "gain": {"uniform": [0.5, 1.5]}},
                {"uniform": [4.0, 6.0]},
                8.0,
            ),
        ),
        (
            "limb_damage:rear_left:dead,locked",
            ShiftPlan("limb_damage", {"leg": "rear_left", "mode": ["dead", "locked"]}),
        ),
    ],
)
def test_the_command_line_form_is_read(text: str, plan: ShiftPlan):
    assert parse_shift(text) == plan
    assert ShiftPlan.from_mapping(plan.to_mapping()) == plan
    assert parse_shifts([text, plan.to_mapping(), plan]) == (plan,) * 3


@pytest.mark.parametrize(
    ("shifts", "message"),
    [
        ("limb_damge:front_left", "unknown shift 'limb_damge'; did you mean 'limb_damage'"),
        ({"kind": ["limb_damage"]}, "unknown shift"),
        ({"leg": "front_left"}, "the key 'kind' is missing"),
        (
            "limb_damage:front_lft",
            "unknown leg or joint of quadruped 'front_lft'; did you mean 'front_left'",
        ),
        ("limb_damage:front_left:ded", "unknown limb_damage mode 'ded'; did you mean 'dead'"),
        ("motor_gain:rear_left_knees", "did you mean 'rear_left_knee'"),
        ({"kind": "motor_gain", "gian": 0.5}, "unknown parameter .* 'gian'; did you mean 'gain'"),
        ("motor_gain:all:-0.5", "gain must be a number at least 0, got -0.5"),
        ("motor_gain:all:nan", "gain must be a number at least 0"),
        ("motor_gain:all:-1..1", "gain must be a number at least 0"),
        ("motor_gain:all:1.5..0.5", "low 1.5 is above high 0.5"),
        ("limb_damage:front_left:shortened:0", "fraction must be a number from 0.05 to 1, got 0"),
        ("limb_damage:front_left:dead:0.5:1", "too many values"),
        ("limb_damage:front_left:dead@", "time '' cannot be read"),
        ("limb_damage:front_left:dead@soon", "time 'soon' cannot be read"),
        ("limb_damage:front_left:dead@-1s", "time '-1s' cannot be read"),
        ("limb_damage:front_left:dead@10s", "onset_s 10 is past the end of life"),
        ("limb_damage:front_left:dead@8s..12s", "onset_s 12 is past the end of life"),
        ("limb_damage:front_left:dead@5s-5s", "end_s 5 is not after onset_s 5"),
        ({"kind": "motor_gain", "onset_s": "late"}, "onset_s must be a number at least 0"),
        ({"kind": "motor_gain", "onset_s": None}, "onset_s must be a number at least 0, got None"),
        ({"kind": "motor_gain", "probability": 1.5}, "probability must be a number from 0 to 1"),
        ({"kind": "motor_gain", "gain": []}, "must not be empty"),
        ({"kind": "motor_gain", "gain": {"normal": [0, 1]}}, "must be {uniform: "),
        ({"kind": "motor_gain", "gain": [1, {"uniform": [0, 1]}]}, "only a list of times may hold"),
        ([3], "a shift must be a text or a mapping, got 3"),
        (
            ["limb_damage:rear_left:dead", "limb_damage:rear_left:locked@1s"],
            "limb_damage:rear_left:dead contradicts limb_damage:rear_left:locked",
        ),
        (
            ["limb_damage:rear_left,rear_right:dead", "limb_damage:rear_left:shortened:0.2..0.5"],
            "contradicts",
        ),
    ],
)
def test_mistakes_in_shifts_are_told_before_anything_starts(shifts: Any, message: str):
    with pytest.raises(UserError, match=message) as error:
        quadrupeds(1, shifts)
    assert "\n" not in str(error.value)


def test_a_shift_that_contradicts_an_active_one_is_refused_and_changes_nothing():
    simulation = Simulation(QUADRUPED, 2)
    schedule = Schedule(simulation)
    schedule.begin(DEAD, np.array([1]))
    with pytest.raises(UserError, match="contradicts"):
        schedule.begin(LOCKED, np.array([0, 1]))
    assert [schedule.shifts_of(row) for row in (0, 1)] == [[], [DEAD]]


def test_a_world_admits_only_the_shifts_of_its_definition():
    world = load_world("ant")
    world.definition["shifts"] = ["limb_damage"]
    with pytest.raises(UserError, match=r"'motor_gain' does not apply to ant \(valid: "):
        make_shift("motor_gain", world)
