"""Shifts between brain and body change what passes as their equations say, and nothing else."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robolearn.definitions import definition_names
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.shifts import (
    Interface,
    Schedule,
    Shift,
    counter_random,
    make_shift,
    parse_shifts,
    register,
    shift_kinds,
)
from robolearn.simulation import Simulation
from robolearn.worlds import World, load_world

SHIFTS = [
    "sensor_noise:all:0.3",
    "sensor_noise:velocity:0.3",
    "sensor_bias:joint_angle:0.5",
    "sensor_dropout:all:0.3:zero",
    "sensor_dropout:joint_velocity:0.5:hold",
    "observation_delay:3",
    "action_delay:2",
]
each_shift = pytest.mark.parametrize("text", SHIFTS)
ONE = np.array([1])


def quadrupeds(n: int, shifts: Any = (), **kwargs: Any) -> RobotVectorEnv:
    kwargs = {"autoreset_mode": "Disabled", "threads": 1, **kwargs}
    return RobotVectorEnv("quadruped", n, shifts=shifts, **kwargs)


def actions(steps: int, n: int, seed: int = 0) -> NDArray[np.float32]:
    """Return (steps, n, 12) small random actions; row i does not depend on n."""
    rngs = [np.random.default_rng([seed, row]) for row in range(n)]
    rows = [rng.uniform(-0.3, 0.3, (steps, 12)) for rng in rngs]
    return np.stack(rows, axis=1).astype(np.float32)


def live(env: RobotVectorEnv, steps: int = 20, seed: int | None = 0) -> NDArray[np.floating]:
    """Return the observations (steps + 1, n, o) of one life with random actions."""
    path = [env.reset(seed=seed)[0]]
    path += [env.step(action)[0] for action in actions(steps, env.num_envs)]
    return np.stack(path)


def begin(env: RobotVectorEnv, text: str, ids: NDArray[np.int64]) -> Any:
    (plan,) = parse_shifts(text)
    shift = next(iter(plan.shifts(env.world)))
    env.schedule.begin(shift, ids)
    return shift


@each_shift
def test_twice_is_once_and_others_are_untouched(text: str):
    env, plain = quadrupeds(3), quadrupeds(3)
    env.reset(seed=0)
    plain.reset(seed=0)
    begin(env, text, ONE)
    for step, action in enumerate(actions(15, 3)):
        shifted, intact = env.step(action)[0], plain.step(action)[0]
        assert np.array_equal(shifted[[0, 2]], intact[[0, 2]])
        if step == 7:
            begin(env, text, ONE)
    assert not np.array_equal(shifted[1], intact[1])
    once = quadrupeds(3)
    once.reset(seed=0)
    begin(once, text, ONE)
    for action in actions(15, 3):
        last = once.step(action)[0]
    assert np.array_equal(last, shifted)


@each_shift
def test_removed_is_never(text: str):
    env, plain = quadrupeds(2), quadrupeds(2)
    plain_path = live(plain)
    env.reset(seed=0)
    shift = begin(env, text, ONE)
    env.schedule.end(shift, ONE)
    path = [env.step(action)[0] for action in actions(20, 2)]
    assert np.array_equal(path, plain_path[1:])


@each_shift
def test_a_new_life_forgets_and_a_seed_repeats(text: str):
    env = quadrupeds(2, [f"{text}@0.1s"])
    first = live(env)
    assert np.array_equal(live(env), first)
    assert not np.array_equal(live(env, seed=None)[8:], first[8:])
    env.schedule.set_plans(())
    assert np.array_equal(live(env), live(quadrupeds(2)))


@each_shift
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_row_does_not_depend_on_its_neighbours_nor_on_when_they_die(text: str, mode: str):
    shifts = [f"{text}@0.04s..0.14s", "sensor_noise:up:0.1@0.1s"]
    many = quadrupeds(7, shifts, max_episode_steps=9, autoreset_mode=mode, threads=2)
    few = quadrupeds(2, shifts, max_episode_steps=9, autoreset_mode=mode)
    for env in (many, few):
        env.reset(seed=0)
    for step, action in enumerate(actions(30, 7)):
        ours, theirs = many.step(action), few.step(action[:2])
        assert np.array_equal(ours[0][:2], theirs[0])
        assert np.array_equal(ours[1][:2], theirs[1])
        if step == 3:  # one neighbour falls and begins anew
            many.simulation.qpos[5, 2] = 0.0


@each_shift
def test_a_partial_reset_leaves_the_other_rows_as_they_were(text: str):
    env, plain = quadrupeds(2, [text]), quadrupeds(2, [text])
    for each in (env, plain):
        each.reset(seed=0)
    for step, action in enumerate(actions(12, 2)):
        observation = env.step(action)[0]
        assert np.array_equal(observation[0], plain.step(action)[0][0])
        if step == 4:
            fresh = env.reset(seed=5, options={"reset_mask": np.array([False, True])})[0]
            assert np.array_equal(fresh[0], observation[0])
            assert not np.array_equal(fresh[1], observation[1])


def test_state_survives_when_a_neighbour_begins_or_ends_a_longer_delay():
    alone, among = quadrupeds(2), quadrupeds(2)
    for env in (alone, among):
        env.reset(seed=0)
        begin(env, "observation_delay:3", np.array([0]))
        begin(env, "action_delay:2", np.array([0]))
    longer = begin(among, "observation_delay:0", np.zeros(0, np.int64))
    for step, action in enumerate(actions(20, 2)):
        assert np.array_equal(alone.step(action)[0][0], among.step(action)[0][0])
        if step == 5:
            longer = begin(among, "observation_delay:9", ONE)
            begin(among, "sensor_noise:all:1", ONE)
        if step == 12:
            among.schedule.end(longer, ONE)


@pytest.mark.parametrize("delay", [1, 3, 7])
@pytest.mark.parametrize("onset", [0, 4])
def test_observations_arrive_exactly_so_many_steps_late(delay: int, onset: int):
    late = live(quadrupeds(2, [f"observation_delay:{delay}@{0.02 * onset}s"]))
    prompt = live(quadrupeds(2))
    for step in range(21):
        # An onset before action t changes observation t + 1 on; one at birth, the first.
        first = 0 if onset == 0 else onset + 1
        sent = step if step < first else max(step - delay, first)
        assert np.array_equal(late[step], prompt[sent])


def test_delays_add_up():
    path = live(quadrupeds(1, ["observation_delay:2", "observation_delay:3"]))
    assert np.array_equal(path[10], live(quadrupeds(1))[5])


@pytest.mark.parametrize("delay", [1, 4])
def test_actions_arrive_exactly_so_many_steps_late(delay: int):
    env = quadrupeds(1, [f"action_delay:{delay}@0.04s"])
    env.reset(seed=0)
    commands = actions(15, 1)
    for step, action in enumerate(commands):
        env.step(action)
        arrived = commands[step if step < 2 else max(step - delay, 2)]
        assert np.array_equal(env.simulation.ctrl, env.task.control(arrived))


def test_rewards_are_those_of_the_command_not_of_what_arrives():
    env = RobotVectorEnv("ant", 1, shifts=["action_delay:5"])
    env.reset(seed=0)
    for size in (0.0, 1.0, 0.5):
        terms = env.step(np.full((1, 8), size, np.float32))[4]
        assert terms["reward_control"] == pytest.approx(-0.5 * 8 * size**2)


def errors(text: str, n: int = 40, steps: int = 60) -> tuple[NDArray[np.float64], RobotVectorEnv]:
    """Return (steps + 1, n, o) what a shift adds to the observation, in typical magnitudes."""
    env = quadrupeds(n, [text])
    added = live(env, steps).astype(np.float64) - live(quadrupeds(n), steps)
    return added / env.task.observation_scale, env


def test_noise_has_its_deviation_is_white_and_hits_its_part_alone():
    added, env = errors("sensor_noise:joint_angle:0.25")
    part = env.task.interface.slices["joint_angle"]
    noise = added[..., part]
    assert noise.std() == pytest.approx(0.25, rel=0.02)
    assert abs(noise.mean()) < 0.005
    assert not np.delete(added, np.r_[part], axis=2).any()
    for shifted in (noise[1:] * noise[:-1], noise[:, 1:] * noise[:, :-1]):
        assert abs(shifted.mean()) < 0.25**2 * 0.03
    assert abs((noise[..., 1:] * noise[..., :-1]).mean()) < 0.25**2 * 0.03


def test_noises_on_one_element_add_in_variance():
    one = errors("sensor_noise:all:0.3")[0]
    env = quadrupeds(40, ["sensor_noise:all:0.3", "sensor_noise:all:0.4"])
    both = live(env, 60) - live(quadrupeds(40), 60)
    both = both / env.task.observation_scale
    assert one.std() == pytest.approx(0.3, rel=0.02)
    assert both.std() == pytest.approx(0.5, rel=0.02)


def test_a_bias_is_constant_in_a_life_and_another_in_every_element_and_individual():
    added, _ = errors("sensor_bias:all:0.5", n=60, steps=10)
    assert np.abs(added - added[0]).max() < 1e-3
    assert added[0].std() == pytest.approx(0.5, rel=0.05)
    assert abs(added[0].mean()) < 0.05


@pytest.mark.parametrize("loss", [0.0, 0.3, 1.0])
def test_dropped_elements_read_zero_or_their_last_value_as_often_as_stated(loss: float):
    plain = live(quadrupeds(30), 60)[..., 3:33]  # without elements that are often constant
    zeroed = live(quadrupeds(30, [f"sensor_dropout:all:{loss}:zero"]), 60)[..., 3:33]
    lost = zeroed != plain
    assert not zeroed[lost].any()
    assert lost.mean() == pytest.approx(loss, abs=0.01)
    held = live(quadrupeds(30, [f"sensor_dropout:all:{loss}:hold"]), 60)[..., 3:33]
    lost = held[1:] != plain[1:]
    assert np.array_equal(held[1:][lost], held[:-1][lost])
    assert lost.mean() == pytest.approx(loss, abs=0.01)


def test_numbers_of_key_step_and_element_are_uniform_normal_and_independent_of_company():
    keys = np.random.default_rng(0).integers(2**63, size=400).astype(np.uint64)
    steps = np.arange(400) % 50
    flat, bell = counter_random.uniform(keys, steps, 501), counter_random.normal(keys, steps, 501)
    assert flat.min() > 0
    assert flat.max() < 1
    counts = np.histogram(flat, 100, (0, 1))[0]
    expected = flat.size / 100
    # χ² with 99 degrees of freedom lies below 148.2 with probability 0.999.
    assert ((counts - expected) ** 2 / expected).sum() < 148.2
    moments = [(bell.astype(np.float64) ** k).mean() for k in (1, 2, 3, 4)]
    assert moments == pytest.approx([0, 1, 0, 3], abs=0.05)
    correlation = np.array(np.corrcoef(bell[:50]))
    assert np.abs(correlation[np.triu_indices(50, 1)]).max() < 0.2
    assert abs(np.mean(bell[:, 1:] * bell[:, :-1])) < 0.01
    for row in range(0, 400, 57):
        one = slice(row, row + 1)
        assert np.array_equal(counter_random.normal(keys[one], steps[one], 501)[0], bell[row])
        shorter = counter_random.uniform(keys[one], steps[one], 7)[0]
        assert np.array_equal(shorter, flat[row, :7])
    again = counter_random.normal(keys[:3], steps[:3] + 1, 501)
    assert not np.isin(again, bell[:3]).all()


TASK = Interface(
    arrays={
        "cursor_rotation": np.full(3, 0.1),
        "cursor_mirror": np.zeros(3),
        "force_field": np.zeros(3),
        "rewarded_side": np.full(3, -1),
    }
)
REACHING = ["visuomotor_rotation", "visuomotor_mirror", "force_field", "rewarded_side"]


def reacher() -> World:
    world = load_world("quadruped")
    world.definition["shifts"] = REACHING
    return world


@pytest.mark.parametrize(
    ("kind", "values", "array", "value"),
    [
        ("visuomotor_rotation", {"angle": 0.5}, "cursor_rotation", 0.6),
        ("visuomotor_mirror", {}, "cursor_mirror", 1),
        ("force_field", {"viscosity": -12.0}, "force_field", -12.0),
        ("rewarded_side", {}, "rewarded_side", -2),
        ("rewarded_side", {"side": 0}, "rewarded_side", 0),
    ],
)
def test_parameters_of_the_task_are_written_for_their_rows_and_restored(
    kind: str, values: dict[str, Any], array: str, value: float
):
    world = reacher()
    schedule = Schedule(Simulation(world, 3), interface=TASK)
    before = {name: values.copy() for name, values in TASK.arrays.items()}
    shift = make_shift(kind, world, **values)
    schedule.begin(shift, ONE)
    schedule.begin(shift, ONE)
    assert TASK.arrays[array][1] == pytest.approx(value)
    assert np.array_equal(TASK.arrays[array][[0, 2]], before[array][[0, 2]])
    schedule.end(shift, ONE)
    assert all(np.array_equal(TASK.arrays[name], before[name]) for name in before)
    # What the task sets up for a new life is what a shift ends in.
    TASK.arrays[array][1] = 1 - before[array][1]
    schedule.start(ONE, [np.random.default_rng(0)])
    schedule.begin(shift, ONE)
    schedule.end(shift, ONE)
    assert TASK.arrays[array][1] == 1 - before[array][1]
    TASK.arrays[array][1] = before[array][1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sensor_noise:joint_angel", "unknown sensor_noise sense .*did you mean 'joint_angle'"),
        ("sensor_dropout:all:1.5", "loss must be a number from 0 to 1, got 1.5"),
        ("sensor_dropout:all:0.5:blink", "unknown sensor_dropout mode 'blink'"),
        ("sensor_bias:all:-1", "deviation must be a number from 0 to 100"),
        ("action_delay:51", "action_delay: steps must be a number from 0 to 50, got 51"),
        ("observation_delay:-1", "observation_delay: steps must be a number from 0 to 50"),
        ("visuomotor_rotation:0.5", "'visuomotor_rotation' does not apply to quadruped"),
    ],
)
def test_mistakes_are_told_in_one_line(text: str, message: str):
    with pytest.raises(UserError, match=message) as error:
        quadrupeds(1, [text])
    assert "\n" not in str(error.value)


def test_a_parameter_cannot_take_the_name_of_what_a_plan_says():
    @dataclass(frozen=True)
    class Rare(Shift):
        kind = "rare"
        probability: float = 0.5

    with pytest.raises(ValueError, match=r"rare must not have parameters named \['probability'\]"):
        register(Rare)


def test_a_task_without_the_parameter_is_named():
    world = reacher()
    shift = make_shift("force_field", world)
    with pytest.raises(UserError, match=r"force_field needs a task with .* \(this one has: none\)"):
        Schedule(Simulation(world, 1)).begin(shift, np.array([0]))


def example(kind: str, world: World) -> dict[str, Any]:
    """Return values with which a shift is likely to fit the world."""
    limb = next(iter(world.legs), None) or world.model.joint(world.model.njnt - 1).name
    named = {"limb_damage": {"leg": limb}, "joint_wear": {"friction": 0.01}}
    named["push"] = {"direction": 0.0}  # not every body can move sideways
    return {"kind": kind, **named.get(kind, {})}


@pytest.mark.parametrize("name", definition_names("envs"))
def test_every_shift_applies_to_every_world_or_is_refused_by_name(name: str):
    world = load_world(name)
    admissible = world.definition.get("shifts", [])
    assert set(admissible) <= set(shift_kinds())
    for kind in shift_kinds():
        shifts = [example(kind, world)]
        if kind not in admissible:
            with pytest.raises(UserError, match=f"shift '{kind}' does not apply to {name}"):
                RobotVectorEnv(name, 1, shifts=shifts)
            continue
        env = RobotVectorEnv(name, 2, shifts=shifts, threads=1)
        env.reset(seed=0)
        assert [shift.kind for shift in env.schedule.shifts_of(0)] == [kind]
        assert np.isfinite(env.step(np.zeros(env.action_space.shape, np.float32))[0]).all()


@pytest.mark.parametrize("name", definition_names("envs"))
def test_two_thousand_random_steps_with_every_shift_stay_finite(name: str):
    world = load_world(name)
    kinds = world.definition.get("shifts", [])
    env = RobotVectorEnv(name, len(kinds) + 1, max_episode_steps=400)
    for row, kind in enumerate(kinds):
        plan = {**example(kind, world), "onset_s": 10 * world.control_step_s}
        env.schedule.set_plans(parse_shifts([plan]), np.array([row]))
    everything = [{**example(kind, world), "onset_s": 10 * world.control_step_s} for kind in kinds]
    env.schedule.set_plans(parse_shifts(everything), np.array([len(kinds)]))
    env.reset(seed=0)
    rng, unstable = np.random.default_rng(0), 0
    for _ in range(2000):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, reward, _, _, infos = env.step(action)
        assert np.isfinite(observation).all()
        assert np.isfinite(reward).all()
        unstable += int(infos["unstable"].sum())
    assert unstable == 0
