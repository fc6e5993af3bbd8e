"""The choice of OpenGL: by trial, without a crash, with one message that names the remedies."""

import os
import subprocess
import sys

import pytest

from robolearn.errors import UserError
from robolearn.recording import gl, gl_context


@pytest.fixture(autouse=True)
def _fresh_choice(monkeypatch):
    for name in ("MUJOCO_GL", "ROBOLEARN_GL"):
        monkeypatch.setenv(name, "")  # noted, so that what a test leaves there is undone
        monkeypatch.delenv(name)
    gl.available_gl.cache_clear()
    yield
    gl.available_gl.cache_clear()


@pytest.fixture
def probed(monkeypatch):
    """Replaces the probe: `works` holds the kinds that work, `tried` what was asked for."""

    class Probed:
        works: tuple[str, ...] = ()
        tried: list[str]

    probed = Probed()
    probed.tried = []

    def probe(kind):
        probed.tried.append(kind)
        return kind in probed.works

    monkeypatch.setattr(gl, "probe", probe)
    monkeypatch.setattr(gl.sys, "platform", "linux")
    monkeypatch.setattr(gl, "bundled_directory", lambda: "somewhere")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return probed


def test_kinds_are_tried_in_order_and_only_until_one_works(probed):
    probed.works = ("bundled",)
    assert gl.available_gl() == "bundled"
    assert gl.available_gl() == "bundled"
    assert probed.tried == ["egl", "osmesa", "bundled"]


def test_the_wish_of_the_user_is_tried_first(probed, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "OSMesa ")
    probed.works = ("egl", "osmesa")
    assert gl.available_gl() == "osmesa"


def test_a_wish_that_was_taken_from_mujoco_is_still_heeded(probed, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "OSMesa")
    gl.take_wish()
    assert "MUJOCO_GL" not in os.environ
    probed.works = ("egl", "osmesa")
    assert gl.available_gl() == "osmesa"


@pytest.mark.parametrize("wish", ["off", "0", "", "glx", "enable", *gl.KINDS])
def test_every_word_of_mujoco_may_be_wished(monkeypatch, wish):
    monkeypatch.setenv("MUJOCO_GL", wish)
    gl.take_wish()


def test_an_unknown_wish_is_answered_with_the_kinds(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "osmessa")
    with pytest.raises(UserError, match=r"MUJOCO_GL 'osmessa'; did you mean 'osmesa'.*glfw, off"):
        gl.take_wish()


def test_a_wish_that_fails_is_not_the_end(probed, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    probed.works = ("egl",)
    assert gl.available_gl() == "egl"
    assert probed.tried == ["glfw", "egl"]


def test_a_window_system_is_tried_last_and_only_with_a_display(probed, monkeypatch):
    assert "glfw" not in gl.candidates()
    monkeypatch.setenv("DISPLAY", ":0")
    assert gl.candidates() == ["egl", "osmesa", "bundled", "glfw"]


def test_without_opengl_one_message_names_every_remedy(probed):
    with pytest.raises(UserError) as caught:
        gl.require_gl()
    message = str(caught.value)
    assert "\n" not in message
    for remedy in (
        "tried: egl, osmesa, bundled",
        "libegl1 libgl1-mesa-dri",
        "libosmesa6",
        "pip install --no-deps lavavu-osmesa==",
        "browser replay",
    ):
        assert remedy in message


def test_opengl_that_is_switched_off_is_not_tried(probed, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "off")
    with pytest.raises(UserError, match="switched off by MUJOCO_GL=off"):
        gl.require_gl()
    assert probed.tried == []


@pytest.mark.parametrize(
    "crash", ["raise SystemExit(3)", "import os; os.abort()", "raise AttributeError('glGetError')"]
)
def test_a_probe_survives_a_driver_that_crashes(monkeypatch, crash):
    run = subprocess.run
    monkeypatch.setattr(
        gl.subprocess, "run", lambda command, **how: run([sys.executable, "-c", crash], **how)
    )
    assert gl.probe("egl") is False


def test_a_probe_gives_up_on_a_driver_that_hangs(monkeypatch):
    monkeypatch.setattr(gl, "PROBE_TIMEOUT_S", 0.001)
    assert gl.probe("egl") is False


def test_a_probe_of_an_unknown_kind_fails():
    assert gl.probe("abacus") is False


def test_nothing_is_installed_where_opengl_works(probed):
    probed.works = ("egl",)
    assert gl.install_if_needed() == "films: OpenGL works (egl), nothing to install"


@pytest.fixture
def pip(probed, monkeypatch):
    """Replaces pip by a function that notes its command and answers with `code`."""

    class Pip:
        code = 0
        commands: list[list[str]]

    pip = Pip()
    pip.commands = []

    def run(command, **_how):
        pip.commands.append(command)
        return subprocess.CompletedProcess(command, pip.code, "", "first\nno network")

    monkeypatch.setattr(gl.subprocess, "run", run)
    return pip


def test_the_set_up_installs_the_wheel_alone_and_goes_on(pip, capsys):
    assert gl.main(["--install-if-needed"]) == 0
    assert pip.commands[0][-2:] == ["--no-deps", f"lavavu-osmesa=={gl.BUNDLED_VERSION}"]
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "draws no picture here" in said


def test_the_set_up_goes_on_when_pip_fails(pip, capsys):
    pip.code = 1
    assert gl.main(["--install-if-needed"]) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "did not help (no network)" in said


def test_the_set_up_says_that_it_helped(pip, probed, monkeypatch):
    run = gl.subprocess.run

    def install(command, **how):
        probed.works = ("bundled",)
        return run(command, **how)

    monkeypatch.setattr(gl.subprocess, "run", install)
    assert "software OpenGL works now" in gl.install_if_needed()


def test_the_bundled_libraries_are_found_beside_their_package(tmp_path, monkeypatch):
    monkeypatch.setattr(gl_context, "_BUNDLED_PACKAGE", "imaginary_viewer")
    assert gl_context.bundled_directory() is None
    package = tmp_path / "imaginary_viewer"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert gl_context.bundled_directory() is None
    libraries = tmp_path / "lavavu_osmesa.libs"
    libraries.mkdir()
    (libraries / "libOSMesa-1.so").write_bytes(b"not a library")
    assert gl_context.bundled_directory() == libraries
    with pytest.raises(OSError, match="cannot be loaded"):
        gl_context.open_context("bundled", 8, 8)


@pytest.mark.skipif(gl_context.bundled_directory() is None, reason="lavavu-osmesa is not installed")
def test_the_bundled_opengl_draws():
    assert gl.probe("bundled")
