"""Ant as a vector env: ours against one process for each env, as Gymnasium and SB3 have it.

All step the same dynamics (a check compares their observations), meet the same random actions and
start new lives by themselves. The others are also tried with fewer envs, and Gymnasium's with as
many workers at once as there are cores, and are judged by the best that they reach. All their
workers, some 220, live at the same time and take turns: they need about 4 GB together.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robolearn.bench.measurement import Measurement, Spread, ratios
from robolearn.simulation import available_cores

_PEERS = ("gymnasium_async", "sb3_subproc")

# The server from which workers are forked imports these once, instead of every worker by itself.
_PRELOADED = [
    "gymnasium.envs.mujoco.ant_v5",
    "stable_baselines3.common.vec_env",
    "robolearn.cli",
]


class Contestant(Protocol):
    """A vector env under test.

    Attributes:
        observation: (n, o), the last one.
        untouched: (n,) rows that have lived without a new start since `reset`.
    """

    observation: NDArray[np.floating]
    untouched: NDArray[np.bool_]

    def reset(self) -> None:
        """Start row i with seed i."""
        ...

    def step(self, actions: NDArray[np.float32]) -> int:
        """Step with actions (n, a); returns how many rows advanced their physics."""
        ...

    def close(self) -> None:
        """End the workers."""
        ...


class GymnasiumContestant:
    """A Gymnasium vector env in autoreset mode NEXT_STEP: a new start takes a step of its own."""

    def __init__(self, env: gymnasium.vector.VectorEnv):
        self._env = env
        self._done = np.zeros(env.num_envs, np.bool_)

    def reset(self) -> None:
        """Start row i with seed i."""
        self.observation, _ = self._env.reset(seed=0)
        self._done[:] = False
        self.untouched = np.ones(self._env.num_envs, np.bool_)

    def step(self, actions: NDArray[np.float32]) -> int:
        """Step with actions (n, a); returns how many rows advanced their physics."""
        advanced = int((~self._done).sum())
        self.observation, _, terminated, truncated, _ = self._env.step(actions)
        self._done = terminated | truncated
        self.untouched &= ~self._done
        return advanced

    def close(self) -> None:
        """End the workers."""
        _end_workers(self._env)


class SB3Contestant:
    """A vector env of stable-baselines3: a new start happens within the last step of a life."""

    def __init__(self, env: Any):
        self._env = env

    def reset(self) -> None:
        """Start row i with seed i."""
        self._env.seed(0)
        self.observation = self._env.reset()
        self.untouched = np.ones(self._env.num_envs, np.bool_)

    def step(self, actions: NDArray[np.float32]) -> int:
        """Step with actions (n, a); returns how many rows advanced their physics."""
        self.observation, _, done, _ = self._env.step(actions)
        self.untouched &= ~done
        return len(actions)

    def close(self) -> None:
        """End the workers."""
        _end_workers(self._env)


def measure_vector_envs(
    envs: int = 64, fewer: int = 16, steps: int = 20, repetitions: int = 9
) -> Iterator[Measurement]:
    """Yield env steps per second of each vector env and how many times faster ours is.

    Args:
        envs: number of envs.
        fewer: number of envs with which the others are tried too.
        steps: control steps of a turn with `envs`; with fewer envs a turn has as many env steps.
        repetitions: turns, after one to warm up.
    """
    actions = np.random.default_rng(0).uniform(-1, 1, (repetitions + 1, steps, envs, 8))
    actions = actions.astype(np.float32)  # (turns, steps, envs, 8)
    contestants: dict[str, tuple[int, Contestant]] = {}
    try:
        for name, (count, make) in _makers(envs, fewer).items():
            contestants[name] = (count, make())
            contestants[name][1].reset()
        samples: dict[str, list[float]] = {name: [] for name in contestants}
        same: dict[str, bool] = {}
        for turn, block in enumerate(actions):
            for name, (count, contestant) in contestants.items():
                speed = _speed(contestant, block.reshape(-1, count, 8))
                if turn > 0:
                    samples[name].append(speed)
            if turn == 0:
                ours = contestants["robolearn"][1]
                same = {
                    name: _agree(ours, contestant)
                    for name, (count, contestant) in contestants.items()
                    if count == envs
                }
    finally:
        for _, contestant in contestants.values():
            contestant.close()
    yield from _compare(samples, {n: c for n, (c, _) in contestants.items()}, same)


def _compare(
    samples: dict[str, list[float]], counts: dict[str, int], same: dict[str, bool]
) -> Iterator[Measurement]:
    """Yield ours with its ratios to the others, then the others."""
    ours = samples["robolearn"]
    against = {}
    for peer in _PEERS:
        against[peer] = ratios(ours, samples[peer])
        tried = [name for name in samples if name.startswith(peer)]
        best = max(tried, key=lambda name: float(np.median(samples[name])))
        against[f"best_{peer}"] = ratios(ours, samples[best])
    for name, values in samples.items():
        details: dict[str, Any] = {"envs": counts[name]}
        if name in same:
            details["same_dynamics"] = same[name]
        yield Measurement(
            f"vector envs/ant/{name}",
            "steps/s",
            Spread.of(values),
            against if name == "robolearn" else {},
            details,
        )


def _makers(envs: int, fewer: int) -> dict[str, tuple[int, Callable[[], Contestant]]]:
    """Return {name: (number of envs, what builds it)}."""
    import robolearn as _  # noqa: F401  (registers the ids)

    methods = multiprocessing.get_all_start_methods()
    # Not fork: this process has threads of MuJoCo and numba, which a forked child would miss.
    method = "forkserver" if "forkserver" in methods else "spawn"
    if method == "forkserver":
        multiprocessing.set_forkserver_preload(_PRELOADED)
    cores = available_cores()
    return {
        "robolearn": (envs, partial(_make_ours, envs)),
        "gymnasium_async": (envs, partial(_make_async, envs, method)),
        f"gymnasium_async, {cores} at once": (envs, partial(_make_async, envs, method, cores)),
        f"gymnasium_async, {fewer} envs": (fewer, partial(_make_async, fewer, method)),
        "sb3_subproc": (envs, partial(_make_subproc, envs, method)),
        f"sb3_subproc, {fewer} envs": (fewer, partial(_make_subproc, fewer, method)),
    }


def _make_ours(count: int) -> Contestant:
    return GymnasiumContestant(gymnasium.make_vec("robolearn/Ant-v0", num_envs=count))


def _make_async(count: int, method: str, at_once: int | None = None) -> Contestant:
    env = gymnasium.vector.AsyncVectorEnv(
        [_make_ant] * count, context=method, max_concurrency=at_once
    )
    return GymnasiumContestant(env)


def _make_subproc(count: int, method: str) -> Contestant:
    from stable_baselines3.common.vec_env import SubprocVecEnv

    return SB3Contestant(SubprocVecEnv([_make_ant] * count, start_method=method))


def _make_ant() -> gymnasium.Env:
    """Return Gymnasium's Ant with the dynamics and observations of ours."""
    if multiprocessing.parent_process() is not None:
        # Ctrl-C reaches workers too; the parent ends them, without a traceback from each.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return gymnasium.make(
        "Ant-v5",
        include_cfrc_ext_in_observation=False,
        contact_cost_weight=0,
        disable_env_checker=True,
    )


def _end_workers(env: Any) -> None:
    """Close an env; its workers are not asked but told, since after Ctrl-C some do not answer."""
    workers = getattr(env, "processes", None)
    if workers is None:
        env.close()
        return
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()
    env.closed = True


def _speed(contestant: Contestant, actions: NDArray[np.float32]) -> float:
    """Return env steps per second over actions (t, n, a)."""
    advanced = 0
    started = time.perf_counter()
    for action in actions:
        advanced += contestant.step(action)
    return advanced / (time.perf_counter() - started)


def _agree(ours: Contestant, theirs: Contestant) -> bool:
    """Return whether rows that have not begun anew observe exactly the same."""
    rows = ours.untouched & theirs.untouched
    return bool(np.array_equal(ours.observation[rows], theirs.observation[rows]))
