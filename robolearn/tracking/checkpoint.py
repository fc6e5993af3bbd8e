"""Checkpoints: named arrays and JSON metadata in one safetensors file, without pickle.

The safetensors header carries, as one JSON string, the schema version, the kind of checkpoint, the
metadata, and a SHA-256 over these three and every array, which shows damage and edits (it is no
signature). Files are replaced atomically, and a folder keeps the last two.
"""

import contextlib
import hashlib
import json
import re
import struct
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from robolearn.errors import UserError
from robolearn.tracking.atomic_file import make_folder, remove_temporaries, write_atomically

SCHEMA_VERSION = 1
# One key only: safetensors writes several in random order, and equal states make equal files.
_HEADER_KEY = "robolearn"
_FIELDS = ("schema", "kind", "metadata", "sha256")
_DTYPES = frozenset(
    np.dtype(name)
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64"),
    )
)
_FOREIGN_FORMATS = {
    b"PK\x03\x04": "a zip or torch file",
    b"\x93NUMPY": "a NumPy file",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip file",
}
_FILE_NAME = re.compile(r"step_(\d{12,})\.safetensors")
_KEPT = 2

Arrays = dict[str, np.ndarray]


class CheckpointError(UserError):
    """A checkpoint that cannot be written or read; the message names the file and a remedy."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint whose bytes are not those that were saved."""


def save_arrays(
    path: Path | str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any], kind: str
) -> None:
    """Save `arrays` (booleans, integers, floats; any shape, also 0-d) and `metadata` atomically.

    Metadata is whatever JSON can hold: integers of any size and floats return exactly, tuples
    return as lists, and keys must be strings. Missing folders are made.

    Raises:
        CheckpointError: the system refused; an older file at `path` is intact.
        TypeError: an array or the metadata is of a type that a checkpoint cannot hold.
    """
    path = Path(path)
    plain = {name: _as_stored(name, array) for name, array in arrays.items()}
    header = {"schema": str(SCHEMA_VERSION), "kind": kind, "metadata": _encode(metadata)}
    header["sha256"] = _digest(header, plain)
    content = safetensors.numpy.save(plain, metadata={_HEADER_KEY: json.dumps(header)})
    try:
        make_folder(path.parent)
        write_atomically(path, content)
    except UserError as error:
        raise CheckpointError(str(error)) from error


def load_arrays(path: Path | str, kind: str) -> tuple[Arrays, dict[str, Any]]:
    """Load `(arrays, metadata)` of a checkpoint of `kind`; arrays are writable, sorted by name.

    Raises:
        CheckpointError: there is no such file, it is of another format, kind or schema version.
        DamagedCheckpointError: it is truncated or was changed since it was saved.
    """
    path = Path(path)
    content = _read(path)
    header = _read_header(path, content)
    if header["schema"] != str(SCHEMA_VERSION):
        raise CheckpointError(
            f"checkpoint {path} has schema version {header['schema']!r}, this robolearn reads "
            f"{SCHEMA_VERSION}: load it with the version that saved it, or train again"
        )
    if header["kind"] != kind:
        raise CheckpointError(
            f"checkpoint {path} is of kind {header['kind']!r}, expected {kind!r}: "
            f"give a checkpoint that was saved by the same kind of learner"
        )
    try:
        loaded = safetensors.numpy.load(content)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise _damaged(path, "its arrays cannot be decoded") from error
    arrays = {name: loaded[name].copy() for name in sorted(loaded)}
    if _digest(header, arrays) != header["sha256"]:
        raise _damaged(path, "its content does not match its SHA-256")
    return arrays, json.loads(header["metadata"])


class CheckpointFolder:
    """The checkpoints of one run: the last two are kept, the newest loadable one is found."""

    def __init__(self, path: Path | str, kind: str = "training") -> None:
        self.path = Path(path)
        self.kind = kind

    def save(
        self, step: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]
    ) -> Path:
        """Save the state after `step` (>= 0), then drop all but this and the one before it.

        Checkpoints of later steps are dropped too: a run that went back rewrites what follows.

        Raises:
            CheckpointError: the system refused; all older checkpoints are intact.
        """
        path = self.path / f"step_{step:012d}.safetensors"
        save_arrays(path, arrays, {"step": step, "metadata": dict(metadata)}, self.kind)
        remove_temporaries(self.path)
        earlier = [other for other in self.steps() if other < step]
        kept = {step, *earlier[len(earlier) - (_KEPT - 1) :]}
        for other, file in self._files():
            if other not in kept:
                with contextlib.suppress(OSError):  # a leftover file is harmless, a crash is not
                    file.unlink()
        return path

    def steps(self) -> list[int]:
        """Return the steps of which there is a checkpoint file, ascending."""
        return [step for step, _ in self._files()]

    def latest(self) -> tuple[int, Arrays, dict[str, Any]] | None:
        """Return `(step, arrays, metadata)` of the newest sound checkpoint; None without any.

        A damaged newest file is passed over with a `RuntimeWarning` that names it, once.

        Raises:
            CheckpointError: files exist, but all are damaged, or the newest sound one is of
                another kind or schema version. To begin anew must be the user's own decision.
        """
        damage: DamagedCheckpointError | None = None
        for _, file in reversed(self._files()):
            try:
                arrays, stored = load_arrays(file, self.kind)
            except DamagedCheckpointError as error:
                damage = damage or error
                continue
            if damage is not None:
                _warn_once(f"{damage}; using {file.name} instead")
            return stored["step"], arrays, stored["metadata"]
        if damage is not None:
            raise damage
        return None

    def _files(self) -> list[tuple[int, Path]]:
        try:
            files = list(self.path.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(self.path, error) from error
        matches = [(_FILE_NAME.fullmatch(file.name), file) for file in files]
        return sorted((int(match[1]), file) for match, file in matches if match)


@cache
def _warn_once(message: str) -> None:
    # Whoever resumes a run asks twice: whether it is finished, and to load it.
    warnings.warn(message, RuntimeWarning, stacklevel=3)


def _as_stored(name: str, array: np.ndarray) -> np.ndarray:
    """Return `array` in C order and native bytes; unlike ascontiguousarray, 0-d stays 0-d."""
    array = np.asarray(array, order="C")
    native = array.dtype.newbyteorder("=")
    if native not in _DTYPES:
        allowed = ", ".join(sorted(str(dtype) for dtype in _DTYPES))
        raise TypeError(f"array {name!r} has dtype {array.dtype}, a checkpoint holds {allowed}")
    return array.astype(native, copy=False)


def _encode(metadata: Mapping[str, Any]) -> str:
    _require_string_keys(metadata)
    return json.dumps(dict(metadata))


def _require_string_keys(value: object) -> None:
    # json.dumps would turn the key 1 into "1" without a word, and the state would not return.
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"metadata key {key!r} is not a string")
            _require_string_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_string_keys(item)


def _digest(header: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> str:
    """Hash header and arrays; every part is preceded by its length, so that none can shift."""
    sha256 = hashlib.sha256()

    def add(part: bytes) -> None:
        sha256.update(struct.pack("<Q", len(part)))
        sha256.update(part)

    for key in ("schema", "kind", "metadata"):
        add(header[key].encode())
    for name in sorted(arrays):
        array = arrays[name]
        add(f"{name} {array.dtype.name} {array.shape}".encode())
        add(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return sha256.hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"no checkpoint at {path}: check the path, or train first") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _read_header(path: Path, content: bytes) -> dict[str, str]:
    """Return the four header strings, looking at nothing but the first bytes and plain JSON."""
    size = int.from_bytes(content[:8], "little")
    # This test comes before the magic bytes: a header of 640 bytes begins like a pickle.
    if content[8:9] != b"{" or size > 100_000_000:
        foreign = _foreign_format(content)
        if foreign:
            raise CheckpointError(
                f"{path} is {foreign}, which robolearn never loads because such files can run "
                f"code: give a checkpoint saved by robolearn (.safetensors)"
            )
        if len(content) < 9:
            raise _damaged(path, "it is truncated")
        raise CheckpointError(f"{path} is no checkpoint: give one saved by robolearn")
    if len(content) < 8 + size:
        raise _damaged(path, "it is truncated")
    try:
        found = json.loads(content[8 : 8 + size]).get("__metadata__", {})
        if _HEADER_KEY not in found:
            raise CheckpointError(
                f"{path} is a safetensors file, but no checkpoint of robolearn: its header has no "
                f"{_HEADER_KEY!r}; give one saved by robolearn"
            )
        header = json.loads(found[_HEADER_KEY])
        return {field: str(header[field]) for field in _FIELDS}
    except CheckpointError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, "its header is broken") from error


def _foreign_format(content: bytes) -> str | None:
    if content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle file"
    for magic, name in _FOREIGN_FORMATS.items():
        if content.startswith(magic):
            return name
    return None


def _damaged(path: Path, reason: str) -> DamagedCheckpointError:
    return DamagedCheckpointError(
        f"checkpoint {path} is damaged, {reason}: use an earlier checkpoint, or train again"
    )


def _unreadable(path: Path, error: OSError) -> CheckpointError:
    reason = error.strerror or str(error)
    return CheckpointError(f"cannot read {path}: {reason}; check the path and its permissions")
