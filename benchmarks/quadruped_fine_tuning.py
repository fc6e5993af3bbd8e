"""Learning in mid-life by gradients: performance against the steps spent on the hurt body.

    robolearn train quadruped_ppo --seeds 0-2
    python benchmarks/quadruped_fine_tuning.py runs/quadruped_ppo/seed-* \
        --json benchmarks/quadruped_fine_tuning.json

From the newest checkpoint of a run of deep RL that was never hurt, training goes on with a leg
that is dead from birth (`learning.start_from`), once for each leg. Before it and after every 8
iterations the policy lives 32 test lives with the dead leg and 32 intact ones, without noise.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np

from robolearn.config import load_config
from robolearn.exits import run_program
from robolearn.learning.deep_rl.learner import DeepRL
from robolearn.lifetime import live
from robolearn.sections import DeepRLSection
from robolearn.training import make_deep_rl, start_deep_rl
from robolearn.zoo import build_agent, make_env

LEGS = ("front_left", "front_right", "rear_left", "rear_right")
SEEDS = np.arange(1000, 1032)
EVERY = 8  # iterations
SHARES = (0.5, 0.8, 0.9)  # of the intact performance before the damage


def main() -> None:
    """Fine-tune for each leg, print the cost, write the curves."""
    parser = argparse.ArgumentParser(description="Tell what fine-tuning after damage costs.")
    parser.add_argument("runs", type=Path, nargs="+", help="run folders of deep RL, quadruped")
    parser.add_argument("--steps", type=int, default=500_000, help="control steps for each leg")
    parser.add_argument("--legs", nargs="+", choices=LEGS, default=LEGS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    runs = []
    for run in options.runs:
        curves = {leg: fine_tune(run, leg, options.steps) for leg in options.legs}
        runs.append({"seed": load_config(run / "config.yaml").seed, "curves": curves})
        for leg, curve in curves.items():
            print(f"seed {runs[-1]['seed']}, {leg}: {tell(curve)}")
    if options.json is not None:
        command = shlex.join(["python", *sys.argv])
        figures = {"command": command, "seeds": SEEDS.tolist(), "runs": runs}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def fine_tune(run: Path, leg: str, steps: int) -> list[dict[str, Any]]:
    """Return what the policy does after each of several numbers of steps on the hurt body."""
    hurt = f"limb_damage:{leg}:dead"
    config = load_config(
        run / "config.yaml",
        [f"learning.start_from={run}", f"learning.total_steps={steps}", f"env.shifts=[{hurt}]"],
    )
    learning = config.learning
    assert isinstance(learning, DeepRLSection)
    n = len(SEEDS)
    bodies = {"hurt": make_env(config, n), "intact": make_env(config, n, shifts=())}
    learner = make_deep_rl(config, learning, build_agent(config, bodies["hurt"]))
    start_deep_rl(learner, config, learning)
    curve = [figures(learner, bodies)]
    while learner.iteration < learning.iterations:
        learner.step()
        if learner.iteration % EVERY == 0 or learner.iteration == learning.iterations:
            curve.append(figures(learner, bodies))
            print(leg, curve[-1], file=sys.stderr, flush=True)
    return curve


def figures(learner: DeepRL, bodies: dict[str, Any]) -> dict[str, Any]:
    """Return steps so far, and m/s and falls on every kind of body."""
    told: dict[str, Any] = {"steps": learner.total_steps}
    genomes = np.repeat(learner.genome[None], len(SEEDS), axis=0)
    for name, env in bodies.items():
        lives = live(env, learner.agent, learner.agent.express(genomes), SEEDS)
        told[f"{name}_m_per_s"] = float(lives.mean_performance.mean())
        told[f"{name}_falls"] = float(lives.fell.mean())
    return told


def tell(curve: list[dict[str, Any]]) -> str:
    """Return one line: before, after, and the steps to shares of the intact performance."""
    first, last = curve[0], curve[-1]
    intact = first["intact_m_per_s"]
    reached = []
    for share in SHARES:
        steps = [point["steps"] for point in curve if point["hurt_m_per_s"] >= share * intact]
        reached.append(f"{share:.0%} after {steps[0] if steps else 'more'} steps")
    return (
        f"intact {intact:.2f} m/s, hurt {first['hurt_m_per_s']:.2f}; after {last['steps']} steps "
        f"{last['hurt_m_per_s']:.2f} (falls {last['hurt_falls']:.0%}), intact again "
        f"{last['intact_m_per_s']:.2f}; {', '.join(reached)}"
    )


if __name__ == "__main__":
    run_program(main)
