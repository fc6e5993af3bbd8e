"""The ground, sky, light and materials of our own robots, and how their motion is solved."""

from typing import Any

import mujoco

# Only feet and trunks touch the ground: contype 1 meets the floor's conaffinity 1.
_SCENERY = """
<mujoco>
  <compiler angle="radian" autolimits="true" inertiafromgeom="true"/>
  <option integrator="implicitfast" cone="pyramidal" jacobian="dense" iterations="20"
          ls_iterations="10"/>
  <visual>
    <headlight ambient="0.38 0.38 0.40" diffuse="0.28 0.28 0.28" specular="0.05 0.05 0.05"/>
    <rgba haze="0.80 0.87 0.93 1"/>
    <global azimuth="130" elevation="-18" offwidth="1280" offheight="960"/>
    <map znear="0.02" zfar="60"/>
    <quality shadowsize="2048"/>
  </visual>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1="0.55 0.70 0.85"
             rgb2="0.92 0.95 0.98" width="256" height="1536"/>
    <texture name="ground" type="2d" builtin="checker" rgb1="0.74 0.77 0.78" rgb2="0.67 0.70 0.72"
             mark="edge" markrgb="0.60 0.63 0.66" width="300" height="300"/>
    <material name="ground" texture="ground" texrepeat="4 4" texuniform="true" specular="0"
              shininess="0"/>
    <material name="shell" rgba="0.95 0.94 0.90 1" specular="0.3" shininess="0.4"/>
    <material name="dark" rgba="0.15 0.17 0.20 1" specular="0.4" shininess="0.5"/>
    <material name="accent" rgba="0.08 0.42 0.74 1" specular="0.4" shininess="0.5"/>
    <material name="eye" rgba="0.30 0.85 0.95 1" emission="0.8"/>
  </asset>
  <worldbody>
    <light name="sun" directional="true" pos="0 0 4" dir="0.3 0.4 -1" diffuse="0.62 0.60 0.56"
           specular="0.2 0.2 0.2" castshadow="true"/>
    <geom name="floor" type="plane" size="0 0 0.05" material="ground" conaffinity="1" contype="1"/>
  </worldbody>
</mujoco>
"""


def empty_scene(timestep_s: float) -> mujoco.MjSpec:
    """Return a new scene with the ground and the materials "shell", "dark", "accent" and "eye"."""
    spec = mujoco.MjSpec.from_string(_SCENERY)
    spec.option.timestep = timestep_s
    return spec


def dress(spec: mujoco.MjSpec) -> None:
    """Give a borrowed scene our ground, sky, light and colours; its physics stays as it is."""
    ours = empty_scene(timestep_s=spec.option.timestep)
    for part, keys in _VISUALS.items():
        for key in keys:
            setattr(getattr(spec.visual, part), key, getattr(getattr(ours.visual, part), key))
    for texture in spec.textures:
        is_sky = texture.type == mujoco.mjtTexture.mjTEXTURE_SKYBOX
        if is_sky or texture.type == mujoco.mjtTexture.mjTEXTURE_2D:
            _copy(ours.texture("sky" if is_sky else "ground"), texture, _TEXTURE)
    for light in spec.lights:
        _copy(ours.light("sun"), light, ("pos", "dir", "diffuse", "specular"))
    for geom in spec.geoms:
        if geom.type == mujoco.mjtGeom.mjGEOM_PLANE:
            _copy(ours.material("ground"), spec.material(geom.material), _MATERIAL)
            geom.rgba = [1.0, 1.0, 1.0, 1.0]
        else:
            look = "shell" if geom.parent.parent.name == "world" else "accent"
            geom.material = ""
            geom.rgba = ours.material(look).rgba


_VISUALS = {
    "headlight": ("ambient", "diffuse", "specular"),
    "rgba": ("haze",),
    "map": ("zfar",),
    "quality": ("shadowsize",),
}
_TEXTURE = ("builtin", "rgb1", "rgb2", "mark", "markrgb", "width", "height")
_MATERIAL = ("texrepeat", "texuniform", "specular", "shininess", "reflectance")


def _copy(source: Any, target: Any, fields: tuple[str, ...]) -> None:
    for field in fields:
        setattr(target, field, getattr(source, field))
