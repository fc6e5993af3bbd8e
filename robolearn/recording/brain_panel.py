"""The brain beside the picture of a film: the whole figure, lit up to the present."""

import numpy as np
from numpy.typing import NDArray

from robolearn.recording.brain_figure import draw_brain
from robolearn.recording.trajectory import Trajectory

_CURSOR = (20, 24, 32)
_FADED = 0.35  # of the contrast of what is still to come


class BrainPanel:
    """Pictures of one brain's figure, of `size` (width, height) in pixels, at given steps."""

    def __init__(self, trajectory: Trajectory, size: tuple[int, int]) -> None:
        self._drawing = draw_brain(trajectory, size)
        self._steps = len(trajectory)
        bright = self._drawing.picture.astype(np.float32)
        self._faded = np.round(255 - _FADED * (255 - bright)).astype(np.uint8)

    def at(self, step: int) -> NDArray[np.uint8]:
        """A new picture (h, w, 3) at control step `step`."""
        drawing = self._drawing
        picture = drawing.picture.copy()
        now = round(drawing.left + (drawing.right - drawing.left) * step / self._steps)
        end = round(drawing.right)
        for top, bottom in drawing.rows:
            picture[top:bottom, now:end] = self._faded[top:bottom, now:end]
            picture[top:bottom, now : now + 2] = _CURSOR
        return picture
