"""How the program ends, and what it says then: by a signal, a mistake, a reader that has gone."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def signal_of(interrupt: KeyboardInterrupt) -> int:
    """Return the number of the signal that interrupted."""
    return interrupt.args[0] if interrupt.args else signal.SIGINT


def fail(message: str) -> int:
    """Print a mistake of the user in one line; returns the exit code."""
    try:
        print(f"error: {message}", file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return 2


def drop_output() -> None:
    """Send what is still to be printed nowhere, so that the interpreter exits in silence."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def warn_in_one_line(message: Warning | str, *_: Any) -> None:
    """Print a warning as `warnings.showwarning` does, without file and line."""
    print(f"warning: {message}", file=sys.stderr)
