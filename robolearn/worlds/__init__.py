"""MJCF scenes compiled once, with their names resolved."""

from robolearn.worlds.world import Leg, World, load_world

__all__ = ["Leg", "World", "load_world"]
