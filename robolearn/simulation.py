"""`n` individuals of one World advancing together on `mujoco.batch`: physics and nothing else."""

import logging
import os
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import MODEL_FIELDS, Batch
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.worlds import World, once_per_world

Ids = NDArray[np.int64]
Edit = Callable[[mujoco.MjSpec, World], None]
_MOST = 1_000_000

# MuJoCo resets an individual whose state turns non-finite and only counts it here.
_DIVERGENCE = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
    int(mujoco.mjtWarning.mjWARN_BADCTRL),
]


# MuJoCo would write its warnings to MUJOCO_LOG.TXT in the user's folder; we count them instead.
mujoco.set_mju_user_warning(logging.getLogger("robolearn.physics").debug)


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Simulation:
    """The states and bodies of `n` individuals.

    `qpos` (n, nq), `qvel` (n, nv), `ctrl` (n, nu) and `eq_active` (n, neq) are live: writing them
    sets the state; so are the outer forces `xfrc_applied` (n, bodies, 6), N and N·m. `read` gives
    live read-only arrays of what MuJoCo derives. Bodies are changed with `write_body` and put back
    with `restore_bodies`; `body_version` (n,), 0 as long as a body is as compiled, rises with every
    change.

    Args:
        world: the scene.
        n: number of individuals.
        threads: physics threads; None takes every available core. Results do not depend on it.

    Raises:
        UserError: `n` is less than 1, or more than a million.
    """

    def __init__(self, world: World, n: int, threads: int | None = None):
        if not 1 <= n <= _MOST:
            raise UserError(f"number of individuals must be from 1 to {_MOST}, got {n}")
        self.world = world
        self.n = n
        self.model = world.model
        self._batch = Batch(world.model, n, min(threads or available_cores(), n))
        self.qpos = self._batch.bind("qpos")
        self.qvel = self._batch.bind("qvel")
        self.ctrl = self._batch.bind("ctrl")
        self.eq_active = self._batch.bind("eq_active")
        self.xfrc_applied = self._batch.bind("xfrc_applied")
        self.unstable = np.zeros(n, np.bool_)  # (n,) diverged in the last step
        self._counters = self._batch.warning[:, :, 1]  # live (n, warnings)
        self._warnings = self._counters[:, _DIVERGENCE]
        self._bodies: dict[str, NDArray] = {}  # field -> live (n, ...)
        self._has_own_constants = np.zeros(n, np.bool_)  # (n,) derived for its own body
        self.body_version = np.zeros(n, np.int64)  # (n,) rises whenever a body may have changed

    def read(self, field: str) -> NDArray:
        """Return the live array (n, ...) of a field of MjData, such as "xpos" or "sensordata".

        After `step` it describes the state before the last substep, as with `mj_step`. A field that
        is read for the first time is zero until the next step or reset.
        """
        return self._batch.bind(field)

    def reset(self, ids: Ids, qpos: NDArray[np.float64], qvel: NDArray[np.float64]) -> None:
        """Put the individuals `ids` (sorted) at qpos (k, nq) and qvel (k, nv); bodies are kept."""
        self._batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self.qpos[ids] = qpos
        self.qvel[ids] = qvel
        self._batch.forward(ids)
        self.unstable[ids] = False
        self._warnings[ids] = self._counters[ids][:, _DIVERGENCE]

    def step(self, ids: Ids | None = None) -> None:
        """Advance the individuals `ids` (sorted; None for all) by one control step.

        An individual whose physics diverged is marked in `unstable`; MuJoCo has put it back to the
        default pose, so that every array stays finite.
        """
        self._batch.step(ids, nstep=self.world.substeps)
        warnings = self._counters[:, _DIVERGENCE]
        np.any(warnings != self._warnings, axis=1, out=self.unstable)
        if self.unstable.any():
            self._warnings = warnings

    def write_body(self, field: str, ids: Ids, index: Any, value: Any) -> None:
        """Give the individuals `ids` (k,) their own values of a field of MjModel, or "opt.<name>".

        `field[ids][:, index] = value`, or `[:, *index]` for a tuple; `value` broadcasts over the
        individuals.
        """
        values = self._body_field(field)
        self.body_version[ids] += 1
        block = values[ids]
        block[(slice(None), *(index if isinstance(index, tuple) else (index,)))] = value
        values[ids] = block

    def body(self, field: str, ids: Ids) -> NDArray:
        """Return a copy of the values (k, ...) of a field of MjModel for the individuals `ids`."""
        if field in self._bodies:
            return self._bodies[field][ids]
        return np.repeat(self._default(field)[None], len(ids), axis=0)

    def write_edited(self, ids: Ids, edits: tuple[Edit, ...]) -> None:
        """Give `ids` the body of the scene compiled with `edits` (hashable), applied in order."""
        self.body_version[ids] += 1
        for field, values in _edited_fields(self.world, edits).items():
            self._body_field(field)[ids] = values

    def forward(self, ids: Ids) -> None:
        """Derive `read` arrays anew from the state of `ids` (sorted), without advancing it."""
        self._batch.forward(ids)

    def compute_constants(self, ids: Ids) -> None:
        """Derive anew, for `ids` (sorted), what MuJoCo derives from masses and geometry."""
        self._batch.set_const(ids)
        self._has_own_constants[ids] = True

    def ray(
        self, origin: NDArray[np.float64], direction: NDArray[np.float64], group: int
    ) -> NDArray[np.float64]:
        """Return how far rays go until they meet a geom of a group, (n, k), inf for never.

        `origin` and unit vectors `direction` broadcast to (n, k, 3), in m; the scenery is where the
        present state has it.
        """
        groups = np.zeros(mujoco.mjNGROUP, np.uint8)
        groups[group] = 1
        distance = self._batch.ray(origin, direction, groups)[0]
        distance[distance < 0] = np.inf
        return distance

    def restore_bodies(self, ids: Ids) -> None:
        """Put the bodies of `ids` back to the compiled defaults, bit for bit."""
        if self._bodies:
            self.body_version[ids] += 1
        for field, values in self._bodies.items():
            values[ids] = self._default(field)
        own = np.unique(ids[self._has_own_constants[ids]])
        if len(own):
            self._batch.set_const(own)
            self._has_own_constants[own] = False
        self.eq_active[ids] = self.model.eq_active0
        self.xfrc_applied[ids] = 0.0

    def model_of(self, row: int, out: mujoco.MjModel | None = None) -> mujoco.MjModel:
        """Return the model with the body of one individual, for rendering: a new one, or `out`."""
        return self._batch.get_model(row, out)

    def _default(self, field: str) -> NDArray:
        owner, _, name = field.rpartition(".")
        return np.asarray(getattr(self.model.opt if owner else self.model, name))

    def _body_field(self, field: str) -> NDArray:
        if field not in self._bodies:
            self._bodies[field] = self._batch.expand(field)
        return self._bodies[field]


@once_per_world
def _edited_fields(world: World, edits: tuple[Edit, ...]) -> dict[str, NDArray]:
    """Return the fields of MjModel in which the edited scene differs from the world's own.

    Raises:
        ValueError: the edits changed what all individuals share, such as the number of elements.
    """
    edited = world.compile_edited(edits)
    differing = {}
    for name in dir(edited):
        ours, theirs = getattr(world.model, name), getattr(edited, name)
        if name.startswith("_") or not isinstance(theirs, np.ndarray):
            continue
        # Collision trees too must keep their shape: bodies point into one array of all nodes.
        if ours.shape != theirs.shape:
            raise ValueError(f"the edits {edits} change the shape of the model's {name}")
        if not np.array_equal(ours, theirs):
            if name not in MODEL_FIELDS:
                raise ValueError(f"the edits {edits} change {name}, which all individuals share")
            differing[name] = theirs.copy()
    return differing
