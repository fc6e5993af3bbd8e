"""Turn NumPy scalars, arrays, tuples and paths into the plain values that JSON and YAML hold."""

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np


def to_plain(value: Any) -> Any:
    """Return `value` made of dict, list, str, bool, int, float and None only.

    Raises:
        TypeError: something in `value` has no plain form.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{value!r} of type {type(value).__name__} has no plain form")


def to_strict_json(value: Any) -> Any:
    """Return `to_plain(value)` with NaN and infinities as None: strict JSON has no word for them.

    Raises:
        TypeError: something in `value` has no plain form.
    """
    return _without_nan(to_plain(value))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
