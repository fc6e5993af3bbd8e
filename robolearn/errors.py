"""The errors that a user can make, each told in one line, with the nearest valid name."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """A mistake in what the user gave: the command line prints it and exits with code 2."""


def unknown_name(
    what: str, given: object, valid: Iterable[object], *, prefix: str = ""
) -> UserError:
    """Build the error for `given`, which is not one of the `valid` names of a `what`.

    The message names the thing, the value, every valid name and the nearest one.

    Args:
        what: such as "env", or "key of a config".
        given: what the user wrote.
        valid: every name that would have done.
        prefix: put before the given and the nearest name, such as "learning." for a key of that
            section.
    """
    names = sorted(str(name) for name in valid)
    nearest = difflib.get_close_matches(str(given), names, n=1, cutoff=0.4)
    hint = f"; did you mean {prefix + nearest[0]!r}?" if nearest else ""
    shown = f"{prefix}{given}" if prefix else given
    return UserError(f"unknown {what} {shown!r}{hint} (valid: {', '.join(names) or 'none'})")


@contextmanager
def errors_at(place: str) -> Iterator[None]:
    """Begin the user's errors of the block with the key or the file that caused them."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
