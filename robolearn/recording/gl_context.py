"""Opens an off-screen OpenGL context of a given kind, whatever MUJOCO_GL said at import time.

MuJoCo fixes its kind of context when `mujoco` is first imported, which is too early to choose
one; so the contexts are opened here directly. OSMesa is called through ctypes, not through
PyOpenGL: then a library that lies inside a Python wheel serves as well as a system's.
"""

import contextlib
import ctypes
import importlib.util
from pathlib import Path
from typing import Protocol

# The directory of shared libraries that the software-GL wheel puts beside its package.
BUNDLED_DISTRIBUTION = "lavavu-osmesa"
_BUNDLED_DIRECTORY = "lavavu_osmesa.libs"
_BUNDLED_PACKAGE = "lavavu"

_SYSTEM_OSMESA = ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so")

_OSMESA_RGBA = 0x1908  # OSMESA_RGBA equals GL_RGBA
_GL_UNSIGNED_BYTE = 0x1401


class GLContext(Protocol):
    """What MuJoCo's own context classes offer, and `OSMesaContext` too."""

    def make_current(self) -> None: ...

    def free(self) -> None: ...


def open_context(kind: str, width: int, height: int) -> GLContext:
    """Open a context of `kind` (egl, osmesa, bundled, glfw, cgl) for pictures of width x height.

    Raises whatever the driver raises: callers that need a clear message ask
    `robolearn.recording.gl.require_gl` first, which tries kinds in a process of their own.
    """
    if kind == "egl":
        from mujoco.egl import GLContext as context
    elif kind == "cgl":
        from mujoco.cgl import GLContext as context
    elif kind == "glfw":
        from mujoco.glfw import GLContext as context
    elif kind == "osmesa":
        return OSMesaContext(_load_system_osmesa(), width, height)
    elif kind == "bundled":
        return OSMesaContext(_load_bundled_osmesa(), width, height)
    else:
        raise ValueError(f"unknown kind of OpenGL context {kind!r}")
    return context(width, height)


def bundled_directory() -> Path | None:
    """The directory of the wheel's OSMesa libraries, or None when it is not installed."""
    # find_spec only looks: importing the package itself would start its viewer.
    spec = importlib.util.find_spec(_BUNDLED_PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        directory = Path(location).parent / _BUNDLED_DIRECTORY
        if any(directory.glob("libOSMesa*")):
            return directory
    return None


class OSMesaContext:
    """A context that draws into memory with Mesa's software rasteriser; needs no display."""

    def __init__(self, library: ctypes.CDLL, width: int, height: int) -> None:
        library.OSMesaCreateContextExt.restype = ctypes.c_void_p
        library.OSMesaCreateContextExt.argtypes = [ctypes.c_int] * 4 + [ctypes.c_void_p]
        library.OSMesaMakeCurrent.restype = ctypes.c_ubyte
        library.OSMesaMakeCurrent.argtypes = [
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_int,
        ]
        library.OSMesaGetCurrentContext.restype = ctypes.c_void_p
        library.OSMesaDestroyContext.argtypes = [ctypes.c_void_p]
        library.OSMesaDestroyContext.restype = None
        self._library = library
        self._width, self._height = width, height
        self._buffer = ctypes.create_string_buffer(width * height * 4)
        self._handle = library.OSMesaCreateContextExt(_OSMESA_RGBA, 24, 8, 0, None)
        if not self._handle:
            raise RuntimeError("OSMesa could not create a context")

    def make_current(self) -> None:
        """Direct this thread's OpenGL calls to this context."""
        if not self._library.OSMesaMakeCurrent(
            self._handle, self._buffer, _GL_UNSIGNED_BYTE, self._width, self._height
        ):
            raise RuntimeError("OSMesa could not make its context current")

    def free(self) -> None:
        """Destroy the context; a second call does nothing."""
        if self._handle:
            if self._library.OSMesaGetCurrentContext() == self._handle:
                self._library.OSMesaMakeCurrent(None, None, _GL_UNSIGNED_BYTE, 0, 0)
            self._library.OSMesaDestroyContext(self._handle)
            self._handle = None


def _load_system_osmesa() -> ctypes.CDLL:
    for name in _SYSTEM_OSMESA:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    raise OSError(f"none of {', '.join(_SYSTEM_OSMESA)} can be loaded")


def _load_bundled_osmesa() -> ctypes.CDLL:
    """Load the wheel's libraries in an order in which each finds what it needs.

    Their names are unique to the wheel and in no search path, so a library loads only after
    those that it depends on are in the process; RTLD_GLOBAL lets MuJoCo find the functions.
    """
    directory = bundled_directory()
    if directory is None:
        raise OSError(f"{BUNDLED_DISTRIBUTION} is not installed")
    waiting = sorted(directory.glob("*.so*"))
    osmesa: ctypes.CDLL | None = None
    reason: OSError | None = None
    while waiting:
        still_waiting = []
        for path in waiting:
            try:
                library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
            except OSError as error:
                still_waiting.append(path)
                reason = error
                continue
            if path.name.startswith("libOSMesa"):
                osmesa = library
        if len(still_waiting) == len(waiting):
            break
        waiting = still_waiting
    if osmesa is None:
        raise OSError(f"{BUNDLED_DISTRIBUTION} cannot be loaded: {reason}")
    return osmesa
