"""Gymnasium's running tasks (Ant-v5), row by row and bit for bit, on our simulation.

Source of observation, reward and reset: `gymnasium/envs/mujoco/ant_v5.py`, with contact forces
neither observed nor charged.
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, ClassVar

import mujoco
import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from robolearn.envs.task import ObservationSlice, Task
from robolearn.simulation import Ids, Simulation


@dataclass(frozen=True)
class RunParameters:
    """Parameters of `Run`.

    Attributes:
        root: body whose motion is rewarded.
        healthy_height: range of the root's height in m; outside it the life ends.
        reset_noise: half width of the uniform noise on qpos and deviation of the noise on qvel.
        skipped_qpos: leading elements of qpos (x and y) that are not observed.
    """

    root: str = "torso"
    healthy_height: tuple[float, float] = (0.2, 1.0)
    reset_noise: Annotated[float, Interval(ge=0, le=10)] = 0.1
    skipped_qpos: Annotated[int, Interval(ge=0, le=7)] = 2


class Run(Task):
    """Run forward as fast as possible, without falling.

    Actions:
        The command of every motor, as its scene has it.

    Observations:
        position: of the root, without the `skipped_qpos` first elements (x and y).
        orientation: of the root, a quaternion with its scalar first.
        joint_angle: of every joint.
        velocity: of the root, along the world's axes.
        angular_velocity: of the root, in its own frame.
        joint_velocity: of every joint.

    Rewards:
        forward: forward velocity of the root, m/s, between the places that MuJoCo last derived.
        survive: 1 while the root is at a healthy height.
        control: Σ a² over the action.

    Starts:
        Near the scene's default pose, with uniform noise on qpos and normal noise on qvel, both of
        size `reset_noise`.

    Ends:
        When the root leaves the healthy heights, or if the physics diverges.
    """

    name: ClassVar[str] = "run"
    reward_names: ClassVar[tuple[str, ...]] = ("forward", "survive", "control")
    observation_dtype: ClassVar[type] = np.float64
    parameters_type: ClassVar[type] = RunParameters
    parameters: RunParameters

    def __init__(
        self, simulation: Simulation, rewards: dict[str, float], parameters: RunParameters
    ):
        super().__init__(simulation, rewards, parameters)
        model = simulation.model
        self._root = model.body(parameters.root).id
        self._xpos = simulation.read("xpos")
        self._before = np.zeros((simulation.n, 2))
        self._velocity = np.zeros((simulation.n, 2))
        self.observation_slices = (
            *_slices(_coordinates(model, velocity=False)[parameters.skipped_qpos :], scale=1.0),
            *_slices(_coordinates(model, velocity=True), scale=3.0),
        )

    def reset(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Start near the model's default pose: uniform(nq) on qpos, then normal(nv) on qvel."""
        model, noise = self.simulation.model, self.parameters.reset_noise
        qpos = np.stack([rng.uniform(-noise, noise, model.nq) for rng in rngs]) + model.qpos0
        qvel = np.stack([noise * rng.standard_normal(model.nv) for rng in rngs])
        self.simulation.reset(ids, qpos, qvel)
        self._velocity[ids] = 0.0

    def before_step(self) -> None:
        """Note where the root is; `xpos` lags the state by a substep, as in Gymnasium."""
        self._before[:] = self._xpos[:, self._root, :2]

    def observe(self) -> NDArray[np.float64]:
        """Return (n, o): qpos without x and y, then qvel."""
        simulation = self.simulation
        return np.concatenate(
            (simulation.qpos[:, self.parameters.skipped_qpos :], simulation.qvel), axis=1
        )

    def reward_terms(self, action: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        """Return forward (m/s), survive (1 while healthy), control (Σ a², in its dtype)."""
        step_s = self.simulation.world.control_step_s
        self._velocity[:] = (self._xpos[:, self._root, :2] - self._before) / step_s
        return {
            "forward": self._velocity[:, 0].copy(),
            "survive": (~self.terminated()).astype(np.float64),
            "control": np.sum(np.square(action), axis=1),
        }

    def terminated(self) -> NDArray[np.bool_]:
        """Return who is not finite or whose root is outside the healthy heights, (n,)."""
        qpos, (low, high) = self.simulation.qpos, self.parameters.healthy_height
        healthy = (low <= qpos[:, 2]) & (qpos[:, 2] <= high)
        healthy &= np.isfinite(qpos).all(axis=1) & np.isfinite(self.simulation.qvel).all(axis=1)
        return ~healthy

    def performance(self) -> NDArray[np.float64]:
        """Return the forward speed of the last step, (n,), m/s."""
        return self._velocity[:, 0].copy()

    def info(self) -> dict[str, NDArray]:
        """Return position and velocity under Gymnasium's names."""
        qpos = self.simulation.qpos
        return {
            "x_position": qpos[:, 0].copy(),
            "y_position": qpos[:, 1].copy(),
            "distance_from_origin": np.linalg.norm(qpos[:, :2], axis=1),
            "x_velocity": self._velocity[:, 0].copy(),
            "y_velocity": self._velocity[:, 1].copy(),
        }


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
