"""Check what is said of the quickstart: it walks by its spikes, and how far by the clock alone.

Every run is judged on the same 32 intact lives of ten seconds, falls included, as it is, with its
hidden spikes silenced, and with every observation but the gait clock taken away:

    robolearn train quickstart --seeds 0-4
    python benchmarks/quickstart_claims.py runs/quickstart --json benchmarks/quickstart_claims.json
"""

import argparse
import json
from pathlib import Path

import numpy as np

from robolearn.comparing import find_runs
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.exits import run_program
from robolearn.learning.evolution import TEST, life_seeds
from robolearn.lifetime import Lives, live
from robolearn.zoo import TrainedAgent, build_agent, load_trained

LIVES = 32


def main() -> None:
    """Judge every run of a folder and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help="run folders, or folders of runs")
    parser.add_argument("--json", type=Path, help="where the raw numbers go")
    arguments = parser.parse_args()
    rows = []
    for run in find_runs(arguments.runs):
        rows.append(judge(load_trained(run)))
    print(f"{'run':<32} {'m/s':>6} {'falls':>6} {'silenced':>9} {'clock only':>11}")
    for row in rows:
        print(
            f"{row['run']:<32} {row['speed']:6.3f} {row['falls']:6.2f} "
            f"{row['silenced_speed']:9.3f} {row['clock_only_speed']:11.3f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def judge(trained: TrainedAgent) -> dict:
    """Return speed (m/s over the whole ten seconds) and falls of one agent and its two controls."""
    env = RobotVectorEnv(
        trained.env_name,
        LIVES,
        max_episode_steps=500,
        autoreset_mode="Disabled",
        **trained.env_options,
    )
    whole = let_live(env, trained, trained.agent)
    silenced = let_live(env, trained, silence(trained, env))
    clock = let_live(env, trained, ClockOnly(trained.agent, env))
    return {
        "run": trained.name,
        "lives": LIVES,
        "speed": float(whole.mean_performance.mean()),
        "falls": float(whole.fell.mean()),
        "speeds": whole.mean_performance.round(4).tolist(),
        "silenced_speed": float(silenced.mean_performance.mean()),
        "clock_only_speed": float(clock.mean_performance.mean()),
        "clock_only_falls": float(clock.fell.mean()),
    }


def let_live(env: RobotVectorEnv, trained: TrainedAgent, agent) -> Lives:
    """Let the genome live the test lives in another brain of the same layout."""
    parameters = trained.agent.express(np.repeat(trained.genome[None], env.num_envs, axis=0))
    return live(env, agent, parameters, life_seeds(0, TEST, 0, env.num_envs))


def silence(trained: TrainedAgent, env: RobotVectorEnv):
    """Return the same brain whose hidden units never spike."""
    section = trained.config.agent
    hyper = {**section.hyper, "silence_hidden": True}
    silenced = type(section)(kind=section.kind, modules=section.modules, **hyper)
    return build_agent(trained.config.model_copy(update={"agent": silenced}), env)


class ClockOnly:
    """The same brain, blind to everything but the gait clock."""

    def __init__(self, agent, env: RobotVectorEnv):
        self.agent = agent
        self.mask = np.concatenate(
            [np.full(part.size, part.name == "clock") for part in env.task.observation_slices]
        ).astype(np.float32)

    def __getattr__(self, name):
        return getattr(self.agent, name)

    def act(self, parameters, state, observation, feedback):
        """Act on the clock alone."""
        return self.agent.act(parameters, state, observation * self.mask, feedback)


if __name__ == "__main__":
    run_program(main)
