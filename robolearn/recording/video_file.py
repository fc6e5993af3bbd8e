"""Video files, written frame by frame: H.264 in .mp4, or .gif for pages that play nothing else."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.recording.whole_file import whole_file

FORMATS = (".mp4", ".gif")

# Constant quality: about 0.5 MB for ten seconds of 640x480, and no visible blocks.
QUALITY_CRF = 27

_H264: dict[str, Any] = {
    "codec": "libx264",
    "pix_fmt_out": "yuv420p",
    # faststart puts the index first, so that browsers play while they load.
    "output_params": ["-crf", str(QUALITY_CRF), "-preset", "medium", "-movflags", "+faststart"],
}
# One palette for the whole film, of the colours that move, and no dither: it would flicker.
_GIF: dict[str, Any] = {
    "codec": "gif",
    "pix_fmt_out": "pal8",
    "output_params": [
        "-vf",
        "split[a][b];[a]palettegen=max_colors=96[p];[b][p]paletteuse=dither=none:diff_mode=rectangle",
        "-loop",
        "0",
    ],
}


@contextmanager
def open_video(
    path: Path, size: tuple[int, int], rate: float
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Yield what takes the frames (h, w, 3) of a film one by one; the file is whole or not there.

    `size` is (width, height) in pixels, both even, `rate` in frames a second. Raises UserError when
    the name ends in none of `FORMATS` or the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"film {str(path)!r}: the file's name must end in {' or '.join(FORMATS)}")
    if size[0] % 2 or size[1] % 2:
        raise UserError(f"film size must be even in both directions, got {size[0]}x{size[1]}")
    with whole_file("film", path) as partial:
        partial.touch()  # what ffmpeg says where it cannot write takes many lines
        with closing(_encoder(partial, size, rate)) as encoder:
            encoder.send(None)
            yield encoder.send


def _encoder(path: Path, size: tuple[int, int], rate: float) -> Any:
    return imageio_ffmpeg.write_frames(
        str(path),
        size,
        # A fraction, so that 1/0.06 frames per second stay that; its annotation says int.
        fps=Fraction(rate).limit_denominator(1000),  # pyright: ignore[reportArgumentType]
        quality=None,  # pyright: ignore[reportArgumentType] -- the rate factor replaces it
        macro_block_size=2,
        ffmpeg_log_level="error",
        **(_GIF if path.suffix.lower() == ".gif" else _H264),
    )
