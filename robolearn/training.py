"""One training from config to run folder: learn, log, checkpoint, validate, film, keep the best.

A run may be killed at any moment. What decides its end is in the newest checkpoint; whatever was
logged or saved after that is written again: by evolution with the same bits, by deep RL, whose
random streams and lives under way are in no checkpoint, with a continuation as good.
"""

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from robolearn.adaptation.recipes import differences
from robolearn.agents.protocol import Agent
from robolearn.config import parse_config
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.extensions import load_extension, load_installed, loaded_files
from robolearn.learning.evolution import Evolution, summarise
from robolearn.learning.protocol import Learner
from robolearn.learning.strategies import make_strategy
from robolearn.sections import Config, DeepRLSection, EvolutionSection
from robolearn.shifts import parse_shifts
from robolearn.tracking.atomic_file import TEMPORARY_SUFFIX
from robolearn.tracking.plain_values import to_plain
from robolearn.tracking.progress import Progress
from robolearn.tracking.run import RUN_FILE, RunFolder
from robolearn.tracking.run_lock import LOCK_FILE, is_locked
from robolearn.tracking.wandb_log import WandbLog
from robolearn.zoo import (
    WEIGHTS,
    TrainedAgent,
    build_agent,
    make_env,
    save_trained,
)

if TYPE_CHECKING:  # torch is loaded where it is used
    from robolearn.learning.deep_rl.learner import DeepRL

# Purpose of the stream that draws the first genome.
_BIRTH = 10
_WANDB_FILE = "wandb.json"
# What a resumed run may be given anew, beside `tracking`.
_MAY_CHANGE = ("learning.generations", "learning.total_steps", "learning.workers")


# Hears iterations done and score of each validation, and may raise `TrainingStopped`.
Listener = Callable[[int, float], None]


class TrainingStopped(KeyboardInterrupt):
    """A listener has seen enough: the run is left as after Ctrl-C, and could be resumed."""


def train(
    config: Config, out: Path, command: list[str], on_validation: Listener | None = None
) -> None:
    """Train from the beginning in the new run folder `out`.

    Args:
        config: the whole run.
        out: must not exist, or be empty; made only after everything has been checked.
        command: the command line word by word, kept in the folder.
        on_validation: hears iterations done and score of each validation.

    Raises:
        UserError: the folder holds something, or the config does not fit its env.
        KeyboardInterrupt: as it comes; `resume` goes on from the last whole iteration.
    """
    session = _Session(config)
    session.start()
    _clear_stillborn(out)
    with RunFolder.create(out, config.to_mapping(), command) as run:
        session.learn(run, on_validation)


def resume(out: Path, command: list[str], on_validation: Listener | None = None) -> bool:
    """Go on with a run that was interrupted.

    Evolution ends in the same bits as if it never was; deep RL goes on from its weights, moments
    and statistics, with new lives and new random streams. A finished run goes on only if its
    `config.yaml` was given a larger budget.

    Returns:
        Whether anything was left to do; if not, nothing was touched.

    Raises:
        UserError: no such run, its config is of another one, or its checkpoints do not fit.
        KeyboardInterrupt: as it comes.
    """
    old = RunFolder.open(out)
    config = parse_config(old.config, str(out / "config.yaml"))
    _refuse_another_run(old, config)
    if _is_finished(old, config):
        return False
    session = _Session(config)
    with RunFolder.resume(out, command) as run:
        session.load(run)
        session.learn(run, on_validation)
    return True


def is_of(out: Path, config: Config) -> bool:
    """Return whether `out` holds a run of this very config: `resume` then goes on with it."""
    if not (out / RUN_FILE).is_file():
        return False
    return RunFolder.open(out).config == to_plain(config.to_mapping())


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
        group=config.name,
        run_id=run_id,
        config=config.to_mapping(),
        report=report,
    )


class _Session:
    """The live objects of one training."""

    def __init__(self, config: Config):
        self.config = config
        learning = config.learning
        self.validation_env = make_env(config, learning.validation_lives)
        # Half of the validation lives are intact; the others, the last one too, meet the shifts.
        self.validation_env.schedule.set_plans((), np.arange(0, learning.validation_lives - 1, 2))
        agent = build_agent(config, self.validation_env)
        if isinstance(learning, DeepRLSection):
            self.learner = make_deep_rl(config, learning, agent)
        else:
            self.learner = make_evolution(config, learning, agent)

    def start(self) -> None:
        """Begin from what the config says."""
        if isinstance(self.config.learning, DeepRLSection):
            start_deep_rl(cast("DeepRL", self.learner), self.config, self.config.learning)

    def load(self, run: RunFolder) -> None:
        """Take over the newest checkpoint, if there is one, and drop what was logged after it."""
        latest = run.checkpoints.latest()
        if latest is None:
            self.start()
            run.rewind(-1)
            return
        iteration, arrays, figures = latest
        try:
            self.learner.load_state(arrays, figures)
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{run.path}: the checkpoint does not fit its config ({error})"
            ) from None
        run.rewind(iteration - 1)

    def learn(self, run: RunFolder, on_validation: Listener | None = None) -> None:
        """Do the iterations that are left, and leave the best agent in the run folder."""
        config, learner = self.config, self.learner
        iterations = config.learning.iterations
        steps_before = learner.total_steps
        with (
            Progress(
                iterations, unit=config.learning.iteration_name, start=learner.iteration
            ) as progress,
            open_wandb(run, config, progress.message) as wandb,
        ):
            unsaved = None  # the last whole iteration, if it has no checkpoint
            try:
                while learner.iteration < iterations:
                    metrics = self._iterate(run, wandb)
                    done = learner.iteration
                    unsaved = done, learner.state()
                    if done % config.tracking.checkpoint_every == 0 or done == iterations:
                        run.checkpoints.save(done, *unsaved[1])
                        unsaved = None
                    self._film(run, wandb, progress.message)
                    watched = self._watched(metrics)
                    progress.update(done, watched, steps=learner.total_steps - steps_before)
                    if on_validation is not None and "validation/score" in metrics:
                        on_validation(done, metrics["validation/score"])
            except KeyboardInterrupt:
                if unsaved is not None:
                    run.checkpoints.save(unsaved[0], *unsaved[1])
                raise
            weights = self._save_best(run)
            wandb.log_artifact([weights, run.path / "config.yaml"], config.name, "agent")

    def _iterate(self, run: RunFolder, wandb: WandbLog) -> dict[str, float]:
        """Learn, validate where it is due, and log; returns what was logged."""
        learning, learner = self.config.learning, self.learner
        iteration = learner.step()
        metrics = iteration.metrics
        done = iteration.index + 1
        if done % learning.validate_every == 0 or done == learning.iterations:
            lives, better = learner.validate(self.validation_env)
            metrics |= {f"validation/{name}": mean for name, mean in summarise(lives).items()}
            metrics["validation/score"] = float(lives.total_reward.mean())
            if better:
                self._save_best(run)
        run.log(iteration.index, metrics)
        wandb.log(iteration.index, metrics)
        return metrics

    def _watched(self, metrics: dict[str, float]) -> dict[str, float]:
        """Return the few figures that a user watches."""
        # Two short figures: with pace and ETA they fit a terminal of 80 columns.
        unit = self.learner.env.task.performance_unit
        # A unit is a short name of what is measured; where there is none, the metric has its own.
        label = "performance" if unit.startswith("1") else unit
        watched = {"fitness": "fitness/mean", label: "performance"}
        # The sum leaves no "-0".
        return {label: round(metrics[name], 2) + 0.0 for label, name in watched.items()}

    def _save_best(self, run: RunFolder) -> Path:
        learner = self.learner
        return save_trained(run.path, self.config, learner.env, learner.agent, learner.best_genome)

    def _film(self, run: RunFolder, wandb: WandbLog, report: Callable[[str], None]) -> None:
        """Film a life of the present genome where it is due; a failure is told, no more."""
        every, done = self.config.tracking.film_every, self.learner.iteration
        if not every or done % every:
            return
        from robolearn.filming import film_life

        learner = self.learner
        agent = TrainedAgent(str(run.path), learner.agent, learner.genome, self.config, run.path)
        unit = self.config.learning.iteration_name
        try:
            files = film_life(agent, run.films / f"{unit}-{done:05d}", seed=self.config.seed)
        except Exception as error:  # a film is not worth a training
            report(f"no film of {unit} {done}: {error}")
            return
        for file in files:
            if file.suffix == ".mp4":
                wandb.log_film(file)


def make_evolution(config: Config, learning: EvolutionSection, agent: Agent) -> Learner:
    """Build the search for genomes of `agent`.

    Raises:
        UserError: `learning` does not fit.
    """
    first = agent.genome.initial(np.random.default_rng([config.seed, _BIRTH]))
    strategy = make_strategy(learning.kind, first, config.seed, **learning.hyper)
    n = strategy.population * learning.lifetimes
    population = None
    if learning.workers:
        from robolearn.learning.sharding import ShardedPopulation

        population = ShardedPopulation(
            partial(make_home, config, loaded_files()), n, learning.workers
        )
    env = make_env(config, 1 if population else n, config.env.life_s)
    return Evolution(
        env,
        agent,
        strategy,
        config.seed,
        parse_shifts(config.env.shifts),
        learning.lifetimes,
        population,
        learning.common_lives,
    )


def make_deep_rl(config: Config, learning: DeepRLSection, agent: Agent) -> "DeepRL":
    """Build the algorithm that trains `agent`."""
    from robolearn.learning.deep_rl import LEARNERS, RMAConfig
    from robolearn.learning.deep_rl.learner import DeepRL
    from robolearn.learning.deep_rl.rma import RMA

    hyper = LEARNERS[learning.kind](**learning.hyper)
    env = make_env(config, hyper.num_envs, config.env.life_s, autoreset_mode="SameStep")
    learner = RMA if isinstance(hyper, RMAConfig) else DeepRL
    return learner(env, agent, hyper, config.seed)


def start_deep_rl(learner: "DeepRL", config: Config, learning: DeepRLSection) -> None:
    """Let a new learner begin with the newest checkpoint of `learning.start_from`, if any.

    Raises:
        UserError: no such run, or its env, brain or learner is another.
    """
    source = learning.start_from
    if source is None:
        return
    where = f"learning.start_from = {source!r}"
    try:
        run = RunFolder.open(source)
        old = parse_config(run.config, str(run.path / "config.yaml"))
        latest = run.checkpoints.latest()
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    other = differences([_networks(one) for one in (config, old)])
    if other:
        key, (ours, theirs) = next(iter(other.items()))
        raise UserError(f"{where}: its {key} is {theirs!r}, expected {ours!r} as here")
    if latest is None:
        raise UserError(f"{where}: the run has no checkpoint to begin with")
    try:
        learner.begin_from(latest[1])
    except (KeyError, ValueError) as error:
        raise UserError(f"{where}: its networks do not fit ({error})") from None


def _networks(config: Config) -> dict[str, Any]:
    """Return the keys of a config that two trainings with the same networks share."""
    learning: dict[str, Any] = {"kind": config.learning.kind}
    for name in ("normalize_observation", "critic_hidden"):
        learning[name] = config.learning.hyper.get(name)
    return {
        "learning": learning,
        "env": {"id": config.env.id},
        "agent": config.to_mapping()["agent"],
    }


def make_home(
    config: Config, extensions: list[Path], n: int, threads: int
) -> tuple[RobotVectorEnv, Agent]:
    """Build env and agent of `n` individuals for a worker, which has loaded no `extensions` yet."""
    load_installed()
    for file in extensions:
        load_extension(file)
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
    if latest is not None:
        return latest[0] >= config.learning.iterations
    changed = differences([run.info.get("config", {}), to_plain(config.to_mapping())])
    if "config" in run.info and any(key.startswith("learning.") for key in changed):
        raise UserError(f"{run.path}: no checkpoint is left from which it could go on")
    return True


def _refuse_another_run(run: RunFolder, config: Config) -> None:
    """Refuse a config that would make results of one run look like those of another.

    Raises:
        UserError: a key differs that decides about results and is no budget.
    """
    began = run.info.get("config")  # older runs have not kept it
    if not isinstance(began, dict):
        return
    # Parsed anew, since this version may have keys that the one that began it had not.
    both = [parse_config(began, str(run.path / RUN_FILE)), config]
    found = differences([to_plain(one.to_mapping()) for one in both])
    for key, (first, now) in found.items():
        if key not in _MAY_CHANGE and not key.startswith("tracking."):
            raise UserError(
                f"{run.path / 'config.yaml'}: {key} = {now!r}: the run was begun with {first!r} "
                f"(only {', '.join(_MAY_CHANGE)} and tracking may change)"
            )
