"""What an env owes at its edges: first resets, restarts, diverged rows, wrong arguments."""

import gc
import weakref
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.shifts import Schedule, make_shift, parse_shifts
from robolearn.simulation import Simulation
from robolearn.worlds import load_world


def test_a_first_reset_of_some_rows_is_refused():
    env = RobotVectorEnv("reach", 2)
    with pytest.raises(UserError, match="the first reset must start all rows"):
        env.reset(seed=0, options={"reset_mask": np.array([True, False])})
    env.reset(seed=0)
    env.reset(seed=5, options={"reset_mask": np.array([True, False])})


def test_what_a_restarted_row_tells_is_of_its_new_life():
    def alone() -> gymnasium.Env:
        return gymnasium.make("robolearn/Ant-v0", max_episode_steps=4, disable_env_checker=True)

    mode = AutoresetMode.SAME_STEP
    theirs = SyncVectorEnv([alone, alone], autoreset_mode=mode)
    ours = RobotVectorEnv("ant", 2, max_episode_steps=4, autoreset_mode=mode)
    actions = np.random.default_rng(0).uniform(-1, 1, (4, 2, 8)).astype(np.float32)
    told: list[dict[str, Any]] = [{}, {}]
    for k, env in enumerate((theirs, ours)):
        env.reset(seed=0)
        for action in actions:
            told[k] = env.step(action)[4]
    assert told[0]["_final_info"].all()
    np.testing.assert_array_equal(told[1]["performance"], told[0]["performance"])
    known = {key for key in told[0] if not key.startswith(("_", "final"))}
    for key in (key for key in told[1] if not key.startswith(("_", "final"))):
        assert told[1][f"_{key}"].all() == (key in known), key
    for key in ("x_position", "performance", "reward_forward"):
        np.testing.assert_allclose(
            told[1]["final_info"][key], told[0]["final_info"][key], err_msg=key
        )


@pytest.mark.parametrize("name", ["ant", "half_cheetah", "reach", "quadruped", "avoid"])
def test_who_diverges_has_not_been_where_the_physics_put_it_back(name: str):
    env = RobotVectorEnv(name, 2, autoreset_mode="Disabled")
    env.reset(seed=0)
    env.simulation.qpos[0, 0] += 0.3
    env.simulation.qvel[0] = np.nan
    *_, infos = env.step(np.zeros(env.action_space.shape, np.float32))
    assert infos["unstable"].tolist() == [True, False]
    assert infos["performance"][0] == 0
    if "x_velocity" in infos:
        assert infos["x_velocity"][0] == 0


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"num_envs": 2.5}, "num_envs = 2.5: expected a whole number of at least 1"),
        ({"num_envs": 0}, "num_envs = 0"),
        ({"max_episode_steps": 0}, "max_episode_steps = 0"),
        ({"max_episode_steps": 1.5}, "max_episode_steps = 1.5"),
    ],
)
def test_a_count_that_is_none_is_told_by_its_name(argument: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        RobotVectorEnv("ant", **argument)


@pytest.mark.parametrize("seed", ["a", 1.5, [1, 2.5], [1, "b"]])
def test_a_seed_is_a_whole_number(seed: Any):
    env = RobotVectorEnv("ant", 2)
    with pytest.raises(UserError, match="seed: expected a whole number, or a list of 2"):
        env.reset(seed=seed)


def test_an_env_for_one_takes_threads_and_no_number_of_individuals():
    env = gymnasium.make("robolearn/Quadruped-v0", threads=2)
    env.reset(seed=0)
    with pytest.raises(UserError, match=r"num_envs: one individual has none.*make_vec"):
        gymnasium.make("robolearn/Quadruped-v0", num_envs=2)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("avoid", {"start_noise": 0.35}, r"start_noise = 0.35: expected at most 0.305 m"),
        ("avoid", {"room": [0.0, 0.0, 4.0, 4.0]}, r"room = .*the walls of avoid are from"),
        ("tmaze", {"start_noise": 0.2}, r"start_noise = 0.2: expected at most 0.1 m"),
    ],
)
def test_no_life_may_begin_in_a_wall(name: str, parameters: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        RobotVectorEnv(name, 1, **parameters)


def test_a_push_in_a_direction_that_the_body_does_not_have_is_refused():
    with pytest.raises(UserError, match=r"the trunk of half_cheetah does not move that way"):
        RobotVectorEnv("half_cheetah", 1, shifts=["push:1"])
    RobotVectorEnv("half_cheetah", 1, shifts=["push:1:0", "push:1:3.1415927@1s"])
    for name in ("quadruped", "avoid"):
        RobotVectorEnv(name, 1, shifts=["push:1"])


def test_a_shift_without_a_control_step_is_refused():
    with pytest.raises(UserError, match=r"from 0.1 to 0.104 s there is no control step"):
        RobotVectorEnv("quadruped", 1, shifts=["motor_gain:all:0.5@0.1s-0.104s"])
    assert len(parse_shifts(["motor_gain:all:0.5@0.1s-0.13s"])) == 1


def test_a_world_is_forgotten_with_its_env():
    env = RobotVectorEnv("quadruped", 1, shifts=["limb_damage:front_left:shortened"])
    env.reset(seed=0)
    env.step(np.zeros(env.action_space.shape, np.float32))
    world = weakref.ref(env.world)
    del env
    gc.collect()
    assert world() is None


def test_a_shortened_robot_is_lifted_no_higher_than_its_legs_reach():
    world = load_world("quadruped")
    simulation = Simulation(world, 2, threads=1)
    schedule, both = Schedule(simulation), np.arange(2)
    for leg in world.legs:
        short = make_shift("limb_damage", world, leg=leg, mode="shortened", fraction=0.25)
        schedule.begin(short, np.array([1]))
    ground = make_shift("terrain", world, form="steps", depth=0.1)
    schedule.begin(ground, both)
    simulation.reset(both, world.home_qpos, np.zeros(world.model.nv))
    simulation.qpos[:, 2] = 0.1  # m: everyone stands deep in the floor that comes back
    schedule.end(ground, both)
    places = simulation.read("geom_xpos")
    simulation.forward(both)
    feet = [world.model.geom(f"{leg}_foot").id for leg in world.legs]
    radius = world.model.geom_size[feet, 0]
    soles = (places[:, feet, 2] - radius).min(axis=1)
    np.testing.assert_allclose(soles, 0.0, atol=0.005)
