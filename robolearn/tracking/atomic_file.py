"""Write a file whole or not at all.

The bytes go to a temporary file in the same folder, are forced to the disk, and are renamed over
the old file. A process that dies at any moment leaves the old content or the new, never a mixture.
"""

import contextlib
import os
import secrets
from pathlib import Path

from robolearn.errors import UserError

TEMPORARY_SUFFIX = ".tmp"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at `path` by `content`; its folder must exist.

    Raises:
        UserError: the system refused (full disk, read-only folder...). The old file is intact and
            the temporary file is gone.
    """
    # Unlike `tempfile`, os.open with 0o666 leaves the permissions to the user's umask.
    temporary = _temporary_of(path)
    try:
        try:
            _write_synced(temporary, content)
            os.replace(temporary, path)
        except BaseException:  # also KeyboardInterrupt: a stray file could be as large as the state
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> UserError:
    """Build the one-line error for a file that could not be written."""
    reason = error.strerror or str(error)
    return UserError(f"cannot write {path}: {reason}; free some space or choose another folder")


def check_writable(option: str, file: Path | None) -> None:
    """Check, before hours are spent, that a file can be written; None, no file, always can.

    Raises:
        UserError: it cannot; the message names the option.
    """
    if file is None:
        return
    if file.is_dir():  # so is an empty path
        raise UserError(f"{option} {file}: expected a file, this is a folder")
    if not file.parent.is_dir():
        raise UserError(f"{option} {file}: there is no folder {file.parent}")
    probe = _temporary_of(file)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{option} {file}: cannot be written ({reason})") from None


def make_folder(path: Path) -> None:
    """Make the folder `path` and its parents where they are missing.

    Raises:
        UserError: the system refused, or a file stands there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot make folder {path}: {reason}; choose another folder") from error


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers left in `folder`; only its one writer may call this."""
    for stray in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        with contextlib.suppress(OSError):
            stray.unlink()


def _temporary_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")


def _write_synced(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        rest = memoryview(content)
        while rest:  # the system may take less than it is given, and takes 2 GiB at most
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open folders, and orders renames by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
