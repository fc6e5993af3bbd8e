"""Gymnasium's running tasks (Ant-v5, HalfCheetah-v5), row by row and bit for bit.

Source of observation, reward and reset: `ant_v5.py`, with contact forces neither observed nor
charged, and `half_cheetah_v5.py`, both in `gymnasium/envs/mujoco/`.
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, ClassVar, Literal

import mujoco
import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from robolearn.envs.body_modules import body_modules
from robolearn.envs.task import Division, ObservationSlice, Task, clock_at, gait_clock
from robolearn.errors import UserError, unknown_name
from robolearn.simulation import Ids, Simulation
from robolearn.worlds import World


@dataclass(frozen=True)
class RunParameters:
    """Parameters of `Run`.

    Attributes:
        root: body whose motion is rewarded; it carries the first joint.
        motion: where the root's motion is read: "xpos", its place as MuJoCo last derived it, a
            substep behind the state, or "qpos", the first coordinate itself.
        healthy_height: range of qpos[2], the height of a free root, in m, over uneven ground that
            of the ground around it taken off; outside it the life ends. None: no height ends a
            life, and there is no `survive`.
        reset_noise: half width of the uniform noise on qpos and deviation of the noise on qvel.
        skipped_qpos: leading elements of qpos (x and y) that are not observed.
        clock_hz: frequency of a gait clock among the observations, Hz; None, as in Gymnasium, for
            none.
    """

    root: str = "torso"
    motion: Literal["xpos", "qpos"] = "xpos"
    healthy_height: tuple[float, float] | None = (0.2, 1.0)
    reset_noise: Annotated[float, Interval(ge=0, le=10)] = 0.1
    skipped_qpos: Annotated[int, Interval(ge=0, le=7)] = 2
    clock_hz: Annotated[float, Interval(gt=0, le=100)] | None = None

    def __post_init__(self) -> None:
        if self.healthy_height is not None:
            low, high = self.healthy_height
            if not low < high:
                raise UserError(f"healthy_height: expected the lower first, got [{low}, {high}]")


class Run(Task):
    """Run forward as fast as possible.

    Actions:
        The command of every motor, as its scene has it.

    Observations:
        position: of the root, without the `skipped_qpos` first elements.
        orientation: of the root, a quaternion with its scalar first.
        joint_angle: of every joint, and of a root that only pitches.
        velocity: of the root, along the world's axes.
        angular_velocity: of the root, in its own frame.
        joint_velocity: of every joint, and of a root that only pitches.
        clock: sin and cos of 2πft, where there is a `clock_hz`.

    Rewards:
        forward: forward velocity of the root over the step, m/s, read where `motion` says.
        survive: 1 while the root is at a healthy height.
        control: Σ a² over the action.

    Starts:
        Near the scene's default pose, with uniform noise on qpos and normal noise on qvel, both of
        size `reset_noise`.

    Ends:
        When the root leaves the healthy heights, where there are any, or if the physics diverges.
    """

    name: ClassVar[str] = "run"
    reward_names: ClassVar[tuple[str, ...]] = ("forward", "survive", "control")
    optional_rewards: ClassVar[frozenset[str]] = frozenset({"survive"})
    observation_dtype: ClassVar[type] = np.float64
    parameters_type: ClassVar[type] = RunParameters
    parameters: RunParameters

    def __init__(
        self, simulation: Simulation, rewards: dict[str, float], parameters: RunParameters
    ):
        super().__init__(simulation, rewards, parameters)
        model = simulation.model
        self._root = _check(simulation.world, rewards, parameters)
        self._xpos = simulation.read("xpos")
        self._time = simulation.read("time")
        self._before = self._place()
        self._velocity = np.zeros_like(self._before)
        self.observation_slices = (
            *_slices(_coordinates(model, velocity=False)[parameters.skipped_qpos :], scale=1.0),
            *_slices(_coordinates(model, velocity=True), scale=3.0),
            *gait_clock(parameters.clock_hz),
        )

    def reset(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Start near the model's default pose: uniform(nq) on qpos, then normal(nv) on qvel."""
        model, noise = self.simulation.model, self.parameters.reset_noise
        qpos = np.stack([rng.uniform(-noise, noise, model.nq) for rng in rngs]) + model.qpos0
        qvel = np.stack([noise * rng.standard_normal(model.nv) for rng in rngs])
        self.simulation.reset(ids, qpos, qvel)
        self._velocity[ids] = 0.0

    def before_step(self) -> None:
        """Note where the root is."""
        self._before[:] = self._place()

    def observe(self) -> NDArray[np.float64]:
        """Return (n, o): qpos without its skipped elements, qvel, and the clock if there is one."""
        simulation = self.simulation
        parts = [simulation.qpos[:, self.parameters.skipped_qpos :], simulation.qvel]
        if self.parameters.clock_hz is not None:
            parts.append(np.stack(clock_at(self._time, self.parameters.clock_hz), axis=1))
        return np.concatenate(parts, axis=1)

    def reward_terms(self, action: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        """Return forward (m/s), survive (1 while healthy), control (Σ a², in its dtype)."""
        step_s = self.simulation.world.control_step_s
        self._velocity[:] = (self._place() - self._before) / step_s
        self._velocity[self.simulation.unstable] = 0.0  # it was put back, and did not run there
        terms: dict[str, NDArray[np.floating]] = {"forward": self._velocity[:, 0].copy()}
        if "survive" in self.rewards:
            terms["survive"] = (~self.terminated()).astype(np.float64)
        terms["control"] = np.sum(np.square(action), axis=1)
        return terms

    def terminated(self) -> NDArray[np.bool_]:
        """Return who is not finite or whose root is outside the healthy heights, (n,)."""
        qpos, qvel = self.simulation.qpos, self.simulation.qvel
        ended = ~(np.isfinite(qpos).all(axis=1) & np.isfinite(qvel).all(axis=1))
        if self.parameters.healthy_height is not None:
            low, high = self.parameters.healthy_height
            height = self.over_ground()
            ended |= ~((low <= height) & (height <= high))
        return np.asarray(ended)

    def performance(self) -> NDArray[np.float64]:
        """Return the forward speed of the last step, (n,), m/s."""
        return self._velocity[:, 0].copy()

    def modules(self, division: Division) -> dict[str, NDArray]:
        """Return how observation and action divide, by name as in `agents.modular`."""
        return body_modules(self.simulation.world, self.observation_slices, division)

    def info(self) -> dict[str, NDArray]:
        """Return position and velocity under Gymnasium's names; y only where there is one."""
        qpos = self.simulation.qpos
        forward = {"x_position": qpos[:, 0].copy(), "x_velocity": self._velocity[:, 0].copy()}
        if self.parameters.motion == "qpos":
            return forward
        return {
            **forward,
            "y_position": qpos[:, 1].copy(),
            "y_velocity": self._velocity[:, 1].copy(),
            "distance_from_origin": np.linalg.norm(qpos[:, :2], axis=1),
        }

    def _place(self) -> NDArray[np.float64]:
        """Return a copy of where the root is, m: (n, 2), or x alone (n, 1) by `motion` "qpos"."""
        if self.parameters.motion == "qpos":
            return self.simulation.qpos[:, :1].copy()
        return self._xpos[:, self._root, :2].copy()


def _check(world: World, rewards: dict[str, float], parameters: RunParameters) -> int:
    """Return the id of the root.

    Raises:
        UserError: there is no such body, or what it cannot have is asked of it.
    """
    where, model = f"env {world.name}: run", world.model
    bodies = [model.body(i).name for i in range(model.nbody)]
    if parameters.root not in bodies:
        raise UserError(f"{where}: root: {unknown_name('body', parameters.root, bodies)}")
    root = model.body(parameters.root)
    is_free = root.jntnum[0] > 0 and model.jnt_type[root.jntadr[0]] == mujoco.mjtJoint.mjJNT_FREE
    if parameters.healthy_height is None:
        if "survive" in rewards:
            raise UserError(f"{where}: the reward 'survive' needs a healthy_height, which is null")
    elif not is_free:
        raise UserError(
            f"{where}: healthy_height is that of a free root, which {parameters.root!r} is not: "
            f"set it to null"
        )
    return root.id


def _coordinates(model: mujoco.MjModel, velocity: bool) -> list[tuple[str, str, str]]:
    """Return (what it is, unit, joint) of each element of qpos or qvel."""
    turning = ("joint_velocity", "rad/s") if velocity else ("joint_angle", "rad")
    moving = ("velocity", "m/s") if velocity else ("position", "m")
    tumbling = [("angular_velocity", "rad/s")] * 3 if velocity else [("orientation", "1")] * 4
    kinds = {
        mujoco.mjtJoint.mjJNT_FREE: [moving] * 3 + tumbling,
        mujoco.mjtJoint.mjJNT_BALL: tumbling,
        mujoco.mjtJoint.mjJNT_SLIDE: [moving],
        mujoco.mjtJoint.mjJNT_HINGE: [turning],
    }
    return [
        (*kind, model.joint(i).name)
        for i in range(model.njnt)
        for kind in kinds[mujoco.mjtJoint(model.jnt_type[i])]
    ]


def _slices(coordinates: list[tuple[str, str, str]], scale: float) -> list[ObservationSlice]:
    """Join neighbours of one kind into a slice."""
    slices = []
    for (kind, unit), group in groupby(coordinates, key=lambda coordinate: coordinate[:2]):
        joints = tuple(joint for _, _, joint in group)
        slices.append(ObservationSlice(kind, len(joints), unit, scale, joints))
    return slices
