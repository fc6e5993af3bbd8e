"""Films one life of a scripted controller.

python -m robolearn.envs.film hexapod --shift terrain:rough:0.04@5s --out hexapod.mp4
"""

import argparse
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mujoco

from robolearn.definitions import data_folder
from robolearn.envs.reference import scripted_policy
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.envs.witness import Witness, film_camera
from robolearn.errors import UserError
from robolearn.recording import Trajectory, check_name, record
from robolearn.worlds import load_world

SECONDS = 10.0
_PACKAGES = ("mujoco", "numpy", "gymnasium")


def live_scripted(
    name: str, controller: str | None, shifts: Any, seed: int, life_s: float
) -> tuple[Trajectory, list[tuple[int, mujoco.MjModel]]]:
    """Return the trajectory of one life, and the body from each step on at which it changed.

    Args:
        name: folder under `envs/`.
        controller: one that `scripted` of its env.yaml names; None for the first.
        shifts: texts, mappings or plans.
        seed: of the life.
        life_s: its greatest length, s.

    Raises:
        UserError: an unknown name, a shift that does not fit, a life without a length, or a
            negative seed.
    """
    if not 0 < life_s < float("inf"):
        raise UserError(f"the length of the life must be above 0 s, got {life_s:g}")
    if seed < 0:
        raise UserError(f"the seed of the life must be 0 or more, got {seed}")
    world = load_world(name)
    known = world.definition.get("scripted", [])
    if controller is None and not known:
        raise UserError(f"env {name}: no scripted controller is known to drive it")
    chosen: str = controller or known[0]
    env = RobotVectorEnv(
        name,
        1,
        max_episode_steps=max(1, round(life_s / world.control_step_s)),
        autoreset_mode="Disabled",
        threads=1,
        shifts=shifts,
    )
    act = scripted_policy(chosen, env)
    observation, _ = env.reset(seed=seed)
    witness, done = Witness(env), False
    while not done:
        step = int(env.steps[0])
        observation, reward, terminated, truncated, _ = env.step(act(observation))
        witness.see(step, float(reward[0]))
        done = bool(terminated[0] or truncated[0])
    versions = {package: version(package) for package in _PACKAGES}
    title = chosen.replace("_", " ")
    return witness.trajectory(seed, title, versions), witness.models


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m robolearn.envs.film", description=__doc__)
    parser.add_argument("name", help=f"a folder of {data_folder('envs').name}/")
    parser.add_argument("--out", type=Path, required=True, help=".mp4, .gif, .html, or no ending")
    parser.add_argument("--controller", help="one of `scripted` of env.yaml; the first if left out")
    parser.add_argument("--shift", action="append", default=[], help="such as KIND:VALUES@5s")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of the life")
    parser.add_argument("--seed", type=int, default=0, help="of the life")
    options = parser.parse_args(arguments)
    try:
        check_name(options.out)
        trajectory, models = live_scripted(
            options.name, options.controller, options.shift, options.seed, options.seconds
        )
        for file in record(options.out, trajectory, models, film_camera(options.name)):
            print(file)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
