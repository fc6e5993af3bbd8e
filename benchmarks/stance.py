"""Which legs a walker walks on: the share of time that each foot is on the ground, unhurt.

    python benchmarks/stance.py runs/hexapod_modular_ppo/seed-* spiking/hexapod-modular \
        spiking/quadruped-modular --json benchmarks/stance.json

Thirty-two test lives each, without shifts. A leg that hardly ever bears weight is not missed when
it is hurt.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from robolearn.errors import UserError
from robolearn.exits import run_program
from robolearn.learning.evolution import TEST, life_seeds
from robolearn.lifetime import Moment, live
from robolearn.zoo import load_trained, make_env

LIVES = 32


def main() -> None:
    """Print a line for each foot of each agent, keep the shares."""
    parser = argparse.ArgumentParser(description="Tell which legs walkers walk on.")
    parser.add_argument("agents", nargs="+", help="runs or zoo agents in a body with feet")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table = {}
    for agent in options.agents:
        # A run folder by its last two names, which tell recipe and training seed.
        name = "/".join(Path(agent).parts[-2:])
        table[name] = stance(agent)
        print(name)
        for foot, share in table[name].items():
            print(f"  {foot:24} {share:.2f}")
    if options.json is not None:
        options.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def stance(agent: str) -> dict[str, float]:
    """Return {foot: share of the time on the ground} over the steps that were lived."""
    trained = load_trained(agent)
    env = make_env(trained.config, LIVES, shifts=())
    names = {part.name: part.sources for part in env.task.observation_slices}.get("contact")
    if names is None:
        raise UserError(f"{agent}: {env.world.name} has no feet that feel the ground")
    feet = env.task.interface.slices["contact"]
    on_ground, steps = np.zeros(len(names)), 0

    def listen(moment: Moment) -> None:
        nonlocal on_ground, steps
        on_ground += moment.env.task.observe()[moment.alive, feet].sum(axis=0)
        steps += int(moment.alive.sum())

    genomes = np.repeat(trained.genome[None], LIVES, axis=0)
    seeds = life_seeds(trained.config.seed, TEST, 0, LIVES)
    live(env, trained.agent, trained.agent.express(genomes), seeds, listener=listen)
    return dict(zip(names, np.round(on_ground / steps, 3).tolist(), strict=True))


if __name__ == "__main__":
    run_program(main)
