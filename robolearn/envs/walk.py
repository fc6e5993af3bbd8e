"""Walk forward at a wanted speed on any body with legs, without falling."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

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
class WalkParameters:
    """Parameters of `Walk`.

    Attributes:
        root: body whose motion is rewarded.
        target_speed: wanted forward speed along the world's x axis, m/s, above zero.
        clock_hz: frequency of the gait clock among the observations, Hz; None takes it away.
        sense_action: whether the last action is among the observations.
        sense_heading: whether the heading is among the observations, as a compass tells it.
        action_scale: offset from the home pose at action 1, rad, for the joints of one leg from
            the trunk outwards.
        lowest_height: height of the root over the ground, m, below which the robot has fallen.
        lowest_upright: cosine of the root's tilt below which the robot has fallen.
        reset_noise: half width of the uniform noise on the joint angles, rad, and deviation of
            the noise on qvel.
    """

    root: str = "trunk"
    target_speed: Annotated[float, Interval(gt=0, le=100)] = 0.8
    clock_hz: Annotated[float, Interval(gt=0, le=100)] | None = 2.0
    sense_action: bool = False
    sense_heading: bool = False
    action_scale: tuple[Annotated[float, Interval(gt=0, le=10)], ...] = (0.25, 0.5, 0.5)
    lowest_height: Annotated[float, Interval(ge=-10, le=10)] = 0.13
    lowest_upright: Annotated[float, Interval(ge=-1, le=1)] = 0.5
    reset_noise: Annotated[float, Interval(ge=0, le=1)] = 0.05


class Walk(Task):
    """Walk forward at a wanted speed, without falling.

    A bonus for being alive makes learners stand still, so `alive` has no weight unless a recipe
    gives it one; where every life ends in a fall, it is what leads away from there.

    Actions:
        The wanted angle of every joint with a motor: the home pose plus `action_scale` × action.

    Observations:
        up: the vertical as the root sees it: (0, 0, 1) when it is level.
        velocity: of the root, in its own frame.
        angular_velocity: of the root, in its own frame.
        joint_angle: as it differs from the home pose.
        joint_velocity: of the same joints.
        contact: 1 where a foot's touch sensor feels more than 1 N.
        last_action: of the last step, 0 at birth; with `sense_action` alone. Beside the joints it
            tells which motor no longer does what it is told.
        heading: sin and cos of the yaw of the root, 0 along the wanted way; with `sense_heading`
            alone. Without it a robot that pulls to one side cannot know that it walks in a circle.
        clock: sin and cos of 2πft at `clock_hz`.

    Rewards:
        speed: 1 − |v − v*| / v*, with v the forward and v* the wanted speed: 0 when standing.
        drift: v_y² + v_z² of the root; without it and `spin` the first thing that evolves is a
            lunge that ends in a fall.
        spin: |ω|² of the root.
        upright: 1 − cos(tilt of the root).
        energy: Σ|τ q̇| / (m g v*), the cost of transport at the wanted speed.
        fall: 1 in the step of a fall.
        alive: 1 in every other step.

    Starts:
        Standing in the home pose, with uniform noise on the joint angles and normal noise on all
        velocities, both of size `reset_noise`.

    Ends:
        With a fall: the root below `lowest_height`, or tilted beyond `lowest_upright`; or if the
        physics diverges.
    """

    name: ClassVar[str] = "walk"
    reward_names: ClassVar[tuple[str, ...]] = (
        "speed",
        "drift",
        "spin",
        "upright",
        "energy",
        "fall",
        "alive",
    )
    optional_rewards: ClassVar[frozenset[str]] = frozenset({"alive"})
    terminal_terms: ClassVar[tuple[str, ...]] = ("fall",)
    parameters_type: ClassVar[type] = WalkParameters
    parameters: WalkParameters

    def __init__(
        self, simulation: Simulation, rewards: dict[str, float], parameters: WalkParameters
    ):
        super().__init__(simulation, rewards, parameters)
        world, model = simulation.world, simulation.model
        _check(world, parameters)
        legs = world.legs.values()
        joints = np.concatenate([leg.joints for leg in legs])
        self._joints = len(joints)
        self._qpos = _span(np.concatenate([leg.qpos for leg in legs]))
        self._dofs = _span(np.concatenate([leg.dofs for leg in legs]))
        self._motors = _span(np.concatenate([leg.motors for leg in legs]))
        self._home = world.home_qpos
        self._home_ctrl = model.key_ctrl[0].copy()
        self._action_scale = np.zeros(model.nu)
        for leg in legs:
            self._action_scale[leg.motors] = parameters.action_scale
        touch = np.flatnonzero(model.sensor_type == mujoco.mjtSensor.mjSENS_TOUCH)
        self._touch = _span(touch)
        self._sensordata = simulation.read("sensordata")
        self._force = simulation.read("actuator_force")
        self._time = simulation.read("time")
        self._x_before = np.zeros(simulation.n)
        self._speed = np.zeros(simulation.n)
        self._weight = float(model.body_mass.sum() * -model.opt.gravity[2])  # N
        names = [model.joint(int(joint)).name for joint in joints]
        feet = [model.sensor(int(sensor)).name for sensor in touch]
        root = (parameters.root,)
        clock = gait_clock(parameters.clock_hz)
        motors = [model.actuator(i).name for i in range(model.nu)]
        last = (
            (ObservationSlice("last_action", model.nu, "1", 0.5, tuple(motors)),)
            if parameters.sense_action
            else ()
        )
        heading = (
            (ObservationSlice("heading", 2, "1", 0.5, ("sin yaw", "cos yaw")),)
            if parameters.sense_heading
            else ()
        )
        self._action = np.zeros((simulation.n, model.nu), np.float32)
        self.observation_slices = (
            ObservationSlice("up", 3, "1", 0.5, root),
            ObservationSlice("velocity", 3, "m/s", 0.5, root),
            ObservationSlice("angular_velocity", 3, "rad/s", 2.0, root),
            ObservationSlice("joint_angle", len(joints), "rad", 0.4, tuple(names)),
            ObservationSlice("joint_velocity", len(joints), "rad/s", 6.0, tuple(names)),
            ObservationSlice("contact", len(feet), "1", 1.0, tuple(feet), is_event=True),
            *last,
            *heading,
            *clock,
        )

    def reset(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Stand at the home pose: uniform(joints) on the angles, then normal(nv) on qvel."""
        model, noise = self.simulation.model, self.parameters.reset_noise
        qpos = np.repeat(self._home[None], len(ids), axis=0)
        qpos[:, self._qpos] += np.stack([r.uniform(-noise, noise, self._joints) for r in rngs])
        qvel = np.stack([noise * rng.standard_normal(model.nv) for rng in rngs])
        self.simulation.reset(ids, qpos, qvel)
        self.simulation.ctrl[ids] = self._home_ctrl
        self._speed[ids] = 0.0
        self._action[ids] = 0.0

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
        rotation = _rotation(qpos[:, 3:7])  # (3, 3, n), root to world
        legs = self._joints
        out[:, 0:3] = rotation[2].T
        by_axis = rotation * qvel[:, None, :3].T  # (3, 3, n): axis of the world, of the root
        out[:, 3:6] = (by_axis[0] + by_axis[1] + by_axis[2]).T
        out[:, 6:9] = qvel[:, 3:6]
        np.subtract(
            qpos[:, self._qpos],
            self._home[self._qpos],
            out=out[:, 9 : 9 + legs],
            casting="same_kind",
        )
        out[:, 9 + legs : 9 + 2 * legs] = qvel[:, self._dofs]
        start = 9 + 2 * legs
        contact = self._sensordata[:, self._touch] > 1.0  # N
        out[:, start : start + contact.shape[1]] = contact
        start += contact.shape[1]
        if self.parameters.sense_action:
            out[:, start : start + self._action.shape[1]] = self._action
            start += self._action.shape[1]
        if self.parameters.sense_heading:
            yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
            out[:, start] = np.sin(yaw)
            out[:, start + 1] = np.cos(yaw)
        if self.parameters.clock_hz is not None:
            out[:, -2], out[:, -1] = clock_at(self._time, self.parameters.clock_hz)
        return out

    def reward_terms(self, action: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        """Return the terms of the class docstring, (n,) each."""
        simulation, wanted = self.simulation, self.parameters.target_speed
        qvel = simulation.qvel
        displacement = simulation.qpos[:, 0] - self._x_before
        self._speed[:] = displacement / simulation.world.control_step_s
        self._speed[simulation.unstable] = 0.0
        # Row by row in memory: NumPy adds in another order otherwise, and rows would depend on n.
        power = np.ascontiguousarray(self._force[:, self._motors] * qvel[:, self._dofs])  # W
        power = np.abs(power).sum(axis=1)
        self._action[:] = action
        upright = self._upright()
        fell = self._fallen(upright).astype(np.float64)
        terms = {
            "speed": 1.0 - np.abs(self._speed - wanted) / wanted,
            "drift": qvel[:, 1] ** 2 + qvel[:, 2] ** 2,
            "spin": qvel[:, 3] ** 2 + qvel[:, 4] ** 2 + qvel[:, 5] ** 2,
            "upright": 1.0 - upright,
            "energy": power / (self._weight * wanted),
            "fall": fell,
        }
        if "alive" in self.rewards:
            terms["alive"] = 1.0 - fell
        return terms

    def terminated(self) -> NDArray[np.bool_]:
        """Return who has fallen or diverged, (n,)."""
        return self._fallen(self._upright())

    def performance(self) -> NDArray[np.float64]:
        """Return the forward speed of the last step, (n,), m/s."""
        return self._speed.copy()

    def modules(self, division: Division) -> dict[str, NDArray]:
        """Return how observation and action divide, by name as in `agents.modular`."""
        return body_modules(self.simulation.world, self.observation_slices, division)

    def info(self) -> dict[str, NDArray]:
        """Return position and velocity."""
        qpos = self.simulation.qpos
        return {
            "x_position": qpos[:, 0].copy(),
            "y_position": qpos[:, 1].copy(),
            "x_velocity": self._speed.copy(),
        }

    def _fallen(self, upright: NDArray[np.float64]) -> NDArray[np.bool_]:
        low = self.over_ground() < self.parameters.lowest_height
        return low | (upright < self.parameters.lowest_upright) | self.simulation.unstable

    def _upright(self) -> NDArray[np.float64]:
        """Return the cosine of the root's tilt, (n,)."""
        _, x, y, _ = self.simulation.qpos[:, 3:7].T
        return 1.0 - 2.0 * (x * x + y * y)


def _check(world: World, parameters: WalkParameters) -> None:
    """Raise UserError unless the world is a legged body that this task can start and move."""
    where, model = f"env {world.name}: walk", world.model
    bodies = [model.body(i).name for i in range(model.nbody)]
    if parameters.root not in bodies:
        raise UserError(f"{where}: root: {unknown_name('body', parameters.root, bodies)}")
    joint = model.body(parameters.root).jntadr[0]
    if joint < 0 or model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_FREE or joint != 0:
        raise UserError(
            f"{where}: root {parameters.root!r} must carry the scene's first joint, free"
        )
    if not world.legs or not model.nkey:
        raise UserError(f"{where}: the world needs legs and a keyframe with the home pose")
    for leg in world.legs.values():
        if len(leg.motors) != len(parameters.action_scale):
            raise UserError(
                f"{where}: action_scale has {len(parameters.action_scale)} elements, but leg "
                f"{leg.name} has {len(leg.motors)} motors"
            )


def _span(indices: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Return ascending neighbours as a slice, which NumPy reads several times faster."""
    if len(indices) and np.array_equal(indices, np.arange(indices[0], indices[0] + len(indices))):
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return indices


def _rotation(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotation matrices (3, 3, n) of unit quaternions (n, 4), scalar first."""
    wxyz = np.ascontiguousarray(quaternion.T)
    products = (wxyz[:, None] * wxyz).reshape(16, -1)  # ww, wx, wy ... zz
    out = products[_FIRST]
    out += _SIGN * products[_SECOND]
    out *= _FACTOR
    out[::4] += 1.0
    return out.reshape(3, 3, -1)


# Entries of a rotation matrix, row by row: factor × (first + sign × second), and 1 on the diagonal.
_PRODUCTS = [a + b for a in "wxyz" for b in "wxyz"]
_FIRST = list(map(_PRODUCTS.index, ["yy", "xy", "xz", "xy", "xx", "yz", "xz", "yz", "xx"]))
_SECOND = list(map(_PRODUCTS.index, ["zz", "wz", "wy", "wz", "zz", "wx", "wy", "wx", "yy"]))
_SIGN = np.array([1, -1, 1, 1, 1, -1, -1, 1, 1.0])[:, None]
_FACTOR = np.array([-2, 2, 2, 2, -2, 2, 2, 2, -2.0])[:, None]
