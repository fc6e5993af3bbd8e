"""The same physics without anything around it: what a closed loop did, stepped again by itself."""

import time

import mujoco
import numpy as np
from mujoco.batch import MODEL_FIELDS, Batch
from numpy.typing import NDArray

from robolearn.simulation import Simulation, available_cores

# The state from which MuJoCo's next step follows; all can be read and written in a batch.
_STATE = (
    *("time", "qpos", "qvel", "act", "qacc_warmstart", "ctrl", "qfrc_applied", "xfrc_applied"),
    *("eq_active", "mocap_pos", "mocap_quat", "userdata"),
)


class OpenLoop:
    """A bare `mujoco.batch.Batch` that follows a Simulation, with the same number of threads.

    `start` copies its state and bodies, `record` notes a control step that it made, `replay` makes
    the recorded steps again and takes the time. `check` compares the states bit for bit, so that a
    ratio never compares different physics.

    Args:
        simulation: whom to follow; its bodies must not change between `start` and `check`.
    """

    def __init__(self, simulation: Simulation):
        self._simulation = simulation
        self._batch = Batch(simulation.model, simulation.n, min(available_cores(), simulation.n))
        self._recorded: list[tuple[NDArray[np.float64], NDArray[np.int64] | None]] = []

    def start(self) -> None:
        """Take over the state and the bodies of the simulation as they are now."""
        simulation = self._simulation
        self._batch.reset(None, stage=mujoco.mjtStage.mjSTAGE_NONE.value)  # pyright: ignore[reportAttributeAccessIssue]
        self.resume()
        everyone = np.arange(simulation.n)
        for field in sorted(MODEL_FIELDS):
            if field.startswith("opt."):
                continue
            bodies = simulation.body(field, everyone)  # (n, ...)
            if bodies.size and (bodies != np.asarray(getattr(simulation.model, field))).any():
                self._batch.expand(field)[...] = bodies

    def resume(self) -> None:
        """Take over the state as it is now, for instance after the task has begun new trials."""
        for field in _STATE:
            self._batch.bind(field)[...] = self._simulation.read(field)
        self._recorded.clear()

    def record(self, alive: NDArray[np.bool_]) -> None:
        """Note the control step just made by the individuals `alive` (n,)."""
        ids = None if alive.all() else np.flatnonzero(alive)
        self._recorded.append((self._simulation.ctrl.copy(), ids))

    @property
    def recorded(self) -> int:
        """Number of control steps that wait to be replayed."""
        return len(self._recorded)

    def replay(self) -> float:
        """Make the recorded steps and forget them; returns the seconds that this took."""
        ctrl, substeps = self._batch.bind("ctrl"), self._simulation.world.substeps
        started = time.perf_counter()
        for control, ids in self._recorded:
            if ids is None:
                ctrl[:] = control
            else:
                ctrl[ids] = control[ids]
            self._batch.step(ids, nstep=substeps)
        seconds = time.perf_counter() - started
        self._recorded.clear()
        return seconds

    def check(self, rows: NDArray[np.bool_] | None = None) -> None:
        """Raise RuntimeError unless the replayed states equal the simulation's, bit for bit.

        `rows` (n,) leaves out individuals whose state something else than physics has changed.
        """
        chosen = slice(None) if rows is None else rows
        for field in ("qpos", "qvel"):
            ours, theirs = self._batch.bind(field)[chosen], self._simulation.read(field)[chosen]
            if not np.array_equal(ours, theirs):
                raise RuntimeError(f"the replay left the path of the closed loop in {field}")
