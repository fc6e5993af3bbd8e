"""Where time goes among nested parts of a program: each moment counts for the innermost part."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


class TimeShares:
    """A stopwatch for nested parts."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def part(self, label: str) -> Iterator[None]:
        """Count the time of the block for `label`, except for the parts inside it."""
        self._charge()
        self._open.append(label)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    @contextmanager
    def watching(self, methods: Iterable[tuple[Any, str, str]]) -> Iterator[None]:
        """Count the calls of methods, given as (object, name, label), within the block."""
        with ExitStack() as stack:
            for owner, name, label in methods:
                setattr(owner, name, self._timed(getattr(owner, name), label))
                stack.callback(delattr, owner, name)
            yield

    def shares(self) -> dict[str, float]:
        """Return {label: fraction of the whole time}, which sums to 1."""
        total = sum(self._seconds.values())
        return {label: seconds / total for label, seconds in self._seconds.items()}

    def _charge(self) -> None:
        now = time.perf_counter()
        if self._open:
            self._seconds[self._open[-1]] += now - self._since
        self._since = now

    def _timed(self, method: Callable[..., Any], label: str) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*arguments: Any, **keywords: Any) -> Any:
            with self.part(label):
                return method(*arguments, **keywords)

        return call
