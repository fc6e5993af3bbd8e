"""Find and read the definition layer: the data folders `envs/`, `agents/` and `configs/`.

In an installed wheel they lie in `robolearn/_data/`; in a checkout they stand beside the package.
The first place that has the folder wins: never a foreign `agents/` beside an installed package.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from robolearn.errors import UserError, unknown_name

_PACKAGE = Path(__file__).resolve().parent
_DEFINITION_FILES = {"envs": "env.yaml", "agents": "agent.yaml"}


def data_folder(kind: str) -> Path:
    """Return the folder of `kind` ("envs", "agents" or "configs").

    Raises:
        UserError: neither the installed package nor the checkout has it.
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
    return _DEFINITION_FILES[kind]


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
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file in UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    content = parse_yaml(text, str(path))
    if content is None:
        raise UserError(f"{path}: is empty, expected a mapping of keys to values")
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: expected a mapping of keys to values, got a {type(content).__name__}"
        )
    return content


def parse_yaml(text: str, where: str) -> Any:
    """Return the value that a YAML text holds.

    Raises:
        UserError: it is not YAML, or a mapping has a key twice; `where` begins the message.
    """
    try:
        return yaml.load(text, _Loader)  # a SafeLoader, which builds plain values only
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "broken syntax"
        raise UserError(f"{where}: not valid YAML{line} ({problem})") from None


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, and in which no key is silently lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 wants a dot before the exponent: PyYAML would read the learning rate 1e-3 as a text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)
