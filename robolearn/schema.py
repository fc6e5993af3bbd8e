"""Check mappings from users against the typed fields of a dataclass; every mistake in one line."""

import dataclasses
import typing
from typing import Any, TypeVar

from robolearn.errors import UserError, unknown_name

T = TypeVar("T")


def build(schema: type[T], values: dict[str, Any], what: str, prefix: str = "") -> T:
    """Build the dataclass `schema` from `values`, with every name, type and range checked.

    Args:
        schema: a dataclass with a default for every field that may be left out.
        values: as read from YAML; lists stand for tuples.
        what: what the values belong to, for messages, such as "agent 'spiking'".
        prefix: of the keys where the user wrote them, such as "agent."; empty if nobody did.

    Raises:
        UserError: an unknown name (with the nearest), or a value of the wrong type or range.
    """
    from pydantic import TypeAdapter, ValidationError  # not for those who only list

    names = [field.name for field in dataclasses.fields(schema)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            raise unknown_name(f"parameter of {what}", name, names, prefix=prefix)
    hints = typing.get_type_hints(schema, include_extras=True)
    checked = {}
    for name, value in values.items():
        # YAML has lists only; strict checking otherwise keeps "yes" from being an integer.
        tidy = _as_tuples(value)
        try:
            checked[name] = TypeAdapter(hints[name]).validate_python(tidy, strict=True)
        except ValidationError as error:
            key = f"{prefix}{name}" if prefix else f"{what}: {name}"
            if typing.get_origin(hints[name]) is typing.Literal:
                label = key if prefix else f"{name} of {what}"
                raise unknown_name(label, value, typing.get_args(hints[name])) from None
            raise UserError(describe(key, error.errors()[0])) from None
    try:
        return schema(**checked)
    except UserError as error:  # the schema's own checks begin with the name of the field
        raise UserError(f"{prefix or f'{what}: '}{error}") from None
    except TypeError as error:  # a field without a default
        raise UserError(f"{what}: {error} (give it, or a default)") from None


def _as_tuples(value: Any) -> Any:
    """Return the value with all lists, also lists in lists, as tuples."""
    return tuple(_as_tuples(element) for element in value) if isinstance(value, list) else value


def describe(key: str, problem: Any) -> str:
    """Return one line on a problem that pydantic found: the key, what was given, what is allowed.

    Args:
        key: where the value stands, such as "learning.generations".
        problem: an element of `ValidationError.errors()`.
    """
    where = "".join(f"[{part}]" for part in problem["loc"] if isinstance(part, int))
    said = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    said = _PLAINLY.get(problem["type"], said)
    given = problem["input"]
    given = list(given) if isinstance(given, tuple) else given  # as it was written
    return f"{key}{where} = {given!r}: the value {said}"


# Where pydantic speaks of Python, say it in the words of a config file.
_PLAINLY = {
    "bool_type": "should be a boolean: true or false",
    "dict_type": "should be a mapping of keys to values",
    "finite_number": "should be a finite number",
    "float_type": "should be a number",
    "int_type": "should be an integer",
    "list_type": "should be a list",
    "model_type": "should be a section, which is a mapping of keys to values",
    "string_type": "should be a text",
    "tuple_type": "should be a list",
}
