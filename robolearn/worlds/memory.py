"""What is worked out once for a world and forgotten together with it."""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from robolearn.worlds.world import World

# Values that a function keeps for one world; a fraction of a leg that is drawn anew for every life
# would fill the memory of the machine otherwise.
MOST_KEPT = 256

P = ParamSpec("P")
R = TypeVar("R")


def once_per_world(
    function: Callable[Concatenate[World, P], R],
) -> Callable[Concatenate[World, P], R]:
    """Call `function(world, *rest)` once for each world and hashable rest, as long as it lives.

    Every env loads a world of its own: a cache that held on to worlds would hold them all. Of each
    world the `MOST_KEPT` values are kept that were asked for last.
    """
    found: WeakKeyDictionary[World, dict[Hashable, R]] = WeakKeyDictionary()

    @wraps(function)
    def once(world: World, *rest: P.args, **named: P.kwargs) -> R:
        own = found.setdefault(world, {})
        key = (rest, tuple(sorted(named.items())))
        value = own.pop(key) if key in own else function(world, *rest, **named)
        own[key] = value  # the last of the dict was asked for last
        if len(own) > MOST_KEPT:
            del own[next(iter(own))]
        return value

    return once
