"""A population whose lives are shared out over processes, on one machine or many, with Ray.

Each worker owns an env and an agent for one contiguous part of the population. A life depends on
its genome and its seed alone, so the result is that of one process, bit for bit; a worker that dies
is replaced, and only its lives are lived again. This is the only file that imports Ray.
"""

import os
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.agents.protocol import Agent
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.learning.evolution import Plans
from robolearn.lifetime import Lives, live

# Builds the env and the agent of a worker from (number of individuals, threads).
Home = Callable[[int, int], tuple[RobotVectorEnv, Agent]]

# A part that loses this many workers in one generation has a reason that no new worker cures.
_ATTEMPTS = 3


class ShardedPopulation:
    """The `robolearn.learning.evolution.Population` that lives on `workers` Ray actors.

    Joins the cluster of RAY_ADDRESS, or starts Ray on this machine. Cores are shared out evenly.

    Args:
        home: builds env and agent in the worker; Ray carries it there.
        n: number of individuals.
        workers: number of processes, at most n.
        threads: of each worker; None for an even share of the cores.

    Raises:
        UserError: Ray is not installed, or there are more workers than individuals.
    """

    def __init__(self, home: Home, n: int, workers: int, threads: int | None = None):
        if workers > n:
            raise UserError(f"learning.workers: got {workers}, expected at most {n} (individuals)")
        self._ray = _import_ray()
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to its makers
        if not self._ray.is_initialized():
            self._ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        cores = float(self._ray.cluster_resources().get("CPU", 1.0))
        self._threads = threads or max(1, int(cores // workers))
        self._share = min(float(self._threads), cores / workers)
        self._home = home
        bounds = np.linspace(0, n, workers + 1).astype(int)
        self._parts = [slice(int(a), int(b)) for a, b in pairwise(bounds)]
        self._actors = [self._start(part) for part in self._parts]

    def __call__(
        self, genomes: NDArray[np.float32], seeds: NDArray[np.int64], plans: Plans
    ) -> Lives:
        """Let every genome live its life; returns them in order."""
        pending = [
            actor.live.remote(genomes[part], seeds[part], plans)
            for actor, part in zip(self._actors, self._parts, strict=True)
        ]
        return join_lives(
            [self._collect(i, task, genomes, seeds, plans) for i, task in enumerate(pending)]
        )

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers, each on its own machine."""
        return self._ray.get([actor.pid.remote() for actor in self._actors])

    def close(self) -> None:
        """End the workers; Ray itself stays."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []

    def _start(self, part: slice) -> Any:
        threads = {
            name: str(self._threads)
            for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        }
        variables = {**threads, "OMP_WAIT_POLICY": "passive"}
        options = {"num_cpus": self._share, "runtime_env": {"env_vars": variables}}
        actor = self._ray.remote(_Worker).options(**options)
        return actor.remote(partial(self._home, part.stop - part.start, self._threads))

    def _collect(
        self,
        i: int,
        task: Any,
        genomes: NDArray[np.float32],
        seeds: NDArray[np.int64],
        plans: Plans,
    ) -> Lives:
        """Return the lives of part `i`; they begin again on a new worker if theirs was lost."""
        part = self._parts[i]
        reason = ""
        for _ in range(_ATTEMPTS):
            try:
                return self._ray.get(task)
            except self._ray.exceptions.RayActorError as error:
                reason = str(error).strip().rpartition("\n")[2].strip()
                self._actors[i] = self._start(part)
                task = self._actors[i].live.remote(genomes[part], seeds[part], plans)
        raise UserError(
            f"worker {i} of {len(self._parts)} was lost {_ATTEMPTS} times in one generation: "
            f"{reason}"
        )


class _Worker:
    """What lives in a process of its own."""

    def __init__(self, home: Callable[[], tuple[RobotVectorEnv, Agent]]):
        self._env, self._agent = home()

    def live(self, genomes: NDArray[np.float32], seeds: NDArray[np.int64], plans: Plans) -> Lives:
        self._env.schedule.set_plans(plans)
        return live(self._env, self._agent, self._agent.express(np.array(genomes)), seeds)

    def pid(self) -> int:
        return os.getpid()


def join_lives(parts: list[Lives]) -> Lives:
    """Return the lives of all parts, in order."""

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    names = ("total_reward", "steps", "fell", "unstable", "performance")
    terms = {
        name: np.concatenate([part.reward_terms[name] for part in parts])
        for name in parts[0].reward_terms
    }
    return Lives(**{name: joined(name) for name in names}, reward_terms=terms)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UserError("learning.workers needs Ray: pip install -e '.[ray]'") from None
    return ray
