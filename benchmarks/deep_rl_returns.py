"""Return of whole lives of trained agents, beside what rl-baselines3-zoo tells of the same recipes.

    robolearn train ant_ppo --seeds 0-2
    robolearn train half_cheetah_ppo --seeds 0-2
    python benchmarks/deep_rl_returns.py runs/ant_ppo runs/half_cheetah_ppo \
        --json benchmarks/deep_rl_returns.json

Every run acts without noise in 128 test lives of the env's own length, without shifts. The zoo's
figures are of one run each after a million steps, on the v3 bodies.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from robolearn.exits import run_program
from robolearn.learning.evolution import TEST, life_seeds
from robolearn.lifetime import live
from robolearn.zoo import load_trained, make_env

LIVES = 128
# Mean and standard deviation over episodes: DLR-RM/rl-baselines3-zoo, benchmark.md @00128b5d.
PUBLISHED = {"ant_ppo": (1327, 452), "half_cheetah_ppo": (5819, 664)}


def main() -> None:
    """Print a line for each run, keep the raw returns."""
    parser = argparse.ArgumentParser(description="Tell the returns of trained agents.")
    parser.add_argument("recipes", nargs="+", type=Path, help="folders of runs of one recipe each")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for recipe in options.recipes:
        if not any(recipe.glob("seed-*")):
            parser.error(f"{recipe}: no runs in it (expected folders seed-*)")
    rows = {}
    for recipe in options.recipes:
        runs = {run.name: returns(run) for run in sorted(recipe.glob("seed-*"))}
        for name, own in runs.items():
            print(f"{recipe.name:20} {name:8} {np.mean(own):8.0f} ± {np.std(own):.0f}")
        means = [np.mean(own) for own in runs.values()]
        print(f"{recipe.name:20} {'all':8} {np.mean(means):8.0f}", end="")
        print("   published {} ± {}".format(*PUBLISHED[recipe.name])
              if recipe.name in PUBLISHED else "")  # fmt: skip
        rows[recipe.name] = {name: np.round(own, 1).tolist() for name, own in runs.items()}
    if options.json is not None:
        options.json.write_text(json.dumps(rows) + "\n", encoding="utf-8")


def returns(run: Path) -> np.ndarray:
    """Return the total reward of every test life (LIVES,) of the best agent of a run."""
    trained = load_trained(run)
    env = make_env(trained.config, LIVES, shifts=())
    genomes = np.repeat(trained.genome[None], LIVES, axis=0)
    seeds = life_seeds(trained.config.seed, TEST, 0, LIVES)
    return live(env, trained.agent, trained.agent.express(genomes), seeds).total_reward


if __name__ == "__main__":
    run_program(main)
