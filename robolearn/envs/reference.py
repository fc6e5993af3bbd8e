"""Measures what doing nothing, random actions and scripted controllers earn in an env.

    python -m robolearn.envs.reference quadruped

writes `envs/quadruped/reference.json` with the raw numbers, which the env's card shows.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.definitions import data_folder, definition_folder
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError, unknown_name

LIVES = 64
# Purpose key of the stream of random actions; resets have the plain streams of their seeds.
_ACTION_STREAM = 3
_TIMED_STEPS = 20

Policy = Callable[[NDArray[np.floating]], NDArray[np.floating]]

# Scripted controllers that `scripted` of an env.yaml may name: functions of the env that return a
# policy, which turns observations (n, o) into actions (n, a).
SCRIPTED = {
    "blind_wanderer": ("robolearn.envs.braitenberg", "blind_wanderer"),
    "braitenberg": ("robolearn.envs.braitenberg", "braitenberg"),
    "cue_holder": ("robolearn.envs.cue_holder", "cue_holder"),
    "hand_servo": ("robolearn.envs.hand_servo", "hand_servo"),
    "maze_player": ("robolearn.envs.tmaze_player", "MazePlayer"),
    "tripod_gait": ("robolearn.envs.tripod_gait", "tripod_gait"),
}


def measure(name: str, lives: int = LIVES) -> dict[str, Any]:
    """Return the scores of doing nothing, random actions and the scripted controllers.

    The latter are those that `scripted` of env.yaml names. Also, the speed of every variant.

    Life i has seed i: its reset is that of `gymnasium.make(id).reset(seed=i)`.

    Raises:
        UserError: no such env or scripted controller, or it has no length of life.
    """
    env = _make(name, lives)
    actions = env.single_action_space.shape
    rngs = [np.random.default_rng([i, _ACTION_STREAM]) for i in range(lives)]
    policies: dict[str, Policy] = {
        "zero": lambda _: np.zeros((lives, *actions), np.float32),
        "random": lambda _: np.stack([r.uniform(-1, 1, actions) for r in rngs]).astype(np.float32),
    }
    for controller in env.world.definition.get("scripted", []):
        policies[controller] = scripted_policy(controller, env)
    return {
        "command": f"python -m robolearn.envs.reference {name}",
        "versions": {package: version(package) for package in ("mujoco", "numpy", "gymnasium")},
        "definition": scored_definition(env.world.definition),
        "policies": {policy: _live(env, act) for policy, act in policies.items()},
        "variants": {
            variant: {"speed_ratio": _speed_ratio(name, variant)}
            for variant in env.world.definition["world"].get("variants", {})
        },
    }


def scripted_policy(name: str, env: RobotVectorEnv) -> Policy:
    """Return the scripted controller of that name for the individuals of `env`.

    Raises:
        UserError: there is none, or it cannot drive this body.
    """
    if name not in SCRIPTED:
        raise unknown_name("scripted controller", name, SCRIPTED)
    module, attribute = SCRIPTED[name]
    return getattr(import_module(module), attribute)(env)


def scored_definition(definition: dict[str, Any]) -> dict[str, Any]:
    """Return what of `env.yaml` the scores depend on."""
    return {key: definition.get(key) for key in ("max_episode_steps", "parameters", "rewards")}


def write_reference(name: str, lives: int = LIVES) -> Path:
    """Measure and write `envs/<name>/reference.json`; returns its path."""
    path = definition_folder("envs", name) / "reference.json"
    text = json.dumps(measure(name, lives), indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def _make(name: str, lives: int, variant: str | None = None) -> RobotVectorEnv:
    env = RobotVectorEnv(name, lives, autoreset_mode="Disabled", variant=variant)
    env.max_episode_steps = env.world.definition.get("max_episode_steps")
    if env.max_episode_steps is None:
        raise UserError(f"env {name} has no max_episode_steps, so its lives have no score")
    return env


def _live(env: RobotVectorEnv, act: Policy) -> dict[str, list]:
    """Return total reward, mean performance over the whole span, steps, falls, divergences (n,)."""
    n, span = env.num_envs, env.max_episode_steps or 0
    observation, _ = env.reset(seed=0)
    total, performance = np.zeros(n), np.zeros(n)
    fell, unstable = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    for _ in range(span):
        observation, reward, terminated, _, infos = env.step(act(observation))
        total += reward
        performance += infos["performance"]
        fell |= terminated
        unstable |= infos["unstable"]
    return {
        "return": np.round(total, 6).tolist(),
        "performance": np.round(performance / span, 6).tolist(),
        "steps": env.steps.tolist(),
        "fell": fell.astype(int).tolist(),
        "unstable": unstable.astype(int).tolist(),
    }


def _speed_ratio(name: str, variant: str, rounds: int = 7) -> list[float]:
    """Return how many times faster the variant steps, one figure a round, in turns with it."""
    envs = [_make(name, 32, v) for v in (None, variant)]
    ratios = []
    for _ in range(rounds):
        durations = []
        for env in envs:
            env.reset(seed=0)
            action = np.zeros(env.action_space.shape, np.float32)
            begin = time.perf_counter()
            for _ in range(_TIMED_STEPS):
                env.step(action)
            durations.append(time.perf_counter() - begin)
        ratios.append(round(durations[0] / durations[1], 3))
    return ratios


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m robolearn.envs.reference", description=__doc__)
    parser.add_argument("name", help=f"a folder of {data_folder('envs')}")
    options = parser.parse_args(arguments)
    try:
        print(write_reference(options.name))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
