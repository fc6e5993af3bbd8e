"""Tell Gymnasium of every folder under `envs/`; nothing heavy is loaded."""

import gymnasium

from robolearn.definitions import data_folder, definition_names, read_yaml
from robolearn.errors import UserError


def register_envs() -> None:
    """Register `robolearn/<Name>-v0` for every `envs/<name>/env.yaml`.

    Raises:
        UserError: a definition lacks its id or its length of life.
    """
    for name in definition_names("envs"):
        path = data_folder("envs") / name / "env.yaml"
        definition = read_yaml(path)
        env_id = definition.get("id")
        if not isinstance(env_id, str) or not env_id.startswith("robolearn/"):
            raise UserError(f"{path}: key 'id' must be like robolearn/Name-v0, got {env_id!r}")
        if env_id in gymnasium.registry:
            continue
        gymnasium.register(
            id=env_id,
            entry_point="robolearn.envs.single_env:RobotEnv",
            vector_entry_point="robolearn.envs.vector_env:RobotVectorEnv",
            max_episode_steps=definition.get("max_episode_steps"),
            kwargs={"name": name},
        )
