"""Simulate how often the 95 % intervals over 3 to 10 training runs hold the true IQM.

Each experiment draws the figures of the runs of one recipe, and asks whether the interval of
`robolearn.adaptation.statistics.interval` holds the IQM of the population:

    python benchmarks/interval_cover.py --json benchmarks/interval_cover.json
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from robolearn.adaptation.statistics import coverage, iqm
from robolearn.exits import run_program

RUNS = (3, 4, 5, 6, 7, 8, 9, 10)
Draw = Callable[[np.random.Generator, int], np.ndarray]

# Shapes of the figure of a run, (runs,).
SHAPES: dict[str, Draw] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "uniform": lambda rng, n: rng.uniform(-(3**0.5), 3**0.5, n),
    "skewed": lambda rng, n: rng.exponential(1.0, n),
    "heavy-tailed": lambda rng, n: rng.standard_t(3, n) / 3**0.5,
    "half of the runs fail": lambda rng, n: rng.integers(2, size=n) + 0.05 * rng.standard_normal(n),
}  # fmt: skip


def main() -> None:
    """Simulate every shape and number of runs; print and keep the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where the raw numbers go")
    parser.add_argument("--repeats", type=int, default=4000, help="experiments a cell")
    arguments = parser.parse_args()
    rows = []
    print(f"{'runs of shape':<24}" + "".join(f"{f'n = {runs}':>10}" for runs in RUNS))
    for shape, draw in SHAPES.items():
        truth = iqm(draw(np.random.default_rng(0), 1_000_000))
        shares = []
        for runs in RUNS:

            def one(rng: np.random.Generator, draw: Draw = draw, runs: int = runs) -> np.ndarray:
                return draw(rng, runs)

            shares.append(coverage(one, truth, arguments.repeats, seed=runs))
            rows.append({"shape": shape, "runs": runs, "cover": shares[-1]})
        print(f"{shape:<24}" + "".join(f"{share:>10.3f}" for share in shares), flush=True)
    if arguments.json:
        told = {"repeats": arguments.repeats, "confidence": 0.95, "cover": rows}
        arguments.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_program(main)
