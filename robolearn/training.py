"""One training from config to run folder: evolve, log, checkpoint, validate, film, keep the best.

A run may be killed at any moment. What decides its end is in the newest checkpoint; whatever was
logged or saved after that is written again, with the same bits.
"""

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from robolearn.agents.protocol import Agent
from robolearn.config import Config, parse_config
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.learning.evolution import Evolution, summarise
from robolearn.learning.strategies import make_strategy
from robolearn.tracking.atomic_file import TEMPORARY_SUFFIX
from robolearn.tracking.progress import Progress
from robolearn.tracking.run import RunFolder
from robolearn.tracking.run_lock import LOCK_FILE, is_locked
from robolearn.tracking.wandb_log import WandbLog
from robolearn.zoo import WEIGHTS, TrainedAgent, build_agent, make_env, save_trained

# Purpose of the stream that draws the first genome.
_BIRTH = 10
_WANDB_FILE = "wandb.json"


def train(config: Config, out: Path, command: list[str]) -> None:
    """Train from the beginning in the new run folder `out`.

    Args:
        config: the whole run.
        out: must not exist, or be empty; made only after everything has been checked.
        command: the command line word by word, kept in the folder.

    Raises:
        UserError: the folder holds something, or the config does not fit its env.
        KeyboardInterrupt: as it comes; `resume` goes on from the last whole generation.
    """
    session = _Session(config)
    _clear_stillborn(out)
    with RunFolder.create(out, config.to_mapping(), command) as run:
        session.evolve(run)


def resume(out: Path, command: list[str]) -> bool:
    """Go on with a run that was interrupted; it ends in the same bits as one that never was.

    A finished run goes on only if its `config.yaml` was given more generations.

    Returns:
        Whether anything was left to do; if not, nothing was touched.

    Raises:
        UserError: no such run, or its checkpoints do not fit.
        KeyboardInterrupt: as it comes.
    """
    old = RunFolder.open(out)
    config = parse_config(old.config, str(out / "config.yaml"))
    if _is_finished(old, config):
        return False
    session = _Session(config)
    with RunFolder.resume(out, command) as run:
        session.load(run)
        session.evolve(run)
    return True


def open_wandb(run: RunFolder, config: Config, report: Callable[[str], None]) -> WandbLog:
    """Begin the W&B run that mirrors `run`, or continue it: its id lies in `wandb.json`.

    Args:
        run: the run folder.
        config: of the run.
        report: receives the few lines that the user should see.
    """
    mode, run_id = config.tracking.wandb, None
    if mode != "off":
        try:
            run_id = str(run.read_json(_WANDB_FILE)["id"])
        except (UserError, KeyError, TypeError):
            run_id = secrets.token_hex(4)
            run.write_json(_WANDB_FILE, {"id": run_id, "project": config.tracking.project})
    return WandbLog(
        mode,
        run.path,
        project=config.tracking.project,
        name=f"{config.name}-seed-{config.seed}",
        run_id=run_id,
        config=config.to_mapping(),
        report=report,
    )


class _Session:
    """The live objects of one training."""

    def __init__(self, config: Config):
        self.config = config
        env, learning = config.env, config.learning
        self.validation_env = make_env(config, learning.validation_lives)
        # Half of the validation lives are intact, half meet the training shifts.
        self.validation_env.schedule.set_plans((), np.arange(0, learning.validation_lives, 2))
        agent = build_agent(config, self.validation_env)
        first = agent.genome.initial(np.random.default_rng([config.seed, _BIRTH]))
        strategy = make_strategy(learning.kind, first, config.seed, **learning.hyper)
        n = strategy.population * learning.lifetimes
        population = None
        if learning.workers:
            from robolearn.learning.sharding import ShardedPopulation

            population = ShardedPopulation(partial(make_home, config), n, learning.workers)
        training_env = make_env(config, 1 if population else n, env.life_s)
        self.evolution = Evolution(
            training_env, agent, strategy, config.seed, learning.lifetimes, population
        )

    def load(self, run: RunFolder) -> None:
        """Take over the newest checkpoint, if there is one, and drop what was logged after it."""
        latest = run.checkpoints.latest()
        if latest is None:
            run.rewind(-1)
            return
        generation, arrays, figures = latest
        try:
            self.evolution.load_state(arrays, figures)
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{run.path}: the checkpoint does not fit its config ({error})"
            ) from None
        run.rewind(generation - 1)

    def evolve(self, run: RunFolder) -> None:
        """Run the generations that are left, and leave the best agent in the run folder."""
        config, evolution = self.config, self.evolution
        generations = config.learning.generations
        steps_before = evolution.total_steps
        with (
            Progress(generations, start=evolution.generation) as progress,
            open_wandb(run, config, progress.message) as wandb,
        ):
            unsaved = None  # the last whole generation, if it has no checkpoint
            try:
                while evolution.generation < generations:
                    watched = self._live_one_generation(run, wandb)
                    done = evolution.generation
                    unsaved = done, evolution.state()
                    if done % config.tracking.checkpoint_every == 0 or done == generations:
                        run.checkpoints.save(done, *unsaved[1])
                        unsaved = None
                    self._film(run, wandb, progress.message)
                    progress.update(done, watched, steps=evolution.total_steps - steps_before)
            except KeyboardInterrupt:
                if unsaved is not None:
                    run.checkpoints.save(unsaved[0], *unsaved[1])
                raise
            weights = self._save_best(run)
            wandb.log_artifact([weights, run.path / "config.yaml"], config.name, "agent")

    def _live_one_generation(self, run: RunFolder, wandb: WandbLog) -> dict[str, float]:
        """Live, validate where it is due, and log; returns the few figures that a user watches."""
        learning, evolution = self.config.learning, self.evolution
        generation = evolution.step()
        metrics = generation.metrics
        done = generation.index + 1
        if done % learning.validate_every == 0 or done == learning.generations:
            lives, better = evolution.validate(self.validation_env)
            metrics |= {f"validation/{name}": mean for name, mean in summarise(lives).items()}
            metrics["validation/score"] = float(lives.total_reward.mean())
            if better:
                self._save_best(run)
        run.log(generation.index, metrics)
        wandb.log(generation.index, metrics)
        # Two short figures: with pace and ETA they fit a terminal of 80 columns.
        watched = {"fitness": "fitness/mean", evolution.env.task.performance_unit: "performance"}
        return {label: round(metrics[name], 2) for label, name in watched.items()}

    def _save_best(self, run: RunFolder) -> Path:
        evolution = self.evolution
        return save_trained(
            run.path, self.config, evolution.env, evolution.agent, evolution.best_genome
        )

    def _film(self, run: RunFolder, wandb: WandbLog, report: Callable[[str], None]) -> None:
        """Film a life of the mean genome where it is due; a failure is told and stops nothing."""
        every, done = self.config.tracking.film_every, self.evolution.generation
        if not every or done % every:
            return
        from robolearn.filming import film_life

        evolution = self.evolution
        genome = evolution.strategy.mean.astype(np.float32)
        agent = TrainedAgent(str(run.path), evolution.agent, genome, self.config, run.path)
        try:
            files = film_life(agent, run.films / f"generation-{done:05d}", seed=self.config.seed)
        except Exception as error:  # a film is not worth a training
            report(f"no film of generation {done}: {error}")
            return
        for file in files:
            if file.suffix == ".mp4":
                wandb.log_film(file)


def make_home(config: Config, n: int, threads: int) -> tuple[RobotVectorEnv, Agent]:
    """Build env and agent of `n` individuals for a worker of a sharded population."""
    env = make_env(config, n, config.env.life_s, threads=threads)
    return env, build_agent(config, env)


def _clear_stillborn(out: Path) -> None:
    """Remove what a process left that was killed while it began a run, so that it can begin again.

    The lock is there: somebody found `out` empty and began. `run.json` is not: nothing was trained.
    """
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    ours = {name for name in names if name == "config.yaml" or name.endswith(TEMPORARY_SUFFIX)}
    if ours and names == {*ours, LOCK_FILE} and not is_locked(out):
        for name in ours:
            (out / name).unlink(missing_ok=True)


def _is_finished(run: RunFolder, config: Config) -> bool:
    if run.status != "finished" or not (run.path / WEIGHTS).is_file():
        return False
    latest = run.checkpoints.latest()
    return latest is None or latest[0] >= config.learning.generations
