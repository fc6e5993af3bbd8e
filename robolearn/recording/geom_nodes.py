"""The geoms of a changing body as nodes of a viser scene, each look made once and then switched."""

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robolearn.recording.damage import geom_colours
from robolearn.recording.meshes import geom_mesh

if TYPE_CHECKING:
    import viser

# MuJoCo itself draws geoms of the groups 0-2 only; higher ones hold collision shapes.
_HIGHEST_SHOWN_GROUP = 2


class GeomNodes:
    """Every look of every geom in a scene whose bodies are the frames `/scene/body<i>`.

    The viewer rewinds a recording by replaying from the first message, so for a recording all nodes
    exist from the start and only their visibility changes: a node added in mid-life would survive
    the rewind. A live view may show looks that it did not have at the start.
    """

    def __init__(
        self, scene: "viser.SceneApi", looks: list[mujoco.MjModel], floor_margin_m: float
    ) -> None:
        """`looks` are models that will be shown; endless floors reach `floor_margin_m`."""
        self._scene = scene
        self._floor_size_m = 2 * floor_margin_m
        self._nodes: dict[tuple[Any, ...], Any] = {}
        self._keys: dict[int, list[tuple[Any, ...]]] = {}  # id of a look: the nodes it shows
        self._shown: mujoco.MjModel | None = None
        # Holding the looks keeps their ids from being given to other objects.
        self._looks: dict[int, mujoco.MjModel] = {}
        for look in looks:
            self._add_look(look)

    def show(self, look: mujoco.MjModel) -> None:
        """Make the geoms of `look` the visible ones."""
        if look is self._shown:
            return
        self._add_look(look)
        keys = set(self._keys[id(look)])
        for key, node in self._nodes.items():
            node.visible = key in keys
        self._shown = look

    def _add_look(self, look: mujoco.MjModel) -> None:
        if id(look) not in self._looks:
            self._looks[id(look)] = look
            self._keys[id(look)] = self._build(look)

    def _build(self, model: mujoco.MjModel) -> list[tuple[Any, ...]]:
        colours = _mean_colours(model)
        keys = []
        for geom in range(model.ngeom):
            if colours[geom, 3] == 0 or model.geom_group[geom] > _HIGHEST_SHOWN_GROUP:
                continue
            shape = (model.geom_size, model.geom_pos, model.geom_quat, colours)
            key = (
                geom,
                int(model.geom_type[geom]),
                int(model.geom_dataid[geom]),
                *(array[geom].tobytes() for array in shape),
            )
            if key not in self._nodes:
                node = self._add(model, geom, colours[geom])
                if node is None:
                    continue
                self._nodes[key] = node
            keys.append(key)
        return keys

    def _add(self, model: mujoco.MjModel, geom: int, rgba: NDArray[np.float32]) -> Any:
        name = f"/scene/body{model.geom_bodyid[geom]}/geom{geom}look{len(self._nodes)}"
        rgb = np.round(255 * rgba[:3]).astype(np.uint8)
        place: dict[str, Any] = {
            "position": model.geom_pos[geom],
            "wxyz": model.geom_quat[geom],
            "visible": False,
        }
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_PLANE:
            width, height = (
                2 * float(half) if half > 0 else self._floor_size_m
                for half in model.geom_size[geom, :2]
            )
            lines = np.minimum(rgb.astype(int) + 28, 255).astype(np.uint8)
            return self._scene.add_grid(
                name,
                width=width,
                height=height,
                plane_color=rgb,
                plane_opacity=float(rgba[3]),
                cell_color=lines,
                section_color=lines,
                shadow_opacity=0.35,
                **place,
            )
        mesh = geom_mesh(model, geom)
        if mesh is None:
            return None
        return self._scene.add_mesh_simple(
            name,
            mesh.vertices,
            mesh.faces,
            color=rgb,
            opacity=None if rgba[3] >= 1 else float(rgba[3]),
            flat_shading=mesh.flat,
            **place,
        )


def _mean_colours(model: mujoco.MjModel) -> NDArray[np.float32]:
    """The colours (ngeom, 4) of the geoms, those with a texture taking its mean colour."""
    colours = np.clip(geom_colours(model), 0, 1)
    for geom in np.flatnonzero(model.geom_matid >= 0):
        texture = model.mat_texid[model.geom_matid[geom], mujoco.mjtTextureRole.mjTEXROLE_RGB]
        if texture >= 0:
            channels = int(model.tex_nchannel[texture])
            start = model.tex_adr[texture]
            count = model.tex_height[texture] * model.tex_width[texture] * channels
            pixels = model.tex_data[start : start + count].reshape(-1, channels)
            colours[geom, :3] *= pixels[:, :3].mean(axis=0) / 255
    return colours
