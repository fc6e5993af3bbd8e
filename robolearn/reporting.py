"""The verb `report`: compare agents, film them, and write it all into one page."""

import dataclasses
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from robolearn.adaptation.leaderboard import Leaderboard, Row
from robolearn.adaptation.recipes import recipe_of
from robolearn.comparing import Comparison, compare_agents
from robolearn.envs.witness import film_camera
from robolearn.errors import UserError
from robolearn.filming import live_on_camera
from robolearn.mirroring import keep_report
from robolearn.recording import Trajectory
from robolearn.report import RecordedLife, Section, Subject, write_page
from robolearn.report.curves import LearningCurve
from robolearn.report.provenance import Source
from robolearn.shifts import ShiftPlan
from robolearn.tracking.atomic_file import check_writable, write_atomically
from robolearn.tracking.progress import Progress
from robolearn.tracking.provenance import describe_software
from robolearn.tracking.run import RunFolder
from robolearn.tracking.wandb_log import resolve_mode
from robolearn.zoo import TrainedAgent

# Of a film: long enough for a fall, or for some trials.
_FILM_S = {"s": 8.0, "trials": 20.0}
_FILM_SIZE = (480, 360)
_MOMENTS = 240  # of weights over a life
_SYNAPSES = 64  # that are shown, those that change most
_FILM_SEED = 0


def report(
    agents: list[str],
    protocol: str | None,
    out: Path,
    *,
    episodes: int | None = None,
    seed: int = 0,
    use_cache: bool = True,
    between: tuple[str, str] | None = None,
    films: bool = True,
    wandb: str = "off",
    command: str = "",
) -> Path:
    """Compare agents and write the page; returns its path.

    Args:
        agents: run folders, folders of runs and zoo names; none takes the whole zoo.
        protocol: in `configs/protocols/` or a path; None takes the one of each env.
        out: the page, `.html`.
        episodes: lives for each condition; None takes the protocol's.
        seed: keys the test lives.
        use_cache: whether lives that were lived before are taken from disk.
        between: as in `compare_agents`.
        films: whether one life of each agent is filmed.
        wandb: W&B mode; but for "off" a W&B run of the type "report" gets tables, curves and films.
        command: kept in the page.

    Raises:
        UserError: unknown agent or protocol, or the page cannot be written.
    """
    if out.suffix.lower() != ".html":
        raise UserError(f"--out {out}: the file's name must end in .html")
    check_writable("--out", out)
    resolve_mode(wandb, os.environ)  # a mistake is told before the lives are lived
    found = compare_agents(
        agents, protocol, episodes=episodes, seed=seed, use_cache=use_cache, between=between,
        command=command,
    )  # fmt: skip
    sections = _sections(found, films)
    names = ", ".join(section.title for section in sections)
    page = write_page(sections, f"Who adapts? {names}", command, describe_software())
    write_atomically(out, page.encode())
    project = found.members[0][0][0].config.tracking.project
    keep_report(out, sections, wandb, project, command)
    return out


def _sections(found: Comparison, films: bool) -> list[Section]:
    total = sum(len(board.rows) for board in found.leaderboards)
    sections, done = [], 0
    with Progress(total, unit="film", stream=sys.stderr) as progress:
        tell = progress.message
        for board, members in zip(found.leaderboards, found.members, strict=True):
            subjects = []
            for row, group in zip(board.rows, members, strict=True):
                agent = median_agent(row, group)
                life = None
                try:
                    life = record_life(agent, row, telling_condition(board)) if films else None
                except Exception as error:  # a film is not worth a report
                    why = " ".join(str(error).split()) or type(error).__name__
                    tell(f"no film of {row.label}: {why}")
                subjects.append(
                    Subject(
                        recipe_of(group[0].config.to_mapping()),
                        [_source(agent, tell) for agent in group],
                        [one for agent in group if (one := _learning(agent, tell)) is not None],
                        life,
                    )
                )
                done += 1
                if films:
                    progress.update(done, {})
            told = {k: _plain(v) for k, v in board.rows[0].evaluations[0].protocol.items()}
            sections.append(
                Section(board, subjects, yaml.safe_dump(told, sort_keys=False), _title(members))
            )
    return sections


def median_agent(row: Row, group: list[TrainedAgent]) -> TrainedAgent:
    """Return the agent whose performance under the shifts is the median, the lower of two."""
    means = row.table("late_performance").mean(axis=1)
    by_source = dict(zip(row.sources, means, strict=True))
    ranked = sorted(group, key=lambda agent: by_source[agent.name])
    return ranked[(len(ranked) - 1) // 2]


def _title(members: list[list[TrainedAgent]]) -> str:
    """Return the name of the env as in its id: "robolearn/TMaze-v0" is "TMaze"."""
    return members[0][0].config.env.id.rpartition("/")[2].rpartition("-v")[0]


def telling_condition(board: Leaderboard) -> int:
    """Return the number of the condition in which the retention of the recipes differs most."""
    means = np.array([np.nan_to_num(row.table("retention")).mean(axis=0) for row in board.rows])
    return int(np.ptp(means, axis=0).argmax())


def record_life(agent: TrainedAgent, row: Row, number: int) -> RecordedLife:
    """Film one life under one of the protocol's conditions, which begins in the middle of it."""
    from robolearn.recording.film import write_film
    from robolearn.recording.gl import require_gl
    from robolearn.recording.replay import write_replay

    condition = row.evaluations[0].conditions[number]
    life_s = _FILM_S[row.evaluations[0].time_unit]
    own = {k: v for k, v in condition.shifts[0].items() if k not in ("onset_s", "end_s")}
    plan = ShiftPlan.from_mapping({**own, "onset_s": life_s / 2})
    judged = _with_parameters(agent, row.evaluations[0].protocol["parameters"])
    trajectory, models = live_on_camera(
        judged, [plan], _FILM_SEED, life_s, brain=True, moments=_MOMENTS
    )
    times, weights, noted = _weights_of(trajectory)
    trajectory = dataclasses.replace(trajectory, brain=None)  # films are of the body alone
    whose = f"{agent.config.name}, training seed {agent.config.seed}"
    caption = f"{whose}: {condition.name} at {life_s / 2:g} s"
    camera = film_camera(agent.env_name)
    with tempfile.TemporaryDirectory() as folder:
        film, poster = None, b""
        try:
            require_gl()
            path = Path(folder) / "film.mp4"
            write_film(path, trajectory, models, camera, size=_FILM_SIZE, fps=25, caption=row.label)
            film, poster = path.read_bytes(), _poster(path)
        except UserError:
            pass  # the page says so, and has the replay
        path = Path(folder) / "replay.html"
        write_replay(path, trajectory, models, camera, caption=row.label)
        replay = path.read_text(encoding="utf-8")
    return RecordedLife(caption, film, poster, replay, times, weights, noted)


def _with_parameters(agent: TrainedAgent, parameters: dict[str, Any]) -> TrainedAgent:
    """Return an agent whose lives have some other parameters of the task than in training."""
    env = agent.config.env
    env = env.model_copy(update={"parameters": {**env.parameters, **parameters}})
    return dataclasses.replace(agent, config=agent.config.model_copy(update={"env": env}))


def _poster(film: Path) -> bytes:
    """Return a JPEG of the frame at three fifths of a film, when the shift has begun."""
    import imageio_ffmpeg
    from PIL import Image

    seconds = imageio_ffmpeg.count_frames_and_secs(str(film))[1] or 0.0
    reader = imageio_ffmpeg.read_frames(str(film), input_params=["-ss", f"{0.6 * seconds:.2f}"])
    size = next(reader)["size"]
    picture = Image.frombytes("RGB", size, next(reader))
    reader.close()
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=80)
    return content.getvalue()


def _weights_of(trajectory: Trajectory) -> tuple[Any, Any, int]:
    """Return times (S,) in s, the weights (S, k) that change most, and how many were noted."""
    brain = trajectory.brain
    series = [one.values for one in brain.series if one.kind == "weight"] if brain else []
    if brain is None or not series:
        return None, None, 0
    weights = np.concatenate(series, axis=1)
    chosen = np.argsort(-np.abs(weights - weights[:1]).max(axis=0), kind="stable")[:_SYNAPSES]
    times = np.arange(len(weights)) * brain.stride * trajectory.control_step_s
    return times, weights[:, chosen], weights.shape[1]


def _learning(agent: TrainedAgent, tell: Callable[[str], None]) -> LearningCurve | None:
    """Return the learning curve of a run; None for a zoo agent, or a run of one generation.

    None as well, and one line to `tell`, if its metrics cannot be read.
    """
    if not (agent.folder / "run.json").is_file():
        return None
    try:
        lines = RunFolder.open(agent.folder).read_metrics()
    except UserError as error:
        tell(f"no learning curve of {agent.name}: {error}")
        return None
    told = [x for x in lines if x.get("performance") is not None and x.get("environment_steps")]
    if len(told) < 2:
        return None
    return LearningCurve(
        np.array([line["environment_steps"] for line in told], np.float64),
        np.array([line["performance"] for line in told], np.float64),
    )


def _source(agent: TrainedAgent, tell: Callable[[str], None]) -> Source:
    """Return where an agent comes from, as far as its folder tells; one line if it is damaged."""
    seed = agent.config.seed
    for name in ("run.json", "metrics.json"):
        if (agent.folder / name).is_file():
            folder = RunFolder(agent.folder, lock=None)  # of the zoo: `open` would ask for a run
            try:
                about = folder.info if name == "run.json" else folder.read_json(name)
            except UserError as error:
                tell(f"no command and versions of {agent.name}: {error}")
                break
            commit = (about.get("git") or {}).get("commit", "")
            return Source(agent.name, seed, about.get("command", ""), about.get("versions"), commit)
    return Source(agent.name, seed)


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
