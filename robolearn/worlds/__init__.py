"""MJCF scenes compiled once, with their names resolved."""

from robolearn.worlds.memory import once_per_world
from robolearn.worlds.world import Leg, World, load_world, variant_options

__all__ = ["Leg", "World", "load_world", "once_per_world", "variant_options"]
