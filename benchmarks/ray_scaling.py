"""How much faster two one-core workers live a generation than one: python benchmarks/ray_scaling.py

Generations of the quickstart's size, of its trained walker, are lived by one Ray worker of one
thread and by two, in turn, so that what else the machine does meets both. Writes ray_scaling.json.
"""

import argparse
import json
import logging
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import ray

from robolearn.config import load_config
from robolearn.exits import run_program
from robolearn.learning.evolution import TRAINING, life_seeds
from robolearn.learning.sharding import ShardedPopulation
from robolearn.training import make_home
from robolearn.zoo import load_trained

ROUNDS = 7


def main() -> None:
    """Measure and write."""
    argparse.ArgumentParser(description="Tell how two workers compare with one.").parse_args()
    # Three workers, of which at most two live at a time: Ray must not wait for a third core.
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    config = load_config("quickstart")
    n = config.learning.hyper["population"]
    home = partial(make_home, config, [])
    populations = {workers: ShardedPopulation(home, n, workers, threads=1) for workers in (1, 2)}
    # A trained walker, so that all lives are whole and cost alike.
    genomes = np.repeat(load_trained("spiking/quadruped-quickstart").genome[None], n, axis=0)
    seconds: dict[int, list[float]] = {workers: [] for workers in populations}
    results = {}
    load = os.getloadavg()[0]
    for index in range(ROUNDS + 1):
        seeds = life_seeds(0, TRAINING, index, n)
        for workers, population in populations.items():
            started = time.perf_counter()
            results[workers] = population(genomes, seeds, ())
            if index:  # the first warms up
                seconds[workers].append(time.perf_counter() - started)
        assert np.array_equal(results[1].total_reward, results[2].total_reward)
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    figures = {
        "command": "python benchmarks/ray_scaling.py",
        "individuals": n,
        "steps_per_generation": int(results[1].steps.sum()),
        "cores": os.cpu_count(),
        "load_before": load,
        "load_after": os.getloadavg()[0],
        "seconds": {str(workers): values for workers, values in seconds.items()},
        "ratios": ratios,
        "median_ratio": float(np.median(ratios)),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    run_program(main)
