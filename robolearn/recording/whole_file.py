"""Write films, pages, figures and trajectories whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from robolearn.errors import UserError


@contextmanager
def whole_file(what: str, path: Path) -> Iterator[Path]:
    """Yield where to write; it becomes `path` when the block ends, and is removed if it fails.

    Its name has the suffix of `path`, by which encoders choose their format. Raises UserError,
    which tells `what` it was, when the system refuses.
    """
    partial = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{what} {str(path)!r} cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            partial.unlink()
