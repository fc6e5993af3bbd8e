"""What a task costs on top of its physics: `VectorEnv.step` against the same steps in open loop."""

import time
from collections.abc import Iterator

import numpy as np

from robolearn.bench.measurement import Measurement, Spread, ratios
from robolearn.bench.open_loop import OpenLoop
from robolearn.envs.vector_env import RobotVectorEnv, env_ids
from robolearn.worlds import load_world

# Small enough for most bodies to stay on their feet.
_ACTION = 0.3
_TURN = 10


def measure_env_steps(
    individuals: int = 256, steps: int = 100, repetitions: int = 7
) -> Iterator[Measurement]:
    """Yield the throughput of every env under random actions, with all motors at 80 % where it can.

    Args:
        individuals: number of envs.
        steps: control steps of a repetition, in turns with the open loop.
        repetitions: after one to warm up.
    """
    for env_id, name in sorted(env_ids().items()):
        admissible = load_world(name).definition.get("shifts", ())
        shifts = ["motor_gain:all:0.8"] if "motor_gain" in admissible else []
        env = RobotVectorEnv(name, individuals, autoreset_mode="Disabled", shifts=shifts)
        open_loop = OpenLoop(env.simulation)
        rng = np.random.default_rng(0)
        shape = (steps, *env.action_space.shape)  # (steps, n, a)
        actions = rng.uniform(-_ACTION, _ACTION, shape).astype(np.float32)
        _step_in_turns(env, open_loop, actions[:_TURN])
        ours, bare, lived = [], [], 0
        for _ in range(repetitions):
            env_s, open_s, lived = _step_in_turns(env, open_loop, actions)
            ours.append(lived / env_s)
            bare.append(lived / open_s)
        yield Measurement(
            f"env steps/{env_id}",
            "steps/s",
            Spread.of(ours),
            {"physics": ratios(ours, bare)},
            {
                "individuals": individuals,
                "steps": steps,
                "lived": lived / (individuals * steps),
                "shifts": shifts,
            },
        )
        env.close()


def _step_in_turns(
    env: RobotVectorEnv, open_loop: OpenLoop, actions: np.ndarray
) -> tuple[float, float, int]:
    """Return seconds of the env, seconds of the open loop, and individual steps, for (t, n, a)."""
    env.reset(seed=0)
    open_loop.start()
    alive = np.ones(env.num_envs, np.bool_)
    carried = np.zeros(env.num_envs, np.bool_)  # (n,) back to the start, by the task, in this turn
    env_s = open_s = 0.0
    lived = 0
    for action in actions:
        if not alive.any():
            break
        started = time.perf_counter()
        _, _, terminated, truncated, infos = env.step(action)
        env_s += time.perf_counter() - started
        lived += int(alive.sum())
        open_loop.record(alive)
        alive = alive & ~(terminated | truncated)
        for name in ("trial_end", "pinned"):
            carried |= infos.get(name, False)
        if open_loop.recorded == _TURN:
            open_s += open_loop.replay()
            open_loop.check(~carried)
            if carried.any():
                open_loop.resume()
                carried[:] = False
    open_s += open_loop.replay()
    open_loop.check(~carried)
    return env_s, open_s, lived
