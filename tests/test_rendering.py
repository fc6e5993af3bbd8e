"""Pictures show each individual in the body it has; where none can be had, one line says so."""

import contextlib
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import gymnasium
import mujoco.viewer
import numpy as np
import pytest
from numpy.typing import NDArray

from robolearn.envs import rendering
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.recording.gl import available_gl
from robolearn.shifts import make_shift

needs_gl = pytest.mark.skipif(available_gl() is None, reason="no OpenGL works here")


def quadrupeds(n: int, **kwargs: Any) -> RobotVectorEnv:
    env = RobotVectorEnv("quadruped", n, render_mode="rgb_array", **kwargs)
    env.reset(seed=0)
    env.simulation.qpos[:] = env.world.home_qpos  # all alike, so that only bodies differ
    return env


def pictures(env: RobotVectorEnv) -> tuple[NDArray[np.uint8], ...]:
    frames = env.render()
    assert frames is not None
    return frames


def changed_pixels(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    """Count the pixels that differ by more than the rounding of software OpenGL."""
    return int((np.abs(a.astype(int) - b).max(axis=2) > 20).sum())


@needs_gl
def test_every_row_is_drawn_in_its_own_body_and_healed_when_it_heals():
    env = quadrupeds(3)
    intact = pictures(env)
    assert all(frame.shape == (480, 640, 3) and frame.dtype == np.uint8 for frame in intact)
    assert intact[0].std() > 10
    assert changed_pixels(intact[0], intact[1]) == 0
    shift = make_shift("limb_damage", env.world, leg="front_right", mode="amputated")
    env.schedule.begin(shift, np.array([1]))
    hurt = pictures(env)
    assert changed_pixels(hurt[0], intact[0]) == 0
    assert changed_pixels(hurt[1], intact[1]) > 300
    assert changed_pixels(hurt[2], intact[2]) == 0
    env.schedule.end(shift, np.array([1]))
    assert changed_pixels(pictures(env)[1], intact[1]) == 0
    for mode in ("shortened", "dead"):
        shift = make_shift("limb_damage", env.world, leg="front_right", mode=mode)
        env.schedule.begin(shift, np.array([2]))
        seen = changed_pixels(pictures(env)[2], intact[2]) > 300
        assert seen == (mode == "shortened")  # a limp leg looks like any other
        env.schedule.end(shift, np.array([2]))
    assert not np.may_share_memory(hurt[0], intact[0])
    env.close()
    env.close()


@needs_gl
def test_the_single_env_draws_one_picture():
    env = gymnasium.make("robolearn/Ant-v0", render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    assert isinstance(frame, np.ndarray)
    assert frame.shape == (480, 640, 3)
    assert env.metadata["render_fps"] == 20
    env.close()


@needs_gl
@pytest.mark.parametrize("before", ["", "import weakref; weakref.finalize(weakref.ref, int); "])
def test_a_forgotten_close_leaves_no_complaint(before: str):
    """Not even where somebody else, such as torch, had something to finalize before."""
    command = (
        f"{before}import gymnasium, robolearn; e = gymnasium.make('robolearn/Ant-v0', "
        "render_mode='rgb_array'); e.reset(seed=0); e.render()"
    )
    result = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_without_gl_one_line_names_the_remedies(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    available_gl.cache_clear()
    try:
        with pytest.raises(UserError, match="MUJOCO_GL=disable") as error:
            quadrupeds(1).render()
    finally:
        available_gl.cache_clear()
    assert "\n" not in str(error.value)


def test_the_window_moves_the_scenery_too(monkeypatch: pytest.MonkeyPatch):
    def launch(model: Any, data: Any, **_: Any) -> SimpleNamespace:
        seen.append(data)
        return SimpleNamespace(
            is_running=lambda: True, lock=contextlib.nullcontext, sync=lambda: None,
            close=lambda: None,
        )  # fmt: skip

    seen: list[Any] = []
    monkeypatch.setattr(rendering, "_require_display", lambda: None)
    monkeypatch.setattr(mujoco.viewer, "launch_passive", launch)
    env = RobotVectorEnv("avoid", 2, render_mode="human")
    env.reset(seed=0)
    renderer = rendering.Renderer("human", env.world)
    pillars = env.simulation.read("mocap_pos")
    assert not np.array_equal(pillars[0], pillars[1])
    for row in (0, 1):
        renderer.show(env.simulation, row)
        np.testing.assert_array_equal(seen[0].mocap_pos, pillars[row])
    renderer.close()


def test_without_a_display_human_rendering_says_so_and_is_not_offered(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    env = RobotVectorEnv("quadruped", 1, render_mode="human")
    assert env.metadata["render_modes"] == ["rgb_array"]
    env.reset(seed=0)
    with pytest.raises(UserError, match='"human" cannot open a window here') as error:
        env.render()
    assert "\n" not in str(error.value)
    monkeypatch.setenv("DISPLAY", ":0")
    assert RobotVectorEnv("quadruped", 1).metadata["render_modes"] == ["rgb_array", "human"]
