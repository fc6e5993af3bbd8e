"""How every brain is compiled: the one place that talks to numba about threads, caches and flags.

`kernel` is for the function an agent calls once a control step, parallel over individuals;
`compiled` is for the small functions that kernels are made of.
"""

import functools
import importlib
import os
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import config
from numba.core.dispatcher import Dispatcher
from numba.np.ufunc.parallel import threading_layer

F = TypeVar("F", bound=Callable[..., Any])

# Enough freedom to vectorise a dot product. "nnan" and "ninf" stay out: with them the compiler may
# delete the tests that keep a NaN observation from poisoning a brain.
FAST_MATH = {"contract", "reassoc", "arcp", "nsz"}

# The workqueue layer aborts the whole process when two Python threads launch kernels at once.
_one_launch_at_a_time = threading.RLock()
_forked = False  # from a process whose OpenMP threads a child does not have
_warned = False

# To wake a thread costs tens of microseconds on an idle machine, milliseconds on a busy one; half
# a million numbers keep one core busy for about 0.15 ms.
_NUMBERS_PER_THREAD = 500_000


def compiled(function: F) -> F:
    """Compile a piece of a kernel; it can also be called from Python, as the tests do."""
    return numba.njit(fastmath=FAST_MATH)(function)  # pyright: ignore[reportReturnType]


def kernel(function: F) -> F:
    """Compile a function whose `prange` runs over individuals, and keep the result on disk.

    It uses no more threads than its work deserves, and never more than `numba.set_num_threads`
    allows; results do not depend on their number. Without a writable cache directory it is compiled
    anew in every process, after one warning; so is it, for one thread, in a process forked from one
    that had started OpenMP's threads, for a child does not have them.
    """
    options: dict[str, Any] = {"parallel": True, "fastmath": FAST_MATH}
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
        _forget_outdated(dispatcher)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        _warn_once()
        dispatcher = numba.njit(**options)(function)

    serial = compiled(function)

    @functools.wraps(function)
    def launch(*arguments: Any) -> Any:
        with _one_launch_at_a_time:
            if _forked:
                return serial(*arguments)
            allowed = numba.get_num_threads()
            numbers = sum(getattr(argument, "size", 0) for argument in arguments)
            numba.set_num_threads(min(allowed, 1 + numbers // _NUMBERS_PER_THREAD))
            try:
                return dispatcher(*arguments)
            finally:
                numba.set_num_threads(allowed)

    return launch  # pyright: ignore[reportReturnType]


def choose_threads() -> None:
    """Let numba's kernels run on OpenMP where Linux has it, else on numba's own workqueue.

    The thread that launches a kernel takes its share of the work in OpenMP, but only waits in the
    workqueue. OpenMP's threads must sleep between kernels: by default they spin for a while and
    starve the threads of the physics. On macOS a second OpenMP library beside that of torch would
    end the process. What the user chose in the environment stays.
    """
    if "NUMBA_THREADING_LAYER" in os.environ:
        return
    layer = "workqueue"
    if sys.platform == "linux":
        # Some libraries read it when they are loaded, others at first use.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        with suppress(ImportError):
            importlib.import_module("numba.np.ufunc.omppool")
            layer = "omp"
    config.THREADING_LAYER = layer  # pyright: ignore[reportAttributeAccessIssue]


def _after_fork() -> None:
    """Free a child of a lock that another thread of its parent may hold, and of lost threads."""
    global _one_launch_at_a_time, _forked  # noqa: PLW0603
    _one_launch_at_a_time = threading.RLock()
    with suppress(ValueError):  # the parent had no threads yet
        _forked = _forked or threading_layer() == "omp"


choose_threads()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _forget_outdated(dispatcher: Dispatcher) -> None:
    """Delete cached machine code that is older than the neurons, rules and agents it was made of.

    numba looks only at the file of the kernel itself, not at the functions that it calls.
    """
    package = Path(__file__).resolve().parent.parent
    rooms = ("neurons", "plasticity", "agents")
    newest = max(file.stat().st_mtime for room in rooms for file in (package / room).glob("*.py"))
    name = f"{Path(dispatcher.py_func.__code__.co_filename).stem}.{dispatcher.py_func.__name__}"
    for index in Path(str(dispatcher.stats.cache_path)).glob(f"{name}-*.nbi"):
        try:
            if index.stat().st_mtime < newest:
                index.unlink()
        except FileNotFoundError:  # another process was faster
            continue


def _warn_once() -> None:
    global _warned  # noqa: PLW0603
    if not _warned:
        _warned = True
        warnings.warn(
            "no writable directory to keep compiled brains in: every process compiles them again, "
            "for some seconds; set NUMBA_CACHE_DIR to a directory that can be written",
            RuntimeWarning,
            stacklevel=3,
        )
