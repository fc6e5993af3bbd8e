"""Brain-inspired learning in robot bodies that change: train, break a leg, measure, film.

Importing registers the Gymnasium ids `robolearn/...` and loads nothing heavy.
"""

from typing import Any

from robolearn.envs.registration import register_envs

__version__ = "0.1.0"

register_envs()


def __getattr__(name: str) -> Any:
    if name == "load":
        from robolearn.zoo import load

        return load
    raise AttributeError(f"module 'robolearn' has no attribute {name!r}")
