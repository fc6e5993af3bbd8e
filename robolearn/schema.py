"""Check mappings from users against the typed fields of a dataclass; every mistake in one line."""

import dataclasses
import typing
from typing import Any, TypeVar

from robolearn.errors import UserError, unknown_name

T = TypeVar("T")


def build(schema: type[T], values: dict[str, Any], what: str) -> T:
    """Build the dataclass `schema` from `values`, with every name, type and range checked.

    Args:
        schema: a dataclass with a default for every field that may be left out.
        values: as read from YAML; lists stand for tuples.
        what: what the values belong to, for messages, such as "agent 'spiking'".

    Raises:
        UserError: an unknown name (with the nearest), or a value of the wrong type or range.
    """
    from pydantic import TypeAdapter, ValidationError  # not for those who only list

    names = [field.name for field in dataclasses.fields(schema)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            raise unknown_name(f"parameter of {what}", name, names)
    hints = typing.get_type_hints(schema, include_extras=True)
    checked = {}
    for name, value in values.items():
        # YAML has lists only; strict checking otherwise keeps "yes" from being an integer.
        tidy = tuple(value) if isinstance(value, list) else value
        try:
            checked[name] = TypeAdapter(hints[name]).validate_python(tidy, strict=True)
        except ValidationError as error:
            raise _explain(what, name, hints[name], value, error.errors()[0]) from None
    try:
        return schema(**checked)
    except TypeError as error:  # a field without a default
        raise UserError(f"{what}: {error} (give it, or a default)") from None


def _explain(what: str, name: str, hint: Any, value: object, problem: Any) -> UserError:
    if typing.get_origin(hint) is typing.Literal:
        return unknown_name(f"{name} of {what}", value, typing.get_args(hint))
    where = "".join(f"[{part}]" for part in problem["loc"] if isinstance(part, int))
    said = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return UserError(f"{what}: {name}{where} = {problem['input']!r}: the value {said}")
