"""What there is: environments, brains, learners, shifts, recipes, protocols and trained agents."""

import dataclasses
import json
import re
import sys
from collections.abc import Callable
from typing import Any

from rich.table import Table

from robolearn.definitions import data_folder, definition_folder, definition_names, read_yaml
from robolearn.errors import unknown_name
from robolearn.tracking.console import PlainConsole

Entry = dict[str, Any]
# What a table of many entries has no room for.
_DETAILS = ("parameters", "written")


def list_names(what: str) -> dict[str, list[Entry]]:
    """Return {section: entries}; every entry has a `name`, and its values are plain.

    Raises:
        UserError: `what` is neither a section nor "all", or a definition is broken; a broken env
            is left out, since importing the package warns of it.
    """
    if what not in (*_SECTIONS, "all"):
        raise unknown_name("section to list", what, (*_SECTIONS, "all"))
    sections = list(_SECTIONS) if what == "all" else [what]
    return {section: _SECTIONS[section]() for section in sections}


def print_json(names: dict[str, list[Entry]]) -> None:
    """Print the entries as one JSON object on stdout."""
    print(json.dumps(names, indent=2, ensure_ascii=False))


def print_names(names: dict[str, list[Entry]]) -> None:
    """Print a table for every section on stdout, and for a single one all parameters too.

    The text is plain, and fits 80 columns, unless stdout is a terminal.
    """
    # Rich would take FORCE_COLOR for a terminal and write control characters into a file.
    console = PlainConsole(force_terminal=sys.stdout.isatty())
    for number, (section, entries) in enumerate(names.items()):
        if number:
            console.print()
        console.print(section, style="bold")
        if not entries:
            console.print("  none yet")
            continue
        told = [{"name": entry["name"], "what": _traits(entry)} for entry in entries]
        console.print(_table(told, ["name", "what"], headers=False))
        if len(names) == 1 and "parameters" in entries[0]:
            for entry in entries:
                console.print(f"\n{entry.get('written', entry['name'])}", style="bold")
                rows = [{"name": name, **about} for name, about in entry["parameters"].items()]
                console.print(_table(rows, ["name", "default", "meaning"]))


def _traits(entry: Entry) -> str:
    """Return what an entry has beside its name, as one text that can be wrapped between words."""
    traits = {k: _text(v) for k, v in entry.items() if k not in ("name", *_DETAILS) and v}
    return "; ".join(text if key == "what" else f"{key} {text}" for key, text in traits.items())


def _table(entries: list[Entry], columns: list[str], *, headers: bool = True) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=headers)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for entry in entries:
        table.add_row(*(_text(entry[column]) for column in columns))
    return table


def _envs() -> list[Entry]:
    from robolearn.envs.registration import sound_envs

    entries = []
    for content in sound_envs().values():
        world = content.get("world", {})
        entries.append(
            {
                "name": content["id"],
                "task": content.get("task", ""),
                "legs": _legs(world),
                "shifts": content.get("shifts", []),
                "variants": list(world.get("variants", {})),
            }
        )
    return entries


def _legs(world: dict[str, Any]) -> list[str]:
    """Return the legs of an env's `world`, be they named there or built."""
    from robolearn.worlds.legged_figures import leg_names

    scene = world.get("scene")
    if isinstance(scene, dict) and scene.get("builder") == "legged":
        legs = scene.get("legs")
        return leg_names(legs) if isinstance(legs, int) else []  # a broken scene is told on use
    return list(world.get("legs", {}))


def _agents() -> list[Entry]:
    from robolearn.agents.registry import kinds

    defined = definition_names("agents")
    entries = []
    for kind in kinds():
        content = {}
        if kind in defined:
            content = read_yaml(definition_folder("agents", kind) / "agent.yaml")
        keys = ("neuron", "rule", "modulator", "stabiliser")
        entries.append({"name": kind, **{key: content.get(key, "") for key in keys}})
    return entries


def _learners() -> list[Entry]:
    from robolearn.learning.deep_rl import LEARNERS
    from robolearn.learning.strategies import STRATEGIES

    learners = {
        name: (sys.modules[strategy.__module__].__doc__, strategy.config_class)
        for name, strategy in STRATEGIES.items()
    }
    learners |= {name: (schema.__doc__, schema) for name, schema in LEARNERS.items()}
    return [
        {"name": name, "what": _first_line(what), "parameters": _parameters(schema)}
        for name, (what, schema) in sorted(learners.items())
    ]


def _shifts() -> list[Entry]:
    from robolearn.shifts import shift_kinds

    entries = []
    for kind, shift in shift_kinds().items():
        parameters = _parameters(shift)
        entries.append(
            {
                "name": kind,
                "written": ":".join([kind, *(f"<{name}>" for name in parameters)]),
                "what": _first_line(shift.__doc__),
                "parameters": parameters,
            }
        )
    return entries


def _configs() -> list[Entry]:
    return [
        {
            "name": path.stem,
            **{
                section: (content.get(section) or {}).get(key, "")
                for section, key in (("env", "id"), ("agent", "kind"), ("learning", "kind"))
            },
        }
        for path in sorted(data_folder("configs").glob("*.yaml"))
        for content in [read_yaml(path)]
    ]


def _protocols() -> list[Entry]:
    return [
        {
            "name": path.stem,
            "onset": content.get("onset", ""),
            "episodes": content.get("episodes", ""),
            "conditions": _kinds(content["conditions"]),
        }
        for path in sorted((data_folder("configs") / "protocols").glob("*.yaml"))
        for content in [read_yaml(path)]
    ]


def _zoo() -> list[Entry]:
    from robolearn.zoo import name_of, zoo_entries

    return [
        {
            "name": name_of(folder),
            "env": content["env"]["id"],
            "learning": content["learning"]["kind"],
            "shifts": _kinds(content["env"].get("shifts") or []),
        }
        for folder in zoo_entries()
        for content in [read_yaml(folder / "config.yaml")]
    ]


_SECTIONS: dict[str, Callable[[], list[Entry]]] = {
    "envs": _envs,
    "agents": _agents,
    "learners": _learners,
    "shifts": _shifts,
    "configs": _configs,
    "protocols": _protocols,
    "zoo": _zoo,
}


def _parameters(schema: type) -> dict[str, Entry]:
    """Return {name: {"default", "meaning"}} of a dataclass whose docstrings list its fields."""
    documents = "\n".join(base.__doc__ or "" for base in reversed(schema.__mro__))
    meanings = dict(re.findall(r"^ {4,8}(\w+): (.*(?:\n {9,}.*)*)", documents, flags=re.MULTILINE))
    return {
        field.name: {
            "default": None if field.default is dataclasses.MISSING else field.default,
            "meaning": " ".join(meanings.get(field.name, "").split()),
        }
        for field in dataclasses.fields(schema)
    }


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().split("\n")[0]


def _kinds(shifts: list[Any]) -> list[str]:
    """Return what kinds of shifts there are, each once."""
    return sorted({s["kind"] if isinstance(s, dict) else str(s).split(":")[0] for s in shifts})


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)
