"""A trained agent as a function from observations to actions, for a plain Gymnasium loop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robolearn.agents.protocol import Feedback
from robolearn.errors import UserError
from robolearn.lifetime import AGENT_STREAM
from robolearn.zoo.trained_agent import TrainedAgent, load_trained


class Policy:
    """A trained agent for one env or for a vector env; it learns in life, if its kind does.

        policy = robolearn.load("runs/quickstart/seed-0")
        env = gymnasium.make(policy.env_id, **policy.env_options)
        observation, info = env.reset(seed=0)
        policy.reset(seed=0)
        action = policy(observation)                    # and then, after every step:
        action = policy(observation, reward, info)

    With the seeds of the env it acts, bit for bit, as in the lifetimes of training and evaluation.

    Args:
        trained: the agent.
    """

    def __init__(self, trained: TrainedAgent):
        self.trained = trained
        self._n = 0
        self._parameters: dict[str, Any] = {}
        self._state: Any = None
        self._rngs: list[np.random.Generator] = []

    @property
    def name(self) -> str:
        """Name of the zoo entry, or the run folder."""
        return self.trained.name

    @property
    def env_id(self) -> str:
        """Gymnasium id of the env it was trained in."""
        return self.trained.config.env.id

    @property
    def env_options(self) -> dict[str, Any]:
        """Keyword arguments of `gymnasium.make`: variant, senses, motors and rewards of training.

        Lives are as long as the env's own: give `max_episode_steps` for others, and `life_s` where
        shifts come later than those.
        """
        return self.trained.env_options

    def reset(self, seed: int = 0, n: int = 1) -> None:
        """Start the lives of `n` brains; brain i draws its noise from seed + i."""
        if n < 1:
            raise UserError(f"number of brains must be at least 1, got {n}")
        self._n = n
        genomes = np.repeat(self.trained.genome[None], n, axis=0)
        self._parameters = self.trained.agent.express(genomes)
        self._state = self.trained.agent.new_state(n)
        self._rngs = [np.random.default_rng([seed + i, AGENT_STREAM]) for i in range(n)]
        self.restart(np.ones(n, np.bool_))

    def restart(self, rows: ArrayLike) -> None:
        """Start new lives where `rows` (n,) is True, after the env has reset these rows.

        Raises:
            UserError: it is no mask of shape (n,).
        """
        mask = np.asarray(rows)
        if mask.shape != (self._n,) or mask.dtype != np.bool_:
            raise UserError(f"rows must be a bool array of shape ({self._n},), got {rows!r}")
        ids = np.flatnonzero(mask)
        streams = [self._rngs[i] for i in ids]
        self.trained.agent.reset(self._parameters, self._state, ids, streams)

    def __call__(
        self,
        observation: ArrayLike,
        reward: ArrayLike = 0.0,
        info: Mapping[str, Any] | None = None,
    ) -> NDArray[np.float32]:
        """Return the action (a,) for an observation (o,), or (n, a) for (n, o).

        Args:
            observation: what the env returned.
            reward: of the step before, a number or (n,); agents may learn from it. 0 at first.
            info: of the step before; agents that learn from whole trials hear in it when one ends.

        Raises:
            UserError: the observation has another size than the agent was built for, or another
                number of rows than `reset` began.
        """
        observation = np.asarray(observation)
        single = observation.ndim == 1
        rows = observation[None] if single else observation
        size = self.trained.agent.observation_size
        if rows.shape[1:] != (size,):
            raise UserError(
                f"{self.name} was trained in {self.env_id} on observations of {size} elements, "
                f"got shape {observation.shape}; make the env with **policy.env_options"
            )
        if self._n == 0:
            self.reset(n=len(rows))
        if len(rows) != self._n:
            raise UserError(
                f"got {len(rows)} observations for {self._n} brains: call reset(n={len(rows)})"
            )
        feedback = Feedback.first(self._n)
        feedback.reward[:] = reward
        for name in ("trial_end", "context"):
            if info is not None and name in info:
                getattr(feedback, name)[:] = info[name]
        action = self.trained.agent.act(self._parameters, self._state, rows, feedback)
        return action[0] if single else action


def load(name_or_run: str | Path) -> Policy:
    """Load a zoo agent or the best agent of a run as a policy.

    Args:
        name_or_run: such as "spiking/quadruped-quickstart" or "runs/quickstart/seed-0".

    Raises:
        UserError: there is no such agent, or its files are broken; nothing is ever unpickled.
    """
    from robolearn.extensions import load_installed

    load_installed()
    return Policy(load_trained(name_or_run))
