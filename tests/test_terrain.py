"""Uneven ground: everyone stands on their own field, and nobody else notices."""

from functools import cache
from typing import Any

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from robolearn.definitions import data_folder, read_yaml
from robolearn.envs.reference import scripted_policy
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.recording.gl import available_gl
from robolearn.shifts import Schedule, make_shift, parse_shift
from robolearn.simulation import Simulation
from robolearn.worlds import World, load_world
from robolearn.worlds import terrain as grounds
from robolearn.worlds import world as worlds
from robolearn.worlds.terrain import FORMS, TerrainFields, ground_code, patterns, read_terrain

WORLDS = ("ant", "hexapod", "quadruped")
each_world = pytest.mark.parametrize("name", WORLDS)


@cache
def world_of(name: str) -> World:
    return load_world(name)


def individuals(texts: list[str | None], name: str = "quadruped") -> tuple[Simulation, Schedule]:
    """Return individuals in the home pose at the origin, each on the ground of its text."""
    world = world_of(name)
    simulation = Simulation(world, len(texts), threads=1)
    schedule = Schedule(simulation)
    for i, text in enumerate(texts):
        if text is not None:
            kind, form, depth, *turn = text.split(":")
            shift = make_shift(
                kind, world, form=form, depth=float(depth), turn=float(turn[0]) if turn else 0
            )
            schedule.begin(shift, np.array([i]))
    put(simulation, 0.0, 0.0)
    return simulation, schedule


def put(simulation: Simulation, x: float, y: float) -> None:
    """Let everyone stand at rest at x, y in m."""
    world = simulation.world
    qpos = world.home_qpos.copy()
    qpos[:2] = x, y
    simulation.reset(np.arange(simulation.n), qpos, np.zeros(world.model.nv))
    if world.model.nkey:
        simulation.ctrl[:] = world.model.key_ctrl[0]


def surface(simulation: Simulation, x: NDArray, y: NDArray) -> NDArray[np.float64]:
    """Return how high (n, k) in m rays from above meet the ground at x, y (k,)."""
    origin = np.stack([x, y, np.full(len(x), 5.0)], axis=1)[None]
    down = np.array([0.0, 0.0, -1.0])
    distance = simulation.ray(
        np.repeat(origin, simulation.n, axis=0),
        np.broadcast_to(down, (simulation.n, len(x), 3)).copy(),
        group=0,
    )
    return 5.0 - distance


def test_patterns_use_their_whole_depth_are_flat_at_the_start_and_never_above_it():
    for pattern in patterns():
        middle = len(pattern) // 2
        assert pattern.min() == 0.0
        assert pattern.max() == 1.0
        assert (pattern[middle - 10 : middle + 11, middle - 10 : middle + 11] == 1.0).all()
    rough, steps = patterns()
    assert np.abs(np.diff(rough, axis=0)).max() < 0.6  # of the depth in a fifth of a grain
    assert len(np.unique(steps)) == 5


@each_world
@pytest.mark.parametrize("form", FORMS)
def test_the_ground_is_where_the_pattern_says_for_every_turn(name: str, form: str):
    fields = world_of(name).terrain
    assert fields is not None
    depth = fields.depths[-1]
    texts = [f"terrain:{form}:{depth}:{turn}" for turn in range(4)]
    simulation, _ = individuals([*texts, None], name)
    pattern = (patterns()[FORMS.index(form)] - 1.0) * depth
    rng = np.random.default_rng(0)
    row, column = rng.integers(0, 201, (2, 40))
    away = np.maximum(abs(row - 100), abs(column - 100)) > 20  # not under the robot
    row, column = row[away], column[away]
    cell = fields.grain / 5
    # A hair's breadth inside, for rays may miss the edge of the field.
    x, y = 0.9999 * cell * (column - 100), 0.9999 * cell * (row - 100)
    for turn in range(4):
        # The pattern turns counter-clockwise: what lay at (x, y) lies at (−y, x).
        turned_x, turned_y = ((x, y), (-y, x), (-x, -y), (y, -x))[turn]
        height = surface(simulation, turned_x, turned_y)
        assert height[turn] == pytest.approx(pattern[row, column], abs=0.02 * depth)
        assert height[4] == pytest.approx(0.0, abs=1e-9)
    far = fields.half_side * np.array([1.2, -1.5])
    beyond = surface(simulation, far, np.zeros(2))
    assert beyond[:4] == pytest.approx(-depth - 0.05 * fields.grain)


def test_the_height_that_tasks_ask_for_is_the_mean_around_the_place():
    fields = TerrainFields(0.4, (0.05, 0.1))
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-6, 6, (2, 50))
    for form in FORMS:
        pattern = (patterns()[FORMS.index(form)] - 1.0) * 0.1
        for turn in range(4):
            code = np.full(50, ground_code(form, 0.1, turn))
            here = fields.height(code, x, y)
            for i in range(0, 50, 7):
                u, v = ((x, y), (y, -x), (-x, -y), (-y, x))[turn]
                column, row = (round((w[i] + 8.0) / 0.08) for w in (u, v))
                mean = pattern[row - 5 : row + 6, column - 5 : column + 6].mean()
                assert here[i] == pytest.approx(mean, abs=1e-6)
    assert fields.height(np.array([-1, 0]), np.zeros(2), np.zeros(2)) == pytest.approx([0, 0])
    assert fields.height(np.array([ground_code("steps", 0.05, 1)]), np.array([9.0]), y[:1]) == -0.05


@pytest.mark.parametrize("form", FORMS)
def test_feet_rest_at_the_heights_of_their_own_field(form: str):
    depths = (None, 0.02, 0.06, 0.1)
    simulation, _ = individuals([f"terrain:{form}:{d}" if d else None for d in depths])
    feet, load = simulation.read("site_xpos"), simulation.read("sensordata")
    checked = 0
    for x, y in ((2.0, 1.0), (-3.0, 2.5), (4.5, -0.5)):
        put(simulation, x, y)
        for _ in range(150):
            simulation.step()
        for i, depth in enumerate(depths):
            place = feet[i, 1:]  # (feet, 3); the first site is the trunk's
            touching = load[i, : len(place)] > 1.0  # N
            node = np.rint(place[:, :2] / 0.08).astype(int) + 100
            for (column, row), z, touches in zip(node, place[:, 2], touching, strict=True):
                pattern = patterns()[FORMS.index(form)]
                around = pattern[row - 1 : row + 2, column - 1 : column + 2]
                heights = 0.023 + (around - 1.0) * (depth or 0.0)  # a foot's radius above, m
                if touches:
                    assert heights.min() - 0.006 < z < heights.max() + 0.006
                    checked += depth is not None
    assert checked > 15


@each_world
def test_a_world_that_could_be_uneven_moves_bit_for_bit_like_one_that_could_not(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    paths = []
    for flat in (False, True):
        with monkeypatch.context() as patch:
            if flat:
                patch.setattr(worlds, "read_terrain", lambda *_: None)
            env = RobotVectorEnv(name, 4)
        assert (env.world.terrain is None) == flat
        assert (env.world.model.nhfield == 0) == flat
        rng = np.random.default_rng(0)
        path = [env.reset(seed=0)[0]]
        for _ in range(120):
            action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
            observation, reward, *_ = env.step(action)
            path += [observation, reward]
        paths.append(path)
        stat = env.world.model.stat
        paths[-1] += [np.array([stat.extent, stat.meaninertia]), stat.center.copy()]
    assert all(np.array_equal(a, b) for a, b in zip(*paths, strict=True))


def lives(shifts: list[str], n: int = 8, name: str = "hexapod") -> tuple[RobotVectorEnv, Any, Any]:
    """Let the tripod gait walk for 10 s: the env, speeds (n,) in m/s, mean tilts (n,) in rad."""
    env = RobotVectorEnv(name, n, max_episode_steps=500, autoreset_mode="Disabled", shifts=shifts)
    act = scripted_policy("tripod_gait", env)
    observation, _ = env.reset(seed=0)
    tilt = np.zeros(n)
    for _ in range(500):
        observation = env.step(act(observation))[0]
        tilt += np.arccos(np.clip(observation[:, 2], -1, 1)) / 500
    return env, env.simulation.qpos[:, 0] / 10, tilt


@pytest.mark.parametrize("form", FORMS)
def test_a_scripted_walker_is_slower_and_rolls_more_the_deeper_the_ground(form: str):
    speeds, tilts = [], []
    for shifts in ([], *([f"terrain:{form}:{depth}:0,1,2,3"] for depth in (0.01, 0.04))):
        env, speed, tilt = lives(shifts)
        assert (env.steps == 500).all()  # nobody fell
        speeds.append(speed.mean())
        tilts.append(tilt.mean())
    level, shallow, deep = speeds
    assert deep < 0.8 * level
    assert shallow > 0.9 * level
    assert tilts[2] > 2 * tilts[0]
    assert tilts[0] < 1.3 * tilts[1] < 1.3 * tilts[2]


def test_it_composes_with_a_slope():
    _, level, _ = lives(["terrain:rough:0.02"])
    _, uphill, _ = lives(["terrain:rough:0.02", "slope:0.1"])
    assert uphill.mean() < 0.95 * level.mean()


@pytest.mark.parametrize("name", ["quadruped", "hexapod"])
def test_ground_that_gives_way_drops_the_robot_and_ground_that_returns_lifts_it(name: str):
    fields = world_of(name).terrain
    assert fields is not None
    depth = fields.depths[-1]
    shift = make_shift("terrain", world_of(name), form="steps", depth=float(depth))
    simulation, schedule = individuals([None] * 2, name)
    put(simulation, 1.5 * fields.half_side, 0.0)  # beyond the field, where it is level
    drop = depth + 0.05 * fields.grain
    only = np.array([0])
    for _ in range(100):
        simulation.step()
    before = simulation.qpos[:, 2].copy()
    schedule.begin(shift, only)
    for _ in range(100):
        simulation.step()
    assert before[0] - simulation.qpos[0, 2] == pytest.approx(drop, abs=0.003)
    assert simulation.qpos[1, 2] == pytest.approx(before[1], abs=0.003)
    schedule.end(shift, only)
    highest, speed = 0.0, 0.0
    for _ in range(100):
        simulation.step()
        highest = max(highest, float(simulation.qpos[0, 2]))
        speed = max(speed, float(simulation.qvel[0, 2]))
    assert highest < before[0] + 0.25 * drop  # m; it is not thrown into the air
    assert speed < 0.5  # m/s
    assert simulation.qpos[0, 2] == pytest.approx(before[0], abs=0.01)


def test_a_fall_is_one_onto_the_ground_that_is_there():
    env = RobotVectorEnv("hexapod", 2)
    env.schedule.set_plans((parse_shift("terrain:steps:0.04"),), np.array([1]))
    env.reset(seed=0)
    assert env.task.over_ground() == pytest.approx(env.simulation.qpos[:, 2])
    # On the deepest slab, with the trunk lower than the flat world allows.
    pattern = patterns()[1]
    row, column = next(
        (i, j) for i in range(5, 190, 10) for j in range(5, 190, 10) if pattern[i, j] == 0.0
    )
    low = env.task.parameters.lowest_height
    env.simulation.qpos[:, :2] = 0.04 * (column - 100), 0.04 * (row - 100)
    env.simulation.qpos[:, 2] = low - 0.01
    assert env.task.terminated().tolist() == [True, False]
    env.simulation.qpos[:, 2] = low - 0.05
    assert env.task.terminated().tolist() == [True, True]
    ants = RobotVectorEnv("ant", 1, shifts=["terrain:rough:0.2"])
    ants.reset(seed=0)
    low, high = ants.task.parameters.healthy_height
    ants.simulation.qpos[0, :3] = 50.0, 0.0, low - 0.1
    assert not ants.task.terminated()[0]
    ants.simulation.qpos[0, 2] = high - 0.1
    assert ants.task.terminated()[0]


def pictures(env: RobotVectorEnv) -> list[NDArray[np.int64]]:
    frames = env.render()
    assert frames is not None
    return [frame.astype(np.int64) for frame in frames]


@pytest.mark.skipif(available_gl() is None, reason="no OpenGL here")
def test_pictures_show_the_ground_that_is_there():
    env = RobotVectorEnv("quadruped", 4, render_mode="rgb_array")
    for i, text in enumerate((None, "terrain:steps:0.1", "terrain:steps:0.1", "terrain:rough:0.1")):
        env.schedule.set_plans((parse_shift(text),) if text else (), np.array([i]))
    env.reset(seed=[0, 0, 0, 0])
    flat, steps, same, rough = pictures(env)
    assert np.array_equal(steps, same)
    horizon = flat[120:300]
    for uneven in (steps, rough):
        assert (np.abs(uneven[120:300] - horizon).max(axis=2) > 8).mean() > 0.1
    assert not np.array_equal(steps, rough)
    env.schedule.clear(np.arange(4))
    env.simulation.qpos[:] = env.simulation.qpos[0]
    assert np.abs(pictures(env)[1] - flat).max() < 8


@pytest.mark.parametrize(
    ("name", "shifts", "message"),
    [
        ("quadruped", ["terrain:ruogh"], "unknown terrain form 'ruogh'; did you mean 'rough'"),
        ("quadruped", ["terrain:rough:0.5"], "depth must be a number from 0.005 to 0.2, got 0.5"),
        ("quadruped", ["terrain:rough:0.15"], "depth must be at most 0.1 m for quadruped .*0.15"),
        ("hexapod", ["terrain:steps:0.02..0.08"], "depth must be at most 0.04 m for hexapod"),
        ("ant", ["terrain:rough:0.1:4"], "turn must be a number from 0 to 3, got 4"),
        ("ant", ["terrain:rough:0.1:0:1"], "too many values"),
        ("half_cheetah", ["terrain"], "shift 'terrain' does not apply to half_cheetah"),
        ("tmaze", ["terrain"], "shift 'terrain' does not apply to tmaze"),
        (
            "ant",
            ["terrain:rough:0.1", "terrain:steps:0.1@1s"],
            "shift terrain:rough:0.1 contradicts terrain:steps:0.1",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(name: str, shifts: list[str], message: str):
    with pytest.raises(UserError, match=message) as error:
        RobotVectorEnv(name, 1, shifts=shifts)
    assert "\n" not in str(error.value)


def test_a_depth_is_rounded_to_one_that_is_compiled():
    world = world_of("quadruped")
    assert make_shift("terrain", world, depth=0.034).label == "terrain:rough:0.03"
    assert make_shift("terrain", world, form="steps", depth=0.1, turn=2).label == (
        "terrain:steps:0.1:2"
    )
    plan = parse_shift("terrain:rough:0.02..0.08")
    lives = [plan.draw(world, np.random.default_rng(i)) for i in range(60)]
    drawn = {life[0].label for life in lives if life is not None}
    assert drawn == {f"terrain:rough:{depth}" for depth in (0.02, 0.03, 0.04, 0.05, 0.06, 0.08)}


@pytest.mark.parametrize(
    ("terrain", "message"),
    [
        (None, "the shift 'terrain' needs the key 'world.terrain'"),
        (0.1, "'world.terrain' must be a mapping of .*grain.*, got 0.1"),
        ({"grain": 0.2, "deepst": 0.1}, "'deepst'; did you mean 'deepest'"),
        ({"grain": 0.2}, "world.terrain.deepest must be a number from 0.005 to 0.2 m, got None"),
        ({"grain": 0, "deepest": 0.1}, "world.terrain.grain must be a number from 0.01 to 100 m"),
    ],
)
def test_broken_figures_are_told_by_file_and_key(terrain: Any, message: str):
    path = data_folder("envs") / "hexapod" / "env.yaml"
    section = {**read_yaml(path)["world"], "terrain": terrain}
    with pytest.raises(UserError, match=message) as error:
        read_terrain(section, True, path)
    assert "env.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_scene_without_a_floor_cannot_have_terrain():
    spec = mujoco.MjSpec.from_string("<mujoco><worldbody/></mujoco>")
    with pytest.raises(UserError, match=r"env.yaml: world.terrain needs a scene with one plane"):
        grounds.add_terrain(spec, TerrainFields(0.2, (0.01,)), data_folder("envs") / "env.yaml")
