"""Put the best agent of a run into the zoo: `agents/<kind>/trained/<env>-<recipe>/`."""

import json
import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

from robolearn.definitions import data_folder, definition_folder
from robolearn.errors import UserError
from robolearn.tracking.run import RunFolder
from robolearn.zoo.trained_agent import WEIGHTS, TrainedAgent, load_trained

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Of an evaluation, everything but its single lives, which are as long as all the rest.
_RAW = ("lives",)


def publish(run: str | Path, name: str | None = None, *, replace: bool = False) -> Path:
    """Copy the best agent of a run into the zoo; returns the new folder.

    It holds `config.yaml` and the weights as they are in the run, `metrics.json` (the validation of
    these weights, and the run's `evaluation.json` without its single lives), and a `card.md` to be
    completed by hand.

    Args:
        run: a run folder with trained weights.
        name: of the entry, within its kind of brain; None for <env>-<recipe>.
        replace: write over an entry of this name; its card is kept.

    Raises:
        UserError: the run has no weights, the kind of brain has no folder, the name is taken, or
            the system refused.
    """
    opened = RunFolder.open(run)
    trained = load_trained(opened.path)
    kind = trained.config.agent.kind
    name = name or f"{trained.env_name}-{trained.config.name}"
    if not _NAME.fullmatch(name):
        raise UserError(f"name {name!r}: expected letters, digits, '-', '_' and '.' only")
    definition_folder("agents", kind)
    target = data_folder("agents") / kind / "trained" / name
    if target.exists() and not replace:
        raise UserError(f"{target} exists: give another name, or replace=True")
    metrics = _figures(opened, trained, f"{kind}/{name}")
    try:
        target.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as scratch:
            new = Path(scratch) / name
            new.mkdir()
            for file in ("config.yaml", WEIGHTS):
                shutil.copyfile(opened.path / file, new / file)
            text = json.dumps(metrics, indent=1, ensure_ascii=False)
            (new / "metrics.json").write_text(text + "\n", encoding="utf-8")
            if (target / "card.md").is_file():
                shutil.copyfile(target / "card.md", new / "card.md")
            else:
                card = _card(f"{kind}/{name}", trained, metrics)
                (new / "card.md").write_text(card, encoding="utf-8")
            if target.exists():
                os.rename(target, Path(scratch) / "old")
            os.rename(new, target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _figures(run: RunFolder, trained: TrainedAgent, entry: str) -> dict[str, Any]:
    """Return what is known of the run's best weights, as plain values."""
    lines, unit = run.read_metrics(), trained.config.learning.iteration_name
    validated = [line for line in lines if line.get("validation/score") is not None]
    best = max(validated, key=lambda line: line["validation/score"], default={})
    figures: dict[str, Any] = {
        "command": _anywhere(run.info["command"], run.path, entry),
        "env": trained.config.env.id,
        "agent": trained.config.agent.kind,
        "seed": trained.config.seed,
        "genome_size": trained.agent.genome.size,
        f"{unit}s": lines[-1]["step"] + 1 if lines else 0,
        "environment_steps": lines[-1].get("environment_steps") if lines else None,
        "validation": {
            unit: best.get("step", -1) + 1,
            **{
                key.removeprefix("validation/"): value
                for key, value in best.items()
                if key.startswith("validation/")
            },
        },
        "versions": run.info["versions"],
        "git": run.info["git"],
    }
    if (run.path / "evaluation.json").is_file():
        evaluation = run.read_json("evaluation.json")
        figures["evaluation"] = {k: v for k, v in evaluation.items() if k not in _RAW}
        if "command" in evaluation:
            command = _anywhere(evaluation["command"], run.path, entry)
            figures["evaluation"]["command"] = command
    return figures


def _anywhere(command: str, run: Path, entry: str) -> str:
    """Return a command as it would be given elsewhere: without --out, the run by its zoo name.

    Of other absolute paths, which tell of one machine, the last name is left.
    """
    words, rest = [], iter(shlex.split(command))
    for word in rest:
        path = Path(word)
        if word == "--out":
            next(rest, None)
        elif path.resolve() == run.resolve():
            words.append(entry)
        else:
            words.append(path.name if path.is_absolute() else word)
    return shlex.join(words)


def _card(name: str, trained: TrainedAgent, figures: dict[str, Any]) -> str:
    """Return a first card: what it is, the command that made it, its figures."""
    config, validation = trained.config, figures["validation"]
    unit = config.learning.iteration_name
    shifts = ", ".join(f"`{shift}`" for shift in config.env.shifts) or "none"
    rows = [
        ("genome", f"{figures['genome_size']} elements"),
        ("seed", figures["seed"]),
        (f"{unit}s", figures[f"{unit}s"]),
        ("environment steps", figures["environment_steps"]),
        ("shifts met in training", shifts),
        *((f"validation: {key}", _short(value)) for key, value in validation.items()),
    ]
    if "evaluation" in figures:
        intact = figures["evaluation"].get("intact", {})
        known = {key: value for key, value in intact.items() if value is not None}
        rows += [(f"intact: {key}", _short(value)) for key, value in known.items()]
    lives = "Half of the validation lives are intact, half meet the shifts of training."
    table = "\n".join(f"| {label} | {value} |" for label, value in rows)
    return (
        f"# {name}\n\n"
        f"A brain of kind `{config.agent.kind}` for `{config.env.id}`, trained with the recipe "
        f"`{config.name}` by `{config.learning.kind}`.\n\n"
        f"```sh\n{figures['command']}\n```\n\n"
        f"| figure | value |\n| --- | --- |\n{table}\n\n"
        f"Raw numbers: `metrics.json`. {lives if config.env.shifts else ''}".rstrip()
        + "\n"
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
