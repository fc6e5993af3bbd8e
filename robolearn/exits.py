"""How the program ends, and what it says then: by a signal, a mistake, a reader that has gone."""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from robolearn.errors import UserError


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


def run_program(program: Callable[[], Any]) -> None:
    """Run a command line or a script and exit; a user's mistake is one line and exit code 2."""
    warnings.showwarning = _warn_in_one_line
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    usage_error: Any = typer.BadParameter.__base__  # typer gives it no public name
    try:
        if "MUJOCO_GL" in os.environ:
            from robolearn.recording.gl import take_wish

            take_wish()
        code = program()
        sys.stdout.flush()
    except UserError as error:
        code = _fail(str(error))
    except usage_error as error:
        verb = error.ctx.command_path if error.ctx is not None else "robolearn"
        code = _fail(f"{' '.join(error.format_message().split())} (see {verb} --help)")
    except typer.Abort:
        code = 128 + signal.SIGINT
    except BrokenPipeError:  # whoever read us has seen enough
        code = 128 + signal.SIGPIPE
        drop_output()
    except MemoryError as error:  # numpy tells how much was asked for
        why = f" ({error})" if str(error) else ""
        code = _fail(f"not enough memory{why}: ask for fewer individuals or shorter lives")
    except OSError as error:  # a full disk, a forbidden folder
        drop_output()
        where = f"{error.filename}: " if error.filename else ""
        code = _fail(f"{where}{error.strerror or error}")
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> int:
    """Print a mistake of the user in one line; returns the exit code."""
    try:
        print(f"error: {message}", file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return 2


def drop_output() -> None:
    """Send what is still to be printed nowhere, so that the interpreter exits in silence."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _warn_in_one_line(message: Warning | str, *_: Any) -> None:
    """Print a warning as `warnings.showwarning` does, without file and line."""
    print(f"warning: {message}", file=sys.stderr)
