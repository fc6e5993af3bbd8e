"""One training from config to run folder: evolve, log, checkpoint, validate, keep the best."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from robolearn.config import Config, parse_config
from robolearn.envs.vector_env import RobotVectorEnv, env_name
from robolearn.errors import UserError
from robolearn.learning.evolution import Evolution, summarise
from robolearn.learning.strategies import make_strategy
from robolearn.shifts import parse_shifts
from robolearn.tracking.progress import Progress
from robolearn.tracking.run import RunFolder
from robolearn.tracking.wandb_log import WandbLog
from robolearn.zoo import build_agent, save_trained

# Purpose of the stream that draws the first genome.
_BIRTH = 10


def train(config: Config, out: Path, command: list[str]) -> Path:
    """Train from the beginning in the new run folder `out`; returns it.

    Raises:
        UserError: the folder holds something, or the config does not fit its env.
    """
    session = _Session(config)
    with RunFolder.create(out, config.to_mapping(), command) as run:
        session.evolve(run)
    return out


def resume(out: Path, command: list[str]) -> Path:
    """Go on with a run that was interrupted; it ends in the same bits as one that never was.

    Raises:
        UserError: no such run, or its checkpoints do not fit.
    """
    config = parse_config(RunFolder.open(out).config, str(out / "config.yaml"))
    session = _Session(config)
    with RunFolder.resume(out, command) as run:
        latest = run.checkpoints.latest()
        if latest is None:
            run.rewind(-1)
        else:
            generation, arrays, figures = latest
            try:
                session.evolution.load_state(arrays, figures)
            except (KeyError, ValueError) as error:
                raise UserError(f"{out}: the checkpoint does not fit its config ({error})") from None
            run.rewind(generation - 1)
        session.evolve(run)
    return out


class _Session:
    """The live objects of one training."""

    def __init__(self, config: Config):
        self.config = config
        env, learning = config.env, config.learning
        strategy_size = learning.hyper.get("population", 128)
        self.training_env = make_env(config, strategy_size * learning.lifetimes, env.life_s)
        self.validation_env = make_env(config, learning.validation_lives)
        # Half of the validation lives are intact, half meet the training shifts.
        plans = parse_shifts(env.shifts)
        self.validation_env.schedule.set_plans((), np.arange(0, learning.validation_lives, 2))
        self.validation_env.schedule.set_plans(plans, np.arange(1, learning.validation_lives, 2))
        agent = build_agent(config, self.training_env)
        first = agent.genome.initial(np.random.default_rng([config.seed, _BIRTH]))
        strategy = make_strategy(learning.kind, first, config.seed, **learning.hyper)
        self.evolution = Evolution(
            self.training_env, agent, strategy, config.seed, learning.lifetimes
        )

    def evolve(self, run: RunFolder) -> None:
        """Run the generations that are left, and leave the best agent in the run folder."""
        config, evolution = self.config, self.evolution
        learning, tracking = config.learning, config.tracking
        begun_at = evolution.total_steps
        with (
            WandbLog(
                tracking.wandb,
                run.path,
                project=tracking.project,
                name=run.path.name if run.path.name != config.name else config.name,
                run_id=run.info.get("wandb_id"),
                config=config.to_mapping(),
            ) as wandb,
            Progress(learning.generations, start=evolution.generation) as progress,
        ):
            while evolution.generation < learning.generations:
                generation = evolution.step()
                metrics = generation.metrics
                done = generation.index + 1
                if done % learning.validate_every == 0 or done == learning.generations:
                    lives, better = evolution.validate(self.validation_env)
                    metrics |= {f"validation/{k}": v for k, v in summarise(lives).items()}
                    metrics["validation/score"] = float(lives.total_reward.mean())
                    if better:
                        self._save_best(run)
                run.log(generation.index, metrics)
                wandb.log(generation.index, metrics)
                if done % tracking.checkpoint_every == 0 or done == learning.generations:
                    run.checkpoints.save(done, *evolution.state())
                if tracking.film_every and done % tracking.film_every == 0:
                    wandb_film(run, wandb, progress.message, done)
                progress.update(
                    done,
                    {
                        "fitness": metrics["fitness/mean"],
                        "best": metrics["fitness/best"],
                        "m/s": metrics["performance"],
                    },
                    steps=evolution.total_steps - begun_at,
                )
            self._save_best(run)
            wandb.log_artifact([run.path / "weights.safetensors"], config.name, "agent")

    def _save_best(self, run: RunFolder) -> None:
        evolution = self.evolution
        save_trained(run.path, self.config, self.training_env, evolution.agent, evolution.best_genome)


def make_env(config: Config, num_envs: int, life_s: float | None = None) -> RobotVectorEnv:
    """Build the env of a config for lifetimes; `life_s` None takes the env's own length of life.

    Raises:
        UserError: the env, its shifts or its parameters do not fit.
    """
    import gymnasium

    steps = gymnasium.spec(config.env.id).max_episode_steps
    make: Callable[[int | None], RobotVectorEnv] = lambda span: RobotVectorEnv(
        env_name(config.env.id),
        num_envs,
        max_episode_steps=span,
        autoreset_mode="Disabled",
        shifts=config.env.shifts,
        variant=config.env.variant,
        **config.env.parameters,
    )
    env = make(steps)
    if life_s is None:
        return env
    return make(max(1, round(life_s / env.world.control_step_s)))


def wandb_film(run: RunFolder, wandb: WandbLog, report: Callable[[str], None], done: int) -> None:
    """Film the best agent so far into the run folder and W&B; never stops the training."""
    from robolearn.filming import film_life

    try:
        files = film_life(run.path, run.films / f"generation-{done:05d}", shifts=None)
    except UserError as error:
        report(f"no film of generation {done}: {error}")
        return
    for file in files:
        if file.suffix == ".mp4":
            wandb.log_film(file)


def describe(config: Config) -> dict[str, Any]:
    """Return the figures of a training that are known before it starts."""
    session = _Session(config)
    return {
        "genome": session.evolution.agent.genome.size,
        "individuals": session.training_env.num_envs,
        "life_steps": session.training_env.max_episode_steps,
    }
