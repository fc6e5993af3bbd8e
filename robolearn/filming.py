"""Let a trained agent live one life and write down what a film needs."""

from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.lifetime import Moment, live
from robolearn.recording import ShiftEvent, Trajectory, record
from robolearn.shifts import Shift, parse_shifts
from robolearn.tracking.provenance import describe_software
from robolearn.worlds import World
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
    return record(out, trajectory, models, strict=strict, caption=_title(trained))


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
    camera = _Camera(env)
    parameters = trained.agent.express(trained.genome[None])
    live(env, trained.agent, parameters, [seed], listener=camera.see)
    trajectory = Trajectory(
        world=trained.config.env.id,
        control_step_s=env.world.control_step_s,
        qpos=np.stack(camera.qpos),
        mocap_pos=np.stack(camera.mocap_pos) if env.world.model.nmocap else None,
        speed=np.array(camera.speed),
        reward=np.array(camera.reward),
        alive=np.ones(len(camera.qpos), np.bool_),
        shifts=tuple(camera.events()),
        seed=seed,
        agent=_title(trained),
        versions={k: v for k, v in describe_software().items() if v},
    )
    return trajectory, camera.models


def _title(trained: TrainedAgent) -> str:
    """Return what stands over a picture; never a path."""
    return f"{trained.config.name}, seed {trained.config.seed}"


class _Camera:
    """Listens to a life of one individual."""

    def __init__(self, env: RobotVectorEnv):
        self.env = env
        self.qpos: list[np.ndarray] = []
        self.mocap_pos: list[np.ndarray] = []  # (nmocap, 3) each
        self.speed: list[float] = []
        self.reward: list[float] = []
        self.models: list[tuple[int, mujoco.MjModel]] = []
        self._spans: dict[Shift, tuple[int, int | None]] = {}
        self._active: list[Shift] | None = None

    def see(self, moment: Moment) -> None:
        """Note the body and its motion after a control step."""
        active = self.env.schedule.shifts_of(0)
        if active != self._active:
            self.models.append((moment.step, self.env.simulation.model_of(0)))
            for shift in set(active) - set(self._active or []):
                self._spans[shift] = (moment.step, None)
            for shift in set(self._active or []) - set(active):
                self._spans[shift] = (self._spans[shift][0], moment.step)
            self._active = active
        self.qpos.append(self.env.simulation.qpos[0].copy())
        self.mocap_pos.append(self.env.simulation.read("mocap_pos")[0].copy())
        self.speed.append(float(self.env.task.performance()[0]))
        self.reward.append(float(moment.reward[0]))

    def events(self) -> list[ShiftEvent]:
        """Return what changed in the body, in order of onset."""
        step_s, world = self.env.world.control_step_s, self.env.world
        return [
            ShiftEvent(
                spec=f"{shift.label}@{begin * step_s:g}s",
                onset_s=begin * step_s,
                end_s=None if end is None else end * step_s,
                legs=shift.legs(world),
                bodies=tuple(body for leg in shift.legs(world) for body in _bodies(world, leg)),
            )
            for shift, (begin, end) in sorted(self._spans.items(), key=lambda item: item[1][0])
        ]


def _bodies(world: World, leg: str) -> list[str]:
    return [world.model.body(body).name for body in world.legs[leg].bodies]
