"""What a brain costs by itself: microseconds for one individual and control step."""

import time
from collections.abc import Iterator

import numpy as np

from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import kinds, make_agent
from robolearn.bench.measurement import Measurement, Spread
from robolearn.envs.vector_env import RobotVectorEnv


def measure_brains(
    individuals: int = 256, calls: int = 50, repetitions: int = 15
) -> Iterator[Measurement]:
    """Yield the cost of every kind of agent, with the sizes of the quadruped and its own defaults.

    Args:
        individuals: population.
        calls: control steps in a row; the kinds take turns.
        repetitions: turns of each kind, after one call to compile.
    """
    task = RobotVectorEnv("quadruped").task
    rng = np.random.default_rng(0)
    observation = rng.standard_normal((individuals, task.observation_size)).astype(np.float32)
    feedback = Feedback.first(individuals)
    brains = {}
    for kind in kinds():
        agent = make_agent(kind, task.observation_size, task.action_size)
        genomes = np.stack([agent.genome.initial(rng) for _ in range(individuals)])
        parameters, state = agent.express(genomes), agent.new_state(individuals)
        rngs = [np.random.default_rng(i) for i in range(individuals)]
        agent.reset(parameters, state, np.arange(individuals), rngs)
        agent.act(parameters, state, observation, feedback)
        brains[kind] = (agent, parameters, state)
    samples: dict[str, list[float]] = {kind: [] for kind in brains}
    for _ in range(repetitions):
        for kind, (agent, parameters, state) in brains.items():
            started = time.perf_counter()
            for _ in range(calls):
                agent.act(parameters, state, observation, feedback)
            seconds = time.perf_counter() - started
            samples[kind].append(1e6 * seconds / (calls * individuals))
    for kind, values in samples.items():
        yield Measurement(
            f"brains/{kind}",
            "µs/step",
            Spread.of(values),
            details={"individuals": individuals, "genome": brains[kind][0].genome.size},
        )
