"""What every shift owes: it does what its name says, to whom it is meant, and leaves no trace."""

from functools import cache
from typing import Any

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from robolearn.shifts import Schedule, Shift, make_shift
from robolearn.shifts.limb_damage import shorten
from robolearn.simulation import Simulation
from robolearn.worlds import World, load_world

WORLDS = ("ant", "quadruped")
SHIFTS: list[dict[str, Any]] = [
    {"kind": "limb_damage", "leg": "front_left", "mode": "dead"},
    {"kind": "limb_damage", "leg": "rear_right", "mode": "locked"},
    {"kind": "limb_damage", "leg": "front_right", "mode": "shortened", "fraction": 0.4},
    {"kind": "limb_damage", "leg": "rear_left", "mode": "amputated"},
    {"kind": "motor_gain", "target": "all", "gain": 0.3},
    {"kind": "motor_gain", "target": "rear_left", "gain": 1.5},
    {"kind": "joint_wear", "target": "all", "damping": 4.0, "friction": 0.5},
    {"kind": "payload", "mass": 2.0, "x": 0.1, "y": -0.05, "z": 0.08},
    {"kind": "push", "speed": 0.5, "direction": 0.3},
    {"kind": "friction", "coefficient": 0.1},
    {"kind": "gravity", "factor": 0.6},
    {"kind": "slope", "angle": -0.2},
    {"kind": "terrain", "form": "rough", "depth": 0.1, "turn": 1},
    {"kind": "terrain", "form": "steps", "depth": 0.05},
]

each_world = pytest.mark.parametrize("name", WORLDS)
each_shift = pytest.mark.parametrize(
    "values", SHIFTS, ids=lambda v: ":".join(str(x) for x in v.values())
)


@cache
def world_of(name: str) -> World:
    return load_world(name)


def shift_of(world: World, values: dict[str, Any]) -> Shift:
    return make_shift(world=world, **values)


def standing(world: World, n: int) -> tuple[Simulation, Schedule]:
    """Return `n` equal individuals in the home pose, slightly moving."""
    simulation = Simulation(world, n, threads=1)
    qvel = 0.1 * np.random.default_rng(1).standard_normal(world.model.nv)
    simulation.reset(np.arange(n), world.home_qpos, qvel)
    return simulation, Schedule(simulation)


def commands(world: World, steps: int, seed: int = 0) -> NDArray[np.float64]:
    """Return (steps, nu) motor commands within their ranges."""
    low, high = world.model.actuator_ctrlrange.T
    home = world.model.key_ctrl[0] if world.model.nkey else np.zeros(world.model.nu)
    noise = np.random.default_rng(seed).uniform(-0.3, 0.3, (steps, world.model.nu))
    return np.clip(home + noise, low, high)


def run(simulation: Simulation, steps: int = 30, seed: int = 0) -> NDArray[np.float64]:
    """Return (steps, n, nq): every individual gets the same commands."""
    path = []
    for command in commands(simulation.world, steps, seed):
        simulation.ctrl[:] = command
        simulation.step()
        path.append(simulation.qpos.copy())
    return np.stack(path)


def assert_same_body(simulation: Simulation, row: int, model: mujoco.MjModel) -> None:
    body = simulation.model_of(row)
    for name in dir(model):
        value = getattr(model, name)
        if isinstance(value, np.ndarray) and not name.startswith("_"):
            assert np.array_equal(getattr(body, name), value), name


@each_world
@each_shift
def test_applied_twice_equals_once(name: str, values: dict[str, Any]):
    world = world_of(name)
    simulation, schedule = standing(world, 2)
    shift = shift_of(world, values)
    schedule.begin(shift, np.array([0, 1]))
    schedule.begin(shift, np.array([1]))
    assert schedule.shifts_of(1) == [shift]
    before = run(simulation, 10)
    schedule.begin(shift, np.array([1]))
    after = run(simulation, 20, seed=1)
    for path in (before, after):
        assert np.array_equal(path[:, 0], path[:, 1])


@each_world
@each_shift
def test_removed_equals_never(name: str, values: dict[str, Any]):
    world = world_of(name)
    simulation, schedule = standing(world, 2)
    shift = shift_of(world, values)
    schedule.begin(shift, np.array([0]))
    schedule.end(shift, np.array([0]))
    path = run(simulation)
    assert np.array_equal(path[:, 0], path[:, 1])
    schedule.begin(shift, np.array([0]))
    path = run(simulation, seed=1)
    assert not np.array_equal(path[:, 0], path[:, 1])
    schedule.end(shift, np.array([0]))
    assert_same_body(simulation, 0, world.model)
    assert np.array_equal(simulation.model_of(0).opt.gravity, world.model.opt.gravity)
    assert not simulation.eq_active.any()
    assert not simulation.xfrc_applied.any()


@each_world
@each_shift
def test_other_individuals_are_untouched(name: str, values: dict[str, Any]):
    world = world_of(name)
    with_it, schedule = standing(world, 3)
    without, _ = standing(world, 3)
    schedule.begin(shift_of(world, values), np.array([1]))
    shifted, intact = run(with_it), run(without)
    assert np.array_equal(shifted[:, [0, 2]], intact[:, [0, 2]])
    assert not np.array_equal(shifted[:, 1], intact[:, 1])


@each_world
@each_shift
def test_a_new_life_begins_in_a_sound_body(name: str, values: dict[str, Any]):
    world = world_of(name)
    simulation, schedule = standing(world, 2)
    schedule.begin(shift_of(world, values), np.array([0]))
    run(simulation, 5)
    everyone = np.arange(2)
    schedule.clear(everyone)
    simulation.reset(everyone, world.home_qpos, np.zeros(world.model.nv))
    schedule.start(everyone, [np.random.default_rng(0)] * 2)
    assert schedule.shifts_of(0) == []
    path = run(simulation)
    assert np.array_equal(path[:, 0], path[:, 1])


def without_contacts(link: str):
    """Return an edit that takes the contacts of a body out of the scene itself."""

    def edit(spec: mujoco.MjSpec, world: World) -> None:
        for geom in spec.body(link).geoms:
            geom.contype = geom.conaffinity = 0

    return edit


@each_world
@pytest.mark.parametrize("mode", ["shortened", "amputated"])
@pytest.mark.parametrize("leg", ["front_left", "rear_right"])
def test_an_edited_body_moves_as_if_its_scene_had_been_compiled(name: str, mode: str, leg: str):
    world = world_of(name)
    simulation, schedule = standing(world, 2)
    shift = make_shift("limb_damage", world, leg=leg, mode=mode)
    edits: list[Any] = [shift]
    if mode == "amputated":
        edits.append(without_contacts(world.leg(leg).lower_link))
    model = world.compile_edited(edits)
    # The solver's tolerance is scaled by this figure, which individuals share.
    model.stat.meaninertia = world.model.stat.meaninertia
    if mode == "amputated":
        motor = world.leg(leg).motors[-1]
        for field in ("actuator_gainprm", "actuator_biasprm", "actuator_forcerange"):
            getattr(model, field)[motor] = 0
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = simulation.qpos[1], simulation.qvel[1]
    mujoco.mj_forward(model, data)
    schedule.begin(shift, np.array([1]))
    for command in commands(world, 80):
        simulation.ctrl[:] = data.ctrl[:] = command
        simulation.step()
        mujoco.mj_step(model, data, world.substeps)
        assert np.array_equal(simulation.qpos[1], data.qpos)


@each_world
def test_a_dead_leg_gives_no_torque_and_swings_freely(name: str):
    world = world_of(name)
    simulation, schedule = standing(world, 2)
    leg = world.leg("front_left")
    schedule.begin(make_shift("limb_damage", world, leg="front_left", mode="dead"), np.array([0]))
    force = simulation.read("actuator_force")
    joint_torque = simulation.read("qfrc_actuator")
    for command in commands(world, 20):
        simulation.ctrl[:] = command
        simulation.step()
        assert not force[0, leg.motors].any()
        assert not joint_torque[0, leg.dofs].any()
        assert force[1, leg.motors].all()
    assert np.abs(simulation.qpos[0] - simulation.qpos[1])[leg.qpos].max() > 0.05  # rad


@each_world
@pytest.mark.parametrize("leg_name", ["front_left", "rear_right"])
def test_a_locked_leg_holds_its_angle_against_its_motors_at_their_limit(name: str, leg_name: str):
    world = world_of(name)
    simulation, schedule = standing(world, 1)
    leg = world.leg(leg_name)
    run(simulation, 5)
    simulation.ctrl[:] = commands(world, 1)[0]
    held = simulation.qpos[0, leg.qpos].copy()
    schedule.begin(make_shift("limb_damage", world, leg=leg_name, mode="locked"), np.array([0]))
    low, high = world.model.actuator_ctrlrange[leg.motors].T
    middle = (low + high) / 2
    angle = held if world.model.nkey else np.zeros(len(held))
    limit = world.model.actuator_forcerange[leg.motors, 1]
    limit = np.where(limit > 0, limit, 1.0)  # a torque motor's limit is that of its command
    force = simulation.read("actuator_force")
    # The far end of the range, so that position motors too pull as hard as they can.
    simulation.ctrl[0, leg.motors] = np.where(angle < middle, high, low)
    simulation.step()  # in which a moving joint comes to rest
    for _ in range(50):
        simulation.step()
        assert np.abs(simulation.qpos[0, leg.qpos] - held).max() < 0.01  # rad
    assert np.abs(force[0, leg.motors]) == pytest.approx(limit)


@each_world
@pytest.mark.parametrize("fraction", [0.25, 0.7])
def test_a_shortened_leg_has_that_length(name: str, fraction: float):
    world = world_of(name)
    simulation, schedule = standing(world, 2)
    leg = world.leg("rear_left")
    shift = make_shift("limb_damage", world, leg="rear_left", mode="shortened", fraction=fraction)
    schedule.begin(shift, np.array([0]))
    run(simulation, 3)
    body = world.model.body(leg.lower_link)
    geoms = range(body.geomadr[0], body.geomadr[0] + body.geomnum[0])
    # It moves with its new length: seen where the physics has put it, not in its parameters.
    distance = np.linalg.norm(
        simulation.read("geom_xpos")[:, geoms] - simulation.read("xpos")[:, [body.id]], axis=2
    )
    assert distance[0] == pytest.approx(fraction * distance[1])
    short, full = simulation.model_of(0), world.model
    for geom in geoms:
        radius, half_length, _ = full.geom_size[geom]
        assert short.geom_size[geom] == pytest.approx([radius, fraction * half_length, 0])
    foot = [i for i in range(full.nsite) if full.site_bodyid[i] == body.id]
    assert short.site_pos[foot] == pytest.approx(fraction * full.site_pos[foot])
    assert short.body_subtreemass[1] < full.body_subtreemass[1]


def test_a_shortened_link_loses_its_stated_mass_in_proportion_or_keeps_its_density():
    quadruped, ant = world_of("quadruped"), world_of("ant")
    masses = {}
    for world in (quadruped, ant):
        shift = make_shift("limb_damage", world, leg="rear_left", mode="shortened", fraction=0.5)
        link = world.leg("rear_left").lower_link
        masses[world.name] = float(world.compile_edited([shift]).body(link).mass[0])
    shank, foot = 0.135862, 0.06  # kg; the foot stays whole
    assert masses["quadruped"] == pytest.approx(0.5 * shank + foot)
    density, radius, length = 5.0, 0.08, 0.5 * 0.4 * np.sqrt(2)  # kg/m³, m, m
    volume = np.pi * radius**2 * (length + 4 / 3 * radius)
    assert masses["ant"] == pytest.approx(density * volume)


@pytest.mark.parametrize("mass", ['mass="0.3"', 'density="700"'])
@pytest.mark.parametrize("kind", ["capsule", "cylinder", "box", "ellipsoid"])
def test_shortening_does_not_depend_on_how_a_geom_was_written(kind: str, mass: str):
    sizes = {"capsule": "0.02 0.1", "cylinder": "0.02 0.1"}
    ways = [
        f'fromto="0 0 -0.05 0 0 -0.25" size="0.02" {mass}',
        f'pos="0 0 -0.15" size="{sizes.get(kind, "0.02 0.02 0.1")}" {mass}',
    ]
    bodies = []
    for way in ways:
        spec = mujoco.MjSpec.from_string(
            f"""<mujoco><worldbody><body name="link"><freejoint/><geom type="{kind}" {way}/>
            <site name="end" pos="0 0 -0.25"/><body name="toe" pos="0 0 -0.25"><joint/>
            <geom size="0.01"/></body></body></worldbody></mujoco>"""
        )
        shorten(spec.body("link"), 0.5)
        bodies.append(spec.compile())
    one, other = bodies
    for field in ("geom_pos", "geom_size", "body_mass", "body_inertia", "body_pos", "site_pos"):
        assert getattr(one, field) == pytest.approx(getattr(other, field)), field
    assert one.geom_size[0].max() == pytest.approx(0.05)
    assert one.site("end").pos == pytest.approx([0, 0, -0.125])
    assert one.body("toe").pos == pytest.approx([0, 0, -0.125])


@each_world
def test_an_amputated_leg_touches_nothing_weighs_nothing_and_is_not_drawn(name: str):
    world = world_of(name)
    simulation, schedule = standing(world, 1)
    shift = make_shift("limb_damage", world, leg="rear_left", mode="amputated")
    schedule.begin(shift, np.array([0]))
    run(simulation, 3)
    body, full = simulation.model_of(0), world.model
    link = full.body(world.leg("rear_left").lower_link).id
    geoms = np.flatnonzero(full.geom_bodyid == link)
    weight = full.body_subtreemass[1] - body.body_subtreemass[1]
    assert weight == pytest.approx(full.body_mass[link], abs=1e-5)
    assert body.body_mass[link] < 1e-5
    assert not body.geom_rgba[geoms, 3].any()
    assert (body.geom_matid[geoms] == -1).all()
    # Laid into the ground, the whole robot meets the floor, but for this link.
    data = {}
    for model in (body, full):
        data[model] = mujoco.MjData(model)
        data[model].qpos[:] = world.home_qpos
        data[model].qpos[2] = 0.02
        mujoco.mj_forward(model, data[model])
    assert np.isin(data[full].contact.geom, geoms).any()
    assert not np.isin(data[body].contact.geom, geoms).any()
    assert data[body].ncon > 3


def test_a_robot_without_a_lower_leg_tips_over_on_its_other_feet():
    world = world_of("quadruped")
    for leg in world.legs:
        simulation, schedule = standing(world, 1)
        position, load = simulation.read("site_xpos"), simulation.read("sensordata")
        shift = make_shift("limb_damage", world, leg=leg, mode="amputated")
        schedule.begin(shift, np.array([0]))
        simulation.ctrl[:] = world.model.key_ctrl[0]
        names = [world.model.sensor(i).name for i in range(world.model.nsensor)]
        others = np.array([not name.startswith(leg) for name in names])
        feet = world.model.sensor_objid[others]
        touched = np.zeros(len(names), np.bool_)
        for _ in range(50):
            simulation.step()
            touched |= load[0] > 1.0  # N
            assert position[0, feet, 2].min() > 0.015  # m: none goes through the floor
        assert np.array_equal(touched, others)


@each_world
@pytest.mark.parametrize("gain", [0.0, 0.3, 1.5])
@pytest.mark.parametrize("target", ["all", "rear_right", "motor"])
def test_motor_gain_scales_torque_near_and_far_from_the_target(name: str, gain: float, target: str):
    world = world_of(name)
    simulation, schedule = standing(world, 2)
    motor = world.motors[4]
    shift = make_shift(
        "motor_gain", world, target=motor if target == "motor" else target, gain=gain
    )
    schedule.begin(shift, np.array([0]))
    hit = {
        "all": np.arange(world.model.nu),
        "rear_right": world.leg("rear_right").motors,
        "motor": np.array([4]),
    }[target]
    spared = np.setdiff1d(np.arange(world.model.nu), hit)
    low, high = world.model.actuator_ctrlrange.T
    here = world.model.key_ctrl[0] if world.model.nkey else np.zeros(world.model.nu)
    force = simulation.read("actuator_force")
    limit = world.model.actuator_forcerange[:, 1]
    for command in (here + 0.05, here - 0.02, high, low):
        simulation.ctrl[:] = command
        simulation.forward(np.arange(2))
        assert force[1].all()
        assert force[0, hit] == pytest.approx(gain * force[1, hit])
        assert np.array_equal(force[0, spared], force[1, spared])
    if world.model.nkey:
        at_limit = np.abs(force[1]) == limit
        assert at_limit[hit].any()


def test_gains_multiply_in_whatever_order_they_come():
    world = world_of("quadruped")
    simulation, schedule = standing(world, 3)
    shifts = [
        make_shift("motor_gain", world, target="all", gain=0.7),
        make_shift("motor_gain", world, target="rear_left", gain=0.3),
        make_shift("motor_gain", world, target="rear_left_hip", gain=1.1),
        make_shift("limb_damage", world, leg="front_left", mode="shortened", fraction=0.6),
        make_shift("limb_damage", world, leg="rear_right", mode="locked"),
    ]
    for shift in shifts:
        schedule.begin(shift, np.array([0]))
    for shift in reversed(shifts):
        schedule.begin(shift, np.array([1]))
    motor = world.motors.index("rear_left_hip")
    gain = simulation.model_of(0).actuator_gainprm[motor, 0]
    assert gain == pytest.approx(40 * 0.7 * 0.3 * 1.1)
    path = run(simulation)
    assert np.array_equal(path[:, 0], path[:, 1])
    assert not np.array_equal(path[:, 0], path[:, 2])
    # What is left after one ends is what the others alone would have made.
    schedule.end(shifts[0], np.array([0]))
    for shift in (shifts[4], *shifts[1:4]):
        schedule.begin(shift, np.array([2]))
    simulation.reset(np.arange(3), world.home_qpos, np.zeros(world.model.nv))
    for row in (0, 2):
        schedule.end(shifts[4], np.array([row]))
        schedule.begin(shifts[4], np.array([row]))
    path = run(simulation)
    assert np.array_equal(path[:, 0], path[:, 2])
