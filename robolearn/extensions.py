"""Users' own rules, bodies and agents: Python files named with --with, and entry points."""

import importlib.util
from pathlib import Path

from robolearn.errors import UserError


def load_extension(path: Path) -> None:
    """Run a user's Python file, which registers what it brings.

    Raises:
        UserError: there is no such file, or it fails; the message names the error.
    """
    if not path.is_file():
        raise UserError(f"--with {path}: no such file")
    spec = importlib.util.spec_from_file_location(f"robolearn_extension_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"--with {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"--with {path}: {type(error).__name__}: {error}") from error
