"""`robolearn bench`: how fast lifetimes, brains, envs and the start are, as ratios within one run.

Absolute figures belong to a machine and an hour; what is compared is therefore interleaved in short
turns, every figure is a median with its range over repetitions, and ratios are formed within a
repetition.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from robolearn.bench.measurement import Measurement

# What `--quick` and the full run give to each section; the functions' own docstrings explain it.
_QUICK: dict[str, dict[str, Any]] = {
    "lifetimes": {"steps": 100, "repetitions": 3, "readouts": ("standing", "moving")},
    "brains": {"calls": 20, "repetitions": 5},
    "env steps": {"steps": 20, "repetitions": 3},
    "vector envs": {"steps": 10, "repetitions": 3},
    "start-up": {"repetitions": 3, "compilations": 1},
}
_FULL: dict[str, dict[str, Any]] = {
    "lifetimes": {"steps": 500, "repetitions": 5},
    "brains": {"calls": 50, "repetitions": 15},
    "env steps": {"steps": 100, "repetitions": 7},
    "vector envs": {"steps": 20, "repetitions": 9},
    "start-up": {"repetitions": 9, "compilations": 3},
}


def run_bench(
    quick: bool, json_file: Path | None, sizes: dict[str, dict[str, Any]] | None = None
) -> list[Measurement]:
    """Measure everything, print it as it comes, and write it to a file.

    Args:
        quick: a minute instead of five.
        json_file: receives a list of objects, one for each measurement.
        sizes: arguments of each section in place of those of `quick`; a section that is not named
            is left out.

    Raises:
        UserError: the file cannot be written; told before anything is measured.
    """
    from robolearn.bench.printing import Printer
    from robolearn.bench.surroundings import describe_surroundings, warn_if_busy
    from robolearn.tracking.atomic_file import check_writable, write_atomically
    from robolearn.tracking.console import PlainConsole

    check_writable("--json", json_file)
    surroundings = describe_surroundings()
    printer = Printer(PlainConsole())
    printer.note(surroundings)
    warning = warn_if_busy()
    if warning:
        printer.note(warning)
    measurements: list[Measurement] = []
    chosen = sizes if sizes is not None else _QUICK if quick else _FULL
    for section, measure in _sections():
        if section in chosen:
            with printer.section(section):
                for measurement in measure(**chosen[section]):
                    printer.show(measurement)
                    measurements.append(measurement)
    if json_file is not None:
        objects = [m.to_mapping() | {"measured_with": surroundings} for m in measurements]
        write_atomically(json_file, (json.dumps(objects, indent=2) + "\n").encode())
    return measurements


def _sections() -> Iterator[tuple[str, Callable[..., Iterator[Measurement]]]]:
    # What starts worker processes comes late: its imports bring threads of their own.
    from robolearn.bench.brains import measure_brains
    from robolearn.bench.env_steps import measure_env_steps
    from robolearn.bench.lifetimes import measure_lifetimes
    from robolearn.bench.start_up import measure_start_up
    from robolearn.bench.vector_envs import measure_vector_envs

    yield "lifetimes", measure_lifetimes
    yield "brains", measure_brains
    yield "env steps", measure_env_steps
    yield "vector envs", measure_vector_envs
    yield "start-up", measure_start_up
