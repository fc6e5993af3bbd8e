"""Where a tuning searches: keys of the config, each with a range or a list of values.

`learning.sigma=0.05..0.5:log` is a range, of whole numbers where the key holds one;
`agent.hidden=16,32,64` are values.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from robolearn.definitions import parse_yaml
from robolearn.errors import UserError, unknown_name
from robolearn.sections import Config

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_FORM = "such as learning.sigma=0.05..0.5:log or agent.hidden=16,32,64"
# Another env, or other validations, would be another score and no better one.
_TUNED = ("agent.", "learning.")
_NOT_TUNED = ("agent.control_step_s", "learning.validate_every", "learning.validation_lives")
_END = "...\n"  # how YAML ends a document that is one plain value
_DIGITS = 4  # of a number drawn: what is trained is what the final command says


@dataclass(frozen=True)
class Dimension:
    """One key and the values that it may take.

    Attributes:
        key: dotted, such as learning.sigma.
        values: to choose from; or low and high end of a range.
        is_range: whether `values` are the ends of a range.
        log: whether the range is searched by orders of magnitude.
    """

    key: str
    values: tuple[Any, ...]
    is_range: bool = False
    log: bool = False

    @property
    def distribution(self) -> "BaseDistribution":
        """What Optuna draws from."""
        from optuna import distributions

        if not self.is_range:
            return distributions.CategoricalDistribution(self.values)
        low, high = self.values
        if isinstance(low, int):
            return distributions.IntDistribution(low, high, log=self.log)
        return distributions.FloatDistribution(low, high, log=self.log)

    def rounded(self, value: Any) -> Any:
        """Return a drawn value with the few digits that the final command prints."""
        if self.is_range and isinstance(value, float):
            low, high = self.values
            return min(max(float(f"{value:.{_DIGITS}g}"), low), high)
        return value


def override(key: str, value: Any) -> str:
    """Return the `key=value` that `robolearn train` reads back as `value`."""
    text = yaml.safe_dump(value, default_flow_style=True, width=math.inf)
    return f"{key}={text.removesuffix(_END).strip()}"


def parse_space(texts: Iterable[str], config: Config) -> list[Dimension]:
    """Read the options `--space`.

    Args:
        texts: such as `learning.sigma=0.05..0.5:log`.
        config: the recipe that is tuned; it knows the keys, and which of them are whole numbers.

    Raises:
        UserError: a text cannot be read, its key is unknown or given twice, or none is given.
    """
    known = dict(_leaves(config.to_mapping(), ""))
    dimensions: dict[str, Dimension] = {}
    for text in texts:
        dimension = _parse(text, known)
        if dimension.key in dimensions:
            raise UserError(f"--space {text!r}: the key {dimension.key} is given twice")
        dimensions[dimension.key] = dimension
    if not dimensions:
        raise UserError(f"tune needs at least one --space, {_FORM}")
    return list(dimensions.values())


def _parse(text: str, known: dict[str, Any]) -> Dimension:
    key, separator, rest = (part.strip() for part in text.partition("="))
    if not separator or not key or not rest:
        raise UserError(
            f"--space {text!r} must be key=LOW..HIGH, with :log or not, or key=A,B: {_FORM}"
        )
    tunable = [name for name in known if name.startswith(_TUNED) and name not in _NOT_TUNED]
    if key not in tunable:
        raise unknown_name("key of --space", key, tunable)
    if ".." in rest:
        return _parse_range(text, key, rest, known[key])
    values = parse_yaml(f"[{rest}]", f"--space {text!r}")
    for value in values:
        if not isinstance(value, bool | int | float | str | None):
            raise UserError(f"--space {text!r}: {value!r} is no plain value (valid: {_FORM})")
    if len(values) < 2 or len({repr(value) for value in values}) < len(values):
        raise UserError(f"--space {text!r} needs two values or more, each once, {_FORM}")
    return Dimension(key, tuple(values))


def _parse_range(text: str, key: str, rest: str, present: Any) -> Dimension:
    ends, colon, scale = rest.partition(":")
    if colon and scale != "log":
        raise unknown_name("scale of a range", scale, ["log"])
    low, high = (parse_yaml(end, f"--space {text!r}") for end in ends.split("..", 1))
    for end in (low, high):
        if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end):
            raise UserError(f"--space {text!r}: {end!r} is no number (valid: {_FORM})")
    if not low < high or (scale and low <= 0):
        needed = "0 < LOW < HIGH" if scale else "LOW < HIGH"
        raise UserError(f"--space {text!r}: a range needs {needed}")
    # 0..1 of a key that holds 0.2 means the numbers between; of one that holds 3, whole numbers.
    if isinstance(present, float) or not (isinstance(low, int) and isinstance(high, int)):
        low, high = float(low), float(high)
    return Dimension(key, (low, high), is_range=True, log=bool(scale))


def _leaves(section: dict[str, Any], prefix: str) -> Iterable[tuple[str, Any]]:
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
