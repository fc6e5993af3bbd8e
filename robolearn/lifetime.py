"""The inner loop that learners, protocols, recordings and benchmarks share: lives in bodies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.protocol import Agent, Feedback, Parameters
from robolearn.envs.vector_env import RobotVectorEnv

# Purpose key of the stream that brains draw from; resets and shifts have their own.
AGENT_STREAM = 2
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Lives:
    """What came of `n` lives of at most T control steps.

    Attributes:
        total_reward: (n,), summed over the life.
        steps: (n,) control steps lived.
        fell: (n,) the life was ended by the task's rule, not by its length.
        unstable: (n,) the physics diverged.
        performance: (n, T) the task's measure of every step, 0 from the end of a life on.
        reward_terms: (n,) sums of the weighted terms by name.
    """

    total_reward: NDArray[np.float64]
    steps: NDArray[np.int64]
    fell: NDArray[np.bool_]
    unstable: NDArray[np.bool_]
    performance: NDArray[np.float32]
    reward_terms: dict[str, NDArray[np.float64]]

    @property
    def mean_performance(self) -> NDArray[np.float64]:
        """Mean over the whole span T, (n,): whoever falls early scores little."""
        return self.performance.mean(axis=1, dtype=np.float64)


@dataclass
class Moment:
    """What a listener sees after every control step; arrays are live, copy what you keep.

    Attributes:
        step: control steps lived before this one.
        env: the bodies.
        state: the brains.
        action: (n, a).
        reward: (n,).
        infos: what the env told of this step, such as the trial's outcome, (n,) each.
        alive: (n,) who lived in this step.
    """

    step: int
    env: RobotVectorEnv
    state: Any
    action: NDArray[np.float32]
    reward: NDArray[np.float64]
    infos: dict[str, Any]
    alive: NDArray[np.bool_]


def live(
    env: RobotVectorEnv,
    agent: Agent,
    parameters: Parameters,
    seeds: ArrayLike,
    *,
    frozen_from: ArrayLike = NEVER,
    quiet_from: ArrayLike = NEVER,
    listener: Callable[[Moment], None] | None = None,
) -> Lives:
    """Let every individual of `env` live one life, from its own seed.

    Args:
        env: in autoreset mode DISABLED and with a limit on the life.
        agent: the kind of brain.
        parameters: from `agent.express`, leading axis n.
        seeds: (n,) one for each individual; equal seeds meet equal resets, shifts and noise.
        frozen_from: (n,) or scalar, control step from which the brain no longer learns.
        quiet_from: (n,) or scalar, control step from which exploration noise is off.
        listener: called after every control step.

    Returns:
        The lives; finished individuals cost neither physics nor brain.
    """
    n, span = env.num_envs, env.max_episode_steps
    if span is None or env.autoreset_mode.value != "Disabled":
        raise ValueError("a lifetime needs an env with max_episode_steps and autoreset DISABLED")
    seeds = [int(seed) for seed in np.broadcast_to(np.asarray(seeds), (n,))]
    frozen_from, quiet_from = np.asarray(frozen_from), np.asarray(quiet_from)
    everyone = np.arange(n)
    observation, _ = env.reset(seed=list(seeds))
    state = agent.new_state(n)
    rngs = [np.random.default_rng([seed, AGENT_STREAM]) for seed in seeds]
    agent.reset(parameters, state, everyone, rngs)
    feedback = Feedback.first(n)
    total, steps = np.zeros(n), np.zeros(n, np.int64)
    fell, unstable = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    performance = np.zeros((span, n), np.float32)  # a step's figures lie together
    sums = {name: np.zeros(n) for name in env.task.rewards}
    for step in range(span):
        np.less(step, frozen_from, out=feedback.plastic)
        np.less(step, quiet_from, out=feedback.explore)
        action = agent.act(parameters, state, observation, feedback)
        observation, reward, terminated, truncated, infos = env.step(action)
        alive = feedback.alive
        total += reward
        steps += alive
        performance[step] = infos["performance"]
        for name, term in sums.items():
            np.add(term, infos[f"reward_{name}"], out=term)
        if listener is not None:
            listener(Moment(step, env, state, action, reward, infos, alive))
        feedback.reward = reward.astype(np.float32)
        if "trial_end" in infos:  # a life of trials; the context is that of the rewarded one
            feedback.trial_end, feedback.context = infos["trial_end"], infos["context"]
        done = terminated | truncated
        if done.any():
            performance[step, terminated] = 0.0
            fell |= terminated
            unstable |= infos["unstable"]
            agent.finish(state, feedback, np.flatnonzero(done))
            feedback.alive = alive & ~done
            if not feedback.alive.any():
                break
    return Lives(total, steps, fell, unstable, np.ascontiguousarray(performance.T), sums)
