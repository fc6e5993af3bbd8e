"""What is worked out once for a world and forgotten together with it."""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from robolearn.worlds.world import World

P = ParamSpec("P")
R = TypeVar("R")


def once_per_world(
    function: Callable[Concatenate[World, P], R],
) -> Callable[Concatenate[World, P], R]:
    """Call `function(world, *rest)` once for each world and hashable rest, as long as it lives.

    Every env loads a world of its own: a cache that held on to worlds would hold them all.
    """
    found: WeakKeyDictionary[World, dict[Hashable, R]] = WeakKeyDictionary()

    @wraps(function)
    def once(world: World, *rest: P.args, **named: P.kwargs) -> R:
        own = found.setdefault(world, {})
        key = (rest, tuple(sorted(named.items())))
        if key not in own:
            own[key] = function(world, *rest, **named)
        return own[key]

    return once
