"""What a user waits for before anything happens: the help text, and brains that are compiled."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from robolearn.bench.measurement import Measurement, Spread

_HELP = "import sys; from robolearn.cli import main; sys.argv = ['robolearn', '--help']; main()"


def measure_start_up(
    repetitions: int = 9, compilations: int = 3, kind: str = "spiking"
) -> Iterator[Measurement]:
    """Yield the seconds of `robolearn --help` and of a brain's first step, compiled and cached.

    Args:
        repetitions: of what takes less than a second.
        compilations: of the brain, each into an empty cache.
        kind: of agent.
    """
    samples = [_seconds_of("-c", _HELP) for _ in range(repetitions)]
    yield Measurement("start-up/help", "s", Spread.of(samples))
    empty = [_seconds_of("-c", "pass") for _ in range(repetitions)]
    yield Measurement("start-up/python alone", "s", Spread.of(empty))
    cold, warm = [], []
    for _ in range(compilations):
        with tempfile.TemporaryDirectory(prefix="robolearn-bench-") as cache:
            cold.append(_first_act(kind, cache))
            warm.append(_first_act(kind, cache))
    details = {"agent": kind}
    yield Measurement("start-up/first act, compiled", "s", Spread.of(cold), details=details)
    yield Measurement("start-up/first act, cached", "s", Spread.of(warm), details=details)


def _seconds_of(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _first_act(kind: str, cache: str) -> float:
    """Return what `robolearn.bench.first_act` prints with compiled code in the folder `cache`."""
    answer = subprocess.run(
        [sys.executable, "-m", "robolearn.bench.first_act", kind],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": cache},
    )
    return float(answer.stdout)
