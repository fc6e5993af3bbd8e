"""Trained agents by name or run folder: load one, and use it in a plain Gymnasium loop."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.agents.protocol import Agent, Feedback
from robolearn.agents.registry import make_agent
from robolearn.config import Config, parse_config
from robolearn.definitions import data_folder, read_yaml
from robolearn.envs.vector_env import RobotVectorEnv, env_name
from robolearn.errors import UserError, unknown_name
from robolearn.shifts import ShiftPlan, parse_shifts
from robolearn.tracking.checkpoint import load_arrays, save_arrays

WEIGHTS = "weights.safetensors"
_KIND = "agent"


@dataclass(frozen=True)
class TrainedAgent:
    """A brain with its genome, and where it was trained.

    Attributes:
        name: of the zoo entry or run.
        agent: the kind of brain, built with its saved hyperparameters.
        genome: (g,) float32.
        config: of the run that made it.
        folder: where it lies.
    """

    name: str
    agent: Agent
    genome: NDArray[np.float32]
    config: Config
    folder: Path

    @property
    def env_name(self) -> str:
        """Folder of its env under `envs/`."""
        return env_name(self.config.env.id)

    @property
    def env_options(self) -> dict[str, Any]:
        """Keyword arguments of `RobotVectorEnv` that make the env it was trained in."""
        return {"variant": self.config.env.variant, **self.config.env.parameters}

    @property
    def trained_on(self) -> tuple[ShiftPlan, ...]:
        """The shifts that it met in training."""
        return parse_shifts(self.config.env.shifts)


class Policy:
    """A trained agent for a plain Gymnasium loop, for one env or a vector env.

    `policy.reset(seed=0)` before each episode, then `action = policy(observation, reward)`.
    """

    def __init__(self, trained: TrainedAgent):
        self.trained = trained
        self._n = 0
        self._parameters: dict[str, Any] = {}
        self._state: Any = None

    def reset(self, seed: int = 0, n: int = 1) -> None:
        """Start the lives of `n` brains; brain i draws its noise from seed + i."""
        agent = self.trained.agent
        self._n = n
        self._parameters = agent.express(np.repeat(self.trained.genome[None], n, axis=0))
        self._state = agent.new_state(n)
        rngs = [np.random.default_rng([seed + i, 2]) for i in range(n)]
        agent.reset(self._parameters, self._state, np.arange(n), rngs)

    def __call__(self, observation: NDArray[Any], reward: Any = 0.0) -> NDArray[np.float32]:
        """Return the action (a,) for an observation (o,), or (n, a) for (n, o).

        Args:
            observation: what the env returned.
            reward: of the step before, a number or (n,); plastic agents may learn from it.

        Raises:
            UserError: the observation has another size than the agent was built for.
        """
        observation = np.asarray(observation)
        single = observation.ndim == 1
        rows = observation[None] if single else observation
        if rows.shape[1:] != (self.trained.agent.observation_size,):
            raise UserError(
                f"{self.trained.name} expects observations of "
                f"{self.trained.agent.observation_size} elements, got shape {observation.shape}"
            )
        if len(rows) != self._n:
            self.reset(n=len(rows))
        feedback = Feedback.first(self._n)
        feedback.reward[:] = reward
        action = self.trained.agent.act(self._parameters, self._state, rows, feedback)
        return action[0] if single else action


def load(name_or_run: str | Path) -> Policy:
    """Load a zoo agent or the best agent of a run as a policy.

    Raises:
        UserError: there is no such agent, or its files are broken; nothing is ever unpickled.
    """
    return Policy(load_trained(name_or_run))


def load_trained(name_or_run: str | Path) -> TrainedAgent:
    """Load a zoo agent or the best agent of a run.

    Raises:
        UserError: there is no such agent, or its files are broken; nothing is ever unpickled.
    """
    folder = find_agent(name_or_run)
    config = parse_config(read_yaml(folder / "config.yaml"), str(folder / "config.yaml"))
    path = folder / WEIGHTS
    if not path.exists():
        raise UserError(f"{folder} has no trained agent yet ({WEIGHTS} is missing)")
    arrays, saved = load_arrays(path, _KIND)
    agent = make_agent(
        saved["agent"],
        saved["observation_size"],
        saved["action_size"],
        arrays["input_scale"],
        **saved["hyper"],
    )
    genome = arrays["genome"]
    if genome.shape != (agent.genome.size,):
        raise UserError(
            f"{path}: expected a genome of {agent.genome.size} elements, got {genome.shape}"
        )
    return TrainedAgent(name_of(folder), agent, genome, config, folder)


def save_trained(
    folder: Path, config: Config, env: RobotVectorEnv, agent: Agent, genome: NDArray[np.float32]
) -> Path:
    """Write the weights of an agent into a run folder; returns the path."""
    path = folder / WEIGHTS
    save_arrays(
        path,
        {"genome": genome.astype(np.float32), "input_scale": env.task.observation_scale},
        {
            "agent": agent.kind,
            "hyper": config.agent.hyper,
            "observation_size": agent.observation_size,
            "action_size": agent.action_size,
            "env": config.env.id,
            "name": config.name,
            "seed": config.seed,
        },
        _KIND,
    )
    return path


def build_agent(config: Config, env: RobotVectorEnv) -> Agent:
    """Build the agent of a config for the observations and actions of `env`."""
    return make_agent(
        config.agent.kind,
        env.task.observation_size,
        env.task.action_size,
        env.task.observation_scale,
        **config.agent.hyper,
    )


def zoo_entries() -> Iterator[Path]:
    """Yield the folder of every trained agent under `agents/`."""
    yield from sorted(p.parent for p in data_folder("agents").glob(f"*/trained/*/{WEIGHTS}"))


def find_agent(name_or_run: str | Path) -> Path:
    """Return the folder of a run or a zoo entry.

    Raises:
        UserError: there is none; the message lists the zoo.
    """
    path = Path(name_or_run)
    if (path / "config.yaml").is_file():
        return path
    entries = {name_of(entry): entry for entry in zoo_entries()}
    if str(name_or_run) in entries:
        return entries[str(name_or_run)]
    raise unknown_name("run folder or zoo agent", str(name_or_run), entries)


def name_of(folder: Path) -> str:
    """Return the name of a zoo entry (`spiking/quadruped-quickstart`) or run folder."""
    if folder.parent.name == "trained":
        return f"{folder.parent.parent.name}/{folder.name}"
    return str(folder)
