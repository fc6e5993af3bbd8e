"""Let a trained agent live one life and write down what a film needs."""

import dataclasses
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robolearn.agents.protocol import Trace, traces_of
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.envs.witness import Witness, film_camera
from robolearn.errors import UserError
from robolearn.exits import signal_of, sigterm_interrupts
from robolearn.lifetime import Moment, live
from robolearn.recording import Trajectory, check_name, record
from robolearn.recording.brain import BrainWitness
from robolearn.recording.brain_figure import MOST_MOMENTS
from robolearn.shifts import parse_shifts
from robolearn.tracking.atomic_file import check_writable
from robolearn.tracking.provenance import describe_software
from robolearn.zoo import TrainedAgent, load_trained, make_env
from robolearn.zoo.trained_agent import is_zoo_entry


def film_life(
    agent: str | Path | TrainedAgent,
    out: Path,
    shifts: Any = None,
    seed: int = 0,
    life_s: float | None = None,
    *,
    after_s: float = 0.0,
    brain: bool = False,
) -> list[Path]:
    """Film one life of a trained agent; returns the files written, the trajectory first.

    Args:
        agent: zoo name, run folder or loaded agent.
        out: where to; `.mp4` or `.gif` a film, `.html` a browser replay, `.png` the figure of the
            brain alone, no ending the best that can be made.
        shifts: texts, mappings or plans; None takes those of its training.
        seed: of the life.
        life_s: length of what is filmed; None goes to the end of the env's own life, or of
            that of training if it is longer.
        after_s: what is lived unseen before.
        brain: show what goes on in the brain, too.

    Raises:
        UserError: unknown agent or shift, or nothing can be written.
    """
    trained = agent if isinstance(agent, TrainedAgent) else load_trained(agent)
    if out.suffix == ".png" and not brain:
        raise UserError(f"{out}: a .png shows what goes on in the brain: add --brain")
    check_name(out)
    check_writable("--out", out.with_suffix(out.suffix or ".mp4"))
    moments = MOST_MOMENTS if out.suffix == ".png" else None
    trajectory, models = live_on_camera(
        trained, shifts, seed, life_s, after_s=after_s, brain=brain, moments=moments
    )
    camera = film_camera(trained.env_name)
    with _clearing_up_at_sigterm():
        return record(out, trajectory, models, camera, caption=_title(trained))


def film_comparison(
    agents: Sequence[str | Path | TrainedAgent],
    out: Path,
    shifts: Any = None,
    seed: int = 0,
    life_s: float | None = None,
    *,
    after_s: float = 0.0,
) -> list[Path]:
    """Film 2 to 4 agents side by side, in equal bodies with equal seed and damage.

    Args:
        agents: zoo names, run folders or loaded agents, all of one env; where their senses, motors
            or physics differ, that is told on stderr.
        out: where to; `.mp4`, `.gif`, or no ending for a film.
        shifts: texts, mappings or plans; None takes those of the first one's training.
        seed: of every life.
        life_s: length of what is filmed; None goes to the end of the env's own life, or of
            that of training if it is longer.
        after_s: what is lived unseen before.

    Returns:
        The files written: a trajectory for every agent, and the film.

    Raises:
        UserError: unknown agent or shift, agents of different bodies, or no OpenGL.
    """
    from robolearn.recording.comparison import MOST_TILES, Take, write_comparison
    from robolearn.recording.gl import require_gl

    if not 2 <= len(agents) <= MOST_TILES:
        raise UserError(f"a comparison is of 2 to {MOST_TILES} agents, got {len(agents)}")
    check_name(out)
    if out.suffix not in ("", ".mp4", ".gif"):
        raise UserError(f"comparison {str(out)!r}: the file's name must end in .mp4 or .gif")
    check_writable("--out", out.with_suffix(out.suffix or ".mp4"))
    every = [one if isinstance(one, TrainedAgent) else load_trained(one) for one in agents]
    first = every[0]
    names = _names(every)
    for other, name in zip(every[1:], names[1:], strict=True):
        if other.config.env.id != first.config.env.id:
            raise UserError(
                f"{name} lives in {other.config.env.id}, {names[0]} in "
                f"{first.config.env.id}: side by side there can only be agents of one body"
            )
        ours, theirs = first.env_options, other.env_options
        if differing := sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k)):
            print(
                f"note: {names[0]} and {name} differ in {', '.join(differing)}",
                file=sys.stderr,
            )
    require_gl()
    stem, takes, files = out.with_suffix(""), [], []
    camera = film_camera(first.env_name)
    with _clearing_up_at_sigterm():
        for number, (trained, name) in enumerate(zip(every, names, strict=True), 1):
            trajectory, models = live_on_camera(trained, shifts, seed, life_s, after_s=after_s)
            files.append(trajectory.save(stem.with_name(f"{stem.name}-{number}.npz")))
            takes.append(Take(name, trajectory, models))
        return [*files, write_comparison(stem.with_suffix(out.suffix or ".mp4"), takes, camera)]


def live_on_camera(
    trained: TrainedAgent,
    shifts: Any,
    seed: int,
    life_s: float | None = None,
    *,
    after_s: float = 0.0,
    brain: bool = False,
    moments: int | None = None,
) -> tuple[Trajectory, list[tuple[int, mujoco.MjModel]]]:
    """Return the trajectory of one life, and the body from each step on at which it changed.

    The arguments are those of `film_life`; the brain is noted for every frame of a film, or, with
    `moments`, at about so many moments of the life.

    Raises:
        UserError: a shift does not fit the body or the life, or the life is over too early.
    """
    if life_s is not None and not 0 < life_s < np.inf:
        raise UserError(f"the length of the life must be above 0 s, got {life_s:g}")
    if not 0 <= after_s < np.inf:
        raise UserError(f"what is lived before the film must be at least 0 s, got {after_s:g}")
    plans = None if shifts is None else parse_shifts(shifts)
    env = make_env(trained.config, 1, None if life_s is None else after_s + life_s, plans)
    step_s = env.world.control_step_s
    first = round(after_s / step_s)
    body = Witness(env)
    mind = BrainWitness(_stride(env, first, moments)) if brain else None
    parameters = trained.agent.express(trained.genome[None])

    def see(moment: Moment) -> None:
        if moment.step < first:
            return
        body.see(moment.step, float(moment.reward[0]))
        if mind is not None:
            traces = traces_of(trained.agent, moment.state)
            mind.see(moment.step - first, {**traces, "actions": Trace(moment.action)})

    lives = live(env, trained.agent, parameters, [seed], listener=see)
    if lives.steps[0] <= first:
        raise UserError(
            f"nothing is left to film after {after_s:g} s: the life ended at "
            f"{lives.steps[0] * step_s:g} s"
        )
    versions = {k: v for k, v in describe_software().items() if v}
    trajectory = body.trajectory(seed, _title(trained), versions)
    if mind is not None:
        trajectory = dataclasses.replace(trajectory, brain=mind.brain())
    return trajectory, body.models


@contextmanager
def _clearing_up_at_sigterm() -> Iterator[None]:
    """Let SIGTERM end the process after half a film is removed, and not before.

    A caller that handles SIGTERM, such as a training, keeps it; other threads hear no signals.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    try:
        with sigterm_interrupts():
            yield
    except KeyboardInterrupt as interrupt:
        if signal_of(interrupt) != signal.SIGTERM:
            raise
        print("interrupted before the film was done", file=sys.stderr)
        raise SystemExit(128 + signal.SIGTERM) from None


def _stride(env: RobotVectorEnv, first: int, moments: int | None) -> int:
    """Return after how many control steps a brain is noted again."""
    if moments is None:
        from robolearn.recording.film import frame_rate

        return frame_rate(env.world.control_step_s)[0]
    assert env.max_episode_steps is not None
    return max(1, (env.max_episode_steps - first) // moments)


def _names(agents: Sequence[TrainedAgent]) -> list[str]:
    """Return a name for every agent: recipe and seed, or that in the zoo, with a count if equal."""
    names = [
        trained.name if is_zoo_entry(trained.folder) else _title(trained) for trained in agents
    ]
    return [
        f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]


def _title(trained: TrainedAgent) -> str:
    """Return what stands over a picture; never a path."""
    return f"{trained.config.name}, seed {trained.config.seed}"
