"""A trained agent on disk: `config.yaml` and `weights.safetensors`, found by name or by folder.

The weights carry the genome, the typical magnitudes of the observations, and every hyperparameter
of the brain: a later change of a default does not change a trained agent. Nothing is unpickled.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.agents.module_layout import Layout
from robolearn.agents.protocol import Agent, learns_by_trial
from robolearn.agents.registry import make_agent
from robolearn.config import own_life_steps, parse_config
from robolearn.definitions import data_folder, read_yaml
from robolearn.envs.vector_env import RobotVectorEnv, env_name
from robolearn.errors import UserError, unknown_name
from robolearn.sections import MOST_LIFE_S, Config
from robolearn.shifts import ShiftPlan, parse_shifts, plans_at
from robolearn.tracking.checkpoint import load_arrays, save_arrays
from robolearn.worlds import load_world

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
    def file_name(self) -> str:
        """How the names of files about it begin, without dots: `quickstart-seed-0`."""
        own = f"{self.config.name}-seed-{self.config.seed}"
        name = self.folder.resolve().name if is_zoo_entry(self.folder) else own
        return name.replace(".", "-")

    @property
    def env_name(self) -> str:
        """Folder of its env under `envs/`."""
        return env_name(self.config.env.id)

    @property
    def env_options(self) -> dict[str, Any]:
        """Keyword arguments of the env: variant, senses, motors and rewards of its training."""
        env = self.config.env
        rewards = {"rewards": env.rewards} if env.rewards else {}
        return {"variant": env.variant, **rewards, **env.parameters}

    @property
    def trained_on(self) -> tuple[ShiftPlan, ...]:
        """The shifts that it met in training: of a stage that the budget does not reach, none."""
        plans = parse_shifts(self.config.env.shifts)
        last = self.config.learning.iterations
        return tuple(p.at_any_severity() for p in plans if p.iterations[0] < last)


def make_env(
    config: Config,
    num_envs: int,
    life_s: float | None = None,
    shifts: Any = None,
    threads: int | None = None,
    autoreset_mode: str = "Disabled",
) -> RobotVectorEnv:
    """Build the env of a config.

    Args:
        config: of the run.
        num_envs: number of individuals n.
        life_s: length of a life in seconds; None takes the longer of the env's own and that of
            training: who learns within a life is judged by the whole of it.
        shifts: what may happen to the bodies; None takes what happens in training, at its end.
        threads: of the physics; None takes every core.
        autoreset_mode: "Disabled" for lifetimes, "SameStep" for stable-baselines3.

    Raises:
        UserError: the env, its shifts, rewards or parameters do not fit.
    """
    env = config.env
    name = env_name(env.id)
    if shifts is None:
        shifts = plans_at(parse_shifts(env.shifts), config.learning.iterations - 1)
    step_s = load_world(name, env.variant).control_step_s
    if life_s is None:
        life_s = max((own_life_steps(env.id) or 0) * step_s, env.life_s or 0.0)
    if life_s > MOST_LIFE_S:
        raise UserError(f"a life must be of at most {MOST_LIFE_S:g} s, got {life_s:g} s")
    return RobotVectorEnv(
        name,
        num_envs,
        max_episode_steps=max(1, round(life_s / step_s)),
        autoreset_mode=autoreset_mode,
        shifts=shifts,
        threads=threads,
        variant=env.variant,
        rewards=env.rewards,
        **env.parameters,
    )


def build_agent(config: Config, env: RobotVectorEnv) -> Agent:
    """Build the agent of a config for the observations and actions of `env`.

    Raises:
        UserError: they do not fit, or it would learn from trials where there are none.
    """
    division = config.agent.modules
    agent = make_agent(
        config.agent.kind,
        env.task.observation_size,
        env.task.action_size,
        env.task.observation_scale,
        modules=Layout(**env.task.modules(division)) if division else None,
        **config.agent.hyper,
    )
    if learns_by_trial(agent) and not env.task.has_trials:
        raise UserError(
            f"agent.kind = {agent.kind!r}: it learns when a trial ends, and lives of "
            f"{config.env.id} have no trials, so it never would; reward it by step "
            "(agent.credit or agent.judgement, where the kind has one), or set learning_rate to 0"
        )
    return agent


def save_trained(
    folder: Path, config: Config, env: RobotVectorEnv, agent: Agent, genome: NDArray[np.float32]
) -> Path:
    """Write the weights of an agent into a run folder; returns the path.

    Args:
        folder: the run folder, which holds the config already.
        config: of the run, with every hyperparameter filled in.
        env: that it was trained in.
        agent: the kind of brain.
        genome: (g,).

    Raises:
        UserError: the system refused; older weights are intact.
    """
    path = folder / WEIGHTS
    arrays = {"genome": genome.astype(np.float32), "input_scale": env.task.observation_scale}
    layout = getattr(agent, "layout", None)  # only brains of modules have one
    if isinstance(layout, Layout):
        arrays |= {f"modules.{name}": value for name, value in vars(layout).items()}
    save_arrays(
        path,
        arrays,
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


def load_trained(name_or_run: str | Path) -> TrainedAgent:
    """Load a zoo agent or the best agent of a run.

    `AGENT@ENV`, such as `runs/x/seed-0@robolearn/Hexapod-v0`, is the same genome in another body.

    Raises:
        UserError: there is no such agent, or its files are broken; nothing is ever unpickled; or
            its genome does not fit the other body.
    """
    address, at, env_id = str(name_or_run).rpartition("@")
    if at and not Path(name_or_run).exists():
        return _moved(load_trained(address), env_id)
    folder = find_agent(name_or_run)
    config = parse_config(read_yaml(folder / "config.yaml"), str(folder / "config.yaml"))
    path = folder / WEIGHTS
    if not path.exists():
        raise UserError(f"{folder} has no trained agent yet ({WEIGHTS} is missing)")
    arrays, saved = load_arrays(path, _KIND)
    try:
        genome = arrays["genome"]
        agent = make_agent(
            saved["agent"],
            saved["observation_size"],
            saved["action_size"],
            arrays["input_scale"],
            modules=_saved_layout(arrays) if config.agent.modules else None,
            **saved["hyper"],
        )
    except KeyError as error:
        raise UserError(f"{path} holds no agent: {error} is missing") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if genome.shape != (agent.genome.size,) or not np.isfinite(genome).all():
        raise UserError(
            f"{path}: expected a finite genome of {agent.genome.size} elements, "
            f"got shape {genome.shape}"
        )
    return TrainedAgent(name_of(folder), agent, genome, config, folder)


def _saved_layout(arrays: dict[str, NDArray[Any]]) -> Layout:
    return Layout(**{field.name: arrays[f"modules.{field.name}"] for field in fields(Layout)})


def _moved(trained: TrainedAgent, env_id: str) -> TrainedAgent:
    """Return a trained agent in the body of another env, where it has met no shift yet.

    Everything else is as in its training: variant, rewards, parameters, length of life. Its genome
    must fit: that of a leg's module fits any number of legs that are built alike.

    Raises:
        UserError: it does not.
    """
    name = f"{trained.name}@{env_id}"
    content = trained.config.to_mapping()
    content["env"] |= {"id": env_id, "shifts": []}
    config = parse_config(content, name)
    agent = build_agent(config, make_env(config, 1))
    if agent.genome != trained.agent.genome:
        raise UserError(
            f"{name}: a genome of {trained.agent.genome.size} elements does not fit this body, "
            f"which takes {agent.genome.size}; those of one module a leg fit (agent.modules = legs)"
        )
    return TrainedAgent(name, agent, trained.genome, config, trained.folder)


def find_agent(name_or_run: str | Path) -> Path:
    """Return the folder of a run or a zoo entry.

    Raises:
        UserError: there is none; the message lists the runs inside the folder, or the zoo.
    """
    path = Path(name_or_run)
    if (path / "config.yaml").is_file():
        return path
    entries = {name_of(entry): entry for entry in zoo_entries()}
    if str(name_or_run) in entries:
        return entries[str(name_or_run)]
    inside = sorted(str(config.parent) for config in path.glob("*/config.yaml"))
    if inside:
        raise UserError(f"{path} is a folder of runs: name one (valid: {', '.join(inside)})")
    raise unknown_name("run folder or zoo agent", str(name_or_run), entries)


def zoo_entries() -> Iterator[Path]:
    """Yield the folder of every trained agent under `agents/`, sorted."""
    yield from sorted(p.parent for p in data_folder("agents").glob(f"*/trained/*/{WEIGHTS}"))


def name_of(folder: Path) -> str:
    """Return the name of a zoo entry (`spiking/quadruped-quickstart`) or run folder."""
    if is_zoo_entry(folder):
        place = folder.resolve()
        return f"{place.parent.parent.name}/{place.name}"
    return str(folder)


def is_zoo_entry(folder: Path) -> bool:
    """Return whether a trained agent's folder is of the zoo, and no run."""
    place = folder.resolve().parent
    return place.name == "trained" and data_folder("agents").resolve() in place.parents
