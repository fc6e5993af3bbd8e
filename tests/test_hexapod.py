"""Bodies built leg by leg: a scripted tripod gait walks six of them, and eight."""

from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from robolearn import definitions
from robolearn.definitions import data_folder, read_yaml
from robolearn.envs import registration
from robolearn.envs.reference import scripted_policy
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.worlds import load_world

LIFE = 500  # control steps of 20 ms


def walked(
    name: str = "hexapod", shifts: tuple[str, ...] = (), n: int = 4
) -> tuple[RobotVectorEnv, NDArray, NDArray]:
    """Let the tripod gait live for 10 s: returns the env, speeds in m/s, headings in rad."""
    env = RobotVectorEnv(
        name, n, max_episode_steps=LIFE, autoreset_mode="Disabled", shifts=list(shifts)
    )
    act = scripted_policy("tripod_gait", env)
    observation, _ = env.reset(seed=0)
    for _ in range(LIFE):
        observation = env.step(act(observation))[0]
    w, x, y, z = env.simulation.qpos[:, 3:7].T
    heading = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    speed = env.simulation.qpos[:, 0] / (LIFE * env.world.control_step_s)
    return env, speed, heading


@pytest.fixture(scope="module")
def intact() -> tuple[RobotVectorEnv, NDArray, NDArray]:
    return walked()


def test_a_tripod_gait_walks_forward_upright(intact):
    env, speed, heading = intact
    assert (env.steps == LIFE).all()  # nobody fell
    assert (speed > 0.15).all()  # m/s
    assert (np.abs(heading) < 0.4).all()
    assert (np.abs(env.simulation.qpos[:, 2] - env.world.home_qpos[2]) < 0.01).all()


@pytest.mark.parametrize("leg", ["front_left", "middle_right", "rear_left"])
def test_a_dead_leg_slows_or_turns_it(intact, leg: str):
    _, speed, heading = intact
    _, lame_speed, lame_heading = walked(shifts=(f"limb_damage:{leg}:dead@0s",))
    assert lame_speed.mean() < 0.75 * speed.mean()
    if leg == "front_left":
        # The three legs on the right push it round to the left.
        assert lame_heading.mean() > heading.mean() + 0.5


def test_the_body_is_that_of_the_figures():
    world = load_world("hexapod")
    model = world.model
    assert model.nu == model.njnt - 1 == 18
    assert list(world.legs) == [
        f"{place}_{side}" for place in ("front", "middle", "rear") for side in ("left", "right")
    ]
    assert model.body_subtreemass[0] == pytest.approx(2.567, abs=5e-4)  # kg
    assert model.body("front_right_coxa").pos == pytest.approx([0.1248, -0.06165, 0])
    assert model.body("middle_left_coxa").pos == pytest.approx([0, 0.1034, 0])
    assert (model.actuator_forcerange[:, 1] == 1.8).all()
    # Of the robot only feet and trunk touch anything.
    touching = {model.geom(i).name for i in np.flatnonzero(model.geom_contype & 1)}
    assert touching == {"floor", "trunk", *(f"{leg}_foot" for leg in world.legs)}
    friction = model.geom_friction[model.geom_contype > 0]
    assert (friction == friction[0]).all()


def test_left_and_right_are_mirror_images():
    world = load_world("hexapod")
    data = mujoco.MjData(world.model)
    angles = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 3))  # (pairs, joints of a leg)
    data.qpos[:] = world.model.qpos0
    for i, leg in enumerate(world.legs.values()):
        data.qpos[leg.qpos] = angles[i // 2]
    mujoco.mj_kinematics(world.model, data)
    for place in ("front", "middle", "rear"):
        left, right = (data.site(f"{place}_{side}_foot").xpos for side in ("left", "right"))
        assert left * [1, -1, 1] == pytest.approx(right)


def test_it_stands_on_all_feet_where_its_keyframe_says():
    env = RobotVectorEnv("hexapod", reset_noise=0.0)
    env.reset(seed=0)
    start = env.simulation.qpos[0, 2]
    for _ in range(50):
        observation = env.step(np.zeros(env.action_space.shape, np.float32))[0]
    assert abs(env.simulation.qpos[0, 2] - start) < 0.005  # m
    (contact,) = [part for part in env.task.observation_slices if part.name == "contact"]
    assert contact.size == 6
    assert observation[0, -8:-2].all()  # every foot, before the clock


def hexapod_definition(**scene: Any) -> dict[str, Any]:
    definition = read_yaml(data_folder("envs") / "hexapod" / "env.yaml")
    definition["world"]["scene"] = {**definition["world"]["scene"], **scene}
    return definition


@pytest.fixture
def define(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that writes a definition into a data folder of its own."""

    def write(name: str, definition: dict[str, Any]) -> None:
        folder = tmp_path / "envs" / name
        folder.mkdir(parents=True)
        (folder / "env.yaml").write_text(yaml.safe_dump(definition), encoding="utf-8")
        monkeypatch.setattr(definitions, "data_folder", lambda kind: tmp_path / kind)
        monkeypatch.setattr(registration, "data_folder", lambda kind: tmp_path / kind)

    return write


@pytest.mark.parametrize(
    ("name", "legs", "trunk"),
    [
        ("Octopod", 8, {"shape": "box", "length": 0.36, "width": 0.16}),
        ("Spider", 8, {"shape": "disc", "length": 0.26}),
        ("Crawler", 4, {"shape": "disc", "length": 0.2}),
    ],
)
def test_another_number_of_legs_is_another_folder(
    define, name: str, legs: int, trunk: dict[str, Any]
):
    scene = {"legs": legs, "trunk": {**trunk, "height": 0.06, "mass": 1.5}}
    env_id = f"robolearn/{name}-v0"
    define(name.lower(), {**hexapod_definition(**scene), "id": env_id})
    registration.register_envs()
    try:
        env = gymnasium.make_vec(env_id, 2)
        env.reset(seed=0)
        action = np.random.default_rng(0).uniform(-1, 1, env.action_space.shape)
        assert np.isfinite(env.step(action.astype(np.float32))[0]).all()
        assert env.single_action_space.shape == (3 * legs,)
    finally:
        del gymnasium.registry[env_id]
    assert isinstance(env, RobotVectorEnv)
    assert len(env.world.legs) == legs
    model = env.world.model
    for place, leg in env.world.legs.items():
        x, y, _ = model.body_pos[leg.bodies[0]]
        assert ("left" in place) == (y > 0)
        assert not place.startswith("front") or x > 0
        assert not place.startswith("rear") or x < 0


def test_the_gait_walks_eight_legs_too(define):
    trunk = {"shape": "box", "length": 0.36, "width": 0.16, "height": 0.06, "mass": 1.5}
    define("octopod", hexapod_definition(legs=8, trunk=trunk))
    env, speed, _ = walked("octopod", n=2)
    assert (env.steps == LIFE).all()
    assert (speed > 0.15).all()  # m/s


DISC = {"shape": "disc", "length": 0.2, "height": 0.06, "mass": 1.0}
COXA = {"length": 0.05, "radius": 0.01, "mass": 0.1, "range": [-1.0, 1.0], "home": 0.0}


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        ({"builder": "leged"}, "unknown builder 'leged'; did you mean 'legged'"),
        ({"legs": 5}, "world.scene.legs = 5: .*multiple of 2"),
        ({"legs": 2}, "world.scene.legs = 2: .*greater than or equal to 4"),
        ({"leg": 6}, "unknown parameter .*leg.*; did you mean .*legs"),
        ({"trunk": 3}, "world.scene.trunk must be a mapping, got 3"),
        ({"trunk": {**DISC, "shape": "ball"}}, "world.scene.trunk.shape 'ball'.*box.*disc"),
        ({"trunk": {**DISC, "width": 0.1}}, "world.scene.trunk.width and .* a disc has a length"),
        ({"coxa": {**COXA, "home": 2.0}}, r"home 2 must lie in the range \[-1.0, 1.0\]"),
        ({"coxa": {**COXA, "mass": 0}}, "world.scene.coxa.mass = 0.0: .*greater than 0"),
        ({"coxa": {**COXA, "lenght": 1}}, "did you mean 'world.scene.coxa.length'"),
        ({"coxa": {"length": 0.05}}, "world.scene.coxa: .*missing .* 'radius'"),
    ],
)
def test_a_broken_figure_is_told_by_its_key(define, scene: dict[str, Any], message: str):
    define("hexapod", hexapod_definition(**scene))
    with pytest.raises(UserError, match=message) as error:
        load_world("hexapod")
    assert "env.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_figure_is_told(define):
    definition = hexapod_definition()
    del definition["world"]["scene"]["motor"]
    define("hexapod", definition)
    with pytest.raises(UserError, match=r"env.yaml: world.scene lacks \['motor'\]"):
        load_world("hexapod")


def test_a_gait_that_a_body_cannot_walk_is_refused():
    with pytest.raises(UserError, match="a tripod gait needs a clock"):
        scripted_policy("tripod_gait", RobotVectorEnv("hexapod", clock_hz=None))
    with pytest.raises(UserError, match="did you mean 'tripod_gait'"):
        scripted_policy("tripod_gate", RobotVectorEnv("hexapod"))
