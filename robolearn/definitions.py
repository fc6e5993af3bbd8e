"""Find and read the definition layer: the data folders `envs/`, `agents/` and `configs/`.

In an installed wheel they lie in `robolearn/_data/`; in a checkout they stand beside the package.
The first place that has the folder wins: never a foreign `agents/` beside an installed package.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from robolearn.errors import UserError, unknown_name

_PACKAGE = Path(__file__).resolve().parent
_DEFINITION_FILES = {"envs": "env.yaml", "agents": "agent.yaml"}

# The keys of an env.yaml and of its `world`, and what each holds; `worlds` looks into a scene.
_ENV_KEYS: dict[str, type] = {
    **dict.fromkeys(("id", "task", "preview_camera", "about"), str),
    **dict.fromkeys(("world", "parameters", "rewards", "history"), dict),
    **dict.fromkeys(("shifts", "scripted", "sources"), list),
    "max_episode_steps": int,
}
_WORLD_KEYS: dict[str, type] = {
    **dict.fromkeys(("legs", "cameras", "variants", "terrain"), dict),
    "scene": object,
    "substeps": int,
}
_IN_WORDS = {
    str: "a text",
    dict: "a mapping",
    list: "a list",
    int: "a whole number of at least 1",
}


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


def read_env(name: str) -> dict[str, Any]:
    """Read `envs/<name>/env.yaml` and check its keys, and those of its `world`.

    What they name (task, shifts, legs) is checked where these are known.

    Raises:
        UserError: no such env, an unreadable file, an unknown key, or a value of the wrong type.
    """
    path = definition_folder("envs", name) / "env.yaml"
    definition = read_yaml(path)
    _check_types(definition, _ENV_KEYS, f"{path}: ")
    if "world" in definition:
        _check_types(definition["world"], _WORLD_KEYS, f"{path}: ", "world.")
        for variant, options in definition["world"].get("variants", {}).items():
            _check_type(options, dict, f"{path}: key 'world.variants.{variant}'")
    for key in ("id", "max_episode_steps"):
        if key not in definition:
            raise UserError(f"{path}: lacks the key {key!r}")
    if not re.fullmatch(r"robolearn/[\w:.-]+-v\d+", definition["id"]):
        raise UserError(
            f"{path}: key 'id' must be like robolearn/Name-v0, got {definition['id']!r}"
        )
    return definition


def check_keys(values: Any, valid: Iterable[str], where: str, key: str) -> None:
    """Check that `values` is a mapping with no other keys than the `valid` ones.

    Args:
        values: as read from YAML.
        valid: every key that it may have.
        where: begins every message, such as "env.yaml: ".
        key: under which the values stand, such as "world.legs.front_left".

    Raises:
        UserError: it is not; names the nearest valid key.
    """
    if not isinstance(values, dict):
        raise UserError(f"{where}key {key!r} must be a mapping, got {values!r}")
    for name in values:
        if name not in valid:
            raise UserError(f"{where}{unknown_name('key', name, valid, prefix=f'{key}.')}")


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


def _check_types(
    values: dict[str, Any], kinds: dict[str, type], where: str, prefix: str = ""
) -> None:
    for key, value in values.items():
        if key not in kinds:
            raise UserError(f"{where}{unknown_name('key', key, kinds, prefix=prefix)}")
        _check_type(value, kinds[key], f"{where}key {prefix + key!r}")


def _check_type(value: Any, kind: type, what: str) -> None:
    is_right = type(value) is int and value >= 1 if kind is int else isinstance(value, kind)
    if not is_right:
        raise UserError(f"{what} must be {_IN_WORDS[kind]}, got {value!r}")


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
