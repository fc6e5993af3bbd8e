"""Closed-loop lifetimes of plastic spiking quadrupeds against the same physics in open loop."""

import time
from collections.abc import Iterator, Sequence

import numpy as np

from robolearn.agents.protocol import Agent, Parameters
from robolearn.agents.registry import make_agent
from robolearn.bench.measurement import Measurement, Spread, ratios
from robolearn.bench.open_loop import OpenLoop
from robolearn.bench.time_shares import TimeShares
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.lifetime import Lives, Moment, live

# Deviation of the read-out weights: none stands still, a little fidgets without falling, and the
# last behaves as first generations do, half of which fall.
READOUTS = {"standing": 0.0, "moving": 0.05, "falling": 0.25}

# Control steps for which the closed loop and then the open loop have the machine.
_TURN = 10


def measure_lifetimes(
    individuals: int = 256,
    steps: int = 500,
    repetitions: int = 5,
    readouts: Sequence[str] = tuple(READOUTS),
) -> Iterator[Measurement]:
    """Yield throughputs of closed and open loop, their ratio, and where the closed loop's time is.

    The brains have 64 hidden units, 4 spike steps and ABCD plasticity per neuron. The closed loop
    is `robolearn.lifetime.live`, births included; the open loop replays its very controls.

    Args:
        individuals: population.
        steps: control steps of a life.
        repetitions: lives measured, after one to warm up.
        readouts: names in `READOUTS`.
    """
    env = RobotVectorEnv(
        "quadruped", individuals, max_episode_steps=steps, autoreset_mode="Disabled"
    )
    agent = make_agent(
        "spiking",
        env.task.observation_size,
        env.task.action_size,
        env.task.observation_scale,
        hidden=64,
        spike_steps=4,
        rule="abcd",
        granularity="neuron",
    )
    open_loop = OpenLoop(env.simulation)
    live(env, agent, _parameters(agent, individuals, 0.0), np.arange(individuals))
    for name in readouts:
        parameters = _parameters(agent, individuals, READOUTS[name])
        closed, bare, fell = [], [], 0
        for _ in range(repetitions):
            closed_s, open_s, lives = _live_in_turns(env, agent, parameters, open_loop)
            closed.append(lives.steps.sum() / closed_s)
            bare.append(lives.steps.sum() / open_s)
            fell = int(lives.fell.sum())
        details = {"individuals": individuals, "steps": steps, "fell": fell}
        unit = "steps/s"
        against = {"physics": ratios(closed, bare)}
        yield Measurement(f"lifetimes/{name}", unit, Spread.of(closed), against, details)
        yield Measurement(f"lifetimes/{name}/physics", unit, Spread.of(bare), details=details)
        yield from _shares(name, env, agent, parameters, max(1, repetitions // 2))
    env.close()


def _parameters(agent: Agent, individuals: int, readout: float) -> Parameters:
    """Draw brains whose read-out weights have the deviation `readout`."""
    rng = np.random.default_rng(0)
    genomes = np.stack([agent.genome.initial(rng) for _ in range(individuals)])
    parameters = agent.express(genomes)
    weight = readout * rng.standard_normal(parameters["readout.weight"].shape)
    parameters["readout.weight"] = weight.astype(np.float32)
    parameters["readout.bias"] = np.zeros_like(parameters["readout.bias"])
    parameters["readout.coefficients"] = parameters["readout.coefficients"] * np.float32(readout)
    return parameters


def _live_in_turns(
    env: RobotVectorEnv, agent: Agent, parameters: Parameters, open_loop: OpenLoop
) -> tuple[float, float, Lives]:
    """Return seconds of the closed loop, seconds of the open loop, and the lives."""
    seeds = np.arange(env.num_envs)
    env.reset(seed=0)  # row i from seed i: the births with which the lives begin again
    open_loop.start()
    open_s = listening_s = 0.0

    def listen(moment: Moment) -> None:
        nonlocal open_s, listening_s
        started = time.perf_counter()
        open_loop.record(moment.alive)
        if open_loop.recorded == _TURN:
            open_s += open_loop.replay()
        listening_s += time.perf_counter() - started

    started = time.perf_counter()
    lives = live(env, agent, parameters, seeds, listener=listen)
    closed_s = time.perf_counter() - started - listening_s
    open_s += open_loop.replay()
    open_loop.check()
    return closed_s, open_s, lives


def _shares(
    name: str, env: RobotVectorEnv, agent: Agent, parameters: Parameters, repetitions: int
) -> Iterator[Measurement]:
    """Yield the share of every part in the time of a lifetime; they sum to 1 in a repetition."""
    task = env.task
    watched = [
        (env.simulation, "step", "physics"),
        (agent, "act", "brain"),
        (task, "observe", "observation"),
        (task, "weighted_terms", "reward"),
        (task, "terminated", "reward"),
        (task, "performance", "reward"),
        (task, "info", "reward"),
        (task, "control", "action"),
        (task, "before_step", "action"),
        (env, "reset", "birth"),
        (agent, "new_state", "birth"),
        (agent, "reset", "birth"),
    ]
    samples: dict[str, list[float]] = {}
    for _ in range(repetitions):
        clock = TimeShares()
        with clock.watching(watched), clock.part("bookkeeping"):
            live(env, agent, parameters, np.arange(env.num_envs))
        for part, share in clock.shares().items():
            samples.setdefault(part, []).append(share)
    for part, values in sorted(samples.items(), key=lambda item: -max(item[1])):
        yield Measurement(f"lifetimes/{name}/share/{part}", "of time", Spread.of(values))
