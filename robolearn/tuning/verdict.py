"""What a tuning came to: the best trials side by side, and the command that trains the best."""

import shlex
from pathlib import Path

from rich.table import Table

from robolearn.tracking.console import PlainConsole
from robolearn.tuning.space import override
from robolearn.tuning.study import TUNING_SEED_OFFSET, Tuning

_SHOWN = 10


def print_verdict(tuning: Tuning, extensions: list[Path]) -> None:
    """Print the table of the best trials and the command of the best one.

    Args:
        tuning: what was run.
        extensions: the files of `--with`, which the command needs as well.
    """
    counts = ", ".join(f"{n} {state}" for state, n in tuning.counts().items())
    print(f"{tuning.out}: {counts or 'no trial'}")
    print(
        f"tuned on seed {tuning.seed}, the recipe's plus {TUNING_SEED_OFFSET}: "
        "train and report others"
    )
    best = tuning.finished()[:_SHOWN]
    if not best:
        print("no trial was trained to the end, so there is nothing to recommend")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    keys = list(tuning.settings_of(best[0]))
    for name in ("trial", "score", "steps", *keys):
        table.add_column(name, justify="right", overflow="fold")
    for trial in best:
        steps = trial.user_attrs.get("environment_steps")
        settings = tuning.settings_of(trial)
        values = [override(key, value).partition("=")[2] for key, value in settings.items()]
        shown = "" if steps is None else f"{steps:,}"
        table.add_row(str(trial.number), f"{trial.value:.4g}", shown, *values)
    PlainConsole().print(table)
    words = ["robolearn", "train", tuning.source, *tuning.overrides]
    words += [override(*item) for item in tuning.settings_of(best[0]).items()]
    words += [word for file in extensions for word in ("--with", str(file))]
    print(shlex.join(words))
