"""What there is: environments, agents, shifts, recipes and trained agents."""

import dataclasses
from typing import Any

from rich.console import Console
from rich.table import Table

from robolearn.definitions import data_folder, definition_folder, definition_names, read_yaml
from robolearn.errors import unknown_name

SECTIONS = ("envs", "agents", "shifts", "configs", "zoo")


def list_names(what: str) -> dict[str, list[dict[str, Any]]]:
    """Return {section: entries}; every entry has a `name`.

    Raises:
        UserError: `what` is neither a section nor "all".
    """
    if what not in (*SECTIONS, "all"):
        raise unknown_name("list", what, (*SECTIONS, "all"))
    sections = SECTIONS if what == "all" else (what,)
    makers = {
        "envs": _envs,
        "agents": _agents,
        "shifts": _shifts,
        "configs": _configs,
        "zoo": _zoo,
    }
    return {section: makers[section]() for section in sections}


def print_names(names: dict[str, list[dict[str, Any]]]) -> None:
    """Print a table for every section."""
    console = Console(emoji=False, markup=False)
    for section, entries in names.items():
        columns = list(entries[0]) if entries else ["name"]
        table = Table(title=section, title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for entry in entries:
            table.add_row(*(_text(entry.get(column, "")) for column in columns))
        console.print(table)
        if not entries:
            console.print("  none yet")
        console.print()


def _envs() -> list[dict[str, Any]]:
    entries = []
    for name in definition_names("envs"):
        content = read_yaml(definition_folder("envs", name) / "env.yaml")
        entries.append(
            {
                "name": content["id"],
                "task": content.get("task"),
                "legs": list(content.get("world", {}).get("legs", {})),
                "shifts": content.get("shifts", []),
                "variants": list(content.get("world", {}).get("variants", {})),
            }
        )
    return entries


def _agents() -> list[dict[str, Any]]:
    from robolearn.agents.registry import kinds

    folders = definition_names("agents")
    entries = []
    for kind in kinds():
        content = {}
        if kind in folders:
            content = read_yaml(definition_folder("agents", kind) / "agent.yaml")
        entries.append(
            {
                "name": kind,
                **{k: content.get(k, "") for k in ("neuron", "rule", "modulator", "stabiliser")},
            }
        )
    return entries


def _shifts() -> list[dict[str, Any]]:
    from robolearn.shifts import shift_kinds

    entries = []
    for kind, shift in shift_kinds().items():
        fields = [field.name for field in dataclasses.fields(shift)]
        doc = (shift.__doc__ or "").strip().splitlines()[0]
        entries.append({"name": kind, "written": ":".join([kind, *fields]), "what": doc})
    return entries


def _configs() -> list[dict[str, Any]]:
    entries = []
    for path in sorted(data_folder("configs").glob("*.yaml")):
        content = read_yaml(path)
        entries.append(
            {
                "name": path.stem,
                "env": content.get("env", {}).get("id", ""),
                "agent": content.get("agent", {}).get("kind", ""),
                "learning": content.get("learning", {}).get("kind", ""),
            }
        )
    return entries


def _zoo() -> list[dict[str, Any]]:
    from robolearn.zoo import name_of, zoo_entries

    entries = []
    for folder in zoo_entries():
        content = read_yaml(folder / "config.yaml")
        entries.append({"name": name_of(folder), "env": content["env"]["id"]})
    return entries


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
