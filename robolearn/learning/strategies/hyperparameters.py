"""How hyperparameters are refused, and how they fall over the generations."""

from collections.abc import Callable
from typing import Annotated, Any

from annotated_types import Interval

from robolearn.errors import UserError

Population = Annotated[int, Interval(le=100_000)]


def require(config: Any, keys: str, allowed: Callable[[Any], bool], expected: str) -> None:
    """Refuse a value of one of `keys` (separated by blanks) that is not allowed; None always is.

    Raises:
        UserError: names the key, the value and what was `expected`.
    """
    for key in keys.split():
        value = getattr(config, key)
        if value is not None and not allowed(value):
            raise UserError(f"{key}: got {value}, expected {expected}")


def require_positive(config: Any, keys: str) -> None:
    """Refuse what is not more than 0."""
    require(config, keys, lambda value: value > 0, "more than 0")


def require_not_negative(config: Any, keys: str) -> None:
    """Refuse what is less than 0."""
    require(config, keys, lambda value: value >= 0, "at least 0")


def require_factor(config: Any, keys: str) -> None:
    """Refuse a factor per generation outside (0, 1]."""
    require(config, keys, lambda value: 0 < value <= 1, "a factor in (0, 1]")


def decayed(initial: float, factor: float, floor: float, generation: int) -> float:
    """Return initial * factor^generation, held at `floor`; an initial below the floor stays."""
    return max(initial * factor**generation, min(floor, initial))
