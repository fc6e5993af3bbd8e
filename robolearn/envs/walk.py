"""Walk forward at a wanted speed on any body with legs, without falling."""
# pyright: reportAttributeAccessIssue=false
# MuJoCo's compiled modules carry no type stubs.

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.envs.task import ObservationSlice, Task
from robolearn.simulation import Ids, Simulation


@dataclass(frozen=True)
class WalkParameters:
    """Parameters of `Walk`.

    Attributes:
        root: body whose motion is rewarded.
        target_speed: wanted forward speed along the world's x axis, m/s, above zero.
        clock_hz: frequency of the gait clock among the observations; None takes it away.
        action_scale: offset from the home pose at action 1, rad, for the joints of one leg from
            the trunk outwards.
        lowest_height: height of the root, m, below which the robot has fallen.
        lowest_upright: cosine of the root's tilt below which the robot has fallen.
        reset_noise: half width of the uniform noise on the joint angles, rad, and deviation of
            the noise on qvel.
    """

    root: str = "trunk"
    target_speed: float = 0.8
    clock_hz: float | None = 2.0
    action_scale: tuple[float, ...] = (0.25, 0.5, 0.5)
    lowest_height: float = 0.13
    lowest_upright: float = 0.5
    reset_noise: float = 0.05


class Walk(Task):
    """Walk forward: speed tracking, drift, tilt, energy and falls.

    Reward terms, unweighted: `speed` = 1 − |v − v*| / v* (0 when standing, 1 at the wanted speed
    v*); `drift` = v_y² + v_z² and `spin` = |ω|² (without them the first thing that evolves is a
    lunge that ends in a fall); `upright` = 1 − cos(tilt); `energy` = Σ|τ q̇| / (m g v*);
    `fall` = 1 in the step of a fall. There is no bonus for being alive: it makes learners stand
    still.
    """

    name: ClassVar[str] = "walk"
    reward_names: ClassVar[tuple[str, ...]] = (
        "speed",
        "drift",
        "spin",
        "upright",
        "energy",
        "fall",
    )
    terminal_terms: ClassVar[tuple[str, ...]] = ("fall",)
    parameters_type: ClassVar[type] = WalkParameters
    parameters: WalkParameters

    def __init__(
        self, simulation: Simulation, rewards: dict[str, float], parameters: WalkParameters
    ):
        super().__init__(simulation, rewards, parameters)
        world, model = simulation.world, simulation.model
        legs = world.legs.values()
        joints = np.concatenate([leg.joints for leg in legs])
        self._qpos = np.concatenate([leg.qpos for leg in legs])
        self._dofs = np.concatenate([leg.dofs for leg in legs])
        self._motors = np.concatenate([leg.motors for leg in legs])
        self._home = world.home_qpos
        self._home_ctrl = model.key_ctrl[0].copy()
        self._action_scale = np.zeros(model.nu)
        for leg in legs:
            self._action_scale[leg.motors] = parameters.action_scale
        self._touch = np.flatnonzero(model.sensor_type == mujoco.mjtSensor.mjSENS_TOUCH)
        self._sensordata = simulation.read("sensordata")
        self._force = simulation.read("actuator_force")
        self._time = simulation.read("time")
        self._x_before = np.zeros(simulation.n)
        self._speed = np.zeros(simulation.n)
        self._weight = float(model.body_mass.sum() * -model.opt.gravity[2])  # N
        names = [model.joint(int(joint)).name for joint in joints]
        feet = [model.sensor(int(sensor)).name for sensor in self._touch]
        root = (parameters.root,)
        clock = (
            (ObservationSlice("clock", 2, "1", 0.3, ("sin 2πft", "cos 2πft")),)
            if parameters.clock_hz is not None
            else ()
        )
        self.observation_slices = (
            ObservationSlice("up", 3, "1", 0.5, root),
            ObservationSlice("velocity", 3, "m/s", 0.5, root),
            ObservationSlice("angular_velocity", 3, "rad/s", 2.0, root),
            ObservationSlice("joint_angle", len(joints), "rad", 0.4, tuple(names)),
            ObservationSlice("joint_velocity", len(joints), "rad/s", 6.0, tuple(names)),
            ObservationSlice("contact", len(feet), "1", 1.0, tuple(feet), is_event=True),
            *clock,
        )

    def reset(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Stand at the home pose: uniform(joints) on the angles, then normal(nv) on qvel."""
        model, noise = self.simulation.model, self.parameters.reset_noise
        qpos = np.repeat(self._home[None], len(ids), axis=0)
        qpos[:, self._qpos] += np.stack([r.uniform(-noise, noise, len(self._qpos)) for r in rngs])
        qvel = np.stack([noise * rng.standard_normal(model.nv) for rng in rngs])
        self.simulation.reset(ids, qpos, qvel)
        self.simulation.ctrl[ids] = self._home_ctrl
        self._speed[ids] = 0.0

    def control(self, action: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return wanted joint angles (n, nu), rad: the home pose plus the scaled action."""
        return self._home_ctrl + self._action_scale * action

    def before_step(self) -> None:
        """Note where the root is."""
        self._x_before[:] = self.simulation.qpos[:, 0]

    def observe(self) -> NDArray[np.float32]:
        """Return (n, o) in the order of `observation_slices`."""
        simulation = self.simulation
        n, qpos, qvel = simulation.n, simulation.qpos, simulation.qvel
        out = np.empty((n, self.observation_size), np.float32)
        rotation = _rotation(qpos[:, 3:7])  # (n, 3, 3), root to world
        legs = len(self._qpos)
        out[:, 0:3] = rotation[:, 2]
        out[:, 3:6] = np.einsum("nij,ni->nj", rotation, qvel[:, :3])
        out[:, 6:9] = qvel[:, 3:6]
        out[:, 9 : 9 + legs] = qpos[:, self._qpos] - self._home[self._qpos]
        out[:, 9 + legs : 9 + 2 * legs] = qvel[:, self._dofs]
        start = 9 + 2 * legs
        out[:, start : start + len(self._touch)] = self._sensordata[:, self._touch] > 1.0  # N
        if self.parameters.clock_hz is not None:
            phase = 2 * np.pi * self.parameters.clock_hz * self._time
            out[:, -2] = np.sin(phase)
            out[:, -1] = np.cos(phase)
        return out

    def reward_terms(self, action: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        """Return the terms of the class docstring, (n,) each."""
        simulation, wanted = self.simulation, self.parameters.target_speed
        qvel = simulation.qvel
        displacement = simulation.qpos[:, 0] - self._x_before
        self._speed[:] = displacement / simulation.world.control_step_s
        self._speed[simulation.unstable] = 0.0
        power = np.abs(self._force[:, self._motors] * qvel[:, self._dofs]).sum(axis=1)  # W
        return {
            "speed": 1.0 - np.abs(self._speed - wanted) / wanted,
            "drift": qvel[:, 1] ** 2 + qvel[:, 2] ** 2,
            "spin": (qvel[:, 3:6] ** 2).sum(axis=1),
            "upright": 1.0 - self._upright(),
            "energy": power / (self._weight * wanted),
            "fall": self.terminated().astype(np.float64),
        }

    def terminated(self) -> NDArray[np.bool_]:
        """Return who has fallen or diverged, (n,)."""
        low = self.simulation.qpos[:, 2] < self.parameters.lowest_height
        return low | (self._upright() < self.parameters.lowest_upright) | self.simulation.unstable

    def performance(self) -> NDArray[np.float64]:
        """Return the forward speed of the last step, (n,), m/s."""
        return self._speed.copy()

    def info(self) -> dict[str, NDArray]:
        """Return position and velocity."""
        qpos = self.simulation.qpos
        return {
            "x_position": qpos[:, 0].copy(),
            "y_position": qpos[:, 1].copy(),
            "x_velocity": self._speed.copy(),
        }

    def _upright(self) -> NDArray[np.float64]:
        """Return the cosine of the root's tilt, (n,)."""
        _, x, y, _ = self.simulation.qpos[:, 3:7].T
        return 1.0 - 2.0 * (x * x + y * y)


def _rotation(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotation matrices (n, 3, 3) of unit quaternions (n, 4), scalar first."""
    w, x, y, z = quaternion.T
    out = np.empty((len(quaternion), 3, 3))
    out[:, 0, 0] = 1 - 2 * (y * y + z * z)
    out[:, 0, 1] = 2 * (x * y - w * z)
    out[:, 0, 2] = 2 * (x * z + w * y)
    out[:, 1, 0] = 2 * (x * y + w * z)
    out[:, 1, 1] = 1 - 2 * (x * x + z * z)
    out[:, 1, 2] = 2 * (y * z - w * x)
    out[:, 2, 0] = 2 * (x * z - w * y)
    out[:, 2, 1] = 2 * (y * z + w * x)
    out[:, 2, 2] = 1 - 2 * (x * x + y * y)
    return out
