"""Lives that were lived before, kept on disk so that nothing is lived twice.

A life is a pure function of the agent, the env, what befalls it, its seed, and the code that lives
it. The hash of all these names it, so that a changed weight, shift or line of code is another life
and nothing has ever to be declared stale. One SQLite file holds them; it is written in whole
transactions, may be used by several processes, and may be deleted at any time.
"""

import hashlib
import json
import os
import platform
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from robolearn.definitions import definition_folder
from robolearn.extensions import brought_files

Arrays = dict[str, NDArray[Any]]

_PACKAGE = Path(__file__).resolve().parent.parent
# What decides, beside the env's folder and the agent's weights, how a life goes.
_CODE = (
    *("worlds", "simulation.py", "shifts", "envs", "neurons", "plasticity", "agents"),
    *("lifetime.py", "adaptation/paired_lives.py", "adaptation/trial_clock.py"),
    *("adaptation/mean_freeze.py", "adaptation/yoke.py", "adaptation/cost.py"),
    *("definitions.py", "schema.py"),  # read its figures
)
_PACKAGES = ("mujoco", "numpy", "numba", "gymnasium")
_TABLE = "CREATE TABLE IF NOT EXISTS lives (digest TEXT PRIMARY KEY, content BLOB NOT NULL)"
_WAIT_S = 30.0  # for another process that is writing


class LifeCache:
    """Finds and keeps lives by their digest.

    A file that cannot be read or written is told of once and then left alone: whoever compares
    agents loses time by it, but no result.

    Args:
        path: the SQLite file; its folder is made.
        warn: receives the one line about a file that is out of order.
    """

    def __init__(self, path: Path, warn: Callable[[str], None] | None = None):
        self.path = path
        self._warn = warn or _to_stderr
        self._connection: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
            self._connection.execute(_TABLE)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def find(self, digests: Iterable[str]) -> dict[str, Arrays]:
        """Return those of the lives that are known, by digest."""
        found: dict[str, Arrays] = {}
        for digest in digests:
            if self._connection is None:
                break
            try:
                row = self._connection.execute(
                    "SELECT content FROM lives WHERE digest = ?", (digest,)
                ).fetchone()
                if row is not None:
                    found[digest] = safetensors.numpy.load(zlib.decompress(row[0]))
            except (sqlite3.Error, zlib.error, safetensors.SafetensorError) as error:
                self._give_up(error)
        return found

    def keep(self, lives: Mapping[str, Arrays]) -> None:
        """Write lives down, all or none of them."""
        if self._connection is None:
            return
        rows = [(d, zlib.compress(safetensors.numpy.save(a), 1)) for d, a in lives.items()]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO lives VALUES (?, ?)", rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._give_up(error)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _give_up(self, error: Exception) -> None:
        self.close()
        # No fault of a file's content: a folder or disk that cannot be written, a lock.
        elsewhere = isinstance(error, OSError | sqlite3.OperationalError)
        why = error.strerror if isinstance(error, OSError) else error
        advice = "" if elsewhere else "; delete the file to begin anew"
        self._warn(f"{self.path}: lives are not kept ({why}){advice}")


def default_path() -> Path:
    """Return where lives are kept: `robolearn/lives.sqlite` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "robolearn" / "lives.sqlite"


def digest_of(content: Any) -> str:
    """Return the SHA-256 of plain values, or of bytes."""
    if not isinstance(content, bytes):
        content = json.dumps(content, sort_keys=True, default=_plain).encode()
    return hashlib.sha256(content).hexdigest()


def surroundings(env_name: str, agent: Any) -> dict[str, str]:
    """Return what a life depends on beside agent, shifts and seed: the code, env and versions.

    Every file that came in by `--with` counts, be it a brain, a task or a shift, what it imported
    from beside it, and every file of a package that brings such; a brain from elsewhere brings its
    own file.
    """
    found = {package: version(package) for package in _PACKAGES}
    found |= {"machine": platform.machine(), "code": _digest_of_code()}
    folder = definition_folder("envs", env_name)
    files = (p for p in sorted(folder.iterdir()) if p.suffix in (".yaml", ".xml"))
    found["env"] = digest_of(b"".join(file.read_bytes() for file in files))
    module = sys.modules.get(type(agent).__module__)
    file = getattr(module, "__file__", None)
    if file and _PACKAGE not in Path(file).resolve().parents:
        found["agent"] = digest_of(Path(file).read_bytes())
    own = sorted(digest_of(file.read_bytes()) for file in brought_files())
    if own:
        found["extensions"] = digest_of(own)
    return found


@cache
def _digest_of_code() -> str:
    total = hashlib.sha256()
    for name in _CODE:
        place = _PACKAGE / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            total.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0")
            total.update(file.read_bytes())
    return total.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{value!r} has no digest")


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
