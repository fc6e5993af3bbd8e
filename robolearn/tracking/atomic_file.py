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
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
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


def check_folder_of(option: str, file: Path | None) -> None:
    """Check, before hours are spent, that the folder is there in which a file is to be written.

    Raises:
        UserError: there is none; the message names the option.
    """
    if file is not None and not file.resolve().parent.is_dir():
        raise UserError(f"{option} {file}: there is no folder {file.resolve().parent}")


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
