"""A lock on a run folder, held by the one process that trains in it and gone when that dies.

`flock` on an open file: the system releases it however the process ends. The file itself stays.
"""

import contextlib
import errno
import os
import sys
import time
import weakref
from pathlib import Path

from robolearn.errors import UserError

LOCK_FILE = "run.lock"
_PATIENCE_S = 0.5  # a reader that asks `is_locked` holds the lock for a moment

if sys.platform == "win32":  # without flock there is no lock: nothing is refused

    def _try_lock(descriptor: int, *, shared: bool) -> bool:
        return True

else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool) -> bool:
        operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            # Some network file systems know no locks. To train unguarded is better than not at all.
            if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
                raise
        return True


class RunLock:
    """The exclusive right to train in `folder`, from construction to `release`.

    Raises:
        UserError: another process holds it (the message tells its pid), or the folder is read-only.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_FILE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            self._close = weakref.finalize(self, os.close, descriptor)
            if not _lock_patiently(descriptor):
                holder = os.read(descriptor, 32).decode(errors="replace").strip()
                self._close()
                raise UserError(
                    f"another process (pid {holder or 'unknown'}) is training in {folder}: "
                    f"wait for it, stop it, or use another folder"
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(f"cannot lock {path}: {reason}; choose another folder") from error
        _locks.add(self)

    def release(self) -> None:
        """Give the folder free; a second call does nothing."""
        self._close()


def is_locked(folder: Path) -> bool:
    """Return whether some process, this one included, is training in `folder`."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, shared=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _lock_patiently(descriptor: int) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while not _try_lock(descriptor, shared=False):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


_locks: weakref.WeakSet[RunLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # A forked worker shares the open file, and so the lock: it would outlive a killed trainer.
    for lock in list(_locks):
        with contextlib.suppress(OSError):
            lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
