"""Gymnasium's running tasks (Ant-v5), row by row and bit for bit, on our simulation.

Source of observation, reward and reset: `gymnasium/envs/mujoco/ant_v5.py`, with contact forces
neither observed nor charged.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
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
    reset_noise: float = 0.1
    skipped_qpos: int = 2


class Run(Task):
    """Run forward: reward is velocity, a bonus for being upright, and a cost of control."""

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
            ObservationSlice(
                "position",
                model.nq - parameters.skipped_qpos,
                "m, 1, rad",
                1.0,
                tuple(_coordinate_names(model, velocity=False)[parameters.skipped_qpos :]),
            ),
            ObservationSlice(
                "velocity",
                model.nv,
                "m/s, rad/s",
                3.0,
                tuple(_coordinate_names(model, velocity=True)),
            ),
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


def _coordinate_names(model, velocity: bool) -> list[str]:
    """Name each element of qpos or qvel after its joint; free joints have 7 or 6."""
    names = []
    for i in range(model.njnt):
        joint = model.joint(i)
        size = len(joint.qpos0) if not velocity else int((model.dof_jntid == i).sum())
        names += [joint.name] if size == 1 else [f"{joint.name}[{k}]" for k in range(size)]
    return names
