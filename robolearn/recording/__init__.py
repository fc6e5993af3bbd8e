"""Recordings of lives: the trajectory file always, and a film or a browser replay of it."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from robolearn.errors import UserError
from robolearn.recording.trajectory import ShiftEvent, Trajectory

if TYPE_CHECKING:
    from robolearn.recording.camera import Camera
    from robolearn.recording.damage import Models

__all__ = ["ShiftEvent", "Trajectory", "check_name", "record"]

_LOG = logging.getLogger(__name__)


def record(
    path: str | os.PathLike[str],
    trajectory: Trajectory,
    models: "Models",
    camera: "Camera | None" = None,
    *,
    caption: str = "",
) -> list[Path]:
    """Write a recording in the best form that this machine can make; returns the files written.

    The trajectory (`.npz`) is always written first, then, if it has a brain, the figure of that
    (`.png`). A `path` that ends in `.html` gives a browser replay; one in `.mp4` or `.gif` or
    without an ending gives a film, one in `.png` the figure alone. Where no OpenGL works, a replay
    takes the film's place and one logged line says why.
    """
    # Loaded late: whoever only keeps trajectories needs neither video nor viewer.
    from robolearn.recording.film import write_film
    from robolearn.recording.gl import require_gl
    from robolearn.recording.replay import write_replay

    path = Path(path)
    check_name(path)
    if path.suffix == ".png" and trajectory.brain is None:
        raise UserError(f"recording {str(path)!r}: a figure needs a life recorded with its brain")
    stem = path.with_suffix("")
    written = [trajectory.save(stem.with_suffix(".npz"))]
    if trajectory.brain is not None:
        from robolearn.recording.brain_figure import write_brain_figure

        written.append(write_brain_figure(stem.with_suffix(".png"), trajectory))
        if path.suffix == ".png":
            return written
    film = path.suffix != ".html"
    if film:
        try:
            require_gl()
        except UserError as error:
            film = False
            _LOG.warning("writing a browser replay instead of a film: %s", error)
    if film:
        written.append(
            write_film(
                stem.with_suffix(path.suffix or ".mp4"), trajectory, models, camera, caption=caption
            )
        )
    else:
        written.append(
            write_replay(stem.with_suffix(".html"), trajectory, models, camera, caption=caption)
        )
    return written


def check_name(path: Path) -> None:
    """Check that `record` knows what to write to `path`.

    Raises:
        UserError: its name is empty, or its ending none of a recording.
    """
    if path.name in ("", ".."):
        raise UserError(f"recording {str(path)!r}: expected a file's name, this is a folder")
    if path.suffix not in ("", ".mp4", ".gif", ".html", ".png"):
        raise UserError(
            f"recording {str(path)!r}: the file's name must end in .mp4 or .gif (film), .html "
            "(browser replay), .png (figure of the brain) or nothing"
        )
