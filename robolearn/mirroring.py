"""Keep what is found out beside a run and in its W&B run; of a report in a W&B run of its own."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from robolearn.adaptation.evaluation import Evaluation
from robolearn.errors import UserError
from robolearn.report import Section
from robolearn.report.tidy import (
    adaptation_lines,
    condition_table,
    improvement_table,
    leaderboard_table,
    learning_lines,
    profile_lines,
)
from robolearn.tracking.run import RunFolder
from robolearn.tracking.wandb_log import WandbLog, resolve_mode
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
_OWN_SHIFTS = "(own shifts)"  # how `Protocol.with_shifts` ends the name


def keep_evaluation(trained: TrainedAgent, evaluation: Evaluation) -> None:
    """Write `evaluation.json` into the run folder and log the table to W&B; zoo agents are left.

    The file is of a whole protocol: an evaluation of `--shift` is no more than logged. What a
    folder does not let be kept is told on stderr, as the lives were lived all the same.
    """
    run = _run_of(trained)
    if run is None:
        return
    try:
        if not evaluation.protocol["name"].endswith(_OWN_SHIFTS):
            run.write_json("evaluation.json", evaluation.to_json())
        if _is_mirrored(trained):
            _log_evaluation(run, trained, evaluation)
    except UserError as error:
        _to_stderr(f"not kept in the run: {error}")


def keep_films(trained: TrainedAgent, files: Sequence[Path]) -> None:
    """Log the films among `files` to the W&B run of a run folder; zoo agents are left.

    What a folder does not let be kept is told on stderr, as the films are there all the same.
    """
    run = _run_of(trained)
    films = [file for file in files if file.suffix == ".mp4"]
    if run is None or not films or not _is_mirrored(trained):
        return
    try:
        step = _next_step(run)
        with open_wandb(run, trained.config, _to_stderr) as wandb:
            for film in films:
                wandb.log_film(film, step=step)
    except UserError as error:
        _to_stderr(f"not kept in the run: {error}")


def keep_report(
    out: Path, sections: Sequence[Section], mode: str, project: str, command: str
) -> None:
    """Log what a report shows to a W&B run of its own, whose files go beside the page.

    Args:
        out: the page.
        sections: of it.
        mode: of `WandbLog`; "off" does nothing.
        project: of W&B.
        command: that made the page.
    """
    recipes = {row.label: list(row.sources) for section in sections for row in section.board.rows}
    with (
        # Films are read while they are logged: the folder goes after the log is finished.
        tempfile.TemporaryDirectory() as folder,
        WandbLog(
            mode,
            out.resolve().parent,
            project=project,
            name=out.stem,
            job_type="report",
            config={"command": command, "recipes": recipes},
            report=_to_stderr,
        ) as wandb,
    ):
        if wandb.state == "off":
            return
        for number, section in enumerate(sections):
            _log_section(wandb, section, Path(folder) / f"{number}")
        wandb.log_artifact([out], "report", "report")


def _log_evaluation(run: RunFolder, trained: TrainedAgent, evaluation: Evaluation) -> None:
    rows = []
    for condition in evaluation.conditions:
        values = {"condition": condition.name, "seen": condition.seen, **condition.metrics}
        rows.append([values.get(column) for column in _COLUMNS])
    step = _next_step(run)
    with open_wandb(run, trained.config, _to_stderr) as wandb:
        intact = {f"evaluation/intact/{k}": v for k, v in evaluation.intact.items()}
        wandb.log(step, intact, late=True)
        wandb.log_table("evaluation", _COLUMNS, rows)


def _log_section(wandb: WandbLog, section: Section, films: Path) -> None:
    """Log tables, curves and films of one env; the films are written to files that begin so."""
    board, where = section.board, section.title
    wandb.log_table(f"leaderboard/{where}", *leaderboard_table(board))
    wandb.log_table(f"conditions/{where}", *condition_table(board))
    if len(board.rows) > 1:
        wandb.log_table(f"improvement/{where}", *improvement_table(board))
        wandb.log_lines(f"profile/{where}", *profile_lines(board))
    learned = []
    for i, (row, subject) in enumerate(zip(board.rows, section.subjects, strict=True)):
        if row.evaluations[0].trace_step_s > 0:
            wandb.log_lines(f"adaptation/{where}/{row.label}", *adaptation_lines(row))
        learned.append((row.label, subject.learning))
        if subject.life is not None and subject.life.film is not None:
            film = films.with_name(f"{films.name}-{i}.mp4")
            film.write_bytes(subject.life.film)
            wandb.log_film(film, f"films/{where}/{row.label}")
    learning = learning_lines(learned)
    if learning.series:
        wandb.log_lines(f"learning/{where}", *learning)


def _run_of(trained: TrainedAgent) -> RunFolder | None:
    """Return the run that an agent came from; None for the zoo's, and in another body."""
    at_home = trained.name == name_of(trained.folder)
    is_run = at_home and (trained.folder / "run.json").is_file()
    return RunFolder.open(trained.folder) if is_run else None


def _is_mirrored(trained: TrainedAgent) -> bool:
    """Return whether W&B is on for a run; if not, its folder need not be in order for it."""
    return resolve_mode(trained.config.tracking.wandb, os.environ) != "off"


def _next_step(run: RunFolder) -> int:
    """Return the step after the last that was trained: W&B takes no lower ones any more."""
    lines = run.read_metrics()
    return lines[-1]["step"] + 1 if lines else 0


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
