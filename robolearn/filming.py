"""Let a trained agent live one life and write down what a film needs."""

from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robolearn.envs.witness import Witness, film_camera
from robolearn.errors import UserError
from robolearn.lifetime import Moment, live
from robolearn.recording import Trajectory, record
from robolearn.shifts import parse_shifts
from robolearn.tracking.provenance import describe_software
from robolearn.zoo import TrainedAgent, load_trained, make_env


def film_life(
    agent: str | Path | TrainedAgent,
    out: Path,
    shifts: Any = None,
    seed: int = 0,
    life_s: float | None = None,
    *,
    strict: bool = False,
) -> list[Path]:
    """Film one life of a trained agent; returns the files written, the trajectory first.

    Args:
        agent: zoo name, run folder or loaded agent.
        out: where to; `.mp4` a film, `.html` a browser replay, no ending the best that can be made.
        shifts: texts, mappings or plans; None takes those of its training.
        seed: of the life.
        life_s: length of the life; None takes the env's own.
        strict: refuse a replay in place of a film.

    Raises:
        UserError: unknown agent or shift, or nothing can be written.
    """
    trained = agent if isinstance(agent, TrainedAgent) else load_trained(agent)
    trajectory, models = live_on_camera(trained, shifts, seed, life_s)
    camera = film_camera(trained.env_name)
    return record(out, trajectory, models, camera, strict=strict, caption=_title(trained))


def live_on_camera(
    trained: TrainedAgent, shifts: Any, seed: int, life_s: float | None = None
) -> tuple[Trajectory, list[tuple[int, mujoco.MjModel]]]:
    """Return the trajectory of one life, and the body from each step on at which it changed.

    Raises:
        UserError: a shift does not fit the body or the life.
    """
    if life_s is not None and not 0 < life_s < np.inf:
        raise UserError(f"the length of the life must be above 0 s, got {life_s:g}")
    plans = trained.trained_on if shifts is None else parse_shifts(shifts)
    env = make_env(trained.config, 1, life_s, plans)
    witness = Witness(env)
    parameters = trained.agent.express(trained.genome[None])

    def see(moment: Moment) -> None:
        witness.see(moment.step, float(moment.reward[0]))

    live(env, trained.agent, parameters, [seed], listener=see)
    versions = {k: v for k, v in describe_software().items() if v}
    return witness.trajectory(seed, _title(trained), versions), witness.models


def _title(trained: TrainedAgent) -> str:
    """Return what stands over a picture; never a path."""
    return f"{trained.config.name}, seed {trained.config.seed}"
