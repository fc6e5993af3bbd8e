"""Which envs there are: every folder under `envs/`, told to Gymnasium, and checked when it is used.

Telling Gymnasium loads nothing heavy: what an `env.yaml` names is checked once its world is there.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import gymnasium

from robolearn.definitions import check_keys, data_folder, definition_names, read_env
from robolearn.errors import UserError, errors_at, unknown_name

if TYPE_CHECKING:
    from robolearn.envs.task import Task
    from robolearn.worlds import World


def register_envs() -> None:
    """Register the id of every `envs/<name>/env.yaml`.

    A broken definition is warned of in one line and left out, so that it spoils no other env.
    """
    try:
        envs = _read_envs()
    except UserError as error:
        warnings.warn(f"no envs are registered: {error}", stacklevel=2)
        return
    for name, definition in envs.items():
        if isinstance(definition, UserError):
            warnings.warn(f"env {name!r} is not registered: {definition}", stacklevel=2)
        elif definition["id"] not in gymnasium.registry:
            gymnasium.register(
                id=definition["id"],
                entry_point="robolearn.envs.single_env:RobotEnv",
                vector_entry_point="robolearn.envs.vector_env:RobotVectorEnv",
                max_episode_steps=definition["max_episode_steps"],
                kwargs={"name": name},
            )


def sound_envs() -> dict[str, dict[str, Any]]:
    """Return {folder name: content of its env.yaml} of the envs that `register_envs` registers."""
    return {n: found for n, found in _read_envs().items() if not isinstance(found, UserError)}


def check_definition(world: World) -> tuple[type[Task], dict[str, float]]:
    """Check what the world's `env.yaml` names, by what is registered now.

    Returns:
        Its task, and the weights of its reward terms.

    Raises:
        UserError: an unknown task, reward term, parameter, shift, controller or camera, or a value
            out of range; names the file, the key and the nearest name.
    """
    from robolearn.envs.reference import SCRIPTED
    from robolearn.envs.registry import task_type
    from robolearn.schema import build
    from robolearn.shifts import shift_kinds
    from robolearn.shifts.shift import number

    definition, where = world.definition, f"envs/{world.name}/env.yaml"
    task = task_type(str(definition.get("task")), where)
    with errors_at(where):
        weights = {}
        for name, weight in definition.get("rewards", {}).items():
            if name not in task.reward_names:
                raise unknown_name("reward term", name, task.reward_names)
            weights[name] = number(weight, f"reward {name}", -1e6, 1e6)
        missing = set(task.reward_names) - task.optional_rewards - set(weights)
        if missing:
            raise UserError(f"rewards lacks {sorted(missing)}")
        own = definition.get("parameters", {})
        build(task.parameters_type, own, f"env {world.name!r}", "parameters.")
        _check_names("shifts", "shift", definition.get("shifts", []), shift_kinds())
        controllers = definition.get("scripted", [])
        _check_names("scripted", "scripted controller", controllers, SCRIPTED)
        camera, model = definition.get("preview_camera"), world.model
        cameras = [model.camera(i).name for i in range(model.ncam)]
        if camera is not None and camera not in cameras:
            raise unknown_name(f"preview_camera of {world.name}", camera, cameras)
        for i, source in enumerate(definition.get("sources", [])):
            check_keys(source, ("figure", "source", "note"), "", f"sources[{i}]")
            if not {"figure", "source"} <= set(source):
                raise UserError(f"sources[{i}] needs the keys 'figure' and 'source'")
    return task, weights


def _check_names(key: str, what: str, given: list[Any], valid: Any) -> None:
    for i, name in enumerate(given):
        if not isinstance(name, str) or name not in valid:
            raise UserError(f"{key}[{i}]: {unknown_name(what, name, valid)}")


def _read_envs() -> dict[str, dict[str, Any] | UserError]:
    """Return by folder name the content of every env.yaml, or what is wrong with it."""
    envs: dict[str, dict[str, Any] | UserError] = {}
    names: dict[str, str] = {}  # by id
    for name in definition_names("envs"):
        try:
            definition = read_env(name)
            first = names.setdefault(definition["id"], name)
            if first != name:
                path = data_folder("envs") / name / "env.yaml"
                raise UserError(f"{path}: envs/{first} has the id {definition['id']!r} already")
            envs[name] = definition
        except UserError as error:
            envs[name] = error
    return envs
