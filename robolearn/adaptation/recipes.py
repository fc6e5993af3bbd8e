"""Training runs of one recipe, told by their configs: equal but for seed and bookkeeping."""

from collections.abc import Mapping, Sequence
from typing import Any

# Of a config, what makes no other recipe.
_BOOKKEEPING = ("seed", "tracking")


def recipe_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's config without its seed and without what only concerns the keeping of logs."""
    return {key: value for key, value in config.items() if key not in _BOOKKEEPING}


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {"agent.hidden": 32, ...} of nested mappings; lists are values."""
    values: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values


def differences(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the keys in which configs differ, with the value of each; None where there is none."""
    tables = [flat(config) for config in configs]
    keys = dict.fromkeys(key for table in tables for key in table)
    values = {key: [table.get(key) for table in tables] for key in keys}
    return {key: row for key, row in values.items() if any(value != row[0] for value in row)}


def labels(recipes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a short name for each of different recipes: its own, and what tells it from its like.

    Brains of another kind differ in too many keys: theirs is told alone.
    """
    names = [str(recipe["name"]) for recipe in recipes]
    told = list(names)
    for name in dict.fromkeys(names):
        rows = [i for i, other in enumerate(names) if other == name]
        if len(rows) < 2:
            continue
        found = differences([recipes[i] for i in rows])
        if "agent.kind" in found:
            found = {"agent.kind": found["agent.kind"]} | {
                key: values for key, values in found.items() if not key.startswith("agent.")
            }
        for position, i in enumerate(rows):
            traits = [f"{k.split('.')[-1]}={v[position]}" for k, v in found.items()]
            told[i] = f"{name} {' '.join(traits[:3])}"
    for i, label in enumerate(told):  # what is left alike is numbered
        twins = [j for j, other in enumerate(told) if other == label]
        if len(twins) > 1:
            told[i] = f"{label} ({twins.index(i) + 1})"
    return told
