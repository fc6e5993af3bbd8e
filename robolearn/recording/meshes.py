"""Triangle meshes of MuJoCo's geoms, for viewers that know no capsules or ellipsoids."""

from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

_SIDES = 20  # facets around a round body
_ARCS = 8  # facets from an equator to a pole


class Mesh(NamedTuple):
    """Vertices (v, 3) in m in the geom's frame, faces (f, 3) as vertex indices, outside in front.

    `flat` marks a body with sharp edges, which must not be shaded as if it were smooth.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.uint32]
    flat: bool


def geom_mesh(model: mujoco.MjModel, geom: int) -> Mesh | None:  # noqa: PLR0911 -- one a kind
    """The mesh of geom number `geom`; None for planes and for kinds without a surface."""
    kind, size = int(model.geom_type[geom]), model.geom_size[geom]
    kinds = mujoco.mjtGeom
    if kind == kinds.mjGEOM_SPHERE:
        return _revolved(_dome(size[0]), flat=False)
    if kind == kinds.mjGEOM_CAPSULE:
        return _revolved(_dome(size[0], half_length=size[1]), flat=False)
    if kind == kinds.mjGEOM_ELLIPSOID:
        ball = _revolved(_dome(1.0), flat=False)
        return ball._replace(vertices=(ball.vertices * size).astype(np.float32))
    if kind == kinds.mjGEOM_CYLINDER:
        radius, half = size[:2]
        return _revolved(np.array([[0, -half], [radius, -half], [radius, half], [0, half]]), True)
    if kind == kinds.mjGEOM_BOX:
        return _box(size)
    if kind == kinds.mjGEOM_MESH:
        return _own_mesh(model, int(model.geom_dataid[geom]))
    if kind == kinds.mjGEOM_HFIELD:
        return _height_field(model, int(model.geom_dataid[geom]))
    return None


def _dome(radius: float, half_length: float = 0.0) -> NDArray[np.float64]:
    """The outline (p, 2) of a sphere or capsule as (radius, height), from pole to pole."""
    angle = np.linspace(0, np.pi / 2, _ARCS + 1)
    upper = np.stack([radius * np.cos(angle), half_length + radius * np.sin(angle)], axis=1)
    return np.concatenate([(upper * [1, -1])[::-1], upper])


def _revolved(outline: NDArray[np.float64], flat: bool) -> Mesh:
    """Turn an outline (p, 2) of (radius, height), from the bottom up, about the z axis."""
    angle = 2 * np.pi * np.arange(_SIDES) / _SIDES
    radius, height = outline[:, :1], outline[:, 1:]
    vertices = np.stack(
        [
            radius * np.cos(angle),
            radius * np.sin(angle),
            np.broadcast_to(height, (len(outline), _SIDES)),
        ],
        axis=2,
    )  # (p, sides, 3)
    ring = np.arange(len(outline) - 1)[:, None] * _SIDES
    here, beside = np.arange(_SIDES), (np.arange(_SIDES) + 1) % _SIDES
    corners = np.broadcast_arrays(
        ring + here, ring + beside, ring + _SIDES + here, ring + _SIDES + beside
    )
    return Mesh(vertices.reshape(-1, 3).astype(np.float32), _halved(*corners), flat)


def _halved(a: NDArray, b: NDArray, c: NDArray, d: NDArray) -> NDArray[np.uint32]:
    """Two triangles for each quadrilateral: a, b its lower corners, c, d the upper ones."""
    lower, upper = np.stack([a, b, d], axis=-1), np.stack([a, d, c], axis=-1)
    return np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)]).astype(np.uint32)


def _box(half_size: NDArray[np.float64]) -> Mesh:
    corners = np.array(
        [[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], np.float32
    )  # corner number = x + 2 y + 4 z
    # Each side as seen from outside: lower left, lower right, upper left, upper right.
    sides = np.array(
        [[0, 1, 4, 5], [3, 2, 7, 6], [2, 0, 6, 4], [1, 3, 5, 7], [4, 5, 6, 7], [2, 3, 0, 1]]
    )
    return Mesh(corners * half_size.astype(np.float32), _halved(*sides.T), flat=True)


def _own_mesh(model: mujoco.MjModel, mesh: int) -> Mesh:
    vertex, face = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
    vertices = model.mesh_vert[vertex : vertex + model.mesh_vertnum[mesh]]
    faces = model.mesh_face[face : face + model.mesh_facenum[mesh]]
    return Mesh(vertices.astype(np.float32), faces.astype(np.uint32), flat=True)


def _height_field(model: mujoco.MjModel, field: int) -> Mesh:
    rows, columns = int(model.hfield_nrow[field]), int(model.hfield_ncol[field])
    start = model.hfield_adr[field]
    height = model.hfield_data[start : start + rows * columns].reshape(rows, columns)
    half_x, half_y, top, _ = model.hfield_size[field]
    x, y = np.meshgrid(np.linspace(-half_x, half_x, columns), np.linspace(-half_y, half_y, rows))
    vertices = np.stack([x, y, height * top], axis=2).reshape(-1, 3)
    index = np.arange(rows * columns).reshape(rows, columns)
    faces = _halved(index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:])
    return Mesh(vertices.astype(np.float32), faces, flat=True)
