"""Scripted controllers on camera: all that env.yaml names, in the units of their task."""

from pathlib import Path

import numpy as np
import pytest

from robolearn.definitions import definition_folder, definition_names, read_yaml
from robolearn.envs import film
from robolearn.envs.film import live_scripted, main
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.envs.witness import Witness, film_camera
from robolearn.errors import UserError
from robolearn.recording import Trajectory
from robolearn.recording.captions import speed_text

SCRIPTED = [
    (name, controller)
    for name in definition_names("envs")
    for controller in read_yaml(definition_folder("envs", name) / "env.yaml").get("scripted", [])
]


@pytest.mark.parametrize(("name", "controller"), SCRIPTED)
def test_every_scripted_controller_can_be_filmed(name: str, controller: str, tmp_path: Path):
    trajectory, models = live_scripted(name, controller, [], seed=0, life_s=2.0)
    assert len(models) == 1
    assert trajectory.duration_s == pytest.approx(2.0)
    assert np.ptp(trajectory.qpos, axis=0).max() > 0.05  # m or rad: it moves
    again = Trajectory.load(trajectory.save(tmp_path / "life.npz"))
    assert again.measure == trajectory.measure
    assert np.array_equal(again.qpos, trajectory.qpos)


def test_the_film_shows_the_ground_that_gave_way():
    shift = ["terrain:steps:0.04@0.2s-0.4s"]
    trajectory, models = live_scripted("hexapod", None, shift, seed=0, life_s=0.6)
    assert [step for step, _ in models] == [0, 10, 20]
    ground = models[0][1].geom("terrain").id
    assert [model.geom_rgba[ground, 3] > 0 for _, model in models] == [False, True, False]
    (event,) = trajectory.shifts
    assert event.title == "terrain steps 0.04"


def test_what_comes_goes_and_comes_back_is_told_each_time():
    """Two spans of one and the same shift: as values they are equal."""
    name = "limb_damage:front_left:dead"
    env = RobotVectorEnv(
        "quadruped", 1, max_episode_steps=40, autoreset_mode="Disabled", threads=1,
        shifts=[f"{name}@0.1s-0.2s", f"{name}@0.4s"],
    )  # fmt: skip
    env.reset(seed=0)
    witness = Witness(env)
    for step in range(30):
        env.step(np.zeros((1, env.task.action_size), np.float32))
        witness.see(step, 0.0)
    told = [(event.onset_s, event.end_s) for event in witness.trajectory(0, "x", {}).shifts]
    assert told == [(pytest.approx(0.1), pytest.approx(0.2)), (pytest.approx(0.4), None)]
    assert [step for step, _ in witness.models] == [0, 5, 10, 20]


def test_what_is_measured_is_told_in_its_unit():
    assert speed_text(0.5) == "0.50 m/s"
    assert speed_text(0.5, ("nearness to the target", "1")) == "nearness to the target 0.50"
    assert speed_text(0.5, ("food", "1/trial")) == "food"


def test_mazes_are_filmed_from_above_and_walkers_are_followed():
    assert film_camera("tmaze") == "fixed"
    assert film_camera("hexapod") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hexapd"], "did you mean 'hexapod'"),
        (["quadruped"], "env quadruped: no scripted controller is known to drive it"),
        (["hexapod", "--controller", "tripod"], "did you mean 'tripod_gait'"),
        (["hexapod", "--seconds", "0"], "length of the life must be above 0 s, got 0"),
        (["hexapod", "--seed", "-1"], "seed of the life must be 0 or more, got -1"),
        (["hexapod", "--seconds", "2", "--shift", "terrain@3s"], "past the end of life (2 s)"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([*arguments, "--out", str(tmp_path / "film")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_command_names_the_files_that_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def record(out: Path, trajectory: Trajectory, models: object, camera: object) -> list[Path]:
        assert camera == "fixed"
        return [trajectory.save(out.with_suffix(".npz"))]

    monkeypatch.setattr(film, "record", record)
    assert main(["reach", "--seconds", "0.5", "--out", str(tmp_path / "film")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "film.npz")
    with pytest.raises(UserError, match="did you mean 'hand_servo'"):
        live_scripted("reach", "hand_sevro", [], 0, 1.0)
