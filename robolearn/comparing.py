"""The verb `compare`: a protocol on any mix of runs, folders of runs and zoo agents."""

import csv
import dataclasses
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robolearn.adaptation.evaluation import Evaluation
from robolearn.adaptation.leaderboard import Leaderboard, Member, make_leaderboard
from robolearn.adaptation.leaderboard_table import print_leaderboard
from robolearn.adaptation.life_cache import LifeCache, default_path, digest_of
from robolearn.adaptation.protocol import Protocol
from robolearn.adaptation.protocol_file import load_protocol
from robolearn.adaptation.protocol_run import evaluate
from robolearn.adaptation.recipes import labels, recipe_of
from robolearn.definitions import read_yaml
from robolearn.envs.registry import task_type
from robolearn.errors import UserError
from robolearn.tracking.atomic_file import check_writable, write_atomically
from robolearn.tracking.console import PlainConsole
from robolearn.tracking.plain_values import to_strict_json
from robolearn.tracking.progress import Progress
from robolearn.tracking.run import RUN_FILE, RunFolder
from robolearn.tuning import JOURNAL
from robolearn.worlds import load_world
from robolearn.zoo import (
    WEIGHTS,
    TrainedAgent,
    is_zoo_entry,
    load_trained,
    name_of,
    zoo_entries,
)

FORMAT = "robolearn-comparison-1"
# The learner that changes nothing between lives.
_NO_LEARNER = "unchanged"


@dataclass(frozen=True)
class Comparison:
    """What was compared: a leaderboard for each env, and the trained agents of its rows.

    `members` holds, for each row of each leaderboard in its order, the agents of its seeds;
    `skipped` tells which envs the protocol does not fit, `unfinished` whose budget is not spent.
    """

    leaderboards: list[Leaderboard]
    members: list[list[list[TrainedAgent]]]
    command: str
    skipped: list[str]
    unfinished: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return plain values: the leaderboards and every evaluation with its raw lives."""
        return to_strict_json(
            {
                "format": FORMAT,
                "command": self.command,
                "unfinished": self.unfinished,
                "leaderboards": [board.to_json() for board in self.leaderboards],
                "evaluations": [
                    {"label": row.label, "source": source, **evaluation.to_json()}
                    for board in self.leaderboards
                    for row in board.rows
                    for source, evaluation in zip(row.sources, row.evaluations, strict=True)
                ],
            }
        )

    def to_csv(self) -> str:
        """Return one line for each life: tidy raw numbers."""
        text = io.StringIO()
        columns = ("env", "protocol", "agent", "source", "condition", "seen", "episode", "seed")
        figures = ("frozen", "onset", "total_reward", "steps", "fell", "fall", "unstable")
        means = ("mean", "before", "early", "late", "late_from", "late_until")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow((*columns, *figures, *means))
        for board in self.leaderboards:
            for row in board.rows:
                for source, evaluation in zip(row.sources, row.evaluations, strict=True):
                    seen = {c.name: c.seen for c in evaluation.conditions}
                    for life in evaluation.lives:
                        writer.writerow(
                            (
                                *(board.env, board.protocol, row.label, source),
                                *(life.condition, seen.get(life.condition, ""), life.episode),
                                *(life.seed, life.frozen, life.onset_s, life.total_reward),
                                *(life.steps, life.fell, life.fall_s, life.unstable),
                                *(life.mean, life.before, life.early, life.late),
                                *(life.late_from_s, life.late_until_s),
                            )
                        )
        return text.getvalue()


def compare_agents(
    agents: Sequence[str],
    protocol_name: str | None = None,
    *,
    episodes: int | None = None,
    seed: int = 0,
    use_cache: bool = True,
    between: tuple[str, str] | None = None,
    command: str = "",
) -> Comparison:
    """Run a protocol on all agents, with progress and ETA on stderr.

    Args:
        agents: run folders, folders of runs and zoo names; none takes the whole zoo.
        protocol_name: in `configs/protocols/` or a path; None takes the one of each env.
        episodes: lives for each condition; None takes the protocol's.
        seed: keys the test lives.
        use_cache: whether lives that were lived before are taken from disk, and new ones kept.
        between: a static agent and a ceiling, such as the same learner trained on that very damage;
            they are compared too, and the share of the gap between them that each agent closes is
            told.
        command: kept with the result.

    Raises:
        UserError: unknown agent or protocol, or a protocol that fits no env of theirs; or the ends
            of the gap are not one recipe each in one env.
    """
    if protocol_name is not None:
        load_protocol(protocol_name)  # a mistyped name is one mistake, and not one of each env
    ends = [[load_trained(folder) for folder in find_runs([name])] for name in between or ()]
    trained = [load_trained(folder) for folder in find_runs(agents)]
    trained = _distinct([*trained, *(agent for end in ends for agent in end)])
    gap_env, gap = _gap(between or (), ends)
    rows = _by_env_and_recipe(trained)
    protocols, skipped = {}, []
    for env in list(rows):
        try:
            protocols[env] = protocol_of(env, protocol_name, episodes)
        except UserError as error:
            skipped.append(str(error))
            del rows[env]
    if not rows:
        raise UserError("; ".join(skipped))
    cache = LifeCache(default_path()) if use_cache else None
    evaluations = _evaluate_all(rows, protocols, seed, cache, command)
    boards, members = [], []
    for env, recipes in rows.items():
        names = labels([_recipe(group[0]) for group in recipes])
        groups = [
            Member(
                label,
                [evaluations[agent.name] for agent in group],
                [agent.name for agent in group],
                born_naive=group[0].config.learning.kind == _NO_LEARNER,
            )
            for label, group in zip(names, recipes, strict=True)
        ]
        labelled = {_recipe_digest(own[0]): x for x, own in zip(names, recipes, strict=True)}
        ends_here = [labelled[digest] for digest in gap] if env == gap_env else []
        board = make_leaderboard(groups, *ends_here)
        by_label = dict(zip(names, recipes, strict=True))
        boards.append(board)
        members.append([by_label[row.label] for row in board.rows])
    judged = [agent for recipes in members for group in recipes for agent in group]
    return Comparison(boards, members, command, skipped, list(_unfinished(judged)))


def compare(
    agents: Sequence[str],
    protocol: str | None,
    episodes: int | None,
    seed: int,
    use_cache: bool,
    json_file: Path | None,
    csv_file: Path | None,
    between: tuple[str, str] | None,
    command: str,
) -> None:
    """Do what `compare_agents` does, write the files, and print the leaderboards."""
    check_writable("--json", json_file)
    check_writable("--csv", csv_file)
    if json_file is not None and csv_file is not None and json_file.resolve() == csv_file.resolve():
        raise UserError(f"--csv {csv_file}: --json names the same file, expected another")
    found = compare_agents(
        agents, protocol, episodes=episodes, seed=seed, use_cache=use_cache, between=between,
        command=command,
    )  # fmt: skip
    console = PlainConsole()
    try:  # first the files: whoever reads the tables may close the pipe after one line
        if json_file is not None:
            text = json.dumps(found.to_json(), indent=1, allow_nan=False)
            write_atomically(json_file, text.encode())
        if csv_file is not None:
            write_atomically(csv_file, found.to_csv().encode())
    finally:
        for board in found.leaderboards:
            print_leaderboard(board, console)
        for line in found.skipped:
            console.print(f"left out: {line}", soft_wrap=True)
        for line in found.unfinished:
            console.print(f"not trained to the end: {line}", soft_wrap=True)
    for told, file in (("raw numbers", json_file), ("one line a life", csv_file)):
        if file is not None:
            console.print(f"{told}: {file}", soft_wrap=True)


def find_runs(agents: Sequence[str]) -> list[str | Path]:
    """Return the runs and zoo agents that are meant, those inside of folders in their order.

    The trials of a tuning are no runs of the folder around it: only who names the tuning gets them.

    Raises:
        UserError: a folder holds no run with a trained agent, or there is nothing in the zoo.
    """
    if not agents:
        entries = list(zoo_entries())
        if not entries:
            raise UserError("the zoo is empty: name runs, such as runs/quickstart")
        return [name_of(entry) for entry in entries]
    found: list[str | Path] = []
    for agent in agents:
        folder = Path(agent)
        if not folder.is_dir() or (folder / "config.yaml").is_file():
            found.append(agent)
            continue
        tunings = {path.parent for path in folder.rglob(JOURNAL)} - {folder}
        weights = (path for path in folder.rglob(WEIGHTS) if tunings.isdisjoint(path.parents))
        runs = sorted(path.parent for path in weights)
        if not runs:
            raise UserError(f"{agent} is no run folder, and holds none that was trained")
        found += runs
    return found


def _distinct(trained: list[TrainedAgent]) -> list[TrainedAgent]:
    """Leave out agents that were named twice, under the same name or another.

    Of those that are born naive, runs of all seeds are the same agent.
    """
    found: dict[str, TrainedAgent] = {}
    for agent in trained:
        config = agent.config
        seed = None if config.learning.kind == _NO_LEARNER else config.seed
        recipe = recipe_of(config.to_mapping())
        found.setdefault(digest_of([digest_of(agent.genome.tobytes()), seed, recipe]), agent)
    return list({agent.name: agent for agent in found.values()}.values())


def _unfinished(trained: list[TrainedAgent]) -> Iterator[str]:
    """Tell of runs whose training has not ended, by name and status."""
    for agent in trained:
        if (agent.folder / RUN_FILE).is_file() and not is_zoo_entry(agent.folder):
            try:
                status = RunFolder.open(agent.folder).status
            except UserError:  # nothing that was lived is lost for it
                status = "unreadable"
            if status != "finished":
                yield f"{agent.name} ({status})"


def _by_env_and_recipe(trained: list[TrainedAgent]) -> dict[str, list[list[TrainedAgent]]]:
    envs: dict[str, dict[str, list[TrainedAgent]]] = {}
    for agent in trained:
        envs.setdefault(agent.env_name, {}).setdefault(_recipe_digest(agent), []).append(agent)
    return {env: list(recipes.values()) for env, recipes in envs.items()}


def _recipe_digest(agent: TrainedAgent) -> str:
    return digest_of(_recipe(agent))


def _recipe(agent: TrainedAgent) -> dict[str, Any]:
    """Return what agents of one row share.

    A zoo agent is one that was picked, no replicate of runs of its recipe: it has its own row.
    """
    recipe = recipe_of(agent.config.to_mapping())
    return {**recipe, "name": agent.name} if is_zoo_entry(agent.folder) else recipe


def _gap(names: Sequence[str], ends: list[list[TrainedAgent]]) -> tuple[str, list[str]]:
    """Return the env in which a gap is measured and the digests of the recipes at its two ends.

    Raises:
        UserError: an end holds several recipes, or they are of different envs, or are the same.
    """
    if not ends:
        return "", []
    found = []
    for name, agents in zip(names, ends, strict=True):
        own = {(agent.env_name, _recipe_digest(agent)) for agent in agents}
        if len(own) > 1:
            raise UserError(f"--gap {name}: holds {len(own)} recipes, an end of a gap is one")
        found.append(own.pop())
    (env, static), (other, ceiling) = found
    if env != other:
        raise UserError(f"--gap: {names[0]} lives in {env}, {names[1]} in {other}")
    if static == ceiling:
        raise UserError(f"--gap: {names[0]} and {names[1]} are of the same recipe")
    return env, [static, ceiling]


def protocol_of(
    env: str, name: str | None, episodes: int | None = None, shifts: Sequence[str] = ()
) -> Protocol:
    """Return a protocol that fits an env, its own unless another is named.

    Args:
        env: folder under `envs/`.
        name: in `configs/protocols/`, or a path.
        episodes: lives for each condition; None takes the protocol's.
        shifts: texts that replace the protocol's conditions.

    Raises:
        UserError: there is none of that name, or it does not fit.
    """
    world = load_world(env)
    if name is None:
        task = task_type(str(world.definition.get("task")), f"envs/{env}/env.yaml")
        name = task.protocol
        if not name:
            raise UserError(f"{env} has no protocol of its own, name one with --protocol")
    protocol = load_protocol(name)
    if shifts:
        protocol = protocol.with_shifts(list(shifts))
    protocol.conditions(world)
    return protocol if episodes is None else dataclasses.replace(protocol, episodes=episodes)


def _evaluate_all(
    rows: dict[str, list[list[TrainedAgent]]],
    protocols: dict[str, Protocol],
    seed: int,
    cache: LifeCache | None,
    command: str,
) -> dict[str, Evaluation]:
    """Evaluate every agent, one after the other, in large batches; returns them by name."""
    todo = [(a, protocols[env]) for env, groups in rows.items() for g in groups for a in g]
    found: dict[str, Evaluation] = {}
    with Progress(100, unit="percent", stream=sys.stderr) as progress:
        try:
            for index, (agent, protocol) in enumerate(todo):
                tell = in_percent(progress, index, len(todo))
                found[agent.name] = evaluate_trained(agent, protocol, seed, cache, tell, command)
        except KeyboardInterrupt:
            if cache is not None:
                progress.message("interrupted; the same command goes on from here")
            raise
    return found


def in_percent(progress: Progress, index: int = 0, agents: int = 1) -> Callable[[float, int], None]:
    """Return what shows the lives of agent number `index` of several; once for every percent.

    The pace of a job is that of its last updates: told more often, it would be that of a moment.
    """
    last = -1

    def report(done: float, total: int) -> None:
        nonlocal last
        percent = int(100 * (index + done / max(total, 1)) / agents)
        if percent > last:
            last = percent
            values = {"agent": f"{index + 1}/{agents}"} if agents > 1 else {}
            progress.update(percent, values)

    return report


def evaluate_trained(
    trained: TrainedAgent,
    protocol: Protocol,
    seed: int,
    cache: LifeCache | None,
    progress: Callable[[float, int], None] | None,
    command: str | None,
) -> Evaluation:
    """Run a protocol on one trained agent."""
    weights = trained.folder / WEIGHTS
    return evaluate(
        trained.env_name,
        trained.agent,
        trained.genome,
        protocol,
        trained_on=trained.trained_on,
        seed=seed,
        env_options=trained.env_options,
        traits={
            "weights": digest_of(weights.read_bytes()),
            "agent": read_yaml(trained.folder / "config.yaml")["agent"],
        },
        cache=cache,
        progress=progress,
        command=command,
    )
