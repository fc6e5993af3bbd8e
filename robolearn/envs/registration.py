"""Tell Gymnasium of every folder under `envs/`; nothing heavy is loaded."""

import warnings

import gymnasium

from robolearn.definitions import data_folder, definition_names, read_yaml
from robolearn.errors import UserError


def register_envs() -> None:
    """Register the id of every `envs/<name>/env.yaml`.

    A broken definition is warned of in one line and left out, so that it spoils no other env.
    """
    try:
        names = definition_names("envs")
    except UserError as error:
        warnings.warn(f"no envs are registered: {error}", stacklevel=2)
        return
    for name in names:
        try:
            _register(name)
        except UserError as error:
            warnings.warn(f"env {name!r} is not registered: {error}", stacklevel=2)


def _register(name: str) -> None:
    path = data_folder("envs") / name / "env.yaml"
    definition = read_yaml(path)
    env_id, steps = definition.get("id"), definition.get("max_episode_steps")
    if not isinstance(env_id, str) or not env_id.startswith("robolearn/"):
        raise UserError(f"{path}: key 'id' must be like robolearn/Name-v0, got {env_id!r}")
    if type(steps) is not int or steps < 1:
        raise UserError(f"{path}: key 'max_episode_steps' must be at least 1, got {steps!r}")
    if env_id not in gymnasium.registry:
        gymnasium.register(
            id=env_id,
            entry_point="robolearn.envs.single_env:RobotEnv",
            vector_entry_point="robolearn.envs.vector_env:RobotVectorEnv",
            max_episode_steps=steps,
            kwargs={"name": name},
        )
