"""HalfCheetah has what Gymnasium's lacks: legs to damage, on a body that keeps its scale."""

import gymnasium
import numpy as np
import pytest

from robolearn.envs.vector_env import RobotVectorEnv, make_task
from robolearn.errors import UserError
from robolearn.shifts import make_shift
from robolearn.simulation import Simulation
from robolearn.worlds import World, load_world


@pytest.fixture(scope="module")
def cheetah() -> World:
    return load_world("half_cheetah")


def full_power(env: RobotVectorEnv) -> np.ndarray:
    return np.ones(env.action_space.shape, np.float32)


def test_a_dead_leg_gives_no_torque_and_the_other_does(cheetah: World):
    env = RobotVectorEnv("half_cheetah", shifts=["limb_damage:front:dead@0s"])
    env.reset(seed=0)
    force = env.simulation.read("actuator_force")
    env.step(full_power(env))
    assert not force[0, cheetah.legs["front"].motors].any()
    assert force[0, cheetah.legs["back"].motors].all()


def test_a_locked_leg_holds_its_angles(cheetah: World):
    env = RobotVectorEnv("half_cheetah", shifts=["limb_damage:back:locked@0.2s"])
    env.reset(seed=0)
    leg = cheetah.legs["back"]
    actions = np.random.default_rng(0).uniform(-1, 1, (60, *env.action_space.shape))
    angles = []
    for action in actions.astype(np.float32):
        env.step(action)
        angles.append(env.simulation.qpos[0, leg.qpos].copy())
    angles = np.array(angles)  # (steps, joints), rad
    assert np.ptp(angles[:4], axis=0).max() > 0.1
    assert np.ptp(angles[10:], axis=0).max() < 0.02


@pytest.mark.parametrize("mode", ["shortened", "amputated"])
@pytest.mark.parametrize("leg", ["front", "back"])
def test_what_a_leg_loses_is_not_given_to_the_others(cheetah: World, mode: str, leg: str):
    damaged = cheetah.compile_edited((make_shift("limb_damage", cheetah, leg=leg, mode=mode).edit,))
    lost = [cheetah.model.body(f"{leg[0]}{link}").id for link in ("shin", "foot")]
    others = np.setdiff1d(np.arange(cheetah.model.nbody), lost)
    assert cheetah.model.body_mass.sum() == pytest.approx(14.0)  # kg
    assert damaged.body_mass[others] == pytest.approx(cheetah.model.body_mass[others], rel=1e-9)
    assert (damaged.body_mass[lost] < 0.8 * cheetah.model.body_mass[lost]).all()


def test_compiling_without_edits_changes_no_bit(cheetah: World):
    again = cheetah.compile_edited(())
    for field in ("body_mass", "body_inertia", "geom_size", "dof_invweight0"):
        assert np.array_equal(getattr(again, field), getattr(cheetah.model, field))


def test_a_fall_ends_no_life():
    env = RobotVectorEnv("half_cheetah", 2, autoreset_mode="Disabled")
    env.reset(seed=0)
    env.simulation.qpos[0, 2] = np.pi  # on its back
    for _ in range(100):
        terminated = env.step(full_power(env))[2]
        assert not terminated.any()
    assert (env.steps == 100).all()


def test_its_info_has_no_sideways_motion():
    env = gymnasium.make("robolearn/HalfCheetah-v0")
    env.reset(seed=0)
    info = env.step(env.action_space.sample())[4]
    assert "x_velocity" in info
    assert not {"y_position", "y_velocity", "reward_survive"} & set(info)


def test_what_a_body_in_a_plane_cannot_have_is_refused(cheetah: World):
    with pytest.raises(UserError, match="healthy_height is that of a free root"):
        RobotVectorEnv("half_cheetah", healthy_height=(0.2, 1.0))
    with pytest.raises(UserError, match="unknown body 'trso'; did you mean 'torso'"):
        RobotVectorEnv("half_cheetah", root="trso")
    with pytest.raises(UserError, match=r"healthy_height: expected the lower first, got \[1\.0,"):
        RobotVectorEnv("ant", healthy_height=(1.0, 0.2))
    with pytest.raises(UserError, match="'survive' needs a healthy_height"):
        RobotVectorEnv("ant", healthy_height=None)
    rewards = {"forward": 1.0}
    broken = World(
        "broken", {**cheetah.definition, "rewards": rewards}, cheetah.spec, cheetah.model, 5
    )
    with pytest.raises(UserError, match=r"rewards lacks \['control'\]"):
        make_task(Simulation(broken, 1), {})
