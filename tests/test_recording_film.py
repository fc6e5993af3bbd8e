"""Films, pictures and replays of a small body of two limbs, of which one is damaged."""

import dataclasses
import re
from types import SimpleNamespace
from typing import Any, cast

import imageio_ffmpeg
import mujoco
import numpy as np
import pytest
from PIL import Image

from robolearn.errors import UserError
from robolearn.recording import ShiftEvent, Trajectory, gl, record
from robolearn.recording.brain import Brain, Series
from robolearn.recording.camera import TrackingCamera
from robolearn.recording.captions import fitting_size, font, smoothed_speed, speed_text
from robolearn.recording.damage import DAMAGE_RGB, geom_colours, painted, painted_steps
from robolearn.recording.film import frame_rate, preview, write_film
from robolearn.recording.frame_renderer import FrameRenderer
from robolearn.recording.geom_nodes import GeomNodes
from robolearn.recording.meshes import geom_mesh
from robolearn.recording.replay import write_replay

SCENE = """
<mujoco>
  <visual><global offwidth="64" offheight="64"/></visual>
  <asset>
    <texture name="tiles" type="2d" builtin="checker" rgb1="0 .3 0" rgb2="0 .5 0"
             width="8" height="8"/>
    <material name="tiles" texture="tiles"/>
    <material name="grey" rgba=".4 .4 .4 1"/>
  </asset>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="side" pos="0 -1.6 .3" xyaxes="1 0 0 0 0 1"/>
    <geom type="plane" size="3 3 1" material="tiles"/>
    <body name="trunk" pos="0 0 .4">
      <freejoint/>
      <geom type="box" size=".2 .1 .05" rgba="0 0 .8 1"/>
      <body name="leg" pos=".15 0 0">
        <joint axis="0 1 0"/>
        <geom type="capsule" fromto="0 0 0 0 0 -.3" size=".05" material="grey"/>
        <body name="foot" pos="0 0 -.3"><geom type="sphere" size=".06" rgba=".4 .4 .4 1"/></body>
      </body>
      <body name="tail" pos="-.2 0 0"><joint/><geom type="ellipsoid" size=".08 .04 .04"/></body>
    </body>
  </worldbody>
</mujoco>
"""
DAMAGE = ShiftEvent("limb_damage:front:dead@0.2s", 0.2, None, ("front",), ("leg", "foot"))
CAMERA = TrackingCamera(distance=1.2, azimuth=90, elevation=-10)


@pytest.fixture(scope="module")
def model():
    return mujoco.MjModel.from_xml_string(SCENE)


@pytest.fixture(scope="module")
def trajectory(model):
    """Half a second in steps of 0.02 s; the leg is damaged at 0.2 s."""
    steps = 25
    qpos = np.tile(model.qpos0, (steps, 1))
    qpos[:, 0] = 0.01 * np.arange(steps)
    return Trajectory(
        world="robolearn/Toy-v0",
        control_step_s=0.02,
        qpos=qpos,
        speed=np.full(steps, 0.5),
        reward=np.zeros(steps),
        shifts=(DAMAGE,),
        agent="<reflex>",
    )


@pytest.fixture
def opengl():
    try:
        return gl.require_gl()
    except UserError as error:
        pytest.skip(str(error))


def read_film(path):
    frames = imageio_ffmpeg.read_frames(str(path))
    about = next(frames)
    width, height = about["size"]
    return about, np.stack([np.frombuffer(f, np.uint8).reshape(height, width, 3) for f in frames])


def count_red(picture) -> int:
    """The number of strongly red pixels in the middle of a picture (h, w, 3)."""
    height, width = picture.shape[:2]
    middle = picture[height // 4 : -height // 4, width // 6 : -width // 6].astype(int)
    return int(((middle[..., 0] > 90) & (middle[..., 0] > 2.5 * middle[..., 1:].max(-1))).sum())


# ---- colours, segments and rates: no OpenGL needed


def test_a_long_title_is_written_smaller_so_that_it_leaves_room_for_the_measure():
    assert fitting_size("short", 21, 500) == 21
    title = "delayed-match-node-perturbation-recurrent, seed 0"
    size = fitting_size(title, 21, 400)
    assert font(size).getlength(title) <= 400 < font(size + 1).getlength(title)


def test_damage_paints_the_named_bodies_and_nothing_else(model):
    red = painted(model, ["leg", "foot", "cut away"])
    named = np.isin(model.geom_bodyid, [model.body("leg").id, model.body("foot").id])
    np.testing.assert_allclose(geom_colours(red)[named, :3], np.tile(DAMAGE_RGB, (2, 1)), rtol=1e-6)
    np.testing.assert_array_equal(geom_colours(red)[~named], geom_colours(model)[~named])
    assert geom_colours(model)[named, 0].max() < 0.5  # the given model is left alone


def test_an_invisible_limb_stays_invisible_when_painted(model):
    amputated = mujoco.MjModel.from_xml_string(
        SCENE.replace('"grey" rgba=".4 .4 .4 1"', '"grey" rgba="1 1 1 0"')
    )
    geom = int(model.body("leg").geomadr[0])
    assert geom_colours(painted(amputated, ["leg"]))[geom, 3] == 0


def test_each_step_shows_the_body_of_its_segment(model, trajectory):
    other = mujoco.MjModel.from_xml_string(SCENE)
    looks = dict(painted_steps(trajectory, [(0, model), (15, other)], range(0, 25, 5)))
    assert list(looks) == [0, 5, 10, 15, 20]
    assert looks[0] is looks[5] is model
    assert looks[10] is not model  # damaged from step 10 on
    assert looks[15] is looks[20]
    assert looks[15] is not looks[10]


@pytest.mark.parametrize(
    ("control_step_s", "stride", "rate"),
    [(0.02, 2, 25), (0.05, 1, 20), (1 / 30, 1, 30), (0.005, 7, 200 / 7)],
)
def test_frames_are_recorded_states_at_most_30_a_second(control_step_s, stride, rate):
    assert frame_rate(control_step_s, 30) == (stride, pytest.approx(rate))


@pytest.mark.parametrize("starts", [[], [1], [0, 9, 4]])
def test_segments_must_begin_at_the_start_and_ascend(model, trajectory, starts, tmp_path):
    with pytest.raises(ValueError, match="models must begin at step 0"):
        write_film(tmp_path / "film.mp4", trajectory, [(start, model) for start in starts])


def test_a_model_of_another_body_is_refused(trajectory, tmp_path):
    other = mujoco.MjModel.from_xml_string("<mujoco/>")
    with pytest.raises(ValueError, match="nq=0, the trajectory has 9"):
        write_replay(tmp_path / "replay.html", trajectory, [(0, other)])


def test_geom_meshes_are_closed_and_face_outwards(model):
    """The volume under the faces is positive, and just below that of the geom itself."""
    volumes = {
        "box": 8 * 0.2 * 0.1 * 0.05,
        "capsule": None,
        "ellipsoid": 4 / 3 * np.pi * 0.08 * 0.04**2,
    }
    volumes["capsule"] = np.pi * 0.05**2 * 0.3 + 4 / 3 * np.pi * 0.05**3
    for kind, expected in volumes.items():
        number = getattr(mujoco.mjtGeom, f"mjGEOM_{kind.upper()}")
        mesh = geom_mesh(model, int(np.flatnonzero(model.geom_type == number)[0]))
        assert mesh is not None
        a, b, c = np.moveaxis(mesh.vertices.astype(np.float64)[mesh.faces], 1, 0)  # (f, 3) each
        volume = np.einsum("fi,fi->", a, np.cross(b, c)) / 6
        assert 0.93 * expected < volume <= 1.0001 * expected
    assert geom_mesh(model, 0) is None  # the floor


def test_the_speed_shown_is_the_mean_of_the_last_half_second():
    speed = np.zeros(50)
    speed[10:] = 1.0
    life = Trajectory("toy", 0.02, np.zeros((50, 1)), speed, speed)
    shown = smoothed_speed(life)
    assert shown[9] == 0
    assert shown[10] == pytest.approx(1 / 11)  # the mean of what there is so far
    assert shown[35] == pytest.approx(1.0)
    assert speed_text(-0.001) == "0.00 m/s"


# ---- films and pictures


def test_a_film_has_every_frame_and_its_size(opengl, model, trajectory, tmp_path):
    path = write_film(tmp_path / "film.mp4", trajectory, [(0, model)], CAMERA, size=(160, 120))
    about, frames = read_film(path)
    assert frames.shape == (13, 120, 160, 3)
    assert about["fps"] == 25
    assert about["codec"] == "h264"
    assert about["pix_fmt"].startswith("yuv420p")
    assert [file.name for file in path.parent.iterdir()] == ["film.mp4"]


def test_the_brain_stands_beside_the_picture(opengl, model, trajectory, tmp_path):
    series = Series("rates", "1", "level", np.arange(26.0).reshape(13, 2))
    life = dataclasses.replace(trajectory, brain=Brain(2, (series,)))
    path = write_film(tmp_path / "film.mp4", life, [(0, model)], CAMERA, size=(160, 240))
    _, frames = read_film(path)
    assert frames.shape == (13, 240, 640, 3)
    panel = frames[:, :, 160:].astype(int)
    assert np.median(panel) > 200  # a light figure
    assert np.abs(panel[-1] - panel[0]).max() > 60  # over which the present moves


def test_the_damaged_limb_turns_red_at_its_onset(opengl, model, trajectory, tmp_path):
    path = write_film(tmp_path / "film.mp4", trajectory, [(0, model)], CAMERA, size=(320, 240))
    _, frames = read_film(path)
    assert max(count_red(frame) for frame in frames[:5]) == 0
    assert min(count_red(frame) for frame in frames[6:]) > 200


def test_the_writing_changes_with_time(opengl, model, trajectory, tmp_path):
    still = Trajectory(**{**vars(trajectory), "qpos": np.tile(model.qpos0, (25, 1)), "shifts": ()})
    path = write_film(tmp_path / "film.mp4", still, [(0, model)], CAMERA, size=(320, 240))
    _, frames = read_film(path)
    strip = frames[:, -30:].astype(int)
    assert np.abs(strip[-1] - strip[0]).max() > 60


def test_a_renderer_draws_the_pose_that_it_is_given(opengl, model):
    with FrameRenderer(model, (160, 120), "side") as renderer:
        first = renderer.render(model.qpos0)
        moved = model.qpos0.copy()
        moved[0] += 0.3
        second = renderer.render(moved)
        np.testing.assert_array_equal(renderer.render(model.qpos0), first)
    assert first.shape == (120, 160, 3)
    assert first.dtype == np.uint8
    assert not np.shares_memory(first, second)
    blue = [
        np.argwhere((p[..., 2] > 60) & (p[..., 1] < 40)).mean(axis=0)[1] for p in (first, second)
    ]
    assert blue[1] > blue[0] + 10  # the trunk moved to the right, and the picture is not mirrored
    rows = np.argwhere(first[..., 1] > first[..., 2] + 20)[:, 0]
    assert rows.mean() > 60  # the green floor is below


def test_moved_scenery_is_drawn_where_it_was(opengl):
    scene = SCENE.replace(
        "</worldbody>",
        '<body mocap="true" pos="0 0 9"><geom size=".2" rgba="1 0 0 1"/></body></worldbody>',
    )
    model = mujoco.MjModel.from_xml_string(scene)
    with FrameRenderer(model, (160, 120), "side") as renderer:
        far, near = (
            renderer.render(model.qpos0, mocap_pos=[[0, 0, height]]) for height in (9, 0.3)
        )
    assert count_red(far) == 0
    assert count_red(near) > 100


def test_two_renderers_draw_side_by_side(opengl, model):
    with (
        FrameRenderer(model, (64, 48), "side") as one,
        FrameRenderer(model, (96, 64), "side") as two,
    ):
        first = one.render(model.qpos0)
        assert two.render(model.qpos0).shape == (64, 96, 3)
        np.testing.assert_array_equal(one.render(model.qpos0), first)


def test_a_closed_renderer_says_so(opengl, model):
    renderer = FrameRenderer(model, (64, 48))
    renderer.close()
    renderer.close()
    with pytest.raises(RuntimeError, match="closed"):
        renderer.render(model.qpos0)


def test_a_preview_is_a_picture(opengl, model, tmp_path):
    path = preview(tmp_path / "pictures" / "toy.png", model, model.qpos0, "side", (96, 64))
    with Image.open(path) as picture:
        assert picture.size == (96, 64)
        assert len(picture.convert("RGB").getcolors(96 * 64) or []) > 20


def test_an_unknown_camera_is_named(opengl, model, tmp_path):
    with pytest.raises(UserError, match=r"unknown camera 'sid'; did you mean 'side'\?"):
        preview(tmp_path / "toy.png", model, model.qpos0, "sid")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "film.avi"}, "must end in .mp4"),
        ({"path": "film.mp4", "size": (641, 480)}, "even"),
        ({"path": "film.mp4", "fps": 0.0}, "above 0"),
    ],
)
def test_a_film_that_cannot_be_is_refused(model, trajectory, options, message):
    with pytest.raises(UserError, match=message):
        write_film(trajectory=trajectory, models=[(0, model)], **options)


@pytest.mark.parametrize("folder", ["gone", "file"])
def test_a_place_that_cannot_be_written_is_told_in_one_line(
    opengl, model, trajectory, tmp_path, folder
):
    (tmp_path / "file").write_text("in the way")
    for write, name in ((write_film, "film.mp4"), (write_replay, "replay.html")):
        with pytest.raises(UserError, match="cannot be written") as error:
            write(tmp_path / folder / name, trajectory, [(0, model)])
        assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# ---- browser replays


def test_a_replay_fetches_nothing(model, trajectory, tmp_path, capfd):
    path = write_replay(tmp_path / "replay.html", trajectory, [(0, model)])
    page = path.read_text(encoding="utf-8")
    assert "__VISER_EMBED_DATA__" in page
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"?'?https?:", page)
    assert "&lt;reflex&gt;" in page
    assert "<reflex>" not in page
    assert "front leg dead at 0.2 s" in page
    assert path.stat().st_size < 1_500_000
    assert capfd.readouterr() == ("", "")


def test_a_replay_makes_each_look_once_and_switches_between_them(model, trajectory):
    """The leg and the foot exist twice, whole and red; all other geoms and the floor once."""

    class Scene:
        def __init__(self):
            self.nodes = {}

        def add_mesh_simple(self, name, vertices=None, faces=None, *, color, visible, **_):
            self.nodes[name] = SimpleNamespace(visible=visible, red=int(color[0]) > 200)
            return self.nodes[name]

        def add_grid(self, name, *, plane_color, **options):
            return self.add_mesh_simple(name, color=plane_color, visible=options["visible"])

    scene = Scene()
    looks = [look for _, look in painted_steps(trajectory, [(0, model)], range(25))]
    geoms = GeomNodes(cast(Any, scene), looks, floor_margin_m=10)
    assert len(scene.nodes) == 7
    for look, red in ((looks[0], 0), (looks[-1], 2), (looks[0], 0)):
        geoms.show(look)
        shown = [node for node in scene.nodes.values() if node.visible]
        assert len(shown) == 5
        assert sum(node.red for node in shown) == red


# ---- record


def test_a_recording_is_a_trajectory_and_a_film(opengl, model, trajectory, tmp_path):
    files = record(tmp_path / "life", trajectory, [(0, model)], CAMERA)
    assert [file.name for file in files] == ["life.npz", "life.mp4"]
    assert all(file.stat().st_size > 1000 for file in files)


def test_without_opengl_a_recording_is_a_trajectory_and_a_replay(
    model, trajectory, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(gl, "available_gl", lambda: None)
    files = record(tmp_path / "life.mp4", trajectory, [(0, model)])
    assert [file.name for file in files] == ["life.npz", "life.html"]
    assert len(caplog.messages) == 1
    assert "browser replay instead of a film" in caplog.messages[0]
    assert "libosmesa6" in caplog.messages[0]


def test_an_unknown_ending_is_named(model, trajectory, tmp_path):
    with pytest.raises(UserError, match=r"must end in \.mp4"):
        record(tmp_path / "life.avi", trajectory, [(0, model)])
