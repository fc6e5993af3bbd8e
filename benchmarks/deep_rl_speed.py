"""PPO's rollouts on our vector env against stable-baselines3's SubprocVecEnv of our single env.

    python benchmarks/deep_rl_speed.py --json benchmarks/deep_rl_speed.json

Both sides run the same algorithm with the same hyperparameters and the same normaliser, in turns
within one process, so that a busy machine slows both: ratios count, not seconds. A rollout is the
collection of n_steps × num_envs control steps with the policy's own forward passes; an iteration is
a rollout and the gradient steps on it, which are the same work on both sides. The single envs have
one physics thread each, the vector env as many as there are cores.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv, VecNormalize

from robolearn.bench.surroundings import describe_surroundings, warn_if_busy
from robolearn.exits import run_program
from robolearn.learning.sb3_vec_env import SB3VecEnv

ENVS = ("robolearn/Quadruped-v0", "robolearn/Ant-v0", "robolearn/HalfCheetah-v0")
HYPER: dict[str, Any] = {"n_steps": 128, "batch_size": 256, "n_epochs": 10}


def main() -> None:
    """Measure every env and print a line for each."""
    parser = argparse.ArgumentParser(description="PPO over SB3VecEnv against SubprocVecEnv.")
    parser.add_argument("--envs", nargs="+", default=ENVS, metavar="ID")
    parser.add_argument("--num-envs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7, help="Iterations of each side.")
    parser.add_argument("--json", type=Path, help="Write the figures.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    where, busy = describe_surroundings(), warn_if_busy()
    if busy is not None:
        print(busy)
    rows = []
    for env_id in arguments.envs:
        row = measure(env_id, arguments.num_envs, arguments.rounds)
        rows.append(row)
        print(
            f"{env_id}: rollouts {row['rollout_ratio']:.2f} times as fast, iterations "
            f"{row['iteration_ratio']:.2f} times (gradients: {row['gradient_share']:.0%} of ours)",
            flush=True,
        )
        if arguments.json is not None:
            content = {"num_envs": arguments.num_envs, **HYPER, "surroundings": where}
            arguments.json.write_text(json.dumps({**content, "envs": rows}, indent=1) + "\n")


def measure(env_id: str, n: int, rounds: int) -> dict[str, Any]:
    """Return medians over `rounds` iterations of both sides in turns, the first one left out."""
    sides = {"ours": ours(env_id, n), "subproc": subproc(env_id, n)}
    timers = {name: Timed(venv) for name, venv in sides.items()}
    for timed in timers.values():
        timed.iterate()  # compiles, fills caches
    seconds = {name: np.array([]).reshape(0, 2) for name in timers}
    for turn in range(rounds):
        for name in sorted(timers, reverse=bool(turn % 2)):
            seconds[name] = np.vstack((seconds[name], timers[name].iterate()))
    for venv in sides.values():
        venv.close()
    mine, theirs = np.median(seconds["ours"], axis=0), np.median(seconds["subproc"], axis=0)
    steps = n * HYPER["n_steps"]
    return {
        "env": env_id,
        "rollout_ratio": float(theirs[0] / mine[0]),
        "iteration_ratio": float(theirs.sum() / mine.sum()),
        "gradient_share": float(mine[1] / mine.sum()),
        "rollout_ratio_of_each_round": (seconds["subproc"][:, 0] / seconds["ours"][:, 0]).tolist(),
        "rollout_steps_per_s": {"ours": steps / mine[0], "subproc": steps / theirs[0]},
        "seconds_rollout_and_gradients": {k: v.tolist() for k, v in seconds.items()},
    }


class Timed:
    """A PPO whose rollouts and gradient steps are timed apart."""

    def __init__(self, venv: VecEnv):
        self.algorithm = PPO("MlpPolicy", VecNormalize(venv), device="cpu", seed=0, **HYPER)
        self._rollout_ended = 0.0
        train = self.algorithm.train

        def timed_train() -> None:
            self._rollout_ended = time.perf_counter()
            train()

        self.algorithm.train = timed_train

    def iterate(self) -> tuple[float, float]:
        """Return the seconds of one rollout and of the gradients on it."""
        begun = time.perf_counter()
        steps = self.algorithm.n_steps * self.algorithm.n_envs
        self.algorithm.learn(steps, log_interval=None, reset_num_timesteps=False)  # pyright: ignore[reportArgumentType]
        return self._rollout_ended - begun, time.perf_counter() - self._rollout_ended


def ours(env_id: str, n: int) -> VecEnv:
    """Return one vector env of `n` individuals."""
    return SB3VecEnv(gymnasium.make_vec(env_id, n, autoreset_mode="SameStep"))


def subproc(env_id: str, n: int) -> VecEnv:
    """Return `n` processes with a single env each."""
    return SubprocVecEnv([partial(single, env_id)] * n, start_method="forkserver")


def single(env_id: str) -> gymnasium.Env:
    """Return a single env as stable-baselines3's own tools wrap it."""
    import robolearn  # noqa: F401  # registers the ids in a new process

    torch.set_num_threads(1)
    return Monitor(gymnasium.make(env_id))


if __name__ == "__main__":
    run_program(main)
