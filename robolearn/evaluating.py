"""The verb `evaluate`: a protocol on one trained agent, or on every run of a folder of runs."""

import json
import shlex
import sys
from pathlib import Path

from robolearn.adaptation.evaluation import Evaluation
from robolearn.adaptation.life_cache import LifeCache, default_path
from robolearn.adaptation.protocol import Protocol
from robolearn.adaptation.recipes import differences, recipe_of
from robolearn.adaptation.table import print_evaluation, print_summary, summarise
from robolearn.comparing import evaluate_trained, find_runs, in_percent, protocol_of
from robolearn.errors import UserError
from robolearn.mirroring import keep_evaluation
from robolearn.tracking.atomic_file import check_writable, write_atomically
from robolearn.tracking.console import PlainConsole
from robolearn.tracking.plain_values import to_strict_json
from robolearn.tracking.progress import Progress
from robolearn.zoo import TrainedAgent, load_trained


def evaluate_agents(
    agent: str,
    protocol_name: str | None,
    shifts: list[str],
    episodes: int | None,
    seed: int,
    json_file: Path | None,
    command: list[str],
) -> list[Evaluation]:
    """Evaluate a zoo agent, a run, or every run in a folder; write the JSON, print the tables.

    What cannot be kept in a run's folder is told on stderr.

    Args:
        agent: zoo name, run folder, or a folder of runs.
        protocol_name: a name in `configs/protocols/`, or a path; None takes the env's own.
        shifts: texts that replace the protocol's conditions; may be empty.
        episodes: lives for each condition; None takes the protocol's.
        seed: keys the test lives.
        json_file: where the raw numbers go; None writes none.
        command: the command line word by word, kept with the result.

    Raises:
        UserError: unknown agent, protocol or shift, a folder with runs of several recipes, or the
            JSON cannot be written.
    """
    check_writable("--json", json_file)
    evaluations = []
    runs = [load_trained(folder) for folder in find_runs([agent])]
    _check_one_recipe(runs, agent)
    for trained in runs:
        protocol = protocol_of(trained.env_name, protocol_name, episodes, shifts)
        result = evaluate_one(trained, protocol, seed, shlex.join(["robolearn", *command[1:]]))
        evaluations.append(result)
        keep_evaluation(trained, result)
    console = PlainConsole()
    try:  # first the file: whoever reads the tables may close the pipe after one line
        if json_file is not None:
            content = [evaluation.to_json() for evaluation in evaluations]
            text = json.dumps(to_strict_json(content if len(content) > 1 else content[0]), indent=1)
            write_atomically(json_file, text.encode())
    finally:
        for trained, result in zip(runs, evaluations, strict=True):
            console.print(trained.name)
            print_evaluation(result, console)
        if len(evaluations) > 1:
            print_summary(summarise(evaluations), console)
    if json_file is not None:
        console.print(f"raw numbers: {json_file}", soft_wrap=True)
    return evaluations


def evaluate_one(
    trained: TrainedAgent, protocol: Protocol, seed: int, command: str | None = None
) -> Evaluation:
    """Run a protocol on one trained agent, with progress on stderr."""
    with Progress(100, unit="percent", stream=sys.stderr) as progress:
        cache = LifeCache(default_path())
        return evaluate_trained(trained, protocol, seed, cache, in_percent(progress), command)


def _check_one_recipe(runs: list[TrainedAgent], folder: str) -> None:
    """Raise UserError unless all runs are of one recipe: others are no replicates."""
    recipes = [recipe_of(run.config.to_mapping()) for run in runs]
    for run, recipe in zip(runs, recipes, strict=True):
        found = list(differences([recipes[0], recipe]))
        if found:
            raise UserError(
                f"{runs[0].name} and {run.name} are of different recipes, so no replicates (they "
                f"differ in {', '.join(found[:3])}); try robolearn compare {folder}"
            )
