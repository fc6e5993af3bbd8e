"""Films side by side: one moment of all lives, slowly where the damage comes, in small files."""

import dataclasses
from pathlib import Path

import imageio_ffmpeg
import mujoco
import numpy as np
import pytest
from PIL import Image, ImageDraw
from tiny_run import tiny_config

from robolearn import training
from robolearn.errors import UserError
from robolearn.filming import film_comparison
from robolearn.recording import ShiftEvent, Trajectory, gl
from robolearn.recording.captions import font
from robolearn.recording.comparison import (
    SLOW,
    Take,
    frame_steps,
    slow_steps,
    write_comparison,
)
from robolearn.zoo import TrainedAgent, load_trained

SCENE = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <geom type="plane" size="3 3 1" rgba="0 .4 0 1"/>
    <body name="ball" pos="0 0 .4"><freejoint/><geom size=".2" rgba="0 0 .8 1"/></body>
  </worldbody>
</mujoco>
"""
EARLY = ShiftEvent("limb_damage:ball:dead@0.2s", 0.2, None, ("ball",), ("ball",))
DAMAGE = ShiftEvent("limb_damage:ball:dead@0.8s", 0.8, None, ("ball",), ("ball",))


def life(steps: int, **changes: object) -> Trajectory:
    qpos = np.tile([0, 0, 0.4, 1, 0, 0, 0], (steps, 1)).astype(float)
    qpos[:, 0] = 0.01 * np.arange(steps)
    content = Trajectory(
        "toy", 0.02, qpos, np.linspace(0, 1, steps), np.zeros(steps),
        shifts=(DAMAGE,),
    )  # fmt: skip
    return dataclasses.replace(content, **changes)


@pytest.fixture
def opengl() -> None:
    try:
        gl.require_gl()
    except UserError as error:
        pytest.skip(str(error))


def test_time_runs_evenly_but_slowly_around_the_onset():
    steps = list(frame_steps(200, 2, range(80, 120)))
    assert steps == sorted(steps)
    assert [step for step in steps if step < 80] == list(range(0, 80, 2))
    inside = [step for step in steps if 80 <= step < 120]
    assert len(inside) == 20 * SLOW
    assert set(inside) == set(range(80, 120))  # no recorded state is left out
    assert steps[-1] == 198


def test_slow_is_what_surrounds_the_first_onset_within_what_is_filmed():
    assert slow_steps(life(100)) == range(28, 78)  # 0.55 to 1.55 s
    assert slow_steps(life(100, start_s=0.7)) == range(43)
    assert slow_steps(life(100, start_s=2.0)) == range(0)  # hurt long ago
    assert slow_steps(life(100, shifts=())) == range(0)


@pytest.mark.parametrize(("count", "size"), [(3, (1440, 480)), (4, (960, 840))])
def test_all_lives_are_in_one_film(opengl, count: int, size: tuple[int, int], tmp_path: Path):
    body = mujoco.MjModel.from_xml_string(SCENE)
    takes = [
        Take(f"agent {i}", life(20 - 10 * (i == 1), shifts=(EARLY,)), [(0, body)])
        for i in range(count)
    ]
    path = write_comparison(tmp_path / "film.mp4", takes)
    frames = imageio_ffmpeg.read_frames(str(path))
    about = next(frames)
    assert about["size"] == size
    pictures = [
        np.frombuffer(frame, np.uint8).reshape(size[1], size[0], 3).astype(int) for frame in frames
    ]
    assert len(pictures) == 20 * SLOW / 2

    def is_red(picture: np.ndarray) -> np.ndarray:
        return (picture[..., 0] > 90) & (picture[..., 0] > 2.5 * picture[..., 1:].max(-1))

    for i in range(count):
        columns = count if count < 4 else 2
        top, left = i // columns * 360, i % columns * 480
        tile = slice(top + 90, top + 270), slice(left + 120, left + 360)
        assert is_red(pictures[0][tile]).sum() == 0
        assert is_red(pictures[-1][tile]).sum() > 200 or i == 1  # its life ended as it was hurt


def test_a_small_gif_plays_for_ever(opengl, tmp_path: Path):
    body = mujoco.MjModel.from_xml_string(SCENE)
    path = write_comparison(
        tmp_path / "film.gif", [Take(name, life(50), [(0, body)]) for name in "ab"]
    )
    with Image.open(path) as picture:
        assert picture.size == (480, 256)
        assert picture.info["loop"] == 0
        assert picture.info["duration"] == 100  # ms
    assert [file.name for file in tmp_path.iterdir()] == ["film.gif"]


def test_slow_motion_waits_for_the_longest_life_if_the_first_one_falls_early(opengl, tmp_path):
    body = mujoco.MjModel.from_xml_string(SCENE)
    lives = [life(5, shifts=()), life(20, shifts=(EARLY,))]  # the first never met the damage
    path = write_comparison(tmp_path / "film.gif", [Take("", one, [(0, body)]) for one in lives])
    with Image.open(path) as picture:
        assert picture.n_frames == 20 / 5 * SLOW


def test_lives_of_different_steps_cannot_run_side_by_side(tmp_path: Path):
    body = mujoco.MjModel.from_xml_string(SCENE)
    takes = [Take("a", life(9, control_step_s=step_s), [(0, body)]) for step_s in (0.02, 0.05)]
    with pytest.raises(ValueError, match="of one control step"):
        write_comparison(tmp_path / "film.mp4", takes)


@pytest.mark.parametrize("letter", "×Δ√·−")
def test_the_typeface_has_the_signs_that_names_need(letter: str):
    drawn, missing = (Image.new("L", (40, 40)) for _ in range(2))
    ImageDraw.Draw(drawn).text((5, 5), letter, font=font(20), fill=255)
    ImageDraw.Draw(missing).text((5, 5), "\U0010ffff", font=font(20), fill=255)
    assert drawn.tobytes() != missing.tobytes()


# ---- from agents


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedAgent:
    run = tmp_path_factory.mktemp("runs") / "trained"
    training.train(tiny_config(learning={"generations": 1}), run, ["robolearn"])
    return load_trained(run)


def test_agents_are_compared_in_equal_bodies(
    trained: TrainedAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[Take] = []

    def write(path: Path, takes: list[Take], camera: object) -> Path:
        seen.extend(takes)
        return path

    monkeypatch.setattr(gl, "require_gl", lambda: "any")
    monkeypatch.setattr("robolearn.recording.comparison.write_comparison", write)
    other = dataclasses.replace(trained, genome=trained.genome + 0.3)
    shifts = ["limb_damage:front_left:dead@0.1s"]
    agents = [trained, other, "policy/quadruped-ppo"]
    files = film_comparison(agents, tmp_path / "film", shifts, life_s=0.2)
    assert [file.name for file in files] == [
        "film-1.npz", "film-2.npz", "film-3.npz", "film.mp4",
    ]  # fmt: skip
    names = ["tiny, seed 0 (1)", "tiny, seed 0 (2)", "policy/quadruped-ppo"]
    assert [take.name for take in seen] == names
    first, second, third = (take.trajectory for take in seen)
    assert first.shifts == second.shifts == third.shifts
    np.testing.assert_allclose(first.qpos[0], second.qpos[0], atol=0.05)  # one reset
    assert not np.array_equal(first.qpos, second.qpos)


def test_agents_of_one_body_may_have_other_senses(
    trained: TrainedAgent,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """A recipe with a compass stands beside one without, and the viewer is told of it."""
    monkeypatch.setattr(gl, "require_gl", lambda: "any")
    monkeypatch.setattr("robolearn.recording.comparison.write_comparison", lambda *_: tmp_path)
    film_comparison(["spiking/quadruped-quickstart", trained], tmp_path / "film", [], life_s=0.2)
    assert capsys.readouterr().err == (
        "note: spiking/quadruped-quickstart and tiny, seed 0 differ in action_scale, clock_hz, "
        "sense_heading\n"
    )
    film_comparison([trained, trained], tmp_path / "film", [], life_s=0.2)
    assert not capsys.readouterr().err


def test_what_cannot_be_compared_is_told(
    trained: TrainedAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(UserError, match="of 2 to 4 agents, got 1"):
        film_comparison([trained], tmp_path / "film")
    with pytest.raises(UserError, match=r"must end in \.mp4 or \.gif"):
        film_comparison([trained, trained], tmp_path / "film.html")
    env = trained.config.env.model_copy(update={"id": "robolearn/Hexapod-v0"})
    other = dataclasses.replace(trained, config=trained.config.model_copy(update={"env": env}))
    with pytest.raises(UserError, match=r"lives in robolearn/Hexapod-v0, .*only be agents of one"):
        film_comparison([trained, other], tmp_path / "film")
    monkeypatch.setattr(gl, "available_gl", lambda: None)
    with pytest.raises(UserError, match="no working OpenGL"):
        film_comparison([trained, trained], tmp_path / "film")
    assert not list(tmp_path.iterdir())
