"""Shifts of body and world do to the physics what their equations say."""

from functools import cache
from typing import Any

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.shifts import Schedule, Shift, make_shift
from robolearn.simulation import Simulation
from robolearn.worlds import World, load_world

each_world = pytest.mark.parametrize("name", ["ant", "quadruped"])


@cache
def world_of(name: str) -> World:
    return load_world(name)


def shift(kind: str, name: str = "quadruped", **values: Any) -> Shift:
    return make_shift(kind, world_of(name), **values)


def individuals(name: str, n: int, height: float = 0.0) -> tuple[Simulation, Schedule]:
    """Return `n` individuals at rest in the home pose, so many metres above it."""
    world = world_of(name)
    simulation = Simulation(world, n, threads=1)
    qpos = world.home_qpos.copy()
    qpos[2] += height
    simulation.reset(np.arange(n), qpos, np.zeros(world.model.nv))
    if world.model.nkey:
        simulation.ctrl[:] = world.model.key_ctrl[0]
    return simulation, Schedule(simulation)


def momentum(simulation: Simulation) -> NDArray[np.float64]:
    """Return (n, 3) linear momentum, N·s, of each whole body."""
    rows = []
    for row in range(simulation.n):
        model = simulation.model_of(row)
        data = mujoco.MjData(model)
        data.qpos[:], data.qvel[:] = simulation.qpos[row], simulation.qvel[row]
        mujoco.mj_forward(model, data)
        mujoco.mj_subtreeVel(model, data)
        rows.append(data.subtree_linvel[1] * model.body_subtreemass[1])
    return np.array(rows)


@each_world
def test_a_push_changes_the_momentum_of_a_free_body_by_mass_times_speed(name: str):
    simulation, schedule = individuals(name, 2, height=5.0)
    one, other = (
        shift("push", name, speed=speed, direction=direction, duration_s=0.1)
        for speed, direction in ((0.8, np.pi / 3), (0.5, 0.0))
    )
    schedule.begin(one, np.array([0]))
    schedule.begin(other, np.array([0]))
    steps = round(0.1 / simulation.world.control_step_s)
    for _ in range(steps):
        simulation.step()
    expected = 0.8 * np.array([0.5, np.sqrt(0.75)]) + np.array([0.5, 0.0])
    pushed, alone = momentum(simulation)
    mass = simulation.model.body_mass.sum()
    assert (pushed - alone)[:2] / mass == pytest.approx(expected, rel=0.01)
    schedule.end(one, np.array([0]))
    schedule.end(other, np.array([0]))
    simulation.step()
    after, _ = momentum(simulation)
    assert after[:2] == pytest.approx(pushed[:2], rel=0.01)


def test_a_push_ends_by_itself():
    world = world_of("quadruped")
    assert shift("push", duration_s=0.1).lasts_s(world) == pytest.approx(0.1)
    assert shift("push", duration_s=0.001).lasts_s(world) == pytest.approx(0.02)


@each_world
def test_gravity_and_slope_turn_and_scale_the_acceleration_of_free_fall(name: str):
    simulation, schedule = individuals(name, 3, height=5.0)
    schedule.begin(shift("slope", name, angle=0.3), np.array([0, 1]))
    schedule.begin(shift("gravity", name, factor=0.5), np.array([1]))
    before = momentum(simulation)
    for _ in range(5):
        simulation.step()
    mass = simulation.model.body_mass.sum()
    time = 5 * simulation.world.control_step_s
    acceleration = (momentum(simulation) - before) / (mass * time)
    inclined = 9.81 * np.array([-np.sin(0.3), 0.0, -np.cos(0.3)])
    expected = [inclined, 0.5 * inclined, [0.0, 0.0, -9.81]]
    assert acceleration == pytest.approx(np.array(expected), rel=1e-3, abs=1e-3)


def test_a_standing_robot_slides_down_a_slope_steeper_than_its_friction():
    simulation, schedule = individuals("quadruped", 3)
    schedule.begin(shift("slope", angle=0.12), np.array([0, 1]))
    schedule.begin(shift("friction", coefficient=0.03), np.array([0]))
    schedule.begin(shift("friction", coefficient=0.5), np.array([1]))
    feet = simulation.read("site_xpos")[:, 1:, 0]  # (3, feet), m
    simulation.step()
    before = feet.copy()
    for _ in range(50):  # a second
        simulation.step()
    sliding, held, level = (feet - before).mean(axis=1)
    # From about rest with g (sin α − μ cos α).
    free = -0.5 * 9.81 * (np.sin(0.12) - 0.03 * np.cos(0.12))
    assert sliding == pytest.approx(free, rel=0.2)
    assert abs(held) < 0.3 * abs(free)
    assert abs(level) < 0.03


def test_a_payload_moves_as_if_a_mass_had_been_welded_on_in_the_scene():
    world = world_of("quadruped")
    simulation, schedule = individuals("quadruped", 2)
    place, mass = (0.12, -0.04, 0.07), 3.0
    parts = [1.0, 2.0]  # what is fastened in two pieces at one place weighs their sum
    for part in parts:
        schedule.begin(
            shift("payload", mass=part, x=place[0], y=place[1], z=place[2]), np.array([0])
        )

    def weld(spec: mujoco.MjSpec, _: World) -> None:
        spec.body("trunk").add_geom(
            size=[0.001, 0, 0], pos=place, mass=mass, contype=0, conaffinity=0
        )

    model = world.compile_edited([weld])
    ours = simulation.model_of(0)
    for field in ("body_mass", "body_subtreemass", "body_ipos", "body_invweight0", "dof_M0"):
        assert getattr(ours, field) == pytest.approx(getattr(model, field), rel=1e-4), field
    model.stat.meaninertia = world.model.stat.meaninertia
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = simulation.qpos[0], simulation.qvel[0]
    for command in np.random.default_rng(0).uniform(-0.3, 0.3, (40, world.model.nu)):
        simulation.ctrl[:] = data.ctrl[:] = world.model.key_ctrl[0] + command
        simulation.step()
        mujoco.mj_step(model, data, world.substeps)
    assert simulation.qpos[0] == pytest.approx(data.qpos, abs=1e-3)
    assert np.abs(simulation.qpos[0] - simulation.qpos[1]).max() > 0.02


def test_a_payload_lies_on_the_feet_below_it():
    simulation, schedule = individuals("quadruped", 2)
    load = simulation.read("sensordata")
    schedule.begin(shift("payload", mass=4.0, x=0.1, y=0.05), np.array([0]))
    loads = []
    for _ in range(100):
        simulation.step()
        loads.append(load.copy())
    carried = np.mean(loads[50:], axis=0)  # (2, feet), N
    assert carried.sum(axis=1) @ [1, -1] == pytest.approx(4.0 * 9.81, rel=0.02)
    assert np.argmax(carried[0] - carried[1]) == 0  # front left
    assert simulation.qpos[0, 2] < simulation.qpos[1, 2]


@pytest.mark.parametrize("mode", ["shortened", "amputated", "locked"])
def test_a_payload_and_a_damaged_leg_compose_in_any_order(mode: str):
    simulation, schedule = individuals("quadruped", 3)
    damage = shift("limb_damage", leg="rear_left", mode=mode)
    payload = shift("payload", mass=2.0, x=0.1)
    for row, order in enumerate([(damage, payload), (payload, damage)]):
        for each in order:
            schedule.begin(each, np.array([row]))
    for _ in range(20):
        simulation.step()
    assert np.array_equal(simulation.qpos[0], simulation.qpos[1])
    assert not np.array_equal(simulation.qpos[0], simulation.qpos[2])
    total = simulation.model_of(0).body_subtreemass[1]
    schedule.end(payload, np.array([0]))
    assert total - simulation.model_of(0).body_subtreemass[1] == pytest.approx(2.0)
    schedule.begin(damage, np.array([2]))
    one, other = simulation.model_of(0), simulation.model_of(2)
    for field in ("body_mass", "body_ipos", "body_invweight0", "dof_invweight0", "body_contype"):
        assert np.array_equal(getattr(one, field), getattr(other, field)), field


@each_world
def test_a_worn_joint_turns_slower_and_stays_where_dry_friction_holds_it(name: str):
    simulation, schedule = individuals(name, 3, height=5.0)
    world = simulation.world
    leg = world.legs["front_left"]
    schedule.begin(shift("motor_gain", name, target="all", gain=0.0), np.arange(3))
    schedule.begin(shift("joint_wear", name, target="front_left", damping=20.0), np.array([0]))
    dry = shift("joint_wear", name, target="front_left", damping=1.0, friction=20.0)
    schedule.begin(dry, np.array([1]))
    simulation.qpos[:, leg.qpos] = world.model.jnt_range[leg.joints].mean(axis=1)
    simulation.qvel[:, leg.dofs] = 2.0
    for _ in range(3):
        simulation.step()
    speed = np.abs(simulation.qvel[:, leg.dofs]).max(axis=1)
    assert speed[0] < 0.5 * speed[2]
    assert speed[1] < 0.02  # a hundredth of what it had: MuJoCo holds softly
    assert speed[2] > 0.5


@each_world
@pytest.mark.parametrize("mode", ["dead", "locked"])
def test_a_single_joint_can_be_dead_or_locked(name: str, mode: str):
    simulation, schedule = individuals(name, 2)
    world = simulation.world
    leg = world.legs["rear_right"]
    joint = world.model.joint(int(leg.joints[-1])).name
    damage = shift("limb_damage", name, leg=joint, mode=mode)
    assert damage.legs(world) == ("rear_right",)
    held = simulation.qpos[0, leg.qpos].copy()
    schedule.begin(damage, np.array([0]))
    force = simulation.read("actuator_force")
    home = world.model.key_ctrl[0] if world.model.nkey else np.zeros(world.model.nu)
    for _ in range(10):
        simulation.ctrl[:] = home + 0.3
        simulation.step()
    assert force[0, leg.motors[0]]  # the joint above it still pulls
    assert bool(force[0, leg.motors[-1]]) == (mode == "locked")
    moved = np.abs(simulation.qpos[0, leg.qpos] - held)
    if mode == "locked":
        assert moved[-1] < 0.01 < moved[0]


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("limb_damage", {"leg": "rear_left_kne"}, "did you mean 'rear_left_knee'"),
        ("limb_damage", {"leg": "rear_left_knee", "mode": "amputated"}, "needs a leg"),
        ("joint_wear", {"target": "rear_left_kne"}, "did you mean 'rear_left_knee'"),
        ("joint_wear", {"damping": -1}, "damping must be a number from 0 to 1000, got -1"),
        ("payload", {"mass": "heavy"}, "mass must be a number from 0 to 1000, got 'heavy'"),
        ("payload", {"x": 5}, "x must be a number from -2 to 2, got 5"),
        ("friction", {"coefficient": 0}, "coefficient must be a number from 0.001 to 10, got 0"),
        ("gravity", {"factor": -1}, "factor must be a number from 0 to 5, got -1"),
        ("slope", {"angle": 1.0}, "angle must be a number from -0.6 to 0.6, got 1.0"),
        ("push", {"speed": -1}, "speed must be a number from 0 to 20, got -1"),
        ("push", {"duration_s": 0}, "duration_s must be a number from 0.001 to 10, got 0"),
        ("force_field", {}, "shift 'force_field' does not apply to quadruped"),
    ],
)
def test_mistakes_are_told_in_one_line(kind: str, values: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message) as error:
        shift(kind, **values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("one", "other", "contradict"),
    [
        (("limb_damage", {"leg": "rear_left"}), ("limb_damage", {"leg": "rear_left_knee"}), True),
        (("limb_damage", {"leg": "rear_left"}), ("limb_damage", {"leg": "rear_right_hip"}), False),
        (
            ("limb_damage", {"leg": "rear_left_hip"}),
            ("limb_damage", {"leg": "rear_left_knee", "mode": "locked"}),
            False,
        ),
        (("friction", {"coefficient": 0.1}), ("friction", {"coefficient": 1.0}), True),
        (("slope", {"angle": 0.1}), ("slope", {"angle": -0.1}), True),
        (("slope", {"angle": 0.1}), ("gravity", {"factor": 0.5}), False),
        (("payload", {"mass": 1.0}), ("payload", {"mass": 2.0}), False),
        (("push", {"speed": 1.0}), ("push", {"speed": 2.0}), False),
    ],
)
def test_what_contradicts_is_refused_and_the_rest_composes(one: Any, other: Any, contradict: bool):
    _, schedule = individuals("quadruped", 1)
    first, second = (shift(kind, **values) for kind, values in (one, other))
    for a, b in ((first, second), (second, first)):
        schedule.begin(a, np.array([0]))
        if contradict:
            with pytest.raises(UserError, match=f"{b.label} contradicts {a.label}"):
                schedule.begin(b, np.array([0]))
        else:
            schedule.begin(b, np.array([0]))
            assert schedule.shifts_of(0) == [a, b]
        schedule.clear(np.array([0]))
