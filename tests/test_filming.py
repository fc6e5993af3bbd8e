"""One life on camera: what the film will show is what happened in the body, and when."""

from pathlib import Path

import numpy as np
import pytest
from tiny_run import tiny_config

from robolearn import filming, training
from robolearn.errors import UserError
from robolearn.filming import film_life, live_on_camera
from robolearn.zoo import TrainedAgent, load_trained


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedAgent:
    run = tmp_path_factory.mktemp("runs") / "trained"
    training.train(tiny_config(learning={"generations": 1}), run, ["robolearn"])
    return load_trained(run)


def test_the_trajectory_tells_when_which_leg_was_hurt(trained: TrainedAgent):
    shifts = ["limb_damage:rear_left:amputated@0.1s", "motor_gain:all:0.9@0.06s-0.16s"]
    trajectory, models = live_on_camera(trained, shifts, seed=1, life_s=0.2)
    assert trajectory.qpos.shape[0] == len(trajectory.speed) == len(trajectory.reward) == 10
    assert trajectory.control_step_s == 0.02
    gain, damage = trajectory.shifts
    assert (gain.onset_s, gain.end_s, gain.legs) == (pytest.approx(0.06), pytest.approx(0.16), ())
    assert (damage.onset_s, damage.end_s, damage.legs) == (pytest.approx(0.1), None, ("rear_left",))
    assert all("rear_left" in body for body in damage.bodies)
    assert [step for step, _ in models] == [0, 3, 5, 8]
    shank = models[0][1].body("rear_left_shank").id
    assert models[2][1].body_mass[shank] < 0.01 * models[0][1].body_mass[shank]


def test_a_film_can_begin_late_in_the_life(trained: TrainedAgent):
    """What is filmed late is the end of the same life; damage from before keeps its date."""
    shifts = ["limb_damage:rear_left:dead@0.1s", "motor_gain:all:0.9@0.24s"]
    whole, _ = live_on_camera(trained, shifts, seed=1, life_s=0.4)
    late, models = live_on_camera(trained, shifts, seed=1, life_s=0.2, after_s=0.2)
    np.testing.assert_array_equal(late.qpos, whole.qpos[10:])
    assert (late.start_s, late.time_s(2)) == (pytest.approx(0.2), pytest.approx(0.24))
    assert [event.onset_s for event in late.shifts] == [pytest.approx(0.1), pytest.approx(0.24)]
    assert [step for step, _ in models] == [0, 2]


def test_a_life_that_is_over_cannot_be_filmed(trained: TrainedAgent):
    with pytest.raises(UserError, match=r"nothing is left to film after 0\.4 s"):
        live_on_camera(trained, [], seed=0, life_s=0.004, after_s=0.4)
    with pytest.raises(UserError, match="must be at least 0 s, got -1"):
        live_on_camera(trained, [], seed=0, life_s=0.2, after_s=-1.0)


def test_the_brain_is_noted_for_every_frame_and_changes_nothing(trained: TrainedAgent):
    plain, _ = live_on_camera(trained, [], seed=0, life_s=0.4)
    shown, _ = live_on_camera(trained, [], seed=0, life_s=0.4, brain=True)
    assert plain.brain is None
    assert shown.brain is not None
    np.testing.assert_array_equal(plain.qpos, shown.qpos)
    assert shown.brain.stride == 2  # 25 frames a second of 50 control steps
    names = ["firing rates", "hidden weights", "readout weights", "actions"]
    assert [series.name for series in shown.brain.series] == names
    weights = shown.brain["hidden weights"].values
    assert weights.shape == (10, 4 * 39)
    assert len(np.unique(weights, axis=0)) == 10  # copies, not views of one state


def test_a_figure_of_the_brain_needs_to_be_asked_for(trained: TrainedAgent, tmp_path: Path):
    with pytest.raises(UserError, match="add --brain"):
        film_life(trained, tmp_path / "life.png", [])
    files = film_life(trained, tmp_path / "life.png", [], life_s=0.2, brain=True)
    assert [file.name for file in files] == ["life.npz", "life.png"]


def test_the_same_seed_gives_the_same_life_and_another_another(trained: TrainedAgent):
    first, again, other = (
        live_on_camera(trained, [], seed, life_s=0.1)[0].qpos for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_a_wish_a_film_shows_the_shifts_of_training(trained: TrainedAgent):
    trajectory, _ = live_on_camera(trained, None, seed=0, life_s=0.4)
    assert [event.spec.split("@")[0] for event in trajectory.shifts] in (
        ["limb_damage:front_left:dead"],
        ["limb_damage:rear_right:dead"],
    )
    assert live_on_camera(trained, [], seed=0, life_s=0.1)[0].shifts == ()


@pytest.mark.parametrize("life_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_life_needs_a_length(life_s: float, trained: TrainedAgent):
    with pytest.raises(UserError, match="length of the life must be above 0 s"):
        live_on_camera(trained, [], 0, life_s)


def test_a_shift_that_does_not_fit_leaves_no_file(trained: TrainedAgent, tmp_path: Path):
    with pytest.raises(UserError, match="did you mean 'front_left'"):
        film_life(trained, tmp_path / "film", ["limb_damage:front_lft"], life_s=0.1)
    with pytest.raises(UserError, match="past the end of life"):
        film_life(trained, tmp_path / "film", ["limb_damage:front_left@1s"], life_s=0.1)
    assert not list(tmp_path.iterdir())


def test_the_files_are_those_that_the_recorder_wrote(
    trained: TrainedAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen = {}

    def record(out: Path, trajectory: object, models: object, camera: object, **options: object):
        seen.update(options, camera=camera)
        return [out.with_suffix(".npz")]

    monkeypatch.setattr(filming, "record", record)
    files = film_life(trained.folder, tmp_path / "film", [], life_s=0.1)
    assert files == [tmp_path / "film.npz"]
    assert seen == {"caption": "tiny, seed 0", "camera": None}
