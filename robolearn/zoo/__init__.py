"""Trained agents: in the zoo under `agents/<kind>/trained/`, and in run folders."""

from robolearn.zoo.policy import Policy, load
from robolearn.zoo.publishing import publish
from robolearn.zoo.trained_agent import (
    WEIGHTS,
    TrainedAgent,
    build_agent,
    find_agent,
    is_zoo_entry,
    load_trained,
    make_env,
    name_of,
    save_trained,
    zoo_entries,
)

__all__ = [
    "WEIGHTS",
    "Policy",
    "TrainedAgent",
    "build_agent",
    "find_agent",
    "is_zoo_entry",
    "load",
    "load_trained",
    "make_env",
    "name_of",
    "publish",
    "save_trained",
    "zoo_entries",
]
