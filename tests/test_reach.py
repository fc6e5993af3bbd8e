"""Reaching: targets, cursor, field and muscles, and what a hand on a spring makes of them."""

from typing import Any

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from robolearn.envs.hand_servo import balance, hand_servo, muscle_torques
from robolearn.envs.planar_arm import PlanarArm
from robolearn.envs.reach import Reach
from robolearn.envs.reach_targets import CIRCLE
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.worlds import load_world

TRIAL = 50  # control steps
ARMS = ["reach", "muscle_reach"]
each_arm = pytest.mark.parametrize("name", ARMS)
Trials = dict[str, NDArray]  # of each kind of info (trials, n)


def make(name: str = "reach", n: int = 8, **kwargs) -> RobotVectorEnv:
    env = RobotVectorEnv(name, n, autoreset_mode="Disabled", **kwargs)
    assert isinstance(env.task, Reach)
    return env


def live(env: RobotVectorEnv, trials: int, act=None, seed: int = 0) -> Trials:
    """Return the infos at the ends of trials under `act`, without it under the scripted servo."""
    act = act or hand_servo(env)
    observation, _ = env.reset(seed=seed)
    ends = []
    for step in range(trials * TRIAL):
        observation, _, _, _, infos = env.step(act(observation))
        assert (infos["trial_end"] == (step % TRIAL == TRIAL - 1)).all()
        if infos["trial_end"].all():
            ends.append(infos)
    return {key: np.stack([end[key] for end in ends]) for key in ends[0]}


def idle(env: RobotVectorEnv):
    action = np.zeros(env.action_space.shape, np.float32)
    return lambda _: action


def test_the_geometry_of_the_arm_is_that_of_mujoco():
    world = load_world("reach")
    arm, data = PlanarArm(world), mujoco.MjData(world.model)
    rng = np.random.default_rng(0)
    for _ in range(5):
        data.qpos[:], data.qvel[:] = rng.uniform(0.1, 2, 2), rng.normal(size=2)
        mujoco.mj_forward(world.model, data)
        hand, velocity = arm.hand(data.qpos[None], data.qvel[None])
        assert hand[0] == pytest.approx(data.site("hand").xpos[:2], abs=1e-12)
        assert arm.angles(hand)[0] == pytest.approx(data.qpos, abs=1e-12)
        jacobian = np.zeros((3, 2))
        mujoco.mj_jacSite(world.model, data, jacobian, None, world.model.site("hand").id)
        assert velocity[0] == pytest.approx(jacobian[:2] @ data.qvel, abs=1e-12)
        force = rng.normal(size=2)
        expected = jacobian[:2].T @ force
        assert arm.torque(data.qpos[None], force[None])[0] == pytest.approx(expected, abs=1e-12)


def test_the_torque_of_the_field_is_that_of_its_force_on_the_hand():
    arm, rng = PlanarArm(load_world("reach")), np.random.default_rng(0)
    qpos, qvel = rng.uniform(0.1, 2, (5, 2)), rng.normal(size=(5, 2))
    velocity = arm.hand(qpos, qvel)[1]
    left = np.stack((-velocity[:, 1], velocity[:, 0]), axis=1)
    torque = arm.curl_torque(qpos, qvel, np.full(5, 15.0), 0.0)
    assert torque == pytest.approx(arm.torque(qpos, 15.0 * left), abs=1e-12)


def test_the_inertia_of_the_arm_is_the_published_one():
    # With the elbow at 90° the terms of the textbook's arm are simple.
    world = load_world("reach")
    data = mujoco.MjData(world.model)
    data.qpos[:] = world.home_qpos
    mujoco.mj_forward(world.model, data)
    matrix = np.zeros((2, 2))
    for row, unit in zip(matrix, np.eye(2), strict=True):
        mujoco.mj_mulM(world.model, data, row, unit)
    forearm = 0.0188 + 1.52 * 0.19**2
    whole = 0.0141 + 1.93 * 0.165**2 + forearm + 1.52 * 0.33**2
    assert matrix == pytest.approx(np.array([[whole, forearm], [forearm, forearm]]), rel=1e-6)


@each_arm
def test_the_painted_targets_stand_where_the_targets_are(name: str):
    env = make(name)
    task, model = env.task, env.world.model
    env.reset(seed=0)
    assert task.middle == pytest.approx(model.site("start").pos[:2], abs=1e-6)
    seen = set()
    for _ in range(CIRCLE):
        for _ in range(TRIAL - 1):
            infos = env.step(idle(env)(None))[4]
        mocap = env.simulation.read("mocap_pos")[:, 0, :2]
        for row, target in enumerate(infos["target"]):
            painted = model.site(f"circle_{target}").pos[:2]
            assert mocap[row] == pytest.approx(painted, abs=1e-6)
            seen.add(int(target))
        env.step(idle(env)(None))
    assert seen == set(range(CIRCLE))


def test_targets_come_once_a_block_in_an_order_of_their_own():
    target = live(make(n=16), 2 * CIRCLE, idle(make(n=16)))["target"]  # (trials, n)
    assert (np.sort(target[:CIRCLE], axis=0) == np.arange(CIRCLE)[:, None]).all()
    assert (np.sort(target[CIRCLE:], axis=0) == np.arange(CIRCLE)[:, None]).all()
    assert (target[:CIRCLE] != target[CIRCLE:]).any(axis=0).all()
    assert len(np.unique(target, axis=1).T) == 16


def test_random_targets_fill_the_ring():
    env = make(n=64, targets="random")
    points = []
    for seed in range(4):
        observation, _ = env.reset(seed=64 * seed)
        points.append(observation[:, env.task.interface.slices["target"]])
    reach = np.linalg.norm(np.concatenate(points), axis=1)
    assert reach.min() >= 0.075
    assert reach.max() <= 0.15
    assert np.mean(reach**2) == pytest.approx((0.075**2 + 0.15**2) / 2, rel=0.05)  # even in area
    both = live(make(targets="both"), 4, idle(make(targets="both")))["target"]
    assert (both[::2] < CIRCLE).all()
    assert (both[1::2] == CIRCLE).all()


def test_held_out_targets_are_for_probes_alone():
    env = make(held_out=(2, 5), shifts=["probe:held_out@4s-7s"], max_episode_steps=500)
    target = live(env, 10, idle(env))["target"]
    # The trial in which the probe begins has its target already, and so has that in which it ends.
    assert set(target[5:8].ravel()) == {2, 5}
    assert not np.isin(target[[0, 1, 2, 3, 4, 8, 9]], (2, 5)).any()
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"held_out": (1,), "targets": "random"}, "held_out"),
        ({"held_out": tuple(range(8))}, "at least one"),
        ({"held_out": (8,)}, "held_out"),
        ({"shifts": ["probe:held_out@1s"]}, "held_out"),
        ({"radius": 0.3}, "radius"),
        ({"targets": "circel"}, "did you mean 'circle'"),
    ]
    for kwargs, message in mistakes:
        with pytest.raises(UserError, match=message) as error:
            make(**kwargs)
        assert "\n" not in str(error.value)


def test_the_hand_is_back_at_the_start_at_rest_when_a_trial_begins():
    env = make("muscle_reach")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for step in range(3 * TRIAL):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, _, _, _, infos = env.step(action)
        if step % TRIAL == TRIAL - 1:
            assert np.abs(observation[:, 0:2]).max() <= 0.01  # rad, the noise of the start
            assert not observation[:, 2:4].any()
            assert not observation[:, 10:].any()  # muscles
            assert not observation[:, 9].any()  # the clock
            assert infos["endpoint_error"].min() > 0
    assert np.linalg.norm(env.simulation.qvel) == 0


@pytest.mark.parametrize(
    ("name", "worst", "mean"), [("reach", 0.005, 0.002), ("muscle_reach", 0.03, 0.012)]
)
def test_a_spring_in_the_hand_reaches_all_targets(name: str, worst: float, mean: float):
    trials = live(make(name), CIRCLE)
    assert trials["endpoint_error"].max() < worst  # m
    assert trials["endpoint_error"].mean() < mean
    assert trials["hand_speed"].max() < 0.1  # m/s


def test_performance_is_none_at_rest_and_one_on_the_target():
    resting = live(make(), 2, idle(make()))
    assert resting["performance"] == pytest.approx(0, abs=1e-9)
    assert live(make(), 2)["performance"].min() > 0.95


@pytest.mark.parametrize("angle", [np.pi / 6, -np.pi / 6, np.pi / 3])
def test_without_feedback_a_rotation_turns_the_reach_by_its_angle(angle: float):
    blind = ["probe:no_feedback"]
    straight = live(make(shifts=blind), CIRCLE)
    turned = live(make(shifts=[*blind, f"visuomotor_rotation:{angle}"]), CIRCLE)
    difference = turned["direction_error"] - straight["direction_error"]
    # From the second trial on there is no feedback: a probe begins with the next.
    assert np.degrees(difference[1:]) == pytest.approx(np.degrees(angle), abs=1e-6)
    assert not turned["feedback"][1:].any()
    missed = 2 * np.sin(abs(angle) / 2) * 0.15  # m, the chord
    assert turned["endpoint_error"][1:] == pytest.approx(missed, abs=0.012)


def test_with_feedback_the_spring_corrects_a_rotation_on_its_way():
    trials = live(make(shifts=["visuomotor_rotation"]), CIRCLE)
    straight = live(make(), CIRCLE)
    assert trials["endpoint_error"].max() < 0.02
    turned = np.degrees(trials["direction_error"] - straight["direction_error"])
    assert (turned > 10).all()  # it begins in the wrong direction all the same


def test_a_mirrored_cursor_goes_left_where_the_hand_goes_right():
    blind = ["probe:no_feedback"]
    trials = live(make(n=32, start_noise=0.0, shifts=["visuomotor_mirror", *blind]), 1 + CIRCLE)
    plain = live(make(n=32, start_noise=0.0, shifts=blind), 1 + CIRCLE)
    angle = trials["target"] * 2 * np.pi / CIRCLE
    heading = plain["direction_error"] + angle  # of the hand, which is the same in both
    wanted = np.exp(1j * (np.pi - heading - angle))
    assert np.exp(1j * trials["direction_error"][1:]) == pytest.approx(wanted[1:], abs=1e-9)


def test_a_field_pushes_to_its_side_and_more_the_stronger_it_is():
    deviation = {}
    for viscosity in (-30, -15, 0, 15, 30):
        shifts = [f"force_field:{viscosity}"] if viscosity else []
        deviation[viscosity] = live(make(shifts=shifts), CIRCLE)["lateral_deviation"]
    left, right = deviation[15] - deviation[0], deviation[-15] - deviation[0]
    assert left.min() > 0.002
    assert right.max() < -0.002
    assert deviation[30].mean() > deviation[15].mean() + 0.005
    assert deviation[-30].mean() < deviation[-15].mean() - 0.005


def test_a_field_does_no_work():
    # A hand that nothing else acts on keeps its speed: the field only turns it.
    env = make(n=3, trial_s=10.0)
    env.reset(seed=0)
    env.simulation.write_body("dof_damping", np.arange(3), slice(None), 0.0)
    env.task.arrays["force_field"][:] = 0, 50, -50
    energies = []
    env.simulation.qvel[:] = 0.5, -0.3
    data = mujoco.MjData(env.world.model)
    for _ in range(25):
        env.step(idle(env)(None))
        row = []
        for i in range(3):
            data.qpos[:], data.qvel[:] = env.simulation.qpos[i], env.simulation.qvel[i]
            mujoco.mj_forward(env.world.model, data)
            mujoco.mj_energyVel(env.world.model, data)
            row.append(data.energy[1])
        energies.append(row)
    energy = np.array(energies)
    assert energy[-1] == pytest.approx(energy[0], rel=0.02)
    places = env.task.arm.hand(env.simulation.qpos, env.simulation.qvel)[0]
    assert (np.linalg.norm(places[1:] - places[0], axis=1) > 0.03).all()


def test_the_field_is_gone_when_the_shift_ends():
    env = make(shifts=["force_field:20@0s-1s"], max_episode_steps=200)
    after = live(env, 3)
    never = live(make(), 3)
    assert np.array_equal(after["lateral_deviation"][1:], never["lateral_deviation"][1:])
    assert not np.array_equal(after["lateral_deviation"][0], never["lateral_deviation"][0])


def test_a_trial_without_feedback_tells_neither_place_nor_reward():
    env = make(no_feedback_every=2)
    part = env.task.interface.slices
    observation, _ = env.reset(seed=0)
    act = hand_servo(env)
    first = observation[:, part["cursor"]]
    for step in range(2 * TRIAL):
        observation, _, _, _, infos = env.step(act(observation))
        told = step < TRIAL
        assert (infos["feedback"] == told).all()
        assert bool(infos["reward_error"].any()) == told
        assert (infos["reward_error"] == 0).all() == (not told)
        if step == TRIAL - 1:
            first = observation[:, part["cursor"]]
            assert infos["reward_endpoint"].all()
        elif step >= TRIAL and step < 2 * TRIAL - 1:
            assert np.array_equal(observation[:, part["cursor"]], first)
    assert not infos["reward_endpoint"].any()
    assert not infos["reward_stop"].any()
    assert infos["endpoint_error"].all()  # the experimenter sees it all the same


def test_the_reward_of_a_sparse_trial_comes_at_its_end():
    env = make(dense=False)
    env.reset(seed=0)
    for step in range(TRIAL):
        infos = env.step(idle(env)(None))[4]
        assert bool(infos["reward_error"].any()) == (step == TRIAL - 1)
    assert infos["reward_error"] == pytest.approx(-0.02)


def test_the_muscles_have_the_published_lengths():
    # MotorNet's arm26 after Nijhof & Kouwenhoven: l = a₀ + Σ (a₁ + a₂ x) x with x = q − (π/2, 0).
    model = load_world("muscle_reach").model
    x = model.key_qpos[0] - (np.pi / 2, 0)
    a0 = np.array([0.151, 0.2322, 0.2859, 0.2355, 0.3329, 0.2989])
    a1 = np.array([[-0.03, 0.03, 0, 0, -0.03, 0.03], [0, 0, -0.014, 0.025, -0.016, 0.03]])
    a2 = np.zeros((2, 6))
    a2[1, 2:] = -4e-3, -2.2e-3, -5.7e-3, -3.2e-3
    slack = np.array([0.039, 0.066, 0.172, 0.187, 0.204, 0.217])
    best = np.array([0.134, 0.140, 0.092, 0.093, 0.137, 0.127])
    published = (a0 + ((a1 + a2 * x[:, None]) * x[:, None]).sum(axis=0) - slack) / best
    data = mujoco.MjData(model)
    data.qpos[:] = model.key_qpos[0]
    mujoco.mj_forward(model, data)
    low, high = model.actuator_lengthrange.T
    range_low, range_high = model.actuator_gainprm[:, :2].T
    unit = (high - low) / (range_high - range_low)
    assert unit == pytest.approx(best, rel=1e-3)
    assert range_low + (data.actuator_length - low) / unit == pytest.approx(published, abs=2e-3)
    arms = muscle_torques(model) / model.actuator_gainprm[:, 2]
    assert -arms == pytest.approx(a1 + 2 * a2 * x[:, None], abs=5e-5)


def test_each_muscle_pulls_the_way_of_its_moment_arms_and_moves_the_joints_so():
    env = make("muscle_reach", n=6, start_noise=0.0)
    env.reset(seed=0)
    torque = env.simulation.read("qfrc_actuator")
    for _ in range(3):
        env.step((2 * np.eye(6) - 1).astype(np.float32))
    expected = np.sign(muscle_torques(env.world.model)).T  # (muscle, joint)
    assert (np.sign(torque) * (np.abs(torque) > 0.05) == expected).all()
    moved = env.simulation.qpos - env.world.home_qpos
    alone = [0, 1, 2, 3]  # those of one joint move it their way
    joint = np.array([0, 0, 1, 1])
    assert (np.sign(moved[alone, joint]) == expected[alone, joint]).all()
    assert expected[:, 0].tolist() == [1, -1, 0, 0, 1, -1]
    assert expected[:, 1].tolist() == [0, 0, 1, -1, 1, -1]


def test_muscles_against_each_other_hold_the_arm_still():
    env = make("muscle_reach", start_noise=0.0)
    action = np.tile(2 * 5 * balance(env.world.model) - 1, (8, 1)).astype(np.float32)
    trials = live(env, 1, lambda _: action)
    assert trials["hand_speed"].max() < 0.01  # m/s
    deviation = np.abs(
        env.task.arm.hand(env.simulation.qpos, env.simulation.qvel)[0] - env.task.middle
    )
    assert deviation.max() < 0.01


def test_a_muscle_follows_its_excitation_with_a_delay():
    env = make("muscle_reach", n=1)
    env.reset(seed=0)
    seen = [env.step(np.ones((1, 6), np.float32))[0][0, 10] for _ in range(5)]
    assert 0.1 < seen[0] < 0.9
    assert (np.diff(seen) > 0).all()
    assert seen[-1] > 0.95


def test_a_weak_muscle_is_weaker_and_nothing_else():
    model = load_world("muscle_reach").model
    env = make("muscle_reach", n=2, shifts=["motor_gain:elbow_flexor:0.5"])
    env.reset(seed=0)
    parameters = env.simulation.body("actuator_gainprm", np.arange(2))[0]
    changed = parameters != model.actuator_gainprm
    assert np.argwhere(changed).tolist() == [[2, 2]]
    assert parameters[2, 2] == model.actuator_gainprm[2, 2] / 2


@each_arm
def test_a_hundred_thousand_random_steps_do_not_diverge(name: str):
    env = make(name, n=256)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(400):
        infos = env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))[4]
        assert not infos["unstable"].any()
