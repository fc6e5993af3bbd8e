"""Keep what is found out about a finished run beside it: in its folder, and in its W&B run."""

import sys
from collections.abc import Sequence
from pathlib import Path

from robolearn.adaptation.evaluation import Evaluation
from robolearn.tracking.run import RunFolder
from robolearn.training import open_wandb
from robolearn.zoo import TrainedAgent, name_of

_COLUMNS = (
    "condition",
    "seen",
    "late_reference",
    "late_performance",
    "retention",
    "drop",
    "fall_rate",
    "recovered_share",
    "plasticity_benefit",
)


def keep_evaluation(trained: TrainedAgent, evaluation: Evaluation) -> None:
    """Write `evaluation.json` into the run folder and log the table to W&B; zoo agents are left.

    Raises:
        UserError: the folder cannot be written to.
    """
    run = _run_of(trained)
    if run is None:
        return
    run.write_json("evaluation.json", evaluation.to_json())
    rows = []
    for condition in evaluation.conditions:
        values = {"condition": condition.name, "seen": condition.seen, **condition.metrics}
        rows.append([values.get(column) for column in _COLUMNS])
    with open_wandb(run, trained.config, _to_stderr) as wandb:
        # One step past the training's last, since steps never go back.
        step = trained.config.learning.iterations
        wandb.log(step, {f"evaluation/intact/{k}": v for k, v in evaluation.intact.items()})
        wandb.log_table("evaluation", _COLUMNS, rows)


def keep_films(trained: TrainedAgent, files: Sequence[Path]) -> None:
    """Log the films among `files` to the W&B run of a run folder; zoo agents are left."""
    run = _run_of(trained)
    films = [file for file in files if file.suffix == ".mp4"]
    if run is None or not films:
        return
    with open_wandb(run, trained.config, _to_stderr) as wandb:
        for film in films:
            wandb.log_film(film)


def _run_of(trained: TrainedAgent) -> RunFolder | None:
    """Return the run that an agent came from; None for the zoo's, and in another body."""
    at_home = trained.name == name_of(trained.folder)
    is_run = at_home and (trained.folder / "run.json").is_file()
    return RunFolder.open(trained.folder) if is_run else None


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
