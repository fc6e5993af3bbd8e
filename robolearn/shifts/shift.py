"""What a shift is: a frozen value that changes the body, the world or the senses of individuals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError, unknown_name
from robolearn.shifts.interface import Interface
from robolearn.simulation import Simulation
from robolearn.worlds import World

if TYPE_CHECKING:
    from robolearn.shifts.channel import Stack

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Shift:
    """One change. Subclasses add frozen fields and override what they need.

    The body of an individual is a pure function of the compiled scene and the set of its active
    shifts: all `edit`s are compiled into one edited scene, then `apply` runs for each shift, in an
    order that does not depend on their onsets. So a shift applied twice equals once, and a removed
    one equals never. A shift that also, or only, changes what passes between brain and body
    overrides `act` or `sense`; one that changes a parameter of the task, `apply_task`.

    Attributes:
        kind: its name.
        place: where on the way between brain and body it acts, lowest first.
        is_random: whether it needs a random stream of its own.
        changes_constants: whether `apply` writes fields (masses, geometry) from which MuJoCo
            derives constants, which are then computed again.
    """

    kind: ClassVar[str]
    place: ClassVar[int] = 0
    is_random: ClassVar[bool] = False
    changes_constants: ClassVar[bool] = False

    @property
    def edits_scene(self) -> bool:
        """Whether `edit` changes anything."""
        return False

    def check(self, world: World) -> None:
        """Raise UserError if the world lacks what the shift names."""

    @property
    def changes_body(self) -> bool:
        """Whether it changes the scene or what `apply` writes, not the senses or the task alone."""
        return self.edits_scene or type(self).apply is not Shift.apply

    def check_interface(self, interface: Interface) -> None:
        """Raise UserError if senses, actions or task lack what the shift names."""

    def edit(self, spec: mujoco.MjSpec, world: World) -> None:
        """Change a copy of the scene before it is compiled."""

    def remember(self, simulation: Simulation, ids: Ids) -> NDArray[np.float64]:
        """Return what must be known of the moment of onset, shape (k, m); kept until the end."""
        return np.zeros((len(ids), 0))

    def apply(self, simulation: Simulation, ids: Ids, memory: NDArray[np.float64]) -> None:
        """Write the model fields of the individuals `ids` (k,); memory (k, m) from `remember`."""

    def release(self, simulation: Simulation, ids: Ids) -> None:
        """Put right the state of `ids` (k,) when it ends within a life.

        For shifts after whose end the restored world would not admit a state that was sound.
        """

    def apply_task(self, arrays: dict[str, NDArray], ids: Ids) -> None:
        """Write the task's parameters `arrays` (n, ...) of the individuals `ids` (k,)."""

    def channel_parameters(self, interface: Interface) -> dict[str, NDArray]:
        """Return what `act` or `sense` needs of this shift, by name; stacked over individuals."""
        return {}

    def channel_state(self, interface: Interface) -> dict[str, NDArray]:
        """Return new arrays of what `act` or `sense` changes, by name; stacked likewise."""
        return {}

    @staticmethod
    def act(stack: Stack, command: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the actions (k, a) that reach the motors when the brain commands `command`.

        Both hooks may change their argument in place, and serve all shifts of this kind at once.
        """
        return command

    @staticmethod
    def sense(stack: Stack, observation: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the observations (k, o) that reach the brain when the senses send these."""
        return observation

    def lasts_s(self, world: World) -> float:
        """Return after how many seconds it is over by itself; inf for never."""
        return np.inf

    def legs(self, world: World) -> tuple[str, ...]:
        """Return the names of the legs that the shift hurts."""
        return ()

    def same_as(self, world: World) -> tuple[Shift, ...]:
        """Return what else is one and the same to a body, such as limp motors to a dead leg."""
        return ()

    def contradicts(self, other: Shift, world: World) -> bool:
        """Return whether the two, which differ, cannot act on one individual at once.

        Those that can compose: factors multiply; masses, forces, noise and delays add.
        """
        return False

    def __call__(self, spec: mujoco.MjSpec, world: World) -> None:
        """Be an edit of `World.compile_edited`."""
        self.edit(spec, world)

    @property
    def label(self) -> str:
        """The shift as written on the command line, without its time."""
        values = [getattr(self, f.name) for f in fields(self)]
        return ":".join(
            [self.kind, *(f"{v:g}" if isinstance(v, float) else str(v) for v in values)]
        )


_REGISTRY: dict[str, type[Shift]] = {}


def register(shift: type[Shift]) -> type[Shift]:
    """Make a kind of shift known by its name; usable as a class decorator.

    Raises:
        ValueError: a parameter has a name by which plans say when, and how likely, a shift is.
        UserError: the kind is taken.
    """
    of_plans = {"kind", "onset_s", "end_s", "probability", "iterations", "mildest"}
    taken = of_plans & {f.name for f in fields(shift)}
    if taken:
        raise ValueError(f"shift {shift.kind} must not have parameters named {sorted(taken)}")
    if _REGISTRY.get(shift.kind, shift) is not shift:
        raise UserError(f"shift {shift.kind!r} is taken (taken: {', '.join(sorted(_REGISTRY))})")
    _REGISTRY[shift.kind] = shift
    return shift


def shift_kinds() -> dict[str, type[Shift]]:
    """Return the known kinds by name."""
    return dict(sorted(_REGISTRY.items()))


def make_shift(kind: str, world: World, **values: Any) -> Shift:
    """Build one shift and check it against a world.

    Of our own kinds, those apply that the definition of the env names; one that a user registered
    applies wherever its `check` agrees.

    Raises:
        UserError: unknown kind, parameter or leg, or a value out of range; names the nearest.
    """
    shift_type = shift_kind(kind)
    admissible = world.definition.get("shifts", [])
    if kind not in admissible and shift_type.__module__.startswith("robolearn."):
        valid = ", ".join(admissible) or "none"
        raise UserError(f"shift {kind!r} does not apply to {world.name} (valid: {valid})")
    check_parameters(kind, values)
    try:
        shift = shift_type(**values)
    except TypeError as error:
        raise UserError(f"shift {kind}: {error}") from None
    shift.check(world)
    return shift


def kind_of(mapping: dict[str, Any]) -> str:
    """Return the kind of a shift in YAML form; raises UserError if it is missing or unknown."""
    if "kind" not in mapping:
        valid = ", ".join(sorted(_REGISTRY))
        raise UserError(f"the key 'kind' is missing in the shift {mapping!r} (valid: {valid})")
    return shift_kind(mapping["kind"]).kind


def shift_kind(kind: Any) -> type[Shift]:
    """Return the class of a kind of shift; raises UserError with the nearest name."""
    if not isinstance(kind, str) or kind not in _REGISTRY:
        raise unknown_name("shift", kind, _REGISTRY)
    return _REGISTRY[kind]


def check_parameters(kind: str, names: Iterable[Any]) -> None:
    """Raise UserError, with the nearest name, unless the shift has all parameters in `names`."""
    valid = [f.name for f in fields(shift_kind(kind))]
    for name in names:
        if name not in valid:
            raise unknown_name(f"parameter of shift {kind}", name, valid)


def number(value: Any, key: str, low: float, high: float = np.inf) -> float:
    """Return `value` as a float in [low, high].

    Raises:
        UserError: it is not; names the key, the value and the range.
    """
    try:
        result = np.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        result = np.nan
    if isinstance(value, bool) or not low <= result <= high or not np.isfinite(result):
        limit = f"at least {low:g}" if np.isinf(high) else f"from {low:g} to {high:g}"
        raise UserError(f"{key} must be a number {limit}, got {value!r}")
    return result


def whole_number(value: Any, key: str, low: int, high: int) -> int:
    """Return `value` rounded to a whole number in [low, high].

    Raises:
        UserError: it is not a number or out of range; names the key, the value and the range.
    """
    return round(number(value, key, low, high))
