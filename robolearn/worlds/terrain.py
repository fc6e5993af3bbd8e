"""Uneven ground for a legged world: height fields that are compiled in and lie unused.

Heights of a field cannot differ among the individuals of a batch, but which field is whose can. So
every form is compiled at every depth of a grid, and the shift `terrain` chooses. A pattern is known
up to scale: its unit of length is the world's `grain`, its unit of height the depth.

Ground never rises above the level at which the robot is born, so that nobody starts inside it:
heights lie between −depth and 0. Around the start it is flat; beyond the field it is flat again, a
little deeper than the field's deepest places.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError, unknown_name

FORMS = ("rough", "steps")
# m; a world has those up to its own `deepest`
DEPTHS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2)
TURNS = 4  # quarter turns of the pattern: four grounds of every form and depth
NAME = "terrain"

_CELLS = 5  # of the grid in a grain
_HALF_SIDE = 20  # grains
_NODES = 2 * _HALF_SIDE * _CELLS + 1
_PAD = 2  # half side of the flat start, grains
_SLAB = 2  # side of a step, grains
_SLAB_HEIGHTS = 5
_SMOOTHNESS = 0.4  # deviation of the Gaussian that noise is smoothed with, grains
_SEED = 20
# A class of contacts that no other geom has: compiled in, but touching nobody.
_UNUSED = 2


@dataclass(frozen=True)
class TerrainFields:
    """The height fields of one world.

    Attributes:
        grain: size of bumps and half the side of steps, m.
        depths: compiled, in m, rising.
    """

    grain: float
    depths: tuple[float, ...]

    @property
    def half_side(self) -> float:
        """From the start to the edge of the fields, m."""
        return _HALF_SIDE * self.grain

    def field(self, form: str, depth: float) -> int:
        """Return the id in the compiled model of a field."""
        return FORMS.index(form) * len(self.depths) + self.depths.index(depth)

    def height(
        self, code: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the height (k,) in m, ≤ 0, of the grounds `code` (k,) around x, y (k,) in m.

        A code is that of `ground_code`, or negative for flat ground of height 0. The height is the
        mean over a square of two grains, about what a robot stands on.
        """
        kind, turn = np.divmod(np.maximum(code, 0), TURNS)
        form, depth = np.divmod(kind, len(DEPTHS))
        cosine, sine = np.array([1, 0, -1, 0])[turn], np.array([0, 1, 0, -1])[turn]
        along, across = cosine * x + sine * y, cosine * y - sine * x  # in the field's frame
        cell = self.grain / _CELLS
        column, row = (np.rint((v + self.half_side) / cell).astype(int) for v in (along, across))
        inside = (np.minimum(row, column) >= 0) & (np.maximum(row, column) < _NODES)
        row, column = np.where(inside, row, 0), np.where(inside, column, 0)
        level = np.where(inside, _mean_patterns()[form, row, column], 0.0)
        return np.where(code < 0, 0.0, (level - 1.0) * np.array(DEPTHS)[depth])


def ground_code(form: str, depth: float, turn: int) -> int:
    """Return one number ≥ 0 for a form, a depth of `DEPTHS` in m, and quarter turns."""
    return (FORMS.index(form) * len(DEPTHS) + DEPTHS.index(depth)) * TURNS + turn


def read_terrain(section: dict[str, Any], is_admissible: bool, path: Path) -> TerrainFields | None:
    """Return the fields that `terrain` of a `world` section asks for; None without the key.

    Raises:
        UserError: a figure is missing, unknown or out of range, or the world admits the shift
            `terrain` and has no figures; names file and key.
    """
    values = section.get(NAME)
    if values is None:
        if is_admissible:
            raise UserError(f"{path}: the shift 'terrain' needs the key 'world.terrain'")
        return None
    keys = ["grain", "deepest"]
    if not isinstance(values, dict):
        raise UserError(f"{path}: key 'world.terrain' must be a mapping of {keys}, got {values!r}")
    for key in values:
        if key not in keys:
            raise UserError(f"{path}: {unknown_name('key of world.terrain', key, keys)}")
    for key, low, high in (("grain", 0.01, 100.0), ("deepest", DEPTHS[0], DEPTHS[-1])):
        value = values.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise UserError(
                f"{path}: world.terrain.{key} must be a number from {low:g} to {high:g} m, "
                f"got {value!r}"
            )
    depths = tuple(depth for depth in DEPTHS if depth <= values["deepest"])
    return TerrainFields(float(values["grain"]), depths)


def add_terrain(spec: mujoco.MjSpec, fields: TerrainFields, path: Path) -> None:
    """Add the fields, and a geom of theirs that touches nobody and is not drawn.

    The geom has a body of its own, the last, so that no other id changes; and it is made like the
    floor, whose friction and softness it has.

    Raises:
        UserError: the scene has no floor to begin with.
    """
    floors = [geom for geom in spec.geoms if geom.type == mujoco.mjtGeom.mjGEOM_PLANE]
    if len(floors) != 1:
        raise UserError(f"{path}: world.terrain needs a scene with one plane, got {len(floors)}")
    (floor,) = floors
    compiled = spec.copy().compile()
    for form, pattern in zip(FORMS, patterns(), strict=True):
        for depth in fields.depths:
            spec.add_hfield(
                name=f"{form}_{depth:g}",
                nrow=_NODES,
                ncol=_NODES,
                size=[fields.half_side, fields.half_side, depth, fields.grain],
                userdata=pattern.ravel(),
            )
    geom = spec.worldbody.add_body(name=NAME).add_geom(
        name=NAME,
        type=mujoco.mjtGeom.mjGEOM_HFIELD,
        hfieldname=f"{FORMS[-1]}_{fields.depths[-1]:g}",
        pos=[0, 0, -fields.depths[-1]],
        mass=0.0,
        contype=_UNUSED,
        conaffinity=0,
        material=floor.material,
        rgba=[*floor.rgba[:3], 0.0],
    )
    for figure in ("friction", "solref", "solimp", "solmix", "condim", "margin", "gap", "priority"):
        setattr(geom, figure, getattr(floor, figure))
    # Views and lights are placed by these figures, which must stay those of the robot's scene.
    for figure in ("extent", "center", "meansize"):
        if not np.isfinite(getattr(spec.stat, figure)).all():
            setattr(spec.stat, figure, getattr(compiled.stat, figure))


def quarter_turn(turn: int) -> NDArray[np.float64]:
    """Return the quaternion (4,) of so many quarter turns about the vertical."""
    return np.array([cos(turn * pi / 4), 0.0, 0.0, sin(turn * pi / 4)])


@lru_cache(maxsize=1)
def patterns() -> NDArray[np.float32]:
    """Return the forms (forms, nodes, nodes), from 0, the deepest, to 1, the level of the start.

    "rough": white noise, smoothed over 0.4 grains and ranked, so that all heights are as common.
    "steps": slabs two grains wide, each at one of five heights.
    """
    rng = np.random.default_rng(_SEED)
    place = np.abs(np.linspace(-_HALF_SIDE, _HALF_SIDE, _NODES))
    from_start = np.maximum(place[:, None], place[None])  # grains
    noise = _filtered(rng.standard_normal((_NODES, _NODES)), _gaussian(_SMOOTHNESS * _CELLS))
    rough = np.argsort(np.argsort(noise, axis=None)).reshape(noise.shape) / (noise.size - 1)
    # Over one grain from the flat start to the bumps, so that there is no edge.
    pad = np.clip(from_start - _PAD, 0.0, 1.0)
    rough = 1.0 - pad * (1.0 - rough)
    count = 2 * _HALF_SIDE // _SLAB + 1
    slabs = rng.integers(_SLAB_HEIGHTS, size=(count, count)) / (_SLAB_HEIGHTS - 1)
    slab = np.arange(_NODES) // (_SLAB * _CELLS)
    steps = np.where(from_start <= _PAD, 1.0, slabs[slab][:, slab])
    return np.stack((rough, steps)).astype(np.float32)


@lru_cache(maxsize=1)
def _mean_patterns() -> NDArray[np.float64]:
    """Return `patterns` (forms, nodes, nodes), each node the mean of a square of two grains."""
    box = np.full(2 * _CELLS + 1, 1.0 / (2 * _CELLS + 1))
    return np.stack([_filtered(pattern, box) for pattern in patterns()])


def _gaussian(deviation: float) -> NDArray[np.float64]:
    """Return weights (w,) that add up to 1, with a deviation in nodes."""
    reach = int(np.ceil(3 * deviation))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return weights / weights.sum()


def _filtered(values: NDArray, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `values` (m, m) filtered along both axes; the edge goes on beyond itself."""
    out = np.pad(values.astype(np.float64), len(weights) // 2, mode="edge")
    for _ in range(2):
        out = np.stack([np.convolve(row, weights, mode="valid") for row in out]).T
    return out
