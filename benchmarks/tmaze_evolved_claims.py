"""Check what is said of the brains evolved for the T-maze whose food is moved in mid-life.

Every run is judged on the same 128 whole lives of 60 trials that no training has seen, against the
mean pay of a perfect driver who stays with what paid and leaves what did not, and knows neither the
side nor the moment of the switch (`RewardLaw.expected_pay`, 0.98). A plastic brain also lives the
same lives frozen from its eleventh trial on, and a spiking one with its spikes silenced:

    for recipe in neuromodulated neuromodulated_spiking mlp gru; do
        robolearn train tmaze_$recipe --seeds 0-2
    done
    python benchmarks/tmaze_evolved_claims.py runs/tmaze_* \\
        --json benchmarks/tmaze_evolved_claims.json
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.adaptation.statistics import interval
from robolearn.agents.registry import make_agent
from robolearn.comparing import find_runs
from robolearn.envs.tmaze import TMaze
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.exits import run_program
from robolearn.learning.evolution import TEST, life_seeds
from robolearn.lifetime import NEVER, Moment, live
from robolearn.zoo import TrainedAgent, load_trained

LIVES = 128
FREEZE_TRIAL = 10  # counted from 0
WINDOW = 20  # trials
AIM = 0.97


def main() -> None:
    """Judge every run of the folders, print a line for each and one for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help="run folders, or folders of runs")
    parser.add_argument("--json", type=Path, help="where the raw numbers go")
    arguments = parser.parse_args()
    env = RobotVectorEnv("tmaze", LIVES, max_episode_steps=3000, autoreset_mode="Disabled")
    rows = []
    print(f"{'':<40} {'share of':>9} {'rewarded arm in 20 trials':>27} {'time-':>7} last, frozen")
    print(
        f"{'run':<40} {'optimum':>9} {'before switch':>17} {'last':>9} {'outs':>7} trial 11, last"
    )
    for run in find_runs(arguments.runs):
        rows.append(judge(env, load_trained(run)))
        print(line(f"{rows[-1]['recipe']} seed {rows[-1]['seed']}", rows[-1]), flush=True)
    groups = summarise(rows)
    for recipe, group in groups.items():
        low, high = group["interval"]
        print(
            f"{recipe}: IQM over {group['seeds']} seeds {group['iqm']:.3f} of the optimum, 95 % "
            f"[{low:.3f}, {high:.3f}] ({group['method']}); {group['reached']} reach {AIM}"
        )
    if arguments.json:
        content = {"runs": rows, "recipes": groups}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def judge(env: RobotVectorEnv, trained: TrainedAgent) -> dict:
    """Return the figures of one run: `figures` of its lives as it is, frozen, and silenced."""
    whole = Trials(env)
    whole.live(trained, trained.agent)
    result = {
        "recipe": trained.config.name,
        "seed": trained.config.seed,
        "lives": LIVES,
        "genome_size": trained.agent.genome.size,
        **figures(whole, env),
    }
    if trained.agent.is_plastic:
        frozen = Trials(env)
        frozen.live(trained, trained.agent, frozen_from=whole.start_of(FREEZE_TRIAL))
        result["frozen"] = figures(frozen, env)
    if trained.config.agent.hyper.get("neuron") == "spiking":
        silenced = Trials(env)
        silenced.live(trained, silence(trained))
        result["silenced"] = figures(silenced, env)
    return result


class Trials:
    """A listener that writes down what came of every trial.

    Attributes:
        food: (n, T), what was paid.
        hit: (n, T), the rewarded arm was reached; a time-out is no hit.
        timeout: (n, T).
        rewarded: (n, T), the arm that paid.
        end: (n, T), control step that ended the trial.
    """

    def __init__(self, env: RobotVectorEnv):
        assert isinstance(env.task, TMaze)
        self.env = env
        shape = (env.num_envs, env.task.parameters.trials)
        self.food = np.zeros(shape)
        self.hit, self.timeout = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        self.rewarded, self.end = np.zeros(shape, np.int64), np.full(shape, NEVER)

    def live(self, trained: TrainedAgent, agent, frozen_from: ArrayLike = NEVER) -> None:
        """Let the genome live the test lives in `agent`, a brain of its layout."""
        n = self.env.num_envs
        parameters = trained.agent.express(np.repeat(trained.genome[None], n, axis=0))
        seeds = life_seeds(0, TEST, 0, n)
        live(self.env, agent, parameters, seeds, frozen_from=frozen_from, listener=self)

    def __call__(self, moment: Moment) -> None:
        told = moment.infos
        rows = np.flatnonzero(told["trial_end"] & moment.alive)
        trial = told["trial"][rows]
        self.food[rows, trial] = told["food"][rows]
        self.hit[rows, trial] = told["chosen"][rows] == told["rewarded"][rows]
        self.timeout[rows, trial] = told["timeout"][rows]
        self.rewarded[rows, trial] = told["rewarded"][rows]
        self.end[rows, trial] = moment.step

    def start_of(self, trial: int) -> NDArray[np.int64]:
        """Return the control step in which a trial begins, (n,)."""
        return self.end[:, trial - 1] + 1


def figures(trials: Trials, env: RobotVectorEnv) -> dict[str, float]:
    """Return the means over lives that the table shows."""
    assert isinstance(env.task, TMaze)
    lives, count = trials.hit.shape
    switch = (trials.rewarded != trials.rewarded[:, :1]).argmax(axis=1)  # (n,)
    before = np.stack([trials.hit[i, switch[i] - WINDOW : switch[i]] for i in range(lives)])
    return {
        "share_of_optimum": float(trials.food.mean() / env.task.law.expected_pay()),
        "food_per_trial": float(trials.food.mean()),
        "food_standard_error": float(trials.food.mean(axis=1).std(ddof=1) / lives**0.5),
        "rewarded_before_switch": float(before.mean()),
        "rewarded_last": float(trials.hit[:, count - WINDOW :].mean()),
        "timeouts": float(trials.timeout.mean()),
        "steps": float(trials.end[:, -1].mean() + 1),
    }


def silence(trained: TrainedAgent):
    """Return the same brain whose hidden units never spike; what is hard-wired goes on."""
    agent = trained.agent
    hyper = {**trained.config.agent.hyper, "silence_hidden": True}
    scale = RobotVectorEnv("tmaze", 1).task.observation_scale
    return make_agent(agent.kind, agent.observation_size, agent.action_size, scale, **hyper)


def summarise(rows: list[dict]) -> dict[str, dict]:
    """Return for every recipe the IQM of the share of the optimum over its seeds, all counted."""
    shares = defaultdict(list)
    for row in rows:
        shares[row["recipe"]].append(row["share_of_optimum"])
    groups = {}
    for recipe, values in shares.items():
        iqm, low, high, method = interval(np.array(values))
        groups[recipe] = {
            "seeds": len(values),
            "iqm": iqm,
            "interval": [low, high],
            "method": method,
            "reached": sum(value >= AIM for value in values),
        }
    return groups


def line(name: str, row: dict) -> str:
    """Return one line of the table."""
    frozen = f"{row['frozen']['rewarded_last']:.3f}" if "frozen" in row else "-"
    return (
        f"{name:<40} {row['share_of_optimum']:9.3f} {row['rewarded_before_switch']:17.3f} "
        f"{row['rewarded_last']:9.3f} {row['timeouts']:7.3f} {frozen:>15}"
    )


if __name__ == "__main__":
    run_program(main)
