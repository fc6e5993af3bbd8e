"""Trajectory files: whole, plain arrays, and clear about what is wrong with a foreign one."""

import dataclasses
import json

import numpy as np
import pytest

from robolearn.errors import UserError
from robolearn.recording import ShiftEvent, Trajectory


def make_trajectory(**changes) -> Trajectory:
    """A life of six steps with one damage and one piece of moved scenery."""
    steps = 6
    rng = np.random.default_rng(0)
    content = {
        "world": "robolearn/Quadruped-v0",
        "control_step_s": 0.02,
        "qpos": rng.normal(size=(steps, 9)),
        "speed": rng.normal(size=steps),
        "reward": rng.normal(size=steps).astype(np.float32),
        "shifts": (
            ShiftEvent("limb_damage:front_left:dead@0.04s", 0.04, None, ("front_left",), ("shin",)),
            ShiftEvent("motor_gain:all:0.5@0.02s-0.06s", 0.02, 0.06),
        ),
        "seed": 7,
        "agent": "hebbian",
        "versions": {"mujoco": "3.17.0"},
        "mocap_pos": rng.normal(size=(steps, 1, 3)),
    }
    return Trajectory(**(content | changes))


def test_a_trajectory_comes_back_as_it_was_saved(tmp_path):
    trajectory = make_trajectory()
    path = trajectory.save(tmp_path / "life.npz")
    again = Trajectory.load(path)
    for field in dataclasses.fields(Trajectory):
        before, after = getattr(trajectory, field.name), getattr(again, field.name)
        if isinstance(before, np.ndarray):
            assert before.dtype == after.dtype
            np.testing.assert_array_equal(before, after)
        else:
            assert before == after
    assert [file.name for file in path.parent.iterdir()] == ["life.npz"]


def test_a_trajectory_without_scenery_comes_back_without(tmp_path):
    path = make_trajectory(mocap_pos=None).save(tmp_path / "life.npz")
    assert Trajectory.load(path).mocap_pos is None


def test_files_that_tell_of_every_step_whether_it_lives_are_read_still(tmp_path):
    trajectory = make_trajectory()
    path = trajectory.save(tmp_path / "life.npz")
    with np.load(path) as content:
        arrays = dict(content)
    np.savez(path, alive=np.ones(6, np.bool_), **arrays)
    np.testing.assert_array_equal(Trajectory.load(path).qpos, trajectory.qpos)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qpos": np.zeros(6)}, "qpos must be"),
        ({"speed": np.zeros(5)}, r"speed must be \(6,\)"),
        ({"mocap_pos": np.zeros((5, 1, 3))}, "mocap_pos must be"),
        ({"control_step_s": 0.0}, "control_step_s must be above 0"),
    ],
)
def test_arrays_that_do_not_agree_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_trajectory(**changes)


def test_a_pickled_object_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    path = make_trajectory().save(tmp_path / "life.npz")
    with np.load(path) as content:
        arrays = dict(content)
    arrays["speed"] = np.array([Bomb()] * 6, dtype=object)
    np.savez(path, allow_pickle=True, **arrays)
    with pytest.raises(
        UserError, match=r"life\.npz' cannot be read .*must be a .npz that robolearn"
    ):
        Trajectory.load(path)


def write_json(path, **about):
    np.savez(path, about=np.frombuffer(json.dumps(about).encode(), np.uint8))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"a film, perhaps"),
        lambda path: path.write_bytes(path.read_bytes()[:-200]),
        lambda path: np.savez(path, qpos=np.zeros((3, 2))),
        lambda path: np.savez(path, about=np.frombuffer(b"[1, 2]", np.uint8)),
        lambda path: write_json(path, format="another"),
        lambda path: write_json(path, format="robolearn-trajectory", format_version=1),
        lambda path: write_json(path, format="robolearn-trajectory", format_version="new"),
    ],
)
def test_a_broken_or_foreign_file_is_named(tmp_path, spoil):
    path = make_trajectory().save(tmp_path / "life.npz")
    spoil(path)
    with pytest.raises(UserError, match=r"life\.npz' cannot be read"):
        Trajectory.load(path)


def test_a_file_of_a_newer_robolearn_says_so(tmp_path):
    path = tmp_path / "life.npz"
    write_json(path, format="robolearn-trajectory", format_version=99)
    with pytest.raises(UserError, match="format version 99 is newer"):
        Trajectory.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.npz': no such file"):
        Trajectory.load(tmp_path / "nowhere.npz")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in ("file", "gone"):
        with pytest.raises(UserError, match="cannot be written"):
            make_trajectory().save(tmp_path / folder / "life.npz")


@pytest.mark.parametrize(
    ("spec", "title"),
    [
        ("limb_damage:front_left:dead@5s", "front left leg dead"),
        ("limb_damage:hind_right:shortened:0.5@5s", "hind right leg shortened 0.5"),
        ("motor_gain:all:0.5@2s-6s", "all motors × 0.5"),
        ("sensor_noise:gyro:0.1", "sensor noise gyro 0.1"),
    ],
)
def test_a_shift_is_told_in_plain_words(spec, title):
    assert ShiftEvent(spec, 0.0).title == title


def test_a_shift_holds_from_its_onset_until_its_end():
    shift = ShiftEvent("motor_gain:all:0.5", 2.0, 6.0)
    assert [shift.is_active(t) for t in (1.9, 2.0, 5.9, 6.0)] == [False, True, True, False]
    assert ShiftEvent("motor_gain:all:0.5", 2.0).is_active(1e6)
