"""Chooses a working OpenGL by trying each kind in a process of its own.

A broken OpenGL may raise, abort or hang, and each driver complains in words of its own; a probe
that draws one small picture in a subprocess survives all of that. The choice is made once per
process. `python -m robolearn.recording.gl --install-if-needed` gives a Linux machine without
OpenGL a software one, without root.
"""

import argparse
import functools
import os
import subprocess
import sys
from pathlib import Path

from robolearn.errors import UserError, unknown_name
from robolearn.recording.gl_context import BUNDLED_DISTRIBUTION, bundled_directory, open_context

BUNDLED_VERSION = "1.9.10"
PROBE_TIMEOUT_S = 60
KINDS = ("egl", "osmesa", "bundled", "glfw", "cgl")

# The words by which MuJoCo itself lets MUJOCO_GL turn rendering off, or leave the choice open.
_SWITCHED_OFF = ("disable", "disabled", "off", "false", "0")
_LEFT_OPEN = ("", "enable", "enabled", "on", "true", "1", "glx", "wgl")

# Where `take_wish` puts it, for the processes that this one starts too.
_TAKEN = "ROBOLEARN_GL"

NO_GL = (
    "no working OpenGL for films (tried: {tried}). Any one of these helps: as root "
    "`apt-get install libegl1 libgl1-mesa-dri` or `apt-get install libosmesa6`; without root "
    f"`pip install --no-deps {BUNDLED_DISTRIBUTION}=={BUNDLED_VERSION}`; or write the browser "
    "replay (a path that ends in .html), which needs no OpenGL"
)
SWITCHED_OFF = (
    "OpenGL is switched off by MUJOCO_GL={value}: unset it to make films, or write the browser "
    "replay (a path that ends in .html), which needs no OpenGL"
)


def take_wish() -> None:
    """Take MUJOCO_GL out of the environment; the choice of OpenGL heeds it all the same.

    To be called before anything imports mujoco, which else fails where that kind does not work.

    Raises:
        UserError: it names no kind of OpenGL.
        KeyError: it is not set.
    """
    os.environ[_TAKEN] = os.environ.pop("MUJOCO_GL")
    wish = _wish()
    if wish not in (*KINDS, *_SWITCHED_OFF, *_LEFT_OPEN):
        raise unknown_name("MUJOCO_GL", wish, (*KINDS, "off"))


@functools.cache
def available_gl() -> str | None:
    """The first kind of OpenGL that draws a picture here, or None; tried once per process.

    The order is: the user's MUJOCO_GL, egl, osmesa, the software OpenGL of the
    `lavavu-osmesa` wheel ("bundled"), and a window system's where there is a display.
    """
    return next((kind for kind in candidates() if probe(kind)), None)


def require_gl() -> str:
    """The kind of OpenGL to use; raises UserError with the remedies when none works."""
    kind = available_gl()
    if kind is None:
        wish = _wish()
        if wish in _SWITCHED_OFF:
            raise UserError(SWITCHED_OFF.format(value=wish))
        raise UserError(NO_GL.format(tried=", ".join(candidates()) or "nothing"))
    return kind


def candidates() -> list[str]:
    """The kinds worth trying on this machine, best first; empty if MUJOCO_GL switches GL off."""
    wish = _wish()
    if wish in _SWITCHED_OFF:
        return []
    if sys.platform == "linux":
        kinds = ["egl", "osmesa"]
        if bundled_directory() is not None:
            kinds.append("bundled")
        if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
            kinds.append("glfw")
    else:
        kinds = ["cgl", "glfw"] if sys.platform == "darwin" else ["glfw"]
    # A glfw that the user asks for may find a display that the environment does not name.
    return list(dict.fromkeys([wish, *kinds])) if wish in KINDS else kinds


def probe(kind: str) -> bool:
    """Whether a separate process can draw a picture with this kind of OpenGL."""
    command = f"from robolearn.recording import gl; gl.draw_trial_picture({kind!r})"
    environment = dict(os.environ)
    # With MUJOCO_GL set, `import mujoco` already fails where that kind is broken.
    environment.pop("MUJOCO_GL", None)
    package_root = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [package_root, environment.get("PYTHONPATH")])
    )
    try:
        result = subprocess.run(
            [sys.executable, "-c", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def draw_trial_picture(kind: str) -> None:
    """Draw a sphere with this kind of OpenGL; raises if it does not appear.

    Run in a process of its own: a broken driver may end the process.
    """
    import mujoco  # only in the probe: a broken MUJOCO_GL makes it raise
    import numpy as np

    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><light pos='0 0 3'/><geom size='1'/></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    side = 32
    context = open_context(kind, side, side)
    context.make_current()
    scene = mujoco.MjvScene(model, maxgeom=10)
    drawing = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, drawing)
    mujoco.mjv_updateScene(
        model,
        data,
        mujoco.MjvOption(),
        None,
        mujoco.MjvCamera(),
        mujoco.mjtCatBit.mjCAT_ALL.value,
        scene,
    )
    picture = np.zeros((side, side, 3), np.uint8)
    rectangle = mujoco.MjrRect(0, 0, side, side)
    mujoco.mjr_render(rectangle, scene, drawing)
    mujoco.mjr_readPixels(picture, None, rectangle, drawing)
    if picture.max() == 0:
        raise RuntimeError(f"{kind} draws only black")


def install_if_needed() -> str:
    """Install the software OpenGL on a Linux machine that has none; says in one line what it did.

    Never raises: a machine without films can still train, and writes browser replays.
    """
    kind = available_gl()
    if kind is not None:
        return f"films: OpenGL works ({kind}), nothing to install"
    if sys.platform != "linux" or _wish() in _SWITCHED_OFF:
        return "films: no OpenGL; recordings become browser replays (.html)"
    requirement = f"{BUNDLED_DISTRIBUTION}=={BUNDLED_VERSION}"
    # The wheel's own dependencies serve its viewer, which is never imported here.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", requirement]
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:
        return _not_installed(requirement, str(error))
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines()
        return _not_installed(requirement, lines[-1] if lines else "pip gave no reason")
    available_gl.cache_clear()
    if available_gl() is None:
        return _not_installed(requirement, "installed, but it draws no picture here")
    return f"films: no OpenGL found, so {requirement} was installed: software OpenGL works now"


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module; always returns 0, so that a set-up goes on."""
    parser = argparse.ArgumentParser(prog="python -m robolearn.recording.gl", description=__doc__)
    parser.add_argument("--install-if-needed", action="store_true")
    if parser.parse_args(arguments).install_if_needed:
        print(install_if_needed())
    else:
        print(f"OpenGL: {available_gl() or 'none works'}")
    return 0


def _wish() -> str:
    return os.environ.get("MUJOCO_GL", os.environ.get(_TAKEN, "")).lower().strip()


def _not_installed(requirement: str, reason: str) -> str:
    return (
        f"films: no OpenGL, and {requirement} did not help ({reason}); recordings become browser "
        "replays (.html), see docs/headless.md"
    )


if __name__ == "__main__":
    sys.exit(main())
