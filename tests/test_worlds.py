"""A definition under envs/ becomes a World, or an answer that names the file and the key."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from robolearn import definitions
from robolearn.errors import UserError
from robolearn.simulation import Simulation
from robolearn.worlds import load_world

SCENE = """<mujoco><option timestep="0.01"/><worldbody><geom type="plane" size="1 1 1"/>
  <body><freejoint name="root"/><geom size=".1"/>
    <body pos=".2 0 0"><joint name="hip" axis="0 1 0"/><geom size=".05"/></body></body>
</worldbody><actuator><motor joint="hip" ctrlrange="-1 1"/></actuator></mujoco>"""

LEG = {"joints": ["hip"], "motors": ["hip"], "lower_link": "hip_link"}


@pytest.fixture
def define(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that writes envs/toy/ with this `world` section."""
    monkeypatch.setattr(definitions, "data_folder", lambda kind: tmp_path / kind)
    folder = tmp_path / "envs" / "toy"
    folder.mkdir(parents=True)

    def write(world: Any, scene: str = SCENE) -> None:
        (folder / "scene.xml").write_text(scene, encoding="utf-8")
        definition = {"id": "robolearn/Toy-v0", "max_episode_steps": 5, "world": world}
        (folder / "env.yaml").write_text(yaml.safe_dump(definition), encoding="utf-8")

    return write


def test_a_scene_without_names_gets_names_a_leg_and_a_camera(define):
    camera = {
        "body": "root_link",
        "mode": "trackcom",
        "pos": [0, -1, 0],
        "xyaxes": [1, 0, 0, 0, 0, 1],
    }
    define(
        {"scene": "scene.xml", "substeps": 2, "legs": {"only": LEG}, "cameras": {"side": camera}}
    )
    world = load_world("toy")
    assert world.control_step_s == pytest.approx(0.02)
    assert world.motors == ["hip"]
    assert world.leg("only").qpos.tolist() == [7]
    assert world.model.geom(1).name == "root_link_geom_0"
    side = world.model.camera("side")
    assert side.bodyid[0] == world.model.body("root_link").id
    assert side.quat == pytest.approx([0.5**0.5, 0.5**0.5, 0, 0])  # it looks along y


@pytest.mark.parametrize(
    ("world", "message"),
    [
        (None, "key 'world' must be a mapping"),
        ({}, "key 'world.scene' must name an MJCF file"),
        ({"scene": "scen.xml"}, "'scen.xml' does not exist"),
        ({"scene": "gymnasium:antt.xml"}, "does not exist"),
        ({"scene": "scene.xml", "substeps": 2.5}, "'world.substeps' must be a whole number"),
        ({"scene": "scene.xml", "legs": {"a": {**LEG, "joints": ["hop"]}}}, "leg 'a': .*'hip'"),
        ({"scene": "scene.xml", "legs": {"a": {**LEG, "joints": 3}}}, "joints must be a list"),
        ({"scene": "scene.xml", "legs": {"a": {**LEG, "lower_link": 3}}}, "lower_link 3 "),
        ({"scene": "scene.xml", "legs": {"a": {"joints": ["hip"]}}}, "leg 'a'.*motors"),
        (
            {"scene": "scene.xml", "cameras": {"c": {"body": "rot_link"}}},
            "did you mean 'root_link'",
        ),
        ({"scene": "scene.xml", "cameras": {"c": {"mode": "trak"}}}, "did you mean 'track'"),
        ({"scene": "scene.xml", "cameras": {"c": {}}}, "camera 'c' lacks the key 'pos'"),
        ({"scene": "scene.xml", "cameras": {"c": {"pos": [1, 2]}}}, "pos must be 3 numbers"),
        ({"scene": "scene.xml", "cameras": {"c": {"ps": 1}}}, "did you mean 'world.cameras.c.pos'"),
    ],
)
def test_a_broken_definition_is_told_by_file_and_key(define, world: Any, message: str):
    define(world)
    with pytest.raises(UserError, match=message) as error:
        load_world("toy")
    assert "env.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"integrater": "RK4"}, "unknown MuJoCo option 'integrater'; did you mean 'integrator'"),
        ({"integrator": "RK5"}, "unknown integrator 'RK5'.*rk4"),
        ({"timestep": "quick"}, "MuJoCo option timestep cannot be 'quick'"),
    ],
)
def test_a_broken_variant_is_told(define, options: dict[str, Any], message: str):
    define({"scene": "scene.xml", "variants": {"fast": options}})
    with pytest.raises(UserError, match=message):
        load_world("toy", "fast")
    with pytest.raises(UserError, match="unknown variant of toy 'slow'"):
        load_world("toy", "slow")


def test_a_scene_that_is_no_mjcf_is_told(define):
    define({"scene": "scene.xml"}, scene="<mujoco><worldbody><geom/></worldbody></mujoco>")
    with pytest.raises(UserError, match="does not compile"):
        load_world("toy")
    define({"scene": "scene.xml"}, scene="<mujoco><nothing/></mujoco>")
    with pytest.raises(UserError, match="not a valid MJCF scene") as error:
        load_world("toy")
    assert "\n" not in str(error.value)


def test_what_every_individual_shares_cannot_be_edited(define):
    define({"scene": "scene.xml"})
    world = load_world("toy")
    simulation = Simulation(world, 2)

    def without_contact(spec: Any, world: Any) -> None:
        spec.body("hip_link").geoms[0].contype = 0
        spec.body("hip_link").geoms[0].conaffinity = 0

    # Such a body leaves the shared tree by which collisions are found, and others would miss them.
    with pytest.raises(ValueError, match="change the shape of the model's bvh"):
        simulation.write_edited(np.array([1]), (without_contact,))
