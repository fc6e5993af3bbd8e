"""Writes down what a film needs of one life, whoever lives it."""

from collections.abc import Mapping

import mujoco
import numpy as np

from robolearn.definitions import definition_folder, read_yaml
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.recording import ShiftEvent, Trajectory
from robolearn.shifts import Shift
from robolearn.worlds import World


def film_camera(name: str) -> str | None:
    """Return the camera that shows the env `name` best; None for one that follows the robot."""
    return read_yaml(definition_folder("envs", name) / "env.yaml").get("preview_camera")


class Witness:
    """Watches the individual in row 0 of an env, from the first step that it is shown.

    Attributes:
        models: the body from each control step on at which it changed, (step, body), counted from
            the first that was seen.
    """

    def __init__(self, env: RobotVectorEnv):
        self.env = env
        self.models: list[tuple[int, mujoco.MjModel]] = []
        self._qpos: list[np.ndarray] = []
        self._mocap_pos: list[np.ndarray] = []  # (nmocap, 3) each
        self._performance: list[float] = []
        self._reward: list[float] = []
        self._spans: list[tuple[Shift, int, int | None]] = []  # one shift may come again
        self._active: list[Shift] | None = None
        self._first_step = 0  # of the life

    def see(self, step: int, reward: float) -> None:
        """Note the body and its motion after a control step, of which there were `step` before."""
        active = self.env.schedule.shifts_of(0)
        if self._active is None:
            self._first_step = step
        if active != self._active:
            self.models.append((step - self._first_step, self.env.simulation.model_of(0)))
            begun = {one.shift: one.onset_step for one in self.env.schedule.active[0]}
            self._spans = [
                (shift, begin, step if end is None and shift not in active else end)
                for shift, begin, end in self._spans
            ]
            before = self._active or []
            self._spans += [(shift, begun[shift], None) for shift in active if shift not in before]
            self._active = active
        self._qpos.append(self.env.simulation.qpos[0].copy())
        self._mocap_pos.append(self.env.simulation.read("mocap_pos")[0].copy())
        self._performance.append(float(self.env.task.performance()[0]))
        self._reward.append(reward)

    def trajectory(self, seed: int, agent: str, versions: Mapping[str, str]) -> Trajectory:
        """Return what was seen; `seed`, `agent` and `versions` say whose life it was."""
        world, task = self.env.world, self.env.task
        return Trajectory(
            world=world.definition["id"],
            control_step_s=world.control_step_s,
            qpos=np.stack(self._qpos),
            mocap_pos=np.stack(self._mocap_pos) if world.model.nmocap else None,
            speed=np.array(self._performance),
            reward=np.array(self._reward),
            shifts=tuple(self._events()),
            seed=seed,
            agent=agent,
            versions=versions,
            measure=(task.performance_name, task.performance_unit),
            start_s=self._first_step * world.control_step_s,
        )

    def _events(self) -> list[ShiftEvent]:
        """Return what changed in the body, in order of onset."""
        step_s, world = self.env.world.control_step_s, self.env.world
        return [
            ShiftEvent(
                spec=f"{shift.label}@{begin * step_s:g}s",
                onset_s=begin * step_s,
                end_s=None if end is None else end * step_s,
                legs=shift.legs(world),
                bodies=hurt_bodies(shift, world),
            )
            for shift, begin, end in sorted(self._spans, key=lambda span: span[1])
        ]


def hurt_bodies(shift: Shift, world: World) -> tuple[str, ...]:
    """Return the names of the MJCF bodies of the legs that a shift hurts, to be coloured."""
    return tuple(
        world.model.body(body).name for leg in shift.legs(world) for body in world.legs[leg].bodies
    )
