"""The figures that a legged body is built from, as `world.scene` of an env.yaml has them."""

from dataclasses import dataclass, fields
from math import pi
from typing import Annotated, Any, Literal

from annotated_types import Gt, Interval, MultipleOf

from robolearn.errors import UserError, unknown_name
from robolearn.schema import build

Positive = Annotated[float, Gt(0)]
LINKS = ("coxa", "femur", "tibia")


@dataclass(frozen=True)
class Trunk:
    """The body that the legs stand around.

    Attributes:
        shape: "box": the coxae sit along its two long sides; "disc": evenly around its rim.
        length: from the foremost to the rearmost coxae of a box, or diameter of a disc, m.
        height: m.
        mass: kg, with what drives the coxae.
        width: of a box, between the foremost left and right coxae, m; None takes the length.
        middle_width: between the coxae half-way along a box, m; None takes the width.
        splay: by how much the foremost legs of a box point forward and the rearmost backward, rad.
    """

    shape: Literal["box", "disc"]
    length: Positive
    height: Positive
    mass: Positive
    width: Positive | None = None
    middle_width: Positive | None = None
    splay: Annotated[float, Interval(ge=0, lt=pi / 2)] = pi / 4

    def __post_init__(self) -> None:
        if self.shape == "disc" and (self.width or self.middle_width):
            raise UserError("width and middle_width are those of a box, a disc has a length")


@dataclass(frozen=True)
class Link:
    """One link of every leg and the joint that moves it.

    Attributes:
        length: to the next joint or to the centre of the foot, m.
        radius: m.
        mass: kg, with what drives the next link.
        range: least and greatest angle of its joint, rad.
        home: angle of its joint when standing, rad.
    """

    length: Positive
    radius: Positive
    mass: Positive
    range: tuple[float, float]
    home: float

    def __post_init__(self) -> None:
        if not self.range[0] <= self.home <= self.range[1]:
            raise UserError(f"home {self.home:g} must lie in the range {list(self.range)}")


@dataclass(frozen=True)
class Foot:
    """The ball at the end of every tibia: radius in m, mass in kg."""

    radius: Positive
    mass: Positive


@dataclass(frozen=True)
class Motor:
    """The motor of every joint, which pulls towards a commanded angle.

    Attributes:
        torque: greatest, N·m.
        stiffness: torque by error of the angle, N·m/rad.
        damping: torque by angular velocity, while the motor works, N·m·s/rad.
        friction: viscous, of the gears, also of a dead motor, N·m·s/rad.
        armature: inertia of the rotor as the joint feels it, kg·m².
    """

    torque: Positive
    stiffness: Positive
    damping: Positive
    friction: Positive
    armature: Positive


@dataclass(frozen=True)
class Figures:
    """What a legged body is built from; each part is a mapping of its own in env.yaml.

    Attributes:
        legs: how many, an even number.
        timestep_s: of physics.
        friction: of ground, feet and trunk: sliding, spinning (m), rolling (m), as MuJoCo has it.
    """

    legs: Annotated[int, Interval(ge=4, le=20), MultipleOf(2)]
    timestep_s: Annotated[float, Interval(gt=0, le=0.05)]
    friction: tuple[Positive, Positive, Positive]
    trunk: Trunk
    coxa: Link
    femur: Link
    tibia: Link
    foot: Foot
    motor: Motor

    @property
    def links(self) -> dict[str, Link]:
        """The links by name, from the trunk outwards."""
        return {name: getattr(self, name) for name in LINKS}


def leg_names(legs: int) -> list[str]:
    """Return the names of an even number of legs: pairs from front to rear, left before right."""
    pairs = legs // 2
    between = ["middle"] if pairs == 3 else [f"middle_{i}" for i in range(1, pairs - 1)]
    return [f"{p}_{side}" for p in ("front", *between, "rear") for side in ("left", "right")]


def read_figures(values: dict[str, Any], where: str) -> Figures:
    """Return the figures, checked part by part so that a message names the key as it was written.

    Raises:
        UserError: a figure is unknown, missing or out of its range; begins with `where`.
    """
    parts = {"trunk": Trunk, "foot": Foot, "motor": Motor, **dict.fromkeys(LINKS, Link)}
    read: dict[str, Any] = {}
    names = [field.name for field in fields(Figures)]
    for key, value in values.items():
        if key not in names:
            raise unknown_name("parameter of world.scene", key, names, prefix=where)
        if key not in parts:
            read[key] = value
            continue
        if not isinstance(value, dict):
            raise UserError(f"{where}{key} must be a mapping, got {value!r}")
        read[key] = build(parts[key], _floats(value), f"{where}{key}", f"{where}{key}.")
    missing = [name for name in names if name not in values]
    if missing:
        raise UserError(f"{where.rstrip('.')} lacks {missing}")
    return build(Figures, read, where.rstrip("."), where)


def _floats(values: dict[str, Any]) -> dict[str, Any]:
    """YAML writes a length of 1.0 as 1 too."""
    return {k: float(v) if type(v) is int else v for k, v in values.items()}
