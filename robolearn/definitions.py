"""Find and read the definition layer: the data folders `envs/`, `agents/` and `configs/`.

In a checkout they stand beside the package; in an installed wheel they lie in
`robolearn/_data/`. The first place that has the folder wins.
"""

from pathlib import Path
from typing import Any

import yaml

from robolearn.errors import UserError, unknown_name

_PACKAGE = Path(__file__).resolve().parent


def data_folder(kind: str) -> Path:
    """Return the folder of `kind` ("envs", "agents", "configs" or "videos").

    Raises:
        UserError: neither the checkout nor the installed package has it.
    """
    places = (_PACKAGE / "_data" / kind, _PACKAGE.parent / kind)
    for place in places:
        if place.is_dir():
            return place
    raise UserError(f"the data folder {kind!r} is missing (looked for {places[0]} and {places[1]})")


def definition_names(kind: str) -> list[str]:
    """Return the sorted names under `kind`: its sub-folders that hold the definition file."""
    file_name = definition_file_name(kind)
    return sorted(p.name for p in data_folder(kind).iterdir() if (p / file_name).is_file())


def definition_file_name(kind: str) -> str:
    """Return the name of the YAML file that makes a folder under `kind` a definition."""
    return {"envs": "env.yaml", "agents": "agent.yaml"}[kind]


def definition_folder(kind: str, name: str) -> Path:
    """Return the folder of one definition, such as ("envs", "quadruped").

    Raises:
        UserError: there is no such definition; the message lists the valid names.
    """
    if name not in definition_names(kind):
        raise unknown_name(kind.rstrip("s"), name, definition_names(kind))
    return data_folder(kind) / name


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        UserError: the file cannot be read, is not YAML, or is not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "broken syntax"
        raise UserError(f"{path}: not valid YAML{line} ({problem})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping of keys, got {type(content).__name__}")
    return content
