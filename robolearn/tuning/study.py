"""A tuning: trainings under one Optuna study in one folder, which processes may share and leave.

- `journal.log`: the study; what it holds survives a kill
- `trial-0003/`: the run folder of a trial, as `robolearn train` leaves it
- `locks/`: who works on what; a trial under way that nobody holds is taken up again
"""

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from robolearn import training
from robolearn.config import load_config
from robolearn.errors import UserError
from robolearn.sections import Config
from robolearn.tracking.atomic_file import make_folder
from robolearn.tracking.run import RunFolder
from robolearn.tracking.run_lock import RunLock, is_locked
from robolearn.tuning import JOURNAL
from robolearn.tuning.space import override, parse_space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

# Added to the seed of the recipe, so that what was tuned on is not what is reported.
TUNING_SEED_OFFSET = 1_000_000
# The median of fewer trials says little, and so does a score of the first fifth of a budget.
_TRIALS_BEFORE_PRUNING = 4
_PERCENT_BEFORE_PRUNING = 20


class Tuning:
    """The search of one recipe in one folder; `run` does trials until `trials` are there."""

    def __init__(
        self,
        source: str,
        overrides: Sequence[str],
        space: Sequence[str],
        out: Path,
        command: list[str],
    ) -> None:
        """Check everything that can be checked, then open the study or begin it.

        Args:
            source: the recipe, a path or a name.
            overrides: `key=value`, the same for all trials.
            space: texts for `parse_space`.
            out: the folder; new, empty, or of the same tuning.
            command: the command line word by word, kept with each trial.

        Raises:
            UserError: no Optuna, a wrong recipe, key or value, or a folder of something else.
        """
        try:
            import optuna
        except ImportError:
            raise UserError("tune needs Optuna: pip install -e '.[tune]'") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.source, self.overrides, self.out, self.command = source, list(overrides), out, command
        base = load_config(source, self.overrides)
        self.name, self.seed = base.name, base.seed + TUNING_SEED_OFFSET
        self.dimensions = parse_space(space, base)
        for dimension in self.dimensions:
            for value in dimension.values:
                load_config(source, [*self.overrides, override(dimension.key, value)])
        self.study = self._open({"config": self._config({}, "trial").to_mapping(), "space": space})

    def run(self, trials: int) -> None:
        """Do trials, one after the other, until the study holds `trials` of them.

        Raises:
            UserError: as of a training, such as a full disk; the trial can be gone on with.
            KeyboardInterrupt: as it comes; likewise.
        """
        while (claimed := self._claim(trials)) is not None:
            trial, lock = claimed
            try:
                self._try(trial)
            finally:
                lock.release()

    def finished(self) -> "list[FrozenTrial]":
        """Return the trials that were trained to the end, best first."""
        from optuna.trial import TrialState

        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return sorted(done, key=lambda trial: -_score(trial))

    def counts(self) -> dict[str, int]:
        """Return how many trials are in each state, such as {"complete": 3, "pruned": 1}."""
        names = [trial.state.name.lower() for trial in self.study.get_trials(deepcopy=False)]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    def settings_of(self, trial: "FrozenTrial | Trial") -> dict[str, Any]:
        """Return what a trial trains with, key by key."""
        return {d.key: d.rounded(trial.params[d.key]) for d in self.dimensions}

    def _open(self, settings: dict[str, Any]) -> "Study":
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        journal = self.out / JOURNAL
        if self.out.is_dir() and not journal.exists():
            strange = sorted(path.name for path in self.out.iterdir() if path.name != "locks")
            if strange:
                raise UserError(f"{self.out} holds {strange[0]} and no tuning: use another folder")
        make_folder(self.out / "locks")
        lock = self._lock_all()
        try:
            _mend(journal)
            study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(journal))),
                study_name="tuning",
                direction="maximize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(
                    n_startup_trials=_TRIALS_BEFORE_PRUNING, n_warmup_steps=_PERCENT_BEFORE_PRUNING
                ),
            )
            before = study.user_attrs
            for key, value in settings.items():
                if before.get(key, value) != value:
                    raise UserError(
                        f"{self.out} holds a tuning of another {key}: use another --out"
                    )
                if key not in before:
                    study.set_user_attr(key, value)
        finally:
            lock.release()
        return study

    def _claim(self, trials: int) -> "tuple[Trial, RunLock] | None":
        """Take up a trial whose process is gone, or begin one; None if there is none to do."""
        from optuna.trial import Trial, TrialState

        everything = self._lock_all()
        try:
            known = self.study.get_trials(deepcopy=False)
            for old in known:
                if old.state == TrialState.RUNNING and not is_locked(self._lock_of(old.number)):
                    self.study.sampler = _sampler(self.seed, old.number)
                    trial = Trial(self.study, old._trial_id)
                    break
            else:
                if len(known) >= trials:
                    return None
                self.study.sampler = _sampler(self.seed, len(known))
                trial = self.study.ask()
            make_folder(self._lock_of(trial.number))
            lock = RunLock(self._lock_of(trial.number))
            for dimension in self.dimensions:
                # Of a trial that was begun before, this returns what was drawn then.
                trial._suggest(dimension.key, dimension.distribution)
        finally:
            everything.release()
        return trial, lock

    def _try(self, trial: "Trial") -> None:
        """Train with the values of `trial`, and tell the study and the user what came of it."""
        from optuna.trial import TrialState

        settings = self.settings_of(trial)
        label = f"trial {trial.number}: {' '.join(override(*item) for item in settings.items())}"
        twin = self._twin(trial.number, settings)
        if twin is not None:
            trial.set_user_attr("environment_steps", twin.user_attrs.get("environment_steps"))
            self.study.tell(trial, twin.value)
            _say(f"{label}: as trial {twin.number}, {twin.value:.4g}; not trained again")
            return
        _say(label)
        try:
            config = self._config(settings, f"trial-{trial.number}")
        except UserError as error:  # values that do not go together, though each alone does
            self.study.tell(trial, state=TrialState.FAIL)
            _say(f"trial {trial.number}: failed, {error}")
            return
        folder = self._folder(trial.number)
        try:
            self._train(trial, config, folder)
        except training.TrainingStopped:
            score, _ = _result(folder)
            self.study.tell(trial, state=TrialState.PRUNED)
            _say(f"trial {trial.number}: pruned at {score:.4g}, below the median of the others")
            return
        except (ArithmeticError, RuntimeError, ValueError) as error:
            # Values are refused before there is a folder; a full disk, or another process in the
            # folder, is no fault of theirs.
            theirs = not folder.exists() and not isinstance(error.__cause__, OSError)
            if isinstance(error, UserError) and not theirs:
                raise
            self.study.tell(trial, state=TrialState.FAIL)
            _say(f"trial {trial.number}: failed, {' '.join(str(error).split())}")
            return
        score, steps = _result(folder)
        if not math.isfinite(score):
            self.study.tell(trial, state=TrialState.FAIL)
            _say(f"trial {trial.number}: failed, no finite validation score")
            return
        trial.set_user_attr("environment_steps", steps)
        self.study.tell(trial, score)
        best = self.finished()[0]
        _say(f"trial {trial.number}: {score:.4g} (best {best.value:.4g}, trial {best.number})")

    def _train(self, trial: "Trial", config: Config, folder: Path) -> None:
        iterations = config.learning.iterations
        reported = set(self.study.trials[trial.number].intermediate_values)

        def prune(done: int, score: float) -> None:
            # In percent, so that trials whose iterations differ in size are compared in mid-way.
            percent = 100 * done // iterations
            if percent not in reported and math.isfinite(score):
                reported.add(percent)
                trial.report(score, percent)
                if done < iterations and trial.should_prune():
                    raise training.TrainingStopped

        if (folder / "run.json").is_file():
            if reported and max(reported) < 100 and trial.should_prune():
                raise training.TrainingStopped  # killed between the verdict and its record
            training.resume(folder, self.command, prune)
        else:
            training.train(config, folder, self.command, prune)

    def _twin(self, number: int, settings: dict[str, Any]) -> "FrozenTrial | None":
        """Return a finished trial of the same values: the same seed would give the same score."""
        for trial in self.finished():
            if trial.number != number and self.settings_of(trial) == settings:
                return trial
        return None

    def _config(self, settings: dict[str, Any], suffix: str) -> Config:
        own = {**settings, "seed": self.seed, "name": f"{self.name}-{suffix}"}
        return load_config(
            self.source, [*self.overrides, *(override(*item) for item in own.items())]
        )

    def _folder(self, number: int) -> Path:
        return self.out / f"trial-{number:04d}"

    def _lock_of(self, number: int) -> Path:
        return self.out / "locks" / f"trial-{number:04d}"

    def _lock_all(self) -> RunLock:
        """Wait for the right to hand out trials, which others hold for moments only."""
        while True:
            try:
                return RunLock(self.out / "locks")
            except UserError as error:
                if error.__cause__ is not None:  # no other process, but the system
                    raise


def _sampler(seed: int, number: int) -> Any:
    """Return the sampler of one trial, which draws alike whether the tuning was killed or not."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))


def _score(trial: "FrozenTrial") -> float:
    return -math.inf if trial.value is None else trial.value


def _result(folder: Path) -> tuple[float, int | None]:
    """Return the best validation score of a run, and its environment steps."""
    metrics = RunFolder.open(folder).read_metrics()
    scores = [line["validation/score"] for line in metrics if "validation/score" in line]
    finite = [score for score in scores if score is not None and math.isfinite(score)]
    return max(finite, default=math.nan), metrics[-1].get("environment_steps")


def _mend(journal: Path) -> None:
    """Cut off a last line that a kill left half written: Optuna would refuse what follows it."""
    from optuna.storages.journal import JournalFileSymlinkLock

    if not journal.exists():
        return
    lock = JournalFileSymlinkLock(str(journal))
    lock.acquire()
    try:
        content = journal.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(journal, whole)
    finally:
        lock.release()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
