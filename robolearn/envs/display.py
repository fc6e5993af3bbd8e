"""Which ways of rendering this machine can offer."""

import os
import sys


def has_display() -> bool:
    """Return whether the environment names a window system; only Linux can lack one."""
    named = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.platform != "linux" or bool(named)


def offered_render_modes() -> list[str]:
    """Return the render modes for an env's metadata: "human" only where there is a display."""
    return ["rgb_array", "human"] if has_display() else ["rgb_array"]
